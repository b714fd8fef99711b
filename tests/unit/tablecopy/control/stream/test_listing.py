"""Which shards there are: listed slowly, known by their parents, complete when no child can follow."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tablecopy.control.stream.listing import leaves, unknown
from tablecopy.dynamodb.streams import ListedShard
from tests.unit.tablecopy.control.stream.scene import DRAINED_AFTER, Scene, followed, lists
from tests.unit.tablecopy.fakes import NOON, client_error


class TestCalls:
    """An account may call DescribeStream ten times a second, for all its copies."""

    def test_the_shards_are_listed_every_ten_minutes(self, scene: Scene) -> None:
        scene.add("a")
        for _ in range(20):
            scene.clock.tick(60)
            scene.look()
        assert lists(scene) == [""] * 2

    def test_a_long_list_takes_a_call_a_second(self, scene: Scene) -> None:
        scene.streams.list_size = 1
        for index in range(9):
            scene.add(f"{index}")
        moments = []
        scene.streams.on_send = lambda operation, _: moments.append((operation, scene.clock.time))
        for _ in range(40):
            scene.clock.tick(0.25)
            scene.look()
        asked = [moment for operation, moment in moments if operation == "DescribeStream"]
        assert len(asked) == 9
        assert all(later - earlier >= 1 for earlier, later in pairwise(asked))
        assert len(scene.stream._rows.current) == 9

    def test_the_children_of_shards_that_end_are_asked_for_one_a_second(self, scene: Scene) -> None:
        for index in range(3):
            scene.add(f"{index}")
        scene.look_for(10)
        listed = len(lists(scene))
        for index in range(3):
            scene.streams.shards[f"{index}"].closed = True
            scene.add(f"{index + 3}", 9 - index, parent=f"{index}")
        for seconds in range(1, 4):
            scene.again()
            assert len(lists(scene)[listed:]) <= seconds
        assert lists(scene)[listed:] == ["0", "1", "2"]
        assert scene.again().waiting == 3

    def test_children_keep_the_order_of_the_list(self, scene: Scene) -> None:
        # The order of what is called next must be the same in each process, so that a run can be repeated.
        scene.add("a")
        scene.look_for(2)
        children = [f"{(7 * index) % 20}" for index in range(20)]
        scene.follow_up("a", *children)
        scene.look_for(5)
        assert list(scene.stream._listing.children("a")) == children

    def test_a_throttled_call_is_made_again_a_second_later(self, scene: Scene) -> None:
        asked = []

        def throttle(operation: str, request: object) -> None:
            if operation == "DescribeStream":
                asked.append(scene.clock.time)
                if len(asked) < 3:
                    raise client_error("LimitExceededException")

        scene.streams.on_send = throttle
        scene.add("a", 1)
        assert scene.look().error
        assert scene.again().error
        assert scene.again().waiting == 1
        assert [later - earlier for earlier, later in pairwise(asked)] == [1, 1]

    def test_a_page_whose_first_shard_has_left_begins_the_list_again(self, scene: Scene) -> None:
        scene.streams.list_size = 2
        for index in range(5):
            scene.add(f"{index}")
        scene.look()
        del scene.streams.shards["1"]

        def gone(operation: str, request: dict[str, str]) -> None:
            if request.get("ExclusiveStartShardId") == "1":
                raise client_error("ResourceNotFoundException")

        scene.streams.on_send = gone
        for _ in range(4):
            scene.again()
        assert list(scene.stream._rows.current) == ["0", "2", "3", "4"]

    def test_a_long_list_is_requested_less_often(self, scene: Scene) -> None:
        """Twenty seconds for each page, so that it takes a twentieth of the calls."""
        scene.streams.list_size = 1
        for index in range(36):
            scene.add(f"{index}")
        scene.look_for(70)
        listed = len(lists(scene))
        assert listed == 36
        scene.look_for(650)
        assert len(lists(scene)) == listed
        scene.look_for(100)
        assert len(lists(scene)) == 2 * listed

    def test_whether_there_is_a_last_child_can_wait_for_the_list(self, scene: Scene) -> None:
        """The first children cannot: they may hold changes that no one has seen."""
        scene.streams.list_size = 1
        for index in range(20):
            scene.add(f"{index}")
        scene.look_for(30)
        scene.follow_up("0", "a")
        scene.look_for(100)
        scene.stream._listing.list_again()
        scene.again()
        scene.clock.tick(20)
        before = len(lists(scene))
        scene.follow_up("1", "b")
        scene.look_for(40)
        after = lists(scene)[before:]
        pages = [at for at, parent in enumerate(after) if not parent]
        assert after.index("1") < pages[-1] < after.index("0")

    def test_the_whole_list_shows_that_no_child_can_follow(self, scene: Scene) -> None:
        scene.add("a")
        scene.add("z")
        scene.look()
        scene.follow_up("a", "b")
        scene.look_for(70)
        asked = lists(scene).count("a")
        scene.clock.tick(60)
        scene.streams.on_send = lambda operation, request: (
            (_ for _ in ()).throw(client_error("LimitExceededException"))
            if operation == "DescribeStream" and "ShardFilter" in request
            else None
        )
        scene.stream._listing.list_again()
        scene.look_for(5)
        assert scene.stream._listing.is_final("a") or "a" not in followed(scene)
        scene.streams.on_send = lambda operation, request: None
        scene.look_for(30)
        assert lists(scene).count("a") == asked
        assert followed(scene) == {"b", "z"}


class TestTree:
    """A shard arises only as the child of one that has ended."""

    def test_a_shard_that_ended_without_a_child_is_not_finished_however_long(self, scene: Scene) -> None:
        scene.add("a")
        scene.look_for(DRAINED_AFTER)
        scene.streams.shards["a"].closed = True
        scene.again()
        for _ in range(100):
            scene.clock.tick(30)
            backlog = scene.look()
            assert not backlog.quiet
            assert backlog.proved_to == NOON + DRAINED_AFTER - 5
        assert backlog.waits_for == "shard a has ended, and DynamoDB has not listed its successor"

    def test_it_is_once_the_child_is_listed_and_quiet(self, scene: Scene) -> None:
        scene.add("a")
        scene.look_for(DRAINED_AFTER)
        scene.streams.shards["a"].closed = True
        assert not scene.look_for(90).quiet
        scene.add("b", parent="a")
        backlog = scene.look_for(40)
        assert (backlog.quiet, backlog.waits_for) == (True, "")

    def test_a_change_in_a_child_that_is_listed_late_is_found(self, scene: Scene) -> None:
        scene.add("a", 1)
        scene.apply(1)
        scene.look_for(DRAINED_AFTER)
        scene.streams.shards["a"].closed = True
        assert not scene.look_for(DRAINED_AFTER).quiet
        scene.add("b", 2, parent="a")
        assert not scene.look_for(3 * DRAINED_AFTER).drained
        assert scene.look().unapplied

    def test_the_child_is_asked_for_ever_more_seldom(self, scene: Scene) -> None:
        scene.add("a", closed=True)
        scene.look()
        seconds = []
        for second in range(1, 120):
            before = len(lists(scene))
            scene.again()
            if len(lists(scene)) > before:
                seconds.append(second)
        assert seconds == [1, 2, 4, 8, 16, 32, 62, 92]

    def test_no_child_is_missed_where_a_stream_was_turned_off(self, scene: Scene) -> None:
        scene.add("a")
        scene.look_for(DRAINED_AFTER)
        scene.streams.shards["a"].closed = True
        scene.streams.enabled = False
        assert scene.look_for(3).drained

    def test_the_second_child_of_a_split_may_be_listed_a_minute_after_the_first(self, scene: Scene) -> None:
        scene.add("a", 1)
        scene.apply(1)
        scene.look_for(DRAINED_AFTER)
        scene.follow_up("a", "b")
        ended = scene.clock.time
        # Nothing is known of what was made after the shard's end until then, although the first is empty.
        assert scene.look_for(60).proved_to < ended
        scene.add("c", 2, parent="a")
        assert scene.look_for(5).waiting == 1
        assert not scene.look().drained

    def test_a_cutover_waits_for_it_only_as_long_as_for_records(self, scene: Scene) -> None:
        """AWS bounds neither time, so the verdict rests on both."""
        scene.add("a", 1)
        scene.apply(1)
        scene.look_for(DRAINED_AFTER)
        scene.follow_up("a", "b")

        def look_for(seconds: int) -> float:
            backlog = scene.look()
            for _ in range(seconds):
                scene.clock.tick(1)
                backlog = scene.stream.observe(0, scene.clock.time + 8, drained_after=5)
            return backlog.shown_to

        ended = scene.clock.time
        assert look_for(4) < ended
        assert look_for(8) == scene.clock.time - 5
        assert scene.look().proved_to < ended

    def test_a_cutover_waits_for_the_first_child_however_long(self, scene: Scene) -> None:
        scene.add("a", 1)
        scene.apply(1)
        scene.look_for(DRAINED_AFTER)
        scene.streams.shards["a"].closed = True
        ended = scene.clock.time
        for _ in range(50):
            scene.clock.tick(1)
            assert scene.stream.observe(0, scene.clock.time + 8, drained_after=5).shown_to < ended

    def test_without_one_everything_is_proved_then(self, scene: Scene) -> None:
        scene.add("a")
        scene.look_for(DRAINED_AFTER)
        scene.follow_up("a", "b")
        assert scene.look_for(65).proved_to == scene.clock.time - 5

    def test_another_environment_waits_for_the_second_child_as_long(self, scene: Scene) -> None:
        """The clocks of both may differ by two seconds."""
        scene.add("a")
        scene.look_for(DRAINED_AFTER)
        scene.follow_up("a", "b")
        scene.look_for(30)
        before = scene.look_for(0).proved_to
        scene.stream = scene.environment()
        assert scene.look_for(31).proved_to == before
        assert scene.look_for(3).proved_to == scene.clock.time - 5

    def test_a_minute_and_a_half_is_enough_however_many_shards_end(self, scene: Scene) -> None:
        """Of a thousand shards one ends every few seconds."""
        scene.add("0", 0)
        scene.apply(0)
        scene.look()
        quiet = 0.0
        for index in range(1, 27):
            scene.follow_up(f"{index - 1}", f"{index}")
            backlog = scene.look_for(7)
            quiet = quiet or (backlog.quiet and scene.clock.time)
            # What is proved follows, as far behind as children are listed.
            assert not backlog.quiet or backlog.proved_to >= scene.clock.time - 80
        assert NOON + 60 <= quiet <= NOON + 125

    def test_all_children_are_asked_for_before_the_run_is_sealed(self, scene: Scene) -> None:
        scene.add("a", 1)
        scene.apply(1)
        scene.look()
        scene.follow_up("a", "b")
        scene.look_for(3)
        since = scene.clock.time + 1
        assert not scene.stream.is_listed_since(since)
        scene.look_for(2)
        assert scene.stream.is_listed_since(since)

    def test_one_of_a_shard_that_ended_before_the_copy_may_be_as_well(self, scene: Scene) -> None:
        """Such shards are not followed, so the whole list must show it."""
        scene.add("a", closed=True)
        scene.add("b", parent="a")
        scene.note()
        noted = scene.clock.time
        scene.covered_to = noted + 5
        scene.look_for(30)
        assert not scene.stream.is_listed_since(noted)
        scene.add("c", 1, parent="a")
        while not scene.stream.is_listed_since(noted):
            scene.again()
        assert scene.clock.time < noted + 65
        assert scene.again().waiting == 1

    def test_nor_does_it_hide_the_other_that_its_sibling_has_ended(self, scene: Scene) -> None:
        scene.add("a", closed=True)
        scene.add("b", parent="a")
        scene.note()
        scene.covered_to = scene.clock.time + 5
        scene.look_for(30)
        scene.follow_up("b", "d")
        scene.add("c", 1, parent="a")
        # The other children of b could be listed for two minutes, and the whole list is ten minutes old.
        scene.look_for(300)
        while not scene.stream.is_listed_since(scene.clock.time):
            scene.again()
        assert scene.again().waiting == 1

    def test_without_a_recent_end_nothing_is_asked(self, scene: Scene) -> None:
        scene.add("a")
        scene.look()
        scene.follow_up("a", "b")
        scene.look_for(130)
        asked = len(lists(scene))
        assert scene.stream.is_listed_since(scene.clock.time)
        scene.again()
        assert len(lists(scene)) == asked
        assert "c" not in scene.stream._rows.current
        # When it was found, a minute after its child was listed, and two minutes after its end.
        assert lists(scene).count("a") == 3

    def test_a_child_that_the_last_call_finds_is_followed(self, scene: Scene) -> None:
        scene.add("a")
        scene.look()
        scene.follow_up("a", "b")
        scene.look_for(100)
        scene.add("c", 1, parent="a")
        scene.look_for(30)
        assert scene.look().waiting == 1

    def test_a_parent_that_has_left_the_stream_is_not_the_streams_end(self, scene: Scene) -> None:
        for shard_id in ("a", "b"):
            scene.add(shard_id)
        scene.look()
        scene.streams.shards["a"].closed = True
        scene.add("c", 1, parent="a")
        scene.again()
        del scene.streams.shards["a"]
        scene.look_for(3)
        backlog = scene.look()
        assert (backlog.waiting, backlog.waits_for) == (1, "")

    def test_one_that_has_left_without_a_child_has_none(self, scene: Scene) -> None:
        scene.add("a", closed=True)
        scene.add("b")
        scene.look()
        del scene.streams.shards["a"]
        assert scene.look_for(DRAINED_AFTER + 5).drained

    def test_a_stream_that_a_new_environment_has_not_listed_is_known_by_its_rows(self, scene: Scene) -> None:
        scene.add("a")
        scene.look_for(DRAINED_AFTER)
        stream = scene.environment()
        scene.streams.on_send = lambda operation, _: (
            (_ for _ in ()).throw(client_error("LimitExceededException"))
            if operation == "DescribeStream"
            else None
        )
        assert scene.again(stream).drained


def listed(*lines: str) -> dict[str, ListedShard]:
    """Shards as ``id<parent`` with a ``.`` where the shard has ended."""
    found = {}
    for line in lines:
        shard_id, _, parent = line.rstrip(".").partition("<")
        found[shard_id] = ListedShard(shard_id, parent, closed=line.endswith("."))
    return found


@pytest.mark.parametrize(
    ("shards", "found"),
    [
        (["a"], ["a"]),
        (["a.", "b<a"], ["b"]),
        (["a.", "b<a.", "c<b."], ["c"]),
        (["a.", "b<a", "c<a."], ["b", "c"]),
        (["b<a", "c<a"], ["b", "c"]),
    ],
)
def test_the_leaves_of_a_list(shards: list[str], found: list[str]) -> None:
    assert [shard.shard_id for shard in leaves(listed(*shards))] == found


@pytest.mark.parametrize(
    ("shards", "known", "found"),
    [
        (["a."], [], ["a"]),
        (["a.", "b<a"], ["b"], []),
        (["a.", "b<a.", "c<b"], ["c"], []),
        # The second child of a split, and its own child.
        (["a.", "b<a", "c<a.", "d<c"], ["b"], ["c", "d"]),
        (["a.", "b<a"], ["a"], ["b"]),
        (["a.", "b<a.", "c<b", "d"], ["c"], ["d"]),
    ],
)
def test_the_shards_of_a_list_that_are_not_known(
    shards: list[str], known: list[str], found: list[str]
) -> None:
    assert [shard.shard_id for shard in unknown(listed(*shards), known)] == found
