"""The simulated stream of a table: its shards, their records, and how both come and go.

Sources: Developer Guide, "Change data capture for DynamoDB Streams" (shards are ephemeral, a shard ends with
one child or several, a record appears exactly once and in the order of its item's changes, 24 hours of
retention, a put that changes nothing makes no record); API reference, "StreamRecord", "Record" and "Shard". A
shard names one parent at most, so shards are never merged.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable
from typing import Any

import msgspec

from tools.simulation.attributes import HASHES
from tools.simulation.behavior import StreamBehavior
from tools.simulation.capacity import Bucket
from tools.simulation.items import Item
from tools.simulation.scheduler import World

_NUMBER_STEPS = (1, 1, 1, 2, 3, 7)
"""A shard's sequence numbers rise by these, so that other shards often use the same ones."""

_NUMBERS_A_SHARD = 1_000
"""A child's first number is the next multiple, the same for both children of a split."""

_TTL_USER = "dynamodb.amazonaws.com"


class Record:
    """A record of a stream.

    Attributes
    ----------
    number
        Sequence number.
    event_id
        Unique in the stream.
    event_name
        INSERT, MODIFY or REMOVE.
    made, created
        Moment of the change, and the whole second that the record gives for it, by a clock that may differ.
    visible
        From when on the record can be read.
    old, new
        The item before and after the change.
    by_ttl
        Whether TTL deleted the item.
    """

    __slots__ = (
        "_json",
        "by_ttl",
        "created",
        "event_id",
        "event_name",
        "made",
        "new",
        "number",
        "old",
        "stream",
        "visible",
    )

    def __init__(
        self, stream: Stream, number: int, made: float, old: Item | None, new: Item | None, by_ttl: bool
    ) -> None:
        self.stream = stream
        self.number = number
        self.made = made
        self.old = old
        self.new = new
        self.by_ttl = by_ttl
        self.event_name = "REMOVE" if new is None else "INSERT" if old is None else "MODIFY"
        self.event_id = f"{stream.world.random.getrandbits(128):032x}"
        self.created = 0
        self.visible = made
        self._json: bytes | None = None

    @property
    def sequence_number(self) -> str:
        """The sequence number as text, 21 digits or more."""
        return str(self.number)

    @property
    def size(self) -> int:
        """Bytes of the keys and images (API reference, StreamRecord, SizeBytes)."""
        stream, new, old = self.stream, self.new, self.old
        item = new if new is not None else old
        assert item is not None
        size = item.key_size
        if new is not None and stream.has_new_images:
            size += new.size
        if old is not None and stream.has_old_images:
            size += old.size
        return size

    def json(self) -> bytes:
        """Return the record as GetRecords returns it (API reference, GetRecords)."""
        if self._json is None:
            self._json = self._encoded(_exponent(self.created) if self.stream.behavior.exponent else None)
        return self._json

    def event(self) -> dict[str, Any]:
        """Return the record as Lambda passes it to a function, a new object each time.

        Source: Lambda Developer Guide, "Using AWS Lambda with Amazon DynamoDB", the example event.
        """
        event: dict[str, Any] = msgspec.json.decode(self._encoded(None))
        event["eventSourceARN"] = self.stream.arn
        if self.by_ttl:
            event["userIdentity"] = {"type": "Service", "principalId": _TTL_USER}
        return event

    def _encoded(self, created: bytes | None) -> bytes:
        stream, new, old = self.stream, self.new, self.old
        item = new if new is not None else old
        assert item is not None
        parts = [
            b'{"awsRegion":"%s","dynamodb":{"ApproximateCreationDateTime":%s,"Keys":%s'
            % (stream.region.encode(), created or b"%d" % self.created, item.key_json)
        ]
        if new is not None and stream.has_new_images:
            parts.append(b',"NewImage":' + new.body)
        if old is not None and stream.has_old_images:
            parts.append(b',"OldImage":' + old.body)
        parts.append(
            b',"SequenceNumber":"%d","SizeBytes":%d,"StreamViewType":"%s"},"eventID":"%s","eventName":"%s",'
            b'"eventSource":"aws:dynamodb","eventVersion":"1.1"'
            % (
                self.number,
                self.size,
                stream.view_type.encode(),
                self.event_id.encode(),
                self.event_name.encode(),
            )
        )
        if self.by_ttl:
            parts.append(b',"userIdentity":{"PrincipalId":"%s","Type":"Service"}' % _TTL_USER.encode())
        parts.append(b"}")
        return b"".join(parts)


