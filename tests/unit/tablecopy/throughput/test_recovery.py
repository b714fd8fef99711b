"""How a rate grows after a throttle: it stays where it was throttled, and follows a table that has grown."""

from __future__ import annotations

import pytest

from tablecopy.throughput.recovery import Recovery

LEVEL = 1_000.0
OLD = 1e6


def throttled(times: int, level: float = LEVEL) -> Recovery:
    """A recovery after so many throttles at a level, each late in the hold of the one before."""
    recovery = Recovery(level)
    for _ in range(times):
        grown_to(recovery, level)
        recovery = recovery.after(level, OLD)
    return recovery


def grown_to(recovery: Recovery, rate: float) -> float:
    """Let it grow to a rate. Returns the seconds that this takes."""
    seconds = 0.0
    while recovery.rate < rate:
        recovery.grow(0.25)
        seconds += 0.25
    return seconds


def test_a_throttle_lowers_the_rate_by_a_part() -> None:
    assert Recovery(LEVEL).rate == pytest.approx(0.85 * LEVEL)


@pytest.mark.parametrize("times", [0, 3, 9])
def test_most_of_the_way_back_is_quick_and_the_rest_of_the_hold_is_below_the_level(times: int) -> None:
    recovery = throttled(times)
    hold = grown_to(throttled(times), 0.97 * LEVEL)
    assert grown_to(recovery, 0.94 * LEVEL) <= 0.4 * hold
    assert recovery.grow(hold / 2) < 0.97 * LEVEL


def test_at_the_same_level_the_hold_gets_longer_up_to_two_minutes() -> None:
    holds = [grown_to(throttled(times), 0.97 * LEVEL) for times in range(8)]
    assert holds[:5] == [4, 8, 16, 32, 64]
    assert holds[5:] == [120] * 3


def test_an_early_throttle_at_the_same_level_keeps_it() -> None:
    recovery = throttled(3)
    recovery.grow(1.0)
    assert grown_to(recovery.after(recovery.rate, OLD), 0.97 * recovery.rate) == pytest.approx(32, abs=1)


def test_at_a_much_lower_level_it_gets_shorter() -> None:
    after = throttled(9).after(LEVEL / 2, OLD)
    assert after.rate == pytest.approx(0.85 * LEVEL / 2)
    assert grown_to(after, 0.97 * LEVEL / 2) == 30


def test_a_hold_is_short_at_the_start() -> None:
    recovery = throttled(9)
    grown_to(recovery, LEVEL)
    assert grown_to(recovery.after(LEVEL, age=40), 0.97 * LEVEL) == 10
    assert grown_to(recovery.after(LEVEL, age=1), 0.97 * LEVEL) == 4


@pytest.mark.parametrize(("times", "hold"), [(0, 4), (9, 120)])
def test_after_the_hold_the_rate_doubles_within_twenty_seconds(times: int, hold: float) -> None:
    recovery = throttled(times)
    assert hold < grown_to(recovery, 2 * LEVEL) <= hold + 20
    assert grown_to(recovery, 8 * LEVEL) <= 20
