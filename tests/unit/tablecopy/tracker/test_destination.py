"""The destination's stream: each record made while keys are tracked is noted, whatever happens."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from tablecopy.comparison.items import Side
from tablecopy.dynamodb.streams import StreamClient
from tablecopy.journal.places import Places
from tablecopy.journal.store import Store
from tablecopy.journal.touched import PARTITIONS, TouchedKeys, Tracking
from tablecopy.tracker.destination import DestinationStream
from tablecopy.tracker.images import KeyNoting
from tablecopy.tracker.reader import TrackingLost
from tests.unit.tablecopy.fakes import NOON, FakeClock, FakeShard, FakeStreams, MemoryStore, client_error

HOUR = 3600.0


def number(value: int) -> str:
    return str(10**24 + value)


class Killed(Exception):
    """The function was ended."""


class Scene:
    """A destination's stream, and any number of the tracker's environments."""

    def __init__(self, store: Store | None = None) -> None:
        self.clock = FakeClock()
        self.streams = FakeStreams(page_size=1_000, clock=self.clock)
        self.store = store or MemoryStore()
        self.keys = TouchedKeys(self.store, self.clock, "v-1")
        self.tracking = Tracking("v-1", "run", NOON)
        self.stream = self.environment()

    def environment(self) -> DestinationStream:
        client = StreamClient(self.streams, "arn:stream", self.clock)
        return DestinationStream(client, Places(self.store, "v-1"), KeyNoting(self.keys), self.clock)

    def add(self, shard_id: str, *values: int, parent: str = "") -> FakeShard:
        shard = self.streams.shards.setdefault(shard_id, FakeShard(parent=parent))
        shard.records += [(number(value), self.clock.time // 1) for value in values]
        return shard

    def look(self, stream: DestinationStream | None = None) -> None:
        """Look a second later, and record that the side notes its records as the tracker does."""
        stream = stream or self.stream
        self.clock.tick(1)
        stream.look(self.tracking, self.clock.time + 5)
        if not self.tracking.destination_since and stream.is_noting:
            self.tracking = replace(self.tracking, destination_since=self.clock.time)

    def look_for(self, seconds: float, stream: DestinationStream | None = None) -> None:
        end = self.clock.time + seconds
        while self.clock.time < end:
            self.look(stream)

    def begin(self) -> None:
        self.look_for(13)
        assert self.tracking.destination_since

    def noted(self) -> set[int]:
        found = [
            key["pk"]["S"]
            for partition in range(PARTITIONS)
            for chunk in self.keys.chunks(Side.DESTINATION, partition)
            for key in chunk.unpacked()
        ]
        return {int(key.removeprefix("key ")) - 10**24 for key in found}


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_what_was_made_before_is_not_read(scene: Scene) -> None:
    """A day of changes, most of them the backfill's, would take hours."""
    scene.add("a", *range(5_000))
    scene.begin()
    assert not scene.noted()
    scene.add("a", 5_000)
    scene.look()
    assert scene.noted() == {5_000}


def test_it_is_not_noting_before_each_shard_has_a_place_in_the_journal(scene: Scene) -> None:
    scene.add("a", 1)
    scene.add("b", 2)

    def refuse(operation: str, request: dict[str, object]) -> None:
        if request.get("ShardId") == "b":
            raise client_error("ProvisionedThroughputExceededException")

    scene.streams.on_send = refuse  # type: ignore[assignment]
    scene.look_for(20)
    assert not scene.stream.is_noting
    assert "cannot be read" in scene.stream.waits_for
    scene.streams.on_send = lambda operation, request: None
    scene.begin()
    # Every place that it relies on survives it.
    assert set(Places(scene.store, "v-1").read_all()) == {"a", "b"}
    scene.add("b", 3)
    scene.look(scene.environment())
    assert scene.noted() == {3}


