"""Which hosts still work for a journal that was replaced by an empty one, and cannot know it yet."""

from __future__ import annotations

import math

NOTICED_SECONDS = 60.0
"""How long after the replacement a host has called the new journal. A worker looks every few seconds."""

UNDISTURBED_SECONDS = 1.0
"""How long the calls take that a host has begun before it could know, if nothing happens to them."""

DISTURBED_SECONDS = 20.0
"""The same if calls get lost and come late: a timeout, and then what a late request takes (`network`)."""


class Replacement:
    """Notes when the hosts call a new journal first.

    Nothing keeps a host from writing for the old journal until then. A new run cannot know its lease.

    Attributes
    ----------
    call_seconds
        How long calls may take that were begun before an answer of the new journal.
    """

    def __init__(self) -> None:
        self.call_seconds = UNDISTURBED_SECONDS
        self._at = -math.inf
        self._called: dict[str, float] = {}

    @property
    def has_happened(self) -> bool:
        """Whether the journal was replaced."""
        return self._at > -math.inf

    def happen(self, now: float) -> None:
        """The journal was replaced."""
        self._at = now

    def called(self, now: float, host: str) -> None:
        """The new journal has answered a host."""
        self._called.setdefault(host, now)

    def is_unknown_to(self, host: str, now: float) -> bool:
        """Return whether a write that arrives now may be one of a host that does not know of it."""
        known = self._called.get(host, self._at + NOTICED_SECONDS)
        return now < known + self.call_seconds
