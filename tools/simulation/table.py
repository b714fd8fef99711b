"""A simulated table: its items in the order of their hashes, what writes cost, TTL, and its history.

Sources, all in the Developer Guide: "DynamoDB read and write operations" (units), "Using global secondary
indexes in DynamoDB" (their units), "Using time to live (TTL) in DynamoDB", "DynamoDB Streams and Time to
Live".
"""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeAlias

import msgspec

from tools.simulation.attributes import Key, same_item
from tools.simulation.behavior import StreamBehavior, TableBehavior
from tools.simulation.capacity import Capacity, Throughput
from tools.simulation.items import Index, Item, Schema
from tools.simulation.scheduler import World
from tools.simulation.streams import Stream

OnWrite: TypeAlias = Callable[[Key, bytes | None, bytes | None], None]
"""Called with a key and the item before and after a write."""

# TTL does not delete what expired more than five years ago.
_TTL_YEARS_SECONDS = 5 * 365 * 86_400

# DynamoDB counts the items of a table about every six hours (API reference, TableDescription).
_COUNTED_EVERY_SECONDS = 6 * 3600.0

_FEW = 16


@dataclass(frozen=True)
class TableSettings:
    """The settings of a table.

    Attributes
    ----------
    key
        Name and type ("S", "N" or "B") of the partition key, and of the sort key if there is one.
    stream
        View type of its stream; empty for none.
    stream_label
        Last part of the stream's ARN; empty for one made of the time.
    ttl
        Name of the TTL attribute; empty if TTL is off.
    keep_history
        Keep all values that a key has had (``Table.history``).
    salt
        Tables with the same salt keep equal keys in the same order.
    """

    name: str
    key: tuple[tuple[str, str], ...] = (("pk", "S"),)
    capacity: Capacity = field(default_factory=Capacity)
    indexes: tuple[Index, ...] = ()
    stream: str = ""
    stream_label: str = ""
    ttl: str = ""
    keep_history: bool = False
    salt: int = 0
    behavior: TableBehavior = field(default_factory=TableBehavior)
    stream_behavior: StreamBehavior = field(default_factory=StreamBehavior)


class Cost(NamedTuple):
    """What a write costs.

    Attributes
    ----------
    hash, units
        Hash of the item, and units of the table, without those of its indexes.
    indexes
        Number of each index that the write changes, the hash of the item there, and the units.
    """

    hash: int
    units: float
    indexes: tuple[tuple[int, int, float], ...] = ()


