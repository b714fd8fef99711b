"""Both tables' scans, spread over threads and processes."""

from __future__ import annotations

import gc
import multiprocessing
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Literal, TypeAlias

from tablecopy.throughput.rate import TokenBucket
from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.credentials import SIGN_INS, lend
from tablecopy_cli.common.errors import UserError
from verify.scan.calls import Stopped, sender
from verify.scan.segment import Reached, ScanPlan, SegmentScan
from verify.scan.table import Table
from verify.scan.work import join

SideName: TypeAlias = Literal["source", "destination"]
SIDES: tuple[SideName, SideName] = ("source", "destination")

# More threads only wait for each other: a page keeps a core busy for 10 ms, and a call takes some 100 ms.
THREADS_EACH = 32

_TURN_SECONDS = 0.05

_LOOK_SECONDS = 0.2

# For all processes together to write the pages in hand; calls that hang longer are not waited for.
_END_SECONDS = 2.0

_TICK_SECONDS = 0.2
_JOIN_SECONDS = 2.0


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
    calls.Stopped
        ``stop`` was set.
    """
    numbers: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(len(jobs)):
        numbers.put(number)
    work = _Share(tables, plan, jobs, progress)
    threads = min(len(jobs), THREADS_EACH)
    run_all([lambda: work.run(numbers.get_nowait)] * threads, stop=stop, tick=tick)


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
    context = multiprocessing.get_context("spawn")
    origins = {side: (table.side, table.description, table.calls.limit) for side, table in tables.items()}
    # Nothing is ever sent: that the first process closes its end, or is gone, is what the others wait for.
    told, telling = context.Pipe(duplex=False)
    failures = context.Queue()
    numbers = context.Value("i", 0)
    threads = -(-len(jobs) // processes)
    loans = [lend() for _ in range(processes)]
    workers = [
        context.Process(
            target=_work,
            args=(origins, plan, jobs, progress, numbers, threads, told, failures, loan),
            daemon=True,
        )
        for loan in loans
    ]
    try:
        with _deaf_to_interrupts():
            for worker in workers:
                worker.start()
        _await(workers, failures, tick)
    finally:
        telling.close()
        for loan in loans:
            loan.close()
        _end([worker for worker in workers if worker.pid is not None])


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


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Have the processes that are started in the block never see Ctrl-C, and this one see it after the block.

    Ctrl-C reaches every process of a terminal, also one that has not come further than its imports.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end(workers: Sequence[Any]) -> None:
    give_up = time.monotonic() + _END_SECONDS
    for worker in workers:
        worker.join(max(0.0, give_up - time.monotonic()))
        if worker.is_alive():
            worker.kill()
            worker.join()


def _await(workers: Sequence[Any], failures: Any, tick: Callable[[], None]) -> None:
    running = {worker.sentinel: worker for worker in workers}
    while running:
        for sentinel in wait(list(running), timeout=_LOOK_SECONDS):
            worker = running.pop(sentinel)
            worker.join()
            if worker.exitcode != 0:
                raise _failure(failures, worker.exitcode)
        tick()


def _failure(failures: Any, exit_code: int) -> Exception:
    try:
        failure: Exception = failures.get(timeout=1)
    except queue.Empty:
        what = f"by signal {-exit_code}" if exit_code < 0 else f"with exit code {exit_code}"
        return UserError(f"A scanning process was ended {what}. Run again with --resume.")
    return failure


def _work(
    origins: Mapping[SideName, tuple[Side, Mapping[str, Any], TokenBucket | None]],
    plan: ScanPlan,
    jobs: Sequence[Job],
    progress: SharedProgress,
    numbers: Any,
    threads: int,
    told: Connection,
    failures: Any,
    loan: Connection,
) -> None:
    """The body of a process."""
    join(jobs[0].path.parent)
    parent = multiprocessing.parent_process()
    if parent is None or not parent.is_alive():
        # The parent ended before this process joined the directory, so a resumed run has not waited for it.
        os._exit(1)
    stop = threading.Event()
    threading.Thread(target=_end_when_told, args=(told, parent.sentinel, stop), daemon=True).start()

    def take() -> int:
        with numbers.get_lock():
            if numbers.value == len(jobs):
                raise queue.Empty
            numbers.value += 1
            return int(numbers.value) - 1

    try:
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
        run_all([lambda: share.run(take)] * threads, stop=stop)
    except Stopped:
        return
    except UserError as error:
        failures.put(error)
    except Exception as error:
        failures.put(UserError(f"{type(error).__name__}: {error}") if not _plain(error) else error)
    else:
        return
    failures.close()
    failures.join_thread()
    raise SystemExit(1)


def _plain(error: Exception) -> bool:
    """Whether it can be passed to another process and says there what it says here."""
    return isinstance(error, OSError) and type(error).__module__ == "builtins"


def _end_when_told(told: Connection, parent: int, stop: threading.Event) -> None:
    wait([told])
    stop.set()
    wait([parent])
    # The next run must find no process that still writes the files.
    os._exit(1)


def run_all(
    tasks: Sequence[Callable[[], None]], *, stop: threading.Event, tick: Callable[[], None] = lambda: None
) -> None:
    """Run every task in a thread of its own and wait for all of them.

    Parameters
    ----------
    tasks
        Each has to return soon after `stop` is set.
    stop
        Set here when a task fails or the wait is interrupted.
    tick
        Called in the caller's thread several times a second.

    Raises
    ------
    Exception
        The first failure of a task. The other threads have been told to stop by then; one that hangs in
        a call is not waited for, and does not keep the process alive.
    """
    done: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()

    def work(task: Callable[[], None]) -> None:
        try:
            task()
        except Exception as error:
            done.put(error)
        else:
            done.put(None)

    threads = [threading.Thread(target=work, args=(task,), daemon=True) for task in tasks]
    for thread in threads:
        thread.start()
    running = len(threads)
    try:
        while running:
            try:
                failure = done.get(timeout=_TICK_SECONDS)
            except queue.Empty:
                tick()
                continue
            if failure is not None:
                raise failure
            running -= 1
            tick()
    finally:
        if running:
            stop.set()
        # One that has said it is done may still be about to end.
        deadline = time.monotonic() + _JOIN_SECONDS
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
