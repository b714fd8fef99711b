"""Which shards are followed, and from where: from when they are listed until their children have rows.

A shard is followed by its row, and by a reader in each environment that reads it. Another environment may
replace the row, and a look from before the copy may have skipped changes of the copy. What this environment
knows of such a shard is then given up.
"""

from __future__ import annotations

import threading
from dataclasses import replace

from botocore.exceptions import ClientError

from tablecopy.clock import Machine
from tablecopy.control.stream.lineage import Lineage
from tablecopy.control.stream.listing import Listing, StreamGone, leaves, unknown
from tablecopy.control.stream.notes import SourceNotes
from tablecopy.control.stream.proof import Proof
from tablecopy.control.stream.reader import UNREADABLE_SECONDS, Reader
from tablecopy.control.stream.rows import Rows
from tablecopy.dynamodb.streams import ListedShard, Unavailable
from tablecopy.journal.shards import Shard

# Calls are a second apart, also where they arrive.
_ARRIVAL_SECONDS = 0.01

# Finished shards that are retired in one look.
_RETIRED_AT_A_TIME = 5

# A shard whose children are all listed is retired after so long, even if no call was left to ask again.
_KEPT_SECONDS = 600.0


class Followed:
    """The shards that are followed. It adds to the rows, and removes from them.

    Attributes
    ----------
    readers
        The readers of the shards, by ID. A shard that was not read here yet has none.
    is_noting
        Whether the copy has not begun in the latest look: shards that have children are not read.
    """

    def __init__(
        self, listing: Listing, rows: Rows, lineage: Lineage, notes: SourceNotes, machine: Machine
    ) -> None:
        self._listing = listing
        self._rows = rows
        self._lineage = lineage
        self._notes = notes
        self._machine = machine
        # Which list was evaluated for new shards, and whether a thread is listing now.
        self._evaluated: float | None = None
        self._is_listing = False
        self._lock = threading.Lock()
        self.readers: dict[str, Reader] = {}
        self.is_noting = False

    # What is continued

    def load(self) -> None:
        """Read the journal's rows, unless that was done in this invocation.

        Raises
        ------
        botocore.exceptions.ClientError
            The journal cannot be read.
        """
        if self._rows.is_loaded:
            return
        # Read first: if siblings have rows, the rows that are read next have them.
        self._lineage.load()
        replaced = self._rows.load()
        for shard_id in replaced:
            self._give_up(shard_id)
        self._lineage.recall(replaced)

    def start_over(self) -> None:
        """Give up what is known of shards that the journal has no rows of, and read its rows again."""
        for row in [row for row in self._rows.current.values() if not row.version]:
            del self._rows.current[row.shard_id]
            self._give_up(row.shard_id)
        self._evaluated = None
        self._rows.is_loaded = False
        self.load()

    def take_back(self, covered_to: float) -> None:
        """Read shards again from their oldest record if changes of the copy were skipped in them.

        A look from before the copy may have stood still. The copy begins with the changes that are as old as
        another environment has decided, and such a look has skipped later ones, or shards that held some.
        """
        for row in list(self._rows.current.values()):
            reader = self.readers.get(row.shard_id)
            if max(row.skipped_to, reader.skipped_to if reader else 0.0) > covered_to:
                if row.noted_at and row.parent:
                    if self._listing.listed_at is None:
                        continue
                    self._add_ancestors(row, covered_to)
                self._give_up(row.shard_id)
                self._rows.current[row.shard_id] = replace(
                    Shard(row.shard_id, row.parent, row.found_closed, applied_to=covered_to),
                    version=row.version,
                    tracked=row.tracked,
                    noted_at=row.noted_at,
                )

    def _give_up(self, shard_id: str) -> None:
        """Forget what was read of a shard beyond its row."""
        self.readers.pop(shard_id, None)
        self._notes.forget(shard_id)

    # What is new

    def list_due(self) -> None:
        """List shards, and begin to follow the new ones, if that is due and no other thread does.

        Raises
        ------
        StreamGone
            The stream does not exist.
        tablecopy.dynamodb.streams.Unavailable, botocore.exceptions.ClientError
            As of `Listing.step`.
        """
        with self._lock:
            if self._is_listing or not self._listing.is_due():
                return
            self._is_listing = True
        try:
            self._listing.step()
            self._add_new()
        finally:
            self._is_listing = False

    def list_until(self, until: float) -> None:
        """Wait until a moment, in seconds since the epoch, and list what is due before it.

        Of thousands of shards, so many end that all calls that may be made in this time are needed.
        """
        # Before this invocation has read the rows, it does not know which shards are new.
        while self._rows.is_loaded and (due := self._listing.due_at() + _ARRIVAL_SECONDS) < until:
            self._machine.sleep(max(0.0, due - self._machine.now()))
            try:
                self.list_due()
            except StreamGone:
                # The next look finds that as well.
                break
            except (Unavailable, ClientError):
                # The call is due again.
                continue
        self._machine.sleep(max(0.0, until - self._machine.now()))

    def _add_new(self) -> None:
        """Begin to follow the shards that were listed and are not known."""
        listing, rows = self._listing, self._rows.current
        for row in [row for row in rows.values() if row.finished]:
            for child in map(listing.shards.get, listing.children(row.shard_id)):
                # A child that only another environment has listed has a row.
                if child is not None:
                    self._add(child, row.applied_to, row.changed_at, closed=False)
        now = self._machine.now()
        if self.is_noting:
            # A part of the list does not show which shards have children. Open ones have none.
            for shard in list(listing.shards.values()):
                if not shard.closed:
                    self._add(shard, now)
        if listing.listed_at == self._evaluated:
            return
        self._evaluated = listing.listed_at
        known = self._rows.retired.union(rows)
        for shard in leaves(listing.shards) if self.is_noting else unknown(listing.shards, known):
            self._add(shard, now)

    def _add_ancestors(self, row: Shard, applied_to: float) -> None:
        shard = self._listing.shards.get(row.parent)
        while shard is not None:
            self._add(shard, applied_to)
            shard = self._listing.shards.get(shard.parent)

    def _add(
        self, shard: ListedShard, applied_to: float, changed_at: float = 0.0, *, closed: bool | None = None
    ) -> None:
        """Begin to follow a shard. ``closed`` is whether it may have ended long ago."""
        rows = self._rows.current
        if self._rows.is_known(shard.shard_id) or shard.shard_id in rows:
            return
        # Before the copy, a shard that has ended and has children is not read.
        skips = self.is_noting and shard.parent and shard.parent not in rows
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

    # What has ended

    def finish(self, row: Shard) -> None:
        """Read a shard no more that is applied to its end, and ask for its children."""
        del self.readers[row.shard_id]
        self._listing.follow(row.shard_id, row.ended_at)

    def retire(self, proof: Proof) -> None:
        """Retire finished shards that have no other child, and whose children have rows.

        Raises
        ------
        botocore.exceptions.ClientError and others
            The journal cannot be written.
        """
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
            and proof.is_finished(row)
            and self._lineage.has_siblings_of(row.noted_at)
            and all(map(self._rows.is_known, listing.children(row.shard_id)))
        ]
        for row in found[:_RETIRED_AT_A_TIME]:
            self._rows.retire(row)
            listing.forget(row.shard_id)
            self._notes.forget(row.shard_id)
