"""What a table accepts shows how far to send ahead, and how long to wait."""

from __future__ import annotations

import math

import pytest

from tablecopy.throughput.acceptance import Acceptance
from tests.unit.tablecopy.fakes import FakeClock


@pytest.fixture
def acceptance(clock: FakeClock) -> Acceptance:
    return Acceptance(clock)


def accept_for_three_seconds(acceptance: Acceptance, clock: FakeClock) -> None:
    """200 KB a second."""
    for _ in range(30):
        acceptance.note(20.0, 0.0)
        clock.tick(0.1)


def test_as_much_again_as_was_accepted_may_be_sent(acceptance: Acceptance) -> None:
    first = acceptance.ahead()
    assert 0 < first <= 25
    acceptance.note(first, 0.0)
    assert acceptance.ahead() == 2 * first
    acceptance.note(1000.0, 0.0)
    assert acceptance.ahead() == 1000 + 2 * first


def test_when_something_is_not_accepted_it_is_half_a_seconds_worth(
    clock: FakeClock, acceptance: Acceptance
) -> None:
    accept_for_three_seconds(acceptance, clock)
    acceptance.note(0.0, 1.0)
    assert acceptance.ahead() == pytest.approx(100)


def test_while_nothing_is_accepted_it_becomes_nothing(clock: FakeClock, acceptance: Acceptance) -> None:
    acceptance.note(1000.0, 0.0)
    for _ in range(3):
        clock.tick(1)
        acceptance.note(0.0, 1.0)
    assert acceptance.ahead() == 0


def test_what_is_accepted_counts_immediately(acceptance: Acceptance) -> None:
    acceptance.note(0.0, 1.0)
    assert acceptance.ahead() == 0
    acceptance.note(10.0, 1.0)
    assert acceptance.ahead() == 5


def test_after_some_time_it_grows_again(clock: FakeClock, acceptance: Acceptance) -> None:
    acceptance.note(1000.0, 1.0)
    clock.tick(10)
    first = acceptance.ahead()
    assert first > 0
    acceptance.note(300.0, 0.0)
    assert acceptance.ahead() == first + 300


def test_how_long_the_table_takes(clock: FakeClock, acceptance: Acceptance) -> None:
    assert acceptance.seconds(1) == math.inf
    accept_for_three_seconds(acceptance, clock)
    assert acceptance.seconds(100) == pytest.approx(0.5)
