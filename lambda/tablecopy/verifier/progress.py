"""Moves a verification on: from its request to the scans, to the rechecks, and to its end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from tablecopy.clock import Clock
from tablecopy.journal.touched import TrackingRecord, TrackingState
from tablecopy.journal.verifications import Compared, State, Verification, Verifications
from tablecopy.verifier.lag import Lag
from tablecopy.verifier.tables import Described, NotComparable, Tables

GENERATIONS = 5
"""How often open keys are read again at most. What still changes then is undecided."""

# Before the first generations a change must have the time to arrive: few keys are written again in the moment
# of the first one, and hardly any in that of the second one. Before the others the reconciler must have the
# time to prove that all changes have arrived: it looks every minute, and notes what it saw within 90 s.
_SHORT_WAITS = 2
_SHORT_WAIT_SECONDS = 10.0
_WAIT_SECONDS = 150.0
_LONGEST_WAIT_SECONDS = 600.0

# Both streams' places are noted within a minute, as a rule. What takes longer than this is not waited for.
_TRACKING_SECONDS = 900.0
_TRACKING_POLL_SECONDS = 5

# An audit reads the destination's stream for so much longer than its scans. A record that is shown later than
# this counts as if its key had not been written. The second part is for clocks that differ.
_SHOWN_SECONDS = 120.0
_CLOCK_MARGIN_SECONDS = 30.0

# The tracker looks every few seconds. An audit ends if it has not for so long.
_SILENT_SECONDS = 900.0
_READING_POLL_SECONDS, _LONGEST_POLL_SECONDS = 5, 60

# So often the scans are begun again without any segment getting further.
_FUTILE_ROUNDS = 3


class Next(StrEnum):
    """What the state machine does next."""

    WAIT = "wait"
    """Wait, and ask again: keys of changes are not noted yet."""
    SCAN = "scan"
    """Scan the segments that are not at their end."""
    RECHECK = "recheck"
    """Wait, and read the open keys again."""
    END = "end"
    """The verification has ended."""


@dataclass(frozen=True)
class Step:
    """A step of the state machine.

    Attributes
    ----------
    seconds
        How long to wait before it.
    generation
        Of the rechecks.
    """

    next: Next
    seconds: int = 0
    generation: int = 0


class Progress:
    """Decides what a verification does next.

    Parameters
    ----------
    tables
        Describes both tables.
    lag
        How far the copy is behind.
    tracking
        Of the journal: whether the keys of changes are noted, which must begin before the scans.
    """

    def __init__(
        self,
        verifications: Verifications,
        tables: Tables,
        lag: Lag,
        tracking: TrackingRecord,
        clock: Clock,
    ) -> None:
        self._verifications = verifications
        self._tables = tables
        self._lag = lag
        self._tracking = tracking
        self._clock = clock

    def advance(self, verification_id: str) -> Step:
        """Return the next step of a verification whose workers have ended, and record it.

        Called again after a lost answer, it returns the same step.

        Raises
        ------
        botocore.exceptions.ClientError
            A table or the journal cannot be used.
        """
        while True:
            verification = self._verifications.read()
            if verification is None or verification.verification_id != verification_id:
                return Step(Next.END)
            step, following = self._following(verification)
            if following is None:
                return step
            if self._verifications.save(replace(following, stepped=self._clock.now())) is not None:
                return step

    def _following(self, verification: Verification) -> tuple[Step, Verification | None]:
        if verification.has_ended:
            return Step(Next.END), None
        if verification.state is State.REQUESTED:
            return self._begun(verification)
        segments = self._verifications.segments(verification)
        if left := sum(not segment.scanned for segment in segments):
            return self._again(verification, Step(Next.SCAN), segments, left)
        if left := sum(segment.generation < verification.generation for segment in segments):
            return self._again(verification, self._recheck(verification), segments, left)
        if verification.audited_run and not verification.generation:
            return self._scanned(verification, segments)
        is_last = verification.counts_at_once or verification.generation == GENERATIONS
        if is_last or not any(segment.open for segment in segments):
            return Step(Next.END), self._done(verification)
        return self._rechecking(verification, segments)

    def _rechecking(
        self, verification: Verification, segments: Sequence[Compared]
    ) -> tuple[Step, Verification]:
        following = replace(
            verification,
            state=State.RECHECKING,
            generation=verification.generation + 1,
            reached=_reached(segments),
            failed_workers=0,
        )
        return self._recheck(following), following

    def _scanned(self, verification: Verification, segments: Sequence[Compared]) -> tuple[Step, Verification]:
        """Return what follows the scans of an audit: its keys are judged once what was written is known."""
        now = self._clock.now()
        verification = replace(verification, scanned=verification.scanned or now, failed_workers=0)
        reading = self._verifications.notes(verification).reading()
        if reading.lost:
            return Step(Next.END), self._failed(verification, reading.lost)
        missing = verification.scanned + _SHOWN_SECONDS + _CLOCK_MARGIN_SECONDS - reading.noted_to
        if missing <= 0:
            return self._rechecking(verification, segments)
        if now - max(reading.looked_at, verification.scanned) > _SILENT_SECONDS:
            reason = (
                f"the tracker has not read the destination's stream for {_SILENT_SECONDS / 60:.0f} minutes. "
                "See its log, and run tablecopy audit again"
            )
            return Step(Next.END), self._failed(verification, reason)
        seconds = max(_READING_POLL_SECONDS, min(math.ceil(missing / 4), _LONGEST_POLL_SECONDS))
        return Step(Next.WAIT, seconds), verification

    def _again(
        self, verification: Verification, step: Step, segments: Sequence[Compared], left: int
    ) -> tuple[Step, Verification]:
        """Return the same step again: the workers of so many segments have failed."""
        reached = _reached(segments)
        futile = 0 if reached > verification.reached else verification.futile + 1
        if futile > _FUTILE_ROUNDS:
            return Step(Next.END), self._failed(verification, self._problem(verification, segments))
        return step, replace(verification, futile=futile, reached=reached, failed_workers=left)

    def _problem(self, verification: Verification, segments: Sequence[Compared]) -> str:
        """Return what ends the workers of a step."""
        for segment in segments:
            if not segment.scanned or segment.generation < verification.generation:
                problem = self._verifications.problem(verification.verification_id, segment.number)
                if problem:
                    return f"segment {segment.number} gets no further: {problem}"
        return "its workers have failed again and again. See the log of the verifier's function"

    def _recheck(self, verification: Verification) -> Step:
        generation = verification.generation
        if verification.audited_run:
            return Step(Next.RECHECK, 1, generation)
        # Without a copy a key that stays different from one generation to the next counts.
        short = _SHORT_WAITS if math.isfinite(self._lag.applied_to()) else 1
        least = _SHORT_WAIT_SECONDS if generation <= short else _WAIT_SECONDS
        seconds = min(max(self._lag.behind(), least), _LONGEST_WAIT_SECONDS)
        return Step(Next.RECHECK, math.ceil(seconds), generation)

    def _waits_for_tracking(self, verification: Verification) -> bool:
        """Return whether the scans must wait, because changes during them would not be noted."""
        tracking = self._tracking.read()
        if tracking is None or tracking.tracking_id != verification.verification_id:
            return False
        if tracking.state is not TrackingState.REQUESTED:
            return False
        waited = self._clock.now() - tracking.requested_at
        if waited < _TRACKING_SECONDS:
            return True
        # The scans are worth something without it. What changes during them is then not verified.
        reason = f"not every change was noted {waited / 60:.0f} minutes after the verification was requested"
        return self._tracking.save(tracking.off(self._clock.now(), reason)) is None

    def _begun(self, verification: Verification) -> tuple[Step, Verification | None]:
        if self._waits_for_tracking(verification):
            return Step(Next.WAIT, _TRACKING_POLL_SECONDS), None
        try:
            described = self._tables.describe()
        except NotComparable as problem:
            return Step(Next.END), self._failed(verification, str(problem))
        if verification.audited_run and (hindrance := self._not_auditable(verification, described)):
            return Step(Next.END), self._failed(verification, hindrance)
        return Step(Next.SCAN), replace(
            verification,
            state=State.SCANNING,
            key_names=described.key_names,
            expiry=described.expiry,
            source_ceiling=described.source_ceiling,
            destination_ceiling=described.destination_ceiling,
            identities=described.identities,
            estimated_items=described.estimated_items,
        )

    def _not_auditable(self, audit: Verification, described: Described) -> str:
        """Return why the destination's stream cannot show what was there at the seal; empty if it can."""
        tracking = self._tracking.read()
        otherwise = "Stop the writers and run verify --in-account --writes-stopped"
        if tracking is None or tracking.tracking_id != audit.tracking_id:
            return f"the journal does not have the tracking of the seal any more. {otherwise}"
        if described.destination_stream != tracking.destination_stream:
            return f"the destination's stream was replaced or turned off since the seal. {otherwise}"
        if not described.shows_old_images:
            return (
                "the destination's stream does not show what an item was before a change. An audit needs the "
                f"view type NEW_AND_OLD_IMAGES or OLD_IMAGE from before the copy. {otherwise}"
            )
        return ""

    def _done(self, verification: Verification) -> Verification:
        try:
            identities = self._tables.describe().identities
        except NotComparable as problem:
            return self._failed(verification, str(problem))
        if identities != verification.identities:
            return self._failed(
                verification, "a table was deleted and created again while it was read. Verify again"
            )
        return replace(verification, state=State.DONE, failed_workers=0, ended=self._clock.now())

    def _failed(self, verification: Verification, reason: str) -> Verification:
        return replace(verification, state=State.FAILED, reason=reason, ended=self._clock.now())


def _reached(segments: Sequence[Compared]) -> int:
    return sum(segment.version for segment in segments)
