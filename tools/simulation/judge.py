"""The judge: what must hold in every run, whatever happens to it.

It sees each change of the three tables at the moment at which it happens. Of the product it knows the words
of the journal, and nothing of how it works. Its rules:

lost        When the run becomes ready or sealed, and when a batch or a page is recorded as done, what the
            source acknowledged before is at the destination, or in a dead letter.
invented    Nothing else is at the destination: no key and no value that the source never had.
window      No change is applied between the backfill's read of its key and the arrival of what it read.
phase       A worker's write arrives only in a slice or while the run waits for its leases, the replicator's
            only while it may replicate or its leases may be alive. A new journal ends both.
letters     A dead letter has an item that the destination has rejected.
again       The replicator does not write a change again that is recorded as applied.
sealed      Nothing is written after the seal, and a run is sealed only if an operator asked for it while it
            was ready. What was written too late for the copy is named.
counters    Items, records, puts and deletes are counted once.
budget      The copy stays within its share of the rates of AWS's APIs.
age         The published age of the oldest unapplied change is not too small.
progress    A run that nothing hinders becomes ready in time, and writes hardly any change twice.
reason      A run that is stopped or waits for an operator says why.
exception   A handler raises only errors of AWS that it cannot do anything about, and that a write is open.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from tablecopy.dynamodb import errors
from tablecopy.journal.leases import UnsettledWrite
from tablecopy.journal.run import REPLICATING, Phase
from tools.simulation.budget import Budget
from tools.simulation.changes import Changes
from tools.simulation.checkpoints import Checkpoints
from tools.simulation.findings import Findings, RunState, Tell
from tools.simulation.functions import Answer
from tools.simulation.history import ABSENT, Histories, History, Page
from tools.simulation.replacement import Replacement

WORKER_PHASES = frozenset({Phase.SLICE, Phase.RESUMING, Phase.STOPPED})
"""Phases in which a write of a worker may arrive."""

REPLICATOR_PHASES = REPLICATING | {Phase.PAUSING, Phase.SEALING, Phase.STOPPED}
"""Phases in which a write of the replicator may arrive."""

LONGEST_LEASE_SECONDS = 920.0
"""A function runs for at most 900 seconds (Lambda quotas), and a lease counts a little longer."""

BEFORE_SECONDS = 30.0
"""How long before the first slice a change must have been made to count as made before the copy."""

EXPIRY_SECONDS = 22.9 * 3600
"""How old an unapplied change must be for the run to count it as lost. A stream keeps it for 24 hours."""

CLOCK_SECONDS = 3.0
"""How far times of two hosts' clocks may be from each other."""

AGE_SECONDS = 100.0
"""How much older the oldest change may be than what is published, by a host that stood still."""

UNLISTED_SECONDS = 125.0
"""How old a change may be that is missing because DynamoDB has listed its shard late, or not yet."""

WRITES_TWICE = 25
"""What may be written again at the end of the few invocations that a run has."""

LOOK_SECONDS = 30.0
"""How old what control knows of the stream may be when it names what came too late."""


