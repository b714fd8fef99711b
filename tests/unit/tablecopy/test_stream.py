"""What control makes of the shards it reads and the marks it finds in them."""

from __future__ import annotations

from typing import cast

import pytest
from mypy_boto3_dynamodbstreams.client import DynamoDBStreamsClient

from tablecopy.control.expiry import RETENTION_SECONDS, RecordsExpired
from tablecopy.control.stream import Backlog, Stream
from tablecopy.journal.marks import Mark, Marks
from tablecopy.journal.shards import Shard, Shards
from tablecopy.journal.store import Store
from tests.unit.tablecopy.fakes import NOON, FakeClock, FakeShard, FakeStreams

DRAINED_AFTER = 60.0
HOUR = 3600.0


def number(value: int) -> str:
    return str(10**24 + value)


class Scene:
    """A stream, a journal, a clock, and any number of control's invocations."""

    def __init__(self, store: Store, clock: FakeClock) -> None:
        self.clock = clock
        self.streams = FakeStreams()
        self.shards = Shards(store)
        self.marks = Marks(store, clock)
        # The first slice of the run began before anything that these tests do.
        self.covered_to = clock.time - 1
        self.stream = self.invocation()

    def invocation(self) -> Stream:
        return Stream(
            cast("DynamoDBStreamsClient", self.streams),
            "arn:stream",
            self.shards,
            self.marks,
            self.clock,
            DRAINED_AFTER,
        )

    def add(self, shard_id: str, *values: int, closed: bool = False, **more: object) -> FakeShard:
        shard = self.streams.shards.setdefault(shard_id, FakeShard(**more))  # type: ignore[arg-type]
        shard.records += [(number(value), self.clock.time) for value in values]
        shard.closed = closed
        return shard

    def apply(
        self, last: int, records: int = 1, puts: int = 1, deletes: int = 0, *, first: int | None = None
    ) -> None:
        """Mark a batch that ends with ``last``; its first record is ``records`` numbers back unless given."""
        start = last - records + 1 if first is None else first
        self.marks.put(Mark(number(start), number(last), records, puts, deletes))

    def look(self, stream: Stream | None = None) -> Backlog:
        return (stream or self.stream).observe(self.covered_to)

    def look_for(self, seconds: float) -> Backlog:
        """Look once a second, and a last time after ``seconds``."""
        end = self.clock.time + seconds
        while self.clock.time < end:
            self.look()
            self.clock.time += 1
        return self.look()

    def shard(self, shard_id: str = "a") -> Shard:
        return self.shards.read_all()[shard_id]


@pytest.fixture
def scene(store: Store, clock: FakeClock) -> Scene:
    return Scene(store, clock)


class TestPositions:
    def test_marks_lead_from_batch_to_batch(self, scene: Scene) -> None:
        scene.add("a", *range(10))
        scene.apply(2, records=3, puts=2, deletes=1)
        scene.apply(6, records=4, puts=1)
        backlog = scene.look()
        assert scene.shard().position == number(6)
        assert (backlog.records, backlog.puts, backlog.deletes) == (7, 3, 1)

    def test_a_batch_may_be_delivered_again_in_other_portions(self, scene: Scene) -> None:
        scene.add("a", *range(10))
        scene.apply(4, records=5)
        scene.look()
        # The first portion is known by the mark; the second begins within it.
        scene.apply(8, records=6)
        scene.look(scene.invocation())
        assert scene.shard().position == number(8)

    def test_a_mark_that_ends_in_another_shard_covers_nothing_here(self, scene: Scene) -> None:
        scene.add("a", 0, 1, 4)
        scene.add("b", 2, 3, 5)
        scene.apply(1, records=2)
        scene.look()
        scene.apply(5, records=3, first=2)
        scene.look()
        assert scene.shard("a").position == number(1)
        assert scene.shard("b").position == number(5)

    def test_a_gap_ends_the_chain(self, scene: Scene) -> None:
        scene.add("a", *range(10))
        scene.apply(2, records=3)
        scene.apply(6, records=3)
        assert scene.look().records == 3
        assert scene.shard().position == number(2)

    def test_a_batch_may_span_pages(self, scene: Scene) -> None:
        scene.streams.page_size = 2
        scene.add("a", *range(9))
        scene.apply(7, records=8)
        scene.look()
        assert scene.shard().position == number(7)

    def test_a_mark_of_another_shard_moves_nothing(self, scene: Scene) -> None:
        scene.add("a", 1, 3, 5)
        scene.add("b", 2, 4, 6)
        scene.apply(4, records=2, first=2)
        scene.look()
        assert scene.shard("a").position == ""
        assert scene.shard("b").position == number(4)

    def test_a_later_invocation_carries_on_from_the_position(self, scene: Scene) -> None:
        scene.add("a", *range(6))
        scene.apply(3, records=4)
        scene.look()
        scene.apply(5, records=2)
        backlog = scene.look(scene.invocation())
        assert scene.shard().position == number(5)
        assert backlog.records == 6

    def test_a_batch_delivered_twice_counts_once(self, scene: Scene) -> None:
        scene.add("a", *range(6))
        scene.apply(3, records=4)
        scene.look()
        scene.apply(3, records=4)
        scene.apply(5, records=2)
        assert scene.look().records == 6
        assert scene.look(scene.invocation()).records == 6

    def test_the_stream_may_have_more_shards_than_a_page(self, scene: Scene) -> None:
        for index, shard_id in enumerate("abcde"):
            scene.add(shard_id, index)
            scene.apply(index)
        assert scene.look().records == 5