def test_a_shard_whose_end_was_looked_up_too_late_is_read_from_its_beginning(scene: Scene) -> None:
    """An environment that was frozen before the tracking was on finds a new shard, and begins at its end."""
    scene.add("a", 1)
    scene.look()
    slow, before = scene.environment(), scene.tracking
    scene.begin()
    scene.clock.tick(30)
    scene.streams.shards["a"].closed = True
    scene.add("b", 2, parent="a")
    slow.look(before, scene.clock.time + 5)
    scene.clock.tick(1)
    slow.look(before, scene.clock.time + 5)
    assert Places(scene.store, "v-1").read_all()["b"].at_end
    scene.look_for(5)
    assert scene.noted() == {2}
    scene.look(slow)
    assert scene.noted() == {2}


def test_an_environment_whose_iterator_has_expired_reads_the_shard_from_its_beginning(scene: Scene) -> None:
    scene.add("a", 1)
    scene.begin()
    scene.add("a", 2)
    scene.streams.expired.update(place.iterator for place in Places(scene.store, "v-1").read_all().values())
    scene.look(scene.environment())
    assert scene.noted() >= {2}


def test_children_are_read_from_their_beginning(scene: Scene) -> None:
    scene.add("a", 1)
    scene.begin()
    scene.add("a", 2)
    scene.streams.shards["a"].closed = True
    scene.add("b", 3, parent="a")
    scene.add("c", 4, parent="a")
    scene.look_for(5)
    assert scene.noted() == {2, 3, 4}


def test_a_shard_may_end_before_it_is_read_first(scene: Scene) -> None:
    """A list of a thousand shards takes seconds, and one of them may end meanwhile."""
    scene.add("a", 1)
    scene.stream._list(scene.tracking)
    scene.stream._list(scene.tracking)
    assert scene.stream._listing.shards
    scene.streams.shards["a"].closed = True
    scene.add("b", 2, parent="a")
    scene.begin()
    scene.add("b", 3)
    scene.look_for(140)
    assert scene.noted() >= {3}
    assert scene.stream.noted_to > scene.clock.time - 5


def test_a_sibling_that_is_listed_late_is_read(scene: Scene) -> None:
    """The shard had split when the tracking began, and only one child was listed."""
    scene.add("p", 1)
    scene.streams.shards["p"].closed = True
    scene.add("b", 2, parent="p")
    scene.begin()
    scene.add("b", 3)
    scene.look()
    scene.add("c", 4, parent="p")
    scene.look_for(50)
    assert not scene.stream.noted_to
    scene.look_for(30)
    assert scene.noted() >= {3, 4}
    assert scene.stream.noted_to > scene.clock.time - 5


def test_a_closed_shard_without_children_holds_back_what_is_said_to_be_noted(scene: Scene) -> None:
    scene.add("a", 1)
    scene.begin()
    scene.look_for(70)
    assert scene.stream.noted_to > scene.clock.time - 3
    ended = scene.clock.time
    scene.streams.shards["a"].closed = True
    scene.look_for(60)
    assert scene.stream.noted_to <= ended + 1
    assert scene.stream.waits_for == "shard a has ended, and DynamoDB has not listed its successor"
    scene.add("b", 2, parent="a")
    scene.look_for(140)
    assert scene.noted() == {2}
    assert scene.stream.noted_to > scene.clock.time - 5
    assert not scene.stream.waits_for


def test_a_cutover_waits_for_further_children_only_as_long_as_for_records(scene: Scene) -> None:
    scene.add("a", 1)
    scene.begin()
    scene.look_for(70)
    scene.streams.shards["a"].closed = True
    ended = scene.clock.time
    for child in ("", "b"):
        if child:
            scene.add(child, 2, parent="a")
        for _ in range(20):
            scene.clock.tick(1)
            scene.stream.look(scene.tracking, scene.clock.time + 5, quiet=5)
        assert (scene.stream.noted_to > scene.clock.time - 3) == bool(child), child
    assert scene.clock.time - ended < 60


def test_a_cutover_waits_for_siblings_only_as_long_as_for_records(scene: Scene) -> None:
    """The tracking has just begun: a cutover rests on the quiet time alone, for shards as for records."""
    scene.add("a", 1)
    scene.begin()
    scene.look_for(5)
    assert not scene.stream.noted_to
    for _ in range(7):
        scene.clock.tick(1)
        scene.stream.look(scene.tracking, scene.clock.time + 5, quiet=5)
    assert scene.stream.noted_to > scene.clock.time - 3
    assert scene.clock.time - scene.tracking.destination_since < 20
    # A sibling that is listed now is known before the verdict of the next look.
    scene.streams.shards["a"].parent = "p"
    scene.add("b", 2, parent="p")
    for _ in range(3):
        scene.clock.tick(1)
        scene.stream.look(scene.tracking, scene.clock.time + 5, quiet=5)
    assert scene.noted() == {2}


