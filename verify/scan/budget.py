"""A side's share of read capacity, kept by all threads and processes that read it."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol


class Stopped(Exception):
    """The comparison is being ended; nothing more is to be read."""


class Budget(Protocol):
    """Says when a call may be made."""

    def take(self, stop: threading.Event) -> float:
        """Wait for a call's turn, and return the units taken for it, to be given to ``settle``.

        Raises
        ------
        Stopped
            ``stop`` was set meanwhile.
        """

    def settle(self, taken: float, consumed: float | None) -> None:
        """A call that took ``taken`` units has consumed ``consumed``, or nobody knows what (``None``)."""


class Unlimited:
    """As much as there is."""

    def take(self, stop: threading.Event) -> float:
        """Take nothing."""
        if stop.is_set():
            raise Stopped
        return 0.0

    def settle(self, taken: float, consumed: float | None) -> None:
        """Change nothing."""


class ReadCapacity:
    """A bucket of read capacity units that fills at a fixed rate and may go negative.

    A call takes what such calls have cost so far, and corrects that when its answer says what it did cost.
    Nothing is saved up: after a pause the rate is what it was. The bucket is in shared memory, so that the
    processes of a scan keep one budget together.

    Parameters
    ----------
    rate
        Units a second.
    clock
        Monotonic seconds, the same for every process.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self._clock = clock
        # Level, when it was filled, and what a call is expected to cost.
        self._state: Any = multiprocessing.get_context("spawn").Array("d", [0.0, clock(), 1.0])

    def take(self, stop: threading.Event) -> float:
        """Take what such calls have cost so far, once the bucket is not in debt."""
        while True:
            with self._state.get_lock():
                self._fill()
                level, guess = self._state[0], self._state[2]
                if level >= 0:
                    self._state[0] = level - guess
                    if stop.is_set():
                        raise Stopped
                    return float(guess)
            if stop.wait(-level / self.rate):
                raise Stopped

    def settle(self, taken: float, consumed: float | None) -> None:
        """Correct what was taken; of an answer that never came it stays taken."""
        if consumed is None:
            return
        with self._state.get_lock():
            self._state[0] += taken - consumed
            self._state[2] += (consumed - self._state[2]) / 4

    def _fill(self) -> None:
        now = self._clock()
        self._state[0] = min(0.0, self._state[0] + (now - self._state[1]) * self.rate)
        self._state[1] = now
