"""Slices: the rules under which the backfill's workers may write to the destination."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from tablecopy.clock import Clock, OutOfTime
from tablecopy.data.writer import WRITE_MARGIN_SECONDS, BatchWriter, WriterFactory
from tablecopy.journal.leases import BACKFILL, Leases, LeaseTaken
from tablecopy.journal.run import Phase, Run, RunRecord
from tablecopy.throughput.limits import WorkerLimits

# How often a worker checks that its slice continues, and what its part of the capacity is.
CHECK_SECONDS = 5.0


@dataclass(frozen=True)
class SliceId:
    """A slice. The run of a new journal counts its slices from 1 again, so the number alone is not enough."""

    run_id: str
    number: int

    def is_open(self, run: Run) -> bool:
        """Return whether the workers of this slice may write, by the run in the journal."""
        return run.phase is Phase.SLICE and SliceId(run.run_id, run.slice) == self


class WorkerResult(StrEnum):
    """What the state machine does after a worker's invocation."""

    CONTINUE = "continue"
    """Invoke again: the function's time was up, but the slice continues."""
    WAIT = "wait"
    """Invoke again in a moment: another invocation may still be writing."""
    DONE = "done"
    """The worker's task is complete."""
    STOP = "stop"
    """The slice is over. The next slice continues the task."""


class SliceOver(OutOfTime):
    """The slice is over: its workers must not write any more."""


class SliceGuard:
    """Lets a worker write only while the slice is open, and only one worker for each task.

    Parameters
    ----------
    limits
        What this function may use of both tables' throughput.
    writer_for
        Makes the writer to the destination.
    """

    def __init__(
        self, run: RunRecord, leases: Leases, limits: WorkerLimits, writer_for: WriterFactory, clock: Clock
    ) -> None:
        self.limits = limits
        self._run = run
        self._leases = leases
        self._writer_for = writer_for
        self._clock = clock

    def run(
        self,
        task: str,
        slice_id: SliceId,
        owner: str,
        deadline: float,
        work: Callable[[SliceMonitor], None],
    ) -> WorkerResult:
        """Hold the task's lease while ``work`` writes. It returns when the task is complete.

        Parameters
        ----------
        task
            What is written: a segment, or the dead letters.
        slice_id
            The slice whose execution has invoked the worker.
        owner
            The invocation's request ID.
        deadline
            The function's Lambda deadline, in seconds since the epoch.
        work
            May raise OutOfTime when the slice or the function's time is up.

        Raises
        ------
        UnsettledWrite
            A write may still take effect; the lease stays until the function's deadline.
        """
        try:
            with self._enter(task, slice_id, owner, deadline) as monitor:
                try:
                    work(monitor)
                except OutOfTime:
                    return monitor.result()
                return WorkerResult.DONE
        except LeaseTaken:
            return WorkerResult.WAIT
        except SliceOver:
            return WorkerResult.STOP

    @contextmanager
    def _enter(self, task: str, slice_id: SliceId, owner: str, deadline: float) -> Iterator[SliceMonitor]:
        # The lease comes before the phase is read: control changes the phase before it reads the leases.
        with self._leases.hold(BACKFILL, task, owner, deadline):
            run = self._run.read()
            if run is None or not slice_id.is_open(run):
                raise SliceOver
            self.limits.update(run.workers, run.read_ceiling)
            until = min(deadline - WRITE_MARGIN_SECONDS, run.slice_ends)
            writer = self._writer_for(run.key_names, until)
            try:
                yield SliceMonitor(self._run, run, writer, until, self.limits, self._clock)
            finally:
                writer.settle(deadline)


class SliceMonitor:
    """A slice in which a worker may write. Control may end it early, and changes the number of workers.

    Attributes
    ----------
    run
        The run as it was when the worker entered the slice.
    writer
        Writer to the destination.
    until
        Seconds since the epoch after which the worker must not read or write.
    ends
        Called with the time if the slice is found to be over.
    """

    def __init__(
        self,
        record: RunRecord,
        run: Run,
        writer: BatchWriter,
        until: float,
        limits: WorkerLimits,
        clock: Clock,
    ) -> None:
        self.run = run
        self.writer = writer
        self.until = until
        self.ends: list[Callable[[float], None]] = [writer.end_by]
        self._slice_id = SliceId(run.run_id, run.slice)
        self._record = record
        self._limits = limits
        self._clock = clock
        self._checked = clock.now()
        self._over = False

    def check_if_due(self) -> None:
        """Check unless that was done recently. Raises SliceOver when the slice is over."""
        if self._clock.now() - self._checked >= CHECK_SECONDS:
            self.check()

    def check(self) -> None:
        """Check the run. Raises SliceOver when the slice is over."""
        self._checked = self._clock.now()
        run = self._record.read()
        if run is None or not self._slice_id.is_open(run):
            self._over = True
            for end_by in self.ends:
                end_by(self._checked)
            raise SliceOver
        self._limits.update(run.workers, run.read_ceiling)

    def result(self) -> WorkerResult:
        """Return the result of a worker whose time is up."""
        over = self._over or self._clock.now() >= self.run.slice_ends
        return WorkerResult.STOP if over else WorkerResult.CONTINUE
