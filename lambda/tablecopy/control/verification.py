"""The commands of a verification in the account: begin it, see how far it is, and list what differs."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from tablecopy.clock import Machine
from tablecopy.control.commands import NotPossible
from tablecopy.control.status import VerificationStatus
from tablecopy.dynamodb.client import Json
from tablecopy.journal.run import Phase, RunRecord
from tablecopy.journal.segments import Segments
from tablecopy.journal.verifications import Compared, State, Verification, Verifications
from tablecopy.settings import CommandSettings
from tablecopy.text import compact_timestamp, timestamp

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.client import SFNClient

_COPIED = frozenset({Phase.RESUMING, Phase.DRAINING, Phase.READY, Phase.SEALING, Phase.SEALED})
"""Phases in which nothing is copied by a scan."""


# DescribeExecution is eventually consistent (API reference).
_CONSISTENT_SECONDS = 30.0


class VerificationCommands:
    """Answers an operator about verifications.

    Parameters
    ----------
    states
        Returns the client of Step Functions, which few commands need.
    settings
        With the verifier's state machine, if there is one.
    """

    def __init__(
        self,
        run: RunRecord,
        segments: Segments,
        verifications: Verifications,
        states: Callable[[], SFNClient],
        settings: CommandSettings,
        clock: Machine,
    ) -> None:
        self._run = run
        self._segments = segments
        self._verifications = verifications
        self._states = states
        self._settings = settings
        self._clock = clock

    def begin(self, *, writes_stopped: bool, request: str = "") -> VerificationStatus:
        """Begin a verification, or continue one whose execution has ended early.

        Parameters
        ----------
        writes_stopped
            Nothing writes to either table.
        request
            Id of this request. Sending it again, for example after a lost answer, changes nothing.

        Raises
        ------
        NotPossible
            It is not enabled, one is in progress, or the backfill is not complete.
        """
        if not self._settings.verification_machine_arn:
            raise NotPossible(
                "verification in the account is not enabled. Set verification = { enabled = true } and apply"
            )
        latest = self._verifications.read()
        if latest is not None and latest.state not in {State.DONE, State.FAILED}:
            return self._continued(latest, request)
        if latest is not None and request and latest.request == request:
            return self.status()
        self._check_copied()
        now = self._clock.now()
        began = self._verifications.save(
            Verification(
                verification_id=f"{compact_timestamp(now)}-{self._clock.token()}",
                total_segments=self._settings.verification_segments,
                workers=min(self._settings.verification_concurrency, self._settings.verification_segments),
                began=now,
                writes_stopped=writes_stopped,
                request=request,
                version=latest.version if latest else 0,
            ),
            is_new=latest is None,
        )
        if began is None:
            # Another request was first.
            return self.begin(writes_stopped=writes_stopped, request=request)
        self._start(began)
        return self.status()

    def _continued(self, latest: Verification, request: str) -> VerificationStatus:
        if self._is_running(latest):
            if request and latest.request == request:
                return self.status()
            raise NotPossible(
                f"verification {latest.verification_id} is already in progress (since "
                f"{timestamp(latest.began)}). Follow it with tablecopy verify --in-account --follow"
            )
        following = self._verifications.save(
            replace(latest, execution=latest.execution + 1, futile=0, request=request or latest.request)
        )
        if following is not None:
            self._start(following)
        return self.status()

    def status(self) -> VerificationStatus:
        """Return the latest verification."""
        verification = self._verifications.read()
        if verification is None:
            return {}
        segments = self._verifications.segments(verification)
        return VerificationStatus(
            id=verification.verification_id,
            state=verification.state.value,
            reason=verification.reason,
            writes_stopped=verification.writes_stopped,
            began=verification.began,
            ended=verification.ended,
            now=self._clock.now(),
            generation=verification.generation,
            segments=verification.total_segments,
            segments_done=sum(segment.scanned for segment in segments),
            source_items=sum(segment.source_items for segment in segments),
            destination_items=sum(segment.destination_items for segment in segments),
            source_units=sum(segment.source_units for segment in segments),
            destination_units=sum(segment.destination_units for segment in segments),
            equal=sum(segment.equal for segment in segments),
            missing=sum(segment.missing for segment in segments),
            changed=sum(segment.changed for segment in segments),
            extra=sum(segment.extra for segment in segments),
            expired=sum(segment.expired for segment in segments),
            undecided=sum(segment.open + segment.undecided for segment in segments),
            listed=sum(segment.listed for segment in segments),
            segments_by_key=sum(segment.by_key for segment in segments),
        )

    def differences(self, first: int) -> Json:
        """Return the differences of the first segment from ``first`` on that lists any.

        Returns
        -------
        dict
            ``{"differences": [...], "next": n}``: see `comparison.differences.Difference.record`, and the
            segment to ask for next; without ``next`` there are no more. Keys that are undecided come last,
            with ``"undecided": true``.
        """
        verification = self._verifications.read()
        if verification is None:
            return {"differences": []}
        for segment in self._verifications.segments(verification)[first:]:
            found = self._listed(verification.verification_id, segment)
            if found:
                return {"differences": found, "next": segment.number + 1}
        return {"differences": []}

    def _listed(self, verification_id: str, segment: Compared) -> list[Json]:
        standing = self._verifications.standing(verification_id, segment)
        still_open = self._verifications.still_open(verification_id, segment)
        return [difference.record() for difference in standing] + [
            {**difference.record(), "undecided": True} for difference in still_open
        ]

    def _check_copied(self) -> None:
        run = self._run.read()
        if run is None:
            raise NotPossible("cannot verify: no run has been started. Run tablecopy start")
        left = sum(not segment.done for segment in self._segments.read_all(run.total_segments))
        if run.phase not in _COPIED or left:
            raise NotPossible(
                f"cannot verify yet: {left} of {run.total_segments} segments are not copied. "
                "Run tablecopy watch --until ready"
            )

    def _start(self, verification: Verification) -> None:
        states = self._states()
        # If it exists, a request before this one has started it.
        with suppress(states.exceptions.ExecutionAlreadyExists):
            states.start_execution(
                stateMachineArn=self._settings.verification_machine_arn,
                name=_execution(verification),
                input=json.dumps(
                    {
                        "verification": verification.verification_id,
                        "segments": list(range(verification.total_segments)),
                    }
                ),
            )

    def _is_running(self, verification: Verification) -> bool:
        prefix = self._settings.verification_machine_arn.replace(":stateMachine:", ":execution:")
        states = self._states()
        with suppress(states.exceptions.ExecutionDoesNotExist):
            arn = f"{prefix}:{_execution(verification)}"
            return states.describe_execution(executionArn=arn)["status"] == "RUNNING"
        # It was not started, or so lately that Step Functions does not know it yet.
        return self._clock.now() - verification.began < _CONSISTENT_SECONDS


def _execution(verification: Verification) -> str:
    return f"{verification.verification_id}-{verification.execution}"
