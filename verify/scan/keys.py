"""Primary keys: what identifies an item, and the order of the output."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tablecopy_cli.common.items import Item
from verify.scan.canonical import canonical, number

# Larger than any exponent of a DynamoDB number (-130 to 125).
_EXPONENT_BIAS = 0x8000


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

    def of_row(self, partition: str, sort: str) -> dict[str, Any]:
        """The key whose parts a row spells as JSON; ``sort`` does not matter where there is no sort key."""
        parts = (partition, sort)
        return {
            name: {kind: json.loads(part)} for (name, kind), part in zip(self.attributes, parts, strict=False)
        }

    def key_of(self, item: Item) -> dict[str, Any]:
        """Return the primary key of an item, spelled as the item has it."""
        return {name: item[name] for name, _ in self.attributes}

    def identity(self, item: Item) -> str:
        """Text that equal keys, and only these, share. Numbers count by value, as they do for DynamoDB."""
        return "".join(canonical(item[name]) for name, _ in self.attributes)

    def order(self, key: Item) -> bytes:
        """Bytes in the order of the keys: numbers by value, strings and binary values by their bytes."""
        return b"".join(_ordered(kind, key[name][kind]) for name, kind in self.attributes)

    def __str__(self) -> str:
        return ", ".join(f"{name} ({kind})" for name, kind in self.attributes)


def _ordered(kind: str, content: str) -> bytes:
    if kind == "N":
        return _ordered_number(content)
    raw = b64decode(content) if kind == "B" else content.encode("utf-8", "surrogatepass")
    # Ends below every byte that may follow, so that a prefix comes first.
    return raw.replace(b"\0", b"\0\xff") + b"\0\0"


def _ordered_number(content: str) -> bytes:
    value = Decimal(number(content))
    if not value:
        return b"\x80"
    digits = "".join(map(str, value.as_tuple().digits)).rstrip("0")
    size = (value.adjusted() + _EXPONENT_BIAS).to_bytes(2, "big") + digits.encode("ascii") + b"\0"
    if value > 0:
        return b"\xc0" + size
    return b"\x40" + bytes(0xFF - byte for byte in size)
