"""The replicator: nothing unapplied is acknowledged, and redelivery converges."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import Phase as Phases
from hypothesis import strategies as st

from tablecopy.data.replicator import Replicator
from tablecopy.data.writer import SETTLE_SECONDS, BatchWriter
from tablecopy.dynamodb.client import Json
from tablecopy.dynamodb.requests import key_token
from tablecopy.journal.applied_batches import AppliedBatch, AppliedBatches
from tablecopy.journal.dead_letters import DeadLetter, DeadLetters, Origin
from tablecopy.journal.leases import REPLICATOR, Leases, UnsettledWrite
from tablecopy.journal.run import Phase, Run, RunRecord
from tablecopy.journal.store import Store
from tablecopy.metrics.log import MetricsBuffer
from tablecopy.throughput.limits import write_usage
from tablecopy.throughput.rate import Unlimited
from tests.unit.tablecopy.fakes import (
    NOON,
    STREAM_ARN,
    Answer,
    FakeClock,
    FakeDestination,
    Fault,
    client_error,
    leave,
    lose_answer,
    name_of,
    record,
    refuse,
    sequence_number,
)
from tests.unit.tablecopy.journal_table import new_store

TIMEOUT = 60.0
RUN = Run("run", STREAM_ARN, 1, NOON, Phase.DRAINING, NOON, key_names=("pk",))


class Scene:
    """A replicator on a journal of its own, with a destination in memory.

    One call at a time, so that their order is known, where ``writers`` does not say otherwise.
    """

    def __init__(self, store: Store, destination: FakeDestination | None = None, writers: int = 1) -> None:
        self.clock = FakeClock()
        self.metrics = MetricsBuffer(self.clock, "move")
        self.destination = destination or FakeDestination()
        self.run = RunRecord(store)
        self.leases = Leases(store, self.clock)
        self.marks = AppliedBatches(store, self.clock)
        self.letters = DeadLetters(store, self.clock)
        self.writers = writers
        self.run.create(RUN)
        self.invocations = 0

    def writer(self, key_names: Sequence[str], until: float) -> BatchWriter:
        return BatchWriter(
            self.destination,
            "copy",
            key_names,
            Unlimited(self.clock),
            write_usage(self.metrics, "copy"),
            self.clock,
            until,
        )

    def enter(self, phase: Phase, **changes: Any) -> None:
        run = self.run.read()
        assert run is not None
        assert self.run.save(replace(run, phase=phase, **changes))

    def apply(self, records: Sequence[Json]) -> str | None:
        """One invocation; the sequence number it reports as failed."""
        self.invocations += 1
        answer = self.replicator().apply(records, f"r{self.invocations}", self.clock.now() + TIMEOUT)
        failures = answer["batchItemFailures"]
        assert len(failures) <= 1
        return failures[0]["itemIdentifier"] if failures else None

    def replicator(self) -> Replicator:
        return Replicator(
            self.run,
            self.leases,
            self.marks,
            self.letters,
            self.writer,
            self.metrics,
            self.clock,
            self.writers,
        )

    def marked(self) -> list[AppliedBatch]:
        found = self.marks.find(name_of(sequence_number(index)) for index in range(100))
        return [found[name] for name in sorted(found)]


@pytest.fixture
def scene(store: Store) -> Scene:
    return Scene(store)


def records(count: int) -> list[Json]:
    return [record(index, f"k{index}", {"N": str(index)}) for index in range(count)]


def value(scene: Scene, key: str) -> Any:
    items = [item for item in scene.destination.items.values() if item["pk"]["S"] == key]
    return items[0]["v"] if items else None


class TestApplying:
    def test_a_batch_is_written_marked_and_acknowledged(self, scene: Scene) -> None:
        batch = [*records(30), record(30, "k0", None), record(31, "k1", {"S": "new"})]
        assert scene.apply(batch) is None
        assert value(scene, "k0") is None
        assert value(scene, "k1") == {"S": "new"}
        assert len(scene.destination.items) == 29
        assert scene.marked() == [
            AppliedBatch(name_of(sequence_number(0)), sequence_number(31), records=32, puts=29, deletes=1)
        ]
        assert scene.leases.alive(REPLICATOR) == []

    def test_a_hot_key_is_written_once(self, scene: Scene) -> None:
        scene.apply([record(index, "hot", {"N": str(index)}) for index in range(1000)])
        assert len(scene.destination.calls) == 1
        assert value(scene, "hot") == {"N": "999"}

    def test_images_arrive_untouched(self, scene: Scene) -> None:
        image = {"M": {"é": {"L": [{"B": "AAH/"}, {"N": "12.50"}, {"S": ""}, {"NULL": True}]}}}
        scene.apply([record(0, "k", image)])
        assert value(scene, "k") == image

    def test_a_lone_surrogate_of_an_event_is_applied(self, scene: Scene) -> None:
        # As Lambda's runtime parses the text of an event.
        batch = json.loads(json.dumps([record(0, "a\ud800", {"S": "\udc00"}), record(1, "\udfff", None)]))
        assert scene.apply(batch) is None
        assert list(scene.destination.items.values()) == [{"pk": {"S": "a\ud800"}, "v": {"S": "\udc00"}}]

    def test_twice_is_as_good_as_once(self, scene: Scene) -> None:
        batch = [record(0, "a", {"N": "1"}), record(1, "b", None), record(2, "a", {"N": "2"})]
        scene.apply(batch)
        once = dict(scene.destination.items)
        scene.apply(batch)
        assert scene.destination.items == once
        assert len(scene.marked()) == 1

    def test_a_late_delivery_writes_nothing_over_later_batches(self, scene: Scene) -> None:
        old = [record(0, "a", {"N": "1"}), record(1, "b", {"N": "1"})]
        scene.apply(old)
        scene.apply([record(2, "a", {"N": "2"})])
        assert scene.apply(old) is None
        assert value(scene, "a") == {"N": "2"}

    def test_a_marked_batch_is_answered_up_to_its_mark(self, scene: Scene) -> None:
        scene.apply([record(0, "a", {"N": "1"}), record(1, "b", {"N": "1"})])
        longer = [record(0, "a", {"N": "1"}), record(1, "b", {"N": "1"}), record(2, "a", {"N": "2"})]
        assert scene.apply(longer) == sequence_number(2)
        assert scene.apply(longer[:1]) is None


class TestPartialFailure:
    def test_the_first_record_of_an_unwritten_key_is_reported(self, scene: Scene) -> None:
        batch = [
            record(0, "a", {"N": "0"}),
            record(1, "late", {"N": "1"}),
            record(2, "a", {"N": "2"}),
            record(3, "late", {"N": "3"}),
            record(4, "c", None),
        ]
        scene.destination.faults = [_throttle_key("late")] * 1000
        assert scene.apply(batch) == sequence_number(1)
        assert value(scene, "a") == {"N": "2"}
        assert scene.marked() == [
            AppliedBatch(name_of(sequence_number(0)), sequence_number(0), records=1, puts=1, deletes=0)
        ]

    def test_nothing_is_marked_when_the_first_record_fails(self, scene: Scene) -> None:
        scene.destination.faults = [_throttle_key("k0")] * 1000
        assert scene.apply(records(3)) == sequence_number(0)
        assert scene.marked() == []

    def test_what_the_deadline_left_over_is_delivered_again(self, scene: Scene) -> None:
        def throttle_from_the_second_call_on(requests: Sequence[Json]) -> Answer:
            if len(scene.destination.calls) == 1:
                return Answer(requests)
            return Answer([], error=client_error("ThrottlingException"))

        scene.destination.faults = [throttle_from_the_second_call_on] * 1000
        batch = records(60)
        failed = scene.apply(batch)
        # The first call has the first records.
        first = len(scene.destination.calls[0])
        assert failed == sequence_number(first)
        assert scene.clock.now() <= NOON + TIMEOUT - 15
        scene.destination.faults = []
        assert scene.apply(batch[first:]) is None
        assert len(scene.destination.items) == 60

    def test_a_destination_that_denies_fails_the_batch(self, scene: Scene) -> None:
        scene.destination.faults = [refuse("AccessDeniedException")]
        with pytest.raises(ClientError):
            scene.apply(records(3))
        assert scene.marked() == []
        assert scene.leases.alive(REPLICATOR) == []


class TestLetters:
    def test_a_refused_change_becomes_a_letter_and_is_acknowledged(self, scene: Scene) -> None:
        scene.destination.refuses = {token("k1")}
        assert scene.apply(records(60)) is None
        assert len(scene.destination.items) == 59
        [letter] = scene.letters.read_all()
        assert letter == DeadLetter(
            token("k1"),
            {"pk": {"S": "k1"}},
            Origin.STREAM,
            "put",
            "ValidationException",
            "no",
            sequence_number(1),
            first_seen=letter.first_seen,
            last_seen=letter.last_seen,
            attempts=1,
            version=1,
        )

    def test_a_letter_names_the_last_change_of_its_key(self, scene: Scene) -> None:
        scene.destination.refuses = {token("a")}
        scene.apply([record(0, "a", {"N": "1"}), record(1, "b", {"N": "1"}), record(2, "a", None)])
        [letter] = scene.letters.read_all()
        assert (letter.sequence_number, letter.action) == (sequence_number(2), "delete")
        assert scene.letters.image(letter.token) == ""

    @pytest.mark.parametrize("later", [{"N": "2"}, None], ids=["put", "delete"])
    def test_a_later_change_of_the_same_key_settles_it(self, scene: Scene, later: Json | None) -> None:
        scene.destination.refuses = {token("a"), token("b")}
        scene.apply([record(0, "a", {"N": "1"}), record(1, "b", {"N": "1"})])
        scene.destination.refuses = set()
        scene.apply([record(2, "a", later), record(3, "c", {"N": "1"})])
        assert [letter.token for letter in scene.letters.read_all()] == [token("b")]
        assert value(scene, "a") == later

    def test_a_later_change_that_is_refused_as_well_replaces_it(self, scene: Scene) -> None:
        scene.destination.refuses = {token("a")}
        scene.apply([record(0, "a", {"N": "1"})])
        scene.apply([record(1, "a", {"N": "2"})])
        [letter] = scene.letters.read_all()
        assert (letter.attempts, letter.sequence_number) == (2, sequence_number(1))
        assert '"2"' in scene.letters.image(letter.token)

    def test_a_later_change_that_was_not_written_settles_nothing(self, scene: Scene) -> None:
        scene.destination.refuses = {token("a")}
        scene.apply([record(0, "a", {"N": "1"})])
        scene.destination.refuses = set()
        scene.destination.faults = [refuse("ThrottlingException")] * 1000
        assert scene.apply([record(1, "a", {"N": "2"})]) == sequence_number(1)
        assert scene.letters.count() == 1

    def test_a_late_delivery_settles_nothing(self, scene: Scene) -> None:
        scene.apply([record(0, "a", {"N": "1"})])
        scene.destination.refuses = {token("a")}
        scene.apply([record(1, "a", {"N": "2"})])
        scene.destination.refuses = set()
        scene.apply([record(0, "a", {"N": "1"})])
        assert scene.letters.count() == 1

    def test_letters_are_read_only_when_there_is_a_new_one(self, scene: Scene) -> None:
        reads: list[int] = []

        class Counting(DeadLetters):
            def versions(self) -> dict[str, int]:
                reads.append(scene.invocations)
                return super().versions()

        scene.letters = Counting(scene.letters._store, scene.clock)
        kept = scene.replicator()
        scene.replicator = lambda: kept  # type: ignore[method-assign]
        scene.apply([record(0, "a", {"N": "1"})])
        assert reads == []
        scene.destination.refuses = {token("b")}
        scene.apply([record(1, "b", {"N": "1"})])
        assert reads == []
        scene.destination.refuses = set()
        for index in range(2, 5):
            scene.apply([record(index, "a", {"N": "1"})])
        assert reads == [3]
        scene.apply([record(5, "b", {"N": "1"})])
        assert reads == [3]
        assert scene.letters.count() == 0

    def test_a_letter_that_was_replaced_in_between_stays(self, scene: Scene) -> None:
        scene.destination.refuses = {token("a")}
        scene.apply([record(0, "a", {"N": "1"})])
        [letter] = scene.letters.read_all()
        scene.destination.refuses = set()
        # Another function is refused once more after this one has read the letters.
        scene.destination.on_call = lambda: scene.letters.put(letter)
        scene.apply([record(1, "a", {"N": "2"})])
        assert scene.letters.count() == 1

    def test_the_letter_is_there_before_the_batch_is_marked(self, scene: Scene) -> None:
        class Killed(BaseException): ...

        class Dying(AppliedBatches):
            def put(self, batch: AppliedBatch, names: Sequence[str]) -> None:
                raise Killed

        marks, scene.marks = scene.marks, Dying(None, scene.clock)  # type: ignore[arg-type]
        scene.marks.get = marks.get  # type: ignore[method-assign]
        scene.destination.refuses = {token("k1")}
        with pytest.raises(Killed):
            scene.apply(records(3))
        assert [letter.token for letter in scene.letters.read_all()] == [token("k1")]

    def test_a_batch_whose_letter_cannot_be_kept_is_not_marked(self, scene: Scene) -> None:
        class Killed(BaseException): ...

        class Full(DeadLetters):
            def put(self, letter: DeadLetter) -> None:
                raise Killed

        scene.letters = Full(scene.letters._store, scene.clock)
        scene.destination.refuses = {token("k1")}
        with pytest.raises(Killed):
            scene.apply(records(3))
        assert scene.marked() == []


class TestFencing:
    @pytest.mark.parametrize("phase", sorted(set(Phase) - {Phase.DRAINING, Phase.READY}))
    def test_in_another_phase_nothing_is_written_and_all_is_to_come_again(
        self, scene: Scene, phase: Phase
    ) -> None:
        scene.enter(phase)
        assert scene.apply(records(3)) == sequence_number(0)
        assert scene.destination.calls == []
        assert scene.marked() == []
        assert scene.leases.alive(REPLICATOR) == []

    def test_nor_before_there_is_a_run(self, store: Store) -> None:
        scene = Scene(store)
        store.delete("run", "state")
        assert scene.apply(records(3)) == sequence_number(0)
        assert scene.destination.calls == []

    def test_nor_of_another_stream(self, scene: Scene) -> None:
        batch = [{**each, "eventSourceARN": STREAM_ARN + "2"} for each in records(3)]
        assert scene.apply(batch) == sequence_number(0)
        assert scene.destination.calls == []

    def test_a_marked_batch_is_not_acknowledged_in_another_phase_either(self, scene: Scene) -> None:
        scene.apply(records(3))
        scene.enter(Phase.SLICE)
        assert scene.apply(records(3)) == sequence_number(0)

    def test_why_not_now_is_logged(self, scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
        scene.enter(Phase.SLICE)
        scene.apply(records(3))
        [line] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert line["event"] == "not_now"
        assert "slice" in line["reason"]

    def test_it_is_ready_for_changes_in_ready(self, scene: Scene) -> None:
        scene.enter(Phase.READY)
        assert scene.apply(records(3)) is None

    def test_the_lease_is_there_before_the_phase_is_read_and_until_all_is_written(self, scene: Scene) -> None:
        seen: list[list[str]] = []

        class Reading(RunRecord):
            def read(self) -> Run | None:
                seen.append(scene.leases.alive(REPLICATOR))
                return RUN

        scene.destination.on_call = lambda: seen.append(scene.leases.alive(REPLICATOR))
        scene.run = Reading(None)  # type: ignore[arg-type]
        scene.apply(records(3))
        assert seen == [[f"replicator#{name_of(sequence_number(0))}"]] * 2
        assert scene.leases.alive(REPLICATOR) == []

    def test_a_batch_that_another_invocation_may_still_write_is_refused(self, scene: Scene) -> None:
        with scene.leases.hold(REPLICATOR, name_of(sequence_number(0)), "other", NOON + TIMEOUT):
            assert scene.apply(records(3)) == sequence_number(0)
            assert scene.destination.calls == []
            assert len(scene.leases.alive(REPLICATOR)) == 1

    def test_an_applied_batch_whose_record_may_still_be_written_keeps_its_lease(self, scene: Scene) -> None:
        class Silent(AppliedBatches):
            def put(self, batch: AppliedBatch, names: Sequence[str]) -> None:
                raise UnsettledWrite

        scene.marks = Silent(scene.leases._store, scene.clock)
        assert scene.apply(records(3)) == sequence_number(0)
        assert scene.leases.alive(REPLICATOR) == [f"replicator#{name_of(sequence_number(0))}"]
        # Who comes too early is refused.
        assert scene.apply(records(3)) == sequence_number(0)

    def test_a_batch_of_another_shard_with_the_same_number_is_another_batch(self, scene: Scene) -> None:
        scene.apply(records(3))
        others = [{**record(index, f"o{index}", {"N": "1"}), "eventID": f"o{index}"} for index in range(3)]
        assert scene.apply(others) is None
        assert value(scene, "o2") == {"N": "1"}

    def test_a_lost_answer_is_waited_out_before_the_lease_ends(self, scene: Scene) -> None:
        scene.destination.faults = [lose_answer]
        assert scene.apply(records(3)) is None
        assert scene.clock.now() >= NOON + SETTLE_SECONDS
        assert scene.leases.alive(REPLICATOR) == []

    def test_a_write_that_may_land_after_the_end_keeps_its_lease(self, scene: Scene) -> None:
        def hang(requests: Sequence[Json]) -> Answer:
            scene.clock.time += TIMEOUT - 5
            return lose_answer(requests)

        scene.destination.faults = [hang]
        assert scene.apply(records(3)) == sequence_number(0)
        assert scene.leases.alive(REPLICATOR) == [f"replicator#{name_of(sequence_number(0))}"]
        assert scene.marked() == []

    def test_an_error_after_a_lost_answer_is_waited_out_too(self, scene: Scene) -> None:
        scene.destination.faults = [lose_answer, refuse("AccessDeniedException")]
        with pytest.raises(ClientError):
            scene.apply(records(3))
        assert scene.clock.now() >= NOON + SETTLE_SECONDS


history = st.lists(
    st.tuples(st.integers(0, 6), st.one_of(st.none(), st.integers(0, 9))), min_size=1, max_size=40
)
faults = st.lists(
    st.one_of(
        st.sets(st.integers(0, 6)).map(lambda indexes: leave(*indexes)),
        st.sampled_from([lose_answer, refuse("ThrottlingException"), refuse("AccessDeniedException")]),
        st.integers(0, 6).map(lambda key: _throttle_key(f"k{key}")),
    ),
    max_size=15,
)


class Shard:
    """Delivers a shard's records to a replicator as Lambda might, and holds the destination to it."""

    def __init__(self, scene: Scene, changes: Sequence[tuple[int, int | None]]) -> None:
        self.scene = scene
        self.records = [
            record(index, f"k{key}", None if number is None else {"N": str(number)})
            for index, (key, number) in enumerate(changes)
        ]
        self.deliveries: list[tuple[int, int]] = []
        self.positions = [0]
        """All that were ever acknowledged; the newest is the largest."""

    def deliver(self, start: int, end: int) -> int:
        """How far the records from ``start`` to ``end`` are acknowledged."""
        batch = self.records[start:end]
        self.deliveries.append((start, end))
        try:
            failed = self.scene.apply(batch)
        except ClientError:
            failed = batch[0]["dynamodb"]["SequenceNumber"]
        numbers = [each["dynamodb"]["SequenceNumber"] for each in batch]
        position = start + (len(batch) if failed is None else numbers.index(failed))
        self.positions.append(position)
        self.check()
        return position

    def check(self) -> None:
        """No key is older than the newest acknowledged record left it, and all of those are marked."""
        newest = max(self.positions)
        _assert_not_behind(self.scene, self.records, newest)
        _assert_marked_to(self.scene, newest)

    def finish(self) -> None:
        """Deliver what is left; the destination is what the records say."""
        self.scene.destination.faults = []
        position = max(self.positions)
        while position < len(self.records):
            position = self.deliver(position, len(self.records))
        expected: dict[str, Json] = {}
        for each in self.records:
            expected[each["dynamodb"]["Keys"]["pk"]["S"]] = each["dynamodb"].get("NewImage")
        assert {item["pk"]["S"]: item for item in self.scene.destination.items.values()} == {
            key: image
            for key, image in expected.items()
            if image is not None and token(key) not in self.scene.destination.refuses
        }


