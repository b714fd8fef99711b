"""The reconciler: looks at the run once, and moves it to another phase if it can.

The reconciler writes a phase before it relies on what the phase forbids. It requests every side effect
(switching the mapping, starting an execution) again whenever the phase requires it. So the reconciler may
end anywhere, and many reconcilers may run in parallel: the journal lets only one of them move the run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from tablecopy.clock import Clock
from tablecopy.control.pace import SliceLimits, begin_window
from tablecopy.control.preflight import UNREACHABLE, unreachable_problem
from tablecopy.control.sealing import Sealing
from tablecopy.control.steps import BEFORE_COPY_SECONDS, LOOKING, Dependencies, Outcome, failure
from tablecopy.control.stream.backlog import Backlog
from tablecopy.control.stream.expiry import RecordsExpired
from tablecopy.control.stream.listing import StreamGone
from tablecopy.control.stream.progress import CLOCK_MARGIN_SECONDS
from tablecopy.control.tables import NotProved, StopReason
from tablecopy.control.work import RemainingWork
from tablecopy.journal.leases import BACKFILL
from tablecopy.journal.run import Phase, Run
from tablecopy.journal.segments import Segment
from tablecopy.metrics import log
from tablecopy.text import count_text, duration_text

IN_SYNC_SECONDS = 30.0
"""While segments are left, a slice may follow as soon as the replicator is this close to the source.

