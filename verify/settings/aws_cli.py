"""AWS CLI commands that fix a difference, ready to paste into a POSIX shell.

Names of tables, indexes, attributes and tags come from users. Each word is quoted for the shell. What is not
a plain word is written as JSON, because the AWS CLI interprets arguments: a comma separates values,
``file://`` names a file, and a leading dash starts an option.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from tablecopy_cli.common.text import escaped
from verify.settings.describe import Definition, Index, Throughput

_PLAIN = re.compile(r"-?[A-Za-z0-9_.]+\Z")


def table_command(definition: Definition, operation: str, **options: Any) -> str:
    """Write ``aws dynamodb OPERATION --table-name ...``; see `command`."""
    return command(definition, "dynamodb", operation, table_name=definition.name, **options)


def update_table(definition: Definition, **options: Any) -> str:
    """Write ``aws dynamodb update-table --table-name ...``; see `command`."""
    return table_command(definition, "update-table", **options)


def command(definition: Definition, service: str, operation: str, **options: Any) -> str:
    """Write a command that acts on the account and region of a table.

    Parameters
    ----------
    definition
        Whose flags (region, profile, endpoint) are added.
    service, operation
        As the AWS CLI spells them.
    options
        Option to value, with underscores in the option's name. ``True`` and ``False`` make it a switch,
        ``None`` leaves it out, mappings and lists are written as the CLI reads them.
    """
    words = ["aws", service, operation]
    for name, value in options.items():
        option = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            words.append(option if value else f"--no-{option.removeprefix('--')}")
        elif value is not None:
            text = _argument(value)
            words += [f"{option}={text}"] if text.startswith("-") else [option, text]
    words += definition.flags
    return escaped(" ".join(shlex.quote(word) for word in words))


def units(throughput: Throughput) -> dict[str, int | None]:
    """``ProvisionedThroughput`` of a request."""
    return {"ReadCapacityUnits": throughput.read, "WriteCapacityUnits": throughput.write}


def maximum(throughput: Throughput) -> dict[str, int]:
    """``OnDemandThroughput`` of a request; -1 stands for no maximum."""
    read, write = (-1 if limit is None else limit for limit in (throughput.read, throughput.write))
    return {"MaxReadRequestUnits": read, "MaxWriteRequestUnits": write}


def warm(throughput: Throughput) -> dict[str, int | None]:
    """``WarmThroughput`` of a request."""
    return {"ReadUnitsPerSecond": throughput.read, "WriteUnitsPerSecond": throughput.write}


def index_update(name: str, **settings: Any) -> list[dict[str, Any]]:
    """``GlobalSecondaryIndexUpdates`` of a request that changes one index."""
    return [{"Update": {"IndexName": name, **settings}}]


def attributes(index: Index) -> list[dict[str, str]]:
    """``AttributeDefinitions`` of a request that makes `index`."""
    return [{"AttributeName": name, "AttributeType": kind} for name, kind, _ in index.key]


def key_schema(index: Index) -> list[dict[str, str]]:
    """``KeySchema`` of a request that makes `index`."""
    return [{"AttributeName": name, "KeyType": role} for name, _, role in index.key]


def projection(projected: Iterable[str] | None) -> dict[str, Any]:
    """``Projection`` of a request; ``None`` stands for all attributes."""
    if projected is None:
        return {"ProjectionType": "ALL"}
    names = sorted(projected)
    return (
        {"ProjectionType": "INCLUDE", "NonKeyAttributes": names} if names else {"ProjectionType": "KEYS_ONLY"}
    )


def _argument(value: Any) -> str:
    if isinstance(value, Mapping):
        parts = {name: _scalar(content) for name, content in value.items()}
        if all(_PLAIN.match(part) for part in parts.values()):
            return ",".join(f"{name}={part}" for name, part in parts.items())
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"))


def _scalar(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
