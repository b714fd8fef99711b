"""Which shards are followed: what is new, what is read again, and what is retired."""

from __future__ import annotations

import pytest

from tablecopy.control.stream.listing import StreamGone
from tests.unit.tablecopy.control.stream.scene import (
    DRAINED_AFTER,
    HOUR,
    LOOK,
    Scene,
    followed,
    lists,
    number,
)
from tests.unit.tablecopy.fakes import NOON, FakeShard


class TestOverlap:
    """Two environments of control look at the same time."""

    def test_a_position_moved_by_another_is_taken_over(self, scene: Scene) -> None:
        scene.add("a", 1, 2)
        other = scene.environment()
        scene.look(other)
        scene.apply(2, records=2)
        scene.look()
        scene.clock.tick(31)
        scene.look()
        # Its write is refused, and then it knows what the first one does.
        scene.clock.tick(31)
        scene.look(other)
        for _ in range(4):
            backlog = scene.again(other)
        assert (backlog.oldest_age, backlog.records) == (0, 2)
        assert scene.shard().position == number(2)

    def test_a_slower_one_takes_nothing_back(self, scene: Scene) -> None:
        scene.add("a", 1, 2)
        slow = scene.environment()
        scene.look(slow)
        scene.clock.tick(31)

        def overtake(shard_id: str) -> None:
            # Between the slow one's reading of the journal and its writing to it.
            scene.streams.on_read = lambda shard_id: None
            scene.apply(2, records=2)
            scene.look()
            scene.clock.tick(31)
            scene.look()

        scene.streams.on_read = overtake
        assert not scene.look(slow).drained
        assert scene.shard().position == number(2)
        assert scene.shard().records == 2
        for _ in range(3):
            backlog = scene.again(slow)
        assert (backlog.oldest_age, backlog.records) == (0, 2)

    def test_a_row_that_was_replaced_proves_nothing(self, scene: Scene) -> None:
        scene.add("a")
        scene.look_for(DRAINED_AFTER - 1)
        slow = scene.stream
        scene.clock.tick(1)

        def overtake(shard_id: str) -> None:
            scene.streams.on_read = lambda shard_id: None
            scene.add("a", 1)
            scene.look(scene.environment())
            scene.streams.shards["a"].records.clear()

        scene.streams.on_read = overtake
        scene.clock.tick(31)
        assert not scene.look(slow).drained

    def test_batches_that_were_counted_are_not_counted_again(self, scene: Scene) -> None:
        scene.add("a", *range(4))
        scene.apply(1, records=2)
        scene.look()
        scene.apply(3, records=2)
        assert scene.again(scene.environment()).records == 4

    def test_a_new_invocation_of_the_same_environment_reads_what_others_wrote(self, scene: Scene) -> None:
        scene.add("a", *range(4))
        scene.look()
        other = scene.environment()
        scene.apply(3, records=4)
        scene.again(other)
        scene.clock.tick(31)
        scene.look(other)
        scene.stream.begin()
        assert scene.look().records == 4
        assert scene.shard().version == 2


class TestTakenBack:
    """A look from before the copy may skip changes of the copy. Their shards are read again."""

    @pytest.mark.parametrize("closed", [False, True])
    def test_a_look_that_stood_still_skips_nothing_of_the_copy(self, scene: Scene, closed: bool) -> None:
        scene.add("a", 1, 2, closed=closed)
        scene.clock.tick(60)
        # It saw the run before another environment began the copy, with changes from NOON on.
        late = scene.environment()
        late.observe(NOON + 20, scene.clock.time + LOOK, noting=True)
        assert scene.shard().position == number(2)
        scene.apply(2, records=2)
        assert scene.look().records == 2
        assert scene.again(late).records == 2

    def test_nor_does_one_that_began_at_the_end(self, scene: Scene) -> None:
        scene.streams.page_size = 10
        scene.add("a", *range(40))
        scene.clock.tick(HOUR)
        late = scene.environment()
        for _ in range(4):
            late.observe(NOON - 1, scene.clock.time + LOOK, noting=True)
            scene.clock.tick(1)
        assert scene.shard().noted_at > 0
        scene.apply(39, records=40)
        for _ in range(5):
            backlog = scene.again(late)
        assert backlog.records == 40

    def test_nor_does_one_that_left_out_the_shards_before(self, scene: Scene) -> None:
        scene.add("a", 1, 2, closed=True)
        scene.add("b", parent="a")
        scene.clock.tick(60)
        late = scene.environment()
        late.observe(NOON - 1, scene.clock.time + LOOK, noting=True)
        assert set(scene.shards.read_all()) == {"b"}
        # Neither the environment itself nor one that has not listed the shards yet.
        for stream in (late, scene.environment()):
            for _ in range(2):
                assert not scene.again(stream).drained
            assert scene.look(stream).unapplied
        scene.apply(2, records=2)
        assert scene.again(late).records == 2