With a thousand shards, one of them always waits for most of its batching window, which is ten seconds at most
(modules/copy), and then for the next look.
"""

_LOOK_AGAIN_SECONDS = 1.0

# The same while writers wait. A shard is still read twice a second at most.
_CUTOVER_LOOK_SECONDS = 0.5

# The last look of an invocation ends so long after the last moment for a step at the latest. The next
# invocation waits for it.
_LAST_LOOK_SECONDS = 2.0

# Nothing is concluded from what control saw longer ago.
_FRESH_SECONDS = 60.0

# A slice that copies nothing is repeated. So many in a row need an operator.
_EMPTY_SLICES = 3

_CHANGES = "changes are still being applied. The run becomes ready for cutover when writes stop"
_CHANGES_AT_CUTOVER = "changes of the source table still arrive. Check that all of its writers have stopped"


def reconcile(
    reconciler: Reconciler, clock: Clock, until: float, cutover_until: float, is_my_turn: Callable[[], bool]
) -> None:
    """Take steps until nothing moves by itself, or ``until`` (seconds since the epoch).

    A cutover continues until ``cutover_until``: the next invocation may have another clock, by which the
    quiet time would begin again. ``is_my_turn`` is called before each step; False ends the steps, since
    another reconciler has taken over.
    """

    def ends() -> float:
        return cutover_until if reconciler.is_cutting_over else until

    def is_over() -> bool:
        now = clock.now()
        # A request since the latest step is not left to another environment, which knows less of the shards.
        return now >= ends() and (now >= cutover_until or not reconciler.finds_cutover())

    while not is_over() and is_my_turn():
        outcome = reconciler.step(ends() + _LAST_LOOK_SECONDS)
        if outcome is Outcome.IDLE:
            return
        if outcome is Outcome.WAITING:
            reconciler.rest(_CUTOVER_LOOK_SECONDS if reconciler.is_cutting_over else _LOOK_AGAIN_SECONDS)


class Reconciler(Sealing):
    """Moves a run from phase to phase.

    Parameters
    ----------
    limits
        How long a slice lasts, and so for how long the replicator is paused.
    concurrency
        Number of workers that the state machine runs at the same time.
    begin_at
        When the copy in the other direction was sealed with a proof, in seconds since the epoch: the run
        applies what was written since, and scans nothing. 0 for a copy that scans its source.
    """

    def __init__(
        self,
        dependencies: Dependencies,
        clock: Clock,
        limits: SliceLimits,
        concurrency: int,
        begin_at: float = 0.0,
    ) -> None:
        super().__init__(dependencies, clock)
        self._limits = limits
        self._concurrency = concurrency
        self._begin_at = begin_at
        self._preflight_problems: list[str] | None = None
        self._preflight_is_whole = False
        self._is_cutting_over = False
        self._steps: dict[Phase, Callable[[Run], Outcome]] = {
            Phase.PREFLIGHT: self._preflight,
            Phase.PAUSING: self._pausing,
            Phase.SLICE: self._slice,
            Phase.RESUMING: self._resuming,
            Phase.DRAINING: self._draining,
            Phase.READY: self._ready,
            Phase.SEALING: self._sealing,
        }

    @property
    def is_cutting_over(self) -> bool:
        """Whether a request for a cutover was in progress when the run was read last."""
        return self._is_cutting_over

    def finds_cutover(self) -> bool:
        """Return whether a request for a cutover is in progress now."""
        run = self._deps.run.read()
        self._is_cutting_over = run is not None and run.is_cutting_over
        return self._is_cutting_over

    def step(self, look_ends: float = math.inf) -> Outcome:
        """Look at the run once and move it if possible.

        ``look_ends`` is when the look at the shards ends at the latest, in seconds since the epoch.
        """
        self._read_at, self._look_ends = self._clock.now(), look_ends
        run = self._deps.run.read()
        self._is_cutting_over = run is not None and run.is_cutting_over
        if run is None:
            return Outcome.IDLE
        if run.phase in {Phase.SEALED, Phase.STOPPED}:
            self._deps.mapping.switch(on=False)
            return Outcome.WAITING if self._watch_sealed(run) else Outcome.IDLE
        if run.is_cutting_over:
            self._deps.proof.stopped_at(run)
            if self._clock.now() >= run.seal_by:
                return self._lapse(run)
        # A run that is being sealed writes no more, whatever happens to the tables.
        if run.phase not in {Phase.PREFLIGHT, Phase.SEALING}:
            stop = self._another_mapping(run) or self._deps.tables.check(run)
            if stop:
                return self._stop(run, stop.reason, resumable=stop.resumable)
        try:
            return self._steps[run.phase](run)
        except (RecordsExpired, StreamGone) as lost:
            return self._stop(run, str(lost), resumable=False)
        except NotProved as error:
            return self._wait(run, str(error))

    def _another_mapping(self, run: Run) -> StopReason | None:
        """Return why the run must stop if its changes come from another mapping than those before."""
        if run.mapping_uuid in {"", self._deps.mapping.uuid}:
            return None
        # It may deliver changes again in batches that begin where no applied one does.
        return StopReason(
            f"event source mapping {run.mapping_uuid} was replaced by {self._deps.mapping.uuid}, which reads "
            "the stream from another place. Empty the destination and start a new copy",
            resumable=False,
        )

    def _preflight(self, run: Run) -> Outcome:
        try:
            backlog = self._observe(run)
        except StreamGone as gone:
            backlog = Backlog(error=gone)
        noted = backlog.listed and backlog.settled
        if self._preflight_problems is None or (noted and not self._preflight_is_whole):
            self._preflight_problems = self._deps.preflight(run)
            # Some checks need to know how many shards there are.
            self._preflight_is_whole = backlog.listed
        problems = list(self._preflight_problems)
        if not noted and backlog.error:
            problems.append(_unreadable(backlog.error))
        # Several checks may have failed at the same service.
        problems = list(dict.fromkeys(problems))
        if problems:
            return self._report(run, problems)
        if not noted:
            return self._wait(run, "the reconciler lists the stream's shards and notes its place in them")
        noted_run = replace(
            run,
            problems=(),
            mapping_uuid=self._deps.mapping.uuid,
            noted_at=self._clock.now(),
            **self._deps.inspect_tables(),
        )
        return self._begin_at_seal(noted_run) if self._begin_at else self._enter(noted_run, Phase.PAUSING)

    def _begin_at_seal(self, run: Run) -> Outcome:
        """Begin where a copy in the other direction was sealed: both tables were equal, and no one wrote.

        The stream's records from before the seal are acknowledged without being written, like those from
        before a scan. Clocks differ, so the latest of them are applied. That does no harm: they are what the
        other copy wrote, in its order, so they end at what the destination holds (tests/model/cutover).
        """
        now = self._clock.now()
        age = now - self._begin_at
        latest = self._limits.max_change_age
        if age > latest:
            return self._report(
                run,
                [
                    f"the copy in the other direction was sealed {duration_text(age)} ago. Without a scan, a "
                    f"copy must begin within {duration_text(latest)}, because a stream keeps changes for 24 "
                    "hours. Remove begin_at_seal, so that the copy scans the table"
                ],
            )
        if age < -CLOCK_MARGIN_SECONDS:
            return self._report(
                run, ["begin_at_seal is in the future. Use the time that tablecopy cutover printed"]
            )
        self._deps.segments.save(Segment(0, done=True, run=run.segments_id))
        return self._enter(
            run,
            Phase.RESUMING,
            total_segments=1,
            scan_began=self._begin_at,
            covered_to=self._begin_at - CLOCK_MARGIN_SECONDS,
        )

    def _report(self, run: Run, problems: Sequence[str]) -> Outcome:
        """Note the problems that preflight waits for. The next step checks everything again."""
        self._preflight_problems = None
        if tuple(problems) != run.problems or not run.checked:
            log.event("preflight", problems=problems)
            checked = replace(run, problems=tuple(problems), checked=run.checked or self._clock.now())
            if self._deps.run.save(checked) is None:
                # An operator has started the run, which may solve the problem.
                return Outcome.MOVED
        return Outcome.IDLE

    def _pausing(self, run: Run) -> Outcome:
        waits_for = self._replicator_may_write()
        if waits_for:
            self._observe(run)
            return self._wait(run, waits_for)
        if not run.scan_began:
            backlog = self._observe(run)
            # Changes that control has not seen must be from before the copy.
            if not backlog.settled or self._clock.now() < backlog.noted_at + BEFORE_COPY_SECONDS:
                return self._wait(run, "the first slice begins when the reconciler has noted its place")
        stop = self._deps.tables.check_now(run)
        if stop:
            return self._stop(run, stop.reason, resumable=stop.resumable)
        now = self._clock.now()
        number = run.slice + 1
        begun = replace(run, slice=number, redrive_slice=number if run.redrive else run.redrive_slice)
        work = self._work(begun)
        return self._enter(
            begun,
            Phase.SLICE,
            slice_began=now,
            slice_ends=now + self._limits.slice_length(run),
            scan_began=run.scan_began or now,
            covered_to=run.covered_to if run.scan_began else now - CLOCK_MARGIN_SECONDS,
            failed_workers=0,
            copied_before_slice=work.copied,
            rate_measured_since=run.rate_measured_since or now,
            rate_measured_from=run.rate_measured_from if run.rate_measured_since else work.copied,
            workers=work.workers(self._concurrency),
        )

    def _slice(self, run: Run) -> Outcome:
        backlog = None
        # The slice ends by the clock, whatever AWS answers and a look would show.
        if self._clock.now() < run.slice_ends:
            self._deps.mapping.switch(on=False)
            backlog = self._observe(run)
        work = self._work(run)
        now = self._clock.now()
        too_long = backlog is not None and self._limits.is_over(run, backlog, now)
        in_time = now < run.slice_ends and not too_long
        if work.parts and in_time and self._deps.executions.is_running(run.run_id, run.slice, work.parts):
            workers = work.workers(self._concurrency)
            if workers < run.workers:
                run = self._deps.run.save(replace(run, workers=workers)) or run
            is_busy = self._deps.executions.is_busy
            return self._wait(run, "Step Functions throttles the copy's requests" if is_busy else "")
        if too_long and backlog:
            log.event("slice_cut_short", age=backlog.oldest_age, waiting=backlog.waiting)
        is_empty = bool(work.segments) and not too_long and work.copied == run.copied_before_slice
        return self._enter(
            run,
            Phase.RESUMING,
            empty_slices=run.empty_slices + 1 if is_empty else 0,
            # The execution has ended and time is left, so its workers have used up their retries. The worker
            # for dead letters does not count: the open dead letters show whether it has done its work.
            failed_workers=len(work.segments) if in_time else 0,
            redrive=run.redrive and not work.dead_letters,
        )

    def _resuming(self, run: Run) -> Outcome:
        workers = len(self._deps.leases.alive(BACKFILL))
        backlog = self._observe(run)
        if workers:
            return self._wait(run, f"{count_text(workers, 'worker')} of the slice may still be writing")
        if run.empty_slices >= _EMPTY_SLICES:
            return self._stop(
                run,
                f"{count_text(run.empty_slices, 'slice')} in a row copied nothing. See the log group of the "
                "backfill function for the error, fix it and start the run again. It continues where it was",
            )
        now = self._clock.now()
        # Changes since the beginning of the slice must be applied now, or older ones if there are any.
        behind = max(backlog.oldest_age, now - run.slice_began if run.slice_began else 0.0)
        return self._enter(run, Phase.DRAINING, **begin_window(backlog, now, behind))

    def _draining(self, run: Run) -> Outcome:
        # Asked for first, so that changes are applied while control looks.
        enabled = self._deps.mapping.switch(on=True)
        backlog = self._observe(run)
        now = self._clock.now()
        slices_left = run.redrive or bool(self._work(run).segments)
        late = self._limits.cannot_catch_up(run, backlog, now, slices_left=slices_left)
        if late and backlog.looked_since >= now - _FRESH_SECONDS:
            return self._stop(run, late)
        if not enabled:
            return self._wait(run, self._switching(on=True))
        if slices_left and _in_sync(backlog):
            return self._next_slice(run, backlog)
        may_fence = self._may_fence(run, backlog)
        obstacle = self._obstacle() if backlog.drained or may_fence else ""
        if run.is_cutting_over:
            if different := self._deps.proof.evidence().different():
                return self._end_cutover(run, "different", different)
            if may_fence and not obstacle and not slices_left:
                return self._begin_to_seal(run, backlog)
        if backlog.quiet and not obstacle and not slices_left:
            return self._finish(run, Phase.READY)
        blocked, waits_for = bool(obstacle), obstacle
        if not blocked and not slices_left:
            # All known shards may be applied, before the lists of shards show that these are all.
            changes = _CHANGES_AT_CUTOVER if run.is_cutting_over else _CHANGES
            waits_for = backlog.waits_for or failure(backlog) or (LOOKING if backlog.drained else changes)
        if not backlog.drained:
            waits_for = self._deps.mapping.complaint() or waits_for
        if (waits_for, blocked) != (run.reason, run.blocked):
            run = self._deps.run.save(replace(run, reason=waits_for, blocked=blocked)) or run
        if self._limits.is_measured(run, now):
            window = {
                **self._limits.measured(run, backlog, now),
                **begin_window(backlog, now, backlog.oldest_age),
            }
            self._deps.run.save(replace(run, **window))
        return Outcome.WAITING

    def _next_slice(self, run: Run, backlog: Backlog) -> Outcome:
        if run.redrive and not self._deps.dead_letters.count():
            self._deps.run.save(replace(run, redrive=False))
            return Outcome.MOVED
        measured = replace(run, **self._limits.measured(run, backlog, self._clock.now()))
        problem = self._limits.no_slice(measured)
        return self._stop(measured, problem) if problem else self._enter(measured, Phase.PAUSING)

    def _ready(self, run: Run) -> Outcome:
        self._deps.mapping.switch(on=True)
        backlog = self._observe(run)
        changes = _CHANGES_AT_CUTOVER if run.is_cutting_over else _CHANGES
        waits_for = changes if backlog.changed else self._obstacle()
        if waits_for:
            now = self._clock.now()
            window = begin_window(backlog, now, backlog.oldest_age)
            return self._enter(run, Phase.DRAINING, reason=waits_for, seal_requested_at=0.0, **window)
        if self._may_fence(run, backlog):
            return self._begin_to_seal(run, backlog)
        if not backlog.drained:
            # Nothing prevents it, but this step proves nothing: a shard has just ended.
            return self._wait(run, backlog.waits_for or failure(backlog))
        if run.seal_requested_at:
            # Operators stop the writers first. So nothing is left behind that was written before.
            if backlog.proved_to < run.seal_requested_at:
                return self._wait(run, backlog.waits_for or failure(backlog) or LOOKING)
            return self._finish(run, Phase.SEALING)
        if run.reason:
            self._deps.run.save(replace(run, reason=""))
        return Outcome.IDLE

    def _work(self, run: Run) -> RemainingWork:
        return RemainingWork.of(run, self._deps.segments.read_all(run))


def _in_sync(backlog: Backlog) -> bool:
    return backlog.drained or backlog.oldest_age <= IN_SYNC_SECONDS


def _unreadable(error: Exception) -> str:
    """Return the problem of preflight that the stream cannot be read."""
    cause = error.__cause__
    if isinstance(cause, UNREACHABLE):
        return unreachable_problem(cause)
    return f"the reconciler cannot read the stream: {error}"