@pytest.mark.parametrize(("hours", "lost"), [(22.0, False), (23.5, True)], ids=["in time", "too late"])
def test_a_place_that_has_left_the_stream_proves_nothing(scene: Scene, hours: float, lost: bool) -> None:
    shard = scene.add("a", 1)
    scene.begin()
    scene.add("a", 2)
    scene.look_for(40)
    scene.clock.tick(hours * HOUR)
    scene.add("a", 3)
    shard.trimmed = 2
    other = scene.environment()
    scene.streams.expired.update(place.iterator for place in Places(scene.store, "v-1").read_all().values())
    if not lost:
        scene.look(other)
        assert scene.noted() == {2, 3}
        return
    with pytest.raises(TrackingLost, match="shard a of the destination's stream was not read for 24 hours"):
        scene.look(other)


def test_a_shard_that_has_left_the_stream_unread_proves_nothing(scene: Scene) -> None:
    scene.add("a", 1)
    scene.begin()
    scene.clock.tick(30 * HOUR)
    del scene.streams.shards["a"]
    scene.add("b", 2, parent="a")
    with pytest.raises(TrackingLost, match="shard a of the destination's stream was not read for 30 hours"):
        scene.look_for(5)


def test_a_shard_that_is_found_after_days_is_read(scene: Scene) -> None:
    """An environment that starts again finds the child of a shard that it has not read to its end."""
    scene.add("a", 1)
    scene.begin()
    for _ in range(30):
        scene.clock.tick(HOUR)
        scene.look()
    scene.streams.shards["a"].closed = True
    scene.add("b", 2, parent="a")
    scene.look_for(5, scene.environment())
    assert scene.noted() == {2}


def test_a_stream_that_is_gone_or_off_proves_nothing(scene: Scene) -> None:
    scene.add("a", 1)
    scene.begin()
    scene.streams.enabled = False
    scene.streams.shards["a"].closed = True
    with pytest.raises(TrackingLost, match="off"):
        scene.look_for(10)
    other = scene.environment()
    scene.streams.deleted = True
    with pytest.raises(TrackingLost, match="no longer exists"):
        scene.look_for(10, other)


def test_a_stream_that_is_gone_is_noticed_by_its_readers(scene: Scene) -> None:
    """The next list of all shards may be minutes away."""
    scene.add("a", 1)
    scene.begin()
    scene.look_for(70)
    scene.streams.deleted = True
    with pytest.raises(TrackingLost, match="no longer exists"):
        scene.look_for(5)


def test_an_environment_continues_from_what_another_one_has_written(scene: Scene) -> None:
    scene.add("a", 1)
    scene.begin()
    other = scene.environment()
    scene.add("a", 2)
    scene.look_for(40, other)
    scene.add("a", 3)
    scene.look_for(70)
    assert Places(scene.store, "v-1").read_all()["a"].read_to == number(3)
    assert scene.noted() == {2, 3}


def test_an_empty_page_after_an_old_record_proves_nothing(scene: Scene) -> None:
    """GetRecords may return nothing although there are records further on."""
    shard = scene.add("a", 1)
    scene.begin()
    scene.add("a", 2)
    scene.look_for(100)
    scene.clock.tick(1000)
    made = scene.clock.time
    scene.add("a", 3)
    # From its beginning, because the record of the place has left the stream.
    shard.trimmed, shard.gaps = 1, {1: 1, 2: 2}
    Places(scene.store, "v-1").save(
        replace(Places(scene.store, "v-1").read_all()["a"], read_to="", iterator="", at_end=False)
    )
    other = scene.environment()
    while 3 not in scene.noted():
        assert other.noted_to <= made
        scene.look(other)
    assert other.noted_to <= made
    scene.look_for(5, other)
    assert other.noted_to > made


