"""The tables of sizes: how long a copy takes, how long writers stop, what it costs, and which settings fit.

The figures are those of ``tablecopy estimate`` and ``verify estimate``, calculated by the same code for
tables that differ in size only. Speeds that those commands would measure are taken from docs/benchmarks.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tablecopy.control.bounds import PARTITION_READ_UNITS, partitions
from tablecopy.control.cost import Circumstances, costs
from tablecopy.control.estimate import estimate
from tablecopy.control.verification_estimate import (
    VerificationEstimate,
    VerificationPlan,
    estimate_verification,
    fitting,
)
from tablecopy.settings import CopySettings
from tablecopy.text import duration_text
from verify.estimate import Estimate, Plan
from verify.estimate import estimate as comparison
from verify.measure import Rates, SideSample

GIGABYTES = (1, 10, 100, 500)
SETTINGS_GIGABYTES = (1, 100, 1_000, 10_000)
SETTINGS_ITEM_BYTES = (400, 4_000)
VERIFICATION_ITEM_BYTES = (100, 1_000)
ITEM_BYTES = 1_000
CORES = 16
SEGMENTS = 64
WARM_WRITE_UNITS = 40_000
WORKERS = 40

# docs/benchmarks.md, figure verify, between its shapes of 360 bytes and 4 KB, and a fifth less for TLS.
_ITEMS_PER_CORE_SECOND = 80_000
_PAGE_SECONDS = 0.05
_PAIR_ITEMS_PER_CORE_SECOND = 400_000
_START_UP_SECONDS = 1.5
_SEAL_SECONDS = 5.0


def table() -> str:
    """Return the rows as a Markdown table."""
    fast = f"copy, {WORKERS} workers, warmed to {WARM_WRITE_UNITS:,} writes/s"
    header = ("table", "copy", fast, "stop with `verify`", "cost (USD)")
    rows = [header, tuple("---:" for _ in header), *(_row(size * 10**9) for size in GIGABYTES)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def settings() -> str:
    """Return which settings fit a table of each size, as a Markdown table for docs/sizes.md."""
    header = ("table", "items", "segments", "concurrency", "copy", "with the defaults", "limit")
    lines = [
        header,
        ("---:", "---:", "---:", "---:", "---:", "---:", "---"),
        *(
            tuple(_settings_row(size * 10**9, item))
            for size in SETTINGS_GIGABYTES
            for item in SETTINGS_ITEM_BYTES
        ),
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def verification() -> str:
    """Return what a comparison in the account takes for each size, as a Markdown table for docs/sizes.md."""
    header = ("table", "items", "segments", "concurrency", "time", "USD", "of which Lambda", "limit")
    lines = [
        header,
        (*("---:" for _ in header[:-1]), "---"),
        *(
            tuple(_verification_row(size * 10**9, item))
            for size in SETTINGS_GIGABYTES
            for item in VERIFICATION_ITEM_BYTES
        ),
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def verification_of(size: int, item: int) -> VerificationEstimate:
    """Return the estimate for a table of so many bytes, with the settings that fit."""
    source = {"ItemCount": size // item, "TableSizeBytes": size}
    plan = fitting(source, source, VerificationPlan())
    return estimate_verification(source, {}, plan, CopySettings().prices)


def _verification_row(size: int, item: int) -> Iterator[str]:
    found = verification_of(size, item)
    yield f"{size / 1e9:,.0f} GB"
    yield f"{item / 1000:g} KB"
    yield f"{found.segments}"
    yield f"{found.concurrency}"
    yield duration_text(found.seconds)
    yield f"{found.total_cost:,.2f}"
    yield f"{sum(cost.cost for cost in found.costs if 'function' in cost.what):,.2f}"
    yield f"`{found.limit}`"


def _settings_row(size: int, item: int) -> Iterator[str]:
    defaults = CopySettings()
    source = {"ItemCount": size // item, "TableSizeBytes": size}
    default = estimate(source, {}, defaults)
    advice = default.recommendation
    fits = defaults
    if advice:
        fits = replace(defaults, total_segments=advice.segments, concurrency=advice.concurrency)
    best = estimate(source, {}, fits)
    yield f"{size / 1e9:,.0f} GB"
    yield f"{item / 1000:g} KB"
    yield f"{fits.total_segments}"
    yield f"{fits.concurrency}"
    yield duration_text(best.seconds)
    yield duration_text(default.seconds) if advice else "the same"
    yield f"`{best.limit}`"


def _row(size: int) -> Iterator[str]:
    settings = CopySettings()
    source = _description(size)
    new = estimate(source, {}, settings)
    warm = {"WarmThroughput": {"WriteUnitsPerSecond": WARM_WRITE_UNITS}}
    proof = _comparison(size, writes_stopped=True)
    look = _comparison(size, writes_stopped=False)
    cost = sum(each.cost for each in costs(new, settings, Circumstances()))
    yield f"{size / 1e9:,.0f} GB"
    yield duration_text(new.seconds)
    fast = replace(settings, total_segments=WORKERS, concurrency=WORKERS)
    yield duration_text(estimate(source, warm, fast).seconds)
    yield duration_text(settings.drained_after_seconds + proof.seconds + _SEAL_SECONDS)
    yield f"{cost + (proof.cost or 0) + (look.cost or 0):,.2f}"


def _description(size: int) -> dict[str, Any]:
    sizes = {"ItemCount": size // ITEM_BYTES, "TableSizeBytes": size}
    return {**sizes, "WarmThroughput": {"ReadUnitsPerSecond": partitions(sizes) * PARTITION_READ_UNITS}}


def _comparison(size: int, *, writes_stopped: bool) -> Estimate:
    page_items = 1_000_000 / ITEM_BYTES
    sample = SideSample(
        items=0,
        units=0.0,
        whole=False,
        page_items=page_items,
        page_seconds=_PAGE_SECONDS,
        item_bytes=ITEM_BYTES,
    )
    prices = CopySettings().prices
    return comparison(
        {"source": _description(size), "destination": _description(size)},
        Plan(
            writes_stopped=writes_stopped,
            segments=SEGMENTS,
            of=SEGMENTS,
            processes=CORES,
            lag_seconds=0.0,
            read_capacity={},
        ),
        Rates(
            {"source": sample, "destination": sample},
            dict.fromkeys(("source", "destination"), 1 / _ITEMS_PER_CORE_SECOND),
            pair_item_seconds=1 / _PAIR_ITEMS_PER_CORE_SECOND,
        ),
        price_per_million=prices.read_per_million,
        currency=prices.currency,
        start_up_seconds=_START_UP_SECONDS,
        cores=CORES,
    )
