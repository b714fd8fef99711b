"""What a copy costs: the request units of both tables, and what its functions use while it runs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

from tablecopy.control.bounds import WRITE_UNIT_BYTES, workers
from tablecopy.control.estimate import Estimate
from tablecopy.dynamodb.client import Json
from tablecopy.settings import CopySettings, Prices, reader_count

JOURNAL_WRITES_PER_BATCH = 3
"""Writes of the replicator for a batch: lease, release, applied batch."""

JOURNAL_READS_PER_BATCH = 2
"""Reads of the replicator for a batch, a unit each: the run, and whether the batch is applied already."""

JOURNAL_BYTES_PER_BATCH = 300
"""Size of the item of an applied batch, without the names of its records."""

_JOURNAL_BYTES_PER_RECORD = 9

JOURNAL_WRITES_PER_PAGE = 1
"""Write units of a worker for a page: the segment's checkpoint."""

JOURNAL_WRITES_PER_INVOCATION = 2
"""Write units of a worker for an invocation: its lease and the release."""

JOURNAL_WRITES_PER_SEGMENT = 1
"""Write units of the first worker for a segment: its item."""

TRANSITIONS_PER_SEGMENT = 3
"""State transitions of a segment in a slice, with a single invocation: Scan, More, EndSegment."""

TRANSITIONS_PER_INVOCATION = 2
"""State transitions of each further invocation: Scan, More."""

LONG_WINDOW_SHARDS = 100
"""Active shards from which a longer batching window is worth its delay."""

LONG_WINDOW_SECONDS = 5
"""Such a window. It cannot be much longer: between slices, the replicator must catch up to a few seconds."""

_PAGE_BYTES = 1_000_000
_DAY_SECONDS = 86_400

# A batch takes five calls after another, and each record some CPU time of 512 MB (docs/benchmarks.md, figure
# replicator_cpu).
_BATCH_SECONDS = 0.1
_RECORD_SECONDS = 0.000_2
_BATCH_RECORDS = 1_000

# Without a batching window, Lambda polls a shard four times a second (Lambda, Using Lambda with DynamoDB).
_POLL_SECONDS = 0.25

# Lambda's own START, END and REPORT lines, and one or two of the function.
LOG_BYTES_PER_INVOCATION = 1_000

RECONCILER_SECONDS = 55
"""Seconds of each minute for which the reconciler looks at the shards."""

LOOK_PAUSE_SECONDS = 1.0
"""Seconds between two looks."""

SAVE_SECONDS = 30.0
"""The reconciler writes the journal's row of a shard with changes this often."""

TURN_SECONDS = 5.0
"""The reconciler renews its claim in the journal this often."""

READERS = 32
"""Shards that the reconciler reads at the same time."""

# A call to GetRecords takes a reader so long, and so much of a core. A core is 1,769 MB (Lambda, Configuring
# memory).
_READ_SECONDS = 0.02
_READ_CORE_SECONDS = 0.000_4
_CORE_MB = 1_769

# A look also reads the run and the segments.
_JOURNAL_READS_PER_LOOK = 2

_MINUTES_PER_DAY = 1_440

# MB of memory that the reconciler needs with more than so many open shards (docs/sizes.md).
_RECONCILER_MEMORY = ((1_000, 1_769), (100, 512))

