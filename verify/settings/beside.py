"""What belongs to a table and is not in its description: read where that is allowed, and never copied."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from tablecopy_cli.common import Side
from verify.scan.identity import is_arn
from verify.settings.unread import Unread, detail

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

# These are details: an endpoint without them must not hold the comparison up for minutes.
_ATTEMPTS = 2

_ON = {"ACTIVE", "ENABLING", "UPDATING", "ENABLED"}


@dataclass(frozen=True, slots=True)
class Beside:
    """What a table has beside its description; `Unread` where that could not be read.

    Parameters
    ----------
    resource_policy
        The policy, with ``TABLE_ARN`` in place of the table's ARN; ``None`` where there is none.
    kinesis
        ARNs of the Kinesis data streams that changes go to.
    insights
        What CloudWatch Contributor Insights watches: ``"table"``, names of global indexes.
    auto_scaling
        Smallest and largest capacity by resource and dimension; empty for a table on demand.
    """

    resource_policy: Any
    kinesis: tuple[str, ...] | Unread
    insights: tuple[str, ...] | Unread
    auto_scaling: Mapping[str, list[int]] | Unread


def read_beside(client: DynamoDBClient, side: Side, table: Mapping[str, Any], *, scales: bool) -> Beside:
    """Read what a table has beside its description.

    Nothing of it has to be allowed or known to the endpoint, and it may fail.

    Parameters
    ----------
    client
        Low-level DynamoDB client on that side.
    side
        Where the table is.
    table
        ``Table`` of DescribeTable.
    scales
        Whether the table has provisioned throughput, which can scale.
    """
    arn = table["TableArn"]
    name = side.table_name or table["TableName"]
    indexes = [index["IndexName"] for index in table.get("GlobalSecondaryIndexes") or []]
    return Beside(
        resource_policy=detail(side, "dynamodb:GetResourcePolicy", lambda: _policy(client, arn)),
        kinesis=detail(side, "dynamodb:DescribeKinesisStreamingDestination", lambda: _kinesis(client, name)),
        insights=detail(
            side, "dynamodb:DescribeContributorInsights", lambda: _insights(client, name, indexes)
        ),
        auto_scaling=_auto_scaling(side, arn, indexes) if scales else {},
    )


def _policy(client: DynamoDBClient, arn: str) -> Any:
    try:
        text = client.get_resource_policy(ResourceArn=arn)["Policy"]
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "PolicyNotFoundException":
            return None
        raise
    return json.loads(text.replace(arn, "TABLE_ARN"))


def _kinesis(client: DynamoDBClient, name: str) -> tuple[str, ...]:
    found: Any = client.describe_kinesis_streaming_destination(TableName=name)
    return tuple(
        sorted(
            each["StreamArn"]
            for each in found.get("KinesisDataStreamDestinations") or []
            if each.get("DestinationStatus") in _ON
        )
    )


def _insights(client: DynamoDBClient, name: str, indexes: list[str]) -> tuple[str, ...]:
    def watched() -> Iterator[str]:
        for index in (None, *indexes):
            request: Any = {"TableName": name} | ({"IndexName": index} if index else {})
            if client.describe_contributor_insights(**request).get("ContributorInsightsStatus") in _ON:
                yield index or "table"

    return tuple(watched())


def _auto_scaling(side: Side, arn: str, indexes: list[str]) -> Any:
    permission = "application-autoscaling:DescribeScalableTargets"
    if is_arn(side.table_name):
        # It has only the caller's own account, which may not be the table's.
        return Unread(permission, "by name only")
    resource = "table/" + arn.partition(":table/")[2]
    resources = [resource, *(f"{resource}/index/{index}" for index in indexes)]

    def targets() -> dict[str, list[int]]:
        client = side.client("application-autoscaling", attempts=_ATTEMPTS)
        found = {}
        pages = client.get_paginator("describe_scalable_targets").paginate(
            ServiceNamespace="dynamodb", ResourceIds=resources
        )
        for page in pages:
            for target in page["ScalableTargets"]:
                what = f"{target['ResourceId'].partition('/index/')[2] or 'table'}: "
                what += target["ScalableDimension"].rpartition(":")[2]
                found[what] = [target["MinCapacity"], target["MaxCapacity"]]
        return found

    return detail(side, permission, targets)
