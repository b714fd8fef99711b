"""A stream of thousands of shards by formula: nothing is kept but what time it is.

Lineage ``j`` has shards that follow each other, each four hours long, with records at a constant rate until
the writers stop. The replicator is a formula as well: it has applied each second's records of a shard as one
batch, half a second after the second has ended. So control can be run against any number of shards.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tools.simulation.errors import ServiceError
from tools.simulation.names import SOURCE_TABLE, STREAM_ARN
from tools.simulation.network import Caller
from tools.simulation.scheduler import World

SHARD_SECONDS = 4 * 3600.0
"""How long a shard takes records (seen in practice; not documented)."""

RETENTION_SECONDS = 86_400.0

_WINDOW_SECONDS = 1.0
_APPLIED_AFTER_SECONDS = 0.5
_PAGE_RECORDS = 1_000

# At the end of a sequence number, and of an event ID.
_INDEX_DIGITS = 12

_NOTE = "x" * 150


@dataclass(frozen=True, order=True)
class ShardName:
    """A shard: its lineage, and its place in it."""

    lineage: int
    generation: int


@dataclass
class FormulaStream:
    """DynamoDB Streams, as far as control uses it, for one stream.

    Attributes
    ----------
    shards
        Number of open shards.
    rate
        Changes a second of each shard.
    covered_to
        The replicator acknowledges records from before this moment without applying them, as in a real run.
    stopped_at
        When the writers stopped, in seconds since the epoch.
    kept_from
        Records from before this moment have left the stream, if they are not a day old.
    page_shards
        Shards in an answer of DescribeStream.
    shard_seconds, retention_seconds
        How long a shard takes records, and how long the stream keeps them.
    calls
        Calls by operation, and the most that one shard got in one second.
    """

    world: World
    shards: int
    rate: float
    covered_to: float = 0.0
    stopped_at: float = math.inf
    kept_from: float = -math.inf
    page_shards: int = 100
    shard_seconds: float = SHARD_SECONDS
    retention_seconds: float = RETENTION_SECONDS
    calls: Counter[str] = field(default_factory=Counter)
    busiest_shard: int = 0
    busiest_describe: int = 0
    longest_gap: float = 0.0
    _second: int = 0
    _this_second: Counter[str] = field(default_factory=Counter)
    _halted_at: float = math.inf
    _read_at: dict[str, float] | None = None

    def halt(self) -> None:
        """Let the replicator stop where it is, unless it has stopped."""
        self._halted_at = min(self._halted_at, self.world.now)

    def resume(self) -> None:
        """Let the replicator go on. It catches up at once."""
        self._halted_at = math.inf

    def watch(self) -> None:
        """Measure from now on for how long an open shard is not read (``longest_gap``)."""
        self._read_at = {}
        self.longest_gap = 0.0

    # Shards by formula

    def born(self, shard: ShardName) -> float:
        """Return when a shard began. The shards of a stream begin evenly spread over four hours."""
        return (shard.generation + shard.lineage / self.shards) * self.shard_seconds

    def ended(self, shard: ShardName) -> float:
        """Return when a shard ends."""
        return self.born(shard) + self.shard_seconds

    def _open(self, lineage: int) -> int:
        return math.floor(self.world.now / self.shard_seconds - lineage / self.shards)

    def _listed(self) -> range:
        """Return the places in the list of all shards, in their order, of those that the stream still has."""
        now = self.world.now
        first = (
            math.floor((now - self.retention_seconds - self.shard_seconds) / self.shard_seconds * self.shards)
            + 1
        )
        return range(first, math.floor(now / self.shard_seconds * self.shards) + 1)

    def _at(self, place: int) -> ShardName:
        """Return the shard at a place in the list of all shards."""
        generation, lineage = divmod(place, self.shards)
        return ShardName(lineage, generation)

    def _place(self, shard: ShardName) -> int:
        return shard.generation * self.shards + shard.lineage

    def count(self, shard: ShardName, moment: float) -> int:
        """Return how many records a shard has got until ``moment``."""
        until = min(moment, self.stopped_at, self.ended(shard))
        return max(0, math.floor((until - self.born(shard)) * self.rate))

    def number(self, shard: ShardName, index: int) -> str:
        """Return the sequence number of a record."""
        return f"{shard.lineage + 1:05d}{shard.generation:07d}{index:0{_INDEX_DIGITS}d}"

    def event(self, shard: ShardName, index: int) -> str:
        """Return the event ID of a record."""
        return f"{shard.lineage:06x}{shard.generation:08x}{index:0{_INDEX_DIGITS + 6}x}"

    def record_of(self, number: str) -> tuple[ShardName, int]:
        """Return which record has a sequence number."""
        number = number.lstrip("0").rjust(24, "0")
        return ShardName(int(number[:5]) - 1, int(number[5:12])), int(number[12:])

    # The replicator by formula

    def batch_from(self, shard: ShardName, first: int) -> int | None:
        """Return the last record of the applied batch that begins at record ``first``, if there is one."""
        window = math.floor(first / self.rate / _WINDOW_SECONDS + 1e-9)
        if self._first_of(window) != first and first != self._first_covered(shard):
            window += 1
            if self._first_of(window) != first:
                return None
        last = min(self._first_of(window + 1), self.count(shard, math.inf)) - 1
        applied = self.born(shard) + (window + 1) * _WINDOW_SECONDS + _APPLIED_AFTER_SECONDS
        if last < first or applied > min(self.world.now, self._halted_at):
            return None
        return last

    def _first_of(self, window: int) -> int:
        return math.ceil(window * _WINDOW_SECONDS * self.rate - 1e-9)

    def _first_covered(self, shard: ShardName) -> int:
        """Return the first record that is not from before the copy."""
        born = self.born(shard)
        index = max(0, math.floor((self.covered_to - born) * self.rate) - 2)
        while int(born + (index + 1) / self.rate) < self.covered_to:
            index += 1
        return index

    def oldest_unapplied(self) -> float:
        """Return the age of the oldest change that is not applied, in seconds."""
        now = self.world.now
        oldest = now
        for lineage in range(self.shards):
            generation = self._open(lineage)
            for shard in (ShardName(lineage, generation - 1), ShardName(lineage, generation)):
                end = min(now, self._halted_at) - _APPLIED_AFTER_SECONDS - self.born(shard)
                window = max(0, math.floor(end / _WINDOW_SECONDS))
                first = self._first_of(window)
                if first < self.count(shard, now):
                    made = self.born(shard) + (first + 1) / self.rate
                    oldest = min(oldest, max(made, self.covered_to))
                    break
        return now - oldest

    # The API

    def handle(self, operation: str, body: bytes, caller: Caller) -> bytes:
        """Carry out one call of control."""
        request = json.loads(body)
        self.calls[operation] += 1
        match operation:
            case "DescribeStream":
                self._counted("describe")
                return self._describe(request)
            case "GetShardIterator":
                return self._iterator(request)
            case "GetRecords":
                return self._records(request)
        raise ServiceError("UnknownOperationException", operation)

    def _counted(self, what: str) -> None:
        second = int(self.world.now)
        if second != self._second:
            self._second = second
            self._this_second.clear()
        self._this_second[what] += 1
        if what == "describe":
            self.busiest_describe = max(self.busiest_describe, self._this_second[what])
        else:
            self.busiest_shard = max(self.busiest_shard, self._this_second[what])

    def _describe(self, request: dict[str, Any]) -> bytes:
        parent = request.get("ShardFilter", {}).get("ShardId")
        if parent:
            shard = _shard(parent)
            child = ShardName(shard.lineage, shard.generation + 1)
            page, rest = [child] if self.born(child) <= self.world.now else [], False
        else:
            places = self._listed()
            after = request.get("ExclusiveStartShardId")
            if after:
                places = range(max(places.start, self._place(_shard(after)) + 1), places.stop)
            limit = min(self.page_shards, request.get("Limit", self.page_shards))
            page, rest = [self._at(place) for place in places[:limit]], len(places) > limit
        description: dict[str, Any] = {
            "StreamArn": STREAM_ARN,
            "StreamStatus": "ENABLED",
            "StreamViewType": "NEW_IMAGE",
            "TableName": SOURCE_TABLE,
            "Shards": [self._described(shard) for shard in page],
        }
        if rest:
            description["LastEvaluatedShardId"] = _id(page[-1])
        return json.dumps({"StreamDescription": description}).encode()

    def _described(self, shard: ShardName) -> dict[str, Any]:
        numbers = {"StartingSequenceNumber": self.number(shard, 0)}
        if self.ended(shard) <= self.world.now:
            numbers["EndingSequenceNumber"] = self.number(shard, self.count(shard, math.inf))
        described: dict[str, Any] = {"ShardId": _id(shard), "SequenceNumberRange": numbers}
        # It is named even if it has left the stream.
        described["ParentShardId"] = _id(ShardName(shard.lineage, shard.generation - 1))
        return described

    def _iterator(self, request: dict[str, Any]) -> bytes:
        shard = _shard(request["ShardId"])
        match request["ShardIteratorType"]:
            case "TRIM_HORIZON":
                index = self.count(shard, max(self.kept_from, self.world.now - self.retention_seconds))
            case "LATEST":
                index = self.count(shard, self.world.now)
            case kind:
                index = self.record_of(request["SequenceNumber"])[1]
                index += kind == "AFTER_SEQUENCE_NUMBER"
        return json.dumps({"ShardIterator": f"{_id(shard)}|{index}"}).encode()

    def _records(self, request: dict[str, Any]) -> bytes:
        name, _, place = request["ShardIterator"].partition("|")
        shard, index = _shard(name), int(place)
        self._counted(name)
        if self._read_at is not None:
            before = self._read_at.pop(name, None)
            if before is not None:
                self.longest_gap = max(self.longest_gap, self.world.now - before)
            # What is read after a shard's end is all. Another environment may read it again at any time.
            if self.world.now < self.ended(shard):
                self._read_at[name] = self.world.now
        until = min(self.count(shard, self.world.now), index + request.get("Limit", _PAGE_RECORDS))
        records = ",".join(self._spelled(shard, index, until))
        closed = self.ended(shard) <= self.world.now and until >= self.count(shard, math.inf)
        following = "" if closed else f',"NextShardIterator":"{name}|{max(index, until)}"'
        return f'{{"Records":[{records}]{following}}}'.encode()

    def _spelled(self, shard: ShardName, index: int, until: int) -> list[str]:
        """Return records as GetRecords returns them, each with an image of 300 bytes."""
        born, rate = self.born(shard), self.rate
        key = f'"pk":{{"S":"customer-{shard.lineage}"}},"sk":{{"N":'
        number, event = self.number(shard, 0)[:-_INDEX_DIGITS], self.event(shard, 0)[:-_INDEX_DIGITS]
        return [
            f'{{"awsRegion":"eu-west-1","dynamodb":{{"ApproximateCreationDateTime":'
            f'{int(born + (at + 1) / rate)}.0,"Keys":{{{key}"{at}"}}}},"NewImage":{{{key}"{at}"}},'
            f'"note":{{"S":"{_NOTE}"}}}},'
            f'"SequenceNumber":"{number}{at:012d}","SizeBytes":320,"StreamViewType":"NEW_IMAGE"}},'
            f'"eventID":"{event}{at:012x}","eventName":"MODIFY","eventSource":"aws:dynamodb",'
            f'"eventVersion":"1.1"}}'
            for at in range(index, until)
        ]


def _id(shard: ShardName) -> str:
    return f"shardId-{shard.generation:020d}-{shard.lineage:08x}"


def _shard(name: str) -> ShardName:
    _, generation, lineage = name.split("-")
    return ShardName(int(lineage, 16), int(generation))
