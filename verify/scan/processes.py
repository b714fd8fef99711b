"""Threads and processes that work for a comparison, and end with it."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from tablecopy_cli.common.errors import UserError
from verify.scan.work import join

_LOOK_SECONDS = 0.2

# For all processes together to write what they have in hand; calls that hang longer are not waited for.
_END_SECONDS = 2.0

_TICK_SECONDS = 0.2
_JOIN_SECONDS = 2.0


class Stopped(Exception):
    """The comparison is ending, and nothing more may be read or written."""


class Numbers:
    """The numbers from 0, each given to one taker, over all threads and processes.

    Parameters
    ----------
    count
        How many there are.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._next = multiprocessing.get_context("spawn").Value("i", 0)

    def take(self) -> int:
        """Return the next number.

        Raises
        ------
        queue.Empty
            All are taken.
        """
        with self._next.get_lock():
            if self._next.value == self._count:
                raise queue.Empty
            self._next.value += 1
            return int(self._next.value) - 1


def run_in_processes(
    work: Callable[..., None],
    arguments: Sequence[tuple[Any, ...]],
    directory: Path,
    tick: Callable[[], None],
) -> None:
    """Run ``work(stop, *each)`` in a process for each of ``arguments``.

    Parameters
    ----------
    work
        A function of a module. It has to return, or to raise `Stopped`, soon after the event ``stop`` is set.
    arguments
        What each process gets.
    directory
        The comparison's directory, which another run cannot use before all these processes have ended.
    tick
        Called several times a second.

    Raises
    ------
    UserError, OSError
        The first failure of ``work``, or a process that ended without a word.
    KeyboardInterrupt
        As raised by ``tick`` or while waiting; the processes end before it is passed on.
    """
    context = multiprocessing.get_context("spawn")
    # Nothing is ever sent: that the first process closes its end, or is gone, is what the others wait for.
    told, telling = context.Pipe(duplex=False)
    failures = context.Queue()
    workers = [
        context.Process(target=_serve, args=(work, each, directory, told, failures), daemon=True)
        for each in arguments
    ]
    try:
        with _deaf_to_interrupts():
            for worker in workers:
                worker.start()
        _await(workers, failures, tick)
    finally:
        telling.close()
        _end([worker for worker in workers if worker.pid is not None])


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
        return UserError(f"A process of this comparison was ended {what}. Run again with --resume.")
    return failure


def _serve(
    work: Callable[..., None],
    arguments: tuple[Any, ...],
    directory: Path,
    told: Connection,
    failures: Any,
) -> None:
    join(directory)
    parent = multiprocessing.parent_process()
    if parent is None or not parent.is_alive():
        # The parent ended before this process joined the directory, so a resumed run has not waited for it.
        os._exit(1)
    stop = threading.Event()
    threading.Thread(target=_end_when_told, args=(told, parent.sentinel, stop), daemon=True).start()
    try:
        work(stop, *arguments)
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
