"""The tracking of touched keys as operators see it: requested with a verification, and how far it is."""

from __future__ import annotations

from tablecopy.clock import Clock
from tablecopy.control.prediction import predicted_parts, total
from tablecopy.control.proof import QUIET_SECONDS
from tablecopy.control.status import TrackingStatus
from tablecopy.journal.run import RunRecord
from tablecopy.journal.shards import Shards
from tablecopy.journal.store import Store
from tablecopy.journal.touched import Checked, TouchedKeys, Tracking, TrackingRecord, TrackingState
from tablecopy.journal.verifications import Verification


class TrackingCommands:
    """Requests the tracking of a verification, and shows how far it is."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._record = TrackingRecord(store)
        self._shards = Shards(store)
        self._run = RunRecord(store)

    def request(self, verification: Verification, run_id: str) -> None:
        """Request that the keys of all changes are noted from now on, unless nothing writes.

        What an earlier verification has noted is given up, because its baseline is as well. Requesting it
        again changes nothing.
        """
        while True:
            tracking = self._record.read()
            if tracking is not None and tracking.tracking_id == verification.verification_id:
                return
            now = self._clock.now()
            requested = Tracking(
                verification.verification_id,
                run_id,
                now,
                state=TrackingState.OFF if verification.writes_stopped else TrackingState.REQUESTED,
                ended=now if verification.writes_stopped else 0.0,
                version=tracking.version if tracking else 0,
            )
            # If another writer was first, it was the tracker of the earlier one, or this request.
            if self._record.save(requested, is_new=tracking is None) is not None:
                return

    def status(self, verification_id: str) -> TrackingStatus:
        """Return how far the tracking of a verification is; empty if it has none."""
        tracking = self._record.read()
        if tracking is None or tracking.tracking_id != verification_id:
            return {}
        checked = TouchedKeys(self._store, self._clock, verification_id).checked()
        is_on = tracking.state is TrackingState.ON
        return TrackingStatus(
            state=tracking.state.value,
            reason=tracking.reason,
            since=tracking.since,
            verified_through=checked.verified_through if is_on else 0.0,
            left=checked.left,
            standing=checked.standing,
            predicted_stop_s=self._predicted(checked) if is_on else None,
            waits_for=checked.waits_for if tracking.is_active else "",
        )

    def _predicted(self, checked: Checked) -> float | None:
        """Return for how many seconds writers would stop; None as long as it is not known."""
        run = self._run.read()
        if run is None:
            return None
        return total(predicted_parts(run, checked, self._shards.summary(), QUIET_SECONDS, self._clock.now()))
