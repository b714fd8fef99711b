"""Primary keys: what identifies an item, and the order of the output."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sides.items import Item
from verify.canonical import number


@dataclass(frozen=True)
class KeySchema:
    """The primary key of a table.

    Parameters
    ----------
    attributes
        Name and type (``"S"``, ``"N"`` or ``"B"``) of the partition key and, if there is one, the sort key.
    """

    attributes: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, description: Mapping[str, Any]) -> KeySchema:
        """Take the key schema from the ``Table`` of a DescribeTable response."""
        types = {
            definition["AttributeName"]: definition["AttributeType"]
            for definition in description["AttributeDefinitions"]
        }
        # AWS lists the partition key first, always; sorting (HASH before RANGE) costs nothing.
        elements = sorted(description["KeySchema"], key=lambda element: str(element["KeyType"]))
        return cls(tuple((element["AttributeName"], types[element["AttributeName"]]) for element in elements))

    def pack(self, item: Item) -> bytes:
        """Pack the key of an item into bytes that equal keys, and only these, share.

        Numbers count by value, as they do for DynamoDB. `unpack` is the way back.
        """
        parts = []
        for name, kind in self.attributes:
            content = item[name][kind]
            if kind == "N":
                content = number(content)
            elif kind == "B":
                content = base64.b64encode(content).decode("ascii")
            parts.append(content)
        return json.dumps(parts).encode("ascii")

    def key_of(self, item: Item) -> dict[str, Any]:
        """Return the primary key of an item, spelled as the item has it."""
        return {name: item[name] for name, _ in self.attributes}

    def unpack(self, packed: bytes) -> dict[str, dict[str, Any]]:
        """Return the key as DynamoDB JSON."""
        key: dict[str, dict[str, Any]] = {}
        for (name, kind), content in zip(self.attributes, json.loads(packed), strict=True):
            key[name] = {kind: base64.b64decode(content) if kind == "B" else content}
        return key

    def order(self, packed: bytes) -> tuple[Any, ...]:
        """Sort key for packed keys: numbers by value, strings and binary values by their bytes."""
        parts: list[Any] = []
        for (_, kind), content in zip(self.attributes, json.loads(packed), strict=True):
            if kind == "N":
                parts.append(Decimal(content))
            elif kind == "B":
                parts.append(base64.b64decode(content))
            else:
                parts.append(content.encode("utf-8", "surrogatepass"))
        return tuple(parts)

    def __str__(self) -> str:
        return ", ".join(f"{name} ({kind})" for name, kind in self.attributes)
