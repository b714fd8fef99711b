"""What control makes of the shards it reads and the marks it finds in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

import pytest
from mypy_boto3_dynamodbstreams.client import DynamoDBStreamsClient

from tablecopy.control.stream.expiry import RETENTION_SECONDS, RecordsExpired
from tablecopy.control.stream.progress import Backlog, Stream, StreamGone
from tablecopy.dynamodb.client import Json
from tablecopy.journal.applied_batches import AppliedBatch, AppliedBatches
from tablecopy.journal.shards import Shard, Shards
from tablecopy.journal.store import Store
from tests.unit.tablecopy.fakes import NOON, FakeClock, FakeShard, FakeStreams, MemoryStore, name_of

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
        self.marks = AppliedBatches(store, clock)
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
        """Record a batch that ends with ``last``; its first record is ``records`` numbers back."""
        start = last - records + 1 if first is None else first
        names = [name_of(number(value)) for value in range(start, last + 1)]
        self.marks.put(AppliedBatch(names[0], number(last), records, puts, deletes), names)

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
def scene(clock: FakeClock) -> Scene:
    return Scene(MemoryStore(), clock)


class TestPositions:
    def test_marks_lead_from_batch_to_batch(self, scene: Scene) -> None:
        scene.add("a", *range(10))
        scene.apply(2, records=3, puts=2, deletes=1)
        scene.apply(6, records=4, puts=1)
        backlog = scene.look()
        assert scene.shard().position == number(6)
        assert (backlog.records, backlog.puts, backlog.deletes) == (7, 3, 1)

    def test_a_batch_may_reach_beyond_what_was_read(self, scene: Scene) -> None:
        scene.add("a", 1)
        scene.look()
        scene.add("a", 2, 3)
        scene.apply(3, records=3)
        scene.streams.shards["a"].gaps[1] = 5
        assert scene.look().records == 3
        assert scene.look_for(10).records == 3

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
        assert not scene.look().drained
        assert scene.shard().finished
        # A second later it is known that nothing follows.
        scene.clock.tick(1)
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


class TestManyShards:
    """Shards that end and are followed by others while the source is quiet."""

    def follow_up(self, scene: Scene, shard_id: str, child: str) -> None:
        scene.streams.shards[shard_id].closed = True
        scene.add(child, parent=shard_id)

    def test_a_child_of_a_quiet_shard_is_soon_quiet(self, scene: Scene) -> None:
        scene.add("a")
        assert scene.look_for(DRAINED_AFTER).drained
        self.follow_up(scene, "a", "b")
        assert not scene.look().drained
        assert not scene.look_for(5).drained
        assert scene.look_for(1).drained

    def test_a_child_of_a_shard_that_had_changes_is_not(self, scene: Scene) -> None:
        scene.add("a")
        scene.look_for(DRAINED_AFTER)
        scene.add("a", 1)
        scene.apply(1)
        scene.look()
        self.follow_up(scene, "a", "b")
        assert not scene.look_for(DRAINED_AFTER).drained
        assert scene.look_for(1).drained

    def test_nor_of_one_that_was_written_to_at_its_very_end(self, scene: Scene) -> None:
        scene.add("a")
        scene.look_for(DRAINED_AFTER)
        scene.add("a", 1)
        scene.apply(1)
        self.follow_up(scene, "a", "b")
        assert not scene.look_for(DRAINED_AFTER - 1).drained

    def test_nor_of_one_whose_changes_are_not_applied(self, scene: Scene) -> None:
        scene.add("a")
        scene.look_for(DRAINED_AFTER)
        self.follow_up(scene, "a", "b")
        scene.add("a", 1, closed=True)
        assert not scene.look_for(2 * DRAINED_AFTER).drained

    def test_a_change_in_a_child_is_found(self, scene: Scene) -> None:
        scene.add("a")
        scene.look_for(DRAINED_AFTER)
        self.follow_up(scene, "a", "b")
        scene.look_for(3)
        scene.add("b", 1)
        assert not scene.look_for(2 * DRAINED_AFTER).drained

    def test_ready_comes_although_a_shard_ends_every_half_minute(self, scene: Scene) -> None:
        for index in range(20):
            scene.add(f"{index}")
        drained = 0
        for index in range(20, 28):
            drained += scene.look_for(29).drained
            self.follow_up(scene, f"{index - 20}", f"{index}")
            scene.clock.time += 1
            scene.look()
        # Not in the first minute; from then on always.
        assert drained == 6

    def test_a_shard_that_ends_proves_nothing_and_is_no_change(self, scene: Scene) -> None:
        scene.add("a")
        scene.look_for(DRAINED_AFTER)
        self.follow_up(scene, "a", "b")
        backlog = scene.look()
        assert (backlog.drained, backlog.changed) == (False, False)
        scene.add("b", 1)
        scene.apply(1)
        scene.clock.tick(1)
        assert scene.look().changed

    def test_what_says_nothing_new_is_not_written(self, scene: Scene) -> None:
        scene.add("a")
        scene.look_for(DRAINED_AFTER)
        before = scene.shard()
        scene.look_for(DRAINED_AFTER)
        after = scene.shard()
        assert 1 <= after.version - before.version <= 2
        # So it may only be a little late.
        assert scene.clock.time - after.applied_to <= 30

    def test_a_later_invocation_reads_on_where_one_found_nothing(self, scene: Scene) -> None:
        # Control is called once a minute when a run is ready, and each time believes a few empty pages.
        scene.add("a", gaps={0: 30})
        scene.look_for(DRAINED_AFTER / 4)
        scene.add("a", 1)
        ages = []
        for _ in range(40):
            scene.clock.time += 60
            ages.append(scene.look(scene.invocation()).oldest_age)
        assert ages[-1] > 0

    def test_an_iterator_that_is_too_old_is_replaced(self, scene: Scene) -> None:
        scene.add("a", 1)
        scene.apply(1)
        scene.look_for(DRAINED_AFTER + 1)
        scene.streams.expired.add(scene.shard().iterator)
        assert scene.shard().iterator
        scene.add("a", 2)
        scene.clock.time += 1
        assert scene.look(scene.invocation()).oldest_age == 1

    def test_what_was_proved_before_it_has_to_be_proved_again(self, scene: Scene) -> None:
        scene.add("a")
        assert scene.look_for(DRAINED_AFTER).drained
        scene.streams.expired.add(scene.shard().iterator)
        scene.stream = scene.invocation()
        backlog = scene.look()
        assert (backlog.drained, backlog.changed) == (False, False)
        assert not scene.look_for(DRAINED_AFTER - 1).drained
        assert scene.look_for(1).drained

    @pytest.mark.parametrize("seconds", [0, 1, 60])
    def test_a_stream_that_was_deleted(self, scene: Scene, seconds: float) -> None:
        scene.add("a")
        scene.look()
        scene.streams.deleted = True
        scene.clock.tick(seconds)
        with pytest.raises(StreamGone, match="arn:stream no longer exists"):
            scene.look()
        assert not scene.shard().finished


class TestListing:
    """An account may call DescribeStream ten times a second, for all its copies."""

    def test_the_shards_are_listed_once_a_minute(self, scene: Scene) -> None:
        scene.add("a")
        scene.look_for(179)
        assert len(scene.streams.described) == 3
        assert all("ShardFilter" not in request for request in scene.streams.described)

    def test_a_long_list_is_read_slowly(self, scene: Scene) -> None:
        for index in range(9):
            scene.add(f"{index}")
        scene.look()
        assert len(scene.streams.described) == 5
        assert scene.clock.slept == [0.2] * 4

    def test_the_children_of_shards_that_end_are_asked_for_one_a_second(self, scene: Scene) -> None:
        for index in range(3):
            scene.add(f"{index}")
        scene.look_for(10)
        listed = len(scene.streams.described)
        for index in range(3):
            scene.streams.shards[f"{index}"].closed = True
            scene.add(f"{index + 3}", 9 - index, parent=f"{index}")
        for seconds in range(1, 4):
            scene.look()
            scene.clock.tick(1)
            asked = [request["ShardFilter"] for request in scene.streams.described[listed:]]
            assert len(asked) <= seconds
        scene.look()
        asked = [request["ShardFilter"]["ShardId"] for request in scene.streams.described[listed:]]
        assert asked == ["0", "1", "2"]
        assert scene.look().waiting == 3

    def test_nothing_is_proved_while_a_child_may_be_unknown(self, scene: Scene) -> None:
        for shard_id in ("a", "b"):
            scene.add(shard_id)
        scene.look_for(DRAINED_AFTER + 1)
        for shard_id in ("a", "b"):
            scene.streams.shards[shard_id].closed = True
        drained = []
        for _ in range(4):
            drained.append(scene.look().drained)
            scene.clock.tick(1)
        assert drained == [False, False, True, True]

    def test_a_new_list_tells_whether_a_look_has_followed_every_shard(self, scene: Scene) -> None:
        scene.add("a")
        scene.look()
        assert scene.stream.is_complete()
        scene.add("b", parent="a")
        assert not scene.stream.is_complete()
        scene.look()
        assert scene.stream.is_complete()

    def test_a_parent_that_has_left_the_stream_is_not_the_streams_end(self, scene: Scene) -> None:
        for shard_id in ("a", "b"):
            scene.add(shard_id)
        scene.look()
        scene.streams.shards["a"].closed = True
        scene.add("c", 1, parent="a")
        scene.look()
        del scene.streams.shards["a"]
        scene.clock.tick(1)
        assert scene.look().waiting == 1

    def test_the_journal_is_read_anew_only_when_another_has_written(self, clock: FakeClock) -> None:
        class Counting(MemoryStore):
            queries = 0

            def query(self, pk: str, *, only: Sequence[str] = ()) -> Iterator[Json]:
                self.queries += pk == "shard"
                return super().query(pk, only=only)

        store = Counting()
        scene = Scene(store, clock)
        scene.add("a")
        scene.look_for(50)
        assert store.queries == 1
        other = scene.invocation()
        scene.add("a", 1)
        scene.apply(1)
        scene.look(other)
        # What it saves is refused, and then it knows what the other one does.
        scene.look()
        before = store.queries
        scene.clock.tick(1)
        assert scene.look().records == 1
        assert store.queries == before + 1


class TestCounting:
    @pytest.fixture
    def busy(self, scene: Scene) -> Scene:
        scene.streams.page_size = 500
        scene.add("a", *range(1_700))
        scene.add("b", 5_000, 5_001)
        return scene

    def count(self, scene: Scene, stream: Stream | None = None) -> int:
        return (stream or scene.stream).observe(scene.covered_to, count=True).waiting

    def test_only_a_thousand_of_a_shard_are_known_unless_asked(self, busy: Scene) -> None:
        assert busy.look().waiting == 1_002
        assert self.count(busy) == 1_702

    def test_each_is_counted_once(self, busy: Scene) -> None:
        self.count(busy)
        busy.add("a", *range(1_700, 2_000))
        assert self.count(busy) == 2_002
        assert self.count(busy) == 2_002

    def test_a_look_counts_a_few_pages(self, busy: Scene) -> None:
        busy.add("a", *range(1_700, 4_700))
        assert self.count(busy) == 3_502
        assert self.count(busy) == 4_702

    def test_a_later_invocation_goes_on_counting(self, busy: Scene) -> None:
        self.count(busy)
        busy.clock.time += 30
        self.count(busy)
        assert busy.shard().waiting == 1_700
        reads = busy.streams.reads
        busy.add("a", *range(1_700, 1_800))
        assert self.count(busy, busy.invocation()) == 1_802
        # The thousand that are kept, the hundred that are new, and the end of each shard.
        assert busy.streams.reads - reads <= 8

    def test_it_begins_anew_once_some_are_applied(self, busy: Scene) -> None:
        self.count(busy)
        busy.apply(899, records=900)
        busy.look()
        assert busy.shard().waiting == 0
        assert self.count(busy) == 802


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
        assert scene.look().oldest_age == 48 * HOUR
        assert scene.look(scene.invocation()).oldest_age == 0

    def old(self, scene: Scene, *values: int, parent: str = "") -> FakeShard:
        """A shard of a stream that was on a day before the run, and the run's first slice has begun."""
        shard = scene.add("a", *values, parent=parent)
        scene.look()
        scene.clock.time += 23.5 * HOUR
        scene.covered_to = scene.clock.time
        return shard

    def test_one_from_before_may_not_once_an_earlier_one_was_applied(self, scene: Scene) -> None:
        # The put of an item was applied, and its deletion expires: the item stays for good.
        shard = self.old(scene, 1, 2)
        scene.apply(1)
        scene.look()
        scene.clock.time += HOUR
        shard.trimmed = 2
        with pytest.raises(RecordsExpired):
            scene.look(scene.invocation())

    def test_nor_while_control_has_it_before_its_eyes(self, scene: Scene) -> None:
        shard = self.old(scene, 1, 2)
        scene.apply(1)
        scene.look()
        scene.clock.time += HOUR
        assert scene.look().oldest_age == 24.5 * HOUR
        shard.trimmed = 2
        with pytest.raises(RecordsExpired):
            scene.look()

    def test_nor_in_a_shard_that_follows_one(self, scene: Scene) -> None:
        scene.add("p", 1, closed=True)
        scene.apply(1)
        scene.look()
        child = self.old(scene, 2, parent="p")
        scene.clock.time += HOUR
        scene.look(scene.invocation())
        child.trimmed = 1
        with pytest.raises(RecordsExpired):
            scene.look(scene.invocation())

    def test_it_may_be_overdue_while_it_is_there(self, scene: Scene) -> None:
        # A stream that was on for long begins with such: the mapping just comes to them.
        self.old(scene, 1, 2)
        scene.apply(1)
        scene.look()
        scene.clock.time += HOUR
        assert scene.look(scene.invocation()).oldest_age == 24.5 * HOUR

    def test_the_mapping_may_hold_it_for_a_while(self, scene: Scene) -> None:
        shard = self.old(scene, 1, 2)
        scene.apply(1)
        scene.look()
        scene.clock.time += HOUR / 2 + 600
        shard.trimmed = 2
        assert scene.look().oldest_age > 24 * HOUR
        scene.apply(2)
        assert scene.look().oldest_age == 0

    def test_the_chain_begins_behind_what_expired_before_the_mapping_came(self, scene: Scene) -> None:
        self.old(scene, 1, 2)
        scene.clock.time += HOUR
        scene.add("a", 3, 4)
        scene.apply(4, records=2)
        backlog = scene.look()
        assert (backlog.records, backlog.oldest_age) == (2, 0)
        assert scene.shard().position == number(4)

    def test_but_not_behind_what_did_not(self, scene: Scene) -> None:
        scene.add("a", 1, 2)
        scene.covered_to = scene.clock.time + HOUR
        scene.clock.time += HOUR
        scene.add("a", 3)
        scene.apply(3)
        assert scene.look().oldest_age == HOUR

    def test_a_shard_found_late_is_as_old_as_what_it_holds(self, scene: Scene) -> None:
        shard = scene.add("a", 1)
        scene.clock.time += 3 * HOUR
        scene.look()
        scene.clock.time += 22 * HOUR
        shard.trimmed = 1
        with pytest.raises(RecordsExpired):
            scene.look(scene.invocation())


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
