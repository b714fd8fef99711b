"""What reading two tables will take: read units, money and time, before anything is read.

Counts and sizes are those of DescribeTable, which AWS updates about every six hours. Keys that differ in the
scan are read again one by one, which comes on top.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sides.output import printable

# A strongly consistent read takes a unit for 4 KB, an eventually consistent one half of it (Developer Guide,
# Capacity modes). A scan rounds up once for each page.
_UNIT_BYTES = 4096

DEFAULT_PRICE_PER_MILLION = 0.125
"""Read request units on demand, class Standard, us-east-1 since November 2024; as Terraform's ``prices``."""

DEFAULT_CURRENCY = "USD"


@dataclass(frozen=True)
class SideEstimate:
    """What reading one table will take.

    Parameters
    ----------
    items, bytes
        What it holds.
    units
        Read units.
    cost
        Of these units; ``None`` for a provisioned table, whose units are paid for already.
    provisioned
        Read units a second that it has provisioned; ``None`` for a table on demand.
    share
        Which part of them the reading takes while it lasts; 1 is all.
    """

    items: int
    bytes: int
    units: float
    cost: float | None
    provisioned: float | None
    share: float | None


@dataclass(frozen=True)
class Estimate:
    """What reading both tables once will take.

    Parameters
    ----------
    source, destination
        Each table's part. Both are read at the same time.
    cost, currency
        Of the tables on demand; ``None`` where there is none.
    seconds
        How long it takes.
    limit
        What bounds the speed: ``"source_read_capacity"``, ``"source_provisioned"``,
        ``"source_on_demand_maximum"``, the same of the destination, or ``"this_machine"``.
    limit_reason
        The same in words.
    writes_stopped
        Whether reads are strongly consistent, at twice the units.
    """

    source: SideEstimate
    destination: SideEstimate
    cost: float | None
    currency: str
    seconds: float
    limit: str
    limit_reason: str
    writes_stopped: bool

    def record(self) -> dict[str, Any]:
        """Return the JSON Lines record; see docs/verify.md for its schema."""
        return {"type": "estimate", **asdict(self)}

    def lines(self) -> Iterator[str]:
        """Yield the lines that say it to people."""
        sides = {"source": self.source, "destination": self.destination}
        for label, (name, side) in zip(("estimate", ""), sides.items(), strict=True):
            yield f"  {label:<9}  {name:<11}  {_amounts(side)}, {self._paid(side)}"
        reading = "consistent reading" if self.writes_stopped else "reading"
        yield f"  {'':<9}  {_duration(self.seconds)} of {reading}; the limit is {self.limit_reason}"
        yield f"  {'':<9}  counts are AWS's, up to six hours old; keys that differ are read again on top"

    def _paid(self, side: SideEstimate) -> str:
        if side.cost is not None:
            currency = printable(self.currency)
            return f"about {side.cost:,.2f} {currency}" if side.cost >= 0.01 else f"less than 0.01 {currency}"
        return f"{side.share:.0%} of the {side.provisioned:,.10g} units a second that it has provisioned"


@dataclass(frozen=True)
class _Bound:
    seconds: float
    limit: str
    reason: str


def estimate(
    source_description: Mapping[str, Any],
    destination_description: Mapping[str, Any],
    *,
    writes_stopped: bool,
    read_capacity: Mapping[Any, float | None],
    price_per_million: float,
    currency: str,
    segments: int,
    items_per_second: float,
) -> Estimate:
    """Say what reading two tables will take.

    Parameters
    ----------
    source_description, destination_description
        ``Table`` of DescribeTable.
    writes_stopped
        Strongly consistent reads, at twice the units.
    read_capacity
        Most read units a second to take, by ``"source"`` and ``"destination"``; ``None`` or absent: no limit.
    price_per_million, currency
        What a million read request units on demand cost.
    segments
        Of the scan of each table. Each takes a page at least, and an empty page takes a unit as well.
    items_per_second
        Items of both tables together that this machine reads a second.
    """
    described = {"source": source_description, "destination": destination_description}
    units = {side: _units(table, segments, consistent=writes_stopped) for side, table in described.items()}
    items = sum(_count(table, "ItemCount") for table in described.values())
    machine = f"this machine, {items_per_second:,.0f} items a second"
    bounds = [_Bound(items / items_per_second, "this_machine", machine)]
    for side, table in described.items():
        bounds += _bounds(side, table, units[side], read_capacity.get(side))
    binding = max(bounds, key=lambda bound: bound.seconds)
    parts = {
        side: _side(table, units[side], binding.seconds, price_per_million)
        for side, table in described.items()
    }
    costs = [part.cost for part in parts.values() if part.cost is not None]
    return Estimate(
        **parts,
        cost=round(sum(costs), 6) if costs else None,
        currency=currency,
        seconds=round(binding.seconds, 1),
        limit=binding.limit,
        limit_reason=binding.reason,
        writes_stopped=writes_stopped,
    )


def _side(table: Mapping[str, Any], units: float, seconds: float, price_per_million: float) -> SideEstimate:
    provisioned = _provisioned(table)
    return SideEstimate(
        items=_count(table, "ItemCount"),
        bytes=_count(table, "TableSizeBytes"),
        units=units,
        cost=None if provisioned else round(units * price_per_million / 1e6, 6),
        provisioned=provisioned,
        share=round(units / seconds / provisioned, 4) if provisioned else None,
    )


def _units(table: Mapping[str, Any], segments: int, *, consistent: bool) -> float:
    whole = math.ceil(_count(table, "TableSizeBytes") / _UNIT_BYTES) + segments
    return whole if consistent else whole / 2


def _bounds(
    side: str, table: Mapping[str, Any], units: float, read_capacity: float | None
) -> Iterator[_Bound]:
    if read_capacity:
        reason = f"--{side}-read-capacity, {read_capacity:,.10g} units a second"
        yield _Bound(units / read_capacity, f"{side}_read_capacity", reason)
    provisioned = _provisioned(table)
    if provisioned:
        reason = f"what the {side} has provisioned, {provisioned:,.10g} read units a second"
        yield _Bound(units / provisioned, f"{side}_provisioned", reason)
        return
    most = (table.get("OnDemandThroughput") or {}).get("MaxReadRequestUnits", -1)
    if most > 0:
        reason = f"the {side}'s maximum on demand, {most:,} read units a second"
        yield _Bound(units / most, f"{side}_on_demand_maximum", reason)


def _provisioned(table: Mapping[str, Any]) -> float | None:
    # A table on demand reports none, or 0.
    return float((table.get("ProvisionedThroughput") or {}).get("ReadCapacityUnits") or 0) or None


def _count(table: Mapping[str, Any], name: str) -> int:
    return int(table.get(name) or 0)


def _amounts(side: SideEstimate) -> str:
    items = f"{side.items:,} item" if side.items == 1 else f"{side.items:,} items"
    return f"{items}, {side.bytes / 1e6:,.1f} MB: {side.units:,.0f} read units"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"