# A journal an example: to make a failing one smaller would take minutes.
PHASES = [Phases.explicit, Phases.reuse, Phases.generate]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], phases=PHASES)
@given(
    history,
    faults,
    st.sets(st.integers(0, 6), max_size=2),
    st.lists(st.integers(1, 12), min_size=1),
    st.sampled_from([1, 16]),
    st.randoms(use_true_random=False),
)
def test_whatever_fails_nothing_unapplied_is_acknowledged_and_redelivery_converges(
    changes: list[tuple[int, int | None]],
    given_faults: list[Fault],
    refused: set[int],
    sizes: list[int],
    writers: int,
    chance: random.Random,
) -> None:
    scene = Scene(new_store(), FakeDestination(faults=given_faults), writers)
    scene.destination.refuses = {token(f"k{key}") for key in refused}
    shard = Shard(scene, changes)
    position = 0
    while position < len(changes):
        acknowledged = shard.deliver(position, position + sizes[len(shard.deliveries) % len(sizes)])
        # Lambda may not hear of it and deliver the same again.
        if chance.random() < 0.8:
            position = acknowledged
    shard.finish()
    changed = {key for key, _ in changes}
    letters = {letter.token for letter in scene.letters.read_all()}
    assert letters == {token(f"k{key}") for key in refused & changed}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], phases=PHASES)
