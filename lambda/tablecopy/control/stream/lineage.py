"""What is known of the children and siblings of shards, kept in the journal for other environments.

Lambda may continue in another execution environment each minute, in particular where several of them read
for the reconciler. To find out again which shards have further children, an environment needs a call for each
shard that has ended, a minute of waiting for siblings, and the whole list. With thousands of shards, that
takes longer than the minute.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from tablecopy.control.stream.listing import Listing
from tablecopy.control.stream.rows import Rows
from tablecopy.journal.shards import Shards


class Lineage:
    """Shares what `Listing` knows through the rows of the shards, and one item of the journal."""

    def __init__(self, listing: Listing, rows: Rows, journal: Shards) -> None:
        self._listing = listing
        self._rows = rows
        self._journal = journal
        # The siblings of shards that were noted until then have rows.
        self._siblings_noted_to = 0.0

    @property
    def noted_at(self) -> float:
        """When control has begun at a shard last, in seconds since the epoch; 0 if it saw all changes."""
        return max((row.noted_at for row in self._rows.current.values()), default=0.0)

    def load(self) -> None:
        """Read whether the siblings of noted shards have rows.

        Raises
        ------
        botocore.exceptions.ClientError
            The journal cannot be read.
        """
        self._siblings_noted_to = max(self._siblings_noted_to, self._journal.siblings_noted_to())

    def recall(self, replaced: Iterable[str]) -> None:
        """Take over what other environments have listed. They have written the rows of ``replaced``."""
        children = defaultdict[str, list[str]](list)
        for row in self._rows.current.values():
            if self._rows.is_saved(row.shard_id):
                children[row.parent].append(row.shard_id)
        for shard_id in replaced:
            found = self._rows.current.get(shard_id)
            if found is None:
                self._listing.forget(shard_id)
            elif found.finished:
                self._listing.follow(shard_id, found.ended_at)
                self._listing.recall(shard_id, children[shard_id], found.child_at, is_whole=found.is_whole)

    def mark(self) -> None:
        """Mark in the rows of shards that have ended what is known of their children."""
        listing, rows = self._listing, self._rows
        for row in [row for row in rows.current.values() if row.finished and not row.is_whole]:
            children = listing.children(row.shard_id)
            # An environment that reads the mark asks for no children any more, so they must have rows.
            is_whole = bool(children) and listing.is_whole(row.shard_id) and all(map(rows.is_known, children))
            child_at = row.child_at or listing.first_child_at(row.shard_id)
            if (child_at, is_whole) != (row.child_at, row.is_whole):
                rows.current[row.shard_id] = row.changed(child_at=child_at, is_whole=is_whole)

    def has_siblings_of(self, noted_at: float) -> bool:
        """Return whether the siblings of a shard are known that was noted at this moment."""
        return noted_at <= self._siblings_noted_to or self._listing.has_siblings(noted_at)

    def has_siblings(self) -> bool:
        """Return whether the siblings of all noted shards are known; if not, list them."""
        noted_at = self.noted_at
        if self.has_siblings_of(noted_at):
            return True
        self._listing.list_siblings(noted_at)
        return False

    def has_saved_siblings(self) -> bool:
        """Return whether the siblings of all noted shards have rows; list them if they are not known."""
        return self.has_siblings() and self.noted_at <= self._siblings_noted_to

    def save_siblings(self) -> None:
        """Record that the siblings of all noted shards have rows, once they do.

        Raises
        ------
        botocore.exceptions.ClientError and others
            The journal cannot be written.
        """
        noted_at, known = self.noted_at, self._rows.current
        if noted_at <= self._siblings_noted_to or not self._listing.has_siblings(noted_at):
            return
        # The others are children of shards that have rows, and are found through them.
        if all(self._rows.is_saved(row.shard_id) for row in known.values() if row.parent not in known):
            self._journal.save_siblings(noted_at)
            self._siblings_noted_to = noted_at
