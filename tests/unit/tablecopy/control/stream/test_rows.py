"""What is written to the journal, and when. A thousand active shards must not write as many rows a look."""

from __future__ import annotations

from tablecopy.control.stream.rows import Rows
from tablecopy.journal.shards import Shard, Shards
from tests.unit.tablecopy.control.stream.scene import DRAINED_AFTER, Scene
from tests.unit.tablecopy.fakes import FakeClock, MemoryStore, client_error


def test_a_shard_is_written_when_it_was_read_first(scene: Scene) -> None:
    scene.add("a", 1)
    scene.look()
    assert scene.shard().version == 1


def test_one_that_changes_with_every_look_is_written_twice_a_minute(scene: Scene) -> None:
    scene.add("a")
    for value in range(120):
        scene.add("a", value)
        scene.apply(value)
        scene.again()
    assert scene.shard().version == 4
    assert scene.row().records - scene.shard().records < 31


def test_one_that_stays_empty_is_written_when_that_is_settled_and_twice_a_minute(scene: Scene) -> None:
    scene.add("a")
    scene.add("a", 1)
    scene.apply(1)
    scene.look_for(9)
    assert scene.shard().empty_since is None
    scene.look_for(3)
    assert scene.shard().empty_since is not None
    assert scene.shard().version == 2
    scene.look_for(2 * DRAINED_AFTER)
    assert scene.shard().version <= 6
    assert scene.clock.time - scene.shard().applied_to <= 31


def test_that_it_is_empty_no_more_is_written_at_once(scene: Scene) -> None:
    """Another environment would count on it."""
    scene.add("a")
    scene.look_for(DRAINED_AFTER)
    scene.add("a", 1)
    scene.apply(1)
    scene.again()
    assert scene.shard().empty_since is None


def test_its_end_is_written_at_once(scene: Scene) -> None:
    scene.add("a")
    scene.look()
    scene.streams.shards["a"].closed = True
    scene.again()
    assert scene.shard().finished
    assert scene.shard().ended_at == scene.clock.time


def test_an_environment_that_looks_once_writes_what_is_due(scene: Scene) -> None:
    scene.add("a")
    for _ in range(5):
        scene.clock.tick(60)
        scene.look(scene.environment())
    assert scene.shard().version == 5


def test_a_write_that_fails_is_made_again(scene: Scene) -> None:
    save = scene.shards.save

    def fail(row: object) -> None:
        raise client_error("ProvisionedThroughputExceededException")

    scene.shards.save = fail  # type: ignore[method-assign, assignment]
    scene.add("a", 1)
    assert scene.look().error
    scene.shards.save = save  # type: ignore[method-assign]
    scene.again()
    assert scene.shard().version == 1


def test_a_shard_that_another_environment_has_followed_to_its_end_is_not_new(clock: FakeClock) -> None:
    """This one found it also, and did not write it. It would try to for ever, and prove nothing."""
    store = MemoryStore()
    ours, others = (Rows(Shards(store), clock, DRAINED_AFTER) for _ in range(2))
    for rows in (ours, others):
        rows.load()
        rows.current["a"] = Shard(shard_id="a")
    ours.current["b"] = Shard(shard_id="b")
    others.save(others.current["a"])
    others.save(others.current["a"].changed(finished=True))
    others.retire(others.current["a"])
    ours.save(ours.current["a"])
    assert not ours.is_loaded
    assert ours.load() == ["a"]
    assert list(ours.current) == ["b"]


def test_the_rows_are_read_once_an_invocation(scene: Scene) -> None:
    calls = []
    read_all = scene.shards.read_all
    scene.shards.read_all = lambda: calls.append(0) or read_all()  # type: ignore[method-assign, func-returns-value]
    scene.add("a")
    scene.look_for(50)
    assert len(calls) == 1
    scene.stream.begin()
    scene.look_for(50)
    assert len(calls) == 2


def test_the_summary_is_one_item(scene: Scene) -> None:
    scene.add("a", 1, 2)
    scene.add("b")
    scene.apply(1)
    scene.clock.tick(5)
    scene.look()
    summary = scene.shards.summary()
    assert (summary.records, summary.open_shards, summary.empty_since) == (1, 2, None)
    assert scene.clock.time - summary.unapplied_since == 5
    scene.apply(2)
    scene.look_for(DRAINED_AFTER)
    summary = scene.shards.summary()
    assert (summary.records, summary.unapplied_since) == (2, 0)
    assert summary.empty_since == scene.row("a").empty_since


def test_a_summary_that_says_nothing_new_is_written_twice_a_minute(scene: Scene) -> None:
    scene.add("a")
    scene.look_for(DRAINED_AFTER)
    moments = set()
    for _ in range(90):
        scene.again()
        moments.add(scene.shards.summary().looked_at)
    assert 3 <= len(moments) <= 4


def test_a_summary_that_cannot_be_written_stops_nothing(scene: Scene) -> None:
    def fail(summary: object) -> None:
        raise client_error("ProvisionedThroughputExceededException")

    scene.shards.save_summary = fail  # type: ignore[method-assign, assignment]
    scene.add("a", 1)
    scene.apply(1)
    assert scene.look().records == 1
