"""What limits the speed of a backfill, and for how long."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tablecopy.control.bounds import partitions, read_ceiling, worker_rate
from tablecopy.control.estimate import Estimate, estimate
from tablecopy.dynamodb.client import Json
from tablecopy.settings import CopySettings
from tests.unit.tablecopy.control.descriptions import at_most, destination, index, source, warmed

# A million items of 1.5 KB: 375,000 read units, 10 for the ends of the segments, and 2,000,000 write units.
SETTINGS = CopySettings(total_segments=10, concurrency=10)
WARM = destination(warm=1_000_000)
MANY = {"total_segments": 1_000, "concurrency": 1_000}


def made(read: Json, written: Json, **changes: Any) -> Estimate:
    return estimate(read, written, replace(SETTINGS, **changes))


@pytest.mark.parametrize(
    ("read", "written", "changes", "limit", "seconds", "reason"),
    [
        (source(), WARM, {"read_capacity": 100.0}, "read_capacity", 3_750.1, "100 units"),
        (source(), WARM, {"write_capacity": 100.0}, "write_capacity", 20_000, "100 units"),
        (source(read=200), WARM, {}, "source_provisioned", 3_750.1, "half of the source's"),
        (source(**at_most(reads=100)), WARM, {}, "source_maximum", 3_750.1, "100 read units"),
        (source(), destination(50), {}, "destination_provisioned", 40_000, "50 write units"),
        (source(), destination(**at_most(50)), {}, "destination_maximum", 40_000, "50 write units"),
        (source(), destination(), {}, "destination_on_demand", 500, "4,000 write units"),
        (source(), destination(warm=6_000), {}, "destination_on_demand", 333.3, "6,000 write units"),
        (source(), WARM, {}, "workers", 200, "10 workers, each limited to 1,000"),
        (source(), WARM, {"concurrency": 1}, "workers", 2_000, "1 worker, "),
        (source(), WARM, {"total_segments": 1}, "workers", 2_000, "1 worker, "),
        # As many workers as it takes for the rest to limit them.
        (source(), WARM, MANY, "source_partitions", 31.3, "4 partitions"),
        (
            source(**warmed(4_000, 1_000_000)),
            destination(warm=40_000),
            MANY,
            "table_quota",
            50,
            "40,000 write units",
        ),
        # A higher quota was granted to a table that is warm for more.
        (
            source(**warmed(4_000, 1_000_000)),
            destination(warm=80_000),
            MANY,
            "table_quota",
            25,
            "80,000 write units",
        ),
        # A provisioned destination shows its quota by what it has, so the source's is the limit.
        (
            source(size=400_000_000_000, **warmed(4_000, 30_000)),
            destination(1_000_000),
            MANY,
            "table_quota",
            2_441.4,
            "40,000 read units",
        ),
    ],
)  # fmt: skip
def test_what_binds_is_named(
    read: Json, written: Json, changes: Json, limit: str, seconds: float, reason: str
) -> None:
    result = made(read, written, **changes)
    assert (result.limit, result.seconds) == (limit, pytest.approx(seconds, abs=0.1))
    assert reason in result.limit_reason


@pytest.mark.parametrize(
    ("segments", "concurrency", "rate"),
    [(10, 10, 10_000), (16, 40, 16_000), (80, 40, 40_000), (50, 40, 25_000), (41, 40, 20_500)],
)
def test_workers_without_a_segment_at_the_end_count(segments: int, concurrency: int, rate: float) -> None:
    settings = CopySettings(total_segments=segments, concurrency=concurrency)
    assert worker_rate(settings) == rate


@pytest.mark.parametrize(
    ("millions", "seconds", "limit"),
    [
        # 4,000 a second for half an hour are 7.2 million units, 8,000 are 14.4 million.
        (7.2, 1_800, "destination_on_demand"),
        (21.6, 3_600, "destination_on_demand"),
        (21.6 + 18, 5_400, "destination_on_demand"),
        # From there on, ten workers write 10,000 a second, and soon for most of the time.
        (21.6 + 72, 3_600 + 7_200, "workers"),
    ],
)
def test_an_on_demand_table_doubles_every_half_hour(millions: float, seconds: float, limit: str) -> None:
    items = round(millions * 1e6)
    result = made(source(items, items * 100), destination())
    assert (result.seconds, result.limit) == (pytest.approx(seconds), limit)


def test_each_index_grows_by_itself() -> None:
    cold = [index("cold", "ALL")]
    warm = [index("warm", "ALL", **warmed(1_000_000))]
    slow, fast = (made(source(), {**WARM, "GlobalSecondaryIndexes": each}) for each in (cold, warm))
    assert (slow.limit, slow.seconds) == ("destination_on_demand", 500)
    assert (fast.limit, fast.seconds) == ("workers", 200)


def test_an_index_may_have_a_maximum() -> None:
    written = {**WARM, "GlobalSecondaryIndexes": [index("small", "KEYS_ONLY", **at_most(100))]}
    result = made(source(), written)
    assert (result.limit, result.seconds) == ("destination_maximum", 10_000)


def test_a_small_provisioned_index_may_bind() -> None:
    written = destination(1_000, GlobalSecondaryIndexes=[index("small", "KEYS_ONLY", 10)])
    result = made(source(), written)
    assert (result.limit, result.seconds) == ("destination_provisioned", 100_000)
    assert "index small" in result.limit_reason


@pytest.mark.parametrize("written", [destination(100), WARM], ids=["provisioned", "on demand"])
def test_a_local_index_takes_of_the_tables_capacity_and_partition(written: Json) -> None:
    local = {**written, "LocalSecondaryIndexes": [index("local", "KEYS_ONLY")]}
    assert made(source(), local).seconds == pytest.approx(1.5 * made(source(), written).seconds)


@pytest.mark.parametrize(
    ("read", "budget", "ceiling"), [(200, None, 100), (200, 150.0, 0), (0, None, 0)], ids=str
)
def test_half_of_a_provisioned_source_is_left_to_others(
    read: int, budget: float | None, ceiling: float
) -> None:
    assert read_ceiling(source(read=read), replace(SETTINGS, read_capacity=budget)) == ceiling


@pytest.mark.parametrize(
    ("description", "count"),
    [
        ({}, 4),
        (source(size=10**9), 4),
        (source(size=10**9, read=5), 1),
        (source(size=10**12), 100),
        (source(size=10**12, read=5), 100),
        (source(size=10**9, **warmed(40_000)), 40),
        (source(size=10**9, **warmed(4_000, 60_000)), 20),
        (source(size=10**9, read=5, **warmed(2_500, 2_500)), 3),
    ],
)
def test_partitions_follow_from_size_and_warmth(description: Json, count: int) -> None:
    assert partitions(description) == count
