"""The reconciler: one look at the run, and at most one move.

Every phase is written before what it forbids is relied upon, and every side effect (switching the mapping,
starting an execution) is asked for again whenever the phase is found to want it. So the reconciler can
be ended anywhere, and any number of them may run at once: the journal lets only one of them make a move.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from botocore.exceptions import ClientError

from tablecopy.clock import Clock
from tablecopy.control.executions import Executions
from tablecopy.control.mapping import Mapping as SourceMapping
from tablecopy.control.pace import Pace, begin_window
from tablecopy.control.queue import FailureQueue
from tablecopy.control.reach import OUT_OF_REACH, out_of_reach
from tablecopy.control.stream.expiry import RecordsExpired
from tablecopy.control.stream.progress import Backlog, Stream, StreamGone
from tablecopy.control.table_checks import Watch
from tablecopy.control.work import Work
from tablecopy.journal.dead_letters import DeadLetters
from tablecopy.journal.leases import BACKFILL, REPLICATOR, Leases
from tablecopy.journal.run import Phase, Run, RunRecord
from tablecopy.journal.segments import Segments
from tablecopy.metrics import log

# While segments are left, a slice may follow as soon as the replicator is this close to the source.
_IN_STEP_SECONDS = 10.0

_LOOK_AGAIN_SECONDS = 1.0

# A slice that copies nothing is tried again; that many in a row need a person.
_EMPTY_SLICES = 3

_CHANGES = "changes are still being applied; stop the writers to become ready for cutover"


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
    """What the reconciler looks at and moves.

    ``preflight`` finds what keeps the run from beginning, one sentence each, and ``survey`` the fields of
    the run that follow from the tables. ``tell_age`` is told how old the oldest unapplied change is, in
    seconds.
    """

    run: RunRecord
    segments: Segments
    leases: Leases
    letters: DeadLetters
    mapping: SourceMapping
    executions: Executions
    stream: Stream
    queue: FailureQueue
    watch: Watch
    preflight: Callable[[Run], list[str]]
    survey: Callable[[], Mapping[str, Any]]
    tell_age: Callable[[float], None]


def reconcile(reconciler: Reconciler, clock: Clock, until: float, is_my_turn: Callable[[], bool]) -> None:
    """Keep looking until nothing moves by itself, or ``until`` (seconds since the epoch).

    ``is_my_turn`` is asked before each look, and ends it where another reconciler has taken over.
    """
    while clock.now() < until and is_my_turn():
        outcome = reconciler.step()
        if outcome is Outcome.IDLE:
            return
        if outcome is Outcome.WAITING:
            clock.sleep(_LOOK_AGAIN_SECONDS)


class Reconciler:
    """Moves a run on.

    Parameters
    ----------
    pace
        How long a slice lasts, and so for how long the replicator is paused.
    concurrency
        How many workers the state machine runs at the same time.
    """

    def __init__(self, parts: Parts, clock: Clock, pace: Pace, concurrency: int) -> None:
        self._parts = parts
        self._clock = clock
        self._pace = pace
        self._concurrency = concurrency
        self._steps: dict[Phase, Callable[[Run, Backlog], Outcome]] = {
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
        if run.phase is Phase.PREFLIGHT:
            return self._preflight(run)
        # A run that is being sealed writes no more, whatever becomes of the tables.
        halt = None if run.phase is Phase.SEALING else self._parts.watch.look(run)
        if halt:
            return self._stop(run, halt.reason, resumable=halt.resumable)
        try:
            return self._steps[run.phase](run, self._observe(run))
        except (RecordsExpired, StreamGone) as lost:
            return self._stop(run, str(lost), resumable=False)

    def _observe(self, run: Run) -> Backlog:
        # Before its first slice a run has read nothing that an expired change could be missing from.
        now = self._clock.now()
        covered_to = run.scan_began or now
        count = run.phase is Phase.SLICE and run.applying > 0
        backlog = self._parts.stream.observe(covered_to, count=count)
        # The stream may hold a day of changes from before the copy, which the scan covers: their age counts
        # from its beginning.
        self._parts.tell_age(min(backlog.oldest_age, now - covered_to))
        return backlog

    def _preflight(self, run: Run) -> Outcome:
        problems = self._parts.preflight(run)
        try:
            self._observe(run)
        except (ClientError, StreamGone) as error:
            # The role may be as new as the run. What else is wrong is told all the same.
            problems.append(f"the stream cannot be read: {error}")
        except OUT_OF_REACH as error:
            problems.append(out_of_reach(error))
        # Several checks may have met the same service.
        problems = list(dict.fromkeys(problems))
        if not problems:
            cleared = replace(run, problems=(), **self._parts.survey())
            return self._enter(cleared, Phase.PAUSING)
        if tuple(problems) != run.problems or not run.checked:
            log.event("preflight", problems=problems)
            checked = replace(run, problems=tuple(problems), checked=run.checked or self._clock.now())
            if self._parts.run.save(checked) is None:
                # An operator has started it meanwhile, which may be all that was in the way.
                return Outcome.MOVED
        return Outcome.IDLE

    def _pausing(self, run: Run, _: Backlog) -> Outcome:
        disabled = self._parts.mapping.switch(on=False)
        if not disabled or self._parts.leases.alive(REPLICATOR):
            return Outcome.WAITING
        halt = self._parts.watch.look_now(run)
        if halt:
            return self._stop(run, halt.reason, resumable=halt.resumable)
        now = self._clock.now()
        number = run.slice + 1
        begun = replace(run, slice=number, redrive_slice=number if run.redrive else run.redrive_slice)
        work = self._work(begun)
        return self._enter(
            begun,
            Phase.SLICE,
            slice_began=now,
            slice_ends=now + self._pace.slice_length(run),
            scan_began=run.scan_began or now,
            failed_workers=0,
            copied_before_slice=work.copied,
            rate_measured_since=run.rate_measured_since or now,
            rate_measured_from=run.rate_measured_from if run.rate_measured_since else work.copied,
            workers=work.workers(self._concurrency),
        )

    def _slice(self, run: Run, backlog: Backlog) -> Outcome:
        self._parts.mapping.switch(on=False)
        work = self._work(run)
        now = self._clock.now()
        too_long = self._pace.is_over(run, backlog, now)
        in_time = now < run.slice_ends and not too_long
        if work.parts and in_time and self._parts.executions.is_running(run.run_id, run.slice, work.parts):
            workers = work.workers(self._concurrency)
            if workers < run.workers:
                self._parts.run.save(replace(run, workers=workers))
            return Outcome.WAITING
        if too_long:
            log.event("slice_cut_short", age=backlog.oldest_age, waiting=backlog.waiting)
        barren = bool(work.segments) and not too_long and work.copied == run.copied_before_slice
        return self._enter(
            run,
            Phase.RESUMING,
            empty_slices=run.empty_slices + 1 if barren else 0,
            # The execution is over and time is left: its workers have used up their retries. The one for dead
            # letters is left out: whether it has done its work, the letters tell.
            failed_workers=len(work.segments) if in_time else 0,
            redrive=run.redrive and not work.letters,
        )

    def _resuming(self, run: Run, backlog: Backlog) -> Outcome:
        if self._parts.leases.alive(BACKFILL):
            return Outcome.WAITING
        if run.empty_slices >= _EMPTY_SLICES:
            return self._stop(
                run,
                f"{run.empty_slices} slices in a row copied nothing; the log group of the backfill function "
                "says why. Mend it and start the run again: it carries on where it was",
            )
        now = self._clock.now()
        # All that was changed since the slice began is to be applied now, if nothing older is.
        behind = max(backlog.oldest_age, now - run.slice_began if run.slice_began else 0.0)
        return self._enter(run, Phase.DRAINING, **begin_window(backlog, now, behind))

    def _draining(self, run: Run, backlog: Backlog) -> Outcome:
        now = self._clock.now()
        slices_left = run.redrive or bool(self._work(run).segments)
        late = self._pace.cannot_catch_up(run, backlog, now, slices_left=slices_left)
        if late:
            return self._stop(run, late)
        if not self._parts.mapping.switch(on=True):
            return Outcome.WAITING
        if slices_left and _in_step(backlog):
            return self._next_slice(run, backlog)
        if backlog.drained:
            waits_for = self._obstacle()
            if not waits_for:
                return self._finish(run, Phase.READY, reason="")
        else:
            waits_for = self._parts.mapping.complaint() or ("" if slices_left else _CHANGES)
        blocked = backlog.drained
        if (waits_for, blocked) != (run.reason, run.blocked):
            run = self._parts.run.save(replace(run, reason=waits_for, blocked=blocked)) or run
        if self._pace.is_measured(run, now):
            stretch = {
                **self._pace.measured(run, backlog, now),
                **begin_window(backlog, now, backlog.oldest_age),
            }
            self._parts.run.save(replace(run, **stretch))
        return Outcome.WAITING

    def _next_slice(self, run: Run, backlog: Backlog) -> Outcome:
        if run.redrive and not self._parts.letters.count():
            self._parts.run.save(replace(run, redrive=False))
            return Outcome.MOVED
        measured = replace(run, **self._pace.measured(run, backlog, self._clock.now()))
        none = self._pace.no_slice(measured)
        return self._stop(measured, none) if none else self._enter(measured, Phase.PAUSING, reason="")

    def _ready(self, run: Run, backlog: Backlog) -> Outcome:
        self._parts.mapping.switch(on=True)
        waits_for = _CHANGES if backlog.changed else self._obstacle()
        if waits_for:
            now = self._clock.now()
            stretch = begin_window(backlog, now, backlog.oldest_age)
            return self._enter(run, Phase.DRAINING, reason=waits_for, seal_requested=False, **stretch)
        if not backlog.drained:
            # Nothing speaks against it, but this look proves nothing: a shard has just ended.
            return Outcome.WAITING
        return self._finish(run, Phase.SEALING) if run.seal_requested else Outcome.IDLE

    def _sealing(self, run: Run, backlog: Backlog) -> Outcome:
        disabled = self._parts.mapping.switch(on=False)
        if not disabled or self._parts.leases.alive(REPLICATOR) or not self._parts.stream.is_complete():
            return Outcome.WAITING
        late = "the source was written to after the run was ready; these changes were not copied"
        return self._enter(run, Phase.SEALED, reason=late if backlog.oldest_age else "")

    def _obstacle(self) -> str:
        """What else stands in the way of ready for cutover; empty when nothing does."""
        letters = self._parts.letters.count()
        if letters:
            return (
                f"{letters} dead letter(s) are open: tablecopy letters lists what the destination refused "
                "and why, tablecopy redrive tries it again"
            )
        depth = self._parts.queue.depth()
        if depth:
            return f"the failure queue holds {depth} message(s): Lambda has given up on records"
        return ""

    def _work(self, run: Run) -> Work:
        return Work.left(run, self._parts.segments.read_all(run.total_segments))

    def _finish(self, run: Run, phase: Phase, **changes: object) -> Outcome:
        """Enter a phase that says that the copy is good, if its tables and shards are, at this moment."""
        halt = self._parts.watch.look_now(run)
        if halt:
            return self._stop(run, halt.reason, resumable=halt.resumable)
        if not self._parts.stream.is_complete():
            # A shard that was not looked at may hold changes.
            return Outcome.WAITING
        return self._enter(run, phase, **changes)

    def _stop(self, run: Run, reason: str, *, resumable: bool = True) -> Outcome:
        return self._enter(run, Phase.STOPPED, reason=reason, resumable=resumable)

    def _enter(self, run: Run, phase: Phase, **changes: object) -> Outcome:
        if self._parts.run.save(run.enter(phase, self._clock.now(), **changes)):
            log.event("phase", phase=phase, **{"slice": run.slice, **changes})
        return Outcome.MOVED


def _in_step(backlog: Backlog) -> bool:
    return backlog.drained or backlog.oldest_age <= _IN_STEP_SECONDS
