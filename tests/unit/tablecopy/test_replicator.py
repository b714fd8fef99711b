"""The replicator: nothing unapplied is acknowledged, and redelivery converges."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import Phase as Phases
from hypothesis import strategies as st
from moto import mock_aws

from tablecopy.journal.leases import REPLICATOR, Leases, LeaseTaken, UnsettledWrite
from tablecopy.journal.marks import Mark, Marks
from tablecopy.journal.run import Phase, Run, RunRecord
from tablecopy.journal.store import Store
from tablecopy.replicator import NotReplicating, Replicator
from tablecopy.wire import Json
from tablecopy.writer import SETTLE_SECONDS, BatchWriter
from tests.unit.tablecopy.conftest import new_store
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
    record,
    refuse,
    sequence_number,
)

TIMEOUT = 60.0
RUN = Run("run", STREAM_ARN, 1, NOON, Phase.DRAINING, NOON, key_names=("pk",))


class Scene:
    """A replicator on a journal of its own, with a destination in memory."""

    def __init__(self, store: Store, destination: FakeDestination | None = None) -> None:
        self.clock = FakeClock()
        self.destination = destination or FakeDestination()
        self.run = RunRecord(store)
        self.leases = Leases(store, self.clock)
        self.marks = Marks(store, self.clock)
        self.replicator = Replicator(self.run, self.leases, self.marks, self.writer)
        self.run.create(RUN)
        self.invocations = 0

    def writer(self, key_names: Sequence[str], until: float) -> BatchWriter:
        return BatchWriter(self.destination, "copy", key_names, self.clock, until, random.Random(1))

    def enter(self, phase: Phase, **changes: Any) -> None:
        run = self.run.read()
        assert run is not None
        assert self.run.save(replace(run, phase=phase, **changes))

    def apply(self, records: Sequence[Json]) -> str | None:
        """One invocation; the sequence number it reports as failed."""
        self.invocations += 1
        answer = self.replicator.apply(records, f"r{self.invocations}", self.clock.now() + TIMEOUT)
        failures = answer["batchItemFailures"]
        assert len(failures) <= 1
        return failures[0]["itemIdentifier"] if failures else None

    def marked(self) -> list[Mark]:
        return list(self.marks.between("0", "9" * 40).values())


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
            Mark(sequence_number(0), sequence_number(31), records=32, puts=29, deletes=1)
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
            record(1, "bad", {"N": "1"}),
            record(2, "a", {"N": "2"}),
            record(3, "bad", {"N": "3"}),
            record(4, "c", None),
        ]
        scene.destination.faults = [_refuse_key("bad")] * 4
        assert scene.apply(batch) == sequence_number(1)
        assert scene.marked() == [Mark(sequence_number(0), sequence_number(0), records=1, puts=1, deletes=0)]

    def test_nothing_is_marked_when_the_first_record_fails(self, scene: Scene) -> None:
        scene.destination.faults = [_refuse_key("k0")] * 4
        assert scene.apply(records(3)) == sequence_number(0)
        assert scene.marked() == []

    def test_what_follows_a_refused_batch_is_still_tried(self, scene: Scene) -> None:
        scene.destination.faults = [_refuse_key("k0")] * 40
        scene.apply(records(60))
        assert len(scene.destination.items) == 59

    def test_what_the_deadline_left_over_is_delivered_again(self, scene: Scene) -> None:
        def throttle_from_the_second_batch_on(requests: Sequence[Json]) -> Answer:
            if len(scene.destination.calls) == 1:
                return Answer(requests)
            return Answer([], error=client_error("ThrottlingException"))

        scene.destination.faults = [throttle_from_the_second_batch_on] * 1000
        batch = records(60)
        assert scene.apply(batch) == sequence_number(25)
        assert scene.clock.now() <= NOON + TIMEOUT - 15
        scene.destination.faults = []
        assert scene.apply(batch[25:]) is None
        assert len(scene.destination.items) == 60

    def test_a_destination_that_denies_fails_the_batch(self, scene: Scene) -> None:
        scene.destination.faults = [refuse("AccessDeniedException")]
        with pytest.raises(ClientError):
            scene.apply(records(3))
        assert scene.marked() == []
        assert scene.leases.alive(REPLICATOR) == []


class TestFencing:
    @pytest.mark.parametrize("phase", sorted(set(Phase) - {Phase.DRAINING, Phase.READY}))
    def test_nothing_is_written_in_another_phase(self, scene: Scene, phase: Phase) -> None:
        scene.enter(phase)
        with pytest.raises(NotReplicating, match=phase):
            scene.apply(records(3))
        assert scene.destination.calls == []
        assert scene.marked() == []
        assert scene.leases.alive(REPLICATOR) == []

    def test_nothing_is_written_before_there_is_a_run(self, store: Store) -> None:
        scene = Scene(store)
        store.delete("run", "state")
        with pytest.raises(NotReplicating):
            scene.apply(records(3))
        assert scene.destination.calls == []

    def test_records_of_another_stream_are_refused(self, scene: Scene) -> None:
        batch = [{**each, "eventSourceARN": STREAM_ARN + "2"} for each in records(3)]
        with pytest.raises(NotReplicating):
            scene.apply(batch)
        assert scene.destination.calls == []

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
        Replicator(Reading(None), scene.leases, scene.marks, scene.writer).apply(  # type: ignore[arg-type]
            records(3), "r", NOON + TIMEOUT
        )
        assert seen == [[f"replicator#{sequence_number(0)}"]] * 2
        assert scene.leases.alive(REPLICATOR) == []

    def test_a_batch_that_another_invocation_may_still_write_is_refused(self, scene: Scene) -> None:
        with scene.leases.hold(REPLICATOR, sequence_number(0), "other", NOON + TIMEOUT):
            with pytest.raises(LeaseTaken):
                scene.apply(records(3))
            assert scene.destination.calls == []
            assert len(scene.leases.alive(REPLICATOR)) == 1

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
        with pytest.raises(UnsettledWrite):
            scene.apply(records(3))
        assert scene.leases.alive(REPLICATOR) == [f"replicator#{sequence_number(0)}"]
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
        st.integers(0, 6).map(lambda key: _refuse_key(f"k{key}")),
    ),
    max_size=15,
)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    # A journal an example: to make a failing one smaller would take minutes.
    phases=[Phases.explicit, Phases.reuse, Phases.generate],
)
@given(history, faults, st.lists(st.integers(1, 12), min_size=1), st.randoms(use_true_random=False))
def test_whatever_fails_nothing_unapplied_is_acknowledged_and_redelivery_converges(
    changes: list[tuple[int, int | None]],
    given_faults: list[Fault],
    sizes: list[int],
    chance: random.Random,
) -> None:
    stream = [
        record(index, f"k{key}", None if number is None else {"N": str(number)})
        for index, (key, number) in enumerate(changes)
    ]
    with mock_aws():
        scene = Scene(new_store(), FakeDestination(faults=given_faults))
        position = deliveries = 0
        while position < len(stream):
            batch = stream[position : position + sizes[deliveries % len(sizes)]]
            deliveries += 1
            try:
                failed = scene.apply(batch)
            except ClientError:
                continue
            acknowledged = len(batch)
            if failed is not None:
                acknowledged = [each["dynamodb"]["SequenceNumber"] for each in batch].index(failed)
            _assert_not_behind(scene.destination, stream, position + acknowledged)
            _assert_marked_to(scene, position + acknowledged)
            # Lambda may not hear of it and deliver the same again.
            if chance.random() < 0.8:
                position += acknowledged
        expected: dict[str, Json] = {}
        for each in stream:
            expected[each["dynamodb"]["Keys"]["pk"]["S"]] = each["dynamodb"].get("NewImage")
        assert {item["pk"]["S"]: item for item in scene.destination.items.values()} == {
            key: image for key, image in expected.items() if image is not None
        }


def _assert_not_behind(destination: FakeDestination, stream: Sequence[Json], acknowledged: int) -> None:
    """Each key is as its last acknowledged record, or a later one, left it."""
    items = {item["pk"]["S"]: item for item in destination.items.values()}
    for key in {each["dynamodb"]["Keys"]["pk"]["S"] for each in stream[:acknowledged]}:
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
        assert any(int(mark.first) <= number <= int(mark.last) for mark in scene.marked())


def _refuse_key(key: str) -> Fault:
    def answer(requests: Sequence[Json]) -> Answer:
        keys = [
            (request.get("DeleteRequest") or {}).get("Key") or request["PutRequest"]["Item"]
            for request in requests
        ]
        if {"S": key} in [each["pk"] for each in keys]:
            return Answer([], error=client_error("ValidationException"))
        return Answer(requests)

    return answer
