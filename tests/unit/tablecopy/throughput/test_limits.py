"""Workers together use no more than the totals, and what they use is counted by table and index."""

from __future__ import annotations

from typing import Any

import pytest

from tablecopy.metrics.log import MetricsBuffer
from tablecopy.throughput.limits import WorkerLimits, read_usage, write_usage
from tablecopy.throughput.rate import AdaptiveRate, FixedRate
from tests.unit.tablecopy.callers import Callers, CallersClock, run
from tests.unit.tablecopy.fakes import FakeClock, client_error
from tests.unit.tablecopy.published import Published, published

INDEX = "arn:aws:dynamodb:eu-west-1:222222222222:table/copy/index/by-date"


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_all_workers_together_use_the_total_and_no_more(workers: int) -> None:
    clock = CallersClock()
    limits = [WorkerLimits(clock, 300.0, 1000.0) for _ in range(workers)]
    for each in limits:
        each.update(workers, 0.0)
    reads = [Callers(clock, each.read, 1, lambda: 16.0) for each in limits]
    writes = [Callers(clock, each.write, 16, lambda: 25.0) for each in limits]
    run([*reads, *writes], clock, 60)
    assert sum(each.used(0, 60) for each in reads) == pytest.approx(300, rel=0.1)
    assert sum(each.used(0, 60) for each in writes) == pytest.approx(1000, rel=0.1)


def test_those_that_are_left_take_over_what_others_had() -> None:
    clock = CallersClock()
    limits = [WorkerLimits(clock, None, 1000.0) for _ in range(4)]
    for each in limits:
        each.update(4, 0.0)
    writes = [Callers(clock, each.write, 4, lambda: 25.0) for each in limits]
    run(writes, clock, 30)
    for each in limits[:2]:
        each.update(2, 0.0)
    run(writes[:2], clock, 30)
    assert sum(each.used(0, 30) for each in writes) == pytest.approx(1000, rel=0.1)
    assert sum(each.used(31, 60) for each in writes) == pytest.approx(1000, rel=0.1)


@pytest.mark.parametrize(
    ("read_total", "write_total", "ceiling", "rate"),
    [
        (100.0, None, 0.0, 25.0),
        (100.0, None, 40.0, 25.0),
        (None, 100.0, 40.0, 10.0),
        (None, None, 0.0, 500.0),
    ],
)
def test_a_budget_counts_before_a_ceiling(
    read_total: float | None, write_total: float | None, ceiling: float, rate: float
) -> None:
    limits = WorkerLimits(FakeClock(), read_total, write_total)
    limits.update(4, ceiling)
    assert limits.read.rate == rate
    assert isinstance(limits.read, AdaptiveRate if read_total is None else FixedRate)
    assert limits.write.rate == (500.0 if write_total is None else 25.0)
    assert isinstance(limits.write, AdaptiveRate if write_total is None else FixedRate)


def test_the_ceiling_of_reads_holds_however_much_the_table_takes() -> None:
    clock = CallersClock()
    limits = WorkerLimits(clock, None, None)
    limits.update(2, 100.0)
    reads = Callers(clock, limits.read, 1, lambda: 16.0)
    reads.run(60)
    assert reads.used(0, 60) == pytest.approx(50, rel=0.1)


@pytest.fixture
def metrics(clock: FakeClock) -> MetricsBuffer:
    return MetricsBuffer(clock, "move")


def told(metrics: MetricsBuffer, capsys: pytest.CaptureFixture[str]) -> Published:
    metrics.publish()
    return published(capsys.readouterr().out)


def test_a_tables_units_hold_those_of_its_indexes(
    metrics: MetricsBuffer, capsys: pytest.CaptureFixture[str]
) -> None:
    capacity = {
        "TableName": "copy",
        "CapacityUnits": 6.0,
        "Table": {"CapacityUnits": 3.0},
        "GlobalSecondaryIndexes": {"by-date": {"CapacityUnits": 2.0}},
        "LocalSecondaryIndexes": {"by-size": {"CapacityUnits": 1.0}},
    }
    assert write_usage(metrics, "copy").consumed([capacity]) == 6.0
    assert told(metrics, capsys) == {
        "ConsumedWriteUnits": {"copy": [6], "copy/by-date": [2], "copy/by-size": [1]}
    }


def test_an_answer_that_says_nothing_of_units(
    metrics: MetricsBuffer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert read_usage(metrics, "source").consumed([]) == 0.0
    assert told(metrics, capsys) == {}


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        ([], {"copy": [1]}),
        ([{"reason": "AccountLimitExceeded"}], {"copy": [1]}),
        ([{"reason": "table", "resource": INDEX.split("/index/")[0]}], {"copy": [1]}),
        ([{"resource": INDEX}, {"resource": INDEX}], {"copy": [1], "copy/by-date": [1]}),
    ],
)
def test_a_throttled_call_counts_once(
    reasons: list[Any],
    expected: dict[str, list[int]],
    metrics: MetricsBuffer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_usage(metrics, "copy").throttled(client_error("ThrottlingException", reasons=reasons))
    assert told(metrics, capsys) == {"WriteThrottles": expected}


def test_throttled_indexes_are_published_in_the_order_of_the_reasons(
    metrics: MetricsBuffer, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["f", "c", "e", "a", "d", "b"]
    reasons = [{"resource": INDEX.replace("by-date", name)} for name in names]
    write_usage(metrics, "copy").throttled(client_error("ThrottlingException", reasons=reasons))
    assert list(told(metrics, capsys)["WriteThrottles"]) == ["copy", *[f"copy/{name}" for name in names]]


def test_reads_and_writes_of_tables_of_one_name_stay_apart(
    metrics: MetricsBuffer, capsys: pytest.CaptureFixture[str]
) -> None:
    for usage, units in ((read_usage(metrics, "orders"), 3.0), (write_usage(metrics, "orders"), 5.0)):
        usage.consumed([{"CapacityUnits": units}])
        usage.throttled()
    assert told(metrics, capsys) == {
        "ConsumedReadUnits": {"orders": [3]},
        "ReadThrottles": {"orders": [1]},
        "ConsumedWriteUnits": {"orders": [5]},
        "WriteThrottles": {"orders": [1]},
    }
