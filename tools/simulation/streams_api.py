"""The simulated DynamoDB Streams of one account: DescribeStream, GetShardIterator, GetRecords.

Source: DynamoDB Streams API reference, each operation; "LimitExceededException" there for readers of a shard.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from tools.simulation.answers import answer
from tools.simulation.attributes import invalid
from tools.simulation.capacity import Bucket
from tools.simulation.dynamodb import DynamoDBService
from tools.simulation.errors import ServiceError
from tools.simulation.network import Caller
from tools.simulation.requests import (
    DescribeStream,
    GetRecords,
    GetShardIterator,
    NotSimulated,
    Reader,
)
from tools.simulation.streams import Record, Shard, Stream
from tools.simulation.table import Table

_PAGE_BYTES = 1024 * 1024
_PAGE_RECORDS = 1_000
_PAGE_SHARDS = 100

# The errors with which clients have seen a call throttled. The API reference has only the first of them.
_THROTTLES = ("LimitExceededException", "ProvisionedThroughputExceededException")
_DESCRIBE_THROTTLES = ("LimitExceededException", "ThrottlingException")


@dataclass(slots=True)
class _Iterator:
    """A place in a shard.

    Attributes
    ----------
    position
        How many records of the shard come before it, trimmed ones included.
    issued
        When it was returned, in milliseconds.
    empty
        How many calls will return nothing, whatever there is.
    """

    stream: Stream
    shard: Shard
    position: int
    issued: int
    empty: int

    def __str__(self) -> str:
        return f"{self.stream.arn}|1|{self.shard.id}.{self.position}.{self.issued}.{self.empty}"


class StreamsService:
    """DynamoDB Streams of the account of ``dynamodb``."""

    def __init__(self, dynamodb: DynamoDBService) -> None:
        self.world = dynamodb.world
        self.calls: dict[str, int] = {}
        self._dynamodb = dynamodb
        self._describes: Bucket | None = None
        self._operations: dict[str, tuple[Reader, Callable[..., bytes]]] = {
            "DescribeStream": (Reader(DescribeStream), self._describe_stream),
            "GetShardIterator": (Reader(GetShardIterator), self._get_shard_iterator),
            "GetRecords": (Reader(GetRecords), self._get_records),
        }

    def handle(self, operation: str, body: bytes, caller: Caller) -> bytes:
        """Carry out an operation. Raises ServiceError for an error answer, NotSimulated for a gap here."""
        self.calls[operation] = self.calls.get(operation, 0) + 1
        known = self._operations.get(operation)
        if known is None:
            raise NotSimulated(f"DynamoDB Streams' operation {operation}")
        reader, run = known
        return run(reader.read(body), caller)

    def _describe_stream(self, request: DescribeStream, caller: Caller) -> bytes:
        table, stream = self._stream(request.stream_arn)
        if not self._may_describe(stream):
            code = _DESCRIBE_THROTTLES[self.world.random.getrandbits(1)]
            raise ServiceError(code, "Rate exceeded")
        if not 1 <= request.limit <= _PAGE_SHARDS:
            raise invalid("1 validation error detected: Value at 'limit' must be from 1 to 100")
        limit = min(request.limit, stream.behavior.page_shards)
        if request.shard_filter is not None:
            if request.shard_filter.type != "CHILD_SHARDS":
                raise invalid("1 validation error detected: Value at 'shardFilter.type' must be CHILD_SHARDS")
            parent = self._shard(stream, request.shard_filter.shard_id)
            children = sorted((child.id, child) for child in parent.children if child.is_listed)
            after = request.exclusive_start_shard_id
            shards = [child for shard_id, child in children if shard_id > after][: limit + 1]
        else:
            shards = stream.listed(request.exclusive_start_shard_id, limit + 1)
        described = {
            "CreationRequestDateTime": stream.created,
            "KeySchema": [
                {"AttributeName": name, "KeyType": role}
                for name, role in zip(table.schema.key_names, ("HASH", "RANGE"), strict=False)
            ],
            "Shards": [_described(shard) for shard in shards[:limit]],
            "StreamArn": stream.arn,
            "StreamLabel": stream.label,
            "StreamStatus": "ENABLED" if stream.enabled else "DISABLED",
            "StreamViewType": stream.view_type,
            "TableName": table.name,
        }
        # A full page names its last shard, even if no other follows.
        if len(shards) >= limit:
            described["LastEvaluatedShardId"] = shards[limit - 1].id
        return msgspec.json.encode({"StreamDescription": described})

    def _get_shard_iterator(self, request: GetShardIterator, caller: Caller) -> bytes:
        _, stream = self._stream(request.stream_arn)
        shard = self._shard(stream, request.shard_id)
        shard.trim()
        match request.shard_iterator_type:
            case "TRIM_HORIZON":
                position = shard.trimmed
            case "LATEST":
                # Records that are made but cannot be read yet are missed.
                position = shard.count
            case "AT_SEQUENCE_NUMBER" | "AFTER_SEQUENCE_NUMBER" as kind:
                position = _position(shard, request.sequence_number, after=kind.startswith("AFTER"))
            case other:
                raise NotSimulated(f"ShardIteratorType {other}")
        first = _Iterator(
            stream, shard, position, self._now_ms(), self._empty(stream, stream.behavior.empty_first)
        )
        return answer([("ShardIterator", msgspec.json.encode(str(first)))])

    def _get_records(self, request: GetRecords, caller: Caller) -> bytes:
        if request.limit < 1:
            raise invalid("1 validation error detected: Value at 'limit' must be greater than or equal to 1")
        if request.limit > _PAGE_RECORDS:
            raise ServiceError("LimitExceededException", "The limit must be less than or equal to 1000")
        at = self._iterator(request.shard_iterator)
        stream, shard = at.stream, at.shard
        if not stream.admits(shard, caller.host):
            code = _THROTTLES[self.world.random.random() < 0.2]
            raise ServiceError(code, "Rate exceeded for shard")
        if self.world.now - at.issued / 1000 > stream.behavior.iterator_seconds:
            raise ServiceError("ExpiredIteratorException", "Iterator expired")
        shard.trim()
        if at.position < shard.trimmed:
            raise _trimmed()
        records = [] if at.empty else self._page(shard, at.position - shard.trimmed, request.limit)
        position = at.position + len(records)
        is_end = shard.is_closed and position == shard.count
        following = b""
        if not is_end or (records and not self.world.chance(stream.behavior.null_with_records)):
            empty = max(0, at.empty - 1)
            if records:
                empty = self._empty(stream, stream.behavior.empty_between)
            next_ = _Iterator(stream, shard, position, self._now_ms(), empty)
            following = b'"NextShardIterator":"%s",' % str(next_).encode()
        return b'{%s"Records":[%s]}' % (following, b",".join([record.json() for record in records]))

    def _page(self, shard: Shard, at: int, limit: int) -> list[Record]:
        now = self.world.now
        page: list[Record] = []
        size = 0
        for record in shard.records[at : at + limit]:
            if record.visible > now:
                break
            size += record.size
            if page and size > _PAGE_BYTES:
                break
            page.append(record)
        return page

    def _empty(self, stream: Stream, probability: float) -> int:
        if not self.world.chance(probability):
            return 0
        return self.world.random.randint(1, stream.behavior.empty_pages)

    def _may_describe(self, stream: Stream) -> bool:
        now = self.world.now
        if self._describes is None:
            rate = stream.behavior.describe_rate
            self._describes = Bucket(rate, rate, rate, now)
        if not self._describes.admits(1, now):
            return False
        self._describes.take(1)
        return True

    def _stream(self, arn: str) -> tuple[Table, Stream]:
        for table in self._dynamodb.all_tables():
            for stream in table.streams:
                if stream.arn == arn:
                    return table, stream
        raise _not_found(f"Stream: {arn} not found")

    def _shard(self, stream: Stream, shard_id: str) -> Shard:
        shard = stream.shard(shard_id)
        if shard is None:
            raise _not_found(f"Shard: {shard_id} in stream: {stream.arn} not found")
        return shard

    def _iterator(self, text: str) -> _Iterator:
        try:
            arn, _, place = text.split("|")
            shard_id, position, issued, empty = place.split(".")
        except ValueError:
            raise invalid("Invalid ShardIterator") from None
        _, stream = self._stream(arn)
        return _Iterator(stream, self._shard(stream, shard_id), int(position), int(issued), int(empty))

    def _now_ms(self) -> int:
        return int(self.world.now * 1000)


def _position(shard: Shard, sequence_number: str, *, after: bool) -> int:
    """Return how many records come before a sequence number, or before the record after it."""
    if not sequence_number.isdecimal():
        raise invalid("Invalid SequenceNumber")
    number = int(sequence_number)
    oldest = shard.numbers[0] if shard.numbers else shard.last_number + 1
    if shard.trimmed and number < oldest:
        raise _trimmed()
    if not shard.starting_number <= number <= shard.last_number:
        raise invalid(f"Invalid SequenceNumber: {sequence_number} is not in shard {shard.id}")
    find = bisect_right if after else bisect_left
    return shard.trimmed + find(shard.numbers, number)


def _described(shard: Shard) -> dict[str, object]:
    numbers = {"StartingSequenceNumber": str(shard.starting_number)}
    if shard.end_listed <= shard.stream.world.now:
        numbers["EndingSequenceNumber"] = str(shard.last_number)
    described: dict[str, object] = {"SequenceNumberRange": numbers, "ShardId": shard.id}
    if shard.parent is not None:
        described["ParentShardId"] = shard.parent.id
    return described


def _trimmed() -> ServiceError:
    return ServiceError(
        "TrimmedDataAccessException",
        "The operation attempted to read past the oldest stream record in a shard",
    )


def _not_found(what: str) -> ServiceError:
    return ServiceError("ResourceNotFoundException", f"Requested resource not found: {what}")
