"""How a rate grows after DynamoDB has throttled it."""

from __future__ import annotations

# A throttle lowers the rate to the first part of the level that was throttled. The rate then grows to the
# second part within the hold.
_CUT, _PLATEAU = 0.85, 0.97

# No hold is longer than the part of the time since the start: at first, little is known of the table.
_SHORTEST_HOLD_SECONDS = 4.0
_LONGEST_HOLD_SECONDS = 120.0
_LONGEST_PART = 0.25

# So long after the hold, the rate has grown by as much as a throttle takes. It doubles in twice that time.
_PROBE_SECONDS = 10.0
_PROBE_PART = 0.5

# A throttle below this part of the level shows that the level is not known any more.
_SAME_LEVEL = 0.75


class Recovery:
    """How a rate grows after a throttle: quickly to just below the level that was throttled, then hardly.

    Each step beyond the level costs throttled calls, so the rate stays below it for a while, the hold. From
    then on it grows faster and faster, to follow a table that has grown. If the next throttle comes at the
    same level, the next hold is twice as long. The curve is that of CUBIC (RFC 9438, section 4.2), which does
    the same for the window of a TCP connection.

    Parameters
    ----------
    level
        Units a second that were throttled.
    hold
        Seconds for which the rate stays below the level.
    """

    def __init__(self, level: float, hold: float = _SHORTEST_HOLD_SECONDS) -> None:
        self._level = level
        self._hold = hold
        self._seconds = 0.0

    @property
    def rate(self) -> float:
        """Units a second now."""
        if self._seconds < self._hold:
            left = 1 - self._seconds / self._hold
            return self._level * (_PLATEAU - (_PLATEAU - _CUT) * left**3)
        probe = min(_PROBE_SECONDS, _PROBE_PART * self._hold)
        return self._level * (_PLATEAU + (1 - _CUT) * ((self._seconds - self._hold) / probe) ** 3)

    def grow(self, seconds: float) -> float:
        """Let time pass in which the rate was used, and return the rate."""
        self._seconds += seconds
        return self.rate

    def after(self, level: float, age: float) -> Recovery:
        """Return the recovery from a throttle at ``level``.

        Other workers of the table probe as well, so an early throttle at the same level says nothing new.

        Parameters
        ----------
        age
            Seconds since the rate's start.
        """
        if level < _SAME_LEVEL * self._level:
            hold = self._hold / 4
        else:
            hold = self._hold if self._seconds < self._hold / 2 else 2 * self._hold
        hold = min(hold, _LONGEST_HOLD_SECONDS, _LONGEST_PART * age)
        return Recovery(level, max(hold, _SHORTEST_HOLD_SECONDS))
