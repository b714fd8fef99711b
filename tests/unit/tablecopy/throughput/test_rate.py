"""Budgets are kept to, and what adapts finds what a table takes and follows it."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tablecopy.clock import OutOfTime
from tablecopy.throughput.rate import AdaptiveRate, FixedRate, Unlimited
from tests.unit.tablecopy.callers import Callers, CallersClock, Table
from tests.unit.tablecopy.fakes import NOON, FakeClock

GUESS = 25.0


def always(units: float) -> Callable[[], float]:
    return lambda: units


class TestBudget:
    @pytest.mark.parametrize("count", [1, 16])
    @pytest.mark.parametrize(
        ("rate", "units"),
        [(10, 1), (10, 25), (100, 1), (100, 25), (100, 128), (1000, 25), (1000, 128), (20_000, 128)],
    )
    def test_it_is_met_over_a_minute(self, rate: float, units: float, count: int) -> None:
        clock = CallersClock()
        callers = Callers(clock, FixedRate(clock, rate, GUESS), count, always(units))
        callers.run(60)
        assert callers.used(0, 60) == pytest.approx(rate, rel=0.1)

    @settings(max_examples=20, deadline=None)
    @given(
        rate=st.floats(50, 5000),
        most=st.floats(1, 128),
        count=st.sampled_from([1, 4, 16]),
        seed=st.integers(),
    )
    def test_calls_of_any_sizes_stay_within_it(self, rate: float, most: float, count: int, seed: int) -> None:
        clock = CallersClock()
        chance = random.Random(seed)
        callers = Callers(clock, FixedRate(clock, rate, GUESS), count, lambda: chance.uniform(0.5, most))
        callers.run(60)
        # A second's worth may have been saved, and the last calls may owe.
        assert callers.used(0, 60) <= rate * 1.1 + 16 * most / 60

    def test_what_a_call_cost_more_than_it_took_is_paid_back(self) -> None:
        clock = FakeClock()
        budget = FixedRate(clock, 10, 1.0)
        budget.settle(budget.acquire(NOON + 1000), 101.0)
        budget.acquire(NOON + 1000)
        assert clock.now() == pytest.approx(NOON + 10.1)

    def test_what_a_call_cost_less_is_given_back(self) -> None:
        clock = FakeClock()
        budget = FixedRate(clock, 10, 100.0)
        budget.settle(budget.acquire(NOON + 1000), 0.0)
        budget.acquire(NOON + 1000)
        assert clock.now() == NOON

    def test_a_long_pause_is_not_made_up_for(self) -> None:
        clock = CallersClock()
        budget = FixedRate(clock, 100, GUESS)
        clock.time += 3600
        callers = Callers(clock, budget, 16, always(10))
        callers.run(10)
        assert sum(units for _, units in callers.consumed) <= 11 * 100 + 16 * 10

    @pytest.mark.parametrize(("before", "after"), [(100, 1000), (1000, 100)])
    def test_another_share_counts_at_once(self, before: float, after: float) -> None:
        clock = CallersClock()
        budget = FixedRate(clock, before, GUESS)
        callers = Callers(clock, budget, 4, always(5))
        callers.run(30)
        budget.set_limit(after)
        callers.run(30)
        assert callers.used(0, 30) == pytest.approx(before, rel=0.1)
        assert callers.used(31, 60) == pytest.approx(after, rel=0.1)

    def test_a_throttle_does_not_change_it(self) -> None:
        clock = FakeClock()
        budget = FixedRate(clock, 100, GUESS)
        budget.throttled()
        assert budget.rate == 100

    def test_there_is_no_turn_after_the_end(self) -> None:
        clock = FakeClock()
        budget = FixedRate(clock, 1, 1000.0)
        budget.acquire(NOON + 60)
        with pytest.raises(OutOfTime):
            budget.acquire(NOON + 60)
        assert clock.now() == pytest.approx(NOON + 60)


class TestUnlimited:
    def test_nobody_waits(self) -> None:
        clock = FakeClock()
        capacity = Unlimited(clock)
        for _ in range(1000):
            capacity.settle(capacity.acquire(NOON + 1), 1e6)
            capacity.throttled()
        assert clock.now() == NOON

    def test_there_is_no_turn_after_the_end(self) -> None:
        with pytest.raises(OutOfTime):
            Unlimited(FakeClock()).acquire(NOON)


class TestAdaptive:
    @pytest.mark.parametrize("count", [1, 16])
    @pytest.mark.parametrize("rate", [50, 400, 4000])
    def test_it_finds_what_the_table_takes(self, rate: float, count: int) -> None:
        callers = adapting(Table(rate), count)
        callers.run(60)
        assert callers.used(20, 60) >= 0.75 * rate
        # The first second may be full of them; after that a few, each of which is retried.
        late = [at for at in callers.throttles if at - NOON >= 20]
        assert len(late) <= 2 * 40
        assert any(at - NOON < 20 for at in callers.throttles)

    def test_it_rises_to_a_large_table_within_seconds(self) -> None:
        callers = adapting(Table(20_000), 16, units=100)
        callers.run(20)
        assert callers.used(10, 20) >= 0.75 * 20_000

    @pytest.mark.parametrize("count", [1, 16])
    def test_it_follows_the_table_down_and_up_again(self, count: int) -> None:
        table = Table(4000)
        callers = adapting(table, count)
        callers.run(30)
        table.rate = 1000
        callers.run(30)
        table.rate = 4000
        callers.run(60)
        assert callers.used(20, 30) >= 0.75 * 4000
        assert callers.used(40, 60) >= 0.75 * 1000
        assert callers.used(90, 120) >= 0.75 * 4000
        assert len([at for at in callers.throttles if 40 <= at - NOON < 60]) <= 2 * 20

    def test_it_backs_off_once_for_calls_that_met_the_same_throttle(self) -> None:
        clock = FakeClock()
        capacity = AdaptiveRate(clock, GUESS)
        before = capacity.rate
        for _ in range(16):
            capacity.throttled()
        once = capacity.rate
        assert 0.3 * before <= once <= 0.7 * before
        clock.time += 1
        capacity.throttled()
        assert capacity.rate < once

    def test_a_throttle_at_the_very_start_does_not_take_minutes_to_recover_from(self) -> None:
        clock = CallersClock()
        capacity = AdaptiveRate(clock, GUESS)
        capacity.throttled()
        callers = Callers(clock, capacity, 16, always(25), table=Table(4000))
        callers.run(60)
        assert callers.used(40, 60) >= 0.75 * 4000

    def test_a_rate_that_nobody_uses_does_not_rise(self) -> None:
        clock = CallersClock()
        capacity = AdaptiveRate(clock, GUESS)
        callers = Callers(clock, capacity, 1, always(1.0), latency=1.0)
        callers.run(600)
        assert capacity.rate <= 500

    @pytest.mark.parametrize("ceiling", [2.0, 40.0, 3000.0])
    @pytest.mark.parametrize("rate", [1.0, 1000.0, 1e9])
    def test_it_never_exceeds_its_ceiling(self, ceiling: float, rate: float) -> None:
        clock = CallersClock()
        capacity = AdaptiveRate(clock, 1.0, ceiling)
        callers = Callers(clock, capacity, 16, always(1.0), table=Table(rate))
        for _ in range(60):
            callers.run(1)
            assert capacity.rate <= ceiling
        assert callers.used(0, 60) <= 1.1 * ceiling

    def test_a_ceiling_that_comes_later_counts_at_once_and_one_that_goes_up_is_risen_to(self) -> None:
        clock = CallersClock()
        capacity = AdaptiveRate(clock, GUESS)
        callers = Callers(clock, capacity, 16, always(5.0), table=Table(1e9))
        callers.run(10)
        capacity.set_limit(200.0)
        callers.run(20)
        capacity.set_limit(2000.0)
        callers.run(60)
        assert callers.used(11, 30) == pytest.approx(200, rel=0.1)
        assert callers.used(60, 90) == pytest.approx(2000, rel=0.1)


def adapting(table: Table, count: int, units: float = 25) -> Callers:
    clock = CallersClock()
    return Callers(clock, AdaptiveRate(clock, GUESS), count, always(units), table=table)
