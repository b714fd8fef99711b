"""Rate limits: when the next call may be made, by the capacity units that calls consume."""

from __future__ import annotations

import math
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from tablecopy.clock import Clock, OutOfTime
from tablecopy.throughput.recovery import Recovery

# Unused capacity is kept for this long. A short pause is made up for, and a long one is not.
_SAVED_SECONDS = 1.0

# The longest single wait, because the rate may be raised during it.
_CHECK_AGAIN_SECONDS = 1.0

# A call should not cost more than the rate gives in this time: a table with few units accepts only a part.
_CALL_SECONDS = 0.25

# AdaptiveRate doubles each second until the first throttle, and then recovers from each (see `Recovery`). It
# is lowered at most once a second, because calls under way meet the same throttle.
_START_UNITS = 500.0
_FLOOR_UNITS = 0.5
_RISE_PER_SECOND = 2.0
_ONE_CUT_SECONDS = 1.0

# After a throttle, nothing is sent for this long.
_PAUSE_SECONDS = 0.5

# Usage within this part of the rate, in both directions, is the rate: what a second holds varies by a call.
_NEARLY = 0.75

# Positions in a bucket's state.
_LEVEL, _FILLED, _GUESS = range(3)


class RateLimit(ABC):
    """Decides when a call may be made. Shared by the threads of a process."""

    @abstractmethod
    def acquire(
        self, until: float, sleep: Callable[[float], object] | None = None, size: float = 1.0
    ) -> float:
        """Wait until a call may be made, and return the units taken for it, for ``settle``.

        Parameters
        ----------
        until
            Seconds since the epoch after which no call may be made.
        sleep
            Waits for a number of seconds; the clock's ``sleep`` if None. It may raise to end the wait.
        size
            How large the call is, in any unit with which its cost grows, such as KB.

        Raises
        ------
        OutOfTime
            ``until`` comes first.
        """

    @abstractmethod
    def settle(self, taken: float, consumed: float, size: float = 1.0) -> None:
        """Note that a call that took ``taken`` units has consumed ``consumed`` units.

        ``size`` is the size of what consumed them, which may be a part of the call.
        """

    @abstractmethod
    def throttled(self) -> None:
        """Note that DynamoDB rejected a call, or a part of it, because capacity was missing."""

    def call_size(self) -> float:
        """Return the largest size that a call should have."""
        return math.inf


