"""The commands of a verification in the account: begin it, see how far it is, and list what differs."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from tablecopy.clock import Machine
from tablecopy.control.audit import Audits
from tablecopy.control.commands import NotPossible
from tablecopy.control.status import VerificationStatus, VerificationVerdict
from tablecopy.control.tracking import TrackingCommands
from tablecopy.dynamodb.client import Json
from tablecopy.journal.run import Phase, Run, RunRecord
from tablecopy.journal.segments import Segments
from tablecopy.journal.verifications import State, Verification, Verifications
from tablecopy.metrics import log
from tablecopy.settings import CommandSettings
from tablecopy.text import compact_timestamp, timestamp

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.client import SFNClient

_COPIED = frozenset({Phase.RESUMING, Phase.DRAINING, Phase.READY, Phase.SEALING, Phase.SEALED})
"""Phases in which nothing is copied by a scan."""

# Lambda returns up to 6 MB (Lambda quotas). The last text may exceed this by its own length.
_ANSWER_CHARACTERS = 2_000_000

_SEGMENTS_AT_A_TIME = 100

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
        tracking: TrackingCommands,
        audits: Audits,
        states: Callable[[], SFNClient],
        settings: CommandSettings,
        clock: Machine,
    ) -> None:
        self._run = run
        self._segments = segments
        self._verifications = verifications
        self._tracking = tracking
        self._audits = audits
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
        self._check_enabled()
        latest = self._verifications.read()
        if latest is not None and not latest.has_ended:
            return self._continued(latest, request)
        if latest is not None and request and latest.request == request:
            return self.status()
        run = self._check_copied()
        began = self._save_new(latest, request, writes_stopped=writes_stopped)
        if began is None:
            # Another request was first.
            return self.begin(writes_stopped=writes_stopped, request=request)
        self._track(began, run)
        self._start(began)
        return self.status()

    def audit(self, *, request: str = "") -> VerificationStatus:
        """Begin an audit of the sealed run, or continue one whose execution has ended early.

        Parameters
        ----------
        request
            As for `begin`.

        Raises
        ------
        NotPossible
            It is not enabled, another verification is in progress, or the run cannot be audited.
        """
        self._check_enabled()
        latest = self._verifications.read()
        if latest is not None and not latest.has_ended:
            if latest.audited_run:
                return self._continued(latest, request)
            raise NotPossible(
                f"cannot audit: verification {latest.verification_id} has not ended. Follow it with "
                "tablecopy verify --in-account --report"
            )
        if latest is not None and request and latest.request == request:
            return self.status()
        run, tracking = self._audits.auditable(self._run.read())
        began = self._save_new(
            latest,
            request,
            audited_run=run.run_id,
            tracking_id=tracking.tracking_id,
            since=run.new_writers_since,
        )
        if began is None:
            return self.audit(request=request)
        self._start(began)
        return self.status()

    def _check_enabled(self) -> None:
        if not self._settings.verification_machine_arn:
            raise NotPossible(
                "verification in the account is not enabled. Set verification = { enabled = true } and apply"
            )

    def _save_new(
        self, latest: Verification | None, request: str, **fields: bool | float | str
    ) -> Verification | None:
        """Write a new verification in place of the latest one. Returns None if another request was first."""
        now = self._clock.now()
        new = Verification(
            verification_id=f"{compact_timestamp(now)}-{self._clock.token()}",
            total_segments=self._settings.verification_segments,
            workers=min(self._settings.verification_concurrency, self._settings.verification_segments),
            began=now,
            executed=now,
            request=request,
            version=latest.version if latest else 0,
            **fields,  # type: ignore[arg-type]
        )
        return self._verifications.save(new, is_new=latest is None)

    def _track(self, verification: Verification, run: Run | None) -> None:
        """Request that keys are tracked. After a seal, an audit needs the tracking that has proved it."""
        if run is not None and run.phase is not Phase.SEALED:
            self._tracking.request(verification, run.run_id)

    def _continued(self, latest: Verification, request: str) -> VerificationStatus:
        if self._is_running(latest):
            if request and latest.request == request:
                # The request before may have ended between its record and its execution.
                self._start(latest)
                return self.status()
            raise NotPossible(
                f"verification {latest.verification_id} is already in progress (since "
                f"{timestamp(latest.began)}). Follow it with tablecopy verify --in-account --report"
            )
        following = self._verifications.save(
            replace(
                latest,
                execution=latest.execution + 1,
                executed=self._clock.now(),
                futile=0,
                request=request or latest.request,
            )
        )
        if following is not None:
            if following.state is State.REQUESTED and not following.audited_run:
                self._track(following, self._run.read())
            self._start(following)
        return self.status()

    def status(self) -> VerificationStatus:
        """Return the latest verification."""
        verification = self._verifications.read()
        if verification is None:
            return {}
        running = not verification.has_ended and self._may_run(verification)
        if not running:
            # It may have ended after it was read.
            verification = self._verifications.read() or verification
        self._audits.settle()
        segments = self._verifications.segments(verification)
        status = VerificationStatus(
            id=verification.verification_id,
            state=verification.state.value,
            verdict="",
            running=running,
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
            estimated_items=verification.estimated_items,
            tracking=self._tracking.status(verification.verification_id),
            audit=self._audits.status(verification),
            differing=sum(segment.differing for segment in segments),
        )
        if verification.state is State.DONE:
            status["verdict"] = _verdict(status)
        return status

    def differences(self, segment: int, text: int) -> Json:
        """Return differences that the latest verification lists.

        Parameters
        ----------
        segment, text
            Where to begin: a segment, and how many of its texts to skip; as ``next`` of the last answer.

        Returns
        -------
        dict
            ``{"differences": [...], "unlisted": [[segment, n], ...], "next": [segment, text]}``: as
            `comparison.differences.Difference.record` returns them, with ``"undecided": true`` if they are
            undecided; how many of a segment's differences are only counted; and where to begin next, which
            is missing in the last answer.
        """
        found: list[Json] = []
        unlisted: list[list[int]] = []
        answer: Json = {"differences": found, "unlisted": unlisted}
        verification = self._verifications.read()
        if verification is None:
            return answer
        characters = 0
        for start in range(segment, verification.total_segments, _SEGMENTS_AT_A_TIME):
            numbers = range(start, min(start + _SEGMENTS_AT_A_TIME, verification.total_segments))
            for compared in self._verifications.some(verification, numbers):
                first = text if compared.number == segment else 0
                if compared.unlisted and not first:
                    unlisted.append([compared.number, compared.unlisted])
                for at in range(first, compared.standing_chunks + compared.open_chunks):
                    if characters > _ANSWER_CHARACTERS:
                        return {**answer, "next": [compared.number, at]}
                    listed, is_open = self._verifications.listed(verification, compared, at)
                    characters += len(listed)
                    more = {"undecided": True} if is_open else {}
                    found += [{**record, **more} for record in json.loads(listed)]
        return answer

    def _check_copied(self) -> Run | None:
        """Return the run, which has copied everything. None if the tables are only compared."""
        if not self._settings.stream_arn:
            return None
        run = self._run.read()
        if run is None:
            raise NotPossible("cannot verify: no run has been started. Run tablecopy start")
        left = sum(not segment.done for segment in self._segments.read_all(run))
        if run.phase not in _COPIED or left:
            raise NotPossible(
                f"cannot verify yet: {left} of {run.total_segments} segments are not copied. "
                "Run tablecopy watch --until ready"
            )
        return run

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
                        "segments": _spread(verification.total_segments, verification.workers),
                    }
                ),
            )

    def _may_run(self, verification: Verification) -> bool:
        try:
            return self._is_running(verification)
        except (BotoCoreError, ClientError) as error:
            # It is only shown, so nothing depends on it.
            log.event("execution_unknown", error=str(error))
            return True

    def _is_running(self, verification: Verification) -> bool:
        prefix = self._settings.verification_machine_arn.replace(":stateMachine:", ":execution:")
        states = self._states()
        with suppress(states.exceptions.ExecutionDoesNotExist):
            arn = f"{prefix}:{_execution(verification)}"
            return states.describe_execution(executionArn=arn)["status"] == "RUNNING"
        # It was not started, or so lately that Step Functions does not know it yet.
        return self._clock.now() - verification.executed < _CONSISTENT_SECONDS


def _spread(segments: int, workers: int) -> list[int]:
    """Return all segments so that those compared at the same time are far apart.

    A Map begins its children in this order, and neighboring segments read the same partition.
    """
    rounds = math.ceil(segments / workers)
    return [segment for first in range(rounds) for segment in range(first, segments, rounds)]


def _execution(verification: Verification) -> str:
    return f"{verification.verification_id}-{verification.execution}"


def _verdict(status: VerificationStatus) -> VerificationVerdict:
    # Expired items do not count.
    if status["missing"] or status["changed"] or status["extra"]:
        return "different"
    if status["undecided"]:
        return "different" if status["writes_stopped"] else "unsettled"
    return "equal"
