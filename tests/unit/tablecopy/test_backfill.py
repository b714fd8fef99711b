"""The backfill worker: a checkpoint never passes an unacknowledged write, and a death loses nothing."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from tablecopy.backfill import Next, Worker
from tablecopy.journal.leases import BACKFILL, GRACE_SECONDS, Leases, UnsettledWrite
from tablecopy.journal.run import Phase, Run, RunRecord
from tablecopy.journal.segments import Segment, Segments
from tablecopy.journal.store import Store
from tablecopy.wire import Json
from tablecopy.writer import WRITE_MARGIN_SECONDS, BatchWriter, Refused
from tests.unit.tablecopy.conftest import new_store
from tests.unit.tablecopy.fakes import (
    NOON,
    Answer,
    FakeClock,
    FakeDestination,
    FakeSource,
    Fault,
    leave,
    lose_answer,
    refuse,
)

TIMEOUT = 300.0
SLICE = 3600.0
RUN = Run("run", "arn", 1, NOON, Phase.SLICE, NOON, key_names=("pk",), slice=2, slice_ends=NOON + SLICE)


class Killed(BaseException):
    """Lambda ends the function: no code of ours runs any more."""


class Scene:
    """A worker on a journal of its own, between a source and a destination in memory."""

    def __init__(self, store: Store, items: Sequence[Json], run: Run = RUN, page_size: int = 3) -> None:
        self.clock = FakeClock()
        self.source = FakeSource(items, page_size)
        self.destination = FakeDestination()
        self.run = RunRecord(store)
        self.run.create(run)
        self.leases = Leases(store, self.clock)
        self.segments = Segments(store)
        self.invocations = 0

    def writer(self, key_names: Sequence[str], until: float) -> BatchWriter:
        return BatchWriter(self.destination, "copy", key_names, self.clock, until, random.Random(1))

    def copy(self, segment: int = 0, slice_: int = 2, timeout: float = TIMEOUT) -> Next:
        """One invocation."""
        self.invocations += 1
        worker = Worker(self.run, self.leases, self.segments, self.source, "source", self.writer, self.clock)
        return worker.copy(segment, slice_, f"r{self.invocations}", self.clock.now() + timeout)

    def enter(self, phase: Phase, **changes: Any) -> None:
        run = self.run.read()
        assert run is not None
        assert self.run.save(replace(run, phase=phase, **changes))

    def copied(self) -> list[Json]:
        return sorted(self.destination.items.values(), key=lambda item: str(item["pk"]["S"]))


def items(count: int) -> list[Json]:
    return [
        {"pk": {"S": f"é{index:04d}"}, "b": {"B": "AAH/"}, "m": {"M": {"n": {"N": "1.50"}, "e": {"S": ""}}}}
        for index in range(count)
    ]


def takes(clock: FakeClock, seconds: float) -> Any:
    def tick() -> None:
        clock.time += seconds

    return tick


class TestCopying:
    @pytest.mark.parametrize("count", [0, 1, 3, 7, 9])
    def test_a_segment_is_copied_to_its_end(self, store: Store, count: int) -> None:
        scene = Scene(store, items(count))
        assert scene.copy() is Next.DONE
        assert scene.copied() == items(count)
        segment = scene.segments.read(0)
        assert segment.done
        assert segment.items == count
        assert scene.leases.alive(BACKFILL) == []

    def test_pages_larger_than_a_batch(self, store: Store) -> None:
        scene = Scene(store, items(110), page_size=60)
        assert scene.copy() is Next.DONE
        assert scene.copied() == items(110)
        assert [len(call) for call in scene.destination.calls] == [25, 25, 10, 25, 25]

    def test_segments_share_the_table(self, store: Store) -> None:
        scene = Scene(store, items(20), replace(RUN, total_segments=3))
        assert [scene.copy(segment) for segment in range(3)] == [Next.DONE] * 3
        assert scene.copied() == items(20)
        assert {(scan["Segment"], scan["TotalSegments"]) for scan in scene.source.scans} == {
            (0, 3),
            (1, 3),
            (2, 3),
        }

    def test_a_segment_that_is_done_is_not_read_again(self, store: Store) -> None:
        scene = Scene(store, items(3))
        scene.copy()
        scene.source.scans.clear()
        assert scene.copy() is Next.DONE
        assert scene.source.scans == []

    def test_a_page_is_written_before_the_next_one_is_read(self, store: Store) -> None:
        scene = Scene(store, items(9))
        scene.destination.on_call = lambda: order.append(len(scene.source.scans))
        order: list[int] = []
        scene.copy()
        assert order == [1, 2, 3]


class TestFencing:
    @pytest.mark.parametrize("phase", sorted(set(Phase) - {Phase.SLICE}))
    def test_nothing_is_read_or_written_in_another_phase(self, store: Store, phase: Phase) -> None:
        scene = Scene(store, items(3))
        scene.enter(phase)
        assert scene.copy() is Next.STOP
        assert scene.source.scans == []
        assert scene.destination.calls == []
        assert scene.leases.alive(BACKFILL) == []

    @pytest.mark.parametrize("slice_", [1, 3])
    def test_nor_in_another_slice(self, store: Store, slice_: int) -> None:
        scene = Scene(store, items(3))
        assert scene.copy(slice_=slice_) is Next.STOP
        assert scene.destination.calls == []

    def test_nor_without_a_run(self, store: Store) -> None:
        scene = Scene(store, items(3))
        store.delete("run", "state")
        assert scene.copy() is Next.STOP

    def test_a_segment_that_another_may_still_write_waits(self, store: Store) -> None:
        scene = Scene(store, items(3))
        with scene.leases.hold(BACKFILL, "0000000", "other", NOON + TIMEOUT):
            assert scene.copy() is Next.WAIT
        assert scene.destination.calls == []
        assert scene.copy() is Next.DONE

    def test_the_lease_is_there_before_the_phase_is_read_and_until_all_is_written(self, store: Store) -> None:
        scene = Scene(store, items(3))
        seen: list[list[str]] = []

        class Reading(RunRecord):
            def read(self) -> Run | None:
                seen.append(scene.leases.alive(BACKFILL))
                return RUN

        scene.run = Reading(store)
        scene.destination.on_call = lambda: seen.append(scene.leases.alive(BACKFILL))
        scene.copy()
        assert seen == [["backfill#0000000"]] * 2
        assert scene.leases.alive(BACKFILL) == []

    def test_a_write_that_may_land_after_the_end_keeps_its_lease(self, store: Store) -> None:
        scene = Scene(store, items(3))

        def hang(requests: Sequence[Json]) -> Answer:
            scene.clock.time += TIMEOUT - 5
            return lose_answer(requests)

        scene.destination.faults = [hang]
        with pytest.raises(UnsettledWrite):
            scene.copy()
        assert scene.leases.alive(BACKFILL) == ["backfill#0000000"]
        assert scene.copy() is Next.WAIT


class TestTime:
    def test_it_hands_over_before_the_function_ends(self, store: Store) -> None:
        scene = Scene(store, items(30))
        scene.destination.on_call = takes(scene.clock, 60)
        assert scene.copy() is Next.CONTINUE
        # Five calls of a minute each would be all of the function's time; the last starts before its margin.
        assert [len(call) for call in scene.destination.calls] == [3] * 5
        assert scene.segments.read(0).checkpoint == {"pk": {"S": "é0014"}}
        assert scene.copy() is Next.DONE
        assert scene.copied() == items(30)
        assert scene.segments.read(0).items == 30

    def test_nothing_is_sent_within_the_margin(self, store: Store) -> None:
        scene = Scene(store, items(3))
        assert scene.copy(timeout=WRITE_MARGIN_SECONDS) is Next.CONTINUE
        assert scene.destination.calls == []

    def test_nothing_is_sent_after_the_slice(self, store: Store) -> None:
        scene = Scene(store, items(9))
        scene.clock.time = NOON + SLICE - 1
        scene.destination.on_call = takes(scene.clock, 1)
        assert scene.copy() is Next.STOP
        assert len(scene.destination.calls) == 1
        assert scene.segments.read(0) == replace(
            Segment(0),
            checkpoint={"pk": {"S": "é0002"}},
            items=3,
            wire_bytes=scene.segments.read(0).wire_bytes,
        )

    def test_a_page_too_large_for_an_invocation_is_done_in_pieces(self, store: Store) -> None:
        scene = Scene(store, items(60), page_size=60)
        scene.destination.on_call = takes(scene.clock, TIMEOUT - 20)
        assert scene.copy() is Next.CONTINUE
        assert scene.segments.read(0).checkpoint == {"pk": {"S": "é0049"}}
        assert scene.copy() is Next.DONE
        assert scene.copied() == items(60)
        assert scene.segments.read(0).items == 60


class TestErrors:
    def test_a_refused_item_is_an_error_and_is_not_passed(self, store: Store) -> None:
        scene = Scene(store, items(9))

        def refuse_one(requests: Sequence[Json]) -> Answer:
            if {"PutRequest": {"Item": items(9)[4]}} in requests:
                return refuse("ValidationException")(requests)
            return Answer(requests)

        scene.destination.faults = [refuse_one] * 100
        with pytest.raises(Refused):
            scene.copy()
        segment = scene.segments.read(0)
        assert segment.checkpoint == {"pk": {"S": "é0002"}}
        assert not segment.done
        assert scene.leases.alive(BACKFILL) == []

    def test_a_destination_that_denies_is_an_error(self, store: Store) -> None:
        scene = Scene(store, items(3))
        scene.destination.faults = [refuse("AccessDeniedException")]
        with pytest.raises(ClientError):
            scene.copy()
        assert scene.segments.read(0) == Segment(0)


faults = st.lists(
    st.one_of(
        st.sets(st.integers(0, 24)).map(lambda indexes: leave(*indexes)),
        st.sampled_from([lose_answer, refuse("ThrottlingException"), refuse("AccessDeniedException")]),
    ),
    max_size=10,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    count=st.integers(0, 80),
    page_size=st.integers(1, 40),
    segments=st.integers(1, 3),
    deaths=st.lists(st.tuples(st.integers(0, 6), st.booleans()), max_size=4),
    given_faults=faults,
    seconds=st.sampled_from([0.0, 1.0, 100.0]),
)
def test_killed_after_any_number_of_writes_it_resumes_and_ends_equal(
    count: int,
    page_size: int,
    segments: int,
    deaths: list[tuple[int, bool]],
    given_faults: list[Fault],
    seconds: float,
) -> None:
    with mock_aws():
        run = replace(RUN, total_segments=segments, slice_ends=NOON + 1e9)
        scene = Scene(new_store(), items(count), run, page_size)
        scene.destination.faults = list(given_faults)
        for segment in range(segments):
            while True:
                countdown = [*deaths.pop(0)] if deaths else None
                scene.destination.on_call = _dying(scene, countdown, seconds)
                try:
                    following = scene.copy(segment)
                except Killed:
                    # Its lease stays behind, and holds up the next one until it has ended.
                    _leave_lease_behind(scene, segment)
                    assert scene.copy(segment) is Next.WAIT
                    scene.clock.time += TIMEOUT + GRACE_SECONDS + 1
                    continue
                except (ClientError, UnsettledWrite):
                    scene.clock.time += TIMEOUT + GRACE_SECONDS + 1
                    continue
                finally:
                    _assert_checkpoint_passes_nothing(scene, segment, segments)
                if following is Next.DONE:
                    break
                assert following in {Next.CONTINUE, Next.WAIT}
        assert scene.copied() == items(count)


def _dying(scene: Scene, countdown: list[Any] | None, seconds: float) -> Any:
    """Kills the worker at one of its writes: before the write takes effect, or after."""

    def tick() -> None:
        scene.clock.time += seconds
        if countdown is None:
            return
        if countdown[0] == 0:
            if countdown[1]:
                for request in scene.destination.calls[-1]:
                    scene.destination.apply(request)
            raise Killed
        countdown[0] -= 1

    return tick


def _leave_lease_behind(scene: Scene, segment: int) -> None:
    # Killed is an exception here, so that the worker's clean-up ran after all: undo it.
    with (
        pytest.raises(UnsettledWrite),
        scene.leases.hold(BACKFILL, f"{segment:07d}", f"r{scene.invocations}", scene.clock.now() + TIMEOUT),
    ):
        raise UnsettledWrite


def _assert_checkpoint_passes_nothing(scene: Scene, number: int, total: int) -> None:
    segment = scene.segments.read(number)
    mine = [item for index, item in enumerate(scene.source.items) if index % total == number]
    if segment.done:
        passed = mine
    elif segment.checkpoint is None:
        passed = []
    else:
        passed = mine[: [{"pk": item["pk"]} for item in mine].index(segment.checkpoint) + 1]
    written = list(scene.destination.items.values())
    assert all(item in written for item in passed)
