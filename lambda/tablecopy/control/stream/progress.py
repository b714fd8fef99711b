"""The progress of the stream: which changes are applied, and how old the oldest unapplied change is.

Lambda does not name the shard of a batch to the replicator. Control reads the shards itself, as their
second reader, and finds the batches that the replicator has recorded as applied. A batch is a contiguous
part of its shard, and the batches of a shard follow each other, so that they form a chain of positions.

A table of 10 TB has a thousand open shards. A look therefore ends by the clock, wherever it is, and the next
one begins with the shards that were not looked at for the longest time.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from operator import itemgetter

from botocore.exceptions import ClientError

from tablecopy.clock import Machine
from tablecopy.control.stream.backlog import Backlog, age_of
from tablecopy.control.stream.chain import Chain, Progress, advanced
from tablecopy.control.stream.expiry import check_not_lost
from tablecopy.control.stream.lineage import Lineage
from tablecopy.control.stream.listing import Listing, StreamGone, leaves, unknown
from tablecopy.control.stream.notes import KeyNotes, SourceNotes
from tablecopy.control.stream.parts import FEWEST_KEPT, MOST_KEPT, Look, Parts
from tablecopy.control.stream.proof import Proof, ended_after
from tablecopy.control.stream.reader import UNREADABLE_SECONDS, Reader
from tablecopy.control.stream.rows import SAVE_EVERY_SECONDS, Rows
from tablecopy.control.stream.work import Workers
from tablecopy.dynamodb.errors import NO_ANSWER
from tablecopy.dynamodb.streams import BETWEEN_READS_SECONDS, READERS, ListedShard, StreamClient, Unavailable
from tablecopy.journal.applied_batches import AppliedBatches
from tablecopy.journal.shards import Shard, Shards, StreamSummary

CLOCK_MARGIN_SECONDS = 30.0
"""By how much clocks may differ: control's, and the one that dates the changes."""

RECORDS_KEPT_PER_MB = 400
"""Records that all readers together keep for each MB of the function's memory. One takes about 250 bytes."""

# Calls are a second apart, also where they arrive.
_ARRIVAL_SECONDS = 0.01

# Finished shards that are retired in one look.
_RETIRED_AT_A_TIME = 5

# A shard counts as empty so long after a page that may not be its end at the soonest.
_NEXT_PAGE_SECONDS = 1.0

