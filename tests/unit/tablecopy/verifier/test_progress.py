"""A verification goes from its scans to its rechecks and ends, even if workers fail."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tablecopy.comparison.items import Side
from tablecopy.journal.run import Phase, Run, RunRecord
from tablecopy.journal.shards import Shards, StreamSummary
from tablecopy.journal.touched import Tracking, TrackingRecord, TrackingState
from tablecopy.journal.verifications import Compared, State, Verification, Verifications
from tablecopy.verifier.lag import Lag
from tablecopy.verifier.progress import GENERATIONS, Next, Progress, Step
from tablecopy.verifier.tables import Described, NotComparable, Tables
from tests.unit.tablecopy.fakes import NOON, STREAM_ARN, FakeClock, MemoryStore

NAME = "v1"


@pytest.fixture
def verifications(clock: FakeClock) -> Verifications:
    return Verifications(MemoryStore(), clock)


@pytest.fixture
def shards() -> Shards:
    return Shards(MemoryStore())


class FakeTables(Tables):
    """Tables with a description that tests change."""

    def __init__(self) -> None:
        self.problem = ""
        self.described = Described(("pk",), "expires", 0.0, 50.0, "one two", 12)

    def describe(self) -> Described:
        if self.problem:
            raise NotComparable(self.problem)
        return self.described


@pytest.fixture
def tables() -> FakeTables:
    return FakeTables()


@pytest.fixture
def record() -> TrackingRecord:
    return TrackingRecord(MemoryStore())


@pytest.fixture
def run() -> RunRecord:
    run = RunRecord(MemoryStore())
    run.create(Run("r", STREAM_ARN, 1, NOON, Phase.READY, phase_since=NOON))
    return run


@pytest.fixture
def progress(
    verifications: Verifications,
    tables: FakeTables,
    run: RunRecord,
    shards: Shards,
    record: TrackingRecord,
    clock: FakeClock,
) -> Progress:
    lag = Lag(run, shards, clock)
    return Progress(verifications, tables, lag, record, clock)


def begin(verifications: Verifications, *, writes_stopped: bool = False) -> None:
    verification = Verification(
        verification_id=NAME,
        total_segments=2,
        workers=2,
        began=NOON,
        writes_stopped=writes_stopped,
        state=State.SCANNING,
        identities="one two",
    )
    assert verifications.save(verification, is_new=True)


def request(verifications: Verifications) -> None:
    requested = Verification(verification_id=NAME, total_segments=2, workers=2, began=NOON)
    assert verifications.save(requested, is_new=True)


def save(verifications: Verifications, **fields: int | bool) -> None:
    """Save both segments with these fields."""
    for number in range(2):
        known = verifications.segment(NAME, number)
        assert verifications.save_segment(NAME, replace(known, **fields))  # type: ignore[arg-type]


def read(verifications: Verifications) -> Verification:
    verification = verifications.read()
    assert verification is not None
    return verification


def test_it_begins_with_what_the_tables_are(progress: Progress, verifications: Verifications) -> None:
    requested = Verification(verification_id=NAME, total_segments=2, workers=2, began=NOON)
    verifications.save(requested, is_new=True)
    assert progress.advance(NAME) == Step(Next.SCAN)
    assert read(verifications) == replace(
        requested,
        state=State.SCANNING,
        key_names=("pk",),
        expiry="expires",
        destination_ceiling=50.0,
        identities="one two",
        estimated_items=12,
        stepped=NOON,
        version=2,
    )


def test_the_scans_wait_until_both_sides_note_their_changes(
    progress: Progress, verifications: Verifications, record: TrackingRecord, clock: FakeClock
) -> None:
    request(verifications)
    tracking = record.save(Tracking(NAME, "run", NOON), is_new=True)
    assert tracking is not None
    wait = Step(Next.WAIT, 5)
    assert progress.advance(NAME) == wait
    half = record.save(tracking.noting(Side.SOURCE, NOON + 1))
    assert half is not None
    assert progress.advance(NAME) == wait
    record.save(half.noting(Side.DESTINATION, NOON + 2))
    assert progress.advance(NAME) == Step(Next.SCAN)


def test_the_scans_begin_without_changes_that_cannot_be_noted(
    progress: Progress, verifications: Verifications, record: TrackingRecord, clock: FakeClock
) -> None:
    request(verifications)
    record.save(Tracking(NAME, "run", NOON), is_new=True)
    clock.tick(899)
    assert progress.advance(NAME).next is Next.WAIT
    clock.tick(2)
    assert progress.advance(NAME) == Step(Next.SCAN)
    found = record.read()
    assert found is not None
    assert found.state is TrackingState.OFF
    assert found.reason == "not every change was noted 15 minutes after the verification was requested"


@pytest.mark.parametrize(
    "tracking", [Tracking("another", "run", NOON), Tracking(NAME, "run", NOON).off(NOON)]
)
def test_the_scans_wait_for_no_other_tracking(
    progress: Progress, verifications: Verifications, record: TrackingRecord, tracking: Tracking
) -> None:
    request(verifications)
    record.save(tracking, is_new=True)
    assert progress.advance(NAME) == Step(Next.SCAN)


def test_tables_that_cannot_be_compared_end_it(
    progress: Progress, verifications: Verifications, tables: FakeTables
) -> None:
    verifications.save(
        Verification(verification_id=NAME, total_segments=2, workers=2, began=NOON), is_new=True
    )
    tables.problem = "the primary keys differ"
    assert progress.advance(NAME) == Step(Next.END)
    assert (read(verifications).state, read(verifications).reason) == (State.FAILED, tables.problem)


@pytest.mark.parametrize("problem", ["", "table orders does not exist"])
def test_a_table_that_was_created_again_proves_nothing(
    progress: Progress, verifications: Verifications, tables: FakeTables, problem: str
) -> None:
    begin(verifications)
    save(verifications, scanned=True)
    tables.problem = problem
    tables.described = replace(tables.described, identities="one three")
    assert progress.advance(NAME) == Step(Next.END)
    assert read(verifications).state is State.FAILED
    assert read(verifications).reason == (
        problem or "a table was deleted and created again while it was read. Verify again"
    )


def test_segments_that_are_not_at_their_end_are_scanned_again(
    progress: Progress, verifications: Verifications
) -> None:
    begin(verifications)
    save(verifications, scanned=True)
    verifications.save_segment(NAME, replace(verifications.segment(NAME, 1), scanned=False))
    assert progress.advance(NAME) == Step(Next.SCAN)
    assert read(verifications).failed_workers == 1
    verifications.save_segment(NAME, replace(verifications.segment(NAME, 1), scanned=True, open=1))
    assert progress.advance(NAME).next is Next.RECHECK
    assert read(verifications).failed_workers == 0


@pytest.mark.parametrize(("writes_stopped", "opened"), [(True, 0), (False, 0)])
def test_without_open_keys_it_ends(
    progress: Progress, verifications: Verifications, clock: FakeClock, writes_stopped: bool, opened: int
) -> None:
    begin(verifications, writes_stopped=writes_stopped)
    save(verifications, scanned=True, open=opened)
    assert progress.advance(NAME) == Step(Next.END)
    assert (read(verifications).state, read(verifications).ended) == (State.DONE, clock.time)
    assert progress.advance(NAME) == Step(Next.END)


@pytest.mark.parametrize("copied", [True, False])
def test_open_keys_are_read_again_until_they_are_too_often(
    progress: Progress, verifications: Verifications, run: RunRecord, copied: bool
) -> None:
    """Without a copy, a key that stays different from one generation to the next counts."""
    if not copied:
        found = run.read()
        assert found is not None
        run.save(replace(found, phase=Phase.SEALED))
    begin(verifications)
    save(verifications, scanned=True, open=1)
    for generation in range(1, GENERATIONS + 1):
        assert progress.advance(NAME) == Step(
            Next.RECHECK, 10 if generation <= 1 + copied else 150, generation
        )
        assert (read(verifications).state, read(verifications).generation) == (State.RECHECKING, generation)
        save(verifications, generation=generation)
    assert progress.advance(NAME) == Step(Next.END)
    assert read(verifications).state is State.DONE


def test_a_lost_answer_changes_nothing(progress: Progress, verifications: Verifications) -> None:
    begin(verifications)
    save(verifications, scanned=True, open=1)
    assert progress.advance(NAME) == progress.advance(NAME) == Step(Next.RECHECK, 10, 1)


@pytest.mark.parametrize(("behind", "seconds"), [(0, 10), (45, 45), (86_400, 600)])
def test_a_recheck_waits_for_what_the_copy_has_not_applied(
    progress: Progress,
    verifications: Verifications,
    shards: Shards,
    clock: FakeClock,
    behind: int,
    seconds: int,
) -> None:
    begin(verifications)
    save(verifications, scanned=True, open=1)
    shards.save_summary(StreamSummary(unapplied_since=clock.time - behind if behind else 0.0))
    assert progress.advance(NAME).seconds == seconds


def test_workers_that_get_nowhere_end_it(progress: Progress, verifications: Verifications) -> None:
    begin(verifications)
    for _ in range(3):
        save(verifications)
        assert progress.advance(NAME) == Step(Next.SCAN)
    steps = [progress.advance(NAME) for _ in range(4)]
    assert [step.next for step in steps] == [Next.SCAN] * 3 + [Next.END]
    assert read(verifications).state is State.FAILED


def test_another_verification_is_left_alone(progress: Progress, verifications: Verifications) -> None:
    begin(verifications)
    save(verifications, scanned=True)
    assert progress.advance("v0") == Step(Next.END)
    assert read(verifications).state is State.SCANNING


def test_segments_come_with_what_was_saved(verifications: Verifications) -> None:
    begin(verifications)
    saved = verifications.save_segment(NAME, Compared(1, source_key={"pk": {"S": "a"}}, equal=3))
    assert verifications.segments(read(verifications)) == [Compared(0), saved]
