"""The estimate of a copy: request units, time, what limits its speed, and what it costs item by item.

Counts and sizes are those of DescribeTable, which AWS updates about every six hours.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from tablecopy.control.tables import Caller, key_definition, provisioned
from tablecopy.dynamodb.client import Json
from tablecopy.metrics import log
from tablecopy.settings import CopySettings
from tablecopy.text import count_text

# A strongly consistent read takes a unit for 4 KB, a write one for 1 KB (Developer Guide, Capacity modes).
_READ_UNIT_BYTES = 4096
_WRITE_UNIT_BYTES = 1024

_NEW_TABLE_WRITE_UNITS = 4_000
"""Write units per second of a new on-demand table (Developer Guide, On-demand capacity mode)."""

# A worker copies 50,000 items of 360 B, or 70 MB of larger ones, per second of a core (docs/benchmarks.md,
# figure backfill). The estimate takes a fifth less, since that figure does not include TLS. With 512 MB of
# memory a worker has 512 / 1769 of a core (Lambda, Configuring memory).
_CORES = 512 / 1769
WORKER_ITEMS_PER_SECOND = 40_000 * _CORES
WORKER_BYTES_PER_SECOND = 56_000_000 * _CORES

JOURNAL_WRITES_PER_BATCH = 3
"""Writes of the replicator for a batch: lease, release, applied batch."""

# The item of an applied batch: the name of each record, and all else.
_JOURNAL_BYTES_PER_RECORD = 9
_JOURNAL_BYTES_PER_BATCH = 300

JOURNAL_WRITES_PER_PAGE = 1
"""Write units of a worker for a page: the segment's checkpoint."""

JOURNAL_WRITES_PER_INVOCATION = 2
"""Write units of a worker for an invocation: its lease and the release."""

TRANSITIONS_PER_SEGMENT = 3
"""State transitions of a segment in a slice, with a single invocation: Scan, More, EndSegment."""

TRANSITIONS_PER_INVOCATION = 2
"""State transitions of each further invocation: Scan, More."""

_PAGE_BYTES = 1_000_000
_DAY_SECONDS = 86_400

# A batch of changes is read, written and recorded in some hundred milliseconds.
_BATCH_SECONDS = 0.3
_BATCH_RECORDS = 1_000
_BATCHING_WINDOW_SECONDS = 1.0

# Lambda's own START, END and REPORT lines, and one or two of the function.
_LOG_BYTES_PER_INVOCATION = 1_000

# The reconciler is invoked once a minute and watches for most of it, reading each shard about once a second.
_RECONCILER_BUSY = 50 / 60
_MINUTES_PER_DAY = 1_440

# JSON spells out types and names of attributes, and HTTP adds headers.
_WIRE_FACTOR = 1.3


