"""What one environment has listed of children and siblings, another one does not have to find out again."""

from __future__ import annotations

import pytest

from tests.unit.tablecopy.control.stream.scene import DRAINED_AFTER, Scene, lists
from tests.unit.tablecopy.control.stream.test_parts import Cluster, shards
from tests.unit.tablecopy.fakes import FakeClock, client_error


def another(scene: Scene) -> None:
    """Another environment continues."""
    scene.stream = scene.environment()


def ended(scene: Scene, seconds: float) -> None:
    """A quiet shard has ended ``seconds`` ago, and its child was listed."""
    scene.add("a")
    scene.look_for(DRAINED_AFTER)
    scene.follow_up("a", "b")
    scene.look_for(seconds)


def throttle(operation: str, request: object) -> None:
    """Let no shard be listed."""
    if operation == "DescribeStream":
        raise client_error("LimitExceededException")


class TestChildren:
    def test_an_environment_knows_them_without_a_call(self, scene: Scene) -> None:
        ended(scene, 70)
        another(scene)
        scene.streams.on_send = throttle
        assert scene.look_for(3).quiet
        assert scene.look_for(0).proved_to == scene.clock.time - 5

    def test_each_minute_another_one(self, scene: Scene) -> None:
        """Otherwise, each of them would wait for a minute, and be too late."""
        ended(scene, 0)
        before = scene.look_for(0).proved_to
        for _ in range(3):
            another(scene)
            assert scene.look_for(20).proved_to == before
        another(scene)
        assert scene.look_for(10).proved_to == scene.clock.time - 5
        # Once for the first child, and once for a second one.
        assert lists(scene).count("a") == 2

    def test_a_second_child_may_be_listed_a_minute_after_the_first(self, scene: Scene) -> None:
        ended(scene, 30)
        before = scene.look_for(0).proved_to
        another(scene)
        scene.look_for(28)
        scene.add("c", 1, parent="a")
        for _ in range(10):
            assert scene.again().proved_to == before or scene.row("c").shard_id == "c"
        assert scene.look().unapplied

    def test_a_child_without_a_row_is_asked_for(self, scene: Scene) -> None:
        """The environment that has listed it may have ended before it has read it."""
        ended(scene, 30)
        del scene.store.partitions["shard"]["b"]
        asked = lists(scene).count("a")
        another(scene)
        scene.add("b", 1)
        assert scene.look_for(5).unapplied
        assert lists(scene).count("a") == asked + 1

    def test_a_row_is_whole_only_if_its_children_have_rows(self, scene: Scene) -> None:
        scene.add("a")
        scene.look_for(DRAINED_AFTER)
        save = scene.shards.save

        def fail(shard: object) -> object:
            if getattr(shard, "shard_id", "") == "b":
                raise client_error("ProvisionedThroughputExceededException", operation="PutItem")
            return save(shard)  # type: ignore[arg-type]

        scene.shards.save = fail  # type: ignore[assignment, method-assign]
        scene.follow_up("a", "b")
        scene.look_for(70)
        assert scene.shard("a").child_at
        assert not scene.shard("a").is_whole
        scene.shards.save = save  # type: ignore[method-assign]
        scene.look_for(2)
        assert scene.shard("a").is_whole

    def test_an_environment_that_comes_back_takes_over_what_others_have_found(self, scene: Scene) -> None:
        ended(scene, 10)
        first = scene.stream
        another(scene)
        scene.look_for(60)
        asked = lists(scene).count("a")
        first.begin()
        assert scene.look(first).proved_to == scene.clock.time - 5
        assert lists(scene).count("a") == asked

    def test_a_shard_is_retired_though_no_call_is_left_to_ask_once_more(self, scene: Scene) -> None:
        ended(scene, 70)
        scene.streams.on_send = throttle
        scene.look_for(500)
        assert not scene.shard("a").retired
        scene.look_for(40)
        assert scene.shard("a").retired


class TestSiblings:
    """Shards at which control has begun may have siblings that only a later list shows."""

    def begin(self, scene: Scene) -> None:
        scene.add("a", closed=True)
        scene.add("b", parent="a")
        scene.note()
        scene.covered_to = scene.clock.time + 5

    def test_another_environment_needs_no_list(self, scene: Scene) -> None:
        self.begin(scene)
        assert scene.look_for(70).drained
        another(scene)
        scene.streams.on_send = throttle
        assert scene.look_for(3).drained

    def test_unless_they_may_lack_a_row(self, scene: Scene) -> None:
        self.begin(scene)
        scene.look_for(30)
        scene.add("c", 1, parent="a")
        save = scene.shards.save
        scene.shards.save = lambda shard: save(shard) if shard.shard_id != "c" else None  # type: ignore[method-assign]
        scene.look_for(40)
        assert "c" in scene.stream._rows.current
        scene.shards.save = save  # type: ignore[method-assign]
        another(scene)
        scene.streams.on_send = throttle
        assert not scene.look_for(100).drained

    def test_a_list_for_siblings_comes_before_second_children(self, scene: Scene) -> None:
        """Without siblings, nothing is proved, however many children are known."""
        scene.streams.list_size = 1
        for index in range(20):
            scene.add(f"p{index}", closed=True)
            scene.add(f"{index}", parent=f"p{index}")
        while not scene.note().settled:
            scene.clock.tick(1)
        scene.covered_to = scene.clock.time + 5
        for index in range(10):
            scene.follow_up(f"{index}", f"c{index}")
        scene.look_for(75)
        before = len(lists(scene))
        assert not scene.look_for(20).drained
        assert set(lists(scene)[before:]) == {""}
        scene.look_for(60)
        assert "9" in lists(scene)[before:]
        assert scene.look_for(20).drained


def test_thousands_of_shards_are_noted_with_their_siblings(clock: FakeClock) -> None:
    """Once several environments read, the long list would take any of them an hour."""
    cluster = Cluster(clock)
    cluster.add("p", closed=True)
    shards(cluster)
    cluster.streams.shards["0"].parent = "p"
    assert not cluster.note().settled
    for _ in range(70):
        cluster.clock.tick(1)
        backlog = cluster.note()
    assert backlog.settled
    another(cluster)
    cluster.covered_to = cluster.clock.time + 5
    assert cluster.look_for(DRAINED_AFTER + 5).drained


@pytest.mark.parametrize("noted", [True, False])
def test_few_shards_do_not_wait_for_them(scene: Scene, *, noted: bool) -> None:
    scene.add("p", closed=True)
    scene.add("0", parent="p" if noted else "")
    scene.note()
    scene.clock.tick(1)
    assert scene.note().settled