# A shard whose children are all listed is retired after so long, even if no call was left to ask again.
_KEPT_SECONDS = 600.0

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
        self._is_cutover = self._is_noting = False
        self._rows = Rows(shards, machine, drained_after)
        self._readers: dict[str, Reader] = {}
        self._listing = Listing(client, machine)
        # Which list was evaluated for new shards, and whether a thread is listing now.
        self._evaluated: float | None = None
        self._is_listing = False
        self._lineage = Lineage(self._listing, self._rows, shards)
        # What the latest look covers: nothing is known of changes before the copy.
        self._covered_to = 0.0
        self._lock = threading.Lock()
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
        self._is_noting = noting
        self._drained_after = self._usual if drained_after is None else drained_after
        self._is_cutover = drained_after is not None
        self._load()
        if noting:
            self._notes.stop()
        else:
            self._take_back(covered_to)
            self._notes.begin_look(self._rows, self._start_over)
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
            self._list(noting=look.noting)
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
        """Wait until a moment, in seconds since the epoch, and list what is due before it.

        Of thousands of shards, so many end that all calls that may be made in this time are needed.
        """
        # Before this invocation has read the rows, it does not know which shards are new.
        while self._rows.is_loaded and (due := self._listing.due_at() + _ARRIVAL_SECONDS) < until:
            self._machine.sleep(max(0.0, due - self._machine.now()))
            try:
                self._list(noting=self._is_noting)
            except StreamGone:
                # The next look finds that as well.
                break
        self._machine.sleep(max(0.0, until - self._machine.now()))

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

    def _load(self) -> None:
        if self._rows.is_loaded:
            return
        # Read first: if siblings have rows, the rows that are read next have them.
        self._lineage.load()
        replaced = self._rows.load()
        for shard_id in replaced:
            self._readers.pop(shard_id, None)
            self._notes.forget(shard_id)
        self._lineage.recall(replaced)

    def _start_over(self) -> None:
        """Give up what is known of shards that the journal has no rows of, and read its rows again."""
        for row in [row for row in self._rows.current.values() if not row.version]:
            del self._rows.current[row.shard_id]
            self._readers.pop(row.shard_id, None)
            self._notes.forget(row.shard_id)
        self._evaluated = None
        self._rows.is_loaded = False
        self._load()

    def _take_back(self, covered_to: float) -> None:
        """Read shards again from their oldest record if changes of the copy were skipped in them.

        A look from before the copy may have stood still. The copy begins with the changes that are as old as
        another environment has decided, and such a look has skipped later ones, or shards that held some.
        """
        for row in list(self._rows.current.values()):
            reader = self._readers.get(row.shard_id)
            if max(row.skipped_to, reader.skipped_to if reader else 0.0) > covered_to:
                if row.noted_at and row.parent:
                    if self._listing.listed_at is None:
                        continue
                    self._add_ancestors(row, covered_to)
                self._readers.pop(row.shard_id, None)
                self._notes.forget(row.shard_id)
                self._rows.current[row.shard_id] = replace(
                    Shard(row.shard_id, row.parent, row.found_closed, applied_to=covered_to),
                    version=row.version,
                    tracked=row.tracked,
                    noted_at=row.noted_at,
                )

    def _add_ancestors(self, row: Shard, applied_to: float) -> None:
        shard = self._listing.shards.get(row.parent)
        while shard is not None:
            self._add(shard, applied_to, noting=False)
            shard = self._listing.shards.get(shard.parent)

    # Reading

    def _read_all(self, look: Look, workers: Workers) -> None:
        """Read a page of each shard, and list shards at the same time, until the time is up."""
        seen: set[str] = set()
        self._list(noting=look.noting)
        if self._parts is not None and self._is_read_in_parts and not look.noting:
            self._read_in_parts(self._parts, look, seen)
        while True:
            while due := self._due(seen, look):
                workers.work_off(due, partial(self._read, look), look.until)
            behind = {shard_id for shard_id, reader in self._readers.items() if reader.is_behind}
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
            unread, error = parts.read(
                sent, look, self._notes.tracking_id, partial(self._list, noting=look.noting)
            )
            self._error = error or self._error
            left.update(unread)
        else:
            left.update(sent)
        seen -= {reader.shard_id for reader in left}

    def _read(self, look: Look, reader: Reader) -> None:
        self._list(noting=look.noting)
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
            reader = self._readers.get(shard_id)
            if reader is None:
                reader = self._readers[shard_id] = Reader(self._client, row, self._machine)
                if look.counting and row.counted_to:
                    reader.resume_count(row)
            reader.keep = keep
            reader.notes = self._notes.of(row, reader.read_to)
            if max(row.looked_at, reader.tried_at) <= latest:
                due.append((row.looked_at, reader))
        return [reader for _, reader in sorted(due, key=itemgetter(0))]

    # Listing

    def _list(self, *, noting: bool) -> None:
        """List shards if that is due and no other thread does."""
        with self._lock:
            if self._is_listing or not self._listing.is_due():
                return
            self._is_listing = True
        try:
            self._listing.step()
            self._add_new(noting=noting)
        except (Unavailable, ClientError) as error:
            self._error = error
        finally:
            self._is_listing = False

    def _add_new(self, *, noting: bool) -> None:
        """Begin to follow the shards that were listed and are not known."""
        listing, rows = self._listing, self._rows.current
        for row in [row for row in rows.values() if row.finished]:
            for child in map(listing.shards.get, listing.children(row.shard_id)):
                # A child that only another environment has listed has a row.
                if child is not None:
                    self._add(child, row.applied_to, row.changed_at, noting=noting, closed=False)
        now = self._machine.now()
        if noting:
            # A part of the list does not show which shards have children. Open ones have none.
            for shard in list(listing.shards.values()):
                if not shard.closed:
                    self._add(shard, now, noting=noting)
        if listing.listed_at == self._evaluated:
            return
        self._evaluated = listing.listed_at
        known = self._rows.retired.union(rows)
        for shard in leaves(listing.shards) if noting else unknown(listing.shards, known):
            self._add(shard, now, noting=noting)

    def _add(
        self,
        shard: ListedShard,
        applied_to: float,
        changed_at: float = 0.0,
        *,
        noting: bool,
        closed: bool | None = None,
    ) -> None:
        """Begin to follow a shard. ``closed`` is whether it may have ended long ago."""
        rows = self._rows.current
        if self._rows.is_known(shard.shard_id) or shard.shard_id in rows:
            return
        # Before the copy, a shard that has ended and has children is not read.
        skips = noting and shard.parent and shard.parent not in rows
        now = self._machine.now()
        rows[shard.shard_id] = Shard(
            shard.shard_id,
            shard.parent,
            found_closed=shard.closed if closed is None else closed,
            applied_to=applied_to,
            changed_at=changed_at,
            noted_at=now if skips else 0.0,
            tracked=self._notes.tracking_id,
            skipped_to=now + UNREADABLE_SECONDS if skips else 0.0,
        )

    # What the records and the applied batches show

    def _follow(self, workers: Workers, look: Look) -> dict[Reader, Progress]:
        chain = Chain(self._batches, workers.executor, self._machine, look.covered_to)
        found: dict[Reader, Progress] = {}
        mine = [reader for reader in self._readers.values() if reader not in look.found]
        try:
            chain.follow(mine, look.follow_until, found)
        except (ClientError, *NO_ANSWER) as error:
            self._error = error
        return found | look.found

    def _update(self, found: Mapping[Reader, Progress], look: Look) -> bool:
        """Take over what the readers have found. Returns whether a shard was not empty."""
        now = self._machine.now()
        changed, self._unapplied_from = False, now
        for shard_id, reader in list(self._readers.items()):
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
                row = self._updated(advanced(row, reader, progress), reader, moved=moved)
                self._rows.current[shard_id] = row
            reader.is_new = reader.is_reopened = False
            if row.finished:
                del self._readers[shard_id]
                self._listing.follow(shard_id, row.ended_at)
        return changed

    def _updated(self, row: Shard, reader: Reader, *, moved: bool) -> Shard:
        """Return a row with what its reader shows about the changes after the position.

        ``moved`` is whether the position is another one than before this look.
        """
        if reader.ahead_count:
            return row.changed(applied_to=reader.oldest, empty_since=None)
        if reader.beyond:
            return row.changed(empty_since=None)
        brought = moved or (reader.is_new and reader.brought)
        if brought:
            # What comes after the newest record is unknown, unless it is the last one.
            applied_to = max(row.applied_to, reader.newest) if reader.at_end else reader.newest
            row = row.changed(applied_to=applied_to, empty_since=None)
        if reader.at_closed_end or reader.gone_at:
            return self._ended(row)
        if brought or not reader.is_new:
            return row
        empty_since = row.empty_since
        if empty_since is None:
            empty_since = self._proof.empty_since(row) + reader.late
        elif reader.is_reopened:
            # Far back in the shard, a new iterator may show nothing for a while, even if there are records.
            empty_since = row.looked_at + reader.late
        if not reader.at_end:
            # Others may be pages away, however long ago the page before was read.
            empty_since = max(empty_since, row.looked_at - self._drained_after + _NEXT_PAGE_SECONDS)
        # One empty answer proves nothing. Trusting it would hide a change that expires unapplied.
        empty = row.looked_at - empty_since >= self._drained_after
        return row.changed(applied_to=row.looked_at if empty else row.applied_to, empty_since=empty_since)

    def _ended(self, row: Shard) -> Shard:
        """Return the row of a shard that is read to its end and applied."""
        open_at = self._rows.current[row.shard_id].looked_at
        row = replace(row, finished=True, ended_at=self._machine.now(), open_at=open_at, iterator="")
        # The children have no older changes.
        return replace(row, applied_to=max(row.applied_to, ended_after(row)))

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
        """Retire finished shards that have no other child, and whose children have rows."""
        listing = self._listing
        kept_from = self._machine.now() - _KEPT_SECONDS
        found = [
            row
            for row in self._rows.current.values()
            if row.finished
            and self._rows.is_current(row)
            and (
                listing.is_final(row.shard_id)
                or listing.has_left(row.shard_id)
                or (row.is_whole and row.ended_at < kept_from)
            )
            and self._proof.is_finished(row)
            and self._lineage.has_siblings_of(row.noted_at)
            and all(map(self._rows.is_known, listing.children(row.shard_id)))
        ]
        try:
            for row in found[:_RETIRED_AT_A_TIME]:
                self._rows.retire(row)
                self._listing.forget(row.shard_id)
                self._notes.forget(row.shard_id)
        except (ClientError, *NO_ANSWER) as error:
            self._error = error

    # What follows

    def _backlog(self, covered_to: float, *, noting: bool, changed: bool) -> Backlog:
        now = self._machine.now()
        rows, totals = self._rows.current.values(), self._rows.totals
        following = [row for row in rows if not row.finished]
        readers = [self._readers.get(row.shard_id) for row in following]
        proof = self._proof

        def age(row: Shard) -> float:
            parent = self._rows.current.get(row.parent)
            return age_of(row, self._readers.get(row.shard_id), parent, now, covered_to)

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
            waiting=sum(reader.ahead_count + reader.beyond for reader in self._readers.values()),
            changed=changed,
            unapplied=any(reader.ahead_count or reader.beyond for reader in self._readers.values()),
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
            reader = self._readers.get(row.shard_id)
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
