"""Keys and values of items as people and JSON see them."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any, TypeAlias

from tablecopy_cli.common.text import escaped

Item: TypeAlias = Mapping[str, Any]
"""An item, or a key, in DynamoDB JSON; binary values are bytes, as boto3 has them, or base64 text."""

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")


def to_json(value: Any) -> Any:
    """Make DynamoDB JSON printable as JSON: binary values become base64, as on the wire."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, Mapping):
        return {name: to_json(content) for name, content in value.items()}
    if isinstance(value, list):
        return [to_json(element) for element in value]
    return value


def key_text(key: Item) -> str:
    """Write a key for people; what could steer a terminal is escaped."""
    return "  ".join(f"{_name(name)}={value_text(value)}" for name, value in key.items())


def value_text(value: Item) -> str:
    """Write a value, a type and its content, for people; what could steer a terminal is escaped."""
    ((kind, content),) = value.items()
    if kind == "N":
        return escaped(str(content))
    if kind == "S":
        return quoted(content)
    if kind == "B":
        return f"base64:{escaped(to_json(content))}"
    return quoted(to_json(value))


def is_plain(name: str) -> bool:
    """Whether an attribute's name can stand without quotes."""
    return _PLAIN_NAME.match(name) is not None


def quoted(value: Any) -> str:
    """Write ``value`` as JSON on one line; what could steer a terminal is escaped."""
    return escaped(json.dumps(value, ensure_ascii=False))


def _name(name: str) -> str:
    return name if is_plain(name) else quoted(name)
