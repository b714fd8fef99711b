"""Slices: the rules under which the backfill's workers may write to the destination."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from tablecopy.clock import Clock, OutOfTime
from tablecopy.data.writer import WRITE_MARGIN_SECONDS, BatchWriter, WriterFactory
from tablecopy.journal.leases import BACKFILL, Leases
from tablecopy.journal.run import Phase, Run, RunRecord
from tablecopy.throughput.limits import WorkerLimits

# How often a worker checks that its slice continues, and what its part of the capacity is.
CHECK_SECONDS = 5.0


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


@dataclass(frozen=True)
class OpenSlice:
    """A slice in which a worker may write.

    Attributes
    ----------
    run
        The run as it was when the worker entered the slice.
    writer
        Writer to the destination.
    until
        Seconds since the epoch after which the worker must not read or write.
    """

    run: Run
    writer: BatchWriter
    until: float


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

    @contextmanager
    def enter(self, task: str, slice_number: int, owner: str, deadline: float) -> Iterator[OpenSlice]:
        """Hold the task's lease while the body writes.

        Parameters
        ----------
        task
            What is written: a segment, or the dead letters.
        owner
            The invocation's request ID.
        deadline
            The function's Lambda deadline, in seconds since the epoch.

        Raises
        ------
        LeaseTaken
            Another invocation may still be writing.
        SliceOver
            The slice is not open.
        UnsettledWrite
            A write may still take effect; the lease stays until the function's deadline.
        """
        # The lease comes before the phase is read: control changes the phase before it reads the leases.
        with self._leases.hold(BACKFILL, task, owner, deadline):
            run = self._run.read()
            if run is None or not _is_open(run, slice_number):
                raise SliceOver
            self.limits.update(run.workers, run.read_ceiling)
            until = min(deadline - WRITE_MARGIN_SECONDS, run.slice_ends)
            writer = self._writer_for(run.key_names, until)
            try:
                yield OpenSlice(run, writer, until)
            finally:
                writer.settle(deadline)

    def monitor(self, entered: OpenSlice, ends: Sequence[Callable[[float], None]]) -> SliceMonitor:
        """Return what checks the slice while the worker works; see `SliceMonitor`."""
        return SliceMonitor(self._run, entered.run.slice, self.limits, ends, self._clock)

    def result(self, entered: OpenSlice) -> WorkerResult:
        """Return the result of a worker whose time is up."""
        return WorkerResult.STOP if self._clock.now() >= entered.run.slice_ends else WorkerResult.CONTINUE


class SliceMonitor:
    """Checks the run while a slice continues: control may end it early, and changes the workers' number.

    Parameters
    ----------
    ends
        Called with the time when the slice is found to be over.
    """

    def __init__(
        self,
        record: RunRecord,
        slice_number: int,
        limits: WorkerLimits,
        ends: Sequence[Callable[[float], None]],
        clock: Clock,
    ) -> None:
        self._record = record
        self._slice_number = slice_number
        self._limits = limits
        self._ends = ends
        self._clock = clock
        self._checked = clock.now()
        self.over = False

    def check_if_due(self) -> None:
        """Check unless that was done recently. Raises SliceOver when the slice is over."""
        if self._clock.now() - self._checked >= CHECK_SECONDS:
            self.check()

    def check(self) -> None:
        """Check the run. Raises SliceOver when the slice is over."""
        self._checked = self._clock.now()
        run = self._record.read()
        if run is None or not _is_open(run, self._slice_number):
            self.over = True
            for end_by in self._ends:
                end_by(self._checked)
            raise SliceOver
        self._limits.update(run.workers, run.read_ceiling)


def _is_open(run: Run, slice_number: int) -> bool:
    return run.phase is Phase.SLICE and run.slice == slice_number
