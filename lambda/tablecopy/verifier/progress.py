"""Moves a verification on: from its request to the scans, to the rechecks, and to its end."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum

from tablecopy.clock import Clock
from tablecopy.journal.shards import Shards
from tablecopy.journal.verifications import State, Verification, Verifications
from tablecopy.verifier.tables import NotComparable, Tables

GENERATIONS = 4
"""How often open keys are read again at most. What still changes then is undecided."""

# Between two generations a change must have the time to arrive. A copy that is further behind is stopped.
_LEAST_WAIT_SECONDS = 10.0
_LONGEST_WAIT_SECONDS = 600.0

# So often the scans are begun again without any segment getting further.
_FUTILE_ROUNDS = 3


class Next(StrEnum):
    """What the state machine does next."""

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
    shards
        Of the journal: how far the copy is behind.
    """

    def __init__(self, verifications: Verifications, tables: Tables, shards: Shards, clock: Clock) -> None:
        self._verifications = verifications
        self._tables = tables
        self._shards = shards
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
            if following is None or self._verifications.save(following) is not None:
                return step

    def _following(self, verification: Verification) -> tuple[Step, Verification | None]:
        if verification.state in {State.DONE, State.FAILED}:
            return Step(Next.END), None
        if verification.state is State.REQUESTED:
            return self._begun(verification)
        segments = self._verifications.segments(verification)
        reached = sum(segment.version for segment in segments)
        if not all(segment.scanned for segment in segments):
            return self._again(verification, Step(Next.SCAN), reached)
        if any(segment.generation < verification.generation for segment in segments):
            return self._again(verification, self._recheck(verification.generation), reached)
        is_last = verification.writes_stopped or verification.generation == GENERATIONS
        if is_last or not any(segment.open for segment in segments):
            return Step(Next.END), self._done(verification)
        following = replace(
            verification, state=State.RECHECKING, generation=verification.generation + 1, reached=reached
        )
        return self._recheck(following.generation), following

    def _again(self, verification: Verification, step: Step, reached: int) -> tuple[Step, Verification]:
        """Return the same step again: some of its workers have failed."""
        futile = 0 if reached > verification.reached else verification.futile + 1
        if futile > _FUTILE_ROUNDS:
            reason = "its workers have failed again and again. See the log of the verifier's function"
            return Step(Next.END), self._failed(verification, reason)
        return step, replace(verification, futile=futile, reached=reached)

    def _recheck(self, generation: int) -> Step:
        since = self._shards.summary().unapplied_since
        behind = self._clock.now() - since if since else 0.0
        seconds = min(max(behind, _LEAST_WAIT_SECONDS), _LONGEST_WAIT_SECONDS)
        return Step(Next.RECHECK, math.ceil(seconds), generation)

    def _begun(self, verification: Verification) -> tuple[Step, Verification]:
        try:
            described = self._tables.describe()
        except NotComparable as problem:
            return Step(Next.END), self._failed(verification, str(problem))
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

    def _done(self, verification: Verification) -> Verification:
        try:
            identities = self._tables.describe().identities
        except NotComparable as problem:
            return self._failed(verification, str(problem))
        if identities != verification.identities:
            return self._failed(
                verification, "a table was deleted and created again while it was read. Verify again"
            )
        return replace(verification, state=State.DONE, ended=self._clock.now())

    def _failed(self, verification: Verification, reason: str) -> Verification:
        return replace(verification, state=State.FAILED, reason=reason, ended=self._clock.now())
