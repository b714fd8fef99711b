"""Up to when every change is applied, as far as the shards show it.

Nothing shows this of the present: a record can be read seconds after its change, and DynamoDB lists a new
shard up to two minutes after its parent has ended. So what is proved is proved up to a moment. It is the
earliest of the moments that the shards prove:

* **An open shard** that repeated reads have found empty: the last of these reads, less the time that a record
  may take to become readable.
* **A shard that has ended** is read to its end, and all of its records are applied. Later changes of its keys
  are in its children, and no change in them is older than the shard's end. As long as another child may be
  listed, only changes made before that end are proved. DynamoDB does not show when it was. But GetRecords
  returned another iterator after the last record, so the shard was open then, and it ended later than that
  read.
* **A child** in which nothing was found, but not yet over repeated reads: the end of its parent, as above.
* **A shard whose children are all listed** proves nothing and prevents nothing.

This needs no two reads at the same time, so it also holds where a shard ends every few seconds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from tablecopy.control.stream.listing import Listing
from tablecopy.control.stream.reader import UNREADABLE_SECONDS, Reader
from tablecopy.journal.shards import Shard

# Changes from before a shard began are in its parent. If the parent was empty to its end, the child counts as
# empty once it has been read for this long, in which even a slow look reads several pages.
_CHILD_EMPTY_SECONDS = 30.0

# A shard counts as empty so long after a page that may not be its end at the soonest.
_NEXT_PAGE_SECONDS = 1.0

# How much later than the newest change the proof must reach. It is more than clocks differ, and so long that
# the writers have stopped.
_QUIET_SECONDS = 30.0

# DynamoDB lists most children sooner.
_LISTED_SECONDS = 10.0

# How old the proof may be. It is as long as DynamoDB takes to list all children of a shard.
_OLDEST_SECONDS = 120.0


@dataclass(frozen=True)
class Proof:
    """What rows and lists of shards prove.

    Parameters
    ----------
    drained_after
        Seconds for which repeated reads of a shard must find nothing before it counts as empty.
    covered_to
        Changes made before this moment, in seconds since the epoch, are from before the copy.
    """

    rows: Mapping[str, Shard]
    listing: Listing
    drained_after: float
    covered_to: float

    @property
    def changed_at(self) -> float:
        """When the newest change that was read was made, in seconds since the epoch."""
        return max([self.covered_to, *(row.changed_at for row in self.rows.values())])

    def proved_to(self) -> float:
        """Return the moment before which every change is applied; minus infinity without a proof."""
        return min(map(self._proved_by, self.rows.values()), default=-math.inf)

    def shown_to(self) -> float:
        """Return as `proved_to`, if a shard is listed within ``drained_after`` seconds of its parent's end.

        AWS bounds that time no more than the time in which a record is shown.
        """
        return min(map(self._shown_by, self.rows.values()), default=-math.inf)

    def is_quiet(self, proved_to: float, now: float) -> bool:
        """Return whether a proof up to ``proved_to`` shows that all changes before a pause are applied.

        No change of the last ``drained_after`` seconds is known, and none was made in the first half of them.
        A later one may be in a shard that DynamoDB has not listed, but none is missing that was made two
        minutes ago.
        """
        first_half = min(_QUIET_SECONDS, self.drained_after / 2)
        if now < self.changed_at + self.drained_after or any(
            self._is_late(row, now) for row in self.rows.values()
        ):
            return False
        return proved_to >= max(self.changed_at + first_half, now - _OLDEST_SECONDS)

    def _is_late(self, row: Shard, now: float) -> bool:
        """Return whether no child of a shard is listed so long after its end that there may be a reason."""
        return row.finished and now > row.ended_at + _LISTED_SECONDS and not self.is_finished(row)

    def is_finished(self, row: Shard) -> bool:
        """Return whether a child of a shard that has ended is known, or it has none."""
        if not row.finished:
            return False
        listing = self.listing
        if row.is_whole or listing.children(row.shard_id) or listing.has_left(row.shard_id):
            return True
        # A shard that had ended and held nothing when it was found may have ended a day ago, and its children
        # may have left the list before it.
        was_empty = row.found_closed and not row.position and not row.records
        return (was_empty and listing.is_final(row.shard_id)) or not listing.enabled

    def updated(self, row: Shard, reader: Reader, now: float, *, moved: bool) -> Shard:
        """Return a row with what its reader shows about the changes after the position.

        Parameters
        ----------
        row
            The row with the reader's position. ``rows`` must still have the one from before this look.
        now
            Seconds since the epoch.
        moved
            Whether the position is another one than before this look.
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
            return self._ended(row, now)
        if brought or not reader.is_new:
            return row
        empty_since = row.empty_since
        if empty_since is None:
            empty_since = self._empty_since(row) + reader.late
        elif reader.is_reopened:
            # Far back in the shard, a new iterator may show nothing for a while, even if there are records.
            empty_since = row.looked_at + reader.late
        if not reader.at_end:
            # Others may be pages away, however long ago the page before was read.
            empty_since = max(empty_since, row.looked_at - self.drained_after + _NEXT_PAGE_SECONDS)
        # One empty answer proves nothing. Trusting it would hide a change that expires unapplied.
        empty = row.looked_at - empty_since >= self.drained_after
        return row.changed(applied_to=row.looked_at if empty else row.applied_to, empty_since=empty_since)

    def _ended(self, row: Shard, now: float) -> Shard:
        """Return the row of a shard that is read to its end and applied."""
        open_at = self.rows[row.shard_id].looked_at
        row = replace(row, finished=True, ended_at=now, open_at=open_at, iterator="")
        # The children have no older changes.
        return replace(row, applied_to=max(row.applied_to, _ended_after(row)))

    def _empty_since(self, row: Shard) -> float:
        """Return since when a shard counts as empty whose latest page was the first one without records."""
        now, parent = row.looked_at, self.rows.get(row.parent)
        if row.version or parent is None or not parent.finished or parent.empty_since is None:
            return now
        return min(now, max(parent.empty_since, now - self.drained_after + _CHILD_EMPTY_SECONDS))

    def _proved_by(self, row: Shard) -> float:
        """Return up to when every change of a shard and of its unknown children is applied."""
        if row.skipped_to > self.covered_to:
            return -math.inf
        if row.finished:
            return math.inf if self.has_no_other_child(row) else _ended_after(row)
        if row.empty_since is not None and row.looked_at - row.empty_since >= self.drained_after:
            return row.looked_at - UNREADABLE_SECONDS
        parent = self.rows.get(row.parent)
        found = row.position or (row.looked_at and row.empty_since is None)
        return -math.inf if parent is None or found else _ended_after(parent)

    def _shown_by(self, row: Shard) -> float:
        is_shown = row.finished and row.skipped_to <= self.covered_to
        if is_shown and self.listing.is_shown(row.shard_id, self.drained_after):
            return math.inf
        return self._proved_by(row)

    def has_no_other_child(self, row: Shard) -> bool:
        """Return whether all children of a shard that has ended are known."""
        listing = self.listing
        if listing.has_left(row.shard_id):
            return True
        is_known = listing.is_whole(row.shard_id) or not listing.enabled
        return is_known and self.is_finished(row)


def _ended_after(row: Shard) -> float:
    """Return a moment before the end of a shard, at which it was read as open; minus infinity without one.

    There were no records after it: with one, the moment of a read does not show that the shard was open.
    """
    if not row.finished or row.empty_since is None or not row.open_at:
        return -math.inf
    return row.open_at - UNREADABLE_SECONDS
