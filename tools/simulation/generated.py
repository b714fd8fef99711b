"""A table of any number of items that are made when they are read, and a dictionary of the written ones.

The items come in the order of their numbers, of which a segment of a scan is a range. Two such tables with
the same number of items are equal until one of them is written to.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from tools.simulation.answers import Consumed, answer, array
from tools.simulation.attributes import Key, same_item
from tools.simulation.dynamodb import DynamoDBService
from tools.simulation.items import Item
from tools.simulation.network import Caller
from tools.simulation.reads import PAGE_BYTES
from tools.simulation.requests import Reader, Scan
from tools.simulation.scheduler import World
from tools.simulation.table import Table, TableSettings

_DIGITS = 12
_NOTE = "x" * 60

_BUCKET = 4_096
"""Written items are found by ranges of so many numbers."""

ITEM_BYTES = 2 + 1 + _DIGITS + 4 + len(_NOTE) + 1 + 2
"""DynamoDB's size of an item that was not written."""

_READ_UNIT_BYTES = 4_096


def body(number: int, version: int = 0) -> bytes:
    """Return an item as JSON."""
    return b'{"pk":{"S":"k%012d"},"note":{"S":"%s"},"v":{"N":"%d"}}' % (number, _NOTE.encode(), version)


_BEFORE, _AFTER = body(0).split(b"%012d" % 0)


class GeneratedTable(Table):
    """A table with the partition key ``pk``, whose items have the numbers from 0 to before ``count``."""

    def __init__(self, world: World, arn: str, settings: TableSettings, count: int) -> None:
        super().__init__(world, arn, settings)
        self.count = count
        self._written: dict[int, Item | None] = {}
        self._buckets: dict[int, set[int]] = {}

    def __len__(self) -> int:
        return self.count - sum(item is None for item in self._written.values())

    def find(self, key: Key) -> Item | None:
        """Return the item with ``key``, or None."""
        number = int(str(key[0])[1:])
        if number in self._written:
            return self._written[number]
        return self.schema.item(body(number)) if number < self.count else None

    def find_eventually(self, key: Key) -> Item | None:
        """Return the item as it is: all of these reads are consistent."""
        return self.find(key)

    def counted(self) -> tuple[int, int]:
        """Return the number of items and their bytes."""
        return self.count, self.count * ITEM_BYTES

    def apply(self, key: Key, new: Item | None, *, by_ttl: bool = False) -> None:
        """Replace the item with ``key`` by ``new``, or delete it."""
        old = self.find(key)
        number = int(str(key[0])[1:])
        self._written[number] = new
        self._buckets.setdefault(number // _BUCKET, set()).add(number)
        if old is not new and not (old and new and same_item(old.body, new.body)):
            assert self.stream is not None
            self.stream.append(self.schema.hash_of(key), old, new, by_ttl)

    def page(self, first: int, end: int) -> Iterator[bytes]:
        """Yield the items as JSON whose numbers are from ``first`` to before ``end``."""
        found: list[bytes | None] = [b"%b%012d%b" % (_BEFORE, number, _AFTER) for number in range(first, end)]
        for bucket in range(first // _BUCKET, end // _BUCKET + 1):
            for number in self._buckets.get(bucket, ()):
                if first <= number < end:
                    item = self._written[number]
                    found[number - first] = None if item is None else item.body
        return (each for each in found if each is not None)


class GeneratedService:
    """DynamoDB of an account with one such table, whose scans are answered without decoding an item."""

    def __init__(self, service: DynamoDBService, table: GeneratedTable) -> None:
        self._service = service
        self._table = table
        self._reader = Reader(Scan)

    def handle(self, operation: str, request: bytes, caller: Caller) -> bytes:
        """Carry out an operation."""
        if operation == "Scan":
            scan = self._reader.read(request)
            if scan.table_name == self._table.name:
                return self._scan(scan)
        return self._service.handle(operation, request, caller)

    def _scan(self, request: Scan) -> bytes:
        table = self._table
        segment, total = request.segment or 0, request.total_segments or 1
        begin, end = table.count * segment // total, table.count * (segment + 1) // total
        if bytes(request.exclusive_start_key):
            key = table.schema.key_of(bytes(request.exclusive_start_key))
            begin = int(str(key[0])[1:]) + 1
        stop = min(end, begin + min(PAGE_BYTES // ITEM_BYTES, request.limit or PAGE_BYTES))
        items = list(table.page(begin, stop))
        last = b"" if stop >= end else msgspec.json.encode({"pk": {"S": f"k{stop - 1:0{_DIGITS}d}"}})
        units = max(1, -(-len(items) * ITEM_BYTES // _READ_UNIT_BYTES))
        table.throughput.read(0, units)
        consumed = Consumed(table, request.return_consumed_capacity)
        consumed.add(units)
        return answer(
            [
                ("ConsumedCapacity", consumed.json()),
                ("Count", b"%d" % len(items)),
                ("Items", array(items)),
                ("LastEvaluatedKey", last),
                ("ScannedCount", b"%d" % (stop - begin)),
            ]
        )
