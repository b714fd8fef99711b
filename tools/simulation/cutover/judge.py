"""The judge of cutovers: what must hold in every run, whatever happens to it.

It knows both tables at each moment, and which faults were planted. Its rules:

equal       A run is sealed only if both tables are equal, except in what no look could have seen: a record
            that was not readable yet, or in a shard that was not listed.
named       What the copy has not seen before the seal, the status names soon after it.
alarm       A run to which nothing was done is not called different, or late, or refused for a difference.
sealed      Nothing of the copy is written to the destination after the seal.
open        A cutover that has ended without a seal leaves no fence, and the copy goes on.
lost        On the way there and back, no acknowledged write is lost: at the end, both tables hold the ledger.
progress    A run is sealed in time, unless its operator was told that the tables differ.
reason      A cutover that has ended says how, and why.
exception   A handler raises only errors of AWS that it cannot do anything about, and that a write is open.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeGuard

from botocore.exceptions import ClientError

from tablecopy.dynamodb import errors
from tablecopy.journal.leases import UnsettledWrite
from tablecopy.journal.run import Phase
from tablecopy.verifier.part import NoProgress
from tools.simulation.attributes import Key, same_item
from tools.simulation.cutover.writers import Records, Shown
from tools.simulation.findings import Findings, Tell
from tools.simulation.functions import Answer
from tools.simulation.table import Table

Json = dict[str, Any]

# A shard that was listed late, even before the request, may be asked for so long after its parent has ended.
LISTED_SECONDS = 130.0

# What could be read for longer before the seal must have been seen by the last looks.
LOOK_SECONDS = 15.0


class Judge(Findings):
    """Judges the cutovers of one copy.

    Parameters
    ----------
    is_hindered
        Whether anything may go wrong.
    is_led_astray
        Returns whether a fault has happened to the destination.

    Attributes
    ----------
    phase, outcome, reason
        Of the run in the journal.
    sealed_at
        When it was sealed; 0 before that.
    unseen
        Keys of the source whose changes no look could have seen before the seal.
    strayed
        Keys of the destination of which that holds, or whose write has landed there after the seal.
    requested_at
        When the latest cutover was requested; 0 before the first one.
    """

    def __init__(
        self,
        now: Callable[[], float],
        tell: Tell | None,
        source: Table,
        destination: Table,
        journal: Table,
        *,
        is_hindered: bool,
        is_led_astray: Callable[[], bool],
    ) -> None:
        super().__init__(now, tell)
        self.phase = ""
        self.outcome = self.reason = ""
        self.sealed_at = self.requested_at = 0.0
        self.unseen: dict[Key, None] = {}
        self.strayed: dict[Key, None] = {}
        self.run: Json = {}
        self.source, self.destination = source, destination
        self.records = Records(source), Records(destination)
        self.on_request: Callable[[], None] = lambda: None
        self._is_hindered = is_hindered
        self._is_led_astray = is_led_astray
        self._requests: set[str] = set()
        journal.on_write(self._noted)

    def differing(self) -> list[Key]:
        """Return the keys that differ now."""
        keys = dict.fromkeys([*(key for key, _ in self.source.items())])
        keys.update(dict.fromkeys(key for key, _ in self.destination.items()))
        return [key for key in keys if not same(self.source.get(key), self.destination.get(key))]

    def _noted(self, key: Key, before: bytes | None, after: bytes | None) -> None:
        if key != ("run", "state") or after is None:
            return
        self.news += 1
        run = self.run = json.loads(after)
        phase = run["phase"]["S"]
        request = run["cutover"]["S"] if "cutover" in run else ""
        if request and request not in self._requests:
            self._requests.add(request)
            self.requested_at = self.now()
            self.on_request()
        outcome = run["cutover_outcome"]["S"] if "cutover_outcome" in run else ""
        active = float(run["seal_by"]["N"]) > 0 if "seal_by" in run else False
        if outcome and not active and outcome != self.outcome:
            self._ended(outcome, run["cutover_reason"]["S"])
        if active or not outcome:
            self.outcome = ""
        if phase != self.phase:
            self.phase = phase
            if self.tell:
                self.tell(f"{phase} {outcome} {run['reason']['S']}")
            if phase == Phase.SEALED and not self.sealed_at:
                self._sealed(run["seal_grade"]["S"])

    def _ended(self, outcome: str, reason: str) -> None:
        self.outcome, self.reason = outcome, reason
        if self.tell:
            self.tell(f"cutover ended: {outcome} {reason}")
        if not reason:
            self.violate("reason", f"the cutover has ended as {outcome} and does not say why")
        if outcome == "different" and not self._is_led_astray():
            self.violate("alarm", f"the tables are called different, and nothing was done to them: {reason}")
        if outcome == "late" and not self._was_written_late():
            self.violate("alarm", "a change is called late, and nothing was written or shown late")
        if outcome == "stopped" and not self._is_hindered:
            self.violate("progress", f"the run has stopped although nothing hinders it: {reason}")

    def _was_written_late(self) -> bool:
        source = self.records[0]
        return source.shown_at > self.requested_at or source.listed_at > self.now() - LISTED_SECONDS

    def _sealed(self, grade: str) -> None:
        self.sealed_at = self.now()
        if grade != "seen":
            return
        for key in self.differing():
            ours, theirs = (records.latest.get(key) for records in self.records)
            name = "/".join(map(str, key))
            # The later one made them differ, if both are new.
            if self._is_unseen(theirs) and (ours is None or theirs.at > ours.at):
                self.strayed[key] = None
                what = f"a write of {name} at the destination could not be seen before the seal"
            elif self._is_unseen(ours):
                self.unseen[key] = None
                what = f"a change of {name} could not be seen before the seal"
            else:
                what = f"sealed as equal, and {name} differs"
                self.violate("equal", what, name)
            if self.tell:
                self.tell(what, name)

    def _is_unseen(self, shown: Shown | None) -> TypeGuard[Shown]:
        return shown is not None and shown.at > self.now() - LOOK_SECONDS

    def wrote(self, host: str) -> None:
        """A function of the copy has written to the destination."""
        if self.sealed_at:
            self.violate("sealed", f"{host} writes to the destination after the seal")

    def landed(self, key: Key) -> None:
        """A write of the copy that was acknowledged has happened only now.

        After the seal it looks like a write of the new writers, so nothing can name it.
        """
        if self.sealed_at:
            self.strayed[key] = None
            if self.tell:
                self.tell("lands after the seal", "/".join(map(str, key)))

    def straggled_after(self, key: Key) -> None:
        """Someone has written to the source although the writers have stopped."""
        if self.tell:
            self.tell("straggler", "/".join(map(str, key)))
        if self.sealed_at:
            self.unseen[key] = None

    def refused(self, why: str) -> None:
        """A cutover was refused."""
        if self.tell:
            self.tell(f"refused: {why}")
        if ("difference" in why or "differ" in why) and not self._is_led_astray():
            self.violate("alarm", f"refused although nothing was done to the tables: {why}")

    def named(self, reason: str) -> None:
        """The status was read some minutes after the seal."""
        if self.unseen and "written" not in reason:
            keys = ["/".join(map(str, key)) for key in self.unseen]
            what = f"{len(keys)} changes were not copied, and the status says {reason!r}"
            self.violate("named", what, *keys)

    def ended(self, function: str, answer: Answer) -> None:
        """An invocation has ended."""
        error = answer.raised
        if error is None or isinstance(error, (*errors.NO_ANSWER, UnsettledWrite)):
            return
        if isinstance(error, ClientError) and errors.is_transient(error):
            return
        if isinstance(error, NoProgress) and self._is_hindered:
            return
        self.violate("exception", f"{function} raised {type(error).__name__}: {error}")


def same(one: bytes | None, other: bytes | None) -> bool:
    """Return whether two items are equal, or both absent."""
    if one is None or other is None:
        return one is other
    return one == other or same_item(one, other)
