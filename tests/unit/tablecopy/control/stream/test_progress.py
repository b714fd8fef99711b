"""What control makes of the shards it reads and the applied batches it finds in them."""

from __future__ import annotations

import pytest

from tablecopy.control.stream.listing import StreamGone
from tests.unit.tablecopy.control.stream.scene import DRAINED_AFTER, Scene, number
from tests.unit.tablecopy.fakes import NOON, FakeClock, MemoryStore, client_error


class TestPositions:
    def test_batches_lead_from_one_to_the_next(self, scene: Scene) -> None:
        scene.add("a", *range(10))
        scene.apply(2, records=3, puts=2, deletes=1)
        scene.look()
        scene.apply(6, records=4, puts=1)
        backlog = scene.again()
        assert scene.row().position == number(6)
        assert (backlog.records, backlog.puts, backlog.deletes) == (7, 3, 1)

    def test_a_batch_may_reach_beyond_what_was_read(self, scene: Scene) -> None:
        scene.add("a", 1)
        scene.look()
        scene.add("a", 2, 3)
        scene.apply(3, records=3)
        scene.streams.shards["a"].gaps[1] = 5
        assert scene.again().records == 3
        assert scene.look_for(10).records == 3
        assert scene.row().position == number(3)

    def test_a_gap_ends_the_chain(self, scene: Scene) -> None:
        scene.add("a", *range(10))
        scene.apply(2, records=3)
        scene.apply(6, records=3)
        assert scene.look_for(3).records == 3
        assert scene.row().position == number(2)

    def test_a_batch_may_span_pages(self, scene: Scene) -> None:
        scene.streams.page_size = 2
        scene.add("a", *range(9))
        scene.apply(7, records=8)
        scene.look()
        assert scene.row().position == number(7)
        assert scene.look_for(4).waiting == 1

    def test_the_same_number_in_another_shard_is_another_batch(self, scene: Scene) -> None:
        """Sequence numbers are unique in a shard only, and so are the records' names in the stream."""
        scene.add("a", 1, 3, 5)
        scene.add("b", 2, 4, 6)
        scene.apply(4, records=2, first=2)
        scene.look()
        assert (scene.row("a").position, scene.row("b").position) == ("", number(4))

    def test_a_later_environment_goes_on_from_the_position(self, scene: Scene) -> None:
        scene.add("a", *range(6))
        scene.apply(3, records=4)
        scene.look()
        scene.apply(5, records=2)
        scene.stream = scene.environment()
        assert scene.again().records == 6
        assert scene.row().position == number(5)

    def test_a_batch_recorded_twice_counts_once(self, scene: Scene) -> None:
        scene.add("a", *range(6))
        scene.apply(3, records=4)
        scene.look()
        scene.apply(3, records=4)
        scene.apply(5, records=2)
        assert scene.look_for(2).records == 6
        assert scene.again(scene.environment()).records == 6

    def test_the_stream_may_have_more_shards_than_a_page(self, scene: Scene) -> None:
        scene.streams.list_size = 2
        for index, shard_id in enumerate("abcde"):
            scene.add(shard_id, index)
            scene.apply(index)
        assert scene.look_for(2).records == 5

    def test_all_shards_share_the_calls_to_the_journal(self, clock: FakeClock) -> None:
        class Counting(MemoryStore):
            calls = 0

            def get_many(self, *arguments: object) -> list[dict[str, object]]:  # type: ignore[override]
                self.calls += 1
                return super().get_many(*arguments)  # type: ignore[arg-type]

        store = Counting()
        scene = Scene(clock, store)
        for index in range(150):
            scene.add(f"{index}", 2 * index, 2 * index + 1)
            scene.apply(2 * index)
            scene.apply(2 * index + 1)
        scene.look()
        # The list has a second page.
        assert scene.again().records == 300
        # Two batches of each shard, a hundred shards a call. The ends of all chains are known then.
        assert store.calls == 4
        # Shards without a record ahead take none.
        assert scene.again().records == 300
        assert store.calls == 4

    def test_what_was_found_is_kept_although_the_journal_fails(self, clock: FakeClock) -> None:
        class Failing(MemoryStore):
            fails = False

            def get_many(self, *arguments: object) -> list[dict[str, object]]:  # type: ignore[override]
                if self.fails:
                    raise client_error("ProvisionedThroughputExceededException")
                return super().get_many(*arguments)  # type: ignore[arg-type]

        store = Failing()
        scene = Scene(clock, store)
        scene.add("a", 1, 2)
        scene.apply(1)
        scene.apply(2)
        store.fails = True
        backlog = scene.look()
        assert (backlog.records, backlog.oldest_age) == (0, 0)
        assert backlog.error is not None
        assert backlog.unapplied
        store.fails = False
        assert scene.again().records == 2

    def test_batches_found_before_the_journal_fails_are_counted(self, clock: FakeClock) -> None:
        class Failing(MemoryStore):
            reads = 0

            def get_many(self, *arguments: object) -> list[dict[str, object]]:  # type: ignore[override]
                self.reads += 1
                if self.reads == 3:
                    raise client_error("ProvisionedThroughputExceededException")
                return super().get_many(*arguments)  # type: ignore[arg-type]

        scene = Scene(clock, Failing())
        scene.add("a", 1, 2, 3, 4)
        for each in (1, 2, 3, 4):
            scene.apply(each)
        backlog = scene.look()
        assert backlog.error is not None
        assert (scene.row().position, backlog.records) == (number(2), 2)
        assert scene.again().records == 4


