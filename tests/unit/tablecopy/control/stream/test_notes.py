"""Keys of the source's records: each record made while keys are tracked is noted, whatever happens."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from tablecopy.comparison.items import Side
from tablecopy.control.stream.progress import Stream
from tablecopy.journal.applied_batches import AppliedBatch
from tablecopy.journal.touched import PARTITIONS, TouchedKeys, Tracking, TrackingRecord, TrackingState
from tests.unit.tablecopy.control.stream.scene import Scene, number
from tests.unit.tablecopy.fakes import FakeClock, client_error, name_of


class Killed(Exception):
    """The function was ended."""


def request(scene: Scene, tracking_id: str = "v-1") -> None:
    """An operator has requested a verification."""
    record = TrackingRecord(scene.store)
    before = record.read()
    tracking = Tracking(tracking_id, "run", scene.clock.time, version=before.version if before else 0)
    assert record.save(tracking, is_new=before is None)


def tracking(scene: Scene) -> Tracking:
    found = TrackingRecord(scene.store).read()
    assert found is not None
    return found


def noted(scene: Scene, tracking_id: str = "v-1") -> set[int]:
    """The numbers of the records whose keys are in the journal."""
    keys = TouchedKeys(scene.store, scene.clock, tracking_id)
    found = [
        key["pk"]["S"]
        for partition in range(PARTITIONS)
        for chunk in keys.chunks(Side.SOURCE, partition)
        for key in chunk.unpacked()
    ]
    return {int(key.removeprefix("key ")) - 10**24 for key in found}


def on(scene: Scene) -> None:
    """Keys are tracked, and the source notes them."""
    request(scene)
    scene.look()
    assert tracking(scene).source_since


def test_nothing_is_noted_while_nobody_asked(scene: Scene) -> None:
    scene.add("a", 1, 2)
    scene.look()
    assert not noted(scene)
    assert scene.shards.summary().noted_to == 0


def test_each_record_is_noted_from_the_moment_that_is_recorded(scene: Scene) -> None:
    scene.add("a", 1)
    scene.add("b")
    scene.look()
    request(scene)
    assert not tracking(scene).source_since
    scene.again()
    since = tracking(scene).source_since
    assert since == scene.clock.time
    scene.clock.tick(1)
    scene.add("a", 2, 3)
    scene.add("b", 4)
    scene.look()
    assert noted(scene) >= {2, 3, 4}


def test_the_tracking_is_not_on_before_each_row_is_written(scene: Scene) -> None:
    """Another environment that reads without notes could write the row of the other shard."""
    scene.add("a", 1)
    scene.add("b", 2)
    scene.look()
    request(scene)
    save, scene.shards.save = scene.shards.save, lambda shard: None if shard.shard_id == "b" else save(shard)  # type: ignore[method-assign]
    scene.again()
    assert not tracking(scene).source_since
    scene.shards.save = save  # type: ignore[method-assign]
    scene.again()
    assert tracking(scene).source_since


def test_a_second_child_may_hold_changes_that_are_not_listed(scene: Scene) -> None:
    scene.add("a", 1)
    scene.apply(1)
    on(scene)
    scene.again()
    assert scene.shards.summary().listed_to == scene.clock.time
    ended = scene.clock.time
    scene.follow_up("a", "b")
    scene.look_for(30)
    assert scene.shards.summary().noted_to > ended
    assert scene.shards.summary().listed_to <= ended
    scene.look_for(120)
    assert scene.shards.summary().listed_to > ended + 60


def test_a_shard_that_has_ended_is_not_written_at_each_look(scene: Scene) -> None:
    """It waits for its children for minutes."""
    scene.add("a", 1)
    scene.apply(1)
    on(scene)
    scene.follow_up("a", "b")
    scene.again()
    assert scene.shard().finished
    written = scene.shard().version
    scene.look_for(30)
    assert scene.shard().version == written


def test_records_of_an_applied_batch_that_was_not_read_are_noted(scene: Scene) -> None:
    scene.streams.page_size = 2
    shard = scene.add("a", 1)
    scene.look()
    on(scene)
    scene.clock.tick(1)
    scene.add("a", *range(2, 60))
    scene.apply(59, records=59, first=1)
    for _ in range(60):
        scene.again()
    assert scene.row().position == number(59)
    assert noted(scene) >= set(range(2, 60))
    assert len(shard.records) == 59


def test_a_batch_that_reaches_beyond_full_pages_is_noted(scene: Scene) -> None:
    """Without tracking, the rest of such a batch is skipped."""
    scene.streams.page_size = 1_000
    scene.stream._records_kept = 25
    on_after = scene.add("a", 1)
    scene.look()
    on(scene)
    scene.clock.tick(1)
    scene.add("a", *range(2, 3_000))
    scene.apply(2_999, records=2_999, first=1)
    for _ in range(200):
        scene.again()
    assert scene.shard().position == number(2_999)
    assert noted(scene) >= set(range(2, 3_000))
    assert on_after.records


def test_a_row_waits_for_its_notes(scene: Scene) -> None:
    scene.add("a", 1)
    scene.apply(1)
    scene.look()
    on(scene)
    before = scene.shard()
    scene.clock.tick(40)
    scene.add("a", 2)
    scene.apply(2)
    put = scene.store.put

    def refuse(pk: str, *rest: object, **more: object) -> None:
        if pk.startswith("touched#"):
            raise client_error("ProvisionedThroughputExceededException")
        put(pk, *rest, **more)  # type: ignore[arg-type]

    scene.store.put = refuse  # type: ignore[method-assign]
    backlog = scene.look()
    assert backlog.error
    assert scene.row().position == number(2)
    assert scene.shard().position == before.position
    assert scene.shards.summary().noted_to <= scene.clock.time - 40
    # Another environment continues where the journal is, and notes the record.
    scene.store.put = put  # type: ignore[method-assign]
    scene.again(scene.environment())
    assert 2 in noted(scene)


def test_records_read_before_the_tracking_keep_no_row_from_being_written(scene: Scene) -> None:
    scene.add("a", 1, 2)
    scene.look()
    on(scene)
    scene.apply(2, records=2)
    scene.look_for(70)
    assert scene.shard().position == number(2)
    assert not noted(scene)


def test_a_finished_shard_is_not_retired_before_its_notes_are_written(scene: Scene) -> None:
    scene.add("a", 1)
    scene.apply(1)
    scene.look()
    on(scene)
    scene.clock.tick(40)
    scene.add("a", 2)
    scene.apply(2)
    scene.follow_up("a", "b")
    put, failing = scene.store.put, True

    def refuse(pk: str, *rest: object, **more: object) -> None:
        if pk.startswith("touched#") and failing:
            raise client_error("ProvisionedThroughputExceededException")
        put(pk, *rest, **more)  # type: ignore[arg-type]

    scene.store.put = refuse  # type: ignore[method-assign]
    scene.look_for(200)
    assert scene.row().finished
    assert not scene.shard().finished
    failing = False
    scene.look_for(60)
    assert scene.shard().retired
    assert scene.shards.totals().records == 2
    assert 2 in noted(scene)


def test_an_environment_that_learned_too_late_writes_no_row(scene: Scene) -> None:
    """It read a record without its key, and was frozen before it wrote how far it is."""
    scene.add("a", 1)
    scene.look()
    slow = scene.environment()
    scene.look(slow)
    scene.clock.tick(40)
    save = scene.shards.save
    frozen: list[Stream] = []

    def freeze(*given: object) -> None:
        # Meanwhile keys are tracked, by another environment, which sees the record before the slow one ends.
        scene.shards.save = save  # type: ignore[method-assign]
        frozen.append(slow)
        on(scene)
        scene.add("a", 3)
        scene.apply(3)
        return

    scene.add("a", 2)
    scene.apply(1)
    scene.apply(2)
    slow_save = slow._rows.save
    slow._rows.save = lambda row: (freeze() if not frozen else None, slow_save(row))[1]  # type: ignore[method-assign]
    scene.look(slow)
    assert frozen
    assert scene.shard().tracked == "v-1"
    for _ in range(3):
        scene.again(scene.environment())
    assert 3 in noted(scene)
    assert tracking(scene).is_active


def test_an_environment_with_old_rows_reads_them_again_instead_of_giving_up(scene: Scene) -> None:
    """It has read the rows before they were marked, and the tracking after it was on."""
    scene.add("a", 1)
    scene.look()
    other = scene.environment()
    scene.look(other)
    on(scene)
    scene.clock.tick(1)
    scene.add("a", 2)
    scene.look(other)
    assert tracking(scene).is_active
    assert 2 in noted(scene)


def test_a_shard_that_was_read_without_notes_ends_the_tracking(scene: Scene) -> None:
    """A frozen environment has found a child that the others do not know, and has read it without notes."""
    scene.add("a", 1)
    scene.look()
    on(scene)
    unmarked = replace(scene.shard(), shard_id="b", parent="a", tracked="", version=0)
    assert scene.shards.save(unmarked)
    scene.again(scene.environment())
    found = tracking(scene)
    assert found.state is TrackingState.OFF
    assert found.reason == "shard b of the source's stream was read without noting the keys"


@pytest.mark.parametrize("writes", [True, False], ids=["writes its row", "cannot write"])
def test_a_child_that_a_frozen_environment_has_read_is_not_passed_over(scene: Scene, *, writes: bool) -> None:
    """It alone knows the child, and is frozen in a look that began before keys were tracked."""
    scene.add("a", 1)
    scene.apply(1)
    scene.look()
    scene.follow_up("a", "b")
    scene.look_for(3)
    assert scene.shard("a").finished
    # DynamoDB has listed the child to no one else.
    del scene.store.partitions["shard"]["b"]
    frozen: list[str] = []

    def freeze(operation: str, asked: dict[str, object]) -> None:
        if operation != "GetRecords" or '"b"' not in str(asked["ShardIterator"]) or frozen:
            return
        frozen.append(operation)
        scene.streams.on_send = unlisted  # type: ignore[assignment]
        request(scene)
        scene.look(scene.environment())
        scene.streams.on_send = freeze  # type: ignore[assignment]
        assert tracking(scene).source_since
        scene.add("b", 2)

    def unlisted(operation: str, asked: dict[str, object]) -> None:
        if operation == "DescribeStream":
            raise client_error("ThrottlingException")

    save = scene.shards.save
    scene.shards.save = lambda shard: (  # type: ignore[method-assign]
        save(shard) if writes or shard.shard_id != "b" else None
    )
    scene.streams.on_send = freeze  # type: ignore[assignment]
    late = scene.environment()
    while not frozen:
        scene.again(late)
    scene.shards.save = save  # type: ignore[method-assign]
    for _ in range(5):
        scene.again(late)
    assert 2 in noted(scene) or not tracking(scene).is_active
    assert tracking(scene).is_active is not writes


def test_a_new_verification_notes_under_its_own_name(scene: Scene) -> None:
    scene.add("a", 1)
    scene.look()
    on(scene)
    scene.clock.tick(1)
    scene.add("a", 2)
    scene.look()
    request(scene, "v-2")
    scene.again()
    assert tracking(scene).source_since
    scene.clock.tick(1)
    scene.add("a", 3)
    scene.look()
    assert 3 in noted(scene, "v-2")
    assert 3 not in noted(scene)


def test_noted_to_is_the_slowest_shards_and_moves_on(scene: Scene) -> None:
    scene.add("a", 1)
    scene.add("b", 2)
    scene.look()
    on(scene)
    scene.look_for(3)
    assert scene.shards.summary().noted_to == scene.clock.time
    began = scene.clock.time
    # The pages of b come, but they have records that are not the last.
    scene.streams.page_size = 1
    scene.clock.tick(5)
    scene.add("b", 3, 4, 5)

    def refuse(operation: str, asked: dict[str, object]) -> None:
        if operation == "GetRecords" and '"b"' in str(asked["ShardIterator"]):
            raise client_error("ProvisionedThroughputExceededException")

    scene.streams.on_send = refuse  # type: ignore[assignment]
    scene.look()
    scene.again()
    assert began <= scene.shards.summary().noted_to <= began + 1
    scene.streams.on_send = lambda operation, asked: None
    scene.look_for(10)
    assert scene.shards.summary().noted_to > began + 5
    assert noted(scene) >= {3, 4, 5}


def test_an_empty_page_after_an_old_record_proves_nothing(scene: Scene) -> None:
    """GetRecords may return nothing although there are records further on."""
    scene.add("a", 1, 2)
    scene.apply(1)
    scene.look()
    on(scene)
    scene.look_for(40)
    scene.clock.tick(1_000)
    made = scene.clock.time
    shard = scene.add("a", 3)
    shard.gaps = {2: 2}
    other = scene.environment()
    while 3 not in noted(scene):
        assert scene.shards.summary().noted_to <= made
        scene.again(other)
    scene.apply(2)
    scene.apply(3)
    for _ in range(5):
        scene.again(other)
    assert scene.shards.summary().noted_to > made


def test_a_slice_counts_and_notes_what_it_reads(scene: Scene) -> None:
    scene.add("a", 1)
    scene.look()
    on(scene)
    scene.stream._records_kept = 25
    scene.streams.page_size = 1_000
    scene.clock.tick(1)
    scene.add("a", *range(2, 500))
    scene.look(counting=True)
    assert noted(scene) >= set(range(2, 500))
    # A reader that continues the count begins after records that are noted.
    scene.clock.tick(40)
    scene.look(counting=True)
    other = scene.environment()
    scene.clock.tick(1)
    scene.add("a", *range(500, 510))
    scene.look(other, counting=True)
    assert noted(scene) >= set(range(2, 510))


class Chaos:
    """A source with splits, applied batches of any reach, and two environments that end in any call."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.scene = Scene(FakeClock())
        self.rate = 0.0
        self.shards: dict[str, list[int]] = {}
        self.applied: dict[str, int] = {}
        self.open: list[str] = []
        self.records = 0
        self.made: dict[int, float] = {}
        self.must: set[int] = set()
        self.scene.streams.page_size = self.rng.choice([1, 3, 1_000])
        self._open("s0")
        self.scene.look()
        self.environments = [self.scene.environment(), self.scene.environment()]
        self.scene.streams.on_send = self._die
        self._put = self.scene.store.put
        self.scene.store.put = self._dying_put  # type: ignore[method-assign]

    def _open(self, *shard_ids: str) -> None:
        for shard_id in shard_ids:
            self.scene.add(shard_id, parent=getattr(self, "ended", ""))
            self.shards[shard_id], self.applied[shard_id] = [], 0
            self.open.append(shard_id)

    def _die(self, *given: object) -> None:
        if self.rng.random() < self.rate:
            raise Killed

    def _dying_put(self, *given: object, **more: object) -> None:
        self._die()
        self._put(*given, **more)  # type: ignore[arg-type]
        self._die()

    def write(self) -> None:
        """Writers change items."""
        rng, scene = self.rng, self.scene
        scene.clock.tick(rng.choice([0.5, 1, 5, 35]))
        record = TrackingRecord(scene.store).read()
        for shard_id in self.open:
            for _ in range(rng.choice([0, 0, 1, 4, 12])):
                self.records += 1
                self.made[self.records] = scene.clock.time
                scene.add(shard_id, self.records)
                self.shards[shard_id].append(self.records)
                if record and record.source_since:
                    self.must.add(self.records)
        if rng.random() < 0.05:
            self.ended = self.open.pop(rng.randrange(len(self.open)))
            scene.streams.shards[self.ended].closed = True
            first = len(self.shards)
            self._open(*(f"s{first + at}" for at in range(rng.choice([1, 2]))))
        if rng.random() < 0.1:
            scene.streams.expired.update(row.iterator for row in scene.shards.read_all().values())

    def apply(self, part: float) -> None:
        """The replicator applies batches of some shards."""
        for shard_id, values in self.shards.items():
            begin = self.applied[shard_id]
            if begin < len(values) and self.rng.random() < part:
                end = len(values) if part == 1 else self.rng.randint(begin + 1, len(values))
                names = [name_of(number(value)) for value in values[begin:end]]
                last = number(values[end - 1])
                rate, self.rate = self.rate, 0.0
                self.scene.batches.put(AppliedBatch(names[0], last, end - begin, end - begin, 0), names)
                self.rate, self.applied[shard_id] = rate, end

    def look(self) -> None:
        at = self.rng.randrange(2)
        self.rate = self.rng.choice([0.0, 0.0, 0.02, 0.1])
        try:
            self.scene.look(self.environments[at], counting=self.rng.random() < 0.2)
        except Killed:
            self.environments[at] = self.scene.environment()
        self.rate = 0.0
        if self.rng.random() < 0.3:
            self.environments[at].begin()


@pytest.mark.parametrize("seed", range(30))
def test_whatever_happens_no_record_is_missing(seed: int) -> None:
    chaos = Chaos(seed)
    scene = chaos.scene
    for step in range(80):
        chaos.write()
        chaos.apply(0.5)
        if step == 20:
            request(scene)
        chaos.look()
        if step % 8 == 0:
            # What is said to be noted is noted, at any time.
            newest = scene.shards.summary().noted_to
            assert {value for value in chaos.must if chaos.made[value] < newest // 1} <= noted(scene)
    assert tracking(scene).source_since
    chaos.apply(1)
    scene.streams.page_size = 1_000
    last = scene.environment()
    for _ in range(130):
        scene.again(last)
    assert chaos.must <= noted(scene)
    assert scene.shards.summary().noted_to > scene.clock.time - 5
    assert tracking(scene).is_active
