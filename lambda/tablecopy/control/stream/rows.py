"""The journal's rows of the shards, as an execution environment holds them between its looks."""

from __future__ import annotations

from tablecopy.clock import Clock
from tablecopy.journal.shards import Shard, Shards, Totals

# Values that change a little with every read are written to the journal this often. A thousand active shards
# would take 300 writes a second otherwise. What is read again after a loss is as long.
SAVE_EVERY_SECONDS = 30.0

# The same if another environment may continue soon, from what the journal has.
_SAVE_LEFT_EVERY_SECONDS = 8.0

# An empty shard is written to the journal when it has been empty for so long. Others change too often.
_SETTLED_SECONDS = 10.0


class Rows:
    """The rows as they are now, and as they are in the journal.

    Attributes
    ----------
    current
        The rows as they are now, by shard ID.
    retired
        Shards that were followed to their end, and that the stream may still list.
    totals
        Counts of the retired shards.
    is_loaded
        Whether the rows continue from what the journal has. False after another writer was first.
    """

    def __init__(self, journal: Shards, clock: Clock, drained_after: float) -> None:
        self._journal = journal
        self._clock = clock
        self._settled = min(_SETTLED_SECONDS, drained_after / 2)
        self._saved: dict[str, Shard] = {}
        self._saved_at: dict[str, float] = {}
        self.current: dict[str, Shard] = {}
        self.retired: set[str] = set()
        self.totals = Totals()
        self.is_loaded = False

    def load(self) -> list[str]:
        """Read the journal, unless that was done in this invocation.

        Returns
        -------
        list of str
            Shards whose rows another environment has replaced or retired. What this one knew of them
            continues from a state that no longer exists.
        """
        if self.is_loaded:
            return []
        rows, self.totals = self._journal.snapshot()
        self.retired = {shard_id for shard_id, row in rows.items() if row.retired}
        journal = {shard_id: row for shard_id, row in rows.items() if not row.retired}
        replaced = []
        for shard_id, row in journal.items():
            known = self._saved.get(shard_id)
            if known is None or known.version != row.version:
                self.current[shard_id] = self._saved[shard_id] = row
                # An environment that looks once must not put this off for ever.
                self._saved_at[shard_id] = row.looked_at
                replaced.append(shard_id)
        # One that was found here, and could not be saved, may have been followed to its end elsewhere.
        ended = [id_ for id_ in self.current if id_ not in self._saved and id_ in self.retired]
        for shard_id in [*ended, *(id_ for id_ in self._saved if id_ not in journal)]:
            self._remove(shard_id)
            replaced.append(shard_id)
        self.is_loaded = True
        return replaced

    def is_saved(self, shard_id: str) -> bool:
        """Return whether the journal has a row of the shard."""
        return shard_id in self._saved

    def is_current(self, row: Shard) -> bool:
        """Return whether the journal has this row, and not an earlier one."""
        return self._saved.get(row.shard_id) is row

    def are_tracked(self, tracking_id: str) -> bool:
        """Return whether every row in the journal, of one at least, has this tracking."""
        return bool(self._saved) and all(row.tracked == tracking_id for row in self._saved.values())

    def is_known(self, shard_id: str) -> bool:
        """Return whether the journal has a row of the shard, retired or not."""
        return shard_id in self._saved or shard_id in self.retired

    def due(self, *, is_left: bool = False) -> list[Shard]:
        """Return the rows to write to the journal now, new ones first.

        ``is_left`` is whether another environment most likely continues.
        """
        now, every = self._clock.now(), _SAVE_LEFT_EVERY_SECONDS if is_left else SAVE_EVERY_SECONDS
        return sorted((row for row in self.current.values() if self._is_due(row, now, every)), key=_is_known)

    def _is_due(self, row: Shard, now: float, every: float) -> bool:
        before = self._saved.get(row.shard_id)
        if before is None:
            # A row is new until its shard was read. Another environment would find the shard as well.
            return bool(row.looked_at)
        if row is before:
            return False
        if row.finished or row.noted_at != before.noted_at or row.tracked != before.tracked:
            return True
        if row.empty_since is None and before.empty_since is not None:
            return True
        is_quiet = row.empty_since is not None and now - row.empty_since >= self._settled
        if is_quiet and row.empty_since != before.empty_since:
            return True
        return now - self._saved_at[row.shard_id] >= every

    def save(self, row: Shard) -> None:
        """Write a row to the journal. ``is_loaded`` is False afterwards if another writer was first.

        Raises
        ------
        botocore.exceptions.ClientError and others
            The journal cannot be written.
        """
        saved = self._journal.save(row)
        if saved is None:
            self.is_loaded = False
            return
        self.current[row.shard_id] = self._saved[row.shard_id] = saved
        self._saved_at[row.shard_id] = self._clock.now()

    def retire(self, row: Shard) -> None:
        """Add the counts of a row to the totals, and follow it no more; see ``save``."""
        saved = self._saved[row.shard_id]
        if self._journal.retire(saved, self._clock.now()) is None:
            self.is_loaded = False
            return
        self.totals = self.totals.plus(saved)
        self.retired.add(row.shard_id)
        self._remove(row.shard_id)

    def _remove(self, shard_id: str) -> None:
        for known in (self.current, self._saved, self._saved_at):
            known.pop(shard_id, None)


def _is_known(row: Shard) -> bool:
    return row.version > 0
