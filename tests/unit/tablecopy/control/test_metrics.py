"""The age of the oldest change is told often enough and no more; the rest goes through the entry point."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tablecopy.control.metrics import RunMetrics, VerificationMetrics
from tablecopy.journal.run import Phase
from tablecopy.journal.verifications import Compared, State, Verification, Verifications
from tests.unit.tablecopy.fakes import FakeClock, MemoryStore
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


class TestVerification:
    def test_before_the_first_one_nothing_is_told(
        self, clock: FakeClock, capsys: pytest.CaptureFixture[str]
    ) -> None:
        VerificationMetrics(Verifications(MemoryStore(), clock), clock, "move").publish()
        assert not capsys.readouterr().out

    def test_it_tells_how_far_it_is_and_since_when_nothing_moves(
        self, clock: FakeClock, capsys: pytest.CaptureFixture[str]
    ) -> None:
        verifications = begun(clock)
        metrics = VerificationMetrics(verifications, clock, "move")
        clock.tick(100)
        verifications.save_segment("v1", Compared(0, source_items=5, destination_items=4, missing=1))
        verifications.save_segment("v1", Compared(1, source_items=2, destination_items=2, changed=2, open=3))
        clock.tick(40)
        metrics.publish()
        clock.tick(60)
        # The step of the state machine is progress as well.
        verification = verifications.read()
        assert verification
        verifications.save(replace(verification, stepped=clock.now(), failed_workers=2))
        clock.tick(5)
        metrics.publish()
        assert published(capsys.readouterr().out) == {
            "VerificationRunning": {"": [1, 1]},
            "VerificationFailed": {"": [0, 0]},
            "VerificationIdle": {"": [40, 5]},
            "FailedVerifiers": {"": [0, 2]},
            "ItemsCompared": {"": [13, 13]},
            # An open key may be a change in progress.
            "DifferencesFound": {"": [3, 3]},
        }

    @pytest.mark.parametrize("state", [State.DONE, State.FAILED])
    def test_of_one_that_has_ended_the_segments_are_read_once(
        self, state: State, clock: FakeClock, capsys: pytest.CaptureFixture[str]
    ) -> None:
        verifications = begun(clock)
        verifications.save_segment("v1", Compared(0, source_items=5, expired=2, extra=1, open=3, undecided=4))
        verification = verifications.read()
        assert verification
        verifications.save(replace(verification, state=state, ended=clock.now()))
        clock.tick(4_000)
        metrics = VerificationMetrics(verifications, clock, "move")
        metrics.publish()
        verifications.save_segment("v1", Compared(1, source_items=1))
        metrics.publish()
        told = published(capsys.readouterr().out)
        assert told["VerificationRunning"] == told["VerificationIdle"] == {"": [0, 0]}
        assert told["VerificationFailed"] == {"": [int(state is State.FAILED)] * 2}
        assert told["DifferencesFound"] == {"": [8, 8]}
        assert told["ItemsCompared"] == {"": [5, 5]}
        # Another one begins at 0, upon which the alarms end.
        verifications.save(Verification("v2", 2, 2, began=clock.now(), version=verification.version + 1))
        metrics.publish()
        told = published(capsys.readouterr().out)
        assert told["DifferencesFound"] == told["VerificationFailed"] == told["ItemsCompared"] == {"": [0]}


def begun(clock: FakeClock) -> Verifications:
    verifications = Verifications(MemoryStore(), clock)
    verification = Verification("v1", 2, 2, began=clock.now(), state=State.SCANNING)
    assert verifications.save(verification, is_new=True)
    return verifications
