"""Describing a table, and holding on to the very one that was described."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tablecopy.comparison.canonical import canonical, number
from tablecopy.dynamodb.description import Description, Identity
from tablecopy_cli.common.accounts import Side, is_arn
from tablecopy_cli.common.aws_errors import user_errors
from tablecopy_cli.common.errors import UserError
from tablecopy_cli.common.items import Item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

# Larger than any exponent of a DynamoDB number (-130 to 125).
_EXPONENT_BIAS = 0x8000


def check_identity(known: Identity, description: Description, side: Side) -> None:
    """Check that a later description is of the table that is known.

    Raises
    ------
    UserError
        The table was deleted and created again, or it is another one.
    """
    now = Identity.of(description)
    if now.arn != known.arn:
        raise UserError(
            f"{side.name}: {side.table_name} is now {now.arn}, and was {known.arn} when this run began. "
            "Name the table by its ARN and run again without --resume",
            side.name,
        )
    if not known.is_same_as(now):
        raise UserError(
            f"{side.name}: {known.arn} was deleted and created again while this run read it. "
            "Run again without --resume",
            side.name,
        )


def describe(client: DynamoDBClient, side: Side) -> dict[str, Any]:
    """Describe a side's table, with every member that came.

    botocore's parser drops members that its model does not have yet. Numbers and times are as JSON has them.

    Raises
    ------
    UserError
        There is no such table, it cannot be reached, or the endpoint describes another one than was asked
        for: a local AWS may take the name out of an ARN and leave out the account.
    """
    bodies: list[bytes] = []

    def keep(response_dict: Mapping[str, Any], **_: object) -> None:
        bodies.append(response_dict["body"])

    client.meta.events.register("before-parse.dynamodb.DescribeTable", keep)
    try:
        with user_errors(side):
            client.describe_table(TableName=side.table_name or "")
    finally:
        client.meta.events.unregister("before-parse.dynamodb.DescribeTable", keep)
    found: dict[str, Any] = json.loads(bodies[-1])["Table"]
    if is_arn(side.table_name) and found["TableArn"] != side.table_name:
        raise UserError(
            f"{side.name}: asked for {side.table_name}, and the endpoint describes {found['TableArn']}. "
            f"Check --{side.name}, --{side.name}-region and --{side.name}-endpoint-url",
            side.name,
        )
    return found


def check_two_tables(source: Description, destination: Description) -> None:
    """Check that source and destination are two tables.

    Raises
    ------
    UserError
        They are one table.
    """
    if Identity.of(source).is_same_as(Identity.of(destination)):
        raise UserError(
            f"source and destination are the same table, {source['TableArn']}. "
            "Check the table names, profiles and regions of both sides"
        )


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

    def identity_of_row(self, partition: str, sort: str) -> str:
        """Return the `identity` of a key whose parts a row spells as JSON."""
        return _identity_of_row(self, partition, sort)

    def order(self, key: Item) -> bytes:
        """Bytes in the order of the keys: numbers by value, strings and binary values by their bytes."""
        return b"".join(_ordered(kind, key[name][kind]) for name, kind in self.attributes)

    def __str__(self) -> str:
        return ", ".join(f"{name} ({kind})" for name, kind in self.attributes)


# A key that is judged is read three times.
@lru_cache(maxsize=10_000)
def _identity_of_row(schema: KeySchema, partition: str, sort: str) -> str:
    return schema.identity(schema.of_row(partition, sort))


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
