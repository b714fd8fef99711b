"""Rounds: a key leaves the list only when both items were read after its record, and were equal."""

from __future__ import annotations

import random

import pytest

from tablecopy.comparison.differences import Kind
from tablecopy.comparison.items import KeySchema, Side
from tablecopy.dynamodb.client import Json
from tablecopy.journal.touched import KEEP_SECONDS, PARTITIONS, RENEW_SECONDS, Chunk, Note, TouchedKeys
from tablecopy.metrics.log import MetricsBuffer
from tablecopy.throughput.limits import read_limit, read_usage
from tablecopy.tracker.rounds import Round, Rounds, listed
from tablecopy.verifier.keys import KeyReader
from tablecopy.verifier.recheck import Recheck
from tests.unit.tablecopy.fakes import FakeClock, MemoryStore
from tests.unit.tablecopy.verifier.tables import HostileTable

SCHEMA = KeySchema(("pk",))


class Scene:
    """Two tables, and a list of touched keys."""

    def __init__(self, seed: int = 1, faults: float = 0.0) -> None:
        self.clock = FakeClock()
        rng = random.Random(seed)
        self.source = HostileTable("source", rng, faults=faults, respells=True, clock=self.clock)
        self.destination = HostileTable("copy", rng, faults=faults, respells=True, clock=self.clock)
        self.keys = TouchedKeys(MemoryStore(), self.clock, "v-1")
        self.numbers = 0
        self.rounds = self.environment()

    def environment(self) -> Rounds:
        metrics = MetricsBuffer(self.clock, "orders")
        source, destination = (
            KeyReader(
                table,
                name,
                SCHEMA,
                read_limit(self.clock, 100_000.0),
                read_usage(metrics, name),
                self.clock,
            )
            for table, name in ((self.source, "source"), (self.destination, "copy"))
        )
        return Rounds(self.keys, Recheck((source, destination), SCHEMA, self.clock), SCHEMA, self.clock)

    def put(self, table: HostileTable, key: str, value: int) -> None:
        table.items[key] = {"pk": {"S": key}, "v": {"N": str(value)}, "w": {"S": "w"}}

    def note(self, *keys: str, side: Side = Side.SOURCE, shard: str = "a") -> None:
        """Records of these keys are made now, and noted."""
        notes = []
        for key in keys:
            self.numbers += 1
            text = b'{"pk":{"S":"%b"}}' % key.encode()
            notes.append(Note(str(10**24 + self.numbers), text, self.clock.time // 1))
        self.keys.note(side, shard, notes)

    def run(self, *, after: float = 5.0, lag: float = 0.0, hurry: bool = False) -> Round:
        """A round some seconds later, while changes take ``lag`` seconds."""
        self.clock.tick(after)
        now = self.clock.time
        return self.rounds.run(now - lag, now + 8, hurry=hurry)

    def left(self) -> list[str]:
        return sorted(key["pk"]["S"] for chunk in self.chunks() for key in chunk.unpacked())

    def chunks(self) -> list[Chunk]:
        return [
            chunk
            for side in Side
            for partition in range(PARTITIONS)
            for chunk in self.keys.chunks(side, partition)
        ]


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_equal_keys_leave_and_others_stay(scene: Scene) -> None:
    for key, here, there in (("same", 1, 1), ("changed", 1, 2), ("missing", 1, 0), ("extra", 0, 1)):
        if here:
            scene.put(scene.source, key, here)
        if there:
            scene.put(scene.destination, key, there)
    scene.note("same", "changed", "missing", "extra", "gone")
    made = scene.clock.time // 1
    found = scene.run()
    assert (found.left, found.oldest_left, found.checked) == (3, made, 5)
    assert scene.left() == ["changed", "extra", "missing"]
    scene.put(scene.destination, "changed", 1)
    scene.put(scene.destination, "missing", 1)
    del scene.destination.items["extra"]
    found = scene.run()
    assert (found.left, found.oldest_left) == (0, 0.0)
    assert not scene.chunks()


def test_a_key_in_many_chunks_is_read_once_and_leaves_all_of_them(scene: Scene) -> None:
    scene.put(scene.source, "hot", 7)
    scene.put(scene.destination, "hot", 7)
    for number in range(50):
        scene.note("hot", side=Side(number % 2), shard=f"s{number}")
    scene.run()
    assert not scene.chunks()
    assert (scene.source.gets, scene.destination.gets) == (1, 1)


def test_more_keys_than_are_read_at_a_time(scene: Scene) -> None:
    keys = [f"k{number}" for number in range(5_000)]
    for key in keys:
        scene.put(scene.source, key, 1)
        scene.put(scene.destination, key, 1 if key != "k4321" else 2)
    for start in range(0, 5_000, 700):
        scene.note(*keys[start : start + 700], shard=f"s{start}")
    found = scene.run()
    assert (found.left, found.checked) == (1, 5_000)
    assert scene.left() == ["k4321"]


@pytest.mark.parametrize(
    ("units", "fewest", "most"), [(1.0, 100, 100), (100.0, 1, 10)], ids=["small", "large"]
)
def test_readers_hold_few_large_items(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, units: float, fewest: int, most: int
) -> None:
    sizes: list[int] = []
    get = HostileTable._get

    def measured(table: HostileTable, request: Json) -> Json:
        answer = get(table, request)
        [(_, wanted)] = request["RequestItems"].items()
        sizes.append(len(wanted["Keys"]))
        answer["ConsumedCapacity"][0]["CapacityUnits"] *= units
        return answer

    monkeypatch.setattr(HostileTable, "_get", measured)
    scene.note(*(f"k{number}" for number in range(100)))
    scene.run()
    assert max(sizes) <= 10
    sizes.clear()
    scene.note(*(f"k{number}" for number in range(1_000)))
    scene.run()
    assert fewest <= max(sizes) <= most
    assert not scene.chunks()


def test_a_change_of_a_shard_that_is_not_listed_is_no_difference(scene: Scene) -> None:
    """All that is known is applied, but not the change that a shard holds which is listed later."""
    scene.put(scene.source, "k", 1)
    scene.note("k")
    listed_to = scene.clock.time
    for _ in range(30):
        scene.clock.tick(5)
        now = scene.clock.time
        scene.rounds.run(now, now + 8, hurry=True, listed_to=listed_to)
    assert not scene.rounds.standing
    scene.rounds.run(now, now + 8, hurry=True)
    scene.clock.tick(5)
    now = scene.clock.time
    scene.rounds.run(now, now + 8, hurry=True, listed_to=now)
    assert len(scene.rounds.standing) == 1


def test_what_there_is_no_time_for_stays(scene: Scene) -> None:
    keys = [f"k{number}" for number in range(300)]
    scene.note(*keys)
    scene.clock.tick(5)
    scene.source.throttles_gets = True
    found = scene.rounds.run(scene.clock.time, scene.clock.time + 1, hurry=False)
    assert found.left == 300
    assert len(scene.left()) == 300
    scene.source.throttles_gets = False
    assert scene.run(after=60).left == 0


def test_changes_that_are_not_applied_are_not_read_yet(scene: Scene) -> None:
    scene.note("k")
    scene.put(scene.source, "k", 1)
    found = scene.run(after=60, lag=100)
    assert (found.left, scene.source.gets) == (1, 0)
    scene.put(scene.destination, "k", 1)
    assert scene.run(after=60).left == 0


def test_in_a_hurry_everything_is_due(scene: Scene) -> None:
    scene.put(scene.source, "k", 1)
    scene.note("k")
    for _ in range(6):
        scene.run(after=40)
    scene.put(scene.destination, "k", 1)
    scene.note("fresh")
    assert scene.run(after=1, lag=100, hurry=True).left == 0


def test_an_item_that_changes_between_the_reads_is_no_difference(scene: Scene) -> None:
    """The source has afterwards what the destination has."""
    scene.put(scene.source, "k", 1)
    scene.put(scene.destination, "k", 2)
    scene.note("k")
    scene.destination.before_call = lambda: scene.put(scene.source, "k", 2)
    assert scene.run().left == 0


def test_a_difference_stands_when_every_change_is_applied(scene: Scene) -> None:
    scene.put(scene.source, "k", 1)
    scene.put(scene.destination, "k", 2)
    scene.note("k")
    scene.clock.tick(60)
    for _ in range(40):
        # What was read first is not known to be applied.
        now = scene.clock.time
        scene.rounds.run(scene.clock.time - 60 - (now - 1_750_000_060), now + 8, hurry=True)
        scene.clock.tick(1)
    assert not scene.rounds.standing
    for _ in range(40):
        scene.run(after=1)
    [difference] = scene.rounds.standing
    assert (difference.kind, difference.key) == (Kind.CHANGED, {"pk": {"S": "k"}})
    assert scene.left() == ["k"]
    scene.put(scene.destination, "k", 1)
    scene.run(after=40)
    assert not scene.rounds.standing
    assert not scene.chunks()


@pytest.mark.parametrize("side", ["source", "destination"])
def test_an_item_that_keeps_moving_is_no_difference(scene: Scene, side: str) -> None:
    """Its records are not noted yet."""
    scene.put(scene.source, "k", 100)
    scene.put(scene.destination, "k", 200)
    scene.note("k")
    for number in range(60):
        scene.put(scene.source if side == "source" else scene.destination, "k", number)
        scene.run(after=4)
        assert not scene.rounds.standing


def test_a_reconciler_whose_clock_is_ahead_makes_no_difference(scene: Scene) -> None:
    scene.put(scene.source, "k", 1)
    scene.note("k")
    for _ in range(4):
        scene.run(after=3, lag=-60)
        assert not scene.rounds.standing


def test_a_key_that_keeps_changing_is_no_difference(scene: Scene) -> None:
    """It returns to the same value each time it is read, and the destination always has the other one."""
    for number in range(60):
        scene.put(scene.source, "k", 1)
        scene.put(scene.destination, "k", 2)
        scene.note("k", shard=f"s{number}")
        scene.run(after=4)
        assert not scene.rounds.standing
    assert scene.left()


def test_a_difference_that_an_earlier_environment_listed_stands_again(scene: Scene) -> None:
    scene.put(scene.source, "k", 1)
    scene.note("k")
    for _ in range(60):
        scene.run(after=1)
    [difference] = scene.rounds.standing
    scene.keys.save_checked(scene.keys.checked(), listed(scene.rounds.standing))
    scene.rounds = scene.environment()
    assert not scene.rounds.standing
    scene.run(after=1)
    assert [each.key for each in scene.rounds.standing] == [difference.key]


def test_a_listed_difference_whose_chunk_is_gone_does_not_come_back(scene: Scene) -> None:
    scene.put(scene.source, "k", 1)
    scene.note("k")
    for _ in range(60):
        scene.run(after=1)
    scene.keys.save_checked(scene.keys.checked(), listed(scene.rounds.standing))
    scene.put(scene.destination, "k", 1)
    scene.run(after=60)
    scene.rounds = scene.environment()
    scene.run()
    assert not scene.rounds.standing


def test_a_chunk_that_stays_is_renewed_before_it_expires(scene: Scene) -> None:
    scene.put(scene.source, "k", 1)
    scene.note("k")
    scene.run()
    scene.run(after=KEEP_SECONDS - RENEW_SECONDS + 60)
    [chunk] = scene.chunks()
    assert chunk.expires_at > scene.clock.time + RENEW_SECONDS


def test_a_chunk_that_another_tracker_has_changed_counts_as_left(scene: Scene) -> None:
    scene.note("k", "l")
    chunks = scene.keys.chunks

    def racing(side: Side, partition: int) -> list[Chunk]:
        found = list(chunks(side, partition))
        for chunk in found:
            scene.keys.keep(chunk, chunk.unpacked()[:1])
        return found

    scene.keys.chunks = racing  # type: ignore[assignment, method-assign]
    assert scene.run().left == 2
    scene.keys.chunks = chunks  # type: ignore[method-assign]
    assert scene.run().left == 0


def test_a_record_made_while_its_key_is_read_is_left(scene: Scene) -> None:
    """The pair of reads began before the record was made, so it says nothing about it."""
    scene.put(scene.source, "k", 1)
    scene.put(scene.destination, "k", 1)
    scene.note("k")
    made = []

    def write() -> None:
        if not made:
            made.append(1)
            scene.note("k", shard="b")

    scene.destination.before_call = write
    scene.run()
    assert scene.left() == ["k"]


@pytest.mark.parametrize("seed", range(30))
def test_whatever_happens_only_equal_keys_leave(seed: int) -> None:
    """Calls fail, answers are lost, keys are left out, and items change on both sides all the time."""
    rng = random.Random(seed)
    scene = Scene(seed, faults=0.3)
    keys = [f"k{number}" for number in range(30)]
    late: list[tuple[str, int]] = []
    for _ in range(40):
        for _ in range(rng.choice([0, 3, 10])):
            key, value = rng.choice(keys), rng.randint(1, 3)
            scene.put(scene.source, key, value)
            scene.note(key, shard=rng.choice("abc"))
            late.append((key, value))
        for key, value in late:
            scene.put(scene.destination, key, value)
            scene.note(key, side=Side.DESTINATION, shard=rng.choice("xyz"))
        late = late[-2:] if rng.random() < 0.5 else []
        if rng.random() < 0.1:
            scene.rounds = scene.environment()
        scene.clock.tick(rng.choice([1, 5, 40]))
        scene.rounds.run(scene.clock.time - 2, scene.clock.time + 8, hurry=rng.random() < 0.2)
        differ = {key for key in keys if scene.source.items.get(key) != scene.destination.items.get(key)}
        assert differ <= set(scene.left())
    scene.destination.items = dict(scene.source.items)
    found = [scene.run(after=31) for _ in range(20)]
    assert found[-1].left == 0
    assert not scene.chunks()
