"""Both tables' scans, spread over threads and processes."""

from __future__ import annotations

import gc
import multiprocessing
import queue
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal, TypeAlias

from tablecopy.throughput.rate import TokenBucket
from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.credentials import SIGN_INS, lend
from verify.scan.calls import sender
from verify.scan.processes import Numbers, run_all, run_in_processes
from verify.scan.segment import Reached, ScanPlan, SegmentScan
from verify.scan.table import Table

SideName: TypeAlias = Literal["source", "destination"]
SIDES: tuple[SideName, SideName] = ("source", "destination")

# More threads only wait for each other: a page keeps a core busy for 10 ms, and a call takes some 100 ms.
THREADS_EACH = 32

_TURN_SECONDS = 0.05


@dataclass(frozen=True)
class Job:
    """One segment of one side.

    Parameters
    ----------
    side
        Whose.
    segment
        Its number.
    path
        The file its rows go to.
    """

    side: SideName
    segment: int
    path: Path


class SharedProgress:
    """Items and read units of each job, in memory that processes share."""

    def __init__(self, jobs: int) -> None:
        self._cells = multiprocessing.get_context("spawn").Array("d", 2 * jobs, lock=False)

    def set(self, job: int, reached: Reached) -> None:
        """Say how far a job is."""
        self._cells[2 * job] = reached.items
        self._cells[2 * job + 1] = reached.units

    def get(self, job: int) -> Reached:
        """How far a job is."""
        return Reached(int(self._cells[2 * job]), self._cells[2 * job + 1])


def scan_in_threads(
    tables: Mapping[SideName, Table],
    plan: ScanPlan,
    jobs: Sequence[Job],
    progress: SharedProgress,
    *,
    stop: threading.Event,
    tick: Callable[[], None],
) -> None:
    """Do all ``jobs`` in threads of this process.

    Raises
    ------
    UserError, OSError
        The first failure of a job.
    processes.Stopped
        ``stop`` was set.
    """
    numbers = Numbers(len(jobs))
    work = _Share(tables, plan, jobs, progress)
    threads = min(len(jobs), THREADS_EACH)
    run_all([lambda: work.run(numbers.take)] * threads, stop=stop, tick=tick)


def scan_in_processes(
    tables: Mapping[SideName, Table],
    plan: ScanPlan,
    jobs: Sequence[Job],
    progress: SharedProgress,
    *,
    processes: int,
    tick: Callable[[], None],
) -> None:
    """Do all ``jobs`` in ``processes`` processes, which borrow the credentials of this one.

    Raises
    ------
    UserError
        The first failure of a job, or a process that ended without a word.
    KeyboardInterrupt
        As raised by ``tick`` or while waiting; the processes end before it is passed on.
    """
    origins = {side: (table.side, table.description, table.calls.limit) for side, table in tables.items()}
    numbers = Numbers(len(jobs))
    threads = -(-len(jobs) // processes)
    loans = [lend() for _ in range(processes)]
    try:
        run_in_processes(
            _work,
            [(origins, plan, jobs, progress, numbers, threads, loan) for loan in loans],
            jobs[0].path.parent,
            tick,
        )
    finally:
        for loan in loans:
            loan.close()


class _Share:
    """What one process does of the jobs, in threads that take the next one when they are done."""

    def __init__(
        self,
        tables: Mapping[SideName, Table],
        plan: ScanPlan,
        jobs: Sequence[Job],
        progress: SharedProgress,
    ) -> None:
        self._tables = tables
        self._plan = plan
        self._jobs = jobs
        self._tally = progress

    def run(self, take: Callable[[], int]) -> None:
        """Do jobs until ``take`` has no more (queue.Empty)."""
        while True:
            try:
                number = take()
            except queue.Empty:
                return
            job = self._jobs[number]
            scan = SegmentScan(self._tables[job.side], self._plan, job.segment, job.path)
            scan.run(lambda reached, number=number: self._tally.set(number, reached))  # type: ignore[misc]


def _work(
    stop: threading.Event,
    origins: Mapping[SideName, tuple[Side, Mapping[str, Any], TokenBucket | None]],
    plan: ScanPlan,
    jobs: Sequence[Job],
    progress: SharedProgress,
    numbers: Numbers,
    threads: int,
    loan: Connection,
) -> None:
    """The body of a process."""
    SIGN_INS.borrow(loan)
    tables = {
        name: Table(side, sender(side)[0], description, limit=limit, stop=stop)
        for name, (side, description, limit) in origins.items()
    }
    share = _Share(tables, plan, jobs, progress)
    # Pages create no reference cycles, and the garbage collector would take a tenth of the time.
    gc.freeze()
    gc.disable()
    # A thread processes a page in some milliseconds. Shorter switch intervals cost another tenth.
    sys.setswitchinterval(_TURN_SECONDS)
    threads = min(threads, THREADS_EACH)
    run_all([lambda: share.run(numbers.take)] * threads, stop=stop)
