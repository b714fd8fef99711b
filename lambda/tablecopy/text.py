"""Numbers, times and lists as people read them, in every report, message and log line."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache

_MINUTE = 60
_HOUR = 3_600
_DAY = 86_400


def count_text(number: int, thing: str, things: str = "") -> str:
    """Return ``1 thing`` or ``2,000 things``; pass ``things`` where the plural is not formed with an "s"."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {things or f'{thing}s'}"


def times_text(number: int) -> str:
    """Return ``once`` or ``2 times``."""
    return "once" if number == 1 else f"{number:,} times"


def list_text(words: Iterable[str], conjunction: str = "and") -> str:
    """Return ``a``, ``a and b`` or ``a, b and c``; an empty text for no words."""
    *rest, last = list(words) or [""]
    return f"{', '.join(rest)} {conjunction} {last}" if rest else last


def size_text(number: float) -> str:
    """Return a number of bytes in decimal units: ``512 bytes``, ``1.5 KB``, ``20.0 MB``, ``3.2 GB``."""
    if number < 1_000:
        return count_text(round(number), "byte")
    for unit in ("KB", "MB", "GB"):
        number /= 1_000
        if number < 999.95:
            return f"{number:.1f} {unit}"
    return f"{number / 1_000:,.1f} TB"


def duration_text(seconds: float) -> str:
    """Return a duration in its two largest units: ``3.5 s``, ``2 min 10 s``, ``1 h 5 min``, ``2 d 3 h``."""
    if seconds < 9.95:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return _two_units(whole, _MINUTE, "min", 1, "s")
    if whole < _DAY:
        return _two_units(whole, _HOUR, "h", _MINUTE, "min")
    return _two_units(whole, _DAY, "d", _HOUR, "h")


def timestamp(seconds: float) -> str:
    """Return seconds since the epoch as ISO 8601 in UTC, to the second: ``2026-01-31T09:30:00Z``."""
    return _timestamp(int(seconds))


# A comparison writes millions of differences that were seen within a few seconds.
@lru_cache(maxsize=1024)
def _timestamp(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def compact_timestamp(seconds: float) -> str:
    """Return seconds since the epoch as ISO 8601 without separators, for names: ``20260131T093000Z``."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y%m%dT%H%M%SZ}"


def epoch(time: str) -> float:
    """Return an ISO 8601 time with its zone, ``2026-01-31T09:30:00Z``, in seconds since the epoch.

    Raises
    ------
    ValueError
        It is something else.
    """
    return datetime.fromisoformat(time).timestamp()


def _two_units(seconds: int, large: int, name: str, small: int, rest: str) -> str:
    left = seconds % large // small
    whole = f"{seconds // large:,} {name}"
    return f"{whole} {left} {rest}" if left else whole