class TestBeforeTheCopy:
    """Changes from before the first slice are in the scan. Nobody has to follow them."""

    def test_they_are_dropped(self, scene: Scene) -> None:
        scene.add("a", 1, 2)
        scene.clock.tick(100)
        scene.covered_to = scene.clock.time
        scene.add("a", 3, 4)
        scene.apply(4, records=2)
        scene.clock.tick(1)
        backlog = scene.look()
        assert (backlog.records, backlog.oldest_age) == (2, 0)
        assert scene.row().position == number(4)

    def test_a_batch_that_holds_both_is_found_by_its_first_later_record(self, scene: Scene) -> None:
        """The replicator records the rest as well, under the name of the rest's first record."""
        scene.add("a", 1)
        scene.clock.tick(100)
        scene.covered_to = scene.clock.time
        scene.add("a", 2, 3)
        scene.apply(3, records=3)
        assert scene.look().records == 0
        scene.apply(3, records=2)
        assert scene.again().records == 2

    def test_those_that_become_so_are_dropped_as_well(self, scene: Scene) -> None:
        scene.add("a", 1)
        assert scene.note().unapplied
        scene.clock.tick(31)
        backlog = scene.note()
        assert not backlog.unapplied
        assert scene.row().position == number(1)

    def test_a_place_counts_when_the_journal_has_it(self, clock: FakeClock) -> None:
        class Failing(MemoryStore):
            fails = True

            def put(self, *arguments: object, **more: object) -> None:
                if self.fails:
                    raise client_error("ProvisionedThroughputExceededException")
                super().put(*arguments, **more)  # type: ignore[arg-type]

        store = Failing()
        scene = Scene(clock, store)
        scene.add("a", 1)
        assert not scene.note().settled
        store.fails = False
        scene.clock.tick(1)
        assert scene.note().settled

    def test_a_shard_that_left_before_it_was_read_holds_nothing_up(self, scene: Scene) -> None:
        scene.add("a")
        scene.add("b", closed=True)

        def gone(operation: str, request: dict[str, str]) -> None:
            if request.get("ShardId") == "b" and operation == "GetShardIterator":
                scene.streams.shards.pop("b", None)
                raise client_error("ResourceNotFoundException")

        scene.streams.on_send = gone
        assert not scene.note().settled
        for _ in range(3):
            scene.clock.tick(1)
            backlog = scene.note()
        assert backlog.settled

    def test_one_that_is_out_of_order_hides_none_that_is_not(self, scene: Scene) -> None:
        scene.covered_to = scene.clock.time - 10
        shard = scene.add("a", 1, 2, 3)
        shard.records[1] = (shard.records[1][0], scene.clock.time - 100)
        assert scene.look().waiting == 3
        scene.apply(1)
        backlog = scene.again()
        # The first is applied and the second is from before the copy, so the chain goes on with the third.
        assert (backlog.waiting, backlog.oldest_age) == (1, 1)


