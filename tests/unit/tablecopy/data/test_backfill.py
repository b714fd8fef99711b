"""The backfill worker: a checkpoint never passes an unacknowledged write, and a death loses nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import Phase as Phases
from hypothesis import strategies as st

from tablecopy.data.backfill import Worker
from tablecopy.data.slices import SliceGuard, SliceId, WorkerResult
from tablecopy.data.writer import WRITE_MARGIN_SECONDS, BatchWriter
from tablecopy.dynamodb.client import Json, encode
from tablecopy.dynamodb.requests import key_token
from tablecopy.journal.dead_letters import DeadLetters, Origin
from tablecopy.journal.leases import BACKFILL, GRACE_SECONDS, Leases, UnsettledWrite
from tablecopy.journal.run import Phase, Run, RunRecord
from tablecopy.journal.segments import Segment, Segments
from tablecopy.journal.store import Store
from tablecopy.metrics.log import MetricsBuffer
from tablecopy.throughput.limits import WorkerLimits, write_usage
from tablecopy.throughput.rate import Unlimited
from tests.unit.tablecopy.fakes import (
    NOON,
    Answer,
    FakeClock,
    FakeDestination,
    FakeSource,
    Fault,
    client_error,
    leave,
    lose_answer,
    refuse,
)
from tests.unit.tablecopy.journal_table import new_store

TIMEOUT = 300.0
SLICE = 3600.0
RUN = Run("run", "arn", 1, NOON, Phase.SLICE, NOON, key_names=("pk",), slice=2, slice_ends=NOON + SLICE)

# All that a worker without dead letters has in the journal.
_PARTITIONS = ("run", "lease", "segment", "segment#run")


class Killed(BaseException):
    """Lambda ends the function: no code of ours runs any more."""


class Scene:
    """A worker on a journal of its own, between a source and a destination in memory.

    One call at a time, so that their order is known, where ``writers`` does not say otherwise.
    """

    def __init__(
        self,
        store: Store,
        items: Sequence[Json],
        run: Run = RUN,
        page_size: int = 3,
        writers: int = 1,
    ) -> None:
        self.clock = FakeClock()
        self.metrics = MetricsBuffer(self.clock, "move")
        self.source = FakeSource(items, page_size)
        self.destination = FakeDestination()
        self.store = store
        self.run = RunRecord(store)
        self.run.create(run)
        self.leases = Leases(store, self.clock)
        self.letters = DeadLetters(store, self.clock)
        self.segments = Segments(store)
        self.limits = WorkerLimits(self.clock, 1e6, 1e6)
        self.writers = writers
        self.writer_class = BatchWriter
        self.invocations = 0

    def writer(self, key_names: Sequence[str], until: float) -> BatchWriter:
        return self.writer_class(
            self.destination,
            "copy",
            key_names,
            Unlimited(self.clock),
            write_usage(self.metrics, "copy"),
            self.clock,
            until,
        )

    def copy(self, segment: int = 0, slice_number: int = 2, timeout: float = TIMEOUT) -> WorkerResult:
        """One invocation."""
        self.invocations += 1
        slice_id = SliceId("run", slice_number)
        return self.worker().copy(segment, slice_id, f"r{self.invocations}", self.clock.now() + timeout)

    def worker(self) -> Worker:
        guard = SliceGuard(self.run, self.leases, self.limits, self.writer, self.clock)
        return Worker(
            guard,
            self.segments,
            self.letters,
            self.source,
            "source",
            self.metrics,
            self.clock,
            self.writers,
        )

    def enter(self, phase: Phase, **changes: Any) -> None:
        run = self.run.read()
        assert run is not None
        assert self.run.save(replace(run, phase=phase, **changes))

    def replace_journal(self, run: Run | None) -> None:
        for item in [each for pk in _PARTITIONS for each in self.store.query(pk)]:
            self.store.delete(item["pk"]["S"], item["sk"]["S"])
        if run is not None:
            assert self.run.create(run)

    def copied(self) -> list[Json]:
        return sorted(self.destination.items.values(), key=lambda item: str(item["pk"]["S"]))


def items(count: int) -> list[Json]:
    return [
        {"pk": {"S": f"é{index:04d}"}, "b": {"B": "AAH/"}, "m": {"M": {"n": {"N": "1.50"}, "e": {"S": ""}}}}
        for index in range(count)
    ]


def takes(clock: FakeClock, seconds: float) -> Any:
    def tick() -> None:
        clock.tick(seconds)

    return tick


class TestCopying:
    @pytest.mark.parametrize("count", [0, 1, 3, 7, 9])
    def test_a_segment_is_copied_to_its_end(self, store: Store, count: int) -> None:
        scene = Scene(store, items(count))
        assert scene.copy() is WorkerResult.DONE
        assert scene.copied() == items(count)
        segment = scene.segments.read(0)
        assert segment.done
        assert segment.items == count
        assert scene.leases.alive(BACKFILL) == []

    def test_pages_larger_than_a_batch(self, store: Store) -> None:
        scene = Scene(store, items(110), page_size=60)
        assert scene.copy() is WorkerResult.DONE
        assert scene.copied() == items(110)
        assert [len(call) for call in scene.destination.calls] == [20, 20, 20, 25, 25]

    def test_segments_share_the_table(self, store: Store) -> None:
        scene = Scene(store, items(20), replace(RUN, total_segments=3))
        assert [scene.copy(segment) for segment in range(3)] == [WorkerResult.DONE] * 3
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
        assert scene.copy() is WorkerResult.DONE
        assert scene.source.scans == []

    def test_the_next_page_is_read_while_one_is_written(self, store: Store) -> None:
        scene = Scene(store, items(9))
        second_is_read = threading.Event()

        def on_scan() -> None:
            if len(scene.source.scans) == 2:
                second_is_read.set()

        scene.source.on_scan = on_scan
        # Does not return before the second page is being read.
        scene.destination.on_call = lambda: overlapped.append(second_is_read.wait(10))
        overlapped: list[bool] = []
        assert scene.copy() is WorkerResult.DONE
        assert overlapped == [True] * 3

    def test_no_more_than_two_pages_are_written_at_a_time(self, store: Store) -> None:
        scene = Scene(store, items(30))
        ahead: list[int] = []

        def on_scan() -> None:
            with scene.destination.lock:
                ahead.append(len(scene.source.scans) * 3 - len(scene.destination.items))

        scene.source.on_scan = on_scan
        assert scene.copy() is WorkerResult.DONE
        # Two being written, and the one being read.
        assert max(ahead) <= 9

    def test_pages_are_what_ten_seconds_can_write(self, store: Store) -> None:
        scene = Scene(store, items(1000), page_size=1000)
        scene.segments.save(replace(Segment(0), pace=5.0))
        scene.destination.on_call = takes(scene.clock, 2)
        assert scene.copy(timeout=3000) is WorkerResult.DONE
        limits = [scan["Limit"] for scan in scene.source.scans]
        # Three are asked for before the first one is written; after that a call of 2 s has written 25.
        assert limits[:3] == [50] * 3
        assert 50 < max(limits) <= 125
        assert scene.copied() == items(1000)

    def test_a_page_is_no_larger_than_what_a_quarter_of_the_time_left_can_write(self, store: Store) -> None:
        scene = Scene(store, items(2000), page_size=2000)
        scene.segments.save(replace(Segment(0), pace=1000.0))
        scene.copy(timeout=WRITE_MARGIN_SECONDS + 2)
        assert scene.source.scans[0]["Limit"] == 500

    def test_nor_than_what_the_budget_allows(self, store: Store) -> None:
        scene = Scene(store, items(2000), page_size=2000)
        scene.segments.save(replace(Segment(0), pace=1000.0))
        scene.limits = WorkerLimits(scene.clock, 1e6, 30.0)
        scene.copy()
        assert scene.source.scans[0]["Limit"] == 300

    def test_the_first_page_is_small_and_those_after_it_are_not(self, store: Store) -> None:
        scene = Scene(store, items(5000), page_size=5000)
        scene.destination.on_call = takes(scene.clock, 0.01)
        assert scene.copy() is WorkerResult.DONE
        limits = [scan["Limit"] for scan in scene.source.scans]
        assert limits[0] == 250
        assert limits[3] > 5000

    def test_a_page_has_at_least_an_item(self, store: Store) -> None:
        scene = Scene(store, items(3), page_size=1000)
        scene.segments.save(replace(Segment(0), pace=0.001))
        assert scene.copy() is WorkerResult.DONE
        assert scene.source.scans[0]["Limit"] == 1

    def test_who_finished_no_page_leaves_smaller_ones_to_the_next(self, store: Store) -> None:
        scene = Scene(store, items(2000), page_size=2000)
        scene.segments.save(replace(Segment(0), pace=1000.0))
        scene.destination.on_call = takes(scene.clock, 5)
        limits = []
        while scene.copy() is WorkerResult.CONTINUE:
            limits.append(scene.source.scans[0]["Limit"])
            scene.source.scans.clear()
        # Calls of 5 s write 5 a second: a page of all items is not finished in time.
        assert limits[0] == 10_000
        assert 40 <= limits[1] <= 50
        assert scene.copied() == items(2000)

    def test_a_destination_that_accepts_an_item_at_a_time_gets_pages_of_one(self, store: Store) -> None:
        scene = Scene(store, items(40), page_size=40)
        accepted = 0

        def accept_one_in_ten_seconds(call: Sequence[Json]) -> Answer:
            nonlocal accepted
            if scene.clock.now() < NOON + 10 * accepted:
                return leave(*range(len(call)))(call)
            accepted += 1
            return leave(*range(1, len(call)))(call)

        scene.destination.faults = [accept_one_in_ten_seconds] * 100_000
        limits = []
        while scene.copy(timeout=60) is WorkerResult.CONTINUE:
            limits.append(scene.source.scans[0]["Limit"])
            scene.source.scans.clear()
        # The first one finds out how slow it is, and each one after it finishes pages.
        assert limits[:2] == [250, 1]
        assert len(limits) <= 12
        assert scene.copied() == items(40)


class TestFencing:
    @pytest.mark.parametrize("phase", sorted(set(Phase) - {Phase.SLICE}))
    def test_nothing_is_read_or_written_in_another_phase(self, store: Store, phase: Phase) -> None:
        scene = Scene(store, items(3))
        scene.enter(phase)
        assert scene.copy() is WorkerResult.STOP
        assert scene.source.scans == []
        assert scene.destination.calls == []
        assert scene.leases.alive(BACKFILL) == []

    @pytest.mark.parametrize("slice_number", [1, 3])
    def test_nor_in_another_slice(self, store: Store, slice_number: int) -> None:
        scene = Scene(store, items(3))
        assert scene.copy(slice_number=slice_number) is WorkerResult.STOP
        assert scene.destination.calls == []

    @pytest.mark.parametrize("progress", [{}, {"done": True}], ids=["new", "done"])
    def test_nor_for_the_run_of_a_new_journal(self, store: Store, progress: dict[str, Any]) -> None:
        scene = Scene(store, items(3), replace(RUN, run_id="another", segments_id="another"))
        scene.segments.save(Segment(0, run="another", **progress))
        # Its slice has the same number.
        assert scene.copy() is WorkerResult.STOP
        assert scene.source.scans == []
        assert scene.destination.calls == []

    def test_nor_without_a_run(self, store: Store) -> None:
        scene = Scene(store, items(3))
        store.delete("run", "state")
        assert scene.copy() is WorkerResult.STOP

    def test_a_segment_that_another_may_still_write_waits(self, store: Store) -> None:
        scene = Scene(store, items(3))
        with scene.leases.hold(BACKFILL, "0000000", "other", NOON + TIMEOUT):
            assert scene.copy() is WorkerResult.WAIT
        assert scene.destination.calls == []
        assert scene.copy() is WorkerResult.DONE

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
        assert scene.copy() is WorkerResult.WAIT

    def test_it_ends_when_another_has_saved_progress(self, store: Store) -> None:
        scene = Scene(store, items(9))
        other = Segment(0, {"pk": {"S": "é0005"}}, items=6)

        def save_once() -> None:
            scene.destination.on_call = lambda: None
            scene.segments.save(replace(other, version=1))

        scene.destination.on_call = save_once
        assert scene.copy() is WorkerResult.CONTINUE
        assert scene.segments.read(0) == replace(other, version=2)
        assert scene.copy() is WorkerResult.DONE
        assert scene.segments.read(0).items == 9


class TestNewJournal:
    """While a worker works, its journal is replaced by an empty one, in which another run may begin."""

    @pytest.mark.parametrize("begins", [True, False], ids=["run", "no-run"])
    @pytest.mark.parametrize("segments_id", ["run", ""], ids=["named", "earlier-version"])
    @pytest.mark.parametrize("before", [1, 4])
    def test_it_saves_nothing_and_ends(
        self, store: Store, before: int, segments_id: str, begins: bool
    ) -> None:
        scene = Scene(store, items(90), replace(RUN, segments_id=segments_id))
        another = replace(RUN, run_id="another", segments_id="another")

        def replace_journal() -> None:
            if len(scene.destination.calls) == before:
                scene.replace_journal(another if begins else None)

        scene.destination.on_call = replace_journal
        assert scene.copy() is WorkerResult.CONTINUE
        # What was under way when it was about to save may still be written.
        assert len(scene.destination.calls) <= before + 2
        assert scene.segments.read_all(another) == [Segment(0, run="another")]
        assert scene.segments.read(0, segments_id) == Segment(0, run=segments_id)
        written = len(scene.destination.calls)
        assert scene.copy() is WorkerResult.STOP
        assert len(scene.destination.calls) == written

    def test_it_ends_when_it_looks_at_the_run(self, store: Store) -> None:
        scene = Scene(store, items(90))

        def replace_run() -> None:
            scene.clock.tick(6)
            if len(scene.destination.calls) == 3:
                store.delete("run", "state")
                assert scene.run.create(replace(RUN, run_id="another"))

        scene.destination.on_call = replace_run
        assert scene.copy() is WorkerResult.STOP
        assert 3 <= len(scene.destination.calls) <= 5


class TestTime:
    def test_it_hands_over_before_the_function_ends(self, store: Store) -> None:
        scene = Scene(store, items(30))
        scene.destination.on_call = takes(scene.clock, 60)
        assert scene.copy() is WorkerResult.CONTINUE
        # Five calls of a minute each would be all of the function's time; the last starts before its margin.
        # Once they have shown how long they take, pages are smaller.
        assert [len(call) for call in scene.destination.calls] == [3, 3, 3, 1, 1]
        assert scene.segments.read(0).checkpoint == {"pk": {"S": "é0010"}}
        scene.destination.on_call = lambda: None
        assert scene.copy() is WorkerResult.DONE
        assert scene.copied() == items(30)
        assert scene.segments.read(0).items == 30

    def test_nothing_is_sent_within_the_margin(self, store: Store) -> None:
        scene = Scene(store, items(3))
        assert scene.copy(timeout=WRITE_MARGIN_SECONDS) is WorkerResult.CONTINUE
        assert scene.destination.calls == []
        assert scene.source.scans == []

    def test_nothing_is_sent_after_the_slice(self, store: Store) -> None:
        scene = Scene(store, items(9))
        scene.clock.time = NOON + SLICE - 1
        scene.destination.on_call = takes(scene.clock, 1)
        assert scene.copy() is WorkerResult.STOP
        assert len(scene.destination.calls) == 1
        assert scene.segments.read(0) == replace(
            Segment(0),
            checkpoint={"pk": {"S": "é0002"}},
            items=3,
            wire_bytes=scene.segments.read(0).wire_bytes,
            pace=3.0,
            version=2,
        )

    def test_a_page_that_was_not_finished_is_read_again(self, store: Store) -> None:
        scene = Scene(store, items(60), page_size=60)
        scene.destination.on_call = takes(scene.clock, TIMEOUT / 2)
        # Two of the page's three batches get written.
        assert scene.copy() is WorkerResult.CONTINUE
        assert len(scene.destination.items) == 40
        assert scene.segments.read(0) == replace(Segment(0), pace=scene.segments.read(0).pace, version=2)
        assert scene.segments.read(0).pace == pytest.approx(40 / TIMEOUT, rel=0.01)
        scene.destination.on_call = lambda: None
        scene.source.scans.clear()
        assert scene.copy() is WorkerResult.DONE
        assert scene.copied() == items(60)
        assert scene.segments.read(0).items == 60
        assert "ExclusiveStartKey" not in scene.source.scans[0]

    def test_a_page_behind_one_that_was_not_finished_is_not_noted(self, store: Store) -> None:
        # With several calls at once a later page may well be done first.
        later_page_is_written = threading.Event()

        class Slow(FakeDestination):
            def send(self, operation: str, body: bytes, credentials: object = None) -> bytes:
                if encode(items(6)[0]) in body:
                    assert later_page_is_written.wait(20)
                    raise client_error("ThrottlingException")
                answer = super().send(operation, body, credentials)
                later_page_is_written.set()
                return answer

        scene = Scene(store, items(6), writers=2)
        scene.destination = Slow()
        assert scene.copy() is WorkerResult.CONTINUE
        assert scene.copied() == items(6)[3:]
        assert scene.segments.read(0).checkpoint is None
        scene.destination = FakeDestination()
        assert scene.copy() is WorkerResult.DONE
        assert scene.copied() == items(6)


class TestErrors:
    def test_a_refused_item_becomes_a_letter_and_is_passed(self, store: Store) -> None:
        scene = Scene(store, items(9))
        refused = items(9)[4]
        scene.destination.refuses = {key_token({"pk": refused["pk"]})}
        assert scene.copy() is WorkerResult.DONE
        assert scene.copied() == [item for item in items(9) if item != refused]
        segment = scene.segments.read(0)
        assert segment.done
        assert segment.items == 9
        [letter] = scene.letters.read_all()
        assert letter.key == {"pk": refused["pk"]}
        assert (letter.origin, letter.action, letter.code) == (Origin.BACKFILL, "put", "ValidationException")
        assert (letter.sequence_number, letter.attempts) == ("", 1)
        assert json.loads(scene.letters.image(letter.token)) == refused

    def test_a_letter_is_there_before_the_checkpoint(self, store: Store) -> None:
        scene = Scene(store, items(3))
        scene.destination.refuses = {key_token({"pk": items(3)[1]["pk"]})}
        noted: list[int] = []

        class Noting(Segments):
            def save(self, segment: Segment) -> Segment:
                if not segment.version:
                    return super().save(segment)
                noted.append(scene.letters.count())
                raise Killed

        scene.segments = Noting(store)
        with pytest.raises(Killed):
            scene.copy()
        assert noted == [1]

    def test_an_item_whose_letter_cannot_be_kept_is_not_passed(self, store: Store) -> None:
        scene = Scene(store, items(3))
        scene.destination.refuses = {key_token({"pk": items(3)[1]["pk"]})}

        class Full(DeadLetters):
            def put(self, letter: Any) -> None:
                raise Killed

        scene.letters = Full(store, scene.clock)
        with pytest.raises(Killed):
            scene.copy()
        assert scene.segments.read(0) == Segment(0, version=1)

    @pytest.mark.parametrize("writers", [1, 16])
    def test_a_destination_that_denies_is_an_error(self, store: Store, writers: int) -> None:
        scene = Scene(store, items(90), page_size=90, writers=writers)
        scene.destination.faults = [refuse("AccessDeniedException")] * 100
        with pytest.raises(ClientError, match="AccessDenied"):
            scene.copy()
        assert scene.segments.read(0) == Segment(0, version=1)
        assert scene.leases.alive(BACKFILL) == []

    def test_a_source_that_denies_is_an_error(self, store: Store) -> None:
        scene = Scene(store, items(9))
        scene.source.faults = [bytes, client_error("AccessDeniedException", operation="Scan")]
        with pytest.raises(ClientError, match="AccessDenied"):
            scene.copy()
        assert scene.leases.alive(BACKFILL) == []


class TestLooking:
    """At the run, while a slice goes on."""

    @pytest.mark.parametrize("changes", [{"phase": Phase.RESUMING}, {"slice": 3}])
    def test_control_may_end_the_slice_early(self, store: Store, changes: dict[str, Any]) -> None:
        scene = Scene(store, items(60))

        def move_on() -> None:
            scene.clock.tick(6)
            if len(scene.destination.calls) == 3:
                scene.enter(**{"phase": Phase.SLICE, **changes})

        scene.destination.on_call = move_on
        assert scene.copy() is WorkerResult.STOP
        # What was under way, and what was begun before the next look, may still be written.
        assert 3 <= len(scene.destination.calls) <= 5
        assert scene.leases.alive(BACKFILL) == []
        written = len(scene.destination.calls)
        _assert_checkpoint_passes_nothing(scene, 0, 1)
        assert scene.copy() is WorkerResult.STOP
        assert len(scene.destination.calls) == written

    def test_what_is_under_way_is_given_up_when_the_slice_is_over(self, store: Store) -> None:
        ends: list[float] = []

        class Ended(BatchWriter):
            def end_by(self, moment: float) -> None:
                ends.append(moment)
                super().end_by(moment)

        scene = Scene(store, items(60))
        scene.writer_class = Ended

        def move_on() -> None:
            if len(scene.source.scans) == 3:
                scene.clock.tick(6)
                scene.enter(Phase.RESUMING)

        scene.source.on_scan = move_on
        assert scene.copy() is WorkerResult.STOP
        assert ends
        assert NOON + 6 <= ends[0] < NOON + 7
        assert len(scene.source.scans) <= 4

    def test_nothing_is_looked_at_before_it_is_due(self, store: Store) -> None:
        reads: list[float] = []

        class Counting(RunRecord):
            def read(self) -> Run | None:
                reads.append(scene.clock.now())
                return super().read()

        scene = Scene(store, items(60))
        scene.run = Counting(store)
        assert scene.copy() is WorkerResult.DONE
        assert len(reads) == 1

    def test_the_limits_follow_the_number_of_workers(self, store: Store) -> None:
        scene = Scene(store, items(60), replace(RUN, workers=4))
        scene.limits = WorkerLimits(scene.clock, 1e6, 2e6)
        rates: list[tuple[float, float]] = []

        def on_call() -> None:
            scene.clock.tick(6)
            rates.append((scene.limits.read.rate, scene.limits.write.rate))
            if len(rates) == 4:
                scene.enter(Phase.SLICE, workers=2)

        scene.destination.on_call = on_call
        assert scene.copy() is WorkerResult.DONE
        assert rates[0] == (250_000, 500_000)
        assert rates[-1] == (500_000, 1_000_000)


class TestManyCalls:
    @pytest.mark.parametrize("count", [0, 1, 99, 1234])
    def test_everything_lands(self, store: Store, count: int) -> None:
        scene = Scene(store, items(count), page_size=300, writers=16)
        assert scene.copy() is WorkerResult.DONE
        assert scene.copied() == items(count)
        assert scene.segments.read(0).items == count

    @pytest.mark.parametrize(
        "fault",
        [None, refuse("AccessDeniedException"), refuse("ValidationException"), lose_answer, leave(0)],
        ids=["none", "denied", "refused", "lost", "unprocessed"],
    )
    def test_all_its_threads_have_ended_when_it_returns(self, store: Store, fault: Fault | None) -> None:
        before = set(threading.enumerate())
        scene = Scene(store, items(300), page_size=100, writers=16)
        scene.destination.faults = [fault] * 5 if fault else []
        with suppress(ClientError):
            scene.copy()
        assert set(threading.enumerate()) <= before


faults = st.lists(
    st.one_of(
        st.sets(st.integers(0, 24)).map(lambda indexes: leave(*indexes)),
        st.sampled_from([lose_answer, refuse("ThrottlingException"), refuse("AccessDeniedException")]),
    ),
    max_size=10,
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    # A journal an example: to make a failing one smaller would take minutes.
    phases=[Phases.explicit, Phases.reuse, Phases.generate],
)
@given(
    count=st.integers(0, 80),
    page_size=st.integers(1, 40),
    segments=st.integers(1, 3),
    deaths=st.lists(st.tuples(st.integers(0, 6), st.booleans()), max_size=4),
    refused=st.sets(st.integers(0, 79), max_size=3),
    given_faults=faults,
    # A batch with three refused items among them takes some twenty calls: they must fit an invocation.
    seconds=st.sampled_from([0.0, 1.0, 5.0]),
    writers=st.sampled_from([1, 16]),
)
def test_killed_after_any_number_of_writes_it_resumes_and_ends_equal(
    count: int,
    page_size: int,
    segments: int,
    deaths: list[tuple[int, bool]],
    refused: set[int],
    given_faults: list[Fault],
    seconds: float,
    writers: int,
) -> None:
    run = replace(RUN, total_segments=segments, slice_ends=NOON + 1e9)
    scene = Scene(new_store(), items(count), run, page_size, writers)
    scene.destination.faults = list(given_faults)
    scene.destination.refuses = {
        key_token({"pk": item["pk"]}) for index, item in enumerate(items(count)) if index in refused
    }
    deaths = list(deaths)
    for segment in range(segments):
        while True:
            countdown = [*deaths.pop(0)] if deaths else None
            scene.destination.on_call = _dying(scene, countdown, seconds)
            try:
                following = scene.copy(segment)
            except Killed:
                # Its lease stays behind, and holds up the next one until it has ended.
                _leave_lease_behind(scene, segment)
                assert scene.copy(segment) is WorkerResult.WAIT
                scene.clock.tick(TIMEOUT + GRACE_SECONDS + 1)
                continue
            except (ClientError, UnsettledWrite):
                scene.clock.tick(TIMEOUT + GRACE_SECONDS + 1)
                continue
            finally:
                _assert_checkpoint_passes_nothing(scene, segment, segments)
            if following is WorkerResult.DONE:
                break
            assert following in {WorkerResult.CONTINUE, WorkerResult.WAIT}
    letters = {letter.token for letter in scene.letters.read_all()}
    assert letters == scene.destination.refuses
    assert scene.copied() == [item for item in items(count) if key_token({"pk": item["pk"]}) not in letters]


def _dying(scene: Scene, countdown: list[Any] | None, seconds: float) -> Any:
    """Kills the worker at one of its writes: before the write takes effect, or after. No other follows."""

    def tick() -> None:
        scene.clock.tick(seconds)
        if countdown is None:
            return
        if countdown[0] == 0 and countdown[1]:
            for request in scene.destination.calls[-1]:
                if scene.destination.token(request) not in scene.destination.refuses:
                    scene.destination.apply(request)
            countdown[1] = False
        if countdown[0] == 0:
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
    """Everything up to the checkpoint is at the destination, or a letter."""
    segment = scene.segments.read(number)
    mine = [item for index, item in enumerate(scene.source.items) if index % total == number]
    if segment.done:
        passed = mine
    elif segment.checkpoint is None:
        passed = []
    else:
        passed = mine[: [{"pk": item["pk"]} for item in mine].index(segment.checkpoint) + 1]
    written = list(scene.destination.items.values())
    letters = {letter.token for letter in scene.letters.read_all()}
    assert all(item in written or key_token({"pk": item["pk"]}) in letters for item in passed)
