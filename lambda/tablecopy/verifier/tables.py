"""The two tables of a verification: whether they can be compared, and how fast they may be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from tablecopy.dynamodb import errors
from tablecopy.dynamodb.client import DynamoDB, Json
from tablecopy.dynamodb.description import Identity

# A consistent read must leave a provisioned table room for its other readers.
_CEILING_PART = 0.5


class NotComparable(Exception):
    """The tables cannot be compared. The message says why, and what to do."""


@dataclass(frozen=True)
class Described:
    """Both tables as they are described.

    Attributes
    ----------
    key_names
        Key attributes, the partition key first.
    expiry
        Name of the source's time to live attribute; None if there is none.
    source_ceiling, destination_ceiling
        Read units a second that a provisioned table may be read with; 0 for an on-demand table.
    identities
        Which tables these are. Another text means that one was deleted and created again.
    estimated_items
        Items of both tables, as DynamoDB counts them about every six hours.
    destination_stream
        ARN of the destination's stream; empty if it has none.
    shows_old_images
        Whether this stream shows what an item was before a change.
    """

    key_names: tuple[str, ...]
    expiry: str | None
    source_ceiling: float
    destination_ceiling: float
    identities: str
    estimated_items: int
    destination_stream: str = ""
    shows_old_images: bool = False


class Tables:
    """Describes both tables.

    Parameters
    ----------
    clients, names
        Of the source and of the destination.
    """

    def __init__(self, clients: tuple[DynamoDB, DynamoDB], names: tuple[str, str]) -> None:
        self._clients = clients
        self._names = names

    def describe(self) -> Described:
        """Return what both tables are.

        Raises
        ------
        NotComparable
            A table does not exist, both are one table, or their keys differ.
        botocore.exceptions.ClientError
            A table cannot be described.
        """
        source, destination = (
            _described(client, name) for client, name in zip(self._clients, self._names, strict=True)
        )
        here, there = Identity.of(source), Identity.of(destination)
        if here.is_same_as(there):
            raise NotComparable(f"source and destination are one table, {here.arn}. Name another destination")
        if _key(source) != _key(destination):
            raise NotComparable(
                f"the primary keys differ: {_key(source)} in the source, {_key(destination)} in the "
                "destination. Only tables with the same key can be compared"
            )
        stream = destination.get("StreamSpecification") or {}
        return Described(
            tuple(name for name, _ in _key(source)),
            self._expiry(),
            _ceiling(source),
            _ceiling(destination),
            f"{_text(here)} {_text(there)}",
            sum(int(table.get("ItemCount", 0)) for table in (source, destination)),
            destination.get("LatestStreamArn", "") if stream.get("StreamEnabled") else "",
            stream.get("StreamViewType") in {"OLD_IMAGE", "NEW_AND_OLD_IMAGES"},
        )

    def _expiry(self) -> str | None:
        answer = self._clients[0].call("describe_time_to_live", {"TableName": self._names[0]})
        name: str | None = answer["TimeToLiveDescription"].get("AttributeName")
        return name


def _described(client: DynamoDB, name: str) -> Json:
    try:
        description: Json = client.call("describe_table", {"TableName": name})["Table"]
    except ClientError as error:
        if errors.code(error) != errors.RESOURCE_NOT_FOUND:
            raise
        raise NotComparable(f"table {name} does not exist") from error
    return description


def _key(description: Mapping[str, Any]) -> list[tuple[str, str]]:
    types = {each["AttributeName"]: each["AttributeType"] for each in description["AttributeDefinitions"]}
    keys = sorted(description["KeySchema"], key=lambda key: str(key["KeyType"]))
    return [(key["AttributeName"], types[key["AttributeName"]]) for key in keys]


def _ceiling(description: Mapping[str, Any]) -> float:
    throughput = description.get("ProvisionedThroughput") or {}
    return float(throughput.get("ReadCapacityUnits", 0)) * _CEILING_PART


def _text(identity: Identity) -> str:
    return f"{identity.arn}#{identity.table_id or identity.created}"
