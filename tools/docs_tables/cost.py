"""The tables of docs/cost.md, calculated by what calculates ``tablecopy estimate``."""

from __future__ import annotations

from collections.abc import Iterable

from tablecopy.control.bounds import PARTITION_WRITE_UNITS
from tablecopy.control.cost import (
    LONG_WINDOW_SECONDS,
    Circumstances,
    Use,
    costs,
    reconciler_use,
    replicator_use,
)
from tablecopy.control.estimate import estimate
from tablecopy.control.tracking_cost import recheck_units, tracker_use, tracking_costs
from tablecopy.control.verification_estimate import VerificationPlan
from tablecopy.dynamodb.client import Json
from tablecopy.settings import CopySettings

ITEMS, SIZE = 200_000_000, 100_000_000_000
DAYS = 3
SHARDS = 20
CHANGES = 20_000_000
GIVEN = Circumstances(changes_per_second=CHANGES / (DAYS * 86_400), shards=SHARDS, days=DAYS, nat=True)

_ON_DEMAND: Json = {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0}
SOURCE: Json = {"ItemCount": ITEMS, "TableSizeBytes": SIZE, "ProvisionedThroughput": _ON_DEMAND}
INDEX: Json = {"IndexName": "whole", "Projection": {"ProjectionType": "ALL"}}
DESTINATION: Json = {"ProvisionedThroughput": _ON_DEMAND, "GlobalSecondaryIndexes": [INDEX]}


def example() -> str:
    """Return the cost of the page's example as a Markdown table."""
    settings = CopySettings()
    bill = costs(estimate(SOURCE, DESTINATION, settings), settings, GIVEN)
    return table(
        ("part", "units", "USD"),
        [
            *((cost.what, f"{cost.units:,.0f} {cost.unit}", f"{cost.cost:,.2f}") for cost in bill),
            ("total", "", f"{sum(cost.cost for cost in bill):,.2f}"),
        ],
    )


ACTIVE = (10, 100, 1_000)

# With the default memory, a look at so many shards takes up to 14 seconds (docs/sizes.md).
MANY_SHARDS = 1_000
MUCH_MEMORY_MB = 512

WINDOWS = (1, LONG_WINDOW_SECONDS)


def daily() -> str:
    """Return what reconciler and replicator cost a day while each shard has a change in each window."""
    prices = CopySettings().prices

    def row(what: str, uses: Iterable[Use]) -> tuple[str, ...]:
        return (what, *(f"{use.price(prices):,.2f}" for use in uses))

    reconciler = [reconciler_use(active(shards, 1), _DAY) for shards in ACTIVE]
    rows = [
        row("reconciler: Lambda and logs", map(_functions, reconciler)),
        row("reconciler: GetRecords", (Use(stream_reads=use.stream_reads) for use in reconciler)),
        row("reconciler: journal", map(_journal, reconciler)),
    ]
    for seconds in WINDOWS:
        replicator = [replicator_use(active(shards, seconds), _DAY) for shards in ACTIVE]
        name = f"replicator, window of {seconds} s"
        rows += [
            row(f"{name}: Lambda and logs", map(_functions, replicator)),
            row(f"{name}: journal", map(_journal, replicator)),
        ]
    return table(("USD a day", *(f"{shards:,} shards" for shards in ACTIVE)), rows)


TRACKED_RATES = (10, 500, 5_000)

TRACKED_SHARDS = (1, 16, 100)

ITEM_BYTES = 500


def tracking() -> str:
    """Return what tracking costs a day, at some rates and numbers of shards."""
    prices, memory_mb = CopySettings().prices, VerificationPlan().memory_mb
    rows = []
    for shards in TRACKED_SHARDS:
        for rate in TRACKED_RATES:
            if rate > PARTITION_WRITE_UNITS * shards:
                continue
            given = Circumstances(changes_per_second=rate, shards=shards)
            use = tracker_use(given, memory_mb, _DAY)
            rechecks = recheck_units(rate * _DAY, ITEM_BYTES) * prices.read_per_million / 1e6
            bill = tracking_costs(given, memory_mb, ITEM_BYTES, prices)
            million = (_journal(use).price(prices) + rechecks) / (rate * _DAY) * 1e6
            rows.append(
                (
                    f"{shards:,}",
                    f"{rate:,}",
                    f"{_functions(use).price(prices):,.2f}",
                    f"{_journal(use).price(prices):,.2f}",
                    f"{Use(stream_reads=use.stream_reads).price(prices):,.2f}",
                    f"{rechecks:,.2f}",
                    f"{sum(cost.cost for cost in bill):,.2f}",
                    f"{million:,.2f}",
                )
            )
    header = (
        "shards",
        "changes/s",
        "function",
        "journal",
        "stream",
        "rechecks",
        "a day",
        "a million changes",
    )
    return table(header, rows)


def per_second() -> str:
    """Return what reconciler and replicator call a second in the same circumstances."""
    reconciler = [reconciler_use(active(shards, 1), 60) for shards in ACTIVE]
    rows = [
        ("GetRecords by the reconciler", *(_rate(use.stream_reads) for use in reconciler)),
        ("journal writes by the reconciler", *(_rate(use.journal_writes) for use in reconciler)),
        ("journal reads by the reconciler", *(_rate(use.journal_reads) for use in reconciler)),
    ]
    for seconds in WINDOWS:
        replicator = [replicator_use(active(shards, seconds), 60) for shards in ACTIVE]
        name = f"replicator, window of {seconds} s"
        rows += [
            (f"invocations of the {name}", *(_rate(use.requests) for use in replicator)),
            (f"journal writes by the {name}", *(_rate(use.journal_writes) for use in replicator)),
        ]
    return table(("a second", *(f"{shards:,} shards" for shards in ACTIVE)), rows)


def active(shards: int, window: float) -> Circumstances:
    """Return circumstances in which each shard has a change in each batching window."""
    rate = shards / window
    memory_mb = MUCH_MEMORY_MB if shards >= MANY_SHARDS else Circumstances.reconciler_memory_mb
    return Circumstances(
        shards=shards,
        changes_per_second=rate,
        batching_window_seconds=window,
        reconciler_memory_mb=memory_mb,
    )


_DAY = 86_400


def _rate(in_a_minute: float) -> str:
    return f"{in_a_minute / 60:,.1f}"


def _functions(use: Use) -> Use:
    return Use(gb_seconds=use.gb_seconds, requests=use.requests)


def _journal(use: Use) -> Use:
    return Use(journal_writes=use.journal_writes, journal_reads=use.journal_reads)


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a Markdown table; all columns after the first are numbers."""
    lines = [header, ("---", *("---:" for _ in header[1:])), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