@dataclass(frozen=True)
class Estimate:
    """What the backfill of a table will take. Changes made during the copy are not included.

    Attributes
    ----------
    items, bytes
        What the source holds: DynamoDB's ItemCount and TableSizeBytes, which are up to six hours old.
    read_units, write_units
        Request units. Writes include the destination's indexes, as if every item were in each index.
    units_per_item
        Write units of an average item and its index entries, for each change.
    cost, currency
        Cost of these units at on-demand prices.
    seconds
        Copy time without the pauses between slices.
    limit
        The limit that determines the time: "read_capacity", "write_capacity", "source_provisioned",
        "destination_provisioned",
        "destination_on_demand" or "workers".
    limit_reason
        The same limit for people.
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
        """Return the fields by their names."""
        return asdict(self)


@dataclass(frozen=True)
class _Bound:
    seconds: float
    limit: str
    reason: str


def estimate(source: Json, destination: Json, settings: CopySettings) -> Estimate:
    """Estimate copying ``source`` to ``destination``, each the ``Table`` of DescribeTable."""
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


def inspect_tables(
    source: Caller, source_table: str, destination: Caller, destination_table: str, settings: CopySettings
) -> Json:
    """Return the fields of a run that follow from its tables, which preflight has found.

    Returns
    -------
    dict
        ``key_names``, ``read_ceiling``, ``destination_id`` and ``estimate`` (JSON text): see journal.run.Run.
    """
    read = source.call("describe_table", {"TableName": source_table})["Table"]
    written = destination.call("describe_table", {"TableName": destination_table})["Table"]
    expected = estimate(read, written, settings).as_json()
    log.event("estimate", **expected)
    return {
        "key_names": tuple(name for name, _, _ in key_definition(read)),
        "read_ceiling": read_ceiling(read, settings),
        "destination_id": written.get("TableId", ""),
        "estimate": json.dumps(expected),
    }


def read_ceiling(source: Json, settings: CopySettings) -> float:
    """Return the read units per second not to exceed if no read capacity is set; 0 if there is no limit."""
    return 0.0 if settings.read_capacity else provisioned(source, "ReadCapacityUnits") / 2


def _item_units(items: int, size: int) -> int:
    return max(1, math.ceil(size / items / _WRITE_UNIT_BYTES)) if items else 0


def _index_units(index: Json, items: int, size: int) -> int:
    """Return write units per item. The size of a partial projection is unknown and counts as one unit."""
    whole = index.get("Projection", {}).get("ProjectionType") == "ALL"
    return _item_units(items, size) if whole else 1


def _indexes(description: Json) -> Iterator[Json]:
    yield from description.get("GlobalSecondaryIndexes") or []
    yield from description.get("LocalSecondaryIndexes") or []


def _read_bounds(source: Json, units: int, settings: CopySettings) -> Iterator[_Bound]:
    if settings.read_capacity:
        rate = settings.read_capacity
        yield _Bound(units / rate, "read_capacity", f"backfill.read_capacity, {rate:g} units per second")
    ceiling = read_ceiling(source, settings)
    if ceiling:
        reason = f"half of the source's provisioned capacity, {ceiling:g} read units per second"
        yield _Bound(units / ceiling, "source_provisioned", reason)


def _write_bounds(
    destination: Json, table_units: int, indexes: dict[str, int], units: int, settings: CopySettings
) -> Iterator[_Bound]:
    if settings.write_capacity:
        rate = settings.write_capacity
        yield _Bound(units / rate, "write_capacity", f"backfill.write_capacity, {rate:g} units per second")
    has = provisioned(destination, "WriteCapacityUnits")
    if not has:
        warm = float(destination.get("WarmThroughput", {}).get("WriteUnitsPerSecond", 0))
        rate = max(warm, _NEW_TABLE_WRITE_UNITS)
        reason = (
            f"{rate:g} write units per second, with which an on-demand destination starts; use raises it "
            "over time, warm throughput from the start"
        )
        yield _Bound(max([table_units, *indexes.values()]) / rate, "destination_on_demand", reason)
        return
    # A local index uses the table's capacity, a global index has its own.
    own = {index["IndexName"]: index for index in destination.get("GlobalSecondaryIndexes") or []}
    local = sum(taken for name, taken in indexes.items() if name not in own)
    reason = f"the destination's provisioned capacity, {has:g} write units per second"
    yield _Bound((table_units + local) / has, "destination_provisioned", reason)
    for name, index in own.items():
        has = provisioned(index, "WriteCapacityUnits")
        if has:
            reason = (
                f"the provisioned capacity of the destination's index {name}, {has:g} write units per second"
            )
            yield _Bound(indexes[name] / has, "destination_provisioned", reason)


def _worker_bound(items: int, size: int, settings: CopySettings) -> _Bound:
    workers = min(settings.concurrency, settings.total_segments)
    seconds = max(items / WORKER_ITEMS_PER_SECOND, size / WORKER_BYTES_PER_SECOND) / workers
    return _Bound(seconds, "workers", f"{count_text(workers, 'worker')} at the same time")


@dataclass(frozen=True)
class Cost:
    """One item of the cost.

    Parameters
    ----------
    what
        Noun phrase.
    units, unit
        Amount and unit that AWS charges for.
    cost
        In the currency of the prices.
    """

    what: str
    units: float
    unit: str
    cost: float

    def as_json(self) -> Json:
        """Return the fields by their names."""
        return asdict(self)


@dataclass(frozen=True)
class Circumstances:
    """What else the cost depends on, except tables and settings. Defaults are the module's.

    Parameters
    ----------
    changes_per_second
        Writes to the source table while the copy runs.
    shards
        Open shards of its stream.
    days
        Days until the cutover; ``None`` for as long as the backfill takes, and a day at least.
    worker_memory_mb, replicator_memory_mb, reconciler_memory_mb
        Memory of the functions.
    worker_seconds
        Timeout of the backfill function. Another invocation continues a segment that takes longer.
    nat
        Whether the functions are in a VPC that reaches DynamoDB through a NAT gateway.
    """

    changes_per_second: float = 0.0
    shards: int = 1
    days: float | None = None
    worker_memory_mb: int = 512
    replicator_memory_mb: int = 512
    reconciler_memory_mb: int = 256
    worker_seconds: int = 300
    nat: bool = False


def costs(expected: Estimate, settings: CopySettings, given: Circumstances) -> list[Cost]:
    """Return what a copy will cost, beginning with the request units of both tables."""
    return list(_costs(expected, settings, given))


def _costs(expected: Estimate, settings: CopySettings, given: Circumstances) -> Iterator[Cost]:
    prices = settings.prices
    days = given.days if given.days is not None else max(1.0, expected.seconds / _DAY_SECONDS)
    seconds = days * _DAY_SECONDS
    changes = given.changes_per_second * seconds
    batches = _batches_per_second(given) * seconds
    write, read = prices.write_per_million / 1e6, prices.read_per_million / 1e6

    def priced(what: str, units: float, unit: str, price: float) -> Cost:
        return Cost(what, round(units, 3), unit, round(units * price, 4))

    yield priced("read the source", expected.read_units, "read units", read)
    yield priced("write the destination", expected.write_units, "write units", write)
    change_units = changes * expected.units_per_item
    yield priced("changes during the copy", change_units, "write units", write)

    slices = max(1, math.ceil(expected.seconds / settings.slice_seconds))
    workers = min(settings.concurrency, settings.total_segments)
    busy = expected.seconds * workers
    begun = slices * settings.total_segments
    invocations = begun + busy / given.worker_seconds
    pages = expected.bytes / _PAGE_BYTES + settings.total_segments
    journal = (
        pages * JOURNAL_WRITES_PER_PAGE
        + invocations * JOURNAL_WRITES_PER_INVOCATION
        + batches * (JOURNAL_WRITES_PER_BATCH - 1)
        + _applied_batch_units(changes, batches)
    )
    yield priced("journal", journal, "write units", write)
    gb_second = prices.lambda_per_gb_second
    yield priced("backfill function", busy * given.worker_memory_mb / 1024, "GB seconds", gb_second)
    replicating = batches * _BATCH_SECONDS * given.replicator_memory_mb / 1024
    yield priced("replicator function", replicating, "GB seconds", gb_second)
    controlling = seconds * _RECONCILER_BUSY * given.reconciler_memory_mb / 1024
    yield priced("reconciler function", controlling, "GB seconds", gb_second)
    calls = invocations + batches + days * _MINUTES_PER_DAY
    yield priced("Lambda requests", calls, "requests", prices.lambda_per_million_requests / 1e6)
    reads = given.shards * seconds * _RECONCILER_BUSY
    yield priced("stream reads by the reconciler", reads, "requests", prices.stream_per_million_reads / 1e6)
    transitions = begun * TRANSITIONS_PER_SEGMENT + slices + invocations * TRANSITIONS_PER_INVOCATION
    yield priced("Step Functions", transitions, "transitions", prices.states_per_million_transitions / 1e6)
    logged = calls * _LOG_BYTES_PER_INVOCATION / 1e9
    yield priced("logs", logged, "GB", prices.logs_per_gb)
    if given.nat:
        moved = 2 * expected.bytes * _WIRE_FACTOR / 1e9
        yield priced("NAT gateway", moved, "GB", prices.nat_per_gb)


def _applied_batch_units(changes: float, batches: float) -> float:
    """Return the write units of the items of applied batches, each at least one."""
    # Rounding up adds half a unit on average.
    size = _JOURNAL_BYTES_PER_BATCH * batches + _JOURNAL_BYTES_PER_RECORD * changes
    return max(batches, size / _WRITE_UNIT_BYTES + batches / 2)


def _batches_per_second(given: Circumstances) -> float:
    """Return batches of all shards: one for each window in which a shard has changes, more if it is full."""
    rate = given.changes_per_second
    return max(min(rate, given.shards / _BATCHING_WINDOW_SECONDS), rate / _BATCH_RECORDS)