# JSON spells out types and names of attributes, and HTTP adds headers.
WIRE_FACTOR = 1.3


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
        Open shards of its stream; ``None`` for as many as the estimate expects.
    days
        Days until the cutover; ``None`` for as long as the backfill takes, and a day at least.
    batching_window_seconds
        Lambda invokes the replicator this often for a shard with changes.
    worker_memory_mb, replicator_memory_mb, reconciler_memory_mb
        Memory of the functions.
    worker_seconds
        Timeout of the backfill function. Another invocation continues a segment that takes longer.
    nat
        Whether the functions are in a VPC that reaches DynamoDB through a NAT gateway.
    """

    changes_per_second: float = 0.0
    shards: int | None = None
    days: float | None = None
    batching_window_seconds: float = 1.0
    worker_memory_mb: int = 512
    replicator_memory_mb: int = 512
    reconciler_memory_mb: int = 256
    worker_seconds: int = 300
    nat: bool = False


@dataclass(frozen=True)
class Use:
    """What a function uses of the services that charge by use."""

    gb_seconds: float = 0.0
    requests: float = 0.0
    journal_writes: float = 0.0
    journal_reads: float = 0.0
    stream_reads: float = 0.0

    @property
    def log_gb(self) -> float:
        """GB of logs."""
        return self.requests * LOG_BYTES_PER_INVOCATION / 1e9

    def price(self, prices: Prices) -> float:
        """Return the cost in the currency of ``prices``."""
        return (
            self.gb_seconds * prices.lambda_per_gb_second
            + self.log_gb * prices.logs_per_gb
            + (
                self.requests * prices.lambda_per_million_requests
                + self.journal_writes * prices.write_per_million
                + self.journal_reads * prices.read_per_million
                + self.stream_reads * prices.stream_per_million_reads
            )
            / 1e6
        )


def costs(expected: Estimate, settings: CopySettings, given: Circumstances) -> list[Cost]:
    """Return what a copy will cost, beginning with the request units of both tables."""
    return list(_costs(expected, settings, given))


def window_advice(expected: Estimate, settings: CopySettings, given: Circumstances) -> str:
    """Return which batching window to set, and what that saves; empty if the present one fits."""
    shards = given.shards or expected.shards
    longer = replace(given, shards=shards, batching_window_seconds=LONG_WINDOW_SECONDS)
    if given.batching_window_seconds >= LONG_WINDOW_SECONDS or _active_shards(longer) < LONG_WINDOW_SHARDS:
        return ""
    now, then = (
        replicator_use(each, _DAY_SECONDS).price(settings.prices)
        for each in (replace(given, shards=shards), longer)
    )
    return (
        f"set replicator.batching_window_seconds = {LONG_WINDOW_SECONDS}. The replicator then costs about "
        f"{then:,.0f} {settings.prices.currency} a day instead of {now:,.0f}, and changes arrive up to "
        f"{LONG_WINDOW_SECONDS} seconds later"
    )


def memory_advice(expected: Estimate, given: Circumstances) -> str:
    """Return which memory to set for the reconciler; empty if the present one fits. See docs/sizes.md."""
    shards = given.shards or expected.shards
    memory_mb = next((memory_mb for above, memory_mb in _RECONCILER_MEMORY if shards > above), 0)
    if given.reconciler_memory_mb >= memory_mb:
        return ""
    return (
        f"set control.memory_mb = {memory_mb}. With {shards:,} open shards, the reconciler otherwise shows "
        "the age of changes late, and the run is ready for cutover later"
    )


def replicator_use(given: Circumstances, seconds: float) -> Use:
    """Return what the replicator uses in ``seconds``. ``given.shards`` must be set."""
    batches = _batches_per_second(given) * seconds
    changes = given.changes_per_second * seconds
    return Use(
        gb_seconds=(batches * _BATCH_SECONDS + changes * _RECORD_SECONDS) * given.replicator_memory_mb / 1024,
        requests=batches,
        journal_writes=batches * (JOURNAL_WRITES_PER_BATCH - 1) + _applied_batch_units(changes, batches),
        journal_reads=batches * JOURNAL_READS_PER_BATCH,
    )


def reconciler_use(given: Circumstances, seconds: float) -> Use:
    """Return what the reconciler uses in ``seconds``. ``given.shards`` must be set.

    It reads all open shards in a look, if there are many with the help of other invocations. Of a shard with
    changes, it looks up each applied batch, and the one that it expects next.
    """
    assert given.shards is not None
    working = seconds * RECONCILER_SECONDS / 60
    look = look_seconds(given.shards, given.reconciler_memory_mb)
    looks = working / (LOOK_PAUSE_SECONDS + look)
    active, readers = _active_shards(given), reader_count(given.shards)
    # With readers, each row is also written at the end of an invocation.
    rows = seconds / 60 * active if readers else 0.0
    return Use(
        gb_seconds=(working + looks * look * readers) * given.reconciler_memory_mb / 1024,
        requests=seconds / 60 + looks * readers,
        journal_writes=working / TURN_SECONDS + working * active / SAVE_SECONDS + rows,
        journal_reads=looks * (_JOURNAL_READS_PER_LOOK + active) + _batches_per_second(given) * seconds,
        stream_reads=looks * given.shards,
    )


def look_seconds(shards: int, memory_mb: int) -> float:
    """Return how long the reconciler reads all shards: its readers wait for AWS, or for the processor."""
    shards_of_one = shards / max(1, reader_count(shards))
    return shards_of_one * max(_READ_SECONDS / READERS, _READ_CORE_SECONDS * _CORE_MB / memory_mb)


def _costs(expected: Estimate, settings: CopySettings, given: Circumstances) -> Iterator[Cost]:
    prices = settings.prices
    given = replace(given, shards=given.shards or expected.shards)
    days = given.days if given.days is not None else max(1.0, expected.seconds / _DAY_SECONDS)
    seconds = days * _DAY_SECONDS
    write, read = prices.write_per_million / 1e6, prices.read_per_million / 1e6

    def priced(what: str, units: float, unit: str, price: float) -> Cost:
        return Cost(what, round(units, 3), unit, round(units * price, 4))

    yield priced("read the source", expected.read_units, "read units", read)
    yield priced("write the destination", expected.write_units, "write units", write)
    change_units = given.changes_per_second * seconds * expected.units_per_item
    yield priced("changes during the copy", change_units, "write units", write)

    backfill, transitions = _backfill_use(expected, settings, given)
    replicator, reconciler = replicator_use(given, seconds), reconciler_use(given, seconds)
    uses = (backfill, replicator, reconciler)
    yield priced("journal writes", sum(use.journal_writes for use in uses), "write units", write)
    yield priced("journal reads", sum(use.journal_reads for use in uses), "read units", read)
    for name, use in (("backfill", backfill), ("replicator", replicator), ("reconciler", reconciler)):
        yield priced(f"{name} function", use.gb_seconds, "GB seconds", prices.lambda_per_gb_second)
    calls = sum(use.requests for use in uses)
    yield priced("Lambda requests", calls, "requests", prices.lambda_per_million_requests / 1e6)
    reads = reconciler.stream_reads
    yield priced("stream reads by the reconciler", reads, "requests", prices.stream_per_million_reads / 1e6)
    yield priced("Step Functions", transitions, "transitions", prices.states_per_million_transitions / 1e6)
    yield priced("logs", sum(use.log_gb for use in uses), "GB", prices.logs_per_gb)
    if given.nat:
        moved = 2 * expected.bytes * WIRE_FACTOR / 1e9
        yield priced("NAT gateway", moved, "GB", prices.nat_per_gb)


def _backfill_use(expected: Estimate, settings: CopySettings, given: Circumstances) -> tuple[Use, float]:
    """Return what the backfill uses, and its state transitions."""
    slices = max(1, math.ceil(expected.seconds / settings.slice_seconds))
    busy = expected.seconds * workers(settings)
    # A slice begins each segment that it comes to, and most of the last ones again.
    begun = settings.total_segments + (slices - 1) * workers(settings)
    invocations = begun + busy / given.worker_seconds
    pages = expected.bytes / _PAGE_BYTES + settings.total_segments
    use = Use(
        gb_seconds=busy * given.worker_memory_mb / 1024,
        requests=invocations,
        journal_writes=pages * JOURNAL_WRITES_PER_PAGE
        + invocations * JOURNAL_WRITES_PER_INVOCATION
        + settings.total_segments * JOURNAL_WRITES_PER_SEGMENT,
    )
    return use, begun * TRANSITIONS_PER_SEGMENT + slices + invocations * TRANSITIONS_PER_INVOCATION


def _applied_batch_units(changes: float, batches: float) -> float:
    """Return the write units of the items of applied batches, each at least one."""
    # Rounding up adds half a unit on average.
    size = JOURNAL_BYTES_PER_BATCH * batches + _JOURNAL_BYTES_PER_RECORD * changes
    return max(batches, size / WRITE_UNIT_BYTES + batches / 2)


def _batches_per_second(given: Circumstances) -> float:
    """Return batches of all shards: one for each window in which a shard has changes, more if it is full."""
    assert given.shards is not None
    rate = given.changes_per_second
    window = max(given.batching_window_seconds, _POLL_SECONDS)
    return max(min(rate, given.shards / window), rate / _BATCH_RECORDS)


def _active_shards(given: Circumstances) -> float:
    """Return how many shards have changes in a batching window."""
    assert given.shards is not None
    return min(given.shards, given.changes_per_second * given.batching_window_seconds)
