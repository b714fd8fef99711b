"""The estimate of a verification in the account: time, what limits it, cost, and settings that fit.

Both tables are read once, with consistent reads, whether writers are stopped or not. Rechecks are not
included: they read only the keys that differ.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

from tablecopy.control.bounds import (
    PARTITION_READ_UNITS,
    READ_UNIT_BYTES,
    Bound,
    read_bounds,
)
from tablecopy.control.cost import LOG_BYTES_PER_INVOCATION, WIRE_FACTOR, Cost
from tablecopy.control.sizing import SEGMENT_BYTES
from tablecopy.dynamodb.client import Json
from tablecopy.settings import Prices
from tablecopy.text import count_text, duration_text

CORE_MB = 1_769
"""Memory of a function with one whole processor (Lambda, Configuring memory). A worker uses one at most."""

# CPU seconds of an item of one table, and of each of its bytes, if both tables return the same bytes: a line
# above the figures of three shapes (make bench ONLY=verify_account), and a quarter more for TLS.
_ITEM_CORE_SECONDS = 1.25 * 4e-6
_BYTE_CORE_SECONDS = 1.25 * 12.5e-9

_SAVE_SECONDS = 10.0
"""A worker saves its progress this often."""

# A transaction of one small item.
_JOURNAL_WRITES_PER_SAVE = 2

# The verification and the segment.
_JOURNAL_READS_PER_INVOCATION = 2

# For each segment: Compare, AfterCompare, EndCompare. For each further invocation: Compare, AfterCompare.
_TRANSITIONS_PER_SEGMENT, _TRANSITIONS_PER_INVOCATION = 3, 2

# Advance and Decide before and after the Map, and the Map.
_TRANSITIONS = 6

# Terraform allows up to 10,000 of each (modules/copy, verification).
_MOST = 10_000

# More workers must save time that matters.
_LONG_SECONDS = 3_600.0
_WORTHWHILE = 0.8


@dataclass(frozen=True)
class VerificationPlan:
    """Settings of the verification. The defaults are the module's; see its variable ``verification``."""

    segments: int = 16
    concurrency: int = 16
    read_capacity: float | None = None
    destination_read_capacity: float | None = None
    memory_mb: int = CORE_MB
    timeout_seconds: int = 900

    @property
    def workers(self) -> int:
        """How many segments are compared at the same time."""
        return min(self.segments, self.concurrency)


@dataclass(frozen=True)
class VerificationEstimate:
    """What a verification takes.

    Attributes
    ----------
    segments, concurrency
        The settings that it was calculated with.
    seconds
        Time of the scans.
    limit, limit_reason
        What determines the time: "workers", "read_capacity" or "destination_read_capacity" (the budgets),
        "table_quota", or of the source or the destination "source_provisioned", "source_partitions" or
        "source_maximum"; and the same for people.
    costs
        Each part of the cost.
    total_cost
        Their sum.
    advice
        Settings that fit the table better; empty if the present ones fit.
    """

    segments: int
    concurrency: int
    seconds: float
    limit: str
    limit_reason: str
    costs: tuple[Cost, ...]
    total_cost: float
    advice: str

    def as_json(self) -> Json:
        """Return the fields by their names."""
        return asdict(self)


def estimate_verification(
    source: Json, destination: Json, plan: VerificationPlan, prices: Prices, *, nat: bool = False
) -> VerificationEstimate:
    """Estimate a comparison of both tables, of which the destination holds what the source holds.

    Parameters
    ----------
    source, destination
        ``Table`` of DescribeTable. A destination that does not exist yet is an empty dict.
    nat
        Whether the functions reach DynamoDB through a NAT gateway.
    """
    counts = {name: int(source.get(name, 0)) for name in ("ItemCount", "TableSizeBytes")}
    destination = {**destination, **counts}
    binding = _slowest(source, destination, plan)
    costs = tuple(_costs(counts["TableSizeBytes"], binding.seconds, plan, prices, nat=nat))
    return VerificationEstimate(
        plan.segments,
        plan.concurrency,
        round(binding.seconds, 1),
        binding.limit,
        binding.reason,
        costs,
        round(sum(cost.cost for cost in costs), 4),
        _advice(source, destination, plan, binding.seconds),
    )


def fitting(source: Json, destination: Json, plan: VerificationPlan) -> VerificationPlan:
    """Return the plan with enough segments, and with more workers if they save time that matters.

    A segment lists a thousand differences and keeps ten thousand open keys, so a large table needs many.
    """
    other = max(bound.seconds for bound in _table_bounds(source, destination, plan))
    # The division is not exact, and must not call for one more worker.
    needed = math.ceil(_units(source, plan) / other / _worker_units(source, plan) - 1e-6)
    more = _with_workers(source, plan, min(_MOST, max(plan.workers, needed)))
    now, then = (_slowest(source, destination, each).seconds for each in (plan, more))
    if now >= _LONG_SECONDS and then <= _WORTHWHILE * now:
        return more
    return replace(_with_workers(source, plan, plan.workers), concurrency=plan.concurrency)


