"""The progress of the stream: which changes are applied, and how old the oldest unapplied change is.

Lambda does not name the shard of a batch to the replicator. Control reads the shards itself, as their
second reader, and finds the batches that the replicator has recorded as applied. A batch is a contiguous
part of its shard, and the batches of a shard follow each other, so that they form a chain of positions.

A table of 10 TB has a thousand open shards. A look therefore ends by the clock, wherever it is, and the next
one begins with the shards that were not looked at for the longest time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from operator import itemgetter

from botocore.exceptions import ClientError

from tablecopy.clock import Machine
from tablecopy.control.stream.backlog import Backlog, age_of
from tablecopy.control.stream.chain import Chain, Progress, advanced
from tablecopy.control.stream.expiry import check_not_lost
from tablecopy.control.stream.followed import Followed
from tablecopy.control.stream.lineage import Lineage
from tablecopy.control.stream.listing import Listing
from tablecopy.control.stream.notes import KeyNotes, SourceNotes
from tablecopy.control.stream.parts import FEWEST_KEPT, MOST_KEPT, Look, Parts
from tablecopy.control.stream.proof import Proof
from tablecopy.control.stream.reader import Reader
from tablecopy.control.stream.rows import SAVE_EVERY_SECONDS, Rows
from tablecopy.control.stream.work import Workers
from tablecopy.dynamodb.errors import NO_ANSWER
from tablecopy.dynamodb.streams import BETWEEN_READS_SECONDS, READERS, StreamClient, Unavailable
from tablecopy.journal.applied_batches import AppliedBatches
from tablecopy.journal.shards import Shard, Shards, StreamSummary

CLOCK_MARGIN_SECONDS = 30.0
"""By how much clocks may differ: control's, and the one that dates the changes."""

RECORDS_KEPT_PER_MB = 400
"""Records that all readers together keep for each MB of the function's memory. One takes about 250 bytes."""

# The parts of a look's time after which nothing is read, and after which no applied batch is looked up.
_READING, _FOLLOWING = 0.6, 0.8


