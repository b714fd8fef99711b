"""Estimate of a comparison: read units, cost, time, and what limits the speed.

Counts and sizes come from DescribeTable, which AWS updates about every six hours. For a table that AWS has
not counted yet, they come from a sample. Speeds come from the sample (see `measure`). Rechecks of keys that
differ are not included.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from tablecopy.text import count_text, duration_text, size_text
from tablecopy_cli.common.text import escaped
from verify.comparison.options import Options
from verify.measure import Rates, SideSample, measure
from verify.scan.segment import UNIT_BYTES
from verify.scan.table import Table
from verify.scan.workers import SIDES, THREADS_EACH, SideName

# A new table on demand, and each partition of any table (Developer Guide, On-demand capacity mode, and Best
# practices for partition keys).
_NEW_TABLE_READ_UNITS = 12_000
_PARTITION_READ_UNITS = 3_000

# Smaller tables are compared before further processes have started.
_WORTH_PROCESSES_BYTES = 64_000_000

Counted: TypeAlias = Literal["aws", "sample", "other_table", "at_least"]

DEFAULT_PRICE_PER_MILLION = 0.125
"""Read request units on demand, class Standard, us-east-1 since November 2024; as Terraform's ``prices``."""

DEFAULT_CURRENCY = "USD"


@dataclass(frozen=True)
class SideEstimate:
    """Estimate of reading one table.

    Parameters
    ----------
    items, bytes
        Items and bytes to read. Bytes are DynamoDB's TableSizeBytes, including attribute names.
    counted
        Origin of these numbers: ``"aws"`` (DescribeTable), ``"sample"`` (the sample was the whole table),
        ``"other_table"`` (AWS has not counted this one yet) or ``"at_least"`` (nor the other: the table holds
        what the sample showed and more).
    units
        Read units.
    cost
        Cost of these units; ``None`` for a provisioned table, whose units are charged anyway.
    provisioned
        Read units a second that it has provisioned; ``None`` for a table on demand.
    share
        Part of the provisioned units that the reading uses; 1 is all of them.
    """

    items: int
    bytes: int
    counted: Counted
    units: float
    cost: float | None
    provisioned: float | None
    share: float | None


@dataclass(frozen=True)
class Estimate:
    """Estimate of comparing both tables once.

    Parameters
    ----------
    source, destination
        Each table's part. Both are read at the same time.
    cost, currency
        Cost of the on-demand tables; ``None`` if both are provisioned.
    seconds
        Duration of the command if nothing differs.
    start_up_seconds, reading_seconds, pairing_seconds
        Its parts: starting processes and signing in, the scan, and pairing the rows.
    recheck_seconds
        Time that each recheck of differing keys adds: ``lag`` while there are writes.
    limit
        What limits the speed: ``"start_up"``, ``"this_machine"`` (its cores), ``"source_pages"`` (the time a
        page takes to arrive), ``"source_read_capacity"`` (the flag), ``"source_provisioned"``,
        ``"source_on_demand_maximum"``, ``"source_on_demand"``, or the same of the destination.
    limit_reason
        The same in words.
    sampled_units
        Read units that the measurement has taken.
    writes_stopped
        Whether reads are strongly consistent, at twice the units.
    """

    source: SideEstimate
    destination: SideEstimate
    cost: float | None
    currency: str
    seconds: float
    start_up_seconds: float
    reading_seconds: float
    pairing_seconds: float
    recheck_seconds: float
    limit: str
    limit_reason: str
    sampled_units: float
    writes_stopped: bool

    def record(self) -> dict[str, Any]:
        """Return the JSON Lines record; see docs/reference.md."""
        return {"type": "estimate", **asdict(self)}

    def lines(self) -> Iterator[str]:
        """Yield the lines for people."""
        sides = {"source": self.source, "destination": self.destination}
        for label, (name, side) in zip(("estimate", ""), sides.items(), strict=True):
            yield f"  {label:<9}  {name:<11}  {_amounts(side)}, {self._paid(side)}"
        least = "at least " if "at_least" in {side.counted for side in sides.values()} else "about "
        yield f"  {'':<9}  {least}{duration_text(self.seconds)}. The limit is {self.limit_reason}."
        yield (
            f"  {'':<9}  Parts: start-up {duration_text(self.start_up_seconds)}, reading "
            f"{duration_text(self.reading_seconds)}, pairing {duration_text(self.pairing_seconds)}."
        )
        if self.recheck_seconds:
            yield (
                f"  {'':<9}  Each recheck of differing keys takes another "
                f"{duration_text(self.recheck_seconds)}."
            )
        yield from (
            f"  {'':<9}  {_note(name, side)}" for name, side in sides.items() if side.counted != "aws"
        )
        yield f"  {'':<9}  The measurement used {self.sampled_units:,.10g} read units."

    def _paid(self, side: SideEstimate) -> str:
        if side.cost is not None:
            currency = escaped(self.currency)
            return f"about {side.cost:,.2f} {currency}" if side.cost >= 0.01 else f"less than 0.01 {currency}"
        return f"{side.share:.0%} of its {side.provisioned:,.10g} provisioned read units per second"


