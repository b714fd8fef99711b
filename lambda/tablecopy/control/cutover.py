"""The operator's side of a cutover: its prediction, its request, and the tables that deny writes for it.

A request is written to the run, and the reconciler carries it out (`control.proof`). It lapses by itself, so
a command that dies leaves a copy that is in sync again.
"""

from __future__ import annotations

from dataclasses import replace

from tablecopy.clock import Machine
from tablecopy.control.commands import NotPossible
from tablecopy.control.prediction import predicted_parts, total
from tablecopy.control.proof import QUIET_SECONDS, Evidence, Proof
from tablecopy.control.status import CutoverStatus
from tablecopy.journal.dead_letters import DeadLetters
from tablecopy.journal.run import REPLICATING, Phase, Run, RunRecord
from tablecopy.journal.segments import Segments
from tablecopy.journal.shards import Shards
from tablecopy.journal.store import Store
from tablecopy.text import count_text

LONGEST_STOP_SECONDS = 3_600.0
"""A request lapses after an hour at the latest."""

_SHORTEST_QUIET, _LONGEST_QUIET = 1.0, 300.0

# Reconciler and tracker look every one to two seconds. One that has not for so long stands still.
_STILL_SECONDS = 4.0

_CANCELLED = "cancelled"


class CutoverCommands:
    """Answers an operator who cuts over."""

    def __init__(
        self, run: RunRecord, segments: Segments, letters: DeadLetters, store: Store, machine: Machine
    ) -> None:
        self._run = run
        self._segments = segments
        self._letters = letters
        self._shards = Shards(store)
        self._proof = Proof(store, machine)
        self._clock = machine

    def begin(self, request: str, max_stop: float, quiet_seconds: float = QUIET_SECONDS) -> None:
        """Request a cutover. The writers must have stopped before.

        While one is in progress, and after it has sealed the run, another request changes nothing.

        Parameters
        ----------
        request
            Id of the request, so that repeating it changes nothing.
        max_stop
            Seconds after which the request lapses, at most `LONGEST_STOP_SECONDS`.
        quiet_seconds
            For how long the streams must show nothing new.

        Raises
        ------
        NotPossible
            The run is not in sync, or a proof is not possible.
        """
        if not request:
            raise NotPossible("a cutover needs an id for its request")
        run = self._found()
        if run.seal_grade and (run.is_cutting_over or run.phase is Phase.SEALED):
            return
        if run.cutover == request:
            return
        refused = self.refused(run, self._proof.evidence())
        if refused:
            raise NotPossible(f"cannot cut over: {refused}")
        begun = replace(
            run,
            cutover=request,
            seal_by=self._clock.now() + min(max_stop, LONGEST_STOP_SECONDS),
            seal_grade="seen",
            quiet_seconds=max(_SHORTEST_QUIET, min(quiet_seconds, _LONGEST_QUIET)),
            fence="",
            # What the run has waited for until now is not what the cutover waits for.
            reason="",
            cutover_outcome="",
            cutover_reason="",
        )
        if self._run.save(begun) is None:
            self.begin(request, max_stop, quiet_seconds)

    def cancel(self, reason: str = "") -> None:
        """Cancel the request that is in progress; nothing happens if there is none.

        Raises
        ------
        NotPossible
            The run is sealed.
        """
        run = self._found()
        if run.phase is Phase.SEALED:
            raise NotPossible("cannot cancel the cutover: the run is sealed")
        if not run.is_cutting_over or run.cutover_outcome:
            return
        # The reconciler ends what has lapsed, and resumes a run that is being sealed.
        cancelled = replace(
            run,
            seal_by=min(run.seal_by, self._clock.now()),
            cutover_outcome=_CANCELLED,
            cutover_reason=reason or "an operator has cancelled it",
        )
        if self._run.save(cancelled) is None:
            self.cancel(reason)

    def deny(self, table_arn: str, *, denied: bool) -> None:
        """Record that a table's resource policy is about to deny writes, or that it does not any more.

        The record is made before the policy changes, and removed after the policy was restored. A command
        that dies in between leaves the record, so that the status shows the table.
        """
        run = self._found()
        tables = set(run.denied) - {table_arn} | ({table_arn} if denied else set())
        if tables != set(run.denied) and not self._run.save(replace(run, denied=tuple(sorted(tables)))):
            self.deny(table_arn, denied=denied)

    def status(self, quiet_seconds: float = QUIET_SECONDS) -> CutoverStatus:
        """Return the latest request, and what a cutover would take now."""
        run = self._run.read()
        if run is None:
            return CutoverStatus(refused="no run has been started. Run tablecopy start")
        evidence, summary = self._proof.evidence(), self._shards.summary()
        if run.is_cutting_over:
            quiet_seconds = run.quiet_seconds
        parts = predicted_parts(run, evidence.checked, summary, quiet_seconds, self._clock.now())
        refused = "" if run.phase is Phase.SEALED else self.refused(run, evidence)
        return CutoverStatus(
            request=run.cutover,
            active=run.is_cutting_over,
            by=run.seal_by,
            grade=run.seal_grade if run.phase is Phase.SEALED else "",
            outcome=run.cutover_outcome,
            reason=run.cutover_reason,
            quiet=run.quiet_seconds if run.cutover else quiet_seconds,
            denied=list(run.denied),
            refused=refused,
            passing=bool(refused) and refused == evidence.being_listed(),
            seconds=total(parts),
            parts=parts,
            compared=evidence.verification.ended if evidence.verification else 0.0,
        )

    def stands_still(self) -> tuple[bool, bool]:
        """Return whether the reconciler, and the tracker, have not looked for seconds while a cutover waits.

        Their schedules call them once a minute, and they look for most of it. The writers should not wait for
        the rest. Of a clock that differs by more, only a call too many comes.
        """
        run = self._run.read()
        if run is None or not run.is_cutting_over:
            return False, False
        since = self._clock.now() - _STILL_SECONDS
        return self._shards.summary().looked_at < since, self._proof.evidence().checked.looked_at < since

    def refused(self, run: Run, evidence: Evidence) -> str:
        """Return why a cutover cannot begin now; empty if it can."""
        if run.phase is Phase.SEALED:
            return "the run is sealed"
        if run.phase is Phase.SEALING:
            return "the run is being sealed"
        if run.phase is Phase.STOPPED:
            return f"the run is stopped: {run.reason}"
        left = sum(not segment.done for segment in self._segments.read_all(run))
        if left or run.phase not in REPLICATING:
            if left:
                return f"{left:,} of {run.total_segments:,} segments are not copied. Run tablecopy watch"
            return "the replicator is paused. Run tablecopy watch"
        if run.redrive:
            return "dead letters are about to be retried. Run tablecopy watch"
        letters = self._letters.count()
        if letters:
            return f"{count_text(letters, 'dead letter')} must be settled. Run tablecopy dead-letters"
        return evidence.impossible(run) or evidence.different() or evidence.unfinished()

    def _found(self) -> Run:
        run = self._run.read()
        if run is None:
            raise NotPossible("cannot cut over: no run has been started. Run tablecopy start")
        return run
