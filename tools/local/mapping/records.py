"""What is read: the shards of a stream, a place in each, and its records as a function gets them."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Any, Self

from botocore.exceptions import ClientError

logger = logging.getLogger(__name__)

PAGE_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class Record:
    """One change of one item.

    Attributes
    ----------
    sequence_number : str
        Its place in the shard; numbers compare as integers.
    text : str
        The record as JSON, as it stands in the function's event.
    size : int
        Length of that text in bytes.
    """

    sequence_number: str
    text: str
    size: int

    @classmethod
    def from_stream(cls, raw: dict[str, Any], stream_arn: str) -> Self:
        """Make a record from one of ``GetRecords``, parsed from JSON and nothing more.

        Values stay as they came over the wire: binary is base64 text, numbers are text. An event differs
        in two places: it names the stream, and spells the members of ``userIdentity`` in lower case.
        """
        event = dict(raw)
        if identity := event.pop("userIdentity", None):
            event["userIdentity"] = {"principalId": identity["PrincipalId"], "type": identity["Type"]}
        event["eventSourceARN"] = stream_arn
        text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
        return cls(raw["dynamodb"]["SequenceNumber"], text, len(text.encode()))


@dataclass(frozen=True, slots=True)
class ShardDescription:
    """A shard as ``DescribeStream`` lists it.

    ``parent_id`` is the shard whose records come first; it may be trimmed and no longer listed.
    """

    shard_id: str
    parent_id: str | None


def describe_shards(streams: Any, stream_arn: str) -> list[ShardDescription]:
    """Every shard of a stream, all pages of it, by a DynamoDB Streams client."""
    shards: list[ShardDescription] = []
    start: dict[str, str] = {}
    while True:
        description = streams.describe_stream(StreamArn=stream_arn, **start)["StreamDescription"]
        shards += [
            ShardDescription(shard["ShardId"], shard.get("ParentShardId")) for shard in description["Shards"]
        ]
        last = description.get("LastEvaluatedShardId")
        if not last:
            return shards
        start = {"ExclusiveStartShardId": last}


class ShardReader:
    """A position in a shard, from its oldest record on.

    Parameters
    ----------
    streams
        DynamoDB Streams client that leaves records as they came (see `Clients`).
    stream_arn, shard_id : str
        What to read.
    """

    def __init__(self, streams: Any, stream_arn: str, shard_id: str) -> None:
        self._streams = streams
        self._stream_arn = stream_arn
        self._shard_id = shard_id
        self._last_read: str | None = None
        self._iterator: str | None = None
        self.is_at_end = False

    def read(self) -> list[Record]:
        """The next records; an empty list does not mean the end.

        An expired iterator is replaced at the same position. If the records there are gone already,
        reading continues with the oldest that are left.
        """
        if self.is_at_end:
            return []
        try:
            if self._iterator is None:
                self._iterator = self._new_iterator()
            page = self._streams.get_records(ShardIterator=self._iterator, Limit=PAGE_LIMIT)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code not in ("ExpiredIteratorException", "TrimmedDataAccessException"):
                raise
            self._iterator = None
            if code == "TrimmedDataAccessException":
                logger.warning("%s: records were trimmed before they were read", self._shard_id)
                self._last_read = None
            return []
        records = [Record.from_stream(raw, self._stream_arn) for raw in page["Records"]]
        if records:
            self._last_read = records[-1].sequence_number
        self._iterator = page.get("NextShardIterator")
        self.is_at_end = self._iterator is None
        return records

    def _new_iterator(self) -> str:
        position = (
            {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": self._last_read}
            if self._last_read
            else {"ShardIteratorType": "TRIM_HORIZON"}
        )
        answer = self._streams.get_shard_iterator(
            StreamArn=self._stream_arn, ShardId=self._shard_id, **position
        )
        iterator: str = answer["ShardIterator"]
        return iterator