class TestBacklog:
    def test_its_age_is_that_of_the_oldest_unapplied_change(self, scene: Scene) -> None:
        scene.add("a", 1)
        scene.clock.time += 10
        scene.add("a", 2)
        scene.add("b", 3)
        scene.clock.time += 5
        scene.apply(1)
        assert scene.look().oldest_age == 5
        scene.clock.time += 5
        assert scene.look().oldest_age == 10

    def test_nothing_unapplied_has_no_age(self, scene: Scene) -> None:
        scene.add("a", 1)
        scene.apply(1)
        assert scene.look().oldest_age == 0

    def test_a_fresh_reader_looks_behind_empty_pages(self, scene: Scene) -> None:
        scene.add("a", 1, gaps={0: 2})
        scene.clock.time += 30
        assert scene.look().oldest_age == 30

    def test_a_reader_goes_on_where_it_was(self, scene: Scene) -> None:
        scene.add("a", 1, gaps={0: 20})
        scene.look_for(16)
        assert scene.look().oldest_age == 0
        assert scene.look_for(5).oldest_age > 0


class TestDrained:
    def test_only_after_looking_for_long_enough(self, scene: Scene) -> None:
        scene.add("a", 1)
        scene.apply(1)
        scene.look()
        scene.clock.time += 1
        assert not scene.look_for(DRAINED_AFTER - 1).drained
        assert scene.look_for(1).drained

    def test_over_several_invocations(self, scene: Scene) -> None:
        scene.add("a")
        scene.look_for(30)
        scene.stream = scene.invocation()
        assert not scene.look_for(29).drained
        assert scene.look_for(1).drained

    def test_not_while_something_is_unapplied(self, scene: Scene) -> None:
        scene.add("a", 1, closed=True)
        assert not scene.look_for(2 * DRAINED_AFTER).drained

    def test_not_while_any_shard_holds_something(self, scene: Scene) -> None:
        for shard_id in "abc":
            scene.add(shard_id)
        scene.add("d", 1)
        assert not scene.look_for(2 * DRAINED_AFTER).drained

    def test_changes_that_are_applied_at_once_are_changes(self, scene: Scene) -> None:
        # The replicator may always be faster than control looks: that does not make the source quiet.
        scene.add("a")
        for value in range(100):
            scene.add("a", value)
            scene.apply(value)
            assert not scene.look().drained
            scene.clock.time += 1

    def test_a_new_change_ends_it_even_when_it_is_applied(self, scene: Scene) -> None:
        scene.add("a")
        assert scene.look_for(DRAINED_AFTER).drained
        scene.add("a", 1)
        scene.apply(1)
        assert not scene.look().drained

    def test_a_closed_shard_needs_no_waiting(self, scene: Scene) -> None:
        scene.add("a", 1, closed=True)
        scene.apply(1)
        scene.look()
        assert scene.shard().finished
        assert scene.look().drained

    def test_a_closed_shard_is_finished_only_at_its_end(self, scene: Scene) -> None:
        scene.streams.page_size = 1
        scene.add("a", *range(5), closed=True)
        scene.apply(3, records=4)
        scene.look()
        assert not scene.shard().finished
        scene.apply(4)
        scene.look()
        assert scene.shard().finished

    def test_a_finished_shard_is_not_read_again(self, scene: Scene) -> None:
        scene.add("a", closed=True)
        scene.look()
        reads = scene.streams.reads
        scene.look(scene.invocation())
        assert scene.streams.reads == reads

    def test_not_when_a_shard_closes_while_it_is_read(self, scene: Scene) -> None:
        # The list of shards was made before; the child that took over is not in it.
        scene.add("a")
        scene.look()

        def split(shard_id: str) -> None:
            scene.streams.shards["a"].closed = True
            if "b" not in scene.streams.shards:
                scene.add("b", 1)

        scene.streams.on_read = split
        assert not scene.look().drained
        assert not scene.look_for(2 * DRAINED_AFTER).drained

    def test_a_new_child_has_to_stay_empty_too(self, scene: Scene) -> None:
        scene.add("a", closed=True)
        scene.add("b")
        assert not scene.look_for(DRAINED_AFTER - 1).drained
        assert scene.look_for(1).drained

    def test_not_before_there_is_a_shard(self, scene: Scene) -> None:
        assert not scene.look().drained


