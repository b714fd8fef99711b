"""Whether a sealed run can be audited, and what an audit has found of its seal."""

from __future__ import annotations

from dataclasses import replace

from tablecopy.clock import Clock
from tablecopy.control.commands import NotPossible
from tablecopy.control.status import AuditStatus
from tablecopy.control.stream.expiry import LOST_AFTER_SECONDS
from tablecopy.journal.run import Phase, Run, RunRecord
from tablecopy.journal.touched import Tracking, TrackingRecord
from tablecopy.journal.verifications import State, Verification, Verifications
from tablecopy.text import duration_text

LATEST_SECONDS = LOST_AFTER_SECONDS - 3_600
"""An audit must begin so soon after the seal. Its reader then has an hour to reach what leaves the stream."""

_OTHERWISE = "Stop the writers and run verify --in-account --writes-stopped"


class Audits:
    """Checks that an audit is possible, and writes its result to the run."""

    def __init__(
        self, run: RunRecord, verifications: Verifications, tracking: TrackingRecord, clock: Clock
    ) -> None:
        self._run = run
        self._verifications = verifications
        self._tracking = tracking
        self._clock = clock

    def auditable(self, run: Run | None) -> tuple[Run, Tracking]:
        """Return a run that can be audited, and the tracking that has proved its seal.

        Raises
        ------
        NotPossible
            It is not sealed with a proof, or the destination's stream does not hold the seal any more.
        """
        if run is None or run.phase is not Phase.SEALED:
            raise NotPossible("cannot audit: the run is not sealed. Run tablecopy cutover first")
        if not run.seal_grade:
            raise NotPossible(f"cannot audit: the run was sealed without a proof. {_OTHERWISE}")
        if not run.new_writers_since:
            raise NotPossible(
                "cannot audit: the run was sealed by an earlier version, without what an audit needs. "
                f"{_OTHERWISE}"
            )
        age = self._clock.now() - run.phase_since
        if age > LATEST_SECONDS:
            raise NotPossible(
                f"cannot audit: the run was sealed {duration_text(age)} ago. A stream keeps changes for 24 "
                f"hours, so an audit must begin within {duration_text(LATEST_SECONDS)}. {_OTHERWISE}"
            )
        tracking = self._tracking.read()
        if tracking is None or tracking.run_id != run.run_id or not tracking.destination_since:
            raise NotPossible(
                f"cannot audit: the journal does not have the tracking of the seal. {_OTHERWISE}"
            )
        if tracking.reason:
            raise NotPossible(f"cannot audit: {tracking.reason}. {_OTHERWISE}")
        return run, tracking

    def status(self, verification: Verification) -> AuditStatus:
        """Return how far an audit has read the destination's stream; empty for another verification."""
        if not verification.audited_run:
            return {}
        reading = self._verifications.notes(verification).reading()
        return AuditStatus(
            since=verification.since,
            scanned=verification.scanned,
            noted_to=reading.noted_to,
            waits_for=reading.waits_for,
        )

    def settle(self) -> None:
        """Write the result of the latest audit to its run, once it has one. Doing it again changes nothing.

        Raises
        ------
        botocore.exceptions.ClientError
            The journal cannot be read or written.
        """
        run = self._run.read()
        if run is None or run.phase is not Phase.SEALED or not run.seal_grade:
            return
        audit = self._verifications.read()
        if audit is None or audit.audited_run != run.run_id or audit.state is not State.DONE:
            return
        if run.audit != audit.verification_id:
            grade = "different" if self._differs(audit) else "audited"
            # If another writer was first, it was another call of this.
            self._run.save(replace(run, seal_grade=grade, audit=audit.verification_id))

    def _differs(self, audit: Verification) -> bool:
        segments = self._verifications.segments(audit)
        return any(each.missing or each.changed or each.extra or each.undecided for each in segments)
