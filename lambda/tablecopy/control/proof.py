"""The proof that both tables are equal, without a scan while the writers wait.

The writers have stopped. Then the tables are equal if five points hold:

1. Every record of the source's stream that was made before a moment S is noted. S is at least the quiet time
   after the writers stopped.
2. The replicator has applied all of them, as the reconciler saw at S, after the fence. Since the fence, no
   function of the copy can write.
3. Every record of the destination's stream that was made before a moment D is noted. D is at least the quiet
   time after the fence.
4. The list of touched keys was read after S and D, and it was empty. A key leaves it only after a pair of
   consistent reads that were equal, and that began after its last record was noted.
5. The baseline compared every key after the positions of both streams were noted, and no difference stands.
   What it left open was in the list of point 4.

A key was then either not written on either side since the baseline found it equal, or its last write is a
noted record, after which both items were equal. What this rests on: a stream shows a record within the quiet
time, and lists all children of a shard within that time after its end, if it has listed one. AWS does not
promise that, so the verdict is called ``equal (seen)``. Of a thousand shards one ends every few seconds, so
that a proof that waits for every child that may still be listed would take minutes.

The fence comes as soon as no change is known that is not applied, so that both quiet times pass together. A
change that the source's stream shows only then takes the copy back, and the next fence waits for S.

Moments are compared only if the same clock has measured them. tests/model/cutover explores this proof, and
shows that it fails without each of the points.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tablecopy.clock import Machine
from tablecopy.journal.run import Run
from tablecopy.journal.shards import Shards
from tablecopy.journal.store import Store
from tablecopy.journal.touched import Checked, TouchedKeys, Tracking, TrackingRecord, TrackingState
from tablecopy.journal.verifications import State, Verification, Verifications
from tablecopy.text import count_text

QUIET_SECONDS = 5.0
"""For how long the streams must show nothing new, unless an operator chooses another time."""

_VERIFY = "Run tablecopy verify --in-account"


@dataclass(frozen=True)
class Baseline:
    """What the baseline has found, once it has ended.

    Attributes
    ----------
    differing
        Keys that differ, and that nothing will make equal.
    undecided
        Keys that differed and were too many to be read again. Keys that were open when the baseline ended are
        not among them: the tracker lists them with the touched keys.
    """

    differing: int = 0
    undecided: int = 0


@dataclass(frozen=True)
class Evidence:
    """What the journal has for a proof at one moment.

    Attributes
    ----------
    noted_to
        Every change made in the source before this moment is noted, by the reconciler's clock; 0 if unknown.
    """

    verification: Verification | None = None
    baseline: Baseline = Baseline()
    tracking: Tracking | None = None
    checked: Checked = field(default_factory=lambda: Checked(""))
    noted_to: float = 0.0

    def impossible(self, run: Run) -> str:
        """Return why no proof is possible, however long an operator waits; empty if one is."""
        verification, tracking, found = self.verification, self.tracking, self.baseline
        if verification is None:
            return f"both tables were never compared in the account. {_VERIFY}"
        if verification.state is State.FAILED:
            return f"the verification has failed: {verification.reason}. {_VERIFY} again"
        if tracking is None or tracking.tracking_id != verification.verification_id:
            return f"the latest verification did not track which keys were written since. {_VERIFY} again"
        if tracking.run_id != run.run_id:
            return f"the latest verification is of an earlier run. {_VERIFY} again"
        if tracking.state is TrackingState.OFF:
            why = f" ({tracking.reason})" if tracking.reason else ""
            return f"the keys that were written are not tracked any more{why}. {_VERIFY} again"
        if found.undecided:
            return (
                f"{count_text(found.undecided, 'key')} differed in the verification and could not be read "
                f"again. {_VERIFY} again when fewer changes arrive"
            )
        return ""

    def different(self) -> str:
        """Return which differences stand; empty if none is known."""
        parts = []
        if self.verification is not None and self.baseline.differing:
            parts.append(f"the verification found {count_text(self.baseline.differing, 'difference')}")
        if self.checked.standing:
            keys = count_text(self.checked.standing, "written key")
            verb = "differs" if self.checked.standing == 1 else "differ"
            parts.append(f"{keys} {verb} although every change is applied")
        if not parts:
            return ""
        return f"{' and '.join(parts)}. List them with tablecopy verify --in-account --report"

    def unfinished(self) -> str:
        """Return what the baseline waits for (point 5); empty if it has ended and keys are tracked."""
        if self.verification is None or self.verification.state is not State.DONE:
            return (
                "the verification in the account has not ended. Follow it with tablecopy verify --in-account "
                "--report"
            )
        return self.being_listed()

    def being_listed(self) -> str:
        """Return what keys are not tracked yet, which passes by itself; empty if all are."""
        if self.tracking is None or self.tracking.state is not TrackingState.ON:
            return "the streams' positions are not noted yet"
        if not self.checked.open_noted:
            return "the tracker lists the keys that the verification has left open. Try again in a minute"
        return ""

    def source_missing(self, run: Run, since: float, read_to: float) -> str:
        """Return what is missing for the source to be quiet (points 1, 2 and 5); empty if nothing is.

        Parameters
        ----------
        since
            When this environment knew first that the writers have stopped.
        read_to
            When it has read the shards to their ends; all that it found is applied.
        """
        quiet_at = since + run.quiet_seconds
        if read_to < quiet_at:
            return f"the source's stream must show no change for {run.quiet_seconds:g} s"
        if self.noted_to < quiet_at:
            return "the keys of the latest changes are being noted"
        return self.impossible(run) or self.unfinished()

    def destination_missing(self, run: Run) -> str:
        """Return what is missing for the verdict (points 3, 4 and 5); empty if the tables are equal."""
        checked = self.checked
        if not run.fence or checked.fence != run.fence or not checked.fence_seen_at:
            return "the tracker has not seen that nothing writes any more"
        quiet_at = checked.fence_seen_at + run.quiet_seconds
        if checked.destination_noted_to < quiet_at:
            return f"the destination's stream must show no change for {run.quiet_seconds:g} s"
        # S is of another clock. The tracker has read the list after S if it knew what was proved then.
        if checked.list_read_at < quiet_at or checked.proved_records != run.proved_records:
            return "the list of written keys is being read"
        if checked.left:
            return f"{count_text(checked.left, 'written key')} must be compared again"
        return self.impossible(run) or self.unfinished()


class Proof:
    """Reads the evidence from the journal. It lives as long as the execution environment."""

    def __init__(self, store: Store, machine: Machine) -> None:
        self._store = store
        self._machine = machine
        self._verifications = Verifications(store, machine)
        self._tracking = TrackingRecord(store)
        self._shards = Shards(store)
        self._baseline: tuple[tuple[str, int], Baseline] | None = None
        self._stopped = ("", 0.0)

    def stopped_at(self, run: Run) -> float:
        """Return when this environment knew first that the writers have stopped for the run's request."""
        if self._stopped[0] != run.cutover:
            self._stopped = run.cutover, self._machine.now()
        return self._stopped[1]

    def evidence(self) -> Evidence:
        """Return what the journal has now.

        Raises
        ------
        botocore.exceptions.ClientError
            The journal cannot be read.
        """
        verification, tracking = self._verifications.read(), self._tracking.read()
        return Evidence(
            verification=verification,
            baseline=self._ended(verification),
            tracking=tracking,
            checked=self._checked(tracking),
            noted_to=self._shards.summary().noted_to,
        )

    def _checked(self, tracking: Tracking | None) -> Checked:
        if tracking is None:
            return Checked("")
        return TouchedKeys(self._store, self._machine, tracking.tracking_id).checked()

    def _ended(self, verification: Verification | None) -> Baseline:
        """Return what a verification that has ended has found. Nothing changes it any more."""
        if verification is None or verification.state is not State.DONE:
            return Baseline()
        name = verification.verification_id, verification.version
        if self._baseline is None or self._baseline[0] != name:
            segments = self._verifications.segments(verification)
            found = Baseline(
                differing=sum(each.missing + each.changed + each.extra for each in segments),
                undecided=sum(each.undecided for each in segments),
            )
            self._baseline = name, found
        return self._baseline[1]
