"""How long a verification takes, what limits it, what it costs, and which settings fit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tablecopy.control.verification_estimate import (
    VerificationEstimate,
    VerificationPlan,
    estimate_verification,
    fitting,
)
from tablecopy.dynamodb.client import Json
from tablecopy.settings import Prices
from tests.unit.tablecopy.control.descriptions import at_most, destination, source, warmed

TB = 10**12
# Of each table: 40,000 units of consistent reads, and 10 for the ends of the segments.
SOURCE = source(items=100_000, size=163_840_000)
WARM: Json = warmed(0, 1_000_000)
PLAN = VerificationPlan(segments=10, concurrency=10)


def made(read: Json, written: Json, **changes: Any) -> VerificationEstimate:
    return estimate_verification(read, written, replace(PLAN, **changes), Prices())


@pytest.mark.parametrize(
    ("read", "written", "changes", "limit", "seconds", "reason"),
    [
        ({}, {}, {"read_capacity": 100.0}, "read_capacity", 400.1, "verification.read_capacity, 100 units"),
        ({}, {}, {"destination_read_capacity": 100.0}, "destination_read_capacity", 400.1, "100 units"),
        (source(read=200), {}, {}, "source_provisioned", 400.1, "half of the source's"),
        # A budget takes the place of the half.
        (source(read=200), {}, {"read_capacity": 200.0}, "read_capacity", 200.1, "200 units"),
        ({}, {"ProvisionedThroughput": {"ReadCapacityUnits": 200}}, {}, "destination_provisioned", 400.1, ""),
        (at_most(reads=100), {}, {}, "source_maximum", 400.1, "the source, 100 read units"),
        ({}, at_most(reads=100), {}, "destination_maximum", 400.1, "the destination, 100 read units"),
        ({}, {}, {}, "source_partitions", 3.3, "4 partitions of the source table"),
        (WARM, {}, {}, "destination_partitions", 3.3, "4 partitions of the destination table"),
        (WARM, WARM, {}, "workers", 1.3, "10 workers, each limited to 3,000 read units"),
        (WARM, WARM, {"concurrency": 1}, "workers", 13.3, "1 worker, each"),
        # Nine segments for two workers: five rounds.
        (WARM, WARM, {"segments": 9, "concurrency": 2}, "workers", 7.4, "2 workers, each"),
        (WARM, WARM, {"memory_mb": 256}, "workers", 4.2, "by its processor"),
        (warmed(0, 12_000), WARM, {"segments": 1_000, "concurrency": 1_000}, "source_partitions", 3.4, ""),
    ],
)
def test_the_slowest_part_limits_it(
    read: Json, written: Json, changes: dict[str, Any], limit: str, seconds: float, reason: str
) -> None:
    counts = {"ItemCount": 100_000, "TableSizeBytes": 163_840_000}
    found = made({**SOURCE, **read, **counts}, written, **changes)
    assert (found.limit, found.seconds) == (limit, pytest.approx(seconds, abs=0.06))
    assert reason in found.limit_reason


def test_the_quota_of_a_table_limits_many_workers() -> None:
    large = {**source(10**9, TB), **warmed(0, 30_000)}
    found = made(large, destination(), segments=100, concurrency=100)
    assert found.limit == "table_quota"
    assert found.seconds == pytest.approx(TB / 4_096 / 40_000, rel=0.001)


def test_small_items_take_more_of_the_processor() -> None:
    seconds = [made({**source(TB // size, TB), **WARM}, WARM).seconds for size in (100, 1_000)]
    assert seconds[0] > 1.3 * seconds[1]


def test_the_cost_is_that_of_its_parts() -> None:
    found = made(source(10**9, TB), destination(), segments=64, concurrency=16)
    parts = {cost.what: cost.units for cost in found.costs}
    units = TB / 4_096 + 64
    assert parts["read the source"] == parts["read the destination"] == pytest.approx(units, abs=1)
    busy = 16 * found.seconds
    assert parts["verifier function"] == pytest.approx(busy * 1_769 / 1_024, rel=0.001)
    assert parts["Lambda requests"] == pytest.approx(64 + busy / 900, rel=0.001)
    assert parts["Step Functions"] == pytest.approx(6 + 3 * 64 + 2 * busy / 900, rel=0.001)
    assert parts["journal writes"] == pytest.approx(2 * (64 + busy / 10), rel=0.001)
    assert found.total_cost == pytest.approx(sum(cost.cost for cost in found.costs), abs=1e-4)
    through_nat = estimate_verification(source(10**9, TB), {}, PLAN, Prices(), nat=True)
    assert through_nat.costs[-1].units == pytest.approx(2 * 1.3 * 1_000)


def test_an_empty_table_takes_no_time_and_has_no_advice() -> None:
    found = made(source(0, 0), destination())
    assert found.seconds < 1
    assert found.advice == ""


class TestAdvice:
    def test_more_workers_if_they_save_time_that_matters(self) -> None:
        tiny = {**source(TB // 100, TB), **warmed(0, 300_000)}
        found = made(tiny, warmed(0, 300_000))
        better = fitting(tiny, {**tiny}, PLAN)
        assert found.limit == "workers"
        assert found.advice.startswith(
            f"set verification.segments = {better.segments} and "
            f"verification.concurrency = {better.concurrency}. The comparison then takes "
        )
        assert better.segments % better.concurrency == 0
        after = made(tiny, warmed(0, 300_000), segments=better.segments, concurrency=better.concurrency)
        assert after.limit != "workers"
        assert after.seconds < 0.8 * found.seconds
        assert after.advice == ""

    def test_more_segments_if_they_are_too_large(self) -> None:
        found = made(source(10**9, TB), destination(), segments=16, concurrency=16)
        assert found.advice == "set verification.segments = 64. A segment then holds at most 20 GB"
        assert made(source(10**9, TB), destination(), segments=64, concurrency=16).advice == ""

    def test_none_if_few_workers_are_fast_enough(self) -> None:
        small = {**source(10**8, 10**10), **WARM}
        assert (made(small, WARM).limit, made(small, WARM).advice) == ("workers", "")
        assert fitting(small, small, VerificationPlan()) == VerificationPlan()

    def test_none_if_a_budget_limits_it(self) -> None:
        found = made(source(10**8, 10**11), destination(), read_capacity=500.0)
        assert found.limit == "read_capacity"
        assert found.advice == ""
