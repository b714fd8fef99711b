"""What a table accepts, for a caller that has no budget and must write in order."""

from __future__ import annotations

import math

from tablecopy.clock import Clock
from tablecopy.throughput.rate import UsageWindow

# Shortly after the table did not accept something, what it accepts in this time may be sent ahead of it.
# Otherwise, that begins with a few KB and grows by everything that is accepted.
_AHEAD_SECONDS = 0.5
_AHEAD_KB = 25.0
_RECENT_SECONDS = 2.0


class Acceptance:
    """How much a table accepts. Sizes are in KB. Threads must not use it at the same time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._window = UsageWindow(clock.now())
        self._missed_at = -math.inf
        self._accepted = 0.0

    def note(self, accepted: float, missed: float) -> None:
        """Note that the table has accepted ``accepted`` of a call, and not ``missed``."""
        now = self._clock.now()
        self._window.add(accepted, now)
        self._accepted += accepted
        if missed:
            self._missed_at = now
            self._accepted = 0.0

    def ahead(self) -> float:
        """Return how much may be sent ahead of something that is not accepted yet."""
        now = self._clock.now()
        if now - self._missed_at < _RECENT_SECONDS:
            return _AHEAD_SECONDS * self._window.rate(now)
        return _AHEAD_KB + self._accepted

    def seconds(self, size: float) -> float:
        """Return how long the table takes to accept ``size``; infinite if it accepted nothing recently."""
        rate = self._window.rate(self._clock.now())
        return size / rate if rate else math.inf
