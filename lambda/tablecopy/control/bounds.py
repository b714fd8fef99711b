"""What limits the speed of a backfill or a verification: the tables, AWS's quotas, the settings, the workers.

Sources: Developer Guide, "Quotas in Amazon DynamoDB", "DynamoDB on-demand capacity mode", "Partitions and
data distribution" and "Designing partition keys".
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tablecopy.control.tables import provisioned
from tablecopy.dynamodb.client import Json
from tablecopy.settings import CopySettings
from tablecopy.text import count_text

READ_UNIT_BYTES, WRITE_UNIT_BYTES = 4_096, 1_024
"""Bytes that a unit of a strongly consistent read and of a write covers (Capacity unit consumption)."""

TABLE_QUOTA_UNITS = 40_000
"""Read and write units per second of a table, and of each global index (Quotas; AWS raises it on request)."""

PARTITION_READ_UNITS, PARTITION_WRITE_UNITS = 3_000, 1_000
"""Units per second of a partition (Designing partition keys)."""

PARTITION_BYTES = 10_000_000_000
"""Size of a partition (Partitions and data distribution)."""

NEW_TABLE_READ_UNITS, NEW_TABLE_WRITE_UNITS = 12_000, 4_000
"""Units per second of a new on-demand table, and of each of its indexes (On-demand capacity mode)."""

GROWTH_SECONDS = 1_800
"""An on-demand table accepts twice its previous peak, and throttles if that is exceeded within 30 minutes."""

# The ramp of an on-demand table is named as the limit if it lasts for this part of the time.
_RAMP_PART = 0.5


@dataclass(frozen=True)
class Work:
    """What a backfill reads and writes.

    Attributes
    ----------
    bytes
        Size of the source table.
    read_units
        Read units of the source table.
    table_units
        Write units of the destination table and its local indexes, which share its capacity.
    index_units
        Write units of each global index of the destination, by name.
    """

    bytes: int
    read_units: int
    table_units: int
    index_units: Mapping[str, int] = field(default_factory=dict)

    @property
    def write_units(self) -> int:
        """Write units of the destination table and all of its indexes."""
        return self.table_units + sum(self.index_units.values())


@dataclass(frozen=True)
class Bound:
    """A limit: the ``seconds`` that the work takes at least, its name, and the same for people."""

    seconds: float
    limit: str
    reason: str


def slowest(source: Json, destination: Json, work: Work, settings: CopySettings) -> Bound:
    """Return the limit that determines the time of a backfill.

    Parameters
    ----------
    source, destination
        ``Table`` of DescribeTable. A destination that does not exist yet is an empty dict.
    """
    return _ramped(_steady(source, destination, work, settings), destination, work)


def without_workers(source: Json, destination: Json, work: Work, settings: CopySettings) -> Bound:
    """Return what would limit a backfill with any number of workers, once an on-demand table has grown."""
    bounds = _bounds(source, destination, work, settings)
    return max(bounds, key=lambda bound: bound.seconds, default=Bound(0.0, "", ""))


def partitions(description: Json) -> int:
    """Return how many partitions a table has at least, by its size and by what it is warm for.

    A table's stream has about one open shard for each partition (Developer Guide, DynamoDB Streams).
    """
    reads, writes = _warm(description, "Read"), _warm(description, "Write")
    if not provisioned(description, "WriteCapacityUnits"):
        reads, writes = max(reads, NEW_TABLE_READ_UNITS), max(writes, NEW_TABLE_WRITE_UNITS)
    return max(
        1,
        math.ceil(int(description.get("TableSizeBytes", 0)) / PARTITION_BYTES),
        math.ceil(reads / PARTITION_READ_UNITS),
        math.ceil(writes / PARTITION_WRITE_UNITS),
    )


def read_ceiling(source: Json, settings: CopySettings) -> float:
    """Return the read units per second not to exceed if no read capacity is set; 0 if there is no limit."""
    return 0.0 if settings.read_capacity else provisioned(source, "ReadCapacityUnits") / 2


def read_bounds(table: Json, side: str, units: int, *, has_budget: bool) -> Iterator[Bound]:
    """Yield what limits ``units`` of consistent reads of a table, apart from a budget.

    Parameters
    ----------
    table
        ``Table`` of DescribeTable.
    side
        ``"source"`` or ``"destination"``.
    has_budget
        A budget is set. Otherwise half of a provisioned table's capacity is used.
    """
    has = provisioned(table, "ReadCapacityUnits")
    if has and not has_budget:
        reason = f"half of the {side}'s provisioned capacity, {has / 2:g} read units per second"
        yield Bound(units / (has / 2), f"{side}_provisioned", reason)
    count = partitions(table)
    reason = (
        f"{count_text(count, 'partition')} of the {side} table with {PARTITION_READ_UNITS:,} read units per "
        "second each"
    )
    yield Bound(units / (PARTITION_READ_UNITS * count), f"{side}_partitions", reason)
    if has:
        return
    yield from _maximum(table, "Read", units, side)
    yield _quota(table, "Read", units, f"the {side} table")


def workers(settings: CopySettings) -> int:
    """Return how many workers run at the same time."""
    return min(settings.concurrency, settings.total_segments)


def worker_rate(settings: CopySettings) -> float:
    """Return the write units per second of all workers, averaged over the whole backfill.

    DynamoDB scans in the order of the hashed partition key, and the same hash places an item in the
    destination, so a worker writes to one partition at a time. Segments are about equal. If their number is
    not a multiple of the workers, some workers have nothing to do at the end.
    """
    rounds = math.ceil(settings.total_segments / workers(settings))
    return PARTITION_WRITE_UNITS * settings.total_segments / rounds


def _steady(source: Json, destination: Json, work: Work, settings: CopySettings) -> Bound:
    return max(
        [*_bounds(source, destination, work, settings), _worker_bound(work, settings)],
        key=lambda bound: bound.seconds,
    )


def _bounds(source: Json, destination: Json, work: Work, settings: CopySettings) -> Iterator[Bound]:
    yield from _budgets(work, settings)
    yield from read_bounds(source, "source", work.read_units, has_budget=bool(settings.read_capacity))
    if provisioned(destination, "WriteCapacityUnits"):
        yield from _provisioned_bounds(destination, work)
    else:
        yield from _on_demand_bounds(destination, work)


def _budgets(work: Work, settings: CopySettings) -> Iterator[Bound]:
    for name, rate, units in (
        ("read_capacity", settings.read_capacity, work.read_units),
        ("write_capacity", settings.write_capacity, work.write_units),
    ):
        if rate:
            yield Bound(units / rate, name, f"backfill.{name}, {rate:g} units per second")


def _provisioned_bounds(destination: Json, work: Work) -> Iterator[Bound]:
    has = provisioned(destination, "WriteCapacityUnits")
    reason = f"the destination's provisioned capacity, {has:g} write units per second"
    yield Bound(work.table_units / has, "destination_provisioned", reason)
    for name, index in _global_indexes(destination).items():
        has = provisioned(index, "WriteCapacityUnits")
        if has:
            reason = (
                f"the provisioned capacity of the destination's index {name}, {has:g} write units per second"
            )
            yield Bound(work.index_units[name] / has, "destination_provisioned", reason)


def _on_demand_bounds(destination: Json, work: Work) -> Iterator[Bound]:
    yield from _maximum(destination, "Write", work.table_units, "destination")
    yield _quota(destination, "Write", work.table_units, "the destination table")
    for name, index in _global_indexes(destination).items():
        yield from _maximum(index, "Write", work.index_units[name], "destination")
        yield _quota(index, "Write", work.index_units[name], f"the destination's index {name}")


def _maximum(description: Json, kind: str, units: int, side: str) -> Iterator[Bound]:
    """Yield the limit of a table or index with a maximum throughput (On-demand maximum throughput)."""
    most = (description.get("OnDemandThroughput") or {}).get(f"Max{kind}RequestUnits", -1)
    if most > 0:
        reason = f"the maximum on-demand throughput of the {side}, {most:,} {kind.lower()} units per second"
        yield Bound(units / most, f"{side}_maximum", reason)


def _quota(description: Json, kind: str, units: int, of: str) -> Bound:
    # What is warm for more has a higher quota.
    rate = max(_warm(description, kind), TABLE_QUOTA_UNITS)
    reason = (
        f"the quota of {of}, {rate:,} {kind.lower()} units per second. Service Quotas raises it on request"
    )
    return Bound(units / rate, "table_quota", reason)


def _worker_bound(work: Work, settings: CopySettings) -> Bound:
    count = workers(settings)
    reason = (
        f"{count_text(count, 'worker')}, each limited to {PARTITION_WRITE_UNITS:,} write units per second by "
        "the partition that it writes to"
    )
    return Bound(work.table_units / worker_rate(settings), "workers", reason)


def _ramped(steady: Bound, destination: Json, work: Work) -> Bound:
    """Return the limit with the time in which an on-demand destination grows to the steady rate."""
    if provisioned(destination, "WriteCapacityUnits") or not work.table_units:
        return steady
    indexes = _global_indexes(destination)
    parts = [(destination, work.table_units), *((indexes[name], n) for name, n in work.index_units.items())]
    found = steady
    for description, units in parts:
        start = max(_warm(description, "Write"), NEW_TABLE_WRITE_UNITS)
        seconds, growing = _growth(units, start, units / steady.seconds)
        if seconds <= found.seconds:
            continue
        if growing < _RAMP_PART * seconds:
            found = Bound(seconds, steady.limit, steady.reason)
            continue
        reason = (
            f"{start:,} write units per second, with which an on-demand destination starts; use doubles it "
            "about every 30 minutes, warm throughput raises it from the start"
        )
        found = Bound(seconds, "destination_on_demand", reason)
    return found


def _growth(units: int, start: float, most: float) -> tuple[float, float]:
    """Return how long ``units`` take at a rate that doubles up to ``most``, and how long it is below that."""
    seconds, rate, left = 0.0, start, float(units)
    while rate < most and left > rate * GROWTH_SECONDS:
        left -= rate * GROWTH_SECONDS
        seconds += GROWTH_SECONDS
        rate *= 2
    last = left / min(rate, most)
    return seconds + last, seconds if rate >= most else seconds + last


def _warm(description: Mapping[str, Any], kind: str) -> int:
    return int((description.get("WarmThroughput") or {}).get(f"{kind}UnitsPerSecond", 0))


def _global_indexes(description: Json) -> dict[str, Json]:
    return {index["IndexName"]: index for index in description.get("GlobalSecondaryIndexes") or []}
