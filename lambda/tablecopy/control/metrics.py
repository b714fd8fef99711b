"""The pulse: what control tells CloudWatch of the run, to be alarmed by."""

from __future__ import annotations

from tablecopy.clock import Clock
from tablecopy.control.status import Status
from tablecopy.journal.run import Phase
from tablecopy.metrics import log
from tablecopy.metrics.definitions import (
    COPY,
    DEAD_LETTERS,
    EMPTY_SLICES,
    FAILED_WORKERS,
    OLDEST_UNAPPLIED_CHANGE_AGE,
    PHASE,
    RECONCILIATIONS,
    RUN_PHASE,
    RUN_STOPPED,
    Metric,
)
from tablecopy.metrics.log import PUBLISH_EVERY_SECONDS

# No run, and one that has ended well: no change waits for it. Of one that has stopped nobody knows.
_NOTHING_WAITS = {"none", Phase.SEALED}


class Pulse:
    """Publishes in every phase: the mapping's own IteratorAge is silent while it is disabled."""

    def __init__(self, clock: Clock, copy_name: str) -> None:
        self._clock = clock
        self._copy_name = copy_name
        self._aged = 0.0

    def age(self, seconds: float) -> None:
        """Tell how old the oldest unapplied change is, unless that was told a moment ago."""
        now = self._clock.now()
        if now - self._aged >= PUBLISH_EVERY_SECONDS:
            self._aged = now
            log.metrics({COPY: self._copy_name}, {OLDEST_UNAPPLIED_CHANGE_AGE: seconds}, now)

    def beat(self, status: Status) -> None:
        """Tell that control has looked, and in which state it left the run (see Commands.status)."""
        now = self._clock.now()
        phase = status["phase"]
        values: dict[Metric, float] = {
            RECONCILIATIONS: 1,
            RUN_STOPPED: int(phase == Phase.STOPPED),
            DEAD_LETTERS: status.get("dead_letters", 0),
            EMPTY_SLICES: status.get("empty_slices", 0),
            FAILED_WORKERS: status.get("failed_workers", 0),
        }
        if phase in _NOTHING_WAITS:
            values[OLDEST_UNAPPLIED_CHANGE_AGE] = 0
        log.metrics({COPY: self._copy_name}, values, now)
        log.metrics({COPY: self._copy_name, PHASE: phase}, {RUN_PHASE: 1}, now)