@given(
    history,
    faults,
    st.lists(
        st.tuples(
            st.sampled_from(["on", "on", "on", "back", "late"]), st.integers(0, 99), st.integers(1, 15)
        ),
        min_size=5,
        max_size=30,
    ),
)
def test_redelivered_in_other_portions_the_destination_never_goes_back(
    changes: list[tuple[int, int | None]],
    given_faults: list[Fault],
    steps: list[tuple[str, int, int]],
) -> None:
    """Lambda goes on, falls back to any position it once had, or comes late with what it delivered before."""
    shard = Shard(Scene(new_store(), FakeDestination(faults=given_faults)), changes)
    position = 0
    for kind, which, size in steps:
        if kind == "late":
            if shard.deliveries:
                shard.deliver(*shard.deliveries[which % len(shard.deliveries)])
            continue
        if kind == "back":
            position = shard.positions[which % len(shard.positions)]
        if position < len(changes):
            position = shard.deliver(position, min(position + size, len(changes)))
    shard.finish()


@pytest.mark.parametrize(
    "portions",
    [
        [(0, 10), (10, 20)],
        [(0, 5), (5, 10), (10, 20)],
        [(0, 12), (12, 20)],
        [(0, 5), (5, 12), (12, 20)],
        [(0, 5), (5, 8), (8, 10), (10, 20)],
        [(0, 1), (1, 9), (1, 4), (4, 20)],
        [(0, 20)],
    ],
    ids=str,
)
def test_two_applied_batches_come_again_in_portions(scene: Scene, portions: list[tuple[int, int]]) -> None:
    # "hot" changes in both batches: in whatever portions the first comes again, its image is old.
    shard = Shard(scene, [(9 if index in {8, 15} else 100 + index, index) for index in range(20)])
    assert (shard.deliver(0, 10), shard.deliver(10, 20)) == (10, 20)
    calls = len(scene.destination.calls)
    for start, end in portions:
        while start < end:
            start = shard.deliver(start, end)
    assert len(scene.destination.calls) == calls
    assert sum(mark.records for mark in scene.marked()) == 20


