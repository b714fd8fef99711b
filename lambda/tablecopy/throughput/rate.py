"""Capacity: how much of a table's throughput a function may use, by what DynamoDB says was consumed."""

from __future__ import annotations

import math
import threading
from abc import ABC, abstractmethod

from tablecopy.clock import Clock, OutOfTime

# What goes unused is kept for this long, so that a short pause is made up for and a long one is not.
_SAVED_SECONDS = 1.0

# The longest single wait. A share may be raised meanwhile.
_LOOK_AGAIN_SECONDS = 1.0

# Adaptive: doubles each second until the first throttle, then grows by a tenth each second; a throttle takes
# it back to a part of what was really used, at most once a second, since calls under way meet the same one.
_START_UNITS = 500.0
_FLOOR_UNITS = 5.0
_RISE_PER_SECOND = 2.0
_RECOVER_PER_SECOND = 1.1
_BACK_OFF = 0.7
_ONE_CUT_SECONDS = 1.0


class Capacity(ABC):
    """Says when a call may be made. Shared by the threads of a function."""

    @abstractmethod
    def take(self, until: float) -> float:
        """Wait for a call's turn, and return the units taken for it, to be given to ``settle``.

        Raises
        ------
        OutOfTime
            ``until`` (seconds since the epoch) comes first.
        """

    @abstractmethod
    def settle(self, taken: float, consumed: float) -> None:
        """A call that took ``taken`` units has consumed ``consumed``."""

    @abstractmethod
    def throttled(self) -> None:
        """DynamoDB has refused a call, or a part of it, for lack of throughput."""


class Unlimited(Capacity):
    """As much as there is."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def take(self, until: float) -> float:
        """Take nothing. Raises OutOfTime past ``until``."""
        if self._clock.now() >= until:
            raise OutOfTime
        return 0.0

    def settle(self, taken: float, consumed: float) -> None:
        """Change nothing."""

    def throttled(self) -> None:
        """Change nothing: the caller backs off by itself."""


class TokenBucket(Capacity):
    """A bucket of capacity units that may go negative.

    A call takes what such calls have cost so far, and corrects that when its answer says what it did cost.
    """

    def __init__(self, clock: Clock, rate: float, guess: float) -> None:
        self._clock = clock
        self._rate = rate
        self._guess = guess
        self._level = 0.0
        self._filled = clock.now()
        self._lock = threading.Lock()

    @property
    def rate(self) -> float:
        """Units a second."""
        return self._rate

    def take(self, until: float) -> float:
        """Take what such calls have cost so far, once the bucket is not in debt."""
        while True:
            with self._lock:
                now = self._clock.now()
                self._fill(now)
                if now >= until:
                    raise OutOfTime
                if self._level >= 0:
                    self._level -= self._guess
                    return self._guess
                wait = -self._level / self._rate
            # Not less than the clock can tell apart, or a wait might end where it began.
            self._clock.sleep(max(min(wait, _LOOK_AGAIN_SECONDS, until - now), 0.001))

    def settle(self, taken: float, consumed: float) -> None:
        """A call that took ``taken`` units has consumed ``consumed``."""
        with self._lock:
            now = self._clock.now()
            self._fill(now)
            self._level += taken - consumed
            if consumed:
                self._guess += (consumed - self._guess) / 8
            self._used(consumed, now)

    @abstractmethod
    def share(self, rate: float) -> None:
        """Go on with another rate."""

    @abstractmethod
    def _used(self, consumed: float, now: float) -> None: ...

    def _fill(self, now: float) -> None:
        self._level = min(self._level + (now - self._filled) * self._rate, self._rate * _SAVED_SECONDS)
        self._filled = now


class Budget(TokenBucket):
    """A fixed rate."""

    def share(self, rate: float) -> None:
        """Go on with another rate."""
        with self._lock:
            self._fill(self._clock.now())
            self._rate = rate

    def throttled(self) -> None:
        """Change nothing: a budget is what was asked for, and the caller backs off by itself."""

    def _used(self, consumed: float, now: float) -> None:
        """Change nothing."""


class Adaptive(TokenBucket):
    """A rate that rises until DynamoDB throttles, backs off, and recovers.

    Parameters
    ----------
    ceiling
        Units a second that are never exceeded.
    """

    def __init__(self, clock: Clock, guess: float, ceiling: float = math.inf) -> None:
        super().__init__(clock, min(_START_UNITS, ceiling), guess)
        self._ceiling = ceiling
        self._rising = True
        self._grown = clock.now()
        self._cut = -math.inf
        self._window = _Window(clock.now())

    def share(self, rate: float) -> None:
        """Go on with another ceiling."""
        with self._lock:
            self._fill(self._clock.now())
            self._ceiling = rate
            self._rate = min(self._rate, rate)

    def throttled(self) -> None:
        """Back off to a part of what was used until now."""
        with self._lock:
            now = self._clock.now()
            if now - self._cut < _ONE_CUT_SECONDS:
                return
            self._fill(now)
            self._cut = self._grown = now
            self._rising = False
            # What was used says little right after a start or a pause; a rate grows to twice of it at most.
            used = max(self._window.rate(now), self._rate / 2)
            lower = max(_FLOOR_UNITS, _BACK_OFF * min(self._rate, used))
            # A rate below the floor is the ceiling's: a share of a small one.
            self._rate = min(self._rate, lower)
            # What was saved up belongs to the rate that was too high.
            self._level = min(self._level, 0.0)

    def _used(self, consumed: float, now: float) -> None:
        self._window.add(consumed, now)
        grown, self._grown = self._grown, now
        # A rate that nobody uses up would grow without being tried.
        if self._window.rate(now) < self._rate / 2:
            return
        factor = _RISE_PER_SECOND if self._rising else _RECOVER_PER_SECOND
        self._rate = min(self._rate * factor ** (now - grown), self._ceiling)


class _Window:
    """Units used in the last second or two."""

    def __init__(self, now: float) -> None:
        self._since = now
        self._units = 0.0
        self._before = 0.0

    def add(self, units: float, now: float) -> None:
        self._turn(now)
        self._units += units

    def rate(self, now: float) -> float:
        """Units a second: of the last whole second, or of this one if it has seen more."""
        self._turn(now)
        return max(self._before, self._units)

    def _turn(self, now: float) -> None:
        passed = now - self._since
        if passed >= 1:
            self._before = self._units / passed
            self._units = 0.0
            self._since = now