class Stream:
    """Follows every shard of the stream. It lives as long as the execution environment.

    Parameters
    ----------
    notes
        Keys of all records that are read, while they are tracked.
    drained_after
        Seconds for which repeated reads of a shard must find nothing before it counts as empty.
    records_kept
        Records that all readers together keep.
    parts
        Lets other invocations read where there are many shards; ``None`` to read all of them here.
    """

    def __init__(
        self,
        client: StreamClient,
        shards: Shards,
        batches: AppliedBatches,
        notes: SourceNotes,
        machine: Machine,
        drained_after: float,
        records_kept: int = 256 * RECORDS_KEPT_PER_MB,
        parts: Parts | None = None,
    ) -> None:
        self._client = client
        self._records_kept = records_kept
        self._parts = parts
        self._journal = shards
        self._batches = batches
        self._notes = notes
        self._machine = machine
        self._usual = self._drained_after = drained_after
        self._is_cutover = False
        self._rows = Rows(shards, machine, drained_after)
        self._listing = Listing(client, machine)
        self._lineage = Lineage(self._listing, self._rows, shards)
        self._followed = Followed(self._listing, self._rows, self._lineage, notes, machine)
        # What the latest look covers: nothing is known of changes before the copy.
        self._covered_to = 0.0
        # When the first change was made that the latest look found not to be applied.
        self._unapplied_from = 0.0
        self._summary = StreamSummary()
        self._error: Exception | None = None

    def begin(self) -> None:
        """Begin an invocation: another environment may have written to the journal since the last one."""
        self._rows.is_loaded = False

    @property
    def open_shards(self) -> int:
        """Number of open shards that were listed so far."""
        return sum(not shard.closed for shard in self._listing.shards.values())

    def observe(
        self,
        covered_to: float,
        until: float,
        *,
        noting: bool = False,
        counting: bool = False,
        drained_after: float | None = None,
        is_last: bool = False,
    ) -> Backlog:
        """Look at the shards once, as far as the time allows.

        Parameters
        ----------
        covered_to
            Changes made before this moment (seconds since the epoch) are from before the copy.
        until
            When to end the look.
        noting
            The copy has not begun: note a place in each shard from which on all changes will be seen.
        counting
            Count all unapplied changes, because nothing is applied now.
        drained_after
            Replaces the usual seconds in this look, which is for a cutover.
        is_last
            The invocation may end after this look.

        Raises
        ------
        RecordsExpired
            A change counts as lost.
        StreamGone
            The stream does not exist.
        botocore.exceptions.ClientError
            The journal's rows of the shards cannot be read.
        """
        began = self._machine.now()
        seconds = until - began
        self._error = None
        self._covered_to = covered_to
        self._followed.is_noting = noting
        self._drained_after = self._usual if drained_after is None else drained_after
        self._is_cutover = drained_after is not None
        self._followed.load()
        if noting:
            self._notes.stop()
        else:
            self._followed.take_back(covered_to)
            self._notes.begin_look(self._rows, self._followed.start_over)
        look = Look(
            began + _READING * seconds,
            began + _FOLLOWING * seconds,
            covered_to,
            noting=noting,
            counting=counting,
        )
        with Workers(self._machine, READERS) as workers:
            self._read_all(look, workers)
            found = self._follow(workers, look)
            changed = self._update(found, look)
            # A shard that has just ended has children.
            self._list()
            self._lineage.mark()
            workers.work_off(self._notes.pending(), self._note, until)
            # With readers, the next invocation most likely has another environment.
            is_left = is_last and self._is_read_in_parts
            workers.work_off(self._rows.due(is_left=is_left), self._save, until)
        self._notes.end_look(self._rows)
        self._save_siblings()
        if not noting and self._machine.now() < until:
            self._retire()
        backlog = self._backlog(began if noting else covered_to, noting=noting, changed=changed)
        self._summarize(backlog)
        return backlog

    def list_until(self, until: float) -> None:
        """Wait until a moment, in seconds since the epoch, and list shards; see `Followed.list_until`."""
        self._followed.list_until(until)

    def is_listed_since(self, since: float) -> bool:
        """Return whether all shards that DynamoDB listed at ``since`` (seconds since the epoch) are known.

        The second child of a split may be listed after the first. If a shard has ended within the last two
        minutes, its children are requested again by the next looks, and the answer is False until then.
        """
        return self._lineage.has_siblings() and self._listing.is_fresh(since)

    @property
    def _is_read_in_parts(self) -> bool:
        shards = sum(not row.finished for row in self._rows.current.values())
        return self._parts is not None and self._parts.count(shards) > 0

    # Reading

    def _read_all(self, look: Look, workers: Workers) -> None:
        """Read a page of each shard, and list shards at the same time, until the time is up."""
        seen: set[str] = set()
        self._list()
        if self._parts is not None and self._is_read_in_parts and not look.noting:
            self._read_in_parts(self._parts, look, seen)
        while True:
            while due := self._due(seen, look):
                workers.work_off(due, partial(self._read, look), look.until)
            behind = {shard_id for shard_id, reader in self._followed.readers.items() if reader.is_behind}
            if not behind or look.failed or self._machine.now() + BETWEEN_READS_SECONDS >= look.until:
                return
            # A page a look may be less than what is written to a shard at its limit.
            self._machine.sleep(BETWEEN_READS_SECONDS)
            seen -= behind

    def _read_in_parts(self, parts: Parts, look: Look, seen: set[str]) -> None:
        """Let other invocations read the shards that are due. What they have not read is read here."""
        due = self._due(seen, look)
        # Keys that were read here and are not noted yet stay here.
        sent = [reader for reader in due if not (reader.notes and reader.notes.is_pending)]
        left = set(due).difference(sent)
        if parts.count(len(sent)):
            unread, error = parts.read(sent, look, self._notes.tracking_id, self._list)
            self._error = error or self._error
            left.update(unread)
        else:
            left.update(sent)
        seen -= {reader.shard_id for reader in left}

    def _read(self, look: Look, reader: Reader) -> None:
        self._list()
        if look.failed:
            return
        reader.look(look.until, look.covered_to, noting=look.noting, counting=look.counting)
        self._error = reader.error or self._error
        # Without the permission there is no use in trying the other shards.
        look.failed = look.failed or isinstance(reader.error, ClientError)

    def _due(self, seen: set[str], look: Look) -> list[Reader]:
        """Return readers of the shards that are due, those first that have waited for the longest time.

        ``seen`` are the shards that this look has come to; the others are added to them.
        """
        keep = max(FEWEST_KEPT, min(MOST_KEPT, self._records_kept // max(1, len(self._rows.current))))
        latest = self._machine.now() - BETWEEN_READS_SECONDS
        due = []
        for shard_id, row in self._rows.current.items():
            if row.finished or shard_id in seen:
                continue
            seen.add(shard_id)
            reader = self._followed.readers.get(shard_id)
            if reader is None:
                reader = self._followed.readers[shard_id] = Reader(self._client, row, self._machine)
                if look.counting and row.counted_to:
                    reader.resume_count(row)
            reader.keep = keep
            reader.notes = self._notes.of(row, reader.read_to)
            if max(row.looked_at, reader.tried_at) <= latest:
                due.append((row.looked_at, reader))
        return [reader for _, reader in sorted(due, key=itemgetter(0))]

    def _list(self) -> None:
        try:
            self._followed.list_due()
        except (Unavailable, ClientError) as error:
            self._error = error

    # What the records and the applied batches show

    def _follow(self, workers: Workers, look: Look) -> dict[Reader, Progress]:
        chain = Chain(self._batches, workers.executor, self._machine, look.covered_to)
        found: dict[Reader, Progress] = {}
        mine = [reader for reader in self._followed.readers.values() if reader not in look.found]
        try:
            chain.follow(mine, look.follow_until, found)
        except (ClientError, *NO_ANSWER) as error:
            self._error = error
        return found | look.found

    def _update(self, found: Mapping[Reader, Progress], look: Look) -> bool:
        """Take over what the readers have found. Returns whether a shard was not empty."""
        now = self._machine.now()
        proof = self._proof
        changed, self._unapplied_from = False, now
        for shard_id, reader in list(self._followed.readers.items()):
            row = self._rows.current[shard_id]
            if reader.gone_at and not self._has_left(reader, shard_id):
                continue
            if reader.from_horizon or reader.gone_at:
                # What was made after the last moment of which this is known may have left the stream.
                reader.from_horizon = False
                if not look.noting:
                    check_not_lost(shard_id, max(row.applied_to, look.covered_to), now)
            progress = found.get(reader)
            if reader.ahead_count and progress is not None and progress.is_known:
                check_not_lost(shard_id, reader.oldest, now)
                self._unapplied_from = min(self._unapplied_from, reader.oldest)
            found_some = reader.ahead_count or reader.beyond or (reader.is_new and reader.brought)
            changed = changed or bool(found_some)
            if reader.read_at > 0 or reader.gone_at:
                moved = row.position != reader.position
                row = advanced(row, reader, progress)
                row = proof.updated(row, reader, self._machine.now(), moved=moved)
                self._rows.current[shard_id] = row
            reader.is_new = reader.is_reopened = False
            if row.finished:
                self._followed.finish(row)
        return changed

    def _has_left(self, reader: Reader, shard_id: str) -> bool:
        """Return whether a shard has left the stream, and not the stream. A list of all shards shows it."""
        listed_at = self._listing.listed_at
        if listed_at is None or listed_at <= reader.gone_at:
            self._listing.list_again()
            return False
        return shard_id not in self._listing.shards

    @property
    def _proof(self) -> Proof:
        return Proof(self._rows.current, self._listing, self._drained_after, self._covered_to)

    # What is kept

    def _note(self, notes: KeyNotes) -> None:
        try:
            notes.flush()
        except (ClientError, *NO_ANSWER) as error:
            self._error = error

    def _save(self, row: Shard) -> None:
        if not self._notes.cover(row):
            # An environment that continues from this row would not see records whose keys are not noted yet.
            return
        try:
            self._rows.save(row)
        except (ClientError, *NO_ANSWER) as error:
            self._error = error

    def _save_siblings(self) -> None:
        try:
            self._lineage.save_siblings()
        except (ClientError, *NO_ANSWER) as error:
            self._error = error

    def _retire(self) -> None:
        try:
            self._followed.retire(self._proof)
        except (ClientError, *NO_ANSWER) as error:
            self._error = error

    # What follows

    def _backlog(self, covered_to: float, *, noting: bool, changed: bool) -> Backlog:
        now = self._machine.now()
        rows, totals = self._rows.current.values(), self._rows.totals
        following = [row for row in rows if not row.finished]
        readers = [self._followed.readers.get(row.shard_id) for row in following]
        proof = self._proof

        def age(row: Shard) -> float:
            parent = self._rows.current.get(row.parent)
            return age_of(row, self._followed.readers.get(row.shard_id), parent, now, covered_to)

        unlisted = next((row.shard_id for row in rows if row.finished and not proof.is_finished(row)), "")
        is_known = not noting and self._lineage.has_siblings() and self._rows.is_loaded
        proved_to = min(now, proof.proved_to()) if is_known else -math.inf
        shown_to = min(now, proof.shown_to()) if is_known and self._is_cutover else proved_to
        return Backlog(
            oldest_age=max([0.0, *map(age, following)]),
            unapplied_age=max(0.0, now - self._unapplied_from),
            drained=shown_to > -math.inf,
            proved_to=proved_to,
            shown_to=shown_to,
            quiet=proof.is_quiet(proved_to, now),
            looked_since=min((row.looked_at for row in following), default=now) if rows else -math.inf,
            records=totals.records + sum(row.records for row in rows),
            puts=totals.puts + sum(row.puts for row in rows),
            deletes=totals.deletes + sum(row.deletes for row in rows),
            waiting=sum(reader.ahead_count + reader.beyond for reader in self._followed.readers.values()),
            changed=changed,
            unapplied=any(reader.ahead_count or reader.beyond for reader in self._followed.readers.values()),
            listed=self._listing.listed_at is not None,
            settled=bool(rows)
            and all(reader is not None and reader.is_settled for reader in readers)
            and all(self._rows.is_saved(row.shard_id) for row in rows if row.looked_at)
            and (not self._is_read_in_parts or self._lineage.has_saved_siblings()),
            noted_at=self._lineage.noted_at,
            open_shards=len(following),
            waits_for=unlisted and f"shard {unlisted} has ended, and DynamoDB has not listed its successor",
            error=self._error,
        )

    def _noted_to(self, now: float) -> float:
        """Return up to when the keys of all changes are noted; see `StreamSummary`."""
        if not self._notes.is_on:
            return 0.0
        to = now
        for row in self._rows.current.values():
            reader = self._followed.readers.get(row.shard_id)
            if row.finished:
                read_to = now if self._proof.is_finished(row) else row.open_at
            else:
                read_to = reader.seen_to if reader is not None else 0.0
            to = min(to, self._notes.noted_to(row.shard_id, read_to))
        # What is noted stays noted, so a shard that this environment has not read yet takes nothing back.
        return max(to, self._summary.noted_to)

    def _listed_to(self, now: float) -> float:
        """Return up to when all changes are in shards that are listed; see `StreamSummary`."""
        if not self._notes.is_on:
            return 0.0
        rows = self._rows.current.values()
        incomplete = (row.open_at for row in rows if row.finished and not self._proof.has_no_other_child(row))
        return min(incomplete, default=now)

    def _summarize(self, backlog: Backlog) -> None:
        """Write what the commands show to the journal."""
        now = self._machine.now()
        since = [row.empty_since for row in self._rows.current.values() if not row.finished]
        known = [moment for moment in since if moment is not None]
        summary = StreamSummary(
            looked_at=now,
            open_shards=backlog.open_shards,
            records=backlog.records,
            puts=backlog.puts,
            deletes=backlog.deletes,
            unapplied_since=now - backlog.oldest_age if backlog.oldest_age else 0.0,
            empty_since=max(known) if known and len(known) == len(since) else None,
            noted_to=self._noted_to(now),
            newest=max((row.changed_at for row in self._rows.current.values()), default=0.0),
            listed_to=self._listed_to(now),
        )
        is_news = replace(summary, looked_at=self._summary.looked_at) != self._summary
        if not is_news and now - self._summary.looked_at < SAVE_EVERY_SECONDS:
            return
        try:
            self._journal.save_summary(summary)
        except (ClientError, *NO_ANSWER):
            # Only what the commands show is out of date then.
            return
        self._summary = summary
