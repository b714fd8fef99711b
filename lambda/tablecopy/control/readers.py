"""Readers of the source table's stream that compete with the copy for its shards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodbstreams.client import DynamoDBStreamsClient
    from mypy_boto3_lambda.client import LambdaClient

READERS_PER_SHARD = 2
"""Processes that may read a shard at the same time (Developer Guide, DynamoDB Streams). The copy is both."""


@dataclass(frozen=True)
class LambdaReader:
    """A Lambda function that reads the stream through an event source mapping.

    Parameters
    ----------
    uuid
        Identifier of the mapping.
    function
        ARN of the function.
    enabled
        Whether the mapping reads now. A disabled one may be enabled at any time.
    """

    uuid: str
    function: str
    enabled: bool


def lambda_readers(client: LambdaClient, stream_arn: str) -> list[LambdaReader]:
    """List the event source mappings of a stream that are in the same account, disabled ones included."""
    pages = client.get_paginator("list_event_source_mappings").paginate(EventSourceArn=stream_arn)
    return [
        LambdaReader(mapping["UUID"], mapping["FunctionArn"], mapping.get("State") != "Disabled")
        for page in pages
        for mapping in page["EventSourceMappings"]
        if mapping.get("State") != "Deleting"
    ]


def reader_problems(client: LambdaClient, stream_arn: str, own: str | None) -> list[str]:
    """List the mappings that leave no room for the copy, one sentence each with the command that helps.

    Parameters
    ----------
    client
        Client of the source account.
    stream_arn
        ARN of the source table's stream.
    own
        UUID of the copy's own mapping; ``None`` while there is none.
    """
    return [
        f"the source table's stream has another reader: function {reader.function} (mapping "
        f"{'enabled' if reader.enabled else 'disabled'}). DynamoDB allows {READERS_PER_SHARD} readers of a "
        "shard, and the copy uses both. Delete the mapping until the copy has ended: "
        f"aws lambda delete-event-source-mapping --uuid {reader.uuid}"
        for reader in lambda_readers(client, stream_arn)
        if reader.uuid != own
    ]


def global_table_warning(description: Mapping[str, Any]) -> str | None:
    """Warn where the source is a global table, whose replication reads the stream as well.

    AWS recommends one reader at most there (Lambda Developer Guide, Using Lambda with DynamoDB).
    """
    if not description.get("Replicas") and not description.get("GlobalTableVersion"):
        return None
    return (
        "the source is a global table. AWS recommends at most one reader of its stream, and the copy brings "
        "two: expect throttled reads and a growing lag under heavy writes"
    )


def open_shards(client: DynamoDBStreamsClient, stream_arn: str) -> int:
    """Count the shards that take changes now; DescribeStream returns closed ones for 24 hours as well."""
    count = 0
    request: dict[str, str] = {}
    while True:
        page = client.describe_stream(StreamArn=stream_arn, **request)["StreamDescription"]  # type: ignore[arg-type]
        count += sum(
            "EndingSequenceNumber" not in shard.get("SequenceNumberRange", {}) for shard in page["Shards"]
        )
        last = page.get("LastEvaluatedShardId")
        if last is None:
            return count
        request = {"ExclusiveStartShardId": last}