def test_an_environment_continues_only_where_a_page_proves_something(scene: Scene) -> None:
    """Another one has read an empty page of a new shard, and was not invoked for a minute."""
    scene.add("a", 1)
    scene.begin()
    scene.streams.shards["a"].closed = True
    scene.look_for(3)
    made = scene.clock.time
    scene.add("b", 2, parent="a").gaps[0] = 2
    while "b" not in Places(scene.store, "v-1").read_all():
        scene.look()
    scene.clock.tick(60)
    other = scene.environment()
    while 2 not in scene.noted():
        scene.look(other)
        assert 2 in scene.noted() or Places(scene.store, "v-1").read_all()["b"].noted_to <= made


def test_a_place_waits_for_its_notes(scene: Scene) -> None:
    scene.add("a", 1)
    scene.begin()
    save_with, put = scene.store.save_with, scene.store.put

    def refuse(pk: str, *given: object, **more: object) -> None:
        raise client_error("ProvisionedThroughputExceededException")

    scene.clock.tick(60)
    scene.add("a", 2)
    scene.store.put = refuse  # type: ignore[method-assign]
    scene.store.save_with = lambda *given, **more: save_with_put(*given, **more)  # type: ignore[method-assign]

    def save_with_put(*given: object, **more: object) -> object:
        scene.store.put = put  # type: ignore[method-assign]
        try:
            return save_with(*given, **more)  # type: ignore[arg-type]
        finally:
            scene.store.put = refuse  # type: ignore[method-assign]

    scene.look()
    assert not scene.noted()
    assert scene.stream.noted_to < scene.clock.time - 50
    scene.store.put = put  # type: ignore[method-assign]
    scene.look(scene.environment())
    assert scene.noted() == {2}
    scene.look()
    assert scene.noted() == {2}


@pytest.mark.parametrize("seed", range(40))
def test_whatever_happens_no_record_is_missing(seed: int) -> None:
    """Splits, expired iterators, short pages, two environments, and ends in any call."""
    rng = random.Random(seed)
    scene = Scene()
    clock, streams = scene.clock, scene.streams
    streams.page_size = rng.choice([1, 3, 1_000])
    rate = 0.0

    def die(*given: object) -> None:
        if rng.random() < rate:
            raise Killed

    put = scene.store.put

    def dying_put(*given: object, **more: object) -> None:
        die()
        put(*given, **more)  # type: ignore[arg-type]
        die()

    streams.on_send = die
    scene.store.put = dying_put  # type: ignore[method-assign]
    scene.add("s0", 0)
    open_shards, shards, records = ["s0"], 1, 0
    made: dict[int, float] = {}
    must: set[int] = set()
    environments = [scene.environment(), scene.environment()]
    for step in range(80):
        rate = 0.0
        clock.tick(rng.choice([0.0, 0.5, 4.0, 35.0]))
        for shard_id in open_shards:
            for _ in range(rng.choice([0, 0, 1, 4, 12])):
                records += 1
                scene.add(shard_id, records)
                made[records] = clock.time // 1
                if scene.tracking.destination_since:
                    must.add(records)
        if rng.random() < 0.08:
            ended = open_shards.pop(rng.randrange(len(open_shards)))
            streams.shards[ended].closed = True
            for _ in range(rng.choice([1, 2])):
                scene.add(f"s{shards}", parent=ended)
                open_shards.append(f"s{shards}")
                shards += 1
        if rng.random() < 0.1:
            streams.expired.update(place.iterator for place in Places(scene.store, "v-1").read_all().values())
        rate = rng.choice([0.0, 0.0, 0.02, 0.1])
        at = rng.randrange(2)
        try:
            scene.look(environments[at])
        except Killed:
            environments[at] = scene.environment()
        if step % 8 == 0:
            newest = max(environment.noted_to for environment in environments)
            assert {value for value in must if made[value] < newest // 1} <= scene.noted()
    rate, streams.page_size = 0.0, 1_000
    assert scene.tracking.destination_since
    last = scene.environment()
    scene.look_for(200, last)
    assert must <= scene.noted()
    assert last.noted_to > clock.time - 5