class TestBacklog:
    def test_its_age_is_that_of_the_oldest_unapplied_change(self, scene: Scene) -> None:
        scene.add("a", 1)
        scene.clock.tick(10)
        scene.add("a", 2)
        scene.add("b", 3)
        scene.clock.tick(5)
        scene.apply(1)
        assert scene.look().oldest_age == 5
        scene.clock.tick(5)
        assert scene.look().oldest_age == 10

    def test_nothing_unapplied_has_no_age(self, scene: Scene) -> None:
        scene.add("a", 1)
        scene.apply(1)
        assert scene.look().oldest_age == 0

    def test_a_fresh_reader_looks_behind_empty_pages(self, scene: Scene) -> None:
        scene.add("a", 1, gaps={0: 2})
        scene.clock.tick(30)
        scene.look()
        # Four empty pages show that nothing follows. Here only two come.
        assert scene.again().oldest_age > 0
        assert scene.again().oldest_age == 32

    @pytest.mark.parametrize("is_fresh", [True, False])
    def test_two_empty_pages_a_minute_apart_prove_nothing(self, scene: Scene, is_fresh: bool) -> None:
        """No invocation came in between. The shard was not read again and again for all that time."""
        scene.add("a", 1, gaps={0: 2})
        scene.look()
        scene.clock.tick(3 * DRAINED_AFTER)
        stream = scene.environment() if is_fresh else scene.stream
        assert not scene.look(stream).drained
        assert scene.again(stream).unapplied

    def test_a_reader_goes_on_where_it_was(self, scene: Scene) -> None:
        scene.add("a", 1, gaps={0: 20})
        scene.look_for(16)
        assert scene.look().oldest_age == 0
        assert scene.look_for(5).oldest_age > 0

    def test_a_shard_not_read_to_its_end_is_as_old_as_the_newest_record_read(self, scene: Scene) -> None:
        scene.streams.page_size = 1_000
        for start in range(5):
            scene.add("a", *range(1_000 * start, 1_000 * start + 1_000))
            scene.clock.tick(100)
        for start in range(5):
            scene.apply(1_000 * start + 999, records=1_000)
        # Everything is applied, but control has seen only the first page.
        assert scene.look().oldest_age == 500
        assert scene.again().oldest_age == 401
        for _ in range(6):
            backlog = scene.again()
        assert backlog.oldest_age == 0

    def test_a_shard_that_cannot_be_read_ages(self, scene: Scene) -> None:
        scene.add("a")
        scene.look_for(DRAINED_AFTER)

        def throttled(operation: str, request: object) -> None:
            raise client_error("LimitExceededException")

        scene.streams.on_send = throttled
        for _ in range(5):
            scene.clock.tick(60)
            backlog = scene.look()
        assert backlog.oldest_age > 300
        assert backlog.looked_since < NOON + 100
        assert "no" in str(backlog.error)

    def test_an_age_is_never_negative(self, scene: Scene) -> None:
        scene.add("a", 1)
        scene.clock.time = NOON - 0.5
        assert scene.look().oldest_age == 0


