"""The tracking of a verification, as operators request and see it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tablecopy.comparison.items import Side
from tablecopy.control.tracking import TrackingCommands
from tablecopy.journal.run import Phase, Run, RunRecord
from tablecopy.journal.shards import Shards, StreamSummary
from tablecopy.journal.touched import Checked, TouchedKeys, Tracking, TrackingRecord, TrackingState
from tablecopy.journal.verifications import Verification
from tests.unit.tablecopy.fakes import NOON, FakeClock, MemoryStore

VERIFICATION = Verification("v-1", 2, 2, NOON)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def commands(store: MemoryStore, clock: FakeClock) -> TrackingCommands:
    return TrackingCommands(store, clock)


def read(store: MemoryStore) -> Tracking:
    found = TrackingRecord(store).read()
    assert found is not None
    return found


def test_a_request_replaces_what_an_earlier_verification_tracked(
    commands: TrackingCommands, store: MemoryStore
) -> None:
    commands.request(VERIFICATION, "run")
    first = read(store)
    assert (first.tracking_id, first.run_id, first.state) == ("v-1", "run", TrackingState.REQUESTED)
    TrackingRecord(store).save(first.noting(Side.SOURCE, NOON + 1))
    commands.request(replace(VERIFICATION, verification_id="v-2"), "run")
    second = read(store)
    assert (second.tracking_id, second.source_since) == ("v-2", 0.0)


def test_a_repeated_request_changes_nothing(commands: TrackingCommands, store: MemoryStore) -> None:
    commands.request(VERIFICATION, "run")
    TrackingRecord(store).save(read(store).noting(Side.SOURCE, NOON + 1))
    before = read(store)
    commands.request(VERIFICATION, "run")
    assert read(store) == before


def test_without_writers_nothing_is_tracked(commands: TrackingCommands, store: MemoryStore) -> None:
    commands.request(VERIFICATION, "run")
    commands.request(replace(VERIFICATION, verification_id="v-2", writes_stopped=True), "run")
    found = read(store)
    assert (found.tracking_id, found.state, found.is_active) == ("v-2", TrackingState.OFF, False)


def test_a_request_that_another_writer_overtakes_is_repeated(
    commands: TrackingCommands, store: MemoryStore
) -> None:
    commands.request(VERIFICATION, "run")
    record = TrackingRecord(store)
    put = store.put
    overtaken = []

    def race(*given: object, **more: object) -> None:
        if not overtaken:
            overtaken.append(1)
            record.save(read(store).off(NOON, "lost"))
        put(*given, **more)  # type: ignore[arg-type]

    store.put = race  # type: ignore[method-assign]
    commands.request(replace(VERIFICATION, verification_id="v-2"), "run")
    assert (read(store).tracking_id, read(store).state) == ("v-2", TrackingState.REQUESTED)


def test_the_status_shows_how_far_it_is(
    commands: TrackingCommands, store: MemoryStore, clock: FakeClock
) -> None:
    assert commands.status("v-1") == {}
    RunRecord(store).create(Run("run", "arn", 2, NOON, Phase.READY, NOON))
    commands.request(VERIFICATION, "run")
    assert commands.status("another") == {}
    shown = commands.status("v-1")
    assert (shown["state"], shown["verified_through"], shown["predicted_stop_s"]) == ("requested", 0.0, None)
    on = read(store).noting(Side.SOURCE, NOON).noting(Side.DESTINATION, NOON + 1)
    TrackingRecord(store).save(on)
    keys = TouchedKeys(store, clock, "v-1")
    checked = Checked("v-1", source_noted_to=NOON + 50, destination_noted_to=NOON + 40, waits_for="changes")
    keys.save_checked(checked)
    shown = commands.status("v-1")
    assert (shown["since"], shown["verified_through"], shown["waits_for"]) == (NOON + 1, NOON + 40, "changes")
    assert shown["predicted_stop_s"] == 9.0
    # A key is left, and its change was made earlier.
    keys.save_checked(replace(checked, left=600, oldest_left=NOON + 20, standing=1))
    shown = commands.status("v-1")
    assert (shown["verified_through"], shown["left"], shown["standing"]) == (NOON + 20, 600, 1)
    # How fast keys are read is not known yet.
    assert shown["predicted_stop_s"] is None
    keys.save_checked(replace(checked, left=600, rate=100.0))
    assert commands.status("v-1")["predicted_stop_s"] == 15.0
    clock.tick(30)
    Shards(store).save_summary(StreamSummary(looked_at=NOON, unapplied_since=NOON))
    assert commands.status("v-1")["predicted_stop_s"] == 40.0
    TrackingRecord(store).save(read(store).off(NOON, "records have expired"))
    shown = commands.status("v-1")
    assert (shown["state"], shown["reason"]) == ("off", "records have expired")
    assert (shown["verified_through"], shown["predicted_stop_s"], shown["waits_for"]) == (0.0, None, "")
