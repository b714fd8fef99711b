"""A simulated world that the machine's clock can pace, to measure in seconds what was virtual so far."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable

from tools.simulation.scheduler import START, World


class PacedWorld(World):
    """Virtual time until `pace` is called, and the machine's time from then on.

    Paced, an event comes no sooner than its moment, and later if the machine is not done with those before:
    all services, functions and writers share one core.
    """

    def __init__(self, seed: int) -> None:
        self._virtual = START
        self._ahead: float | None = None
        super().__init__(seed)

    @property
    def now(self) -> float:
        """Seconds since the epoch."""
        return self._virtual if self._ahead is None else time.monotonic() + self._ahead

    @now.setter
    def now(self, moment: float) -> None:
        self._virtual = moment

    def pace(self) -> None:
        """Let a second take a second from now on."""
        self._ahead = self._virtual - time.monotonic()

    def run(self, until: float, stop: Callable[[], bool] = lambda: False) -> None:
        """Let time pass until the moment ``until``, or until ``stop`` says so."""
        if self._ahead is None:
            super().run(until, stop)
            return
        while self._events and self._events[0][0] <= until:
            time.sleep(max(0.0, self._events[0][0] - self.now))
            _, _, function, args = heapq.heappop(self._events)
            function(*args)
            if stop():
                return
