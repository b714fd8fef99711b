"""The age of the oldest change is told often enough and no more; the rest goes through the entry point."""

from __future__ import annotations

import pytest

from tablecopy.control.metrics import RunMetrics
from tablecopy.journal.run import Phase
from tests.unit.tablecopy.fakes import FakeClock
from tests.unit.tablecopy.published import published


def test_the_age_is_told_twice_a_minute(clock: FakeClock, capsys: pytest.CaptureFixture[str]) -> None:
    metrics = RunMetrics(clock, "move")
    for seconds in range(60):
        metrics.publish_age(12.5 + seconds)
        clock.tick(1)
    assert published(capsys.readouterr().out) == {"OldestUnappliedChangeAge": {"": [12.5, 42.5]}}


def test_a_pass_tells_what_it_found_at_once(clock: FakeClock, capsys: pytest.CaptureFixture[str]) -> None:
    metrics = RunMetrics(clock, "move")
    for letters in (0, 3):
        metrics.publish({"phase": Phase.DRAINING, "now": clock.now(), "dead_letters": letters})
    assert published(capsys.readouterr().out)["DeadLetters"] == {"": [0, 3]}


def test_a_pass_tells_of_slices_and_workers_that_failed(
    clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = RunMetrics(clock, "move")
    metrics.publish({"phase": "none", "now": clock.now()})
    metrics.publish({"phase": Phase.RESUMING, "now": clock.now(), "empty_slices": 2, "failed_workers": 16})
    told = published(capsys.readouterr().out)
    assert told["EmptySlices"] == {"": [0, 2]}
    assert told["FailedWorkers"] == {"": [0, 16]}


@pytest.mark.parametrize("phase", sorted(Phase))
def test_a_pass_tells_the_state_of_the_run(
    phase: Phase, clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    RunMetrics(clock, "move").publish({"phase": phase, "now": clock.now()})
    expected = {
        "Reconciliations": {"": [1]},
        "RunStopped": {"": [int(phase is Phase.STOPPED)]},
        "DeadLetters": {"": [0]},
        "EmptySlices": {"": [0]},
        "FailedWorkers": {"": [0]},
        "RunPhase": {phase.value: [1]},
    }
    if phase is Phase.SEALED:
        # Or an alarm that was on when the run was sealed would stay on.
        expected["OldestUnappliedChangeAge"] = {"": [0]}
    assert published(capsys.readouterr().out) == expected
