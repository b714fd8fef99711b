"""The two tables, as far as control looks at them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from botocore.exceptions import ClientError

from tablecopy.dynamodb import errors
from tablecopy.dynamodb.client import Json
from tablecopy.dynamodb.description import Identity, are_replicas

_NEW_COPY = "Apply Terraform again and start a new copy"

_VIEW_TYPES = frozenset({"NEW_IMAGE", "NEW_AND_OLD_IMAGES"})


class Caller(Protocol):
    """Calls DynamoDB with documents as DynamoDB spells them; ``DynamoDBClient`` is one."""

    def call(self, operation: str, body: Mapping[str, Any] | bytes) -> Json:
        """Send ``body`` to ``operation``, its name in botocore such as ``describe_table``.

        Raises
        ------
        botocore.exceptions.ClientError
            DynamoDB answered with an error.
        """


def source_problems(source: Caller, table: str, stream_arn: str | None) -> list[str]:
    """List what prevents a copy of the source table, one sentence each with what to do.

    Parameters
    ----------
    source
        Calls the source account.
    table
        Name of the source table.
    stream_arn
        ARN of the stream that the copy reads; ``None`` while there is no copy.
    """
    description = described(source, table)
    if description is None:
        return [
            f"source table {table} does not exist any more" if stream_arn else f"there is no table {table}"
        ]
    specification = description.get("StreamSpecification", {})
    view_type = specification.get("StreamViewType")
    if not specification.get("StreamEnabled"):
        if stream_arn is None:
            return [f"source table {table} has no stream. Turn it on: {stream_command(table)}"]
        return [
            f"source table {table} has no stream any more; changes made since are not known. Start a new copy"
        ]
    found = []
    if view_type not in _VIEW_TYPES:
        found.append(
            f"the stream of source table {table} has view type {view_type}; it must be "
            "NEW_IMAGE or NEW_AND_OLD_IMAGES. Turn the stream off and on again: "
            f"{stream_command(table, on=False)} && {stream_command(table)}"
        )
    if stream_arn is not None and description["LatestStreamArn"] != stream_arn:
        found.append(
            f"the stream of source table {table} was switched off and on again and is now "
            f"{description['LatestStreamArn']}; changes made in between are not known. Start a new copy"
        )
    return found


def stream_command(table: str, *, on: bool = True) -> str:
    """Return the command that turns a table's stream on or off."""
    specification = "StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES" if on else "StreamEnabled=false"
    return f"aws dynamodb update-table --table-name {table} --stream-specification {specification}"


def destination_problems(
    source: Caller, source_table: str, destination: Caller, table: str, *, allow_items: bool, confirmed: bool
) -> list[str]:
    """What keeps the destination from taking the copy, one sentence each with what mends it.

    Items that are there already are accepted with ``allow_items``, and only if an operator has started
    (``confirmed``) the run: an apply may be meant for something else.
    """
    return list(_destination_problems(source, source_table, destination, table, allow_items, confirmed))


def _destination_problems(
    source: Caller, source_table: str, destination: Caller, table: str, allow_items: bool, confirmed: bool
) -> Iterator[str]:
    description = described(destination, table)
    if description is None:
        yield f"destination table {table} does not exist; apply Terraform again"
        return
    if description["TableStatus"] not in {"ACTIVE", "UPDATING"}:
        yield f"destination table {table} is {description['TableStatus']}"
        return
    original = source.call("describe_table", {"TableName": source_table})["Table"]
    if Identity.of(original).is_same_as(Identity.of(description)):
        yield f"source and destination are one table, {original['TableArn']}. Name another destination"
        return
    if are_replicas(original, description):
        yield (
            f"source table {source_table} and destination table {table} are replicas of one global table: "
            "DynamoDB would copy what the copy writes back to the source. Name a table that is not a replica"
        )
        return
    wanted = key_definition(original)
    if key_definition(description) != wanted:
        yield f"destination table {table} has the key {key_definition(description)}, the source {wanted}"
        return
    lifetime = destination.call("describe_time_to_live", {"TableName": table})["TimeToLiveDescription"]
    if lifetime["TimeToLiveStatus"] in {"ENABLED", "ENABLING"}:
        name = lifetime["AttributeName"]
        yield (
            f"destination table {table} deletes items by time to live on its own; until cutover switch it "
            f"off: aws dynamodb update-time-to-live --table-name {table} "
            f"--time-to-live-specification Enabled=false,AttributeName={name}"
        )
    if allow_items and confirmed:
        return
    if not _holds_items(destination, table):
        return
    if allow_items:
        # DynamoDB counts a table's items every six hours or so.
        about = f"about {count:,} items" if (count := description.get("ItemCount", 0)) else "items"
        yield (
            f"destination table {table} holds {about}, and an apply never starts a copy over them. "
            "If they may be overwritten, run tablecopy start"
        )
    else:
        yield (
            f"destination table {table} holds items, and a copy never deletes what the source lacks; "
            "empty it, or accept them with destination_table.allow_items = true"
        )


def destination_lost(destination: Caller, table: str, table_id: str) -> list[str]:
    """Why what was copied is gone; empty while the destination is the table that has the id ``table_id``."""
    description = described(destination, table)
    if description is None or description["TableStatus"] == "DELETING":
        return [f"destination table {table} was deleted, and with it what was copied. {_NEW_COPY}"]
    if table_id and description.get("TableId", table_id) != table_id:
        return [
            f"destination table {table} was deleted and created again; what was copied before is gone. "
            f"{_NEW_COPY}"
        ]
    return []


def described(client: Caller, table: str) -> Json | None:
    """``Table`` of DescribeTable, or None when there is no such table."""
    try:
        description: Json = client.call("describe_table", {"TableName": table})["Table"]
    except ClientError as error:
        if errors.code(error) != errors.RESOURCE_NOT_FOUND:
            raise
        return None
    return description


def provisioned(description: Mapping[str, Any], units: str) -> float:
    """``units`` ("ReadCapacityUnits", "WriteCapacityUnits") of a table or index; 0 when it is on demand."""
    throughput = description.get("ProvisionedThroughput") or {}
    return float(throughput.get(units, 0))


def key_definition(description: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Name, type and role of each key attribute of a described table."""
    types = {each["AttributeName"]: each["AttributeType"] for each in description["AttributeDefinitions"]}
    return [
        (key["AttributeName"], types[key["AttributeName"]], key["KeyType"])
        for key in description["KeySchema"]
    ]


def _holds_items(destination: Caller, table: str) -> bool:
    """Counting is all that the destination's role may do besides writing."""
    request: Json = {"TableName": table, "Select": "COUNT", "Limit": 1, "ConsistentRead": True}
    page = destination.call("scan", request)
    # A page can be empty and yet not the last one.
    return bool(page["Count"]) or "LastEvaluatedKey" in page
