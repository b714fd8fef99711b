"""Describing a table, and holding on to the very one that was described."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tablecopy.dynamodb.identity import Description, Identity
from tablecopy_cli.common import Side, UserError
from tablecopy_cli.common.errors import explained

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient


def check_identity(known: Identity, description: Description, side: Side) -> None:
    """Check that a later description is of the table that is known.

    Raises
    ------
    sides.UserError
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


def is_arn(table_name: str | None) -> bool:
    """Whether a table is given by its ARN rather than its name."""
    return bool(table_name) and str(table_name).startswith("arn:")
