"""The metrics of a run and of the latest verification that the reconciler publishes and alarms watch."""

from __future__ import annotations

from tablecopy.clock import Clock
from tablecopy.control.status import Status
from tablecopy.journal.run import Phase
from tablecopy.journal.verifications import Compared, State, Verification, Verifications
from tablecopy.metrics import log
from tablecopy.metrics.definitions import (
    COPY,
    DEAD_LETTERS,
    DIFFERENCES_FOUND,
    EMPTY_SLICES,
    FAILED_VERIFIERS,
    FAILED_WORKERS,
    ITEMS_COMPARED,
    OLDEST_UNAPPLIED_CHANGE_AGE,
    PHASE,
    RECONCILIATIONS,
    RUN_PHASE,
    RUN_STOPPED,
    VERIFICATION_FAILED,
    VERIFICATION_IDLE,
    VERIFICATION_RUNNING,
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


class VerificationMetrics:
    """Publishes how far the latest verification is, and what it has found. Nothing before the first one."""

    def __init__(self, verifications: Verifications, clock: Clock, copy_name: str) -> None:
        self._verifications = verifications
        self._clock = clock
        self._copy_name = copy_name
        self._known: Verification | None = None
        self._segments: list[Compared] = []

    def publish(self) -> None:
        """Publish the verification as the journal has it.

        Raises
        ------
        botocore.exceptions.ClientError
            The journal cannot be read.
        """
        verification = self._verifications.read()
        if verification is None:
            return
        # The segments of one that has ended do not change any more.
        if not verification.has_ended or verification != self._known:
            self._segments = self._verifications.segments(verification)
            self._known = verification
        log.metrics({COPY: self._copy_name}, self._values(verification), self._clock.now())

    def _values(self, verification: Verification) -> dict[Metric, float]:
        found = undecided = compared = 0
        moved = max(verification.began, verification.stepped)
        for segment in self._segments:
            compared += segment.source_items + segment.destination_items
            found += segment.missing + segment.changed + segment.extra
            undecided += segment.open + segment.undecided
            moved = max(moved, segment.saved)
        has_ended = verification.has_ended
        return {
            VERIFICATION_RUNNING: int(not has_ended),
            VERIFICATION_FAILED: int(verification.state is State.FAILED),
            VERIFICATION_IDLE: 0 if has_ended else max(0.0, self._clock.now() - moved),
            FAILED_VERIFIERS: verification.failed_workers,
            ITEMS_COMPARED: compared,
            # Before the end, open keys may be changes in progress.
            DIFFERENCES_FOUND: found + (undecided if has_ended else 0),
        }