def _exponent(seconds: int) -> bytes:
    """Return whole seconds in the spelling of the API reference's example, such as ``1.46480646E9``."""
    digits = str(seconds)
    fraction = digits[1:].rstrip("0") or "0"
    return f"{digits[0]}.{fraction}E{len(digits) - 1}".encode()


class Shard:
    """A shard: the records of the keys whose hashes are from ``first`` to before ``end``.

    Attributes
    ----------
    index
        Number of the shard in its stream, from 0.
    parent, children
        The shard that it follows, and those that follow it, whether they are listed or not.
    opened, closed, listed, end_listed
        When it began and ended, and from when on DescribeStream shows it and its end; infinity if unknown.
    starting_number
        A number before all of its records.
    records
        The records that are not trimmed, in order.
    trimmed
        How many records are trimmed.
    calls, readers
        The calls of GetRecords that it takes, and when each reader has made its last one.
    """

    def __init__(
        self,
        stream: Stream,
        index: int,
        parent: Shard | None,
        first: int,
        end: int,
        starting_number: int,
        opened: float,
    ) -> None:
        world = stream.world
        self.stream = stream
        self.index = index
        self.parent = parent
        self.children: list[Shard] = []
        self.first = first
        self.end = end
        self.opened = opened
        self.closed = math.inf
        self.listed = opened
        self.end_listed = math.inf
        self.gone = math.inf
        self.starting_number = starting_number
        self.last_number = starting_number
        self.id = f"shardId-{int(self.opened * 1000):020d}-{world.random.getrandbits(32):08x}"
        self.records: list[Record] = []
        self.numbers: list[int] = []
        self.trimmed = 0
        self.calls: Bucket | None = None
        self.readers: dict[str, float] = {}
        self._skew = world.random.uniform(-1, 1) * stream.behavior.skew
        self._visible = -math.inf
        self._next_trim = 0.0

    @property
    def is_listed(self) -> bool:
        """Whether DescribeStream shows the shard."""
        return self.listed <= self.stream.world.now < self.gone

    @property
    def is_closed(self) -> bool:
        """Whether the shard has ended."""
        return self.closed <= self.stream.world.now

    @property
    def count(self) -> int:
        """How many records the shard has had, trimmed ones included."""
        return self.trimmed + len(self.records)

    def append(self, old: Item | None, new: Item | None, by_ttl: bool) -> Record:
        """Add the record of a change that is made now."""
        world, behavior = self.stream.world, self.stream.behavior
        draw = world.random.random
        self.last_number += _NUMBER_STEPS[int(draw() * len(_NUMBER_STEPS))]
        record = Record(self.stream, self.last_number, world.now, old, new, by_ttl)
        back = draw() * behavior.dated_back_seconds if world.chance(behavior.dated_back) else 0.0
        record.created = math.floor(world.now + self._skew - back)
        late = behavior.late_record and draw() < behavior.late_record
        delay = draw() * (behavior.late_record_seconds if late else behavior.delay)
        self._visible = record.visible = max(self._visible, world.now + delay)
        self.records.append(record)
        self.numbers.append(record.number)
        return record

    def trim(self) -> None:
        """Remove what has been trimmed by now. Trims happen now and then, not when a record is old enough."""
        world, behavior = self.stream.world, self.stream.behavior
        now = world.now
        if not self.records or now < self._next_trim or self.records[0].made > now - behavior.retention:
            return
        last = -math.inf
        while self._next_trim <= now:
            last = self._next_trim
            step = self._until_trim()
            # Skip trims that no one could have seen.
            self._next_trim = max(self._next_trim + step, now - behavior.trim_every[1])
        keep = 0
        while keep < len(self.records) and self.records[keep].made <= last - behavior.retention:
            keep += 1
        if keep:
            del self.records[:keep]
            del self.numbers[:keep]
            self.trimmed += keep

    def empty(self) -> None:
        """Trim all records."""
        self.trimmed += len(self.records)
        self.records.clear()
        self.numbers.clear()

    def _until_trim(self) -> float:
        return self.stream.world.random.uniform(*self.stream.behavior.trim_every)


