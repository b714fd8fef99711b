"""The run's record: everything comes back, and only who knows the latest state may change it."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from tablecopy.journal.codec import encode
from tablecopy.journal.run import REPLICATING, Phase, Run, RunRecord
from tablecopy.journal.store import Conflict, Store
from tests.unit.tablecopy.fakes import NOON

RUN = Run("run", "arn:stream", 4, NOON, Phase.PREFLIGHT, NOON)
FULL = Run(
    run_id="run",
    stream_arn="arn:stream",
    total_segments=4,
    started=NOON + 0.123456,
    phase=Phase.SLICE,
    phase_since=NOON + 1,
    key_names=("pk", "sk"),
    slice=2,
    slice_began=NOON + 2,
    slice_ends=NOON + 3600,
    scan_began=NOON + 2,
    empty_slices=1,
    failed_workers=2,
    copied_before_slice=10,
    seal_requested_at=NOON + 7,
    problems=("é", ""),
    reason="why",
    resumable=False,
    workers=3,
    read_ceiling=50.5,
    redrive=True,
    redrive_slice=2,
    dead_letter_limit=2_000,
    destination_id="id",
    estimate="{}",
    arriving=1.5,
    applying=30.25,
    window_since=NOON + 3,
    window_age=12.5,
    window_records=7,
    blocked=True,
    rate_measured_since=NOON + 4,
    rate_measured_from=8,
    confirmed=True,
    request="request",
    checked=NOON + 5,
    covered_to=NOON - 28,
    mapping_uuid="uuid",
    noted_at=NOON + 6,
    letters=9,
    cutover="cutover",
    seal_by=NOON + 7,
    seal_grade="seen",
    quiet_seconds=5.0,
    fence="fence",
    proved_records=10,
    fenced_at=NOON + 12,
    audit="audit",
    cutover_outcome="late",
    cutover_reason="because",
    denied=("arn:table",),
    segments_id="run",
)


@pytest.fixture
def record(store: Store) -> RunRecord:
    return RunRecord(store)


def test_there_is_no_run_before_the_first_start(record: RunRecord) -> None:
    assert record.read() is None


@pytest.mark.parametrize("run", [RUN, FULL], ids=["defaults", "everything"])
def test_everything_comes_back(record: RunRecord, run: Run) -> None:
    assert record.create(run)
    assert record.read() == run


def test_the_full_run_leaves_no_field_at_its_default() -> None:
    assert [each.name for each in fields(Run) if getattr(FULL, each.name) == each.default] == ["version"]


def test_fields_that_were_renamed_keep_their_attributes(record: RunRecord, store: Store) -> None:
    record.create(FULL)
    item = store.get("run", "state")
    assert item is not None
    expected = {"empty_slices", "held", "dead_letter_limit", "window_age", "rate_measured_from"}
    assert expected <= set(item)
    assert len(item) == len(fields(Run)) + len(("pk", "sk"))


def test_a_run_is_created_once(record: RunRecord) -> None:
    assert record.create(RUN)
    assert not record.create(FULL)
    assert record.read() == RUN


def test_a_save_raises_the_version(record: RunRecord) -> None:
    record.create(RUN)
    saved = record.save(replace(RUN, reason="x"))
    assert saved == replace(RUN, reason="x", version=1)
    assert record.read() == saved


def test_of_two_that_knew_the_same_state_one_wins(record: RunRecord) -> None:
    record.create(RUN)
    assert record.save(replace(RUN, reason="first"))
    assert record.save(replace(RUN, reason="second")) is None
    found = record.read()
    assert found is not None
    assert found.reason == "first"


def test_a_run_does_not_replace_that_of_a_new_journal(record: RunRecord) -> None:
    another = replace(RUN, run_id="another")
    record.create(another)
    assert record.save(replace(RUN, reason="late")) is None
    assert record.read() == another


def test_nothing_is_saved_where_there_is_no_run(record: RunRecord) -> None:
    assert record.save(RUN) is None
    assert record.read() is None


def test_enter_notes_the_moment() -> None:
    assert RUN.enter(Phase.PAUSING, NOON + 5, reason="r") == replace(
        RUN, phase=Phase.PAUSING, phase_since=NOON + 5, reason="r"
    )


def test_the_replicator_writes_in_two_phases_only() -> None:
    assert {Phase.DRAINING, Phase.READY} == REPLICATING


def test_each_note_of_a_dead_letter_has_a_number_of_its_own(record: RunRecord) -> None:
    record.create(RUN)
    assert [record.note_dead_letter() for _ in range(3)] == [1, 2, 3]
    assert record.read() == replace(RUN, letters=3)


def test_notes_of_dead_letters_and_phases_do_not_hinder_each_other(record: RunRecord) -> None:
    record.create(RUN)
    record.note_dead_letter()
    saved = record.save(replace(RUN, reason="stopped"))
    assert saved is not None
    record.note_dead_letter()
    assert record.save(replace(saved, reason="started")) is not None
    assert record.read() == replace(RUN, reason="started", version=2, letters=2)


def test_a_run_can_be_saved_on_condition_that_no_dead_letter_came(record: RunRecord) -> None:
    record.create(RUN)
    saved = record.save(RUN, without_new_letter=True)
    assert saved is not None
    record.note_dead_letter()
    assert record.save(saved, without_new_letter=True) is None
    known = record.read()
    assert known is not None
    assert record.save(known, without_new_letter=True) is not None


def test_a_run_from_before_dead_letters_had_numbers_can_be_saved(record: RunRecord, store: Store) -> None:
    store.put("run", "state", {name: value for name, value in encode(RUN).items() if name != "letters"})
    assert record.save(RUN, without_new_letter=True) is not None


def test_no_dead_letter_is_noted_where_there_is_no_run(record: RunRecord) -> None:
    with pytest.raises(Conflict):
        record.note_dead_letter()
    assert record.read() is None
