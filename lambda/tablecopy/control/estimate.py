"""What a copy will take: request units, money and time, and what bounds its speed.

Counts and sizes are those of DescribeTable, which AWS updates about every six hours.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from tablecopy.control.tables import provisioned
from tablecopy.dynamodb.client import Json
from tablecopy.settings import CopySettings

# A strongly consistent read takes a unit for 4 KB, a write one for 1 KB (Developer Guide, Capacity modes).
_READ_UNIT_BYTES = 4096
_WRITE_UNIT_BYTES = 1024

_NEW_TABLE_WRITE_UNITS = 4_000
"""Write units per second of a new on-demand table (Developer Guide, On-demand capacity mode)."""

# A worker copies 50,000 items of 360 B, or 70 MB of larger ones, per second of a core (docs/benchmarks.md,
# figure backfill); a fifth less is reckoned with, since TLS is not in that figure. With 512 MB of memory it
# has 512 / 1769 of a core (Lambda, Configuring memory).
_CORES = 512 / 1769
WORKER_ITEMS_PER_SECOND = 40_000 * _CORES
WORKER_BYTES_PER_SECOND = 56_000_000 * _CORES


@dataclass(frozen=True)
class Estimate:
    """What the backfill of a table will take. Changes made meanwhile, and their replay, come on top.

    Attributes
    ----------
    items, bytes
        What the source holds: DynamoDB's ItemCount and TableSizeBytes, which are up to six hours old.
    read_units, write_units
        Request units in all; writes with those of the destination's indexes, as if every item were in them.
    units_per_item
        Write units of a change: those of an average item and of its entries in the indexes.
    cost, currency
        Of these units at on-demand prices.
    seconds
        How long it takes without the pauses between slices.
    limit
        What binds: "read_capacity", "write_capacity", "source_provisioned", "destination_provisioned",
        "destination_on_demand" or "workers".
    limit_reason
        The same as a sentence.
    """

    items: int
    bytes: int
    read_units: int
    write_units: int
    units_per_item: float
    cost: float
    currency: str
    seconds: float
    limit: str
    limit_reason: str

    def as_json(self) -> Json:
        """The fields by their names."""
        return asdict(self)


@dataclass(frozen=True)
class _Bound:
    seconds: float
    limit: str
    reason: str


def estimate(source: Json, destination: Json, settings: CopySettings) -> Estimate:
    """What copying ``source`` to ``destination`` will take, from their ``Table`` of DescribeTable."""
    items, size = int(source.get("ItemCount", 0)), int(source.get("TableSizeBytes", 0))
    # An empty page takes a unit as well, and each segment has a last one.
    read_units = math.ceil(size / _READ_UNIT_BYTES) + settings.total_segments
    table_units = items * _item_units(items, size)
    indexes = {
        index["IndexName"]: items * _index_units(index, items, size) for index in _indexes(destination)
    }
    write_units = table_units + sum(indexes.values())
    bounds = [
        *_read_bounds(source, read_units, settings),
        *_write_bounds(destination, table_units, indexes, write_units, settings),
        _worker_bound(items, size, settings),
    ]
    binding = max(bounds, key=lambda bound: bound.seconds)
    prices = settings.prices
    cost = (read_units * prices.read_per_million + write_units * prices.write_per_million) / 1e6
    return Estimate(
        items=items,
        bytes=size,
        read_units=read_units,
        write_units=write_units,
        units_per_item=write_units / items if items else 1.0,
        cost=round(cost, 4),
        currency=prices.currency,
        seconds=round(binding.seconds, 1),
        limit=binding.limit,
        limit_reason=binding.reason,
    )


def read_ceiling(source: Json, settings: CopySettings) -> float:
    """Read units per second that are not to be exceeded where no budget is set; 0 where there is no limit."""
    return 0.0 if settings.read_capacity else provisioned(source, "ReadCapacityUnits") / 2


def _item_units(items: int, size: int) -> int:
    return max(1, math.ceil(size / items / _WRITE_UNIT_BYTES)) if items else 0


def _index_units(index: Json, items: int, size: int) -> int:
    """Units per item. How large a part of an item is that is projected is not known: one unit's worth."""
    whole = index.get("Projection", {}).get("ProjectionType") == "ALL"
    return _item_units(items, size) if whole else 1


def _indexes(description: Json) -> Iterator[Json]:
    yield from description.get("GlobalSecondaryIndexes") or []
    yield from description.get("LocalSecondaryIndexes") or []


def _read_bounds(source: Json, units: int, settings: CopySettings) -> Iterator[_Bound]:
    if settings.read_capacity:
        rate = settings.read_capacity
        yield _Bound(units / rate, "read_capacity", f"backfill.read_capacity, {rate:g} units a second")
    ceiling = read_ceiling(source, settings)
    if ceiling:
        reason = f"half of what the source has provisioned, {ceiling:g} read units a second"
        yield _Bound(units / ceiling, "source_provisioned", reason)


def _write_bounds(
    destination: Json, table_units: int, indexes: dict[str, int], units: int, settings: CopySettings
) -> Iterator[_Bound]:
    if settings.write_capacity:
        rate = settings.write_capacity
        yield _Bound(units / rate, "write_capacity", f"backfill.write_capacity, {rate:g} units a second")
    has = provisioned(destination, "WriteCapacityUnits")
    if not has:
        warm = float(destination.get("WarmThroughput", {}).get("WriteUnitsPerSecond", 0))
        rate = max(warm, _NEW_TABLE_WRITE_UNITS)
        reason = (
            f"{rate:g} write units a second, with which the destination starts on demand; it grows with use, "
            "and warm throughput raises it from the beginning"
        )
        yield _Bound(max([table_units, *indexes.values()]) / rate, "destination_on_demand", reason)
        return
    # A local index takes of the table's capacity, a global one has its own.
    own = {index["IndexName"]: index for index in destination.get("GlobalSecondaryIndexes") or []}
    local = sum(taken for name, taken in indexes.items() if name not in own)
    reason = f"what the destination has provisioned, {has:g} write units a second"
    yield _Bound((table_units + local) / has, "destination_provisioned", reason)
    for name, index in own.items():
        has = provisioned(index, "WriteCapacityUnits")
        if has:
            reason = f"what the destination's index {name} has provisioned, {has:g} write units a second"
            yield _Bound(indexes[name] / has, "destination_provisioned", reason)


def _worker_bound(items: int, size: int, settings: CopySettings) -> _Bound:
    workers = min(settings.concurrency, settings.total_segments)
    seconds = max(items / WORKER_ITEMS_PER_SECOND, size / WORKER_BYTES_PER_SECOND) / workers
    return _Bound(seconds, "workers", f"{workers} worker(s) at the same time")