class TestDrained:
    def test_only_after_looking_for_long_enough(self, scene: Scene) -> None:
        scene.add("a", 1)
        scene.apply(1)
        scene.look()
        scene.clock.tick(1)
        assert not scene.look_for(DRAINED_AFTER - 1).drained
        assert scene.look_for(1).drained

    def test_over_several_environments(self, scene: Scene) -> None:
        scene.add("a")
        scene.look_for(30)
        scene.stream = scene.environment()
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
            scene.clock.tick(1)

    def test_a_new_change_ends_it_even_when_it_is_applied(self, scene: Scene) -> None:
        scene.add("a")
        assert scene.look_for(DRAINED_AFTER).drained
        scene.add("a", 1)
        scene.apply(1)
        assert not scene.again().drained

    def test_a_shard_that_was_not_read_again_is_as_quiet_as_it_was(self, scene: Scene) -> None:
        """A look may end before it comes to a shard. Time alone makes nothing quiet."""
        scene.add("a")
        scene.look()
        scene.clock.tick(2 * DRAINED_AFTER)
        backlog = scene.stream.observe(scene.covered_to, scene.clock.time)
        assert not backlog.drained
        assert backlog.looked_since == NOON

    def test_a_closed_shard_is_finished_only_at_its_end(self, scene: Scene) -> None:
        scene.streams.page_size = 1
        scene.add("a", *range(5), closed=True)
        scene.apply(3, records=4)
        scene.look_for(4)
        assert not scene.row().finished
        scene.apply(4)
        scene.again()
        assert scene.row().finished

    def test_a_finished_shard_is_not_read_again(self, scene: Scene) -> None:
        scene.add("a", closed=True)
        scene.look()
        reads = scene.streams.reads
        scene.again()
        scene.again(scene.environment())
        assert scene.streams.reads == reads

    def test_not_before_there_is_a_shard(self, scene: Scene) -> None:
        assert not scene.look().drained


