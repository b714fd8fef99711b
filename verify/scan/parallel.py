"""Threads that end promptly: on the first failure, and on Ctrl-C."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence

_TICK_SECONDS = 0.2
_JOIN_SECONDS = 2.0


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
