"""Keys of the source's records, on their way to the journal while they are tracked.

A row of a shard never gets ahead of its notes: an environment that continues from a row begins at or before
the first record that is not noted. Environments that do not know of the tracking yet are kept out by the
versions of the rows: the tracking is on when each row was written by an environment that notes, so that the
others can write none of them.
"""

from __future__ import annotations

from collections.abc import Callable

from tablecopy.clock import Clock
from tablecopy.comparison.items import Side
from tablecopy.control.stream.rows import Rows
from tablecopy.dynamodb.streams import RecordsPage
from tablecopy.journal.shards import Shard
from tablecopy.journal.store import Store
from tablecopy.journal.touched import Note, TouchedKeys, Tracking, TrackingRecord


class KeyNotes:
    """The keys of one shard. One thread at a time uses them.

    Parameters
    ----------
    read_to
        Sequence number of the record up to which no record needs a note; 0 without one.

    Attributes
    ----------
    created
        When the newest record was made that is in the journal; 0 before the first one.
    """

    def __init__(self, keys: TouchedKeys, side: Side, shard_id: str, read_to: int) -> None:
        self._keys = keys
        self._side = side
        self._shard_id = shard_id
        self._pending: list[Note] = []
        self._read_to = self._noted_to = read_to
        self.created = 0.0

    @property
    def is_pending(self) -> bool:
        """Whether keys are not in the journal yet."""
        return bool(self._pending)

    def add(self, page: RecordsPage) -> None:
        """Take over the keys of a page that was read with its keys, except those of records read before."""
        records, keys = page.records, page.keys
        begin = 0
        if int(records[0].sequence_number) <= self._read_to:
            while begin < len(records) and int(records[begin].sequence_number) <= self._read_to:
                begin += 1
        self._pending += [
            Note(record.sequence_number, key, record.created)
            for record, key in zip(records[begin:], keys[begin:], strict=True)
        ]
        self._read_to = max(self._read_to, int(records[-1].sequence_number))

    def flush(self) -> None:
        """Write what is pending to the journal. Raises as `TouchedKeys.note` does; it is pending then."""
        if self._pending:
            self._keys.note(self._side, self._shard_id, self._pending)
            last = self._pending[-1]
            self._noted_to, self.created, self._pending = int(last.sequence_number), last.created, []

    @property
    def place(self) -> tuple[int, float]:
        """The record up to which all are in the journal, and when the newest of them was made."""
        return self._noted_to, self.created

    def advance(self, noted_to: int, created: float) -> None:
        """Continue from where another reader has noted this shard; see ``place``. Nothing may be pending."""
        self._read_to = self._noted_to = noted_to
        self.created = created

    def cover(self, row: Shard) -> bool:
        """Return whether every record up to the place of a row is noted."""
        place = max(int(row.position or 0), int(row.counted_to or 0))
        return not self._pending and place <= self._noted_to


class SourceNotes:
    """The notes of all shards of the source, as an execution environment holds them."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._record = TrackingRecord(store)
        self._clock = clock
        self._shards: dict[str, KeyNotes] = {}
        self._tracking: Tracking | None = None

    @property
    def tracking_id(self) -> str:
        """The tracking for which keys are noted; empty if there is none."""
        return self._tracking.tracking_id if self._tracking else ""

    @property
    def is_on(self) -> bool:
        """Whether the keys of all records of the source are noted."""
        return self._tracking is not None and self._tracking.source_since > 0

    def begin_look(self, rows: Rows, start_over: Callable[[], None]) -> None:
        """Read from the journal whether keys are tracked, and mark the rows as noted from here on.

        The rows must have been read before. An environment that learns too late that keys are tracked cannot
        write them then, because one that knew has. ``start_over`` gives up what this environment knows beyond
        the journal's rows, and reads these again.
        """
        tracking = self._record.read()
        if tracking is None or not tracking.is_active:
            self.stop()
            return
        is_news = tracking.tracking_id != self.tracking_id
        if is_news:
            self.stop()
        self._tracking = tracking
        if (is_news and tracking.source_since) or self._unmarked(rows):
            # Its latest look may have read records without their keys although the tracking was on.
            start_over()
        if unmarked := self._unmarked(rows):
            self._lose(f"shard {unmarked} of the source's stream was read without noting the keys")
            return
        for shard_id, row in rows.current.items():
            # One that stays as it was is not written again.
            if row.tracked != tracking.tracking_id:
                rows.current[shard_id] = row.changed(tracked=tracking.tracking_id)

    def _unmarked(self, rows: Rows) -> str:
        """Return a shard that was written without notes although keys are tracked; empty without one."""
        tracking = self._tracking
        if tracking is None or not tracking.source_since:
            return ""
        return next(
            (
                row.shard_id
                for row in rows.current.values()
                if row.version and row.tracked != tracking.tracking_id
            ),
            "",
        )

    def of(self, row: Shard, read_to: str) -> KeyNotes | None:
        """Return the notes of a shard; None if none are taken.

        ``read_to`` is the sequence number of the last record that its reader has read, empty without one.
        What was read before the notes began was made before that.
        """
        if not self._tracking:
            return None
        notes = self._shards.get(row.shard_id)
        if notes is None:
            place = max(int(number or 0) for number in (row.position, row.counted_to, read_to))
            keys = TouchedKeys(self._store, self._clock, self.tracking_id)
            notes = self._shards[row.shard_id] = KeyNotes(keys, Side.SOURCE, row.shard_id, place)
        return notes

    def pending(self) -> list[KeyNotes]:
        """Return the notes that are not in the journal yet."""
        return [notes for notes in self._shards.values() if notes.is_pending]

    def cover(self, row: Shard) -> bool:
        """Return whether a row may be written: every record up to its place is noted, if keys are tracked."""
        notes = self._shards.get(row.shard_id)
        return notes is None or notes.cover(row)

    def forget(self, shard_id: str) -> None:
        """Forget a shard that is continued from another place, or no more."""
        self._shards.pop(shard_id, None)

    def noted_to(self, shard_id: str, read_to: float) -> float:
        """Return up to when the changes of a shard are noted that was read up to the moment ``read_to``."""
        notes = self._shards.get(shard_id)
        return min(read_to, notes.created) if notes is not None and notes.is_pending else read_to

    def end_look(self, rows: Rows) -> None:
        """Record that keys are noted, once each row in the journal is of an environment that takes notes."""
        tracking = self._tracking
        if tracking is None or tracking.source_since or not rows.are_tracked(tracking.tracking_id):
            return
        # If another writer was first, the next look sees what it has written.
        self._tracking = self._record.save(tracking.noting(Side.SOURCE, self._clock.now())) or tracking

    def _lose(self, reason: str) -> None:
        assert self._tracking is not None
        self._record.save(self._tracking.off(self._clock.now(), reason))
        self.stop()

    def stop(self) -> None:
        """Take no notes until the next look that reads whether keys are tracked."""
        self._tracking = None
        self._shards.clear()