class TestExpired:
    def test_an_unapplied_change_that_grows_too_old(self, scene: Scene) -> None:
        scene.add("a", 1)
        scene.look()
        scene.clock.time += RETENTION_SECONDS
        scene.look()
        scene.clock.time += 1
        with pytest.raises(RecordsExpired, match="24 hours ago"):
            scene.look()

    def test_a_change_that_left_the_stream_while_nobody_looked(self, scene: Scene) -> None:
        shard = scene.add("a", 1)
        scene.apply(1)
        scene.look()
        scene.clock.time += HOUR
        scene.add("a", 2)
        scene.look()
        scene.clock.time += 25 * HOUR
        shard.trimmed = 2
        with pytest.raises(RecordsExpired):
            scene.look(scene.invocation())

    def test_an_empty_page_does_not_make_a_hidden_change_count_as_applied(self, scene: Scene) -> None:
        shard = scene.add("a", 1, gaps={0: 10})
        scene.look()
        scene.clock.time += DRAINED_AFTER - 1
        scene.look(scene.invocation())
        scene.clock.time = NOON + 24 * HOUR + 1
        shard.trimmed = 1
        with pytest.raises(RecordsExpired):
            scene.look(scene.invocation())

    def test_a_shard_that_left_the_stream_with_unapplied_changes(self, scene: Scene) -> None:
        scene.add("a", 1)
        scene.look()
        scene.clock.time += 25 * HOUR
        scene.add("b")
        del scene.streams.shards["a"]
        with pytest.raises(RecordsExpired, match="shard a"):
            scene.look(scene.invocation())

    def test_a_shard_that_left_the_stream_with_nothing_but_applied_ones(self, scene: Scene) -> None:
        scene.add("a", 1)
        scene.apply(1)
        scene.add("b")
        scene.look()
        scene.look_for(DRAINED_AFTER + 5)
        scene.clock.time += 23 * HOUR
        del scene.streams.shards["a"]
        assert scene.look(scene.invocation()).records == 1
        assert scene.shard().finished

    def test_an_applied_change_may_expire(self, scene: Scene) -> None:
        shard = scene.add("a", 1)
        scene.apply(1)
        scene.look()
        scene.clock.time += DRAINED_AFTER
        for _ in range(30):
            scene.look()
            scene.clock.time += HOUR
        shard.trimmed = 1
        scene.look(scene.invocation())
        scene.add("a", 2)
        assert scene.look().oldest_age == 0

    def test_a_change_from_before_the_first_slice_may_expire(self, scene: Scene) -> None:
        scene.add("a", 1)
        scene.look()
        scene.clock.time += 48 * HOUR
        scene.covered_to = scene.clock.time
        assert scene.look().oldest_age == 48 * HOUR
        scene.streams.shards["a"].trimmed = 1
        assert scene.look(scene.invocation()).oldest_age == 0


class TestOverlap:
    """Two invocations of control look at the same time."""

    def test_a_position_moved_by_another_is_taken_over(self, scene: Scene) -> None:
        scene.add("a", 1, 2)
        other = scene.invocation()
        scene.look(other)
        scene.apply(2, records=2)
        scene.look()
        backlog = scene.look(other)
        assert backlog.oldest_age == 0
        assert backlog.records == 2
        assert scene.shard().position == number(2)

    def test_a_slower_one_takes_nothing_back(self, scene: Scene) -> None:
        scene.add("a", 1, 2)
        slow = scene.invocation()
        scene.look(slow)
        scene.clock.time += 1

        def overtake(shard_id: str) -> None:
            # Between the slow one's reading of the journal and its writing to it.
            scene.streams.on_read = lambda shard_id: None
            scene.apply(2, records=2)
            scene.look()

        scene.streams.on_read = overtake
        assert not scene.look(slow).drained
        assert scene.shard().position == number(2)
        assert scene.shard().records == 2
        assert scene.look(slow).oldest_age == 0

    def test_an_overtaken_look_proves_nothing(self, scene: Scene) -> None:
        scene.add("a")
        scene.look_for(DRAINED_AFTER - 1)
        slow = scene.stream
        scene.clock.time += 1

        def overtake(shard_id: str) -> None:
            scene.streams.on_read = lambda shard_id: None
            scene.add("a", 1)
            scene.look(scene.invocation())
            scene.streams.shards["a"].records.clear()

        scene.streams.on_read = overtake
        assert not scene.look(slow).drained

    def test_marks_that_were_counted_are_not_counted_again(self, scene: Scene) -> None:
        scene.add("a", *range(4))
        scene.apply(1, records=2)
        scene.look()
        scene.apply(3, records=2)
        assert scene.look(scene.invocation()).records == 4


def test_an_age_is_never_negative(scene: Scene) -> None:
    scene.add("a", 1)
    scene.clock.time = NOON - 0.5
    assert scene.look().oldest_age == 0
