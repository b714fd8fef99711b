"""Changes that were not applied in time are lost, and nothing else is."""

from __future__ import annotations

import pytest

from tablecopy.control.stream.expiry import LOST_AFTER_SECONDS, RETENTION_SECONDS, RecordsExpired
from tests.unit.tablecopy.control.stream.scene import DRAINED_AFTER, HOUR, Scene
from tests.unit.tablecopy.fakes import NOON, FakeClock, MemoryStore, client_error


def test_there_is_an_hour_before_a_change_can_leave_the_stream() -> None:
    assert RETENTION_SECONDS - LOST_AFTER_SECONDS == HOUR


def test_an_unapplied_change_that_grows_too_old(scene: Scene) -> None:
    scene.add("a", 1)
    scene.look()
    scene.clock.tick(LOST_AFTER_SECONDS)
    scene.look()
    scene.clock.tick(1)
    with pytest.raises(RecordsExpired, match="23 hours ago have not been applied, from shard a"):
        scene.look()


def test_one_that_is_found_to_be_applied_is_not_lost_however_late(scene: Scene) -> None:
    """Control may be a day behind in reading while everything is applied."""
    scene.add("a", *range(10))
    scene.look()
    scene.clock.tick(LOST_AFTER_SECONDS + 100)
    for value in range(10):
        scene.apply(value)
    assert scene.look_for(3).records == 10


def test_nothing_is_lost_on_a_look_that_could_not_ask_for_applied_batches(clock: FakeClock) -> None:
    class Failing(MemoryStore):
        fails = False

        def get_many(self, *arguments: object) -> list[dict[str, object]]:  # type: ignore[override]
            if self.fails:
                raise client_error("ProvisionedThroughputExceededException")
            return super().get_many(*arguments)  # type: ignore[arg-type]

    store = Failing()
    scene = Scene(clock, store)
    scene.add("a", 1)
    scene.look()
    scene.clock.tick(LOST_AFTER_SECONDS + 100)
    store.fails = True
    assert scene.look().oldest_age > LOST_AFTER_SECONDS
    store.fails = False
    with pytest.raises(RecordsExpired):
        scene.again()


def test_a_change_that_left_the_stream_while_nobody_looked(scene: Scene) -> None:
    shard = scene.add("a", 1)
    scene.apply(1)
    scene.look()
    scene.clock.tick(HOUR)
    scene.add("a", 2)
    scene.look()
    scene.clock.tick(25 * HOUR)
    shard.trimmed = 2
    with pytest.raises(RecordsExpired):
        scene.look(scene.environment())


def test_an_empty_page_does_not_make_a_hidden_change_count_as_applied(scene: Scene) -> None:
    shard = scene.add("a", 1, gaps={0: 10})
    scene.look()
    scene.clock.tick(DRAINED_AFTER - 1)
    scene.look(scene.environment())
    scene.clock.time = NOON + 24 * HOUR + 1
    shard.trimmed = 1
    with pytest.raises(RecordsExpired):
        scene.look(scene.environment())


def test_a_shard_that_left_the_stream_with_unapplied_changes(scene: Scene) -> None:
    scene.add("a", 1)
    scene.look()
    scene.clock.tick(25 * HOUR)
    scene.add("b")
    del scene.streams.shards["a"]
    scene.stream = scene.environment()
    with pytest.raises(RecordsExpired, match="shard a"):
        scene.look_for(3)


def test_a_shard_that_left_the_stream_with_nothing_but_applied_ones(scene: Scene) -> None:
    scene.add("a", 1)
    scene.apply(1)
    scene.add("b")
    scene.look_for(DRAINED_AFTER + 35)
    scene.clock.tick(22 * HOUR)
    del scene.streams.shards["a"]
    scene.stream = scene.environment()
    assert scene.look_for(3).records == 1
    assert scene.row("a").finished


def test_an_applied_change_may_expire(scene: Scene) -> None:
    shard = scene.add("a", 1)
    scene.apply(1)
    scene.look_for(DRAINED_AFTER + 1)
    for _ in range(30):
        scene.look()
        scene.clock.tick(HOUR)
    shard.trimmed = 1
    scene.stream = scene.environment()
    scene.look_for(3)
    scene.add("a", 2)
    scene.apply(2)
    scene.again()
    assert scene.look().oldest_age == 0


def test_a_change_from_before_the_copy_may_expire(scene: Scene) -> None:
    """Of a stream that was on for a day, records leave all the time."""
    shard = scene.add("a", *range(5))
    scene.clock.tick(48 * HOUR)
    for _ in range(3):
        assert scene.note().oldest_age == 0
        scene.clock.tick(1)
    scene.covered_to = scene.clock.time - 30
    shard.trimmed = 5
    scene.stream = scene.environment()
    assert scene.look_for(3).oldest_age == 0


def test_a_shard_that_was_empty_when_it_was_noted_loses_nothing_from_before(scene: Scene) -> None:
    scene.add("a")
    scene.note()
    scene.covered_to = scene.clock.time - 30
    scene.clock.tick(22 * HOUR)
    # Nobody has looked for nearly a day, but what was made since then is still there.
    scene.add("a", 1)
    scene.apply(1)
    assert scene.look_for(3).records == 1


def test_a_new_shard_is_as_old_as_its_parent_is_applied(scene: Scene) -> None:
    """Control may find a shard late, when what it held has expired already."""
    scene.add("a", 1)
    scene.apply(1)
    scene.look()
    scene.follow_up("a", "b")
    scene.again()
    scene.add("b", 2, gaps={0: 99})
    scene.look_for(3)
    assert scene.row("b").applied_to <= NOON + 1
    scene.clock.tick(24 * HOUR)
    scene.streams.shards["b"].trimmed = 1
    with pytest.raises(RecordsExpired, match="shard b"):
        scene.look_for(3)
