"""The time, as something that is passed in."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time; a test's clock ticks by hand."""

    def now(self) -> float:
        """Seconds since the epoch."""


class SystemClock:
    """The clock of the machine."""

    def now(self) -> float:
        return time.time()