class Table:
    """A table of one account. Reads and writes made here cost nothing; `dynamodb` has the operations.

    Attributes
    ----------
    name, arn, id
        Name, ARN and TableId.
    created
        When it was created, in seconds since the epoch.
    stream
        Its stream, or None. A stream that was turned off stays here until there is another one.
    streams
        All streams that it has had.
    throughput, indexes
        Throughput of the table, and of each of its indexes (None for a local one).
    """

    def __init__(self, world: World, arn: str, settings: TableSettings) -> None:
        self.world = world
        self.settings = settings
        self.behavior = settings.behavior
        self.name = settings.name
        self.arn = arn
        self.id = _table_id(world)
        self.created = world.now
        self.schema = Schema(settings.key, settings.indexes, settings.ttl, settings.salt)
        self.throughput = Throughput(world, arn, settings.capacity)
        self.indexes = [
            None if index.local else Throughput(world, f"{arn}/index/{index.name}", index.capacity)
            for index in settings.indexes
        ]
        self.stream: Stream | None = None
        self.streams: list[Stream] = []
        if settings.stream:
            self.enable_stream(settings.stream, settings.stream_label)
        self._items: dict[Key, Item] = {}
        self._order = HashOrder()
        self._collections: dict[Any, list[Any]] | None = {} if len(settings.key) > 1 else None
        self._callbacks: list[OnWrite] = []
        self._history: dict[Key, list[tuple[float, bytes | None]]] | None = (
            {} if settings.keep_history else None
        )
        self._counted_at = -math.inf
        self._counted = (0, 0)
        self._before: dict[Key, tuple[float, Item | None]] = {}
        self._expiring: list[tuple[float, int, Item]] = []
        self._expiry_planned = 0
        self._next_expiry = math.inf

    # For the judge, the writers and the operators

    def __len__(self) -> int:
        return len(self._items)

    def get(self, key: Key) -> bytes | None:
        """Return the item with ``key`` as JSON, or None."""
        item = self._items.get(key)
        return None if item is None else item.body

    def items(self) -> Iterator[tuple[Key, bytes]]:
        """Yield each key with its item as JSON, in the order in which the keys were first written."""
        for key, item in self._items.items():
            yield key, item.body

    def key_of(self, body: bytes | dict[str, Any]) -> Key:
        """Return the key in an item or a key in DynamoDB JSON."""
        encoded = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return self.schema.item(encoded).key

    def put(self, body: bytes) -> Key:
        """Put an item, at no cost. Raises ServiceError if it is not valid."""
        item = self.schema.item(body)
        self.apply(item.key, item)
        return item.key

    def delete(self, key: Key) -> None:
        """Delete an item, at no cost, if it exists."""
        self.apply(key, None)

    def on_write(self, callback: OnWrite) -> None:
        """Call ``callback`` with the key and the item before and after each write."""
        self._callbacks.append(callback)

    def history(self, key: Key) -> list[tuple[float, bytes | None]]:
        """Return each value that a key has had, with the time of the write; None is a delete."""
        assert self._history is not None, f"table {self.name} keeps no history"
        return self._history.get(key, [])

    def written_keys(self) -> list[Key]:
        """Return every key that was ever written, in the order of the first writes."""
        assert self._history is not None, f"table {self.name} keeps no history"
        return list(self._history)

    def values_since(self, key: Key, moment: float) -> list[bytes | None]:
        """Return the value that a key had at ``moment``, and those that it has had since."""
        history = self.history(key)
        first = bisect_right(history, moment, key=_time)
        before = history[first - 1][1] if first else None
        return [before, *(value for _, value in history[first:])]

    def enable_stream(self, view_type: str, label: str = "") -> Stream:
        """Turn the stream on. Each time, it is another stream (Developer Guide, Enabling a stream)."""
        assert self.stream is None or not self.stream.enabled, f"table {self.name} has a stream"
        self.stream = Stream(
            self.world,
            self.arn,
            label or _label(self.world.now),
            view_type,
            self.settings.stream_behavior,
        )
        self.streams.append(self.stream)
        return self.stream

    def disable_stream(self) -> None:
        """Turn the stream off."""
        assert self.stream is not None, f"table {self.name} has no stream"
        self.stream.disable()

    # For the operations

    def find(self, key: Key) -> Item | None:
        """Return the item with ``key``, or None."""
        return self._items.get(key)

    def find_eventually(self, key: Key) -> Item | None:
        """Return the item as an eventually consistent read may find it."""
        item = self._items.get(key)
        before = self._before.get(key)
        if before is None or self.world.now - before[0] >= self.behavior.stale_seconds:
            return item
        return before[1] if self.world.chance(self.behavior.stale_read) else item

    def counted(self) -> tuple[int, int]:
        """Return the number of items and their bytes, as DynamoDB has counted them within six hours."""
        if self.world.now - self._counted_at >= _COUNTED_EVERY_SECONDS:
            self._counted_at = self.world.now
            self._counted = len(self._items), sum(item.size for item in self._items.values())
        return self._counted

    def cost(self, old: Item | None, new: Item | None, hash_: int) -> Cost:
        """Return what it costs to replace ``old`` with ``new``; both may be None."""
        units = 1
        if old is not None:
            units = old.write_units
        if new is not None and new.write_units > units:
            units = new.write_units
        if not self.indexes:
            return Cost(hash_, units)
        return Cost(hash_, units, tuple(self._index_costs(old, new)))

    def write_limit(self, cost: Cost, times: int = 1) -> tuple[Throughput, str] | None:
        """Return which throughput a write exceeds, and which of its limits; None if it can be made.

        A global index without capacity throttles the writes of its table.
        """
        limit = self.throughput.write_limit(cost.hash, times * self._own_units(cost))
        if limit:
            return self.throughput, limit
        for number, hash_, units in cost.indexes:
            throughput = self.indexes[number]
            if throughput is not None:
                limit = throughput.write_limit(hash_, times * units)
                if limit:
                    return throughput, limit
        return None

    def pay(self, cost: Cost) -> tuple[Throughput, str] | None:
        """Consume what a write costs if it can be made; otherwise return what ``write_limit`` returns."""
        if not cost.indexes:
            limit = self.throughput.write(cost.hash, cost.units)
            return (self.throughput, limit) if limit else None
        exceeded = self.write_limit(cost)
        if exceeded is None:
            self.charge(cost)
        return exceeded

    def charge(self, cost: Cost, times: int = 1) -> None:
        """Consume what a write costs."""
        self.throughput.wrote(cost.hash, times * self._own_units(cost))
        for number, hash_, units in cost.indexes:
            throughput = self.indexes[number]
            if throughput is not None:
                throughput.wrote(hash_, times * units)

    def apply(self, key: Key, new: Item | None, *, by_ttl: bool = False) -> None:
        """Replace the item with ``key`` by ``new``, or delete it."""
        items = self._items
        old = items.get(key)
        now = self.world.now
        if new is not None:
            items[key] = new
            if old is None:
                self._insert(new)
            if new.expires is not None:
                self._plan_expiry(new)
        elif old is not None:
            del items[key]
            self._remove(key)
        else:
            return
        self._before[key] = now, old
        stream = self.stream
        if stream is not None and stream.enabled and not _is_same(old, new):
            hash_ = new.hash if new is not None else old.hash  # type: ignore[union-attr]
            stream.append(hash_, old, new, by_ttl)
        body = None if new is None else new.body
        if self._history is not None:
            self._history.setdefault(key, []).append((now, body))
        for callback in self._callbacks:
            callback(key, None if old is None else old.body, body)

    def scan(self, first: int, end: int, after: Key | None) -> Iterator[Item]:
        """Yield the items whose hashes are from ``first`` to before ``end``, in order, after a key."""
        items, collections = self._items, self._collections
        entries = self._order.entries(items if collections is None else collections, collections is None)
        if after is None:
            begin = bisect_left(entries, (first,))
        else:
            # The sort keys after the key come first.
            find = bisect_right if collections is None else bisect_left
            begin = find(entries, (self.schema.hash_of(after), after[0]))
        for at in range(begin, len(entries)):
            hash_, partition_key = entries[at]
            if hash_ >= end:
                return
            if collections is None:
                item = items.get((partition_key,))
                if item is not None:
                    yield item
                continue
            sort_keys = collections.get(partition_key, ())
            skipped = 0
            if after is not None and after[0] == partition_key:
                skipped = bisect_right(sort_keys, after[1])
            for sort_key in sort_keys[skipped:]:
                yield items[partition_key, sort_key]

    def collection(self, partition_key: Any) -> list[Any]:
        """Return the sort keys of a partition key, in order. The table must have a sort key."""
        assert self._collections is not None
        return self._collections.get(partition_key, [])

    # Inside

    def _insert(self, item: Item) -> None:
        partition_key = item.key[0]
        if self._collections is None:
            self._order.add(item.hash, partition_key)
            return
        collection = self._collections.get(partition_key)
        if collection is None:
            self._collections[partition_key] = [item.key[1]]
            self._order.add(item.hash, partition_key)
        else:
            insort(collection, item.key[1])

    def _remove(self, key: Key) -> None:
        if self._collections is not None:
            collection = self._collections[key[0]]
            del collection[bisect_left(collection, key[1])]
            if not collection:
                del self._collections[key[0]]

    def _own_units(self, cost: Cost) -> float:
        """Return the table's units with those of its local indexes."""
        return cost.units + sum(units for number, _, units in cost.indexes if self.indexes[number] is None)

    def _index_costs(self, old: Item | None, new: Item | None) -> Iterator[tuple[int, int, float]]:
        for number, index in enumerate(self.settings.indexes):
            before = old.index_keys[number] if old else None
            after = new.index_keys[number] if new else None
            if before == after:
                changed = index.projection == "ALL" and not _is_same(old, new)
                if after is not None and changed:
                    units = max(each.write_units for each in (old, new) if each is not None)
                    yield number, self.schema.hash_of(after), units
                continue
            if before is not None:
                assert old is not None
                yield number, self.schema.hash_of(before), _index_units(index, old)
            if after is not None:
                assert new is not None
                yield number, self.schema.hash_of(after), _index_units(index, new)

    def _plan_expiry(self, item: Item) -> None:
        """Plan the deletion of an item by TTL, which happens some time after its expiry."""
        assert item.expires is not None
        now = self.world.now
        if item.expires < now - _TTL_YEARS_SECONDS:
            return
        due = item.expires + self.world.random.uniform(*self.behavior.ttl_delay)
        due = max(due, now + self.behavior.ttl_grace)
        self._expiry_planned += 1
        heapq.heappush(self._expiring, (due, self._expiry_planned, item))
        if due < self._next_expiry:
            self._next_expiry = due
            self.world.call_at(due, self._expire, due)

    def _expire(self, due: float) -> None:
        if due != self._next_expiry:
            # An item that is due sooner came after this was planned.
            return
        expiring = self._expiring
        while expiring and expiring[0][0] <= self.world.now:
            item = heapq.heappop(expiring)[2]
            # A later write of the key has another item, with an expiry of its own.
            if self._items.get(item.key) is item:
                self.apply(item.key, None, by_ttl=True)
        self._next_expiry = math.inf
        if expiring:
            self._next_expiry = expiring[0][0]
            self.world.call_at(self._next_expiry, self._expire, self._next_expiry)