class TestManyShards:
    """Shards that end and are followed by others while the source is quiet."""

    def test_a_quiet_shard_stands_for_its_child_until_that_is_quiet(self, scene: Scene) -> None:
        scene.add("a")
        assert scene.look_for(DRAINED_AFTER).drained
        before = scene.clock.time
        scene.follow_up("a", "b")
        backlog = scene.again()
        # What was made since may be in the child, which was not read yet, or in another one.
        assert (backlog.drained, backlog.proved_to) == (True, before - 5)
        backlog = scene.look_for(55)
        assert (backlog.drained, backlog.proved_to) == (True, before - 5)
        backlog = scene.look_for(10)
        assert (backlog.drained, backlog.proved_to) == (True, scene.clock.time - 5)

    def test_a_child_is_quiet_after_half_a_minute(self, scene: Scene) -> None:
        def refuse(shard_id: str) -> None:
            if shard_id == "b":
                raise client_error("LimitExceededException")

        scene.add("a")
        scene.look_for(DRAINED_AFTER)
        before = scene.clock.time
        scene.follow_up("a", "b")
        scene.streams.on_read = refuse
        scene.look_for(65)
        scene.streams.on_read = lambda shard_id: None
        assert scene.look_for(29).proved_to == before - 5
        assert scene.look_for(3).proved_to == scene.clock.time - 5

    def test_and_for_one_that_is_not_listed_yet(self, scene: Scene) -> None:
        scene.add("a")
        scene.look_for(DRAINED_AFTER)
        before = scene.clock.time
        scene.streams.shards["a"].closed = True
        for _ in range(10):
            backlog = scene.again()
            assert (backlog.drained, backlog.proved_to) == (True, before - 5)
        scene.add("b", 1, parent="a")
        assert not scene.look_for(10).drained

    def test_but_not_for_long(self, scene: Scene) -> None:
        def refuse(shard_id: str) -> None:
            if shard_id == "b":
                raise client_error("LimitExceededException")

        scene.add("a")
        scene.look_for(DRAINED_AFTER)
        before = scene.clock.time
        scene.follow_up("a", "b")
        scene.streams.on_read = refuse
        backlog = scene.look_for(80)
        assert (backlog.quiet, backlog.proved_to) == (True, before - 5)
        backlog = scene.look_for(40)
        assert (backlog.quiet, backlog.proved_to) == (False, before - 5)

    def test_nor_for_one_in_which_a_change_was_found(self, scene: Scene) -> None:
        scene.add("a")
        scene.look_for(DRAINED_AFTER)
        scene.follow_up("a", "b")
        scene.again()
        scene.add("b", 1)
        assert not scene.again().drained
        scene.apply(1)
        assert not scene.look_for(DRAINED_AFTER - 5).drained

    def test_nor_before_a_minute_without_a_change(self, scene: Scene) -> None:
        scene.add("a", 1)
        scene.apply(1)
        scene.look_for(DRAINED_AFTER - 5)
        scene.follow_up("a", "b")
        assert not scene.again().quiet
        assert not scene.look_for(2).quiet
        assert scene.look_for(2).quiet

    def test_nor_if_a_shard_ended_soon_after_the_change(self, scene: Scene) -> None:
        """A writer that pauses for half a minute may go on in a shard that is not listed."""
        scene.add("a", 1)
        scene.apply(1)
        scene.look_for(DRAINED_AFTER / 2)
        scene.follow_up("a", "b")
        assert not scene.look_for(60).quiet
        assert scene.look_for(5).quiet

    def test_nor_if_it_was_never_read_before_its_end(self, scene: Scene) -> None:
        scene.add("a")
        scene.look_for(DRAINED_AFTER)
        scene.follow_up("a", "b")
        scene.streams.shards["b"].closed = True
        scene.add("c", parent="b")
        scene.look_for(3)
        assert not scene.again().drained

    def test_a_child_of_a_shard_that_had_changes_is_not(self, scene: Scene) -> None:
        scene.add("a")
        scene.look_for(DRAINED_AFTER)
        scene.add("a", 1)
        scene.apply(1)
        scene.again()
        scene.follow_up("a", "b")
        assert not scene.look_for(DRAINED_AFTER).drained
        assert scene.look_for(3).drained

    def test_nor_of_one_that_was_written_to_at_its_very_end(self, scene: Scene) -> None:
        scene.add("a")
        scene.look_for(DRAINED_AFTER)
        scene.add("a", 1)
        scene.apply(1)
        scene.follow_up("a", "b")
        assert not scene.look_for(DRAINED_AFTER - 1).drained

    def test_nor_of_one_whose_changes_are_not_applied(self, scene: Scene) -> None:
        scene.add("a")
        scene.look_for(DRAINED_AFTER)
        scene.follow_up("a", "b")
        scene.add("a", 1, closed=True)
        assert not scene.look_for(2 * DRAINED_AFTER).drained

    def test_a_change_in_a_child_is_found(self, scene: Scene) -> None:
        scene.add("a")
        scene.look_for(DRAINED_AFTER)
        scene.follow_up("a", "b")
        scene.look_for(3)
        scene.add("b", 1)
        assert not scene.look_for(2 * DRAINED_AFTER).drained

    def test_ready_comes_although_a_shard_ends_every_half_minute(self, scene: Scene) -> None:
        for index in range(20):
            scene.add(f"{index}")
        drained = 0
        for index in range(20, 28):
            drained += scene.look_for(29).drained
            scene.follow_up(f"{index - 20}", f"{index}")
            scene.again()
        # Not in the first minute; from then on always.
        assert drained == 6

    def test_a_shard_that_ends_proves_nothing_new_and_is_no_change(self, scene: Scene) -> None:
        scene.add("a")
        before = scene.look_for(DRAINED_AFTER)
        scene.follow_up("a", "b")
        backlog = scene.again()
        assert (backlog.drained, backlog.proved_to, backlog.changed) == (True, before.proved_to, False)
        scene.add("b", 1)
        scene.apply(1)
        assert scene.again().changed

    def test_a_change_is_reported_once(self, scene: Scene) -> None:
        scene.add("a")
        scene.look_for(DRAINED_AFTER)
        scene.add("a", 1)
        scene.apply(1)
        assert scene.again().changed
        assert not scene.again().changed

    def test_a_later_environment_reads_on_where_one_found_nothing(self, scene: Scene) -> None:
        # Control is called once a minute when a run is ready, and each time believes a few empty pages.
        scene.add("a", gaps={0: 60})
        scene.look_for(DRAINED_AFTER / 4)
        scene.add("a", 1)
        ages = []
        for _ in range(60):
            scene.clock.tick(30)
            ages.append(scene.look(scene.environment()).oldest_age)
        assert ages[-1] > 1_000

    def test_an_iterator_that_is_too_old_is_replaced(self, scene: Scene) -> None:
        scene.add("a", 1)
        scene.apply(1)
        scene.look_for(DRAINED_AFTER + 1)
        scene.streams.expired.add(scene.row().iterator)
        assert scene.row().iterator
        scene.add("a", 2)
        assert scene.again().oldest_age == 1

    def test_what_was_proved_before_it_has_to_be_proved_again(self, scene: Scene) -> None:
        scene.add("a")
        assert scene.look_for(DRAINED_AFTER).drained
        scene.streams.expired.add(scene.row().iterator)
        backlog = scene.again()
        assert (backlog.drained, backlog.changed) == (False, False)
        assert not scene.look_for(DRAINED_AFTER - 1).drained
        assert scene.look_for(1).drained

    @pytest.mark.parametrize("seconds", [0, 1, 60, 900])
    def test_a_stream_that_was_deleted(self, scene: Scene, seconds: float) -> None:
        scene.add("a")
        scene.look()
        scene.streams.deleted = True
        scene.clock.tick(seconds)
        with pytest.raises(StreamGone, match="arn:stream no longer exists"):
            scene.look_for(2)
        assert not scene.shard().finished