class Stream:
    """The stream of a table.

    Parameters
    ----------
    table_arn, label
        ARN of the table, and the last part of the stream's ARN.
    view_type
        KEYS_ONLY, NEW_IMAGE, OLD_IMAGE or NEW_AND_OLD_IMAGES.

    Attributes
    ----------
    created
        When it was turned on.
    enabled
        Whether changes still make records.
    on_append
        Called with each new record and its shard at the moment of the change. The record can be read later.
    on_close
        Called with each shard that ends.
    """

    def __init__(
        self, world: World, table_arn: str, label: str, view_type: str, behavior: StreamBehavior
    ) -> None:
        self.world = world
        self.arn = f"{table_arn}/stream/{label}"
        self.label = label
        self.region = table_arn.split(":")[3]
        self.view_type = view_type
        self.has_new_images = view_type in {"NEW_IMAGE", "NEW_AND_OLD_IMAGES"}
        self.has_old_images = view_type in {"OLD_IMAGE", "NEW_AND_OLD_IMAGES"}
        self.behavior = behavior
        self.created = world.now
        self.enabled = True
        self.on_append: list[Callable[[Shard, Record], None]] = []
        self.on_close: list[Callable[[Shard], None]] = []
        self.shards: list[Shard] = []
        self._by_id: dict[str, Shard] = {}
        draw = world.random.random
        # 21 digits. Some streams soon need one more.
        base = 10**21 - 500 if draw() < 0.2 else int((1 + 8 * draw()) * 10**17) * _NUMBERS_A_SHARD
        self._first_shards(base)

    def append(self, hash_: int, old: Item | None, new: Item | None, by_ttl: bool) -> None:
        """Record a change that is made now to an item whose key has the hash ``hash_``."""
        shard = self._open[bisect_right(self._firsts, hash_) - 1]
        record = shard.append(old, new, by_ttl)
        for callback in self.on_append:
            callback(shard, record)

    def disable(self) -> None:
        """Turn the stream off. Its shards end, and it can be read for 24 hours."""
        self.enabled = False
        for shard in self._open:
            self._close(shard)

    def listed(self, after: str = "", limit: int = 0) -> list[Shard]:
        """Return the shards that DescribeStream shows now, in the order of their ids.

        Parameters
        ----------
        after
            Shard id after which the list begins.
        limit
            Most shards; 0 for all.
        """
        found = []
        for shard in self.shards[bisect_right(self.shards, after, key=_shard_id) :]:
            if shard.is_listed:
                found.append(shard)
                if len(found) == limit:
                    break
        return found

    def admits(self, shard: Shard, reader: str) -> bool:
        """Count a call of GetRecords, and return whether it is served or throttled.

        A shard takes so many calls a second of all readers, and only so many readers at the same time.
        """
        behavior, now = self.behavior, self.world.now
        calls = shard.calls
        if calls is None:
            rate = behavior.get_records_rate
            calls = shard.calls = Bucket(rate, rate, rate, now)
        others = [
            other
            for other, at in shard.readers.items()
            if other != reader and now - at < behavior.reader_seconds
        ]
        if len(others) >= behavior.readers and self.world.chance(behavior.reader_throttled):
            return False
        if len(shard.readers) > 2 * behavior.readers:
            shard.readers = {other: shard.readers[other] for other in others}
        shard.readers[reader] = now
        if not calls.admits(1, now):
            return False
        calls.take(1)
        return True

    def shard(self, shard_id: str) -> Shard | None:
        """Return a shard if it is listed."""
        shard = self._by_id.get(shard_id)
        return shard if shard is not None and shard.is_listed else None

    def children(self, shard_id: str) -> list[str]:
        """Return the ids of the listed shards that follow a shard."""
        return [child.id for child in self._by_id[shard_id].children if child.is_listed]

    def read(self, shard_id: str, after: str, limit: int = 1_000) -> list[Record]:
        """Return the readable records of a shard after the sequence number ``after``.

        This is for the event source mapping: it costs nothing, is not throttled, and skips what was trimmed.

        Parameters
        ----------
        after
            Sequence number; empty for the oldest record.
        """
        shard = self._by_id[shard_id]
        shard.trim()
        records = shard.records
        at = bisect_right(shard.numbers, int(after)) if after else 0
        end = min(len(records), at + limit)
        now = self.world.now
        while end > at and records[end - 1].visible > now:
            end -= 1
        return records[at:end]

    def is_read_to_end(self, shard_id: str, after: str) -> bool:
        """Return whether a shard has ended and has no record after the sequence number ``after``."""
        shard = self._by_id[shard_id]
        shard.trim()
        if not shard.is_closed:
            return False
        return not shard.numbers or (bool(after) and shard.numbers[-1] <= int(after))

    def latest(self, shard_id: str) -> str:
        """Return the sequence number of the newest record of a shard; empty if it never had one."""
        shard = self._by_id[shard_id]
        return str(shard.last_number) if shard.count else ""

    def forget(self) -> None:
        """Remove the shards that are no longer listed, and their records."""
        now = self.world.now
        if self.shards and self.shards[0].gone <= now:
            for shard in self.shards:
                if shard.gone <= now:
                    shard.empty()
            self.shards = [shard for shard in self.shards if shard.gone > now]

    def _first_shards(self, base: int) -> None:
        behavior, world = self.behavior, self.world
        count, life = behavior.shards, behavior.shard_life
        self._open: list[Shard] = []
        for number in range(count):
            first, end = HASHES * number // count, HASHES * (number + 1) // count
            # The shards did not all begin at the same time.
            age = world.random.random() * life[0]
            parent: Shard | None = None
            for generation in range(behavior.ancestors, 0, -1):
                opened = world.now - age - generation * life[0]
                parent = self._make(parent, first, end, base, opened)
                parent.closed = parent.end_listed = opened + life[0]
                self._retire(parent)
            shard = self._make(parent, first, end, base, world.now - age)
            self._open.append(shard)
            world.call_later(world.random.uniform(*life) - age, self._roll, shard)
        self._firsts = [shard.first for shard in self._open]

    def _make(self, parent: Shard | None, first: int, end: int, starting_number: int, opened: float) -> Shard:
        shard = Shard(self, len(self._by_id), parent, first, end, starting_number, opened)
        if parent is not None:
            parent.children.append(shard)
        insort(self.shards, shard, key=_shard_id)
        self._by_id[shard.id] = shard
        return shard

    def _roll(self, shard: Shard) -> None:
        """End a shard and open its successors."""
        if not self.enabled:
            return
        world, behavior = self.world, self.behavior
        self._close(shard)
        most = behavior.most_shards or 2 * behavior.shards
        ranges = [(shard.first, shard.end)]
        if len(self._open) < most and shard.end - shard.first > 1 and world.chance(behavior.split):
            middle = (shard.first + shard.end) // 2
            ranges = [(shard.first, middle), (middle, shard.end)]
        number = (shard.last_number // _NUMBERS_A_SHARD + 1) * _NUMBERS_A_SHARD
        for first, end in ranges:
            child = self._make(shard, first, end, number, world.now)
            if world.chance(behavior.late_child):
                child.listed = world.now + world.random.uniform(*behavior.late_child_seconds)
            # A shard that lives for seconds may end before it is listed. Its children are listed after it.
            child.listed = max(shard.listed, child.listed)
            world.call_later(world.random.uniform(*behavior.shard_life), self._roll, child)
        if len(ranges) > 1 and world.chance(behavior.late_sibling):
            one, other = sorted(shard.children, key=lambda child: child.listed)
            other.listed = one.listed + world.random.uniform(*behavior.late_child_seconds)
        at = bisect_left(self._firsts, shard.first)
        self._open[at : at + 1] = shard.children
        self._firsts[at : at + 1] = [child.first for child in shard.children]
        self.forget()

    def _close(self, shard: Shard) -> None:
        shard.closed = self.world.now
        shard.end_listed = self.world.now + self.world.random.random() * self.behavior.late_end_seconds
        self._retire(shard)
        for callback in self.on_close:
            callback(shard)

    def _retire(self, shard: Shard) -> None:
        """Plan when a closed shard leaves the stream."""
        linger = self.world.random.random() * self.behavior.shard_linger
        shard.gone = shard.closed + self.behavior.retention + self.behavior.trim_every[1] + linger


def _shard_id(shard: Shard) -> str:
    return shard.id
