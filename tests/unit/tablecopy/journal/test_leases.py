"""Leases: held as long as their holder may write, and no longer."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from tablecopy.journal.codec import number
from tablecopy.journal.leases import (
    BACKFILL,
    GRACE_SECONDS,
    REPLICATOR,
    Leases,
    LeaseTaken,
    Turn,
    UnsettledWrite,
)
from tablecopy.journal.store import Store
from tests.unit.tablecopy.fakes import NOON, FakeClock

DEADLINE = NOON + 60


@pytest.fixture
def leases(store: Store, clock: FakeClock) -> Leases:
    return Leases(store, clock)


def test_a_lease_is_alive_while_it_is_held(leases: Leases) -> None:
    with leases.hold(REPLICATOR, "17", "me", DEADLINE):
        assert leases.alive(REPLICATOR) == ["replicator#17"]
        assert leases.alive(BACKFILL) == []
    assert leases.alive(REPLICATOR) == []


def test_a_second_holder_is_refused_and_leaves_the_first_one_alone(leases: Leases) -> None:
    with leases.hold(BACKFILL, "1", "me", DEADLINE):
        with pytest.raises(LeaseTaken), leases.hold(BACKFILL, "1", "you", DEADLINE):
            pytest.fail("held twice")
        assert leases.alive(BACKFILL) == ["backfill#1"]


def test_others_hold_other_leases(leases: Leases) -> None:
    with leases.hold(BACKFILL, "1", "me", DEADLINE), leases.hold(BACKFILL, "2", "you", DEADLINE):
        assert leases.alive(BACKFILL) == ["backfill#1", "backfill#2"]


def test_asking_again_after_a_lost_answer_is_no_conflict(leases: Leases) -> None:
    with leases.hold(BACKFILL, "1", "me", DEADLINE), leases.hold(BACKFILL, "1", "me", DEADLINE):
        assert leases.alive(BACKFILL) == ["backfill#1"]


def test_an_error_ends_the_lease(leases: Leases) -> None:
    with pytest.raises(KeyError), leases.hold(REPLICATOR, "17", "me", DEADLINE):
        raise KeyError
    assert leases.alive(REPLICATOR) == []


def test_a_write_that_may_yet_land_keeps_the_lease_until_past_its_deadline(
    leases: Leases, clock: FakeClock
) -> None:
    with pytest.raises(UnsettledWrite), leases.hold(REPLICATOR, "17", "me", DEADLINE):
        raise UnsettledWrite
    clock.time = DEADLINE + GRACE_SECONDS
    assert leases.alive(REPLICATOR) == ["replicator#17"]
    with pytest.raises(LeaseTaken), leases.hold(REPLICATOR, "17", "you", DEADLINE + 60):
        pytest.fail("held twice")
    clock.time += 0.001
    assert leases.alive(REPLICATOR) == []
    with leases.hold(REPLICATOR, "17", "you", DEADLINE + 60):
        assert leases.alive(REPLICATOR) == ["replicator#17"]


def test_a_late_holder_does_not_end_its_successors_lease(leases: Leases, clock: FakeClock) -> None:
    late = leases.hold(REPLICATOR, "17", "me", DEADLINE)
    late.__enter__()
    clock.time = DEADLINE + GRACE_SECONDS + 1
    with leases.hold(REPLICATOR, "17", "you", DEADLINE + 60):
        late.__exit__(None, None, None)
        assert leases.alive(REPLICATOR) == ["replicator#17"]


def test_what_is_left_behind_is_swept_a_day_later(leases: Leases, store: Store) -> None:
    with leases.hold(BACKFILL, "1", "me", DEADLINE):
        item = store.get("lease", "backfill#1")
    assert item is not None
    assert item["expires_at"] == number(int(DEADLINE) + 86_400)


def test_there_can_be_more_leases_than_a_page_holds(leases: Leases, store: Store) -> None:
    padding = {"deadline": number(DEADLINE), "expires_at": number(1), "padding": {"S": "x" * 390_000}}
    for index in range(4):
        store.put("lease", f"backfill#{index}", padding)
        store.put("lease#1f", f"replicator#{index}", padding)
    assert len(leases.alive(BACKFILL)) == len(leases.alive(REPLICATOR)) == 4


def test_leases_of_batches_are_spread_over_partitions(leases: Leases, store: Store) -> None:
    names = sorted(f"{10**24 + index}#{index:08x}" for index in range(300))
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(leases.hold(REPLICATOR, name, "me", DEADLINE))
        held = [store.count(f"lease#{number:02x}") for number in range(32)]
        assert sum(held) == 300
        assert max(held) < 30
        assert sorted(leases.alive(REPLICATOR)) == [f"replicator#{name}" for name in names]
    assert leases.alive(REPLICATOR) == []


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


def test_of_two_copies_of_an_invocation_one_has_it(store: Store, mine: Turn, clock: FakeClock) -> None:
    clock.tick(0.01)
    copy = Turn(store, clock, "mine")
    assert mine.take()
    assert not copy.take()
    copy.give_back()
    clock.tick(6)
    assert mine.take()
    assert not copy.take()


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


def test_the_next_one_waits_for_it(mine: Turn, other: Turn, clock: FakeClock) -> None:
    assert mine.take()
    began = clock.time
    clock.on_sleep = lambda: mine.give_back() if clock.time >= began + 8 else mine.take()
    assert other.wait(began + 50)
    assert clock.time == began + 8


def test_the_next_one_waits_as_long_as_it_may(mine: Turn, other: Turn, clock: FakeClock) -> None:
    assert mine.take()
    began = clock.time
    clock.on_sleep = mine.take
    assert not other.wait(began + 50)
    assert began + 48 <= clock.time < began + 50
    clock.on_sleep = lambda: None
    mine.give_back()
    assert other.take()


def test_one_that_was_overtaken_does_not_give_back_what_is_another_ones(
    mine: Turn, other: Turn, clock: FakeClock
) -> None:
    assert mine.take()
    clock.tick(16)
    assert other.take()
    mine.give_back()
    assert not mine.take()