class TestCounting:
    """During a slice nothing is applied, and what waits decides when the slice must end."""

    @pytest.fixture
    def busy(self, scene: Scene) -> Scene:
        scene.streams.page_size = 1_000
        scene.add("a", *range(1_700))
        scene.add("b", 5_000, 5_001)
        return scene

    def count(self, scene: Scene) -> int:
        return scene.again(counting=True).waiting

    def test_a_thousand_records_of_a_shard_are_kept_and_all_are_counted(self, busy: Scene) -> None:
        for _ in range(3):
            busy.again()
        assert busy.look().waiting == 1_002
        self.count(busy)
        assert self.count(busy) == 1_702

    def test_each_is_counted_once(self, busy: Scene) -> None:
        for _ in range(3):
            self.count(busy)
        busy.add("a", *range(1_700, 2_000))
        assert self.count(busy) == 2_002
        assert self.count(busy) == 2_002

    def test_a_look_counts_a_page(self, busy: Scene) -> None:
        busy.add("a", *range(1_700, 4_700))
        assert [self.count(busy) for _ in range(6)] == [1_002, 2_002, 3_002, 4_002, 4_702, 4_702]

    def test_a_later_environment_goes_on_counting(self, busy: Scene) -> None:
        for _ in range(40):
            self.count(busy)
        assert busy.shard().waiting == 1_700
        busy.add("a", *range(1_700, 1_800))
        busy.stream = busy.environment()
        reads = busy.streams.reads
        assert self.count(busy) == 1_802
        # The hundred that are new, and the shard b.
        assert busy.streams.reads - reads == 2
        # The oldest change is as old as it was.
        assert busy.look(counting=True).oldest_age == pytest.approx(41, abs=1)

    @pytest.mark.parametrize("anew", [False, True])
    def test_what_another_environment_counted_is_followed_after_the_slice(
        self, busy: Scene, anew: bool
    ) -> None:
        for _ in range(40):
            self.count(busy)
        busy.stream = busy.environment()
        for _ in range(40):
            self.count(busy)
        busy.apply(1_699, records=1_700)
        busy.apply(5_001, records=2)
        if anew:
            busy.stream = busy.environment()
        busy.again()
        assert busy.again().records == 1_702

    def test_while_it_reads_again_the_age_is_that_of_what_is_applied(self, scene: Scene) -> None:
        scene.streams.page_size = 1_000
        for start in range(5):
            scene.add("a", *range(500 * start, 500 * start + 500))
            scene.clock.tick(100)
        for _ in range(4):
            self.count(scene)
        assert scene.look(counting=True).oldest_age == pytest.approx(504, abs=2)
        scene.apply(999, records=1_000)
        assert scene.again().oldest_age == pytest.approx(405, abs=2)
        assert scene.again().oldest_age == pytest.approx(306, abs=2)

    def test_it_begins_anew_once_some_are_applied(self, busy: Scene) -> None:
        self.count(busy)
        self.count(busy)
        busy.apply(1_199, records=1_200)
        busy.again()
        for _ in range(3):
            waiting = self.count(busy)
        assert waiting == 502
