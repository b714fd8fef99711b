"""A stream and the list of its shards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ShardDescription:
    """A shard as ``DescribeStream`` lists it.

    Attributes
    ----------
    parent_id : str, optional
        The shard whose records come first; it may be trimmed and no longer listed.
    is_closed : bool
        Whether no more records come.
    """

    shard_id: str
    parent_id: str | None
    is_closed: bool


def describe_shards(streams: Any, stream_arn: str) -> list[ShardDescription]:
    """Every shard of a stream, all pages of it.

    Parameters
    ----------
    streams
        DynamoDB Streams client.
    """
    shards: list[ShardDescription] = []
    start: dict[str, str] = {}
    while True:
        description = streams.describe_stream(StreamArn=stream_arn, **start)["StreamDescription"]
        for shard in description["Shards"]:
            shards.append(
                ShardDescription(
                    shard["ShardId"],
                    shard.get("ParentShardId"),
                    "EndingSequenceNumber" in shard.get("SequenceNumberRange", {}),
                )
            )
        last = description.get("LastEvaluatedShardId")
        if not last:
            return shards
        start = {"ExclusiveStartShardId": last}
