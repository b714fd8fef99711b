"""Which settings fit a table's size: what the estimate recommends, and what the defaults are chosen by."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from tablecopy.control.bounds import PARTITION_WRITE_UNITS
from tablecopy.control.cost import LONG_WINDOW_SECONDS, Circumstances, costs
from tablecopy.control.estimate import Estimate, estimate
from tablecopy.control.reconciler import IN_SYNC_SECONDS
from tablecopy.control.sizing import SEGMENT_BYTES
from tablecopy.dynamodb.client import Json
from tablecopy.settings import CopySettings
from tests.unit.tablecopy.control.descriptions import destination, source
from tools.docs_tables.__main__ import REPOSITORY

DEFAULTS = CopySettings()
GB, TB = 10**9, 10**12


def made(size: int, item: int = 1_000, written: Json | None = None, **changes: Any) -> Estimate:
    settings = replace(DEFAULTS, **changes)
    return estimate(source(size // item, size), destination() if written is None else written, settings)


def usd(expected: Estimate, settings: CopySettings) -> int:
    return round(sum(cost.cost for cost in costs(expected, settings, Circumstances())))


# The destination is a new on-demand table: size and bytes of an item; hours and limit with the defaults;
# segments, concurrency, hours, limit and USD with the recommended settings.
TABLE = [
    (1 * GB, 400, 0.2, "destination_on_demand", 16, 16, 0.2, "destination_on_demand", 2),
    (1 * GB, 4_000, 0.1, "destination_on_demand", 16, 16, 0.1, "destination_on_demand", 1),
    (1 * GB, 40_000, 0.1, "destination_on_demand", 16, 16, 0.1, "destination_on_demand", 1),
    (100 * GB, 400, 5.0, "workers", 40, 40, 3.0, "destination_on_demand", 163),
    (100 * GB, 4_000, 2.4, "workers", 16, 16, 2.4, "workers", 67),
    (100 * GB, 40_000, 2.4, "workers", 16, 16, 2.4, "workers", 67),
    (1 * TB, 400, 44.0, "workers", 80, 40, 18.6, "table_quota", 1_614),
    (1 * TB, 4_000, 18.0, "workers", 80, 40, 8.2, "table_quota", 666),
    (1 * TB, 40_000, 18.0, "workers", 80, 40, 8.2, "table_quota", 666),
    (10 * TB, 400, 434.7, "workers", 520, 40, 174.9, "table_quota", 16_163),
    (10 * TB, 4_000, 174.2, "workers", 520, 40, 70.7, "table_quota", 6_653),
    (10 * TB, 40_000, 174.2, "workers", 520, 40, 70.7, "table_quota", 6_653),
]


@pytest.mark.parametrize(
    ("size", "item", "hours", "limit", "segments", "concurrency", "better", "next_limit", "cost"), TABLE
)
def test_what_fits_each_size(
    size: int,
    item: int,
    hours: float,
    limit: str,
    segments: int,
    concurrency: int,
    better: float,
    next_limit: str,
    cost: int,
) -> None:
    default = made(size, item)
    assert (round(default.seconds / 3600, 1), default.limit) == (hours, limit)
    found = default.recommendation
    assert (found is None) == ((segments, concurrency) == (16, 16))
    if found is not None:
        assert (found.segments, found.concurrency) == (segments, concurrency)
        assert found.text.startswith(
            f"set backfill.segments = {segments} and backfill.concurrency = {concurrency} "
        )
    settings = replace(DEFAULTS, total_segments=segments, concurrency=concurrency)
    fits = made(size, item, total_segments=segments, concurrency=concurrency)
    assert (round(fits.seconds / 3600, 1), fits.limit) == (better, next_limit)
    # What is recommended is not followed by another recommendation.
    assert fits.recommendation is None
    assert usd(fits, settings) == cost
    assert size / segments <= SEGMENT_BYTES
    assert found is None or found.seconds == fits.seconds


def test_less_than_an_hour_needs_no_more_workers() -> None:
    """They need Lambda executions that others may use."""
    assert made(20 * GB, written=destination(warm=40_000)).recommendation is None
    assert made(80 * GB, written=destination(warm=40_000)).recommendation is not None


def test_only_what_changes_is_named() -> None:
    found = made(TB, total_segments=80).recommendation
    assert found is not None
    assert found.text.startswith("set backfill.concurrency = 40. Copying then takes ")
    assert found.text.endswith(" instead of 17 h 59 min")


def test_a_budget_needs_fewer_workers() -> None:
    """The segments of a large table are too large all the same."""
    found = made(TB, write_capacity=5_000.0).recommendation
    assert found is not None
    assert (found.segments, found.concurrency) == (64, 16)
    assert found.text == (
        "set backfill.segments = 64 before the run starts, because a run keeps its segments. A segment then "
        "holds at most 20 GB"
    )


def test_indexes_count_as_the_destination_does() -> None:
    """A provisioned index is the limit, and takes as much of it as the table has workers for."""
    written = destination(
        40_000,
        GlobalSecondaryIndexes=[
            {
                "IndexName": "whole",
                "Projection": {"ProjectionType": "ALL"},
                "ProvisionedThroughput": {"WriteCapacityUnits": 24_000},
            }
        ],
    )
    found = made(100 * GB, 500, written).recommendation
    assert found is not None
    assert (found.segments, found.concurrency) == (24, 24)


def test_segments_that_leave_workers_without_work_are_too_many_or_too_few() -> None:
    found = made(100 * GB, total_segments=17, write_capacity=16_000.0).recommendation
    assert found is not None
    assert (found.segments, found.concurrency) == (32, 16)
    assert "instead of" in found.text


def test_a_higher_quota_needs_more_workers() -> None:
    found = made(10 * TB, written=destination(warm=200_000)).recommendation
    assert found is not None
    # Then the quota of the source is the limit: 40,000 units of 4 KB to read, for 164,000 units of 1 KB.
    assert (found.segments, found.concurrency) == (656, 164)


def test_nothing_beyond_what_terraform_allows_is_recommended() -> None:
    found = made(1_000 * TB, total_segments=16).recommendation
    assert found is not None
    assert found.segments == 10_000
    assert made(1_000 * TB, total_segments=10_000, concurrency=40).recommendation is None


def test_the_longest_batching_window_lets_the_replicator_be_in_sync() -> None:
    """Among many shards, one always waits for its batch, and then for the end of a look of eight seconds."""
    text = (REPOSITORY / "modules/copy/variables.tf").read_text()
    window = re.search(r"batching_window_seconds = \{ min = 0, max = (\d+),", text)
    assert window is not None
    assert LONG_WINDOW_SECONDS <= int(window[1]) < IN_SYNC_SECONDS - 2 * 8


SHAPES = {"small": 120, "medium": 360, "large": 4_096}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_worker_of_the_least_memory_outruns_a_partition(shape: str) -> None:
    """So the estimate leaves memory out. The figure is without TLS, which takes a fifth at most."""
    page = (REPOSITORY / "docs/benchmarks.md").read_text()
    row = re.search(
        rf"^\| backfill \| {shape} \| boto3.client \| [\d.]+ \| [\d,]+ \| ([\d,]+) ", page, re.MULTILINE
    )
    assert row is not None
    items_per_second = int(row[1].replace(",", "")) * 0.8 * 128 / 1769
    assert items_per_second * -(-SHAPES[shape] // 1024) > 2 * PARTITION_WRITE_UNITS