def token(key: str) -> str:
    return key_token({"pk": {"S": key}})


def _assert_not_behind(scene: Scene, stream: Sequence[Json], acknowledged: int) -> None:
    """Each key is as its last acknowledged record, or a later one, left it, or is a letter."""
    items = {item["pk"]["S"]: item for item in scene.destination.items.values()}
    letters = {letter.token for letter in scene.letters.read_all()}
    for key in {each["dynamodb"]["Keys"]["pk"]["S"] for each in stream[:acknowledged]}:
        if token(key) in letters:
            continue
        images = [
            (index, each["dynamodb"].get("NewImage"))
            for index, each in enumerate(stream)
            if each["dynamodb"]["Keys"]["pk"]["S"] == key
        ]
        last = max(index for index, _ in images if index < acknowledged)
        assert items.get(key) in [image for index, image in images if index >= last]


def _assert_marked_to(scene: Scene, acknowledged: int) -> None:
    if acknowledged:
        number = int(sequence_number(acknowledged - 1))
        assert any(int(mark.first[:40]) <= number <= int(mark.last) for mark in scene.marked())


def _throttle_key(key: str) -> Fault:
    """Everything but ``key`` is written, and that comes back as unprocessed."""

    def answer(requests: Sequence[Json]) -> Answer:
        keys = [
            (request.get("DeleteRequest") or {}).get("Key") or request["PutRequest"]["Item"]
            for request in requests
        ]
        return leave(*[index for index, each in enumerate(keys) if each["pk"] == {"S": key}])(requests)

    return answer


