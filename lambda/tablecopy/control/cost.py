"""What a copy will cost, item by item, with what is charged besides the request units of the two tables."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from tablecopy.control.estimate import Estimate
from tablecopy.dynamodb.client import Json
from tablecopy.settings import CopySettings

JOURNAL_WRITES_PER_BATCH = 4
"""Write units of the replicator for a batch: a lease taken and released, its records' numbers, its mark."""

JOURNAL_WRITES_PER_PAGE = 1
"""Write units of a worker for a page: the segment's checkpoint."""

JOURNAL_WRITES_PER_INVOCATION = 2
"""Write units of a worker for an invocation: its lease taken and given back."""

TRANSITIONS_PER_SEGMENT = 3
"""State transitions of a segment in a slice, with a single invocation: Scan, More, EndSegment."""

TRANSITIONS_PER_INVOCATION = 2
"""State transitions of each further invocation: Scan, More."""

_PAGE_BYTES = 1_000_000
_DAY_SECONDS = 86_400

# A batch of changes is read, written and marked in some hundred milliseconds.
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
class Cost:
    """One item of the bill.

    Parameters
    ----------
    what
        Noun phrase.
    units, unit
        How much of what AWS charges for.
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
    """What the cost depends on besides the tables and the settings. Defaults are the module's.

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
        Timeout of the backfill function: a segment that takes longer is carried on by another invocation.
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
    """List what a copy will cost, the request units of the two tables first."""
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
        + batches * JOURNAL_WRITES_PER_BATCH
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


def _batches_per_second(given: Circumstances) -> float:
    """Batches of all shards: one for each window in which a shard has changes, and more where it is full."""
    rate = given.changes_per_second
    return max(min(rate, given.shards / _BATCHING_WINDOW_SECONDS), rate / _BATCH_RECORDS)