@dataclass(frozen=True)
class Plan:
    """How the tables will be compared.

    Parameters
    ----------
    writes_stopped
        Strongly consistent reads, at twice the units.
    segments, of
        Segments of each table that are read, and of how many; fewer than there are for a sample.
    processes
        Processes that scan.
    lag_seconds
        Time before keys that differ are read again while there are writes.
    read_capacity
        Most read units a second to take; ``None`` or absent: no limit.
    """

    writes_stopped: bool
    segments: int
    of: int
    processes: int
    lag_seconds: float
    read_capacity: Mapping[SideName, float | None]


@dataclass(frozen=True)
class _Bound:
    seconds: float
    limit: str
    reason: str


def estimate(
    descriptions: Mapping[SideName, Mapping[str, Any]],
    plan: Plan,
    rates: Rates,
    *,
    price_per_million: float,
    currency: str,
    start_up_seconds: float,
    cores: int,
) -> Estimate:
    """Estimate the comparison of two tables.

    Parameters
    ----------
    descriptions
        ``Table`` of DescribeTable, by side.
    plan
        How they will be compared.
    rates
        What a sample of both showed: see `measure.measure`.
    price_per_million, currency
        What a million read request units on demand cost.
    start_up_seconds
        What the command took to start and to look both tables up.
    cores
        Cores of this machine that the processes can have.
    """
    part = plan.segments / plan.of
    sizes = {side: _size(side, descriptions, rates, part) for side in SIDES}
    consistent = plan.writes_stopped
    units = {side: _units(sizes[side][1], plan.segments, consistent=consistent) for side in SIDES}
    bounds = [_machine(sizes, rates, plan, cores)]
    for side in SIDES:
        bounds.append(_pages(side, sizes[side][0], rates.sides[side], rates.item_seconds[side], plan))
        bounds += _capacity(side, descriptions[side], units[side], plan)
    binding = max(bounds, key=lambda bound: bound.seconds)
    reading = binding.seconds
    most = max(items for items, _, _ in sizes.values())
    pairing = most * rates.pair_item_seconds / min(plan.processes, cores)
    # Processes import and sign in as this one did, as many at a time as there are cores.
    start_up = start_up_seconds
    if plan.processes > 1:
        start_up += start_up_seconds * math.ceil(plan.processes / cores)
    parts = {
        side: _side(descriptions[side], sizes[side], units[side], reading, price_per_million)
        for side in SIDES
    }
    if start_up > max(reading, pairing):
        binding = _Bound(start_up, "start_up", "the time to start and to sign in")
    elif pairing > reading:
        binding = _Bound(pairing, "this_machine", "this machine, which pairs the rows")
    costs = [side.cost for side in parts.values() if side.cost is not None]
    return Estimate(
        **parts,
        cost=round(sum(costs), 6) if costs else None,
        currency=currency,
        seconds=round(start_up + reading + pairing, 1),
        start_up_seconds=round(start_up, 1),
        reading_seconds=round(reading, 1),
        pairing_seconds=round(pairing, 1),
        recheck_seconds=0.0 if plan.writes_stopped else plan.lag_seconds,
        limit=binding.limit,
        limit_reason=binding.reason,
        sampled_units=round(sum(sample.units for sample in rates.sides.values()), 1),
        writes_stopped=plan.writes_stopped,
    )


def estimated(
    source: Table,
    destination: Table,
    options: Options,
    *,
    price_per_million: float = DEFAULT_PRICE_PER_MILLION,
    currency: str = DEFAULT_CURRENCY,
    start_up_seconds: float,
) -> Estimate:
    """Measure both tables and estimate their comparison; see `estimate`.

    Raises
    ------
    UserError
        A table cannot be read.
    """
    tables: dict[SideName, Table] = {"source": source, "destination": destination}
    segments, of = options.of_segments()
    descriptions: dict[SideName, Mapping[str, Any]] = {
        side: table.description for side, table in tables.items()
    }
    allowed = {side: _allowed(descriptions[side], options.read_capacity.get(side)) for side in SIDES}
    rates = measure(tables, segments=of, consistent=options.writes_stopped, capacity=allowed)
    plan = Plan(
        options.writes_stopped, segments, of, options.processes, options.lag_seconds, options.read_capacity
    )
    return estimate(
        descriptions,
        plan,
        rates,
        price_per_million=price_per_million,
        currency=currency,
        start_up_seconds=start_up_seconds,
        cores=available_cores(),
    )


def default_processes(size: int) -> int:
    """Return the default number of processes that scan two tables of ``size`` bytes together."""
    return 1 if size < _WORTH_PROCESSES_BYTES else available_cores()


def available_cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _allowed(table: Mapping[str, Any], budget: float | None) -> float | None:
    """Read units per second that a sample keeps to; ``None`` for as many as there are."""
    most = (table.get("OnDemandThroughput") or {}).get("MaxReadRequestUnits", -1)
    limits = [budget, provisioned_read_units(table), float(most) if most > 0 else None]
    return min((limit for limit in limits if limit), default=None)


