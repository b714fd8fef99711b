"""The tracker's part in an audit: reads the destination's stream from the seal on, until after the scans.

It continues at the places that the tracking had reached at the seal, so it reads what the new writers did and
little of what the copy did before. Where a record is from before the seal is decided by its time: nothing
wrote between the fence and the seal, and the middle of that time divides them (`journal.run`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tablecopy.clock import Machine
from tablecopy.comparison.items import KeySchema
from tablecopy.dynamodb.client import DynamoDB
from tablecopy.dynamodb.streams import StreamClient
from tablecopy.journal.audits import AuditNotes, Reading
from tablecopy.journal.places import Places
from tablecopy.journal.store import Store
from tablecopy.journal.touched import Tracking, TrackingRecord
from tablecopy.journal.verifications import State, Verification, Verifications
from tablecopy.metrics import log
from tablecopy.tracker.destination import DestinationStream
from tablecopy.tracker.images import ImageNoting
from tablecopy.tracker.reader import TrackingLost

# A look at the destination's stream ends after so long. Then what was reached is written.
_LOOK_SECONDS = 5.0


class _Environment:
    """What an execution environment knows of one audit."""

    def __init__(
        self,
        audit_id: str,
        tracking: Tracking,
        notes: AuditNotes,
        noting: ImageNoting,
        stream: DestinationStream,
    ) -> None:
        self.audit_id = audit_id
        self.tracking = tracking
        self.notes = notes
        self.noting = noting
        self.stream = stream


class Auditor:
    """Takes steps as long as an audit scans both tables.

    Parameters
    ----------
    streams
        Returns DynamoDB Streams in the destination account.
    """

    def __init__(self, store: Store, streams: Callable[[], DynamoDB], machine: Machine) -> None:
        self._store = store
        self._streams = streams
        self._machine = machine
        self._verifications = Verifications(store, machine)
        self._record = TrackingRecord(store)
        self._environment: _Environment | None = None

    def step(self) -> bool:
        """Read the destination's stream for a while. Returns whether an audit needs more of it.

        Raises
        ------
        botocore.exceptions.ClientError and others
            The stream or the journal cannot be used. The next step tries again.
        """
        audit = self._verifications.read()
        if audit is None or not audit.audited_run or audit.state not in {State.REQUESTED, State.SCANNING}:
            self._environment = None
            return False
        if audit.state is State.REQUESTED:
            # The tables are described first.
            return True
        notes = AuditNotes(self._store, self._machine, audit.verification_id)
        before = notes.reading()
        if before.lost:
            return False
        try:
            environment = self._prepared(audit, notes)
            environment.stream.look(environment.tracking, self._machine.now() + _LOOK_SECONDS)
        except TrackingLost as lost:
            log.event("audit_lost", verification=audit.verification_id, reason=str(lost))
            notes.save_reading(replace(before, looked_at=self._machine.now(), lost=str(lost)))
            self._environment = None
            return False
        stream = environment.stream
        notes.save_reading(
            Reading(
                audit.verification_id,
                looked_at=self._machine.now(),
                noted_to=stream.noted_to,
                records=environment.noting.records,
                waits_for=stream.waits_for,
            )
        )
        return True

    def _prepared(self, audit: Verification, notes: AuditNotes) -> _Environment:
        environment = self._environment
        if environment is not None and environment.audit_id == audit.verification_id:
            return environment
        tracking = self._record.read()
        if tracking is None or tracking.tracking_id != audit.tracking_id:
            raise TrackingLost("the journal does not have the tracking of the seal any more")
        noting = ImageNoting(notes, KeySchema(audit.key_names), audit.since, audit.expiry)
        stream = DestinationStream(
            StreamClient(self._streams(), tracking.destination_stream, self._machine),
            Places(self._store, audit.verification_id),
            noting,
            self._machine,
            begin=Places(self._store, tracking.tracking_id).read_all(),
        )
        environment = _Environment(audit.verification_id, tracking, notes, noting, stream)
        self._environment = environment
        return environment
