"""The tracker: notes the destination's changes, rechecks touched keys, and records what is left."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

from botocore.exceptions import ClientError

from tablecopy.clock import Machine
from tablecopy.comparison.items import KeySchema, Side
from tablecopy.dynamodb import errors
from tablecopy.dynamodb.client import DynamoDB
from tablecopy.dynamodb.streams import StreamClient
from tablecopy.journal.places import Places
from tablecopy.journal.run import Phase, Run, RunRecord
from tablecopy.journal.shards import Shards, StreamSummary
from tablecopy.journal.store import Store
from tablecopy.journal.touched import Checked, Note, TouchedKeys, Tracking, TrackingRecord, TrackingState
from tablecopy.journal.verifications import State, Verification, Verifications
from tablecopy.metrics import log
from tablecopy.tracker.destination import DestinationStream
from tablecopy.tracker.images import KeyNoting
from tablecopy.tracker.reader import TrackingLost
from tablecopy.tracker.rounds import Round, Rounds, listed
from tablecopy.verifier.keys import KeyReader
from tablecopy.verifier.part import Table
from tablecopy.verifier.recheck import Recheck

# A look at the destination's stream, and a round of rechecks, end after so long.
_LOOK_SECONDS = 5.0
_ROUND_SECONDS = 8.0

# As long as no writer waits, the list is read this often. It costs a read unit for each of its partitions.
_ROUND_EVERY_SECONDS = 4.0

# The reconciler looks at least once a minute. What it saw longer ago says nothing.
_STALE_SECONDS = 150.0

# The description of the destination is read this often: whether its stream is the same.
_DESCRIBE_SECONDS = 60.0

# How much the latest round counts in the rate.
_NEWEST_PART = 0.3


@dataclass(frozen=True)
class Found:
    """What a step has found, for the metrics: see `Checked`.

    ``verified_age`` is the age of ``verified_through`` in seconds; 0 as long as that is not known.
    """

    left: int
    standing: int
    verified_age: float


class _Environment:
    """What an execution environment knows of one tracking."""

    def __init__(self, tracking_id: str, keys: TouchedKeys, stream: DestinationStream) -> None:
        self.tracking_id = tracking_id
        self.keys = keys
        self.stream = stream
        self.rounds: Rounds | None = None
        self.next_round = 0.0
        self.found: Found | None = None
        self.standing: frozenset[str] | None = None
        self.open_noted = False


class Tracker:
    """Takes steps as long as keys are tracked.

    Parameters
    ----------
    tables
        Source and destination.
    budgets
        Read units a second of each table; None to adapt.
    streams
        Returns DynamoDB Streams in the destination account.
    """

    def __init__(
        self,
        store: Store,
        tables: tuple[Table, Table],
        budgets: tuple[float | None, float | None],
        streams: Callable[[], DynamoDB],
        machine: Machine,
    ) -> None:
        self._store = store
        self._tables = tables
        self._budgets = budgets
        self._streams = streams
        self._machine = machine
        self._record = TrackingRecord(store)
        self._run = RunRecord(store)
        self._shards = Shards(store)
        self._verifications = Verifications(store, machine)
        self._environment: _Environment | None = None
        self._described_at = 0.0
        # The fence that was read last, and when it was read first.
        self._fence = ("", 0.0)
        self._is_cutting_over = False

    @property
    def is_cutting_over(self) -> bool:
        """Whether a request for a cutover was in progress when the run was read last."""
        return self._is_cutting_over

    def finds_cutover(self) -> bool:
        """Return whether a request for a cutover is in progress now."""
        run = self._run.read()
        self._is_cutting_over = run is not None and run.is_cutting_over
        return self._is_cutting_over

    def step(self) -> Found | None:
        """Look at the destination's stream, recheck what is due, and record what is left.

        Returns
        -------
        Found or None
            None if there is nothing to track.

        Raises
        ------
        botocore.exceptions.ClientError and others
            A table or the journal cannot be used. The next step tries again.
        """
        tracking = self._record.read()
        self._is_cutting_over = False
        if tracking is None or not tracking.is_active:
            self._environment = None
            return None
        run = self._run.read()
        self._is_cutting_over = run is not None and run.is_cutting_over
        try:
            if run is None or run.run_id != tracking.run_id:
                raise TrackingLost("another copy has begun")
            if run.phase is Phase.STOPPED and not run.resumable:
                raise TrackingLost("the copy has stopped and cannot be resumed")
            if run.phase is not Phase.SEALED:
                self._see(run.fence)
                return self._track(tracking, run)
            # The new writers write to the destination only.
            self._off(tracking)
        except TrackingLost as lost:
            self._off(tracking, str(lost))
        return None

    def _see(self, fence: str) -> None:
        if fence != self._fence[0]:
            self._fence = (fence, self._machine.now() if fence else 0.0)

    def _off(self, tracking: Tracking, reason: str = "") -> None:
        log.event("tracking_off", tracking=tracking.tracking_id, reason=reason)
        self._record.save(tracking.off(self._machine.now(), reason))
        self._environment = None

    def _track(self, tracking: Tracking, run: Run) -> Found:
        environment = self._prepared(tracking)
        stream = environment.stream
        quiet = run.quiet_seconds if run.is_cutting_over else None
        stream.look(tracking, self._machine.now() + _LOOK_SECONDS, quiet)
        if not tracking.destination_since and stream.is_noting:
            since = self._machine.now()
            noting = tracking.noting(Side.DESTINATION, since, destination_stream=stream.stream_arn)
            # If another writer was first, the next step sees what it has written.
            tracking = self._record.save(noting) or tracking
        now = self._machine.now()
        if tracking.state is TrackingState.ON:
            if now < environment.next_round and environment.found and not run.is_cutting_over:
                return environment.found
            environment.next_round = now + _ROUND_EVERY_SECONDS
        before = environment.keys.checked()
        summary = self._shards.summary()
        fence, fence_seen_at = self._fence
        checked = replace(
            before,
            source_noted_to=summary.noted_to,
            destination_noted_to=stream.noted_to,
            destination_newest=max(stream.newest, before.destination_newest),
            waits_for=stream.waits_for or self._waits_for(tracking, summary),
            fence=fence,
            fence_seen_at=fence_seen_at,
            proved_records=run.proved_records,
        )
        if tracking.state is TrackingState.ON:
            checked = self._with_round(environment, checked, run, summary)
        checked = replace(checked, looked_at=self._machine.now())
        self._save(environment, checked)
        through = checked.verified_through
        age = max(0.0, self._machine.now() - through) if through else 0.0
        environment.found = Found(checked.left, checked.standing, age)
        return environment.found

    def _prepared(self, tracking: Tracking) -> _Environment:
        environment = self._environment
        if environment is None or environment.tracking_id != tracking.tracking_id:
            arn = tracking.destination_stream or self._stream_arn()
            keys = TouchedKeys(self._store, self._machine, tracking.tracking_id)
            places = Places(self._store, tracking.tracking_id)
            client = StreamClient(self._streams(), arn, self._machine)
            stream = DestinationStream(client, places, KeyNoting(keys), self._machine)
            environment = self._environment = _Environment(tracking.tracking_id, keys, stream)
            environment.open_noted = keys.checked().open_noted
            return environment
        is_due = self._machine.now() - self._described_at >= _DESCRIBE_SECONDS
        if is_due and self._stream_arn() != environment.stream.stream_arn:
            raise TrackingLost("the destination's stream was replaced by another one")
        return environment

    def _stream_arn(self) -> str:
        _, destination = self._tables
        try:
            table = destination.client.call("describe_table", {"TableName": destination.name})["Table"]
        except ClientError as error:
            if errors.code(error) == errors.RESOURCE_NOT_FOUND:
                raise TrackingLost(f"destination table {destination.name} does not exist") from error
            raise
        self._described_at = self._machine.now()
        if not table.get("StreamSpecification", {}).get("StreamEnabled"):
            raise TrackingLost(
                f"destination table {destination.name} has no stream. Enable one with any view type"
            )
        arn: str = table["LatestStreamArn"]
        return arn

    # Rechecks

    def _with_round(
        self, environment: _Environment, checked: Checked, run: Run, summary: StreamSummary
    ) -> Checked:
        verification = self._verifications.read()
        if verification is None or not verification.key_names:
            # The tables are described when the baseline begins.
            return checked
        self._share(verification)
        if environment.rounds is None:
            schema = KeySchema(verification.key_names)
            environment.rounds = Rounds(environment.keys, self._recheck(verification), schema, self._machine)
        self._note_open(environment, verification)
        until = self._machine.now() + _ROUND_SECONDS
        found = environment.rounds.run(
            self._applied_to(summary), until, hurry=run.is_cutting_over, listed_to=summary.listed_to
        )
        return replace(
            checked,
            list_read_at=found.list_read_at,
            left=found.left,
            oldest_left=found.oldest_left,
            rate=_rate(checked.rate, found),
            standing=len(environment.rounds.standing),
            open_noted=environment.open_noted,
        )

    def _note_open(self, environment: _Environment, verification: Verification) -> None:
        """List the keys that the baseline has left open, once it has ended.

        Most of them were written while it read them, so their keys are noted. Of the others it is not known
        whether a change was on its way that was made before.
        """
        if verification.state is not State.DONE or environment.open_noted:
            return
        for segment in self._verifications.segments(verification):
            if not segment.open:
                continue
            left = self._verifications.still_open(verification.verification_id, segment)
            notes = [
                Note(str(number), json.dumps(each.key, separators=(",", ":")).encode(), verification.ended)
                for number, each in enumerate(left, 1)
            ]
            environment.keys.note(Side.SOURCE, f"baseline-{segment.number}", notes)
        environment.open_noted = True

    def _recheck(self, verification: Verification) -> Recheck:
        keys = KeySchema(verification.key_names)
        source, destination = (
            KeyReader(table.client, table.name, keys, table.capacity, table.usage, self._machine)
            for table in self._tables
        )
        return Recheck((source, destination), keys, self._machine, expiry=verification.expiry)

    def _share(self, verification: Verification) -> None:
        """Take the tracker's part of the budgets: one worker's during the baseline, all of it later."""
        is_done = verification.state in {State.DONE, State.FAILED}
        workers = 0 if is_done else verification.workers
        ceilings = (verification.source_ceiling, verification.destination_ceiling)
        for table, budget, ceiling in zip(self._tables, self._budgets, ceilings, strict=True):
            limit = (budget or ceiling) / (workers + 1)
            if limit:
                table.capacity.set_limit(limit)

    def _applied_to(self, summary: StreamSummary) -> float:
        """Return up to when the source's changes are applied; 0 if the reconciler has not looked lately."""
        if self._machine.now() - summary.looked_at > _STALE_SECONDS:
            return 0.0
        return summary.unapplied_since or summary.noted_to

    def _waits_for(self, tracking: Tracking, summary: StreamSummary) -> str:
        if not tracking.source_since:
            return "the reconciler does not note the source's changes yet"
        if not tracking.destination_since:
            return "the tracker notes its place in each shard of the destination's stream"
        if self._machine.now() - summary.looked_at > _STALE_SECONDS:
            return "the reconciler has not looked at the source's stream for some minutes"
        return ""

    def _save(self, environment: _Environment, checked: Checked) -> None:
        rounds = environment.rounds
        if rounds is None:
            environment.keys.save_checked(checked)
            return
        names = frozenset(str(sorted(each.key.items())) for each in rounds.standing)
        changed = names != environment.standing
        environment.keys.save_checked(checked, listed(rounds.standing) if changed else None)
        environment.standing = names


def _rate(before: float, found: Round) -> float:
    if not found.checked or not found.seconds:
        return before
    newest = found.checked / found.seconds
    return newest if not before else (1 - _NEWEST_PART) * before + _NEWEST_PART * newest
