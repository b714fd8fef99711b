"""The seal with a proof: each point of `control.proof` is needed, and a failure leaves a copy in sync."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tablecopy.comparison.items import Side
from tablecopy.control.commands import NotPossible
from tablecopy.control.cutover import CutoverCommands
from tablecopy.control.proof import Evidence, Proof
from tablecopy.control.steps import Outcome
from tablecopy.journal.leases import REPLICATOR
from tablecopy.journal.run import Phase
from tablecopy.journal.shards import Shards
from tablecopy.journal.touched import Checked, TouchedKeys, Tracking, TrackingRecord
from tablecopy.journal.verifications import Compared, State, Verification, Verifications
from tests.unit.tablecopy.control.test_reconciler import Scene, _apply, dead, hold
from tests.unit.tablecopy.fakes import NOON

QUIET = 5.0
MAX_STOP = 40.0


class Noting(Proof):
    """Reads the journal; up to when the source is noted is up to the test."""

    def __init__(self, scene: CutoverScene) -> None:
        super().__init__(scene.quiet, scene.clock)
        self._scene = scene

    def evidence(self) -> Evidence:
        noted_to = self._scene.clock.time if self._scene.noted_to is None else self._scene.noted_to
        return replace(super().evidence(), noted_to=noted_to)


class CutoverScene(Scene):
    """A run that is ready, was verified, and whose touched keys are tracked."""

    def __init__(self) -> None:
        self.noted_to: float | None = None
        self.left = self.standing = 0
        self.tracker_runs = True
        self.tracker_skew = 1_000.0
        self.sees_destination_to: Callable[[float], float] = lambda now: now
        super().__init__()
        self.finish_segments()
        self.verifications = Verifications(self.quiet, self.clock)
        self.tracking = TrackingRecord(self.quiet)
        tracking = Tracking("v", "run", NOON)
        on = tracking.noting(Side.SOURCE, NOON).noting(Side.DESTINATION, NOON)
        self.tracking.save(on, is_new=True)
        self.verifications.save(Verification("v", 2, 2, NOON, state=State.DONE, ended=NOON), is_new=True)
        self.cutovers = CutoverCommands(self.run, self.segments, self.letters, self.quiet, self.clock)
        self.seen: tuple[str, float] = "", 0.0
        self.at(Phase.READY)
        self.track()
        self.step_for(70)

    def another(self) -> Any:
        reconciler = super().another()
        reconciler._deps = replace(reconciler._deps, proof=Noting(self))
        return reconciler

    def track(self) -> None:
        """Let the tracker do a round, with a clock of its own."""
        now = self.clock.time + self.tracker_skew
        fence, proved_records = self.now().fence, self.now().proved_records
        if fence != self.seen[0]:
            self.seen = fence, now
        TouchedKeys(self.quiet, self.clock, "v").save_checked(
            Checked(
                "v",
                looked_at=now,
                list_read_at=now,
                destination_noted_to=self.sees_destination_to(now),
                left=self.left,
                standing=self.standing,
                fence=fence,
                fence_seen_at=self.seen[1] if fence else 0.0,
                proved_records=proved_records,
                open_noted=True,
            )
        )

    def follow(self, seconds: float, until: Phase | None = None) -> Phase:
        end = self.clock.time + seconds
        while self.clock.time < end and self.now().phase is not until:
            if self.tracker_runs:
                self.track()
            self.step()
            self.clock.time += 1
            self.finish_switching()
        return self.now().phase

    def prove_source(self) -> None:
        """Let the run be fenced, and the source be proved to be quiet."""
        while self.now().proved_records < 0:
            self.follow(1)
        assert self.now().phase is Phase.SEALING

    def cut_over(self, request: str = "one", **changes: Any) -> None:
        self.cutovers.begin(request, **{"max_stop": MAX_STOP, "quiet_seconds": QUIET, **changes})

    def ended(self) -> tuple[Phase, str]:
        """How the request ended, after the run had the time to come back to being in sync."""
        self.follow(120, until=Phase.READY)
        return self.now().phase, self.now().cutover_outcome


@pytest.fixture
def cutover() -> CutoverScene:
    return CutoverScene()


def test_a_quiet_run_is_sealed_within_seconds(cutover: CutoverScene) -> None:
    began = cutover.clock.time
    cutover.cut_over()
    assert cutover.follow(60, until=Phase.SEALED) is Phase.SEALED
    # Both quiet times pass together.
    assert cutover.clock.time - began < QUIET + 5
    run = cutover.now()
    assert (run.seal_grade, run.seal_by, run.reason, run.cutover_outcome) == ("seen", 0, "", "")
    assert cutover.commands.status()["seal_grade"] == "seen"
    assert cutover.cutovers.status()["grade"] == "seen"


def test_the_seal_does_not_wait_for_the_mapping(cutover: CutoverScene) -> None:
    """No function writes in this phase, and Lambda may take a minute."""
    cutover.finish_switching = lambda: None  # type: ignore[method-assign]
    cutover.cut_over()
    assert cutover.follow(60, until=Phase.SEALED) is Phase.SEALED
    assert cutover.lambda_.mapping["State"] == "Disabling"


class TestPoints:
    """Each of the five points."""

    def test_1_the_source_is_noted_to_after_the_quiet_time(self, cutover: CutoverScene) -> None:
        cutover.noted_to = cutover.clock.time + QUIET - 0.5
        cutover.cut_over()
        assert cutover.follow(MAX_STOP - 2) is Phase.SEALING
        assert cutover.now().proved_records == -1
        assert "noted" in cutover.now().reason

    def test_2_everything_is_applied_after_the_quiet_time(self, cutover: CutoverScene) -> None:
        cutover.cut_over()
        assert cutover.follow(QUIET - 1) is Phase.SEALING
        assert cutover.now().fence
        assert "must show no change for 5 s" in cutover.now().reason
        # A change that the stream shows late: it is applied, and the second fence waits for the quiet time.
        cutover.write(1)
        cutover.follow(1)
        assert (cutover.now().phase, cutover.now().fence) == (Phase.DRAINING, "")
        _apply(cutover, 1, 1)
        assert cutover.follow(QUIET) is Phase.DRAINING
        assert cutover.follow(QUIET + 8, until=Phase.SEALED) is Phase.SEALED

    def test_2_the_replicator_goes_on_until_the_source_is_quiet(self, cutover: CutoverScene) -> None:
        """Lambda takes a minute to switch the mapping on again."""
        cutover.cut_over()
        cutover.follow(QUIET - 1)
        assert cutover.lambda_.mapping["State"] == "Enabled"

    def test_2_the_quiet_time_begins_with_the_request(self, cutover: CutoverScene) -> None:
        """The source was quiet for a minute before. That says nothing of the last writes."""
        cutover.cut_over()
        cutover.follow(QUIET - 1)
        assert cutover.now().proved_records == -1

    def test_3_the_destination_is_noted_to_after_the_fence(self, cutover: CutoverScene) -> None:
        stuck = cutover.clock.time + cutover.tracker_skew + QUIET
        cutover.sees_destination_to = lambda now: min(now, stuck)
        cutover.cut_over()
        assert cutover.follow(MAX_STOP - 2) is Phase.SEALING
        assert "destination's stream" in cutover.now().reason

    def test_3_the_tracker_has_seen_the_fence(self, cutover: CutoverScene) -> None:
        cutover.tracker_skew = 0.0
        cutover.cut_over()
        cutover.follow(15, until=Phase.SEALING)
        cutover.tracker_runs = False
        assert cutover.follow(MAX_STOP - 12) is Phase.SEALING
        # What it noted long before is of another attempt.
        cutover.seen = "", 0.0
        assert "has not seen" in cutover.now().reason

    def test_3_the_fence_comes_after_the_last_replicator(self, cutover: CutoverScene) -> None:
        cutover.cut_over()
        with hold(cutover, REPLICATOR):
            assert cutover.follow(20) is Phase.SEALING
            assert not cutover.now().fence
            assert "may still be writing" in cutover.now().reason
        assert cutover.follow(2 * QUIET + 3, until=Phase.SEALED) is Phase.SEALED

    def test_4_a_key_is_left(self, cutover: CutoverScene) -> None:
        cutover.left = 1
        cutover.cut_over()
        assert cutover.follow(MAX_STOP - 2) is Phase.SEALING
        assert "1 written key must be compared again" in cutover.now().reason
        cutover.left = 0
        assert cutover.follow(10, until=Phase.SEALED) is Phase.SEALED

    def test_4_the_list_is_read_after_the_quiet_time(self, cutover: CutoverScene) -> None:
        cutover.cut_over()
        cutover.prove_source()
        track = cutover.track

        def stale() -> None:
            track()
            keys = TouchedKeys(cutover.quiet, cutover.clock, "v")
            keys.save_checked(replace(keys.checked(), list_read_at=keys.checked().fence_seen_at + QUIET - 1))

        cutover.track = stale  # type: ignore[method-assign]
        assert cutover.follow(MAX_STOP - 15) is Phase.SEALING
        assert "is being read" in cutover.now().reason

    def test_4_the_list_is_read_after_the_source_is_proved(self, cutover: CutoverScene) -> None:
        """A change may be applied before the fence, and noted after another list was read."""
        cutover.cut_over()
        cutover.prove_source()
        track = cutover.track

        def early() -> None:
            track()
            keys = TouchedKeys(cutover.quiet, cutover.clock, "v")
            keys.save_checked(replace(keys.checked(), proved_records=-1))

        cutover.track = early  # type: ignore[method-assign]
        assert cutover.follow(MAX_STOP - 15) is Phase.SEALING
        assert "is being read" in cutover.now().reason

    @pytest.mark.parametrize("phase", [Phase.READY, Phase.SEALING])
    def test_5_a_difference_ends_it_at_once(self, cutover: CutoverScene, phase: Phase) -> None:
        cutover.cut_over()
        cutover.follow(30, until=phase)
        cutover.standing = 2
        cutover.follow(3)
        assert cutover.ended() == (Phase.READY, "different")
        assert "2 written keys differ although" in cutover.now().cutover_reason

    def test_5_what_the_baseline_left_open_is_listed(self, cutover: CutoverScene) -> None:
        TouchedKeys(cutover.quiet, cutover.clock, "v").save_checked(Checked("v"))
        with pytest.raises(NotPossible, match="has left open"):
            cutover.cut_over()
        assert cutover.cutovers.status()["passing"]
        cutover.track()
        assert not cutover.cutovers.status()["passing"]

    def test_5_a_baseline_that_has_not_ended_does_not_pass_within_a_minute(
        self, cutover: CutoverScene
    ) -> None:
        verification = cutover.verifications.read()
        assert verification is not None
        cutover.verifications.save(replace(verification, state=State.RECHECKING))
        assert "has not ended" in cutover.cutovers.status()["refused"]
        assert not cutover.cutovers.status()["passing"]

    def test_5_the_baseline_has_ended(self, cutover: CutoverScene) -> None:
        cutover.cut_over()
        verification = cutover.verifications.read()
        assert verification is not None
        cutover.verifications.save(replace(verification, state=State.RECHECKING))
        assert cutover.follow(MAX_STOP - 2) is Phase.READY
        assert "has not ended" in cutover.now().reason


class TestLateChanges:
    def test_a_change_after_the_proof_resumes_the_copy(self, cutover: CutoverScene) -> None:
        cutover.cut_over()
        cutover.prove_source()
        cutover.write(1)
        cutover.follow(2)
        assert cutover.now().phase is not Phase.SEALED
        assert (cutover.now().cutover_outcome, cutover.now().seal_by) == ("late", 0)
        assert "stop it" in cutover.now().cutover_reason

    def test_a_change_that_was_applied_before_the_fence_is_late_as_well(self, cutover: CutoverScene) -> None:
        """It may have been lost on its way, and the list may have been read before its key was noted."""
        cutover.cut_over()
        cutover.prove_source()
        cutover.write(1)
        _apply(cutover, 1, 1)
        cutover.follow(2)
        assert cutover.now().cutover_outcome == "late"

    def test_a_new_environment_takes_its_time_to_find_what_was_applied(self, cutover: CutoverScene) -> None:
        cutover.cut_over()
        cutover.prove_source()
        cutover.run.save(replace(cutover.now(), proved_records=1))
        cutover.track()
        assert cutover.follow(10, until=Phase.SEALED) is Phase.SEALING
        assert cutover.now().cutover_outcome == ""

    def test_a_change_after_the_seal_is_named(self, cutover: CutoverScene) -> None:
        cutover.cut_over()
        assert cutover.follow(60, until=Phase.SEALED) is Phase.SEALED
        cutover.follow(3)
        assert cutover.now().reason == ""
        cutover.write(1)
        cutover.follow(3)
        assert (cutover.now().phase, cutover.now().seal_grade) == (Phase.SEALED, "seen")
        assert "written to after the seal" in cutover.now().reason
        assert "written to after the seal" in cutover.commands.status()["reason"]

    def test_a_sealed_run_is_looked_at_for_as_long_as_an_invocation_takes(
        self, cutover: CutoverScene
    ) -> None:
        """A late child needs as many calls as shards have ended, and a look makes one."""
        cutover.cut_over()
        assert cutover.follow(60, until=Phase.SEALED) is Phase.SEALED
        assert cutover.step() is Outcome.WAITING
        cutover.clock.time += 700
        assert cutover.step() is Outcome.IDLE

    def test_a_rollback_that_writes_to_the_source_is_no_late_change(self, cutover: CutoverScene) -> None:
        cutover.cut_over()
        assert cutover.follow(60, until=Phase.SEALED) is Phase.SEALED
        cutover.clock.time += 70
        cutover.write(1)
        cutover.follow(3)
        assert cutover.now().reason == ""

    def test_a_sealed_run_is_not_watched_for_ever(self, cutover: CutoverScene) -> None:
        cutover.cut_over()
        assert cutover.follow(60, until=Phase.SEALED) is Phase.SEALED
        cutover.clock.time += 700
        cutover.write(1)
        cutover.follow(3)
        assert cutover.now().reason == ""

    def test_it_can_be_tried_again(self, cutover: CutoverScene) -> None:
        cutover.cut_over()
        cutover.follow(30, until=Phase.SEALING)
        cutover.standing = 1
        assert cutover.ended() == (Phase.READY, "different")
        cutover.standing = 0
        cutover.track()
        cutover.cut_over("two")
        assert cutover.follow(60, until=Phase.SEALED) is Phase.SEALED
        assert cutover.now().cutover_outcome == ""


class TestEnds:
    @pytest.mark.parametrize("phase", [Phase.READY, Phase.SEALING])
    def test_a_request_lapses(self, cutover: CutoverScene, phase: Phase) -> None:
        cutover.left = 1
        cutover.cut_over()
        if phase is Phase.READY:
            verification = cutover.verifications.read()
            assert verification is not None
            cutover.verifications.save(replace(verification, state=State.RECHECKING))
        cutover.follow(MAX_STOP - 2)
        assert cutover.now().phase is phase
        cutover.follow(4)
        assert cutover.ended() == (Phase.READY, "timeout")
        assert "must be compared again" in cutover.now().cutover_reason or phase is Phase.READY

    @pytest.mark.parametrize("phase", [Phase.READY, Phase.SEALING])
    def test_an_operator_cancels_it(self, cutover: CutoverScene, phase: Phase) -> None:
        cutover.cut_over()
        cutover.follow(30, until=phase)
        cutover.cutovers.cancel()
        cutover.follow(3)
        assert cutover.ended() == (Phase.READY, "cancelled")

    def test_a_stop_ends_it(self, cutover: CutoverScene) -> None:
        cutover.cut_over()
        cutover.lost = ["the table is gone"]
        cutover.clock.tick(61)
        cutover.run.save(replace(cutover.now(), seal_by=cutover.clock.time + 60))
        cutover.follow(70, until=Phase.STOPPED)
        assert (cutover.now().phase, cutover.now().cutover_outcome) == (Phase.STOPPED, "stopped")

    @pytest.mark.parametrize("after", range(0, 20, 2))
    def test_killed_anywhere_another_environment_carries_on(self, cutover: CutoverScene, after: int) -> None:
        cutover.cut_over()
        cutover.follow(after)
        cutover.reconciler = cutover.another()
        assert cutover.follow(60, until=Phase.SEALED) is Phase.SEALED


class TestCommands:
    def test_the_same_request_twice_is_one(self, cutover: CutoverScene) -> None:
        cutover.cut_over()
        version = cutover.now().version
        cutover.cut_over()
        cutover.cut_over("another, while one is in progress")
        assert cutover.now().version == version

    def test_a_request_that_ended_does_not_begin_again(self, cutover: CutoverScene) -> None:
        cutover.cut_over()
        cutover.cutovers.cancel()
        cutover.follow(3)
        cutover.cut_over()
        assert not cutover.now().is_cutting_over

    @pytest.mark.parametrize(
        ("phase", "changes", "part"),
        [
            (Phase.STOPPED, {"reason": "why"}, "the run is stopped: why"),
            (Phase.PAUSING, {}, "the replicator is paused"),
            (Phase.SEALING, {}, "being sealed"),
            (Phase.DRAINING, {"redrive": True}, "about to be retried"),
        ],
    )
    def test_a_run_that_is_not_in_sync_is_refused(
        self, cutover: CutoverScene, phase: Phase, changes: dict[str, Any], part: str
    ) -> None:
        cutover.at(phase, **changes)
        with pytest.raises(NotPossible, match=part):
            cutover.cut_over()

    def test_segments_and_dead_letters_are_refused(self, cutover: CutoverScene) -> None:
        cutover.letters.put(dead(1))
        with pytest.raises(NotPossible, match="1 dead letter must be settled"):
            cutover.cut_over()
        cutover.segments.save(replace(cutover.segments.read(0), done=False))
        with pytest.raises(NotPossible, match="1 of 2 segments are not copied"):
            cutover.cut_over()

    @pytest.mark.parametrize(
        ("change", "part"),
        [
            ({"tracking_id": "of an earlier verification"}, "did not track"),
            ({"run_id": "another"}, "of an earlier run"),
            ({"off": "records may be missing"}, "not tracked any more .records may be missing."),
        ],
    )
    def test_a_tracking_that_proves_nothing_is_refused(
        self, cutover: CutoverScene, change: dict[str, str], part: str
    ) -> None:
        tracking = cutover.tracking.read()
        assert tracking is not None
        off = change.pop("off", "")
        tracking = replace(tracking, **change)  # type: ignore[arg-type]
        cutover.tracking.save(tracking.off(NOON, off) if off else tracking)
        with pytest.raises(NotPossible, match=part):
            cutover.cut_over()

    @pytest.mark.parametrize(
        ("found", "part"),
        [
            ({"missing": 1}, "the verification found 1 difference"),
            ({"changed": 1}, "the verification found 1 difference"),
            ({"extra": 2}, "the verification found 2 differences"),
            ({"undecided": 3}, "3 keys differed in the verification and could not be read again"),
        ],
    )
    def test_what_the_baseline_found_is_refused(
        self, cutover: CutoverScene, found: dict[str, int], part: str
    ) -> None:
        cutover.verifications.save_segment("v", Compared(1, scanned=True, **found))  # type: ignore[arg-type]
        with pytest.raises(NotPossible, match=part):
            cutover.cut_over()

    def test_without_a_verification_it_is_refused(self, cutover: CutoverScene) -> None:
        assert "never compared" in Evidence().impossible(cutover.now())

    def test_the_seal_without_a_proof_is_refused_meanwhile(self, cutover: CutoverScene) -> None:
        cutover.cut_over()
        with pytest.raises(NotPossible, match="a cutover is in progress"):
            cutover.commands.seal()

    def test_a_cancelled_seal_is_impossible(self, cutover: CutoverScene) -> None:
        cutover.cut_over()
        cutover.follow(60, until=Phase.SEALED)
        with pytest.raises(NotPossible, match="sealed"):
            cutover.cutovers.cancel()

    def test_denied_tables_are_shown_until_they_are_restored(self, cutover: CutoverScene) -> None:
        cutover.cutovers.deny("arn:b", denied=True)
        cutover.cutovers.deny("arn:a", denied=True)
        cutover.cutovers.deny("arn:a", denied=True)
        assert cutover.commands.status()["denied"] == ["arn:a", "arn:b"]
        cutover.cutovers.deny("arn:b", denied=False)
        assert cutover.cutovers.status()["denied"] == ["arn:a"]


class TestPrediction:
    def seconds(self, cutover: CutoverScene, **checked: float) -> list[float | None]:
        TouchedKeys(cutover.quiet, cutover.clock, "v").save_checked(Checked("v", **checked))  # type: ignore[arg-type]
        return [part["seconds"] for part in cutover.cutovers.status(QUIET)["parts"]]

    def test_a_quiet_run(self, cutover: CutoverScene) -> None:
        assert self.seconds(cutover) == [0, 5, 0, 4]
        assert cutover.cutovers.status(QUIET)["seconds"] == 9

    def test_keys_are_counted_by_their_rate(self, cutover: CutoverScene) -> None:
        assert self.seconds(cutover, left=100, rate=20.0)[2] == 5

    def test_what_is_not_measured_is_not_known(self, cutover: CutoverScene) -> None:
        assert self.seconds(cutover, left=100)[2] is None
        assert cutover.cutovers.status(QUIET)["seconds"] is None

    def test_the_lag_is_applied_at_the_measured_rate(self, cutover: CutoverScene) -> None:
        shards = Shards(cutover.quiet)
        shards.save_summary(replace(shards.summary(), unapplied_since=cutover.clock.time - 20))
        assert self.seconds(cutover)[0] == 20 - QUIET
        cutover.run.save(replace(cutover.now(), arriving=10.0, applying=20.0))
        assert self.seconds(cutover)[0] == 10 - QUIET
