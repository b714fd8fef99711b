"""Where the waiting is done."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Protocol, TypeVar

Result = TypeVar("Result")


class Workers(Protocol):
    """Runs work that takes a while, and hands back its result later."""

    def submit(self, work: Callable[[], Result], done: Callable[[Result], None]) -> None:
        """Run `work` elsewhere; `done` is called with its result by whoever calls `collect`."""

    def collect(self, timeout: float) -> None:
        """Wait for results, at most `timeout` seconds for the first, and hand back those that are there."""


class ThreadWorkers:
    """A thread for each piece of work: however many lanes wait for a function, another can start."""

    def __init__(self) -> None:
        self._finished: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def submit(self, work: Callable[[], Result], done: Callable[[Result], None]) -> None:
        def run() -> None:
            try:
                result = work()
            except Exception as error:
                # Nothing is expected to get here. It ends the poller: a lane left waiting would hide it.
                self._finished.put(lambda error=error: _raise(error))  # type: ignore[misc]
            else:
                self._finished.put(lambda: done(result))

        # Daemons: a function that takes its time must not keep a stopped poller alive.
        threading.Thread(target=run, daemon=True).start()

    def collect(self, timeout: float) -> None:
        try:
            hand_back = self._finished.get(timeout=timeout)
            while True:
                hand_back()
                hand_back = self._finished.get_nowait()
        except queue.Empty:
            return


def _raise(error: Exception) -> None:
    raise error
