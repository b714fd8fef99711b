"""Time, as something to pass in."""

from __future__ import annotations

import time


class OutOfTime(Exception):
    """The moment came after which nothing may be sent any more."""


class Clock:
    """The machine's clock. Tests pass one that ticks by hand."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait for ``seconds``."""
        time.sleep(seconds)