class Unlimited(RateLimit):
    """Allows every call immediately."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def acquire(
        self, until: float, sleep: Callable[[float], object] | None = None, size: float = 1.0
    ) -> float:
        """Take nothing. Raises OutOfTime past ``until``."""
        if self._clock.now() >= until:
            raise OutOfTime
        return 0.0

    def settle(self, taken: float, consumed: float, size: float = 1.0) -> None:
        """Change nothing."""

    def throttled(self) -> None:
        """Change nothing: the caller backs off by itself."""


class TokenBucket(RateLimit):
    """A bucket of capacity units that may go negative.

    A call takes what calls of its size have cost so far. Its answer corrects that.

    Parameters
    ----------
    rate
        Units a second.
    guess
        Units that a call of the size 1 is expected to cost before the first answer.
    saved_seconds
        Seconds for which unused capacity is kept.
    shared
        ``multiprocessing.Array("d", 3)``, for a bucket that several processes use together.
    """

    def __init__(
        self,
        clock: Clock,
        rate: float,
        guess: float,
        *,
        saved_seconds: float = _SAVED_SECONDS,
        shared: Any = None,
    ) -> None:
        self._clock = clock
        self._rate = rate
        self._saved_seconds = saved_seconds
        self._state = [0.0, 0.0, 0.0] if shared is None else shared
        self._state[:] = [0.0, clock.now(), guess]
        self._lock = threading.Lock() if shared is None else shared.get_lock()

    @property
    def rate(self) -> float:
        """Units a second."""
        return self._rate

    def acquire(
        self, until: float, sleep: Callable[[float], object] | None = None, size: float = 1.0
    ) -> float:
        """Take what calls of this size have cost so far, once the bucket is not in debt."""
        state = self._state
        while True:
            with self._lock:
                now = self._clock.now()
                self._fill(now)
                if now >= until:
                    raise OutOfTime
                if state[_LEVEL] >= 0:
                    taken: float = state[_GUESS] * size
                    state[_LEVEL] -= taken
                    return taken
                wait = -state[_LEVEL] / self._rate
            # A shorter wait than the clock can measure might end when it began.
            (sleep or self._clock.sleep)(max(min(wait, _CHECK_AGAIN_SECONDS, until - now), 0.001))

    def call_size(self) -> float:
        """Return the size of a call that costs what the rate gives in a quarter of a second."""
        with self._lock:
            guess: float = self._state[_GUESS]
            return _CALL_SECONDS * self._rate / guess

    def settle(self, taken: float, consumed: float, size: float = 1.0) -> None:
        """Correct what was taken for a call by what it consumed."""
        with self._lock:
            now = self._clock.now()
            self._fill(now)
            self._state[_LEVEL] += taken - consumed
            if consumed and size:
                self._state[_GUESS] += (consumed / size - self._state[_GUESS]) / 8
            self._used(consumed, now)

    @abstractmethod
    def set_limit(self, rate: float) -> None:
        """Continue with another limit, in units a second."""

    def _used(self, consumed: float, now: float) -> None:
        """Adapt the rate to a call that consumed ``consumed`` units."""

    def _fill(self, now: float) -> None:
        state = self._state
        added = (now - state[_FILLED]) * self._rate
        state[_LEVEL] = min(state[_LEVEL] + added, self._rate * self._saved_seconds)
        state[_FILLED] = now


class FixedRate(TokenBucket):
    """A fixed rate."""

    def set_limit(self, rate: float) -> None:
        """Continue with another rate."""
        with self._lock:
            self._fill(self._clock.now())
            self._rate = rate

    def throttled(self) -> None:
        """Change nothing: the rate is what the user asked for, and the caller backs off by itself."""


class AdaptiveRate(TokenBucket):
    """A rate that rises until DynamoDB throttles, backs off, and recovers (see `Recovery`).

    Parameters
    ----------
    ceiling
        Units a second that are never exceeded.
    """

    def __init__(self, clock: Clock, guess: float, ceiling: float = math.inf) -> None:
        super().__init__(clock, min(_START_UNITS, ceiling), guess)
        self._ceiling = ceiling
        self._recovery: Recovery | None = None
        self._began = self._grown = clock.now()
        self._cut = -math.inf
        self._window = UsageWindow(clock.now())

    def set_limit(self, rate: float) -> None:
        """Continue with another ceiling."""
        with self._lock:
            self._fill(self._clock.now())
            self._ceiling = rate
            self._rate = min(self._rate, rate)

    def throttled(self) -> None:
        """Back off to a part of what was used until now."""
        with self._lock:
            now = self._clock.now()
            self._fill(now)
            # What was saved belongs to a rate that is too high. What was rejected used nothing, so without a
            # pause it would be sent again immediately.
            self._state[_LEVEL] = min(self._state[_LEVEL], -_PAUSE_SECONDS * self._rate)
            if now - self._cut < _ONE_CUT_SECONDS:
                return
            # Right after a start or a pause, usage says little. A rate grows to at most twice the usage. If
            # the table throttles for longer, usage is what it accepts.
            part = 1 / 2 if now - self._cut > 2 * _ONE_CUT_SECONDS else 1 / 8
            self._cut = self._grown = now
            used = max(self._window.rate(now), part * self._rate)
            level = self._rate if _NEARLY * self._rate <= used <= self._rate / _NEARLY else used
            last = self._recovery
            self._recovery = last.after(level, now - self._began) if last else Recovery(level)
            # A rate below the floor comes from the ceiling: this worker's part of a small one.
            self._rate = min(self._rate, max(_FLOOR_UNITS, self._recovery.rate))

    def _used(self, consumed: float, now: float) -> None:
        self._window.add(consumed, now)
        # No longer than twice the time in which the rate gives this much: the rest was a pause.
        seconds = min(now - self._grown, 2 * consumed / self._rate)
        self._grown = now
        # A rate that is not used up would grow without being tested.
        if self._window.rate(now) < self._rate / 2:
            return
        if self._recovery is None:
            rate = self._rate * _RISE_PER_SECOND**seconds
        else:
            rate = max(self._rate, self._recovery.grow(seconds))
        self._rate = min(rate, self._ceiling)


class UsageWindow:
    """Units used in the last second or two."""

    def __init__(self, now: float) -> None:
        self._since = now
        self._units = 0.0
        self._before = 0.0

    def add(self, units: float, now: float) -> None:
        self._turn(now)
        self._units += units

    def rate(self, now: float) -> float:
        """Return the units a second of the last whole second, or of this one if it has more."""
        self._turn(now)
        return max(self._before, self._units)

    def _turn(self, now: float) -> None:
        passed = now - self._since
        if passed >= 1:
            self._before = self._units / passed
            self._units = 0.0
            self._since = now
