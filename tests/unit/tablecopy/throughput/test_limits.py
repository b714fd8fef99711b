"""Workers together use no more than what there is for all of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tablecopy.journal.run import Phase, Run
from tablecopy.throughput.limits import Shares
from tablecopy.throughput.rate import Adaptive, Budget
from tests.unit.tablecopy.callers import Callers, CallersClock, run
from tests.unit.tablecopy.fakes import NOON, FakeClock

RUN = Run("run", "arn", 1, NOON, Phase.SLICE, NOON)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_all_workers_together_use_the_total_and_no_more(workers: int) -> None:
    clock = CallersClock()
    shares = [Shares(clock, 300.0, 1000.0) for _ in range(workers)]
    for each in shares:
        each.divide(replace(RUN, workers=workers))
    reads = [Callers(clock, each.read, 1, lambda: 16.0) for each in shares]
    writes = [Callers(clock, each.write, 16, lambda: 25.0) for each in shares]
    run([*reads, *writes], clock, 60)
    assert sum(each.used(0, 60) for each in reads) == pytest.approx(300, rel=0.1)
    assert sum(each.used(0, 60) for each in writes) == pytest.approx(1000, rel=0.1)


def test_those_that_are_left_take_over_what_others_had() -> None:
    clock = CallersClock()
    shares = [Shares(clock, None, 1000.0) for _ in range(4)]
    for each in shares:
        each.divide(replace(RUN, workers=4))
    writes = [Callers(clock, each.write, 4, lambda: 25.0) for each in shares]
    run(writes, clock, 30)
    for each in shares[:2]:
        each.divide(replace(RUN, workers=2))
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
    shares = Shares(FakeClock(), read_total, write_total)
    shares.divide(replace(RUN, workers=4, read_ceiling=ceiling))
    assert shares.read.rate == rate
    assert isinstance(shares.read, Adaptive if read_total is None else Budget)
    assert shares.write.rate == (500.0 if write_total is None else 25.0)
    assert isinstance(shares.write, Adaptive if write_total is None else Budget)


def test_the_ceiling_of_reads_holds_however_much_the_table_takes() -> None:
    clock = CallersClock()
    shares = Shares(clock, None, None)
    shares.divide(replace(RUN, workers=2, read_ceiling=100.0))
    reads = Callers(clock, shares.read, 1, lambda: 16.0)
    reads.run(60)
    assert reads.used(0, 60) == pytest.approx(50, rel=0.1)