class Judge(Findings):
    """Judges one run.

    Parameters
    ----------
    now, tell
        See Findings.
    quiet
        Seconds for which nothing may be unapplied before the run is ready (``drained_after_seconds``).
    hindered
        Whether anything may make the run stop.
    outrun
        Whether the source may make more changes than the destination takes. The run may stop and say so.

    Attributes
    ----------
    rejected
        Keys of which the destination has rejected an item.
    denied_until
        When AWS knows all new roles, so that no call is denied any more.
    blind_seconds
        How long the reconciler was gone. After a day it cannot know what was applied.
    counted_from
        Changes made before this moment may have left the stream before control could count them.
    hidden_since
        Returns since when changes may be in a shard that the reconciler need not know; infinity if none are.
    on_enter
        Called with each new phase of the run.
    new_journal
        Whether the journal was replaced, and which hosts have called the new one.
    """

    def __init__(
        self,
        now: Callable[[], float],
        quiet: float,
        tell: Tell | None = None,
        *,
        hindered: bool = True,
        outrun: bool = False,
    ) -> None:
        super().__init__(now, tell)
        self.changes = Changes()
        self.source = self.changes.source
        self.destination = Histories()
        self.budget = Budget(self)
        self.run: RunState | None = None
        self.entered: dict[Phase, float] = {}
        self.phases: list[tuple[float, Phase]] = []
        self.letters: dict[str, float] = {}
        self.rejected: set[str] = set()
        self.quiet = quiet
        self.denied_until = 0.0
        self.blind_seconds = self.counted_from = 0.0
        self.hidden_since: Callable[[], float] = lambda: math.inf
        self.on_enter: list[Callable[[Phase], None]] = []
        self._hindered = hindered
        self._outrun = outrun
        self.new_journal = Replacement()
        self._disaster = ""
        self._read: dict[tuple[str, str], tuple[float, str]] = {}
        self._checkpoints = Checkpoints(self, self.changes)
        self._seal_asked = False
        self._seal_asked_at = 0.0
        self._replicated = self._counted = 0
        self._stopped_replicating = 0.0

    # The source and its stream.

    def source_changed(self, key: str, value: str) -> int:
        """The item of a key became ``value``. Returns the change's place in the key's history."""
        if self.tell:
            self.tell(f"source: {value or 'deleted'}", key)
        return self.source.of(key).add(self.now(), value)

    def recorded(self, shard: str, number: str, name: str, key: str, place: int, created: float) -> None:
        """A stream record was made for the change at ``place``. ``name`` is that of a batch it begins."""
        if self.tell:
            self.tell(f"record {number} in {shard}, created {created - self.now():+.1f} s", key)
        self.changes.record(shard, number, name, key, place, created)

    def scanned(self, host: str, segment: int, start: str, end: str, values: Mapping[str, str]) -> None:
        """A worker has read a page from the key ``start`` to the key ``end``; both may be empty."""
        now = self.now()
        if self.tell:
            self.tell(
                f"{host} scanned segment {segment} from {start or 'its beginning'} to {end or 'its end'}",
                *values,
            )
        self._checkpoints.scanned(segment, start, end, Page(now, host, dict(values)))
        for key, value in values.items():
            self._read[host, key] = now, value

    def read(self, host: str, key: str, value: str) -> None:
        """A worker has read a single item, which it is going to write."""
        self._read[host, key] = self.now(), value

    # The destination.

    def landed(self, kind: str, host: str, key: str, value: str) -> None:
        """A write has changed the destination, or would have: the item of ``key`` is ``value`` now.

        ``kind`` is "replicator", "worker", or something else that must not write.
        """
        now = self.now()
        if self.tell:
            self.tell(f"destination: {value or 'deleted'}, by {host}", key)
        history = self.source.keys.get(key)
        if history is None or value not in history.last_place:
            self.violate("invented", f"{kind} wrote {value or 'a deletion'}, which the source never had", key)
            return
        self.destination.of(key).add(now, value)
        landed = self.changes.land(now, history, key, value)
        if not self.new_journal.is_unknown_to(host, now):
            self._check_phase(kind, key)
        if kind == "replicator":
            landed.by_replicator = now
            self._replicated += 1
            self._check_new(history, key, value)
            return
        landed.by_worker = now
        read = self._read.get((host, key))
        if kind == "worker" and read and read[1] == value and landed.by_replicator > read[0]:
            self.violate(
                "window",
                f"worker wrote {value}, read {now - read[0]:.1f} s before. The replicator has written since",
                key,
            )

    def _check_new(self, history: History, key: str, value: str) -> None:
        """Check that a put is of no change that is recorded. All deletes of a key look the same."""
        is_known = value != ABSENT and self.changes.is_in_batch(key, history.last_place[value])
        if is_known and not self._disaster:
            self.violate("again", f"the replicator wrote {value}, which is in a recorded batch", key)

    def _check_phase(self, kind: str, key: str) -> None:
        phase = self.run.phase if self.run else "none"
        now = self.now()
        if phase == Phase.SEALED:
            self.violate("sealed", f"a write of the {kind} arrived after the seal", key)
            return
        if kind == "worker":
            allowed = phase in WORKER_PHASES
        else:
            # A stopped run may be started again while an invocation from before the stop still writes.
            late = now - self._stopped_replicating < LONGEST_LEASE_SECONDS
            allowed = phase in REPLICATOR_PHASES or (phase == Phase.RESUMING and late)
        if not allowed or kind not in {"worker", "replicator"}:
            self.violate("phase", f"a write of the {kind} arrived in phase {phase}", key)

    # The journal.

    def run_saved(self, run: RunState) -> None:
        """The run's state was written."""
        before, self.run = self.run, run
        self.news += 1
        if run.scan_began:
            self.changes.covered_to = run.scan_began - BEFORE_SECONDS
        if run.seal_requested and not (before and before.seal_requested):
            self._seal_asked, self._seal_asked_at = True, self.now()
        if self.tell and before != run:
            self.tell(
                f"run: {run.phase} {run.slice}{', seal requested' if run.seal_requested else ''} {run.reason}"
            )
        if before and before.phase is run.phase:
            return
        self._enter(run, before)
        for note in self.on_enter:
            note(run.phase)

    def _enter(self, run: RunState, before: RunState | None) -> None:
        now = self.now()
        self.entered[run.phase] = now
        self.phases.append((now, run.phase))
        match run.phase:
            case Phase.READY:
                self._seal_asked = False
                self._check_ready()
            case Phase.SEALING:
                if not self._seal_asked:
                    self.violate(
                        "sealed", "the run is sealed, but no operator asked for it since it is ready"
                    )
                self._check_complete("sealing", self._seal_asked_at - CLOCK_SECONDS)
            case Phase.SEALED:
                self._check_complete("sealed", self._seal_asked_at - CLOCK_SECONDS)
                self._check_named(run)
            case Phase.STOPPED:
                if before and before.phase in REPLICATOR_PHASES:
                    self._stopped_replicating = now
                self._check_stop(run)
        if self._disaster not in {"", "journal"} and run.phase in {Phase.READY, Phase.SEALING}:
            self.violate("lost", f"the run is {run.phase}, although the {self._disaster} was replaced")

    def _check_stop(self, run: RunState) -> None:
        if not run.reason:
            self.violate("reason", "the run is stopped without a reason")
        if not self._hindered and not (self._outrun and "changes per second" in run.reason):
            self.violate("progress", f"the run has stopped, and nothing hinders it: {run.reason}")
        if run.resumable:
            return
        if self._disaster:
            # The mapping is replaced together with the journal.
            named = {"journal", "mapping"} if self._disaster == "journal" else {self._disaster}
            if not any(name in run.reason for name in named):
                self.violate("reason", f"the {self._disaster} was replaced, and the run says: {run.reason}")
        elif max(self.oldest_age(), self.blind_seconds) < EXPIRY_SECONDS:
            self.violate("progress", f"the run has stopped for ever, and nothing is lost: {run.reason}")

    def oldest_age(self) -> float:
        """Return the age of the oldest change that must be applied and is not; 0 if there is none."""
        return max(0.0, self.now() - self.changes.oldest())

    def replaced(self, what: str) -> None:
        """Someone has replaced a part of the copy: "mapping", "journal", "stream" or "destination"."""
        self._disaster = what
        self.news += 1
        if self.tell:
            self.tell(f"the {what} was replaced")
        if what == "destination":
            self.destination = Histories()
        if what == "journal":
            self.new_journal.happen(self.now())
            self.run = None
            self.changes.covered_to = float("inf")
            self.letters.clear()
            self._checkpoints.clear()

    @property
    def has_stopped_for_good(self) -> bool:
        """Whether the run is stopped and cannot be started again."""
        return self.run is not None and self.run.phase is Phase.STOPPED and not self.run.resumable

    def letter_put(self, key: str) -> None:
        """A dead letter was recorded."""
        if self.tell:
            self.tell("dead letter", key)
        if key not in self.rejected:
            self.violate("letters", "a dead letter has an item that was never rejected", key)
        self.letters.setdefault(key, self.now())
        self.changes.reject(self.now(), key)

    def letter_removed(self, key: str) -> None:
        """A dead letter was removed."""
        if self.tell:
            self.tell("dead letter removed", key)
        self.letters.pop(key, None)

    def segment_saved(self, segment: int, checkpoint: str, items: int, *, done: bool, of: str = "") -> None:
        """A worker has recorded its progress to the key ``checkpoint``, and named it after the run ``of``."""
        if self.tell:
            self.tell(f"segment {segment}: {items} items, to {'its end' if done else checkpoint} {of}")
        if self.new_journal.has_happened and of not in {"", self.run.run_id if self.run else ""}:
            # It is an earlier run's, and no one reads it.
            return
        if self.run is None:
            self.violate("lost", f"progress of segment {segment} was saved before there is a run")
        self._checkpoints.save(segment, checkpoint, items, done=done)

    def batch_recorded(self, name: str, last: str, counts: tuple[int, int, int]) -> None:
        """The replicator has recorded that the batch from record ``name`` to record ``last`` is applied.

        ``counts`` are its records, puts and deletes.
        """
        batch = self.changes.batch(name, last)
        if batch is None:
            self.violate("lost", f"a batch from {name} to {last} was recorded. No shard has both records")
            return
        shard, first, end = batch
        keys = self.changes.shards[shard].keys[first:end]
        if self.tell:
            self.tell(f"batch recorded in {shard}: {name} to {last}, counts {counts}", *keys)
        self._check_applied(shard, first, end, "recorded as applied")
        self.changes.add_batch(shard, first, end)
        records, puts, deletes = counts
        self._counted += puts + deletes
        if records not in {0, len(keys)} or (records and puts + deletes > len(set(keys))):
            self.violate(
                "counters",
                f"a batch of {len(keys)} records and {len(set(keys))} keys in {shard} counts {records} "
                f"records, {puts} puts and {deletes} deletes",
                *dict.fromkeys(keys),
            )

    def acknowledged(self, shard: str, after: str, last: str) -> None:
        """Lambda will not deliver the records of a shard up to ``last`` again. They come after ``after``.

        Lambda may acknowledge a batch that it has delivered again after a later one. Then ``last`` is before
        ``after``.
        """
        numbers = self.changes.shards[shard].numbers
        first, end = numbers[after] + 1 if after else 0, numbers[last] + 1
        if self.tell:
            self.tell(f"acknowledged in {shard} to {last}", *self.changes.shards[shard].keys[first:end])
        if first < end:
            self._check_applied(shard, first, end, "acknowledged")

    def _check_applied(self, shard: str, first: int, end: int, what: str) -> None:
        missing = self.changes.unapplied(shard, first, end)
        if missing:
            numbers = list(self.changes.shards[shard].numbers)
            self.violate(
                "lost", f"records {numbers[first]} to {numbers[end - 1]} of {shard} were {what}", *missing
            )

    # What the run says.

    def _check_ready(self) -> None:
        """Check that what was changed before the quiet time is at the destination, and nothing else.

        Changes in a shard that DynamoDB has hardly listed may be missing, but none of two minutes ago.
        """
        quiet = self.now() - self.quiet
        self._check_complete("ready", min(quiet, max(self.hidden_since(), self.now() - UNLISTED_SECONDS)))
        old = [key for key, since in self.letters.items() if since < quiet]
        if old:
            self.violate("lost", "the run is ready with open dead letters", *old)

    def _check_complete(self, what: str, moment: float) -> None:
        """Check that what was changed before ``moment`` is at the destination, and nothing else."""
        wrong = []
        for key, history in self.source:
            copied = self.destination.keys.get(key)
            value = copied.latest if copied else ABSENT
            if not history.is_current(value, moment) and key not in self.letters:
                wrong.append(key)
        if wrong:
            self.violate("lost", f"the run is {what}, and the copy lacks {self._described(wrong)}", *wrong)

    def _described(self, keys: Sequence[str]) -> str:
        key = keys[0]
        copied = self.destination.keys.get(key, _NO_HISTORY).latest
        history = self.source.of(key)
        late = self.now() - history.first_after(copied)
        return (
            f"{len(keys)} keys, such as {key}: the destination has {copied or 'nothing'}, the source "
            f"{history.latest or 'nothing'}, since {late:.1f} s"
        )

    def _check_named(self, run: RunState) -> None:
        if run.reason:
            return
        moment = self.now() - LOOK_SECONDS
        late = [
            key
            for key, history in self.source
            if not history.is_current(self.destination.keys.get(key, _NO_HISTORY).latest, moment)
            and key not in self.letters
        ]
        if late:
            self.violate("reason", "the sealed run does not say that changes came too late", *late)

    def answered(self, status: Mapping[str, Any]) -> None:
        """Control has answered an operator with the run's status (control.status.Status)."""
        self.news += 1
        if status.get("blocked") and not status["reason"]:
            self.violate("reason", "the status says that an operator must act, but not on what")
        if status["phase"] != Phase.READY:
            return
        # Times of the status are those of a host whose clock may be wrong by a second.
        since = float(status["phase_since"]) - self.quiet - CLOCK_SECONDS
        # What was trimmed before control could read it is applied, but not counted.
        at_least, at_most = self.changes.count(self.counted_from, since)
        if not at_least <= status["changes"] <= at_most:
            self.violate(
                "counters",
                f"the status counts {status['changes']} changes. The stream has {at_least} to {at_most}",
            )
        items = self._checkpoints.items
        if status["items"] != items:
            self.violate("counters", f"the status has {status['items']} items. The segments have {items}")

    def age_published(self, age: float) -> None:
        """The reconciler has published the age of the oldest unapplied change, in seconds."""
        if self.run is not None and self.run.phase is Phase.SEALED:
            # What was changed too late is not copied any more.
            return
        oldest = self.oldest_age()
        if age < oldest - AGE_SECONDS:
            self.violate("age", f"the published age is {age:.0f} s. The oldest change is {oldest:.0f} s old")

    def _check_waste(self) -> None:
        """Check that the replicator has acknowledged nine tenths of what it has written."""
        if not self._hindered and 0.9 * self._replicated > self._counted + WRITES_TWICE:
            self.violate(
                "progress", f"the replicator has made {self._replicated} writes for {self._counted} changes"
            )

    def finish(self) -> None:
        """The run is over, long after the last write: a copy in sync has everything."""
        self._check_waste()
        if self.run is None or self.run.phase not in REPLICATING:
            return
        wrong = [
            key
            for key, history in self.source
            if history.latest != self.destination.keys.get(key, _NO_HISTORY).latest
            and key not in self.letters
        ]
        if wrong:
            self.violate(
                "lost", f"the run is {self.run.phase}, and the copy lacks {self._described(wrong)}", *wrong
            )

    def late(self, seconds: float) -> None:
        """The run has not come as far as it should have in this time."""
        run = self.run
        is_at = f"{run.phase} since {self.now() - self.entered[run.phase]:.0f} s" if run else "not begun"
        why = f": {run.reason}" if run and run.reason else ""
        self.violate("progress", f"after {seconds:.0f} s of calm, the run is {is_at}{why}")

    def ended(self, function: str, answer: Answer) -> None:
        """An invocation has ended."""
        error = answer.raised
        if error is None or isinstance(error, (*errors.NO_ANSWER, UnsettledWrite)):
            return
        if isinstance(error, ClientError) and errors.is_transient(error):
            return
        if isinstance(error, ClientError) and errors.is_denied(error) and self.now() < self.denied_until:
            return
        if self._disaster and isinstance(error, ClientError):
            return
        self.violate("exception", f"{function} raised {type(error).__name__}: {error}")


_NO_HISTORY = History()
