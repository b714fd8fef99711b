"""The clock, as an object that is passed in."""

from __future__ import annotations

import time


class OutOfTime(Exception):
    """The time came after which nothing may be sent."""


class Clock:
    """The machine's clock. Tests pass one that they advance by hand."""

    def now(self) -> float:
        """Return the seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait for ``seconds``."""
        time.sleep(seconds)