class TestAges:
    """Some records are acknowledged by their age alone, and some are no batch together."""

    def test_records_from_before_the_copy_are_acknowledged_unwritten(self, scene: Scene) -> None:
        scene.enter(Phase.DRAINING, covered_to=NOON - 30)
        old = [record(index, f"k{index}", {"N": "1"}, NOON - 31) for index in range(3)]
        assert scene.apply(old) is None
        assert scene.destination.items == {}
        assert scene.marks.find([name_of(sequence_number(index)) for index in range(3)]) == {}

    def test_what_follows_them_is_delivered_again_without_them(self, scene: Scene) -> None:
        scene.enter(Phase.DRAINING, covered_to=NOON - 30)
        batch = [
            record(0, "k", {"N": "1"}, NOON - 31),
            record(1, "k", {"N": "2"}, NOON - 30),
            # Out of order by a second: it came after one that is applied.
            record(2, "l", {"N": "3"}, NOON - 31),
        ]
        assert scene.apply(batch) == sequence_number(1)
        assert scene.destination.items == {}
        assert scene.apply(batch[1:]) is None
        assert sorted(scene.destination.items) == [key_token({"pk": {"S": key}}) for key in "kl"]

    def test_one_that_was_applied_after_a_later_one_does_not_divide_its_batch(self, scene: Scene) -> None:
        scene.enter(Phase.DRAINING, covered_to=NOON - 30)
        batch = [
            record(0, "k", {"N": "1"}, NOON - 30),
            record(1, "l", {"N": "1"}, NOON - 31),
            record(2, "m", {"N": "1"}, NOON - 30),
        ]
        scene.apply(batch)
        scene.apply([record(3, "m", {"N": "2"}, NOON - 30)])
        # It comes again in portions, the second of which begins with the record from before the copy.
        assert scene.apply(batch[:1]) is None
        assert scene.apply(batch[1:]) is None
        assert value(scene, "m") == {"N": "2"}

    def test_a_batch_spans_half_an_hour_at_most(self, scene: Scene) -> None:
        batch = [record(index, f"k{index}", {"N": "1"}, NOON - 1900 + 100 * index) for index in range(20)]
        assert scene.apply(batch) == sequence_number(18)
        assert len(scene.destination.items) == 18
        assert scene.apply(batch[18:]) is None
        assert len(scene.destination.items) == 20

    def test_a_record_that_expires_within_the_hour_is_not_applied(self, scene: Scene) -> None:
        now = scene.clock.now()
        batch = [
            record(0, "k", {"N": "1"}, now - 23 * 3600 - 1),
            record(1, "k", {"N": "2"}, now - 23 * 3600 - 1),
            record(2, "k", {"N": "3"}, now - 23 * 3600 + 1),
        ]
        assert scene.apply(batch) == sequence_number(2)
        assert scene.destination.items == {}
        assert scene.apply(batch[2:]) is None
        assert len(scene.destination.items) == 1

    def test_no_delivery_begins_inside_an_applied_batch_because_of_its_age(self, scene: Scene) -> None:
        old = NOON - 23 * 3600
        batch = [record(index, "k", {"N": str(index)}, old + 10 * index) for index in range(4)]
        scene.clock.time = NOON - 60
        assert scene.apply(batch[2:]) is None
        assert scene.apply([record(9, "k", {"N": "9"}, NOON - 60)]) is None
        # Lambda begins again where the stream begins now.
        scene.clock.time = NOON + 25
        assert scene.apply(batch) == sequence_number(2)
        assert scene.apply(batch[2:]) is None
        [item] = scene.destination.items.values()
        assert item["v"] == {"N": "9"}
