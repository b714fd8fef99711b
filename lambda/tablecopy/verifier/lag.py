"""How far the copy is behind the source, as the reconciler has noted it."""

from __future__ import annotations

import math

from tablecopy.clock import Clock
from tablecopy.journal.run import Phase, RunRecord
from tablecopy.journal.shards import LOOK_SECONDS, Shards


class Lag:
    """Reads how far the copy is behind.

    Parameters
    ----------
    run, shards
        Of the journal.
    """

    def __init__(self, run: RunRecord, shards: Shards, clock: Clock) -> None:
        self._run = run
        self._shards = shards
        self._clock = clock

    def behind(self) -> float:
        """Return the age in seconds of the oldest change that was not applied; 0 if there was none."""
        since = self._shards.summary().unapplied_since
        return self._clock.now() - since if since else 0.0

    def applied_to(self) -> float:
        """Return a moment, in seconds since the epoch: every change made before it is applied.

        A sealed copy applies nothing any more, so nothing is on its way. Without a copy nothing is known of
        what is: a key that stays different from one recheck to the next counts.
        """
        run = self._run.read()
        if run is None or run.phase is Phase.SEALED:
            return math.inf
        summary = self._shards.summary()
        seen = summary.looked_at - LOOK_SECONDS
        return min(seen, summary.unapplied_since) if summary.unapplied_since else seen
