"""Which table a table is: its ARN and its TableId decide, and never the text of an endpoint."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sides import Side, UserError
from sides.errors import explained

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

Description = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Identity:
    """What distinguishes a table from every other one.

    Parameters
    ----------
    arn
        Its ARN. Two local AWS can have different tables of one ARN, and a table that was deleted and
        created again keeps it.
    table_id
        ``TableId``; ``None`` for a local AWS that has none.
    created
        ``CreationDateTime`` as text; ``None`` where it is not known.
    """

    arn: str
    table_id: str | None
    created: str | None

    @classmethod
    def of(cls, description: Description) -> Identity:
        """Take it from ``Table`` of DescribeTable, as it was on the wire."""
        created = description.get("CreationDateTime")
        return cls(
            description["TableArn"],
            description.get("TableId") or None,
            None if created is None else str(created),
        )

    def is_same_as(self, other: Identity) -> bool:
        """Whether both are one table.

        With one ARN they are, unless their ids show otherwise or, where an id is missing, their creation
        times: in doubt it is one table, since a table compared with itself is always equal.
        """
        if self.arn != other.arn:
            return False
        if self.table_id and other.table_id:
            return self.table_id == other.table_id
        return self.created is None or other.created is None or self.created == other.created

    def check(self, description: Description, side: Side) -> None:
        """Check that a later description is of this table.

        Raises
        ------
        sides.UserError
            The table was deleted and created again, or it is another one.
        """
        now = Identity.of(description)
        if now.arn != self.arn:
            raise UserError(
                f"{side.name}: {side.table_name} is now {now.arn}, and was {self.arn} when this run began. "
                "Name the table by its ARN and run again without --resume",
                side.name,
            )
        if not self.is_same_as(now):
            raise UserError(
                f"{side.name}: {self.arn} was deleted and created again while this run read it. "
                "Run again without --resume",
                side.name,
            )


def describe(client: DynamoDBClient, side: Side) -> dict[str, Any]:
    """Describe a side's table, with every member that came.

    botocore's parser drops members that its model does not have yet. Numbers and times are as JSON has them.

    Raises
    ------
    sides.UserError
        There is no such table, it cannot be reached, or the endpoint describes another one than was asked
        for: a local AWS may take the name out of an ARN and leave out the account.
    """
    bodies: list[bytes] = []

    def keep(response_dict: Mapping[str, Any], **_: object) -> None:
        bodies.append(response_dict["body"])

    client.meta.events.register("before-parse.dynamodb.DescribeTable", keep)
    try:
        with explained(side):
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
    sides.UserError
        They are one table.
    """
    if Identity.of(source).is_same_as(Identity.of(destination)):
        raise UserError(
            f"source and destination are the same table, {source['TableArn']}. "
            "Check the table names, profiles and regions of both sides"
        )


def are_replicas(source: Description, destination: Description) -> bool:
    """Whether both are replicas of one global table, so that what is written to one arrives in the other."""
    return _replicates(source, destination["TableArn"]) or _replicates(destination, source["TableArn"])


def is_arn(table_name: str | None) -> bool:
    """Whether a table is given by its ARN rather than its name."""
    return bool(table_name) and str(table_name).startswith("arn:")


def _replicates(description: Description, arn: str) -> bool:
    mine = str(description["TableArn"]).split(":", 5)
    for replica in description.get("Replicas") or []:
        # Not every replica has its ARN: within an account the table's name and the Region make it.
        there = replica.get("ReplicaArn") or ":".join(
            [*mine[:3], str(replica.get("RegionName")), mine[4], mine[5]]
        )
        if there == arn != description["TableArn"]:
            return True
    return False
