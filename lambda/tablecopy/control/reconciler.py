"""The reconciler: one look at the run, and at most one move.

Every phase is written before what it forbids is relied upon, and every side effect (switching the mapping,
starting an execution) is asked for again whenever the phase is found to want it. So the reconciler can
be ended anywhere, and any number of them may run at once: the journal lets only one of them make a move.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from tablecopy import log
from tablecopy.clock import Clock
from tablecopy.control.executions import Executions
from tablecopy.control.mapping import Mapping
from tablecopy.control.queue import FailureQueue
from tablecopy.control.stream import Backlog, RecordsExpired, Stream
from tablecopy.journal.leases import BACKFILL, REPLICATOR, Leases
from tablecopy.journal.run import Phase, Run, RunRecord
from tablecopy.journal.segments import Segment, Segments

# While segments are left, a slice may follow as soon as the replicator is this close to the source.
_IN_STEP_SECONDS = 10.0

_LOOK_AGAIN_SECONDS = 1.0

# A slice that copies nothing is tried again; that many in a row need a person.
_BARREN_SLICES = 3


class Outcome(Enum):
    """What came of one look."""

    MOVED = "moved"
    """The run is in another phase, or another reconciler has moved it: look again at once."""
    WAITING = "waiting"
    """Something is under way: look again in a moment."""
    IDLE = "idle"
    """Nothing will happen by itself soon: look again in a minute."""


@dataclass(frozen=True)
class Parts:
    """What the reconciler looks at and moves."""

    run: RunRecord
    segments: Segments
    leases: Leases
    mapping: Mapping
    executions: Executions
    stream: Stream
    queue: FailureQueue
    preflight: Callable[[], list[str]]
    stream_problems: Callable[[], list[str]]
    key_names: Callable[[], Sequence[str]]
    publish: Callable[[Backlog], None]


def reconcile(reconciler: Reconciler, clock: Clock, until: float) -> None:
    """Keep looking until nothing moves by itself, or ``until`` (seconds since the epoch)."""
    while clock.now() < until:
        outcome = reconciler.step()
        if outcome is Outcome.IDLE:
            return
        if outcome is Outcome.WAITING:
            clock.sleep(_LOOK_AGAIN_SECONDS)


class Reconciler:
    """Moves a run on.

    Parameters
    ----------
    slice_seconds
        How long a slice lasts at most, and so for how long the replicator is paused.
    """

    def __init__(self, parts: Parts, clock: Clock, slice_seconds: float) -> None:
        self._parts = parts
        self._clock = clock
        self._slice_seconds = slice_seconds
        self._steps: dict[Phase, Callable[[Run, Backlog], Outcome]] = {
            Phase.PREFLIGHT: self._preflight,
            Phase.PAUSING: self._pausing,
            Phase.SLICE: self._slice,
            Phase.RESUMING: self._resuming,
            Phase.DRAINING: self._draining,
            Phase.READY: self._ready,
            Phase.SEALING: self._sealing,
        }

    def step(self) -> Outcome:
        """Look at the run once and move it on if it can be."""
        run = self._parts.run.read()
        if run is None:
            return Outcome.IDLE
        if run.phase in {Phase.SEALED, Phase.STOPPED}:
            self._parts.mapping.switch(on=False)
            return Outcome.IDLE
        try:
            # Before its first slice a run has read nothing that an expired change could be missing from.
            backlog = self._parts.stream.observe(run.scan_began or self._clock.now())
        except RecordsExpired as expired:
            return self._stop(run, str(expired), resumable=False)
        self._parts.publish(backlog)
        return self._steps[run.phase](run, backlog)

    def _preflight(self, run: Run, _: Backlog) -> Outcome:
        problems = tuple(self._parts.preflight())
        if not problems:
            cleared = replace(run, problems=(), key_names=tuple(self._parts.key_names()))
            return self._enter(cleared, Phase.PAUSING)
        if problems != run.problems:
            self._parts.run.save(replace(run, problems=problems))
            log.event("preflight", problems=problems)
        return Outcome.IDLE

    def _pausing(self, run: Run, _: Backlog) -> Outcome:
        disabled = self._parts.mapping.switch(on=False)
        if not disabled or self._parts.leases.alive(REPLICATOR):
            return Outcome.WAITING
        gone = self._parts.stream_problems()
        if gone:
            return self._stop(run, "; ".join(gone), resumable=False)
        now = self._clock.now()
        return self._enter(
            run,
            Phase.SLICE,
            slice=run.slice + 1,
            slice_ends=now + self._slice_seconds,
            scan_began=run.scan_began or now,
            copied_before_slice=_copied(self._segments(run)),
        )

    def _slice(self, run: Run, _: Backlog) -> Outcome:
        self._parts.mapping.switch(on=False)
        segments = self._segments(run)
        left = [segment.number for segment in segments if not segment.done]
        time_left = self._clock.now() < run.slice_ends
        if left and time_left and self._parts.executions.is_running(run.run_id, run.slice, left):
            return Outcome.WAITING
        barren = bool(left) and _copied(segments) == run.copied_before_slice
        return self._enter(run, Phase.RESUMING, barren_slices=run.barren_slices + 1 if barren else 0)

    def _resuming(self, run: Run, _: Backlog) -> Outcome:
        if self._parts.leases.alive(BACKFILL):
            return Outcome.WAITING
        if run.barren_slices >= _BARREN_SLICES:
            return self._stop(
                run,
                f"{run.barren_slices} slices in a row copied nothing; the log group of the backfill function "
                "says why. Mend it and start the run again: it carries on where it was",
            )
        return self._enter(run, Phase.DRAINING)

    def _draining(self, run: Run, backlog: Backlog) -> Outcome:
        if not self._parts.mapping.switch(on=True):
            return Outcome.WAITING
        if any(not segment.done for segment in self._segments(run)):
            return self._enter(run, Phase.PAUSING) if _in_step(backlog) else Outcome.WAITING
        waits_for = self._not_ready(backlog)
        if not waits_for:
            return self._enter(run, Phase.READY, reason="")
        if waits_for != run.reason:
            self._parts.run.save(replace(run, reason=waits_for))
        return Outcome.WAITING

    def _ready(self, run: Run, backlog: Backlog) -> Outcome:
        self._parts.mapping.switch(on=True)
        waits_for = self._not_ready(backlog)
        if waits_for:
            return self._enter(run, Phase.DRAINING, reason=waits_for, seal_requested=False)
        return self._enter(run, Phase.SEALING) if run.seal_requested else Outcome.IDLE

    def _sealing(self, run: Run, backlog: Backlog) -> Outcome:
        disabled = self._parts.mapping.switch(on=False)
        if not disabled or self._parts.leases.alive(REPLICATOR):
            return Outcome.WAITING
        late = "the source was written to after the run was ready; these changes were not copied"
        return self._enter(run, Phase.SEALED, reason=late if backlog.oldest_age else "")

    def _not_ready(self, backlog: Backlog) -> str:
        if not backlog.drained:
            return "changes are still being applied; stop the writers to become ready for cutover"
        gone = self._parts.stream_problems()
        if gone:
            return "; ".join(gone)
        depth = self._parts.queue.depth()
        if depth:
            return f"the failure queue holds {depth} message(s): Lambda has given up on records"
        return ""

    def _segments(self, run: Run) -> list[Segment]:
        return self._parts.segments.read_all(run.total_segments)

    def _stop(self, run: Run, reason: str, *, resumable: bool = True) -> Outcome:
        return self._enter(run, Phase.STOPPED, reason=reason, resumable=resumable)

    def _enter(self, run: Run, phase: Phase, **changes: object) -> Outcome:
        if self._parts.run.save(run.enter(phase, self._clock.now(), **changes)):
            log.event("phase", phase=phase, **{"slice": run.slice, **changes})
        return Outcome.MOVED


def _copied(segments: Sequence[Segment]) -> int:
    return sum(segment.items for segment in segments)


def _in_step(backlog: Backlog) -> bool:
    return backlog.drained or backlog.oldest_age <= _IN_STEP_SECONDS
