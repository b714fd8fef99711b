"""Time, as something to pass in."""

from __future__ import annotations

import time


class Clock:
    """The machine's clock. Tests pass one that ticks by hand."""

    def now(self) -> float:
        """Seconds since some moment; never goes back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait for ``seconds``."""
        time.sleep(seconds)
