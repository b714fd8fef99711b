"""The metrics of a run that the reconciler publishes and alarms watch."""

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

# Without a run, or after a sealed one, no change waits. A stopped run does not know what waits.
_NOTHING_WAITS = {"none", Phase.SEALED}


class RunMetrics:
    """Publishes in every phase. The mapping's own IteratorAge is missing while the mapping is disabled."""

    def __init__(self, clock: Clock, copy_name: str) -> None:
        self._clock = clock
        self._copy_name = copy_name
        self._age_published = 0.0

    def publish_age(self, seconds: float) -> None:
        """Publish the age of the oldest unapplied change, at most once in PUBLISH_EVERY_SECONDS."""
        now = self._clock.now()
        if now - self._age_published >= PUBLISH_EVERY_SECONDS:
            self._age_published = now
            log.metrics({COPY: self._copy_name}, {OLDEST_UNAPPLIED_CHANGE_AGE: seconds}, now)

    def publish(self, status: Status) -> None:
        """Publish that the reconciler ran, and the state of the run."""
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