def _size(
    side: SideName, descriptions: Mapping[SideName, Mapping[str, Any]], rates: Rates, part: float
) -> tuple[int, int, Counted]:
    """Return items, bytes, and their origin."""
    own, other = descriptions[side], descriptions["destination" if side == "source" else "source"]
    sample = rates.sides[side]
    items, size = _count(own, "ItemCount"), _count(own, "TableSizeBytes")
    if sample.whole and part == 1:
        return (
            sample.items,
            size if items == sample.items else round(sample.items * sample.item_bytes),
            "sample",
        )
    if items:
        return round(items * part), round(size * part), "aws"
    if _count(other, "ItemCount"):
        items, size = _count(other, "ItemCount"), _count(other, "TableSizeBytes")
        return round(items * part), round(size * part), "other_table"
    return sample.items, round(sample.items * sample.item_bytes), "at_least"


def _side(
    table: Mapping[str, Any],
    size: tuple[int, int, Counted],
    units: float,
    seconds: float,
    price_per_million: float,
) -> SideEstimate:
    provisioned = provisioned_read_units(table)
    share = round(units / seconds / provisioned, 4) if provisioned and seconds else None
    return SideEstimate(
        *size,
        units=units,
        cost=None if provisioned else round(units * price_per_million / 1e6, 6),
        provisioned=provisioned,
        share=share,
    )


def _units(size: int, segments: int, *, consistent: bool) -> float:
    whole = math.ceil(size / UNIT_BYTES) + segments
    return whole if consistent else whole / 2


def _machine(
    sizes: Mapping[SideName, tuple[int, int, Counted]], rates: Rates, plan: Plan, cores: int
) -> _Bound:
    used = min(plan.processes, cores)
    busy = sum(sizes[side][0] * rates.item_seconds[side] for side in SIDES)
    items = sum(items for items, _, _ in sizes.values())
    rate = f", {items / busy * used:,.0f} items per second" if busy else ""
    return _Bound(
        busy / used, "this_machine", f"this machine ({count_text(used, 'process', 'processes')}{rate})"
    )


def _pages(side: SideName, items: int, sample: SideSample, item_seconds: float, plan: Plan) -> _Bound:
    pages = max(1, math.ceil(items / plan.segments / sample.page_items))
    # A thread decodes a page before it asks for the next one; each has one segment of one side at a time.
    threads = min(2 * plan.segments, THREADS_EACH * plan.processes) / 2
    turns = math.ceil(plan.segments / max(1.0, threads))
    seconds = turns * pages * (sample.page_seconds + sample.page_items * item_seconds)
    parallel = min(plan.segments, math.ceil(threads))
    reason = (
        f"the latency of the {side}'s pages, {sample.page_seconds * 1000:,.0f} ms with {parallel} at a time "
        "(raise --segments to read more in parallel)"
    )
    return _Bound(seconds, f"{side}_pages", reason)


def _capacity(side: SideName, table: Mapping[str, Any], units: float, plan: Plan) -> Iterator[_Bound]:
    allowed = plan.read_capacity.get(side)
    if allowed:
        reason = f"--{side}-read-capacity, {allowed:,.10g} units per second"
        yield _Bound(units / allowed, f"{side}_read_capacity", reason)
    provisioned = provisioned_read_units(table)
    if provisioned:
        reason = f"the {side}'s provisioned capacity, {provisioned:,.10g} read units per second"
        yield _Bound(units / provisioned, f"{side}_provisioned", reason)
        return
    most = (table.get("OnDemandThroughput") or {}).get("MaxReadRequestUnits", -1)
    if most > 0:
        reason = f"the {side}'s on-demand maximum, {most:,} read units per second"
        yield _Bound(units / most, f"{side}_on_demand_maximum", reason)
    warm = max(_NEW_TABLE_READ_UNITS, int((table.get("WarmThroughput") or {}).get("ReadUnitsPerSecond") or 0))
    rate = min(warm, plan.segments * _PARTITION_READ_UNITS)
    what = "warm throughput" if rate == warm else f"partitions, {plan.segments} in parallel"
    yield _Bound(units / rate, f"{side}_on_demand", f"the {side}'s {what}, {rate:,} read units per second")


def provisioned_read_units(table: Mapping[str, Any]) -> float | None:
    """Return the read units per second a table has provisioned; ``None`` for one on demand."""
    # A table on demand reports none, or 0.
    return float((table.get("ProvisionedThroughput") or {}).get("ReadCapacityUnits") or 0) or None


def _count(table: Mapping[str, Any], name: str) -> int:
    return int(table.get(name) or 0)


def _amounts(side: SideEstimate) -> str:
    return f"{count_text(side.items, 'item')}, {size_text(side.bytes)}: {side.units:,.10g} read units"


def _note(name: str, side: SideEstimate) -> str:
    if side.counted == "sample":
        return f"The {name} was counted by reading all of it."
    if side.counted == "other_table":
        return (
            f"AWS has not counted the {name} yet (it does so every six hours). The estimate uses the other "
            "table's size."
        )
    return f"AWS has not counted the {name} yet (it does so every six hours). It has at least these items."