class TestBetweenLooks:
    """Thousands of shards end so often that the time between two looks is needed to list their children."""

    def test_children_are_listed_between_two_looks(self, scene: Scene) -> None:
        for index in range(3):
            scene.add(f"{index}")
        scene.look_for(10)
        listed = len(lists(scene))
        for index in range(3):
            scene.follow_up(f"{index}", f"{index + 3}")
        scene.again()
        scene.stream.list_until(scene.clock.time + 2.5)
        assert lists(scene)[listed:] == ["0", "1", "2"]
        assert {"3", "4", "5"} < set(scene.stream._rows.current)

    def test_the_next_look_is_not_late(self, scene: Scene) -> None:
        scene.add("a")
        scene.look()
        began = scene.clock.time
        scene.stream.list_until(began + 1)
        assert scene.clock.time == began + 1

    def test_nothing_is_listed_before_the_rows_are_read(self, scene: Scene) -> None:
        """Shards that other environments have retired in the meantime would count as new."""
        scene.add("a")
        scene.look()
        listed = len(lists(scene))
        scene.stream.begin()
        scene.stream._listing.list_again()
        scene.stream.list_until(scene.clock.time + 10)
        assert len(lists(scene)) == listed

    def test_a_stream_that_is_gone_is_for_the_next_look(self, scene: Scene) -> None:
        scene.add("a")
        scene.look()
        scene.streams.deleted = True
        scene.stream._listing.list_again()
        scene.stream.list_until(scene.clock.time + 5)
        with pytest.raises(StreamGone):
            scene.again()


class TestRetired:
    """Six times as many shards end in a day as there are: their rows do not stay."""

    def retire(self, scene: Scene) -> None:
        scene.add("a", 1, 2)
        scene.apply(2, records=2, puts=2)
        scene.look()
        scene.follow_up("a", "b", "c")
        scene.look_for(125)

    def test_a_row_goes_when_all_children_have_one_and_no_other_can_come(self, scene: Scene) -> None:
        self.retire(scene)
        assert followed(scene) == {"b", "c"}
        assert (scene.shards.totals().records, scene.shards.totals().puts) == (2, 2)
        assert scene.look().records == 2

    def test_it_stays_while_no_child_is_listed(self, scene: Scene) -> None:
        scene.add("a")
        scene.look()
        scene.streams.shards["a"].closed = True
        scene.look_for(300)
        assert followed(scene) == {"a"}

    def test_it_does_not_come_back(self, scene: Scene) -> None:
        self.retire(scene)
        for _ in range(3):
            scene.clock.tick(HOUR)
            scene.look_for(3)
        scene.stream = scene.environment()
        assert scene.look_for(3).records == 2
        assert followed(scene) == {"b", "c"}

    def test_nor_when_another_environment_removes_it(self, scene: Scene) -> None:
        other = scene.environment()
        scene.add("a", 1, 2)
        scene.apply(2, records=2, puts=2)
        scene.look()
        scene.follow_up("a", "b")
        scene.again()
        scene.look(other)
        scene.look_for(130)
        assert followed(scene) == {"b"}
        other.begin()
        assert scene.again(other).records == 2
        assert followed(scene) == {"b"}

    def test_of_two_that_remove_it_one_counts(self, scene: Scene) -> None:
        other = scene.environment()
        scene.add("a", 1, 2)
        scene.apply(2, records=2, puts=2)
        scene.look()
        scene.follow_up("a", "b")
        for _ in range(140):
            scene.again()
            scene.look(other)
        assert scene.shards.totals().records == 2
        assert (scene.again().records, scene.look(other).records) == (2, 2)

    def test_one_that_is_listed_for_longer_than_those_that_follow_does_not_come_back(
        self, scene: Scene
    ) -> None:
        self.retire(scene)
        for shard_id in ("b", "c"):
            scene.follow_up(shard_id, f"{shard_id}{shard_id}")
        scene.look_for(130)
        for shard_id in ("b", "c"):
            del scene.streams.shards[shard_id]
        scene.stream = scene.environment()
        backlog = scene.look_for(DRAINED_AFTER + 10)
        assert followed(scene) == {"bb", "cc"}
        assert (backlog.drained, backlog.waits_for) == (True, "")

    def test_one_from_before_the_copy_holds_nothing_up(self, scene: Scene) -> None:
        """It was never followed, and those that lead from it to a followed one have left the list."""
        scene.add("b", parent="a")
        scene.look()
        scene.streams.shards["old"] = FakeShard(closed=True)
        scene.clock.tick(600)
        assert not scene.look_for(DRAINED_AFTER + 3).drained
        # Two minutes later it has no children that could still be listed.
        assert scene.look_for(90).drained

    def test_one_that_holds_changes_is_followed_wherever_it_was_found(self, scene: Scene) -> None:
        scene.add("b", parent="a")
        scene.look()
        scene.add("new", 1, closed=True)
        scene.clock.tick(600)
        scene.apply(1)
        backlog = scene.look_for(DRAINED_AFTER + 3)
        assert (backlog.records, backlog.drained) == (1, False)
        assert "shard new has ended" in backlog.waits_for

    def test_generations_leave_only_their_last(self, scene: Scene) -> None:
        scene.add("0", 0)
        scene.apply(0)
        for index in range(1, 6):
            scene.look_for(60)
            scene.follow_up(f"{index - 1}", f"{index}")
            scene.add(f"{index}", index)
            scene.apply(index)
        backlog = scene.look_for(200)
        assert followed(scene) == {"5"}
        assert (backlog.records, backlog.drained) == (6, True)