def _with_workers(source: Json, plan: VerificationPlan, workers: int) -> VerificationPlan:
    least = math.ceil(int(source.get("TableSizeBytes", 0)) / SEGMENT_BYTES)
    segments = max(plan.segments, workers)
    if segments < least or workers > plan.workers:
        # A multiple, so that no worker has nothing to do at the end.
        segments = math.ceil(max(segments, least) / workers) * workers
    return replace(plan, segments=min(_MOST, segments), concurrency=workers)


def _slowest(source: Json, destination: Json, plan: VerificationPlan) -> Bound:
    bounds = [*_table_bounds(source, destination, plan), _worker_bound(source, plan)]
    return max(bounds, key=lambda bound: bound.seconds)


def _table_bounds(source: Json, destination: Json, plan: VerificationPlan) -> Iterator[Bound]:
    units = _units(source, plan)
    budgets = {
        "read_capacity": plan.read_capacity,
        "destination_read_capacity": plan.destination_read_capacity,
    }
    for name, rate in budgets.items():
        if rate:
            yield Bound(units / rate, name, f"verification.{name}, {rate:g} units per second")
    yield from read_bounds(source, "source", units, has_budget=bool(plan.read_capacity))
    budget = bool(plan.destination_read_capacity)
    yield from read_bounds(destination, "destination", units, has_budget=budget)


def _worker_bound(source: Json, plan: VerificationPlan) -> Bound:
    """Return the limit of the workers. A worker reads a partition of each table at a time."""
    rate = _worker_units(source, plan)
    by = "the partition that it reads" if rate == PARTITION_READ_UNITS else "its processor"
    reason = (
        f"{count_text(plan.workers, 'worker')}, each limited to {rate:,.0f} read units per second by {by}"
    )
    # Segments are about equal. If their number is not a multiple of the workers, some end early.
    rounds = math.ceil(plan.segments / plan.workers)
    return Bound(_units(source, plan) / (rate * plan.segments / rounds), "workers", reason)


def _worker_units(source: Json, plan: VerificationPlan) -> float:
    """Return the read units a second of each table that one worker can compare."""
    items, size = int(source.get("ItemCount", 0)), int(source.get("TableSizeBytes", 0))
    seconds = 2 * (items * _ITEM_CORE_SECONDS + size * _BYTE_CORE_SECONDS)
    if not seconds:
        return PARTITION_READ_UNITS
    cores = min(1.0, plan.memory_mb / CORE_MB)
    return min(PARTITION_READ_UNITS, cores * _units(source, plan) / seconds)


def _units(source: Json, plan: VerificationPlan) -> int:
    # An empty page takes a unit as well, and each segment has a last one.
    return math.ceil(int(source.get("TableSizeBytes", 0)) / READ_UNIT_BYTES) + plan.segments


def _costs(size: int, seconds: float, plan: VerificationPlan, prices: Prices, *, nat: bool) -> Iterator[Cost]:
    units = math.ceil(size / READ_UNIT_BYTES) + plan.segments
    # Workers that wait for capacity are paid as well.
    busy = seconds * plan.workers
    invocations = plan.segments + busy / plan.timeout_seconds
    saves = plan.segments + busy / _SAVE_SECONDS
    transitions = (
        _TRANSITIONS
        + plan.segments * _TRANSITIONS_PER_SEGMENT
        + (invocations - plan.segments) * _TRANSITIONS_PER_INVOCATION
    )
    # The reconciler reads the progress of each segment once a minute, for the metrics.
    reads = invocations * _JOURNAL_READS_PER_INVOCATION + plan.segments * seconds / 60
    read, write = prices.read_per_million / 1e6, prices.write_per_million / 1e6

    def priced(what: str, amount: float, unit: str, price: float) -> Cost:
        return Cost(what, round(amount, 3), unit, round(amount * price, 4))

    yield priced("read the source", units, "read units", read)
    yield priced("read the destination", units, "read units", read)
    gb_seconds = busy * plan.memory_mb / 1024
    yield priced("verifier function", gb_seconds, "GB seconds", prices.lambda_per_gb_second)
    yield priced("Lambda requests", invocations, "requests", prices.lambda_per_million_requests / 1e6)
    yield priced("journal writes", saves * _JOURNAL_WRITES_PER_SAVE, "write units", write)
    yield priced("journal reads", reads, "read units", read)
    yield priced("Step Functions", transitions, "transitions", prices.states_per_million_transitions / 1e6)
    yield priced("logs", invocations * LOG_BYTES_PER_INVOCATION / 1e9, "GB", prices.logs_per_gb)
    if nat:
        yield priced("NAT gateway", 2 * size * WIRE_FACTOR / 1e9, "GB", prices.nat_per_gb)


def _advice(source: Json, destination: Json, plan: VerificationPlan, seconds: float) -> str:
    better = fitting(source, destination, plan)
    if better.concurrency != plan.concurrency:
        then = _slowest(source, destination, better).seconds
        return (
            f"set verification.segments = {better.segments} and verification.concurrency = "
            f"{better.concurrency}. The comparison then takes {duration_text(then)} instead of "
            f"{duration_text(seconds)}"
        )
    if better.segments != plan.segments:
        most = SEGMENT_BYTES // 10**9
        return f"set verification.segments = {better.segments}. A segment then holds at most {most} GB"
    return ""
