"""The turn: which invocation of the reconciler looks at the run.

Two that look at once do no harm, because the journal lets only one of them make a move. They would double
the calls to Lambda, Step Functions and the stream, which all copies of an account share.
"""

from __future__ import annotations

from contextlib import suppress

from tablecopy.clock import Clock
from tablecopy.journal.store import Conflict, Store, number, text

# Shorter than an invocation may last, so that the next one can follow one that was killed. It is taken again
# before it ends.
_TURN_SECONDS = 15.0
_RENEW_AFTER_SECONDS = 5.0


class Turn:
    """One invocation's claim to be the only reconciler that looks.

    Parameters
    ----------
    owner
        The invocation's request id.
    """

    _KEY = ("turn", "reconciler")

    def __init__(self, store: Store, clock: Clock, owner: str) -> None:
        self._store = store
        self._clock = clock
        self._owner = owner
        self._taken: float | None = None

    def take(self) -> bool:
        """Take the turn, or keep it. False while it is another invocation's."""
        now = self._clock.now()
        if self._taken is not None and now - self._taken < _RENEW_AFTER_SECONDS:
            return True
        self._taken = None
        with suppress(Conflict):
            self._store.put(
                *self._KEY,
                {"turn_owner": text(self._owner), "turn_ends": number(now + _TURN_SECONDS)},
                condition="attribute_not_exists(pk) OR turn_ends < :now OR turn_owner = :me",
                values={":now": number(now), ":me": text(self._owner)},
            )
            self._taken = now
        return self._taken is not None

    def give_back(self) -> None:
        """Let the next invocation look at once."""
        with suppress(Conflict):
            self._store.put(
                *self._KEY,
                {"turn_owner": text(self._owner), "turn_ends": number(0)},
                condition="turn_owner = :me",
                values={":me": text(self._owner)},
            )