class HashOrder:
    """Partition keys in the order of their hashes. Removed ones stay until there are too many of them."""

    def __init__(self) -> None:
        self._sorted: list[tuple[int, Any]] = []
        self._added: list[tuple[int, Any]] = []
        self._known: set[Any] = set()

    def add(self, hash_: int, partition_key: Any) -> None:
        """Add a partition key, which may be known already."""
        if partition_key not in self._known:
            self._known.add(partition_key)
            self._added.append((hash_, partition_key))

    def entries(self, alive: dict[Any, Any], by_tuple: bool) -> list[tuple[int, Any]]:
        """Return the hashes and partition keys in order.

        Parameters
        ----------
        alive
            Has each partition key that is not removed; as a tuple of one with ``by_tuple``.
        """
        entries = self._sorted
        if len(self._added) <= _FEW:
            for entry in self._added:
                insort(entries, entry)
        else:
            entries += self._added
            entries.sort()
        self._added.clear()
        if len(entries) > 2 * len(alive) + 1_000:
            kept = [each for each in entries if ((each[1],) if by_tuple else each[1]) in alive]
            self._known.difference_update(each[1] for each in entries)
            self._known.update(each[1] for each in kept)
            self._sorted = entries = kept
        return entries


def _is_same(old: Item | None, new: Item | None) -> bool:
    """Return whether a write changes nothing, so that the stream gets no record."""
    if old is None or new is None:
        return old is new
    return old is new or same_item(old.body, new.body)


def _index_units(index: Index, item: Item) -> int:
    return item.write_units if index.projection == "ALL" else 1


def _time(entry: tuple[float, bytes | None]) -> float:
    return entry[0]


def _table_id(world: World) -> str:
    digits = f"{world.random.getrandbits(128):032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _label(moment: float) -> str:
    """Return a stream's label, such as ``2027-01-15T08:00:00.000``."""
    text = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00")
