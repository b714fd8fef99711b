"""How far the copy is behind follows from what the reconciler has noted, and is never too late a moment."""

from __future__ import annotations

import math

import pytest

from tablecopy.journal.run import Phase, Run, RunRecord
from tablecopy.journal.shards import Shards, StreamSummary
from tablecopy.verifier.lag import Lag
from tests.unit.tablecopy.fakes import NOON, STREAM_ARN, FakeClock, MemoryStore


def lag(summary: StreamSummary | None = None, phase: Phase = Phase.READY) -> Lag:
    store = MemoryStore()
    RunRecord(store).create(Run("r", STREAM_ARN, 1, NOON, phase, phase_since=NOON))
    if summary is not None:
        Shards(store).save_summary(summary)
    return Lag(RunRecord(store), Shards(store), FakeClock())


@pytest.mark.parametrize(
    ("unapplied_since", "behind", "applied_to"),
    [(0.0, 0.0, NOON - 90), (NOON - 400, 400.0, NOON - 400), (NOON - 40, 40.0, NOON - 90)],
)
def test_what_a_look_has_not_seen_may_be_on_its_way(
    unapplied_since: float, behind: float, applied_to: float
) -> None:
    found = lag(StreamSummary(looked_at=NOON - 30, unapplied_since=unapplied_since))
    assert (found.behind(), found.applied_to()) == (behind, applied_to)


def test_before_the_first_look_nothing_is_known_to_be_applied() -> None:
    assert lag().applied_to() < 0


def test_a_sealed_copy_has_nothing_on_its_way() -> None:
    found = lag(StreamSummary(looked_at=NOON, unapplied_since=NOON - 60), Phase.SEALED)
    assert found.applied_to() == math.inf
