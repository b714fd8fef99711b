"""The turn: one reconciler looks at a time, and a killed one is not waited for long."""

from __future__ import annotations

import pytest

from tablecopy.journal.store import Store
from tablecopy.journal.turn import Turn
from tests.unit.tablecopy.fakes import FakeClock


@pytest.fixture
def mine(store: Store, clock: FakeClock) -> Turn:
    return Turn(store, clock, "mine")


@pytest.fixture
def other(store: Store, clock: FakeClock) -> Turn:
    return Turn(store, clock, "other")


def test_it_is_one_invocations_until_it_is_given_back(mine: Turn, other: Turn, clock: FakeClock) -> None:
    assert mine.take()
    clock.tick(14)
    assert not other.take()
    mine.give_back()
    assert other.take()
    assert not mine.take()


def test_it_lasts_as_long_as_it_is_kept(mine: Turn, other: Turn, clock: FakeClock) -> None:
    for _ in range(20):
        assert mine.take()
        assert not other.take()
        clock.tick(6)


def test_it_is_written_now_and_then_only(clock: FakeClock) -> None:
    class Counting(Store):
        puts = 0

        def __init__(self) -> None:
            """Nothing is kept."""

        def put(self, *arguments: object, **more: object) -> None:
            self.puts += 1

    store = Counting()
    turn = Turn(store, clock, "mine")
    for _ in range(50):
        assert turn.take()
        clock.tick(1)
    assert store.puts == 10


def test_one_that_was_killed_is_followed_within_a_quarter_of_a_minute(
    mine: Turn, other: Turn, clock: FakeClock
) -> None:
    assert mine.take()
    clock.tick(15.5)
    assert other.take()
    # It was only slow, and finds that out.
    assert not mine.take()


def test_one_that_was_overtaken_does_not_give_back_what_is_another_ones(
    mine: Turn, other: Turn, clock: FakeClock
) -> None:
    assert mine.take()
    clock.tick(16)
    assert other.take()
    mine.give_back()
    assert not mine.take()
