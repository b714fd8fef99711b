"""Reads the records of one shard after control's position, and counts the ones that follow."""

from __future__ import annotations

import json
import math
from collections import deque
from typing import Any

from botocore.exceptions import ClientError

from tablecopy.clock import Machine
from tablecopy.control.stream.notes import KeyNotes
from tablecopy.dynamodb.streams import (
    EMPTY_PAGES,
    PAGE_RECORDS,
    RECENT_SECONDS,
    IteratorExpired,
    RecordsPage,
    StreamClient,
    StreamNotFound,
    StreamRecord,
    Unavailable,
)
from tablecopy.journal.applied_batches import batch_name
from tablecopy.journal.shards import Shard

# Before the copy begins, a shard is read from its oldest record for so many pages. If the records are still
# older than this, it is read from its end. A shard may hold a day of changes, which the scan covers.
_PAGES_OF_HISTORY = 3
_HISTORY_SECONDS = 600.0

UNREADABLE_SECONDS = 5.0
"""How old a change may be that a read of its shard does not show: a record takes a moment to become readable,
a shard's end takes a moment to show, and clocks differ."""

# What a reader knows, apart from the records ahead.
_STATE = (
    "_iterator",
    "_read_to",
    "_patience",
    "_pages",
    "_page_is_full",
    "_first_page",
    "_begins_at_end",
    "_empty_pages",
    "beyond",
    "position",
    "read_at",
    "seen_to",
    "brought",
    "newest",
    "at_end",
    "end_read_at",
    "from_horizon",
    "begun_at_end_at",
    "skipped_to",
    "gone_at",
    "is_new",
    "is_reopened",
)

STATE_FORM = " ".join(_STATE)
"""Names what `Reader.state` returns. Another version of the function may have another form."""


class Reader:
    """Reads one shard, a page a call, and keeps the first records that are not known to be applied.

    One thread at a time uses a reader.

    Attributes
    ----------
    shard_id
        The shard.
    beyond
        Number of records after those in ``ahead`` that were read and not kept.
    position
        Sequence number of the last record that is known to be applied, or that is from before the copy;
        empty before the first one.
    keep
        How many records to keep.
    read_at
        When the latest page was requested, in seconds since the epoch.
    seen_to
        Every record created before this moment was read; 0 as long as that is not known.
    late
        By how many seconds at most ``read_at`` is too early, because another host has measured it.
    tried_at
        When the latest request for a page ended, with or without one.
    brought
        Whether the latest page had records.
    newest
        When the newest record before the place where reading continues was created, or earlier; 0 before the
        first one.
    at_end
        Whether the latest page reached the shard's end: nothing is known to follow.
    end_read_at
        When the shard's end was last read, by this or another reader that found nothing there; 0 before that.
    at_closed_end
        Whether the shard is closed, and read to its end.
    from_horizon
        The reader had no place to begin at, or the place has left the stream.
    begun_at_end_at
        When the reader began at the shard's end instead of its oldest record; 0 if it did not.
    skipped_to
        Changes made before this moment were skipped as made before the copy; 0 if none was.
    gone_at
        When DynamoDB no longer knew the shard, or the stream; 0 while it does.
    is_new
        Whether a page was read that was not evaluated yet. The caller clears it.
    is_reopened
        Whether the page was read with a new iterator of a place. The caller clears it as well.
    error
        Why the latest call failed; ``None`` if it did not.
    notes
        Gets the keys of all records that are read; ``None`` while keys are not tracked.
    """

    def __init__(self, client: StreamClient, shard: Shard, machine: Machine) -> None:
        self._client = client
        self._machine = machine
        self.shard_id = shard.shard_id
        self._iterator: str | None = shard.iterator
        self._read_to = shard.position
        # Where another reader has found nothing, fewer empty pages are enough.
        is_continued = shard.iterator and shard.empty_since is not None
        self._empty_pages = shard.empty_pages if is_continued else 0
        self._patience = max(1, EMPTY_PAGES - self._empty_pages)
        self._pages = 0
        self._page_is_full = False
        self._first_page = ""
        self._begins_at_end = False
        self.keep = PAGE_RECORDS
        self._ahead: deque[StreamRecord] = deque()
        # The same as text, of another reader, with their number, and when the first was made and the name of
        # its batch. Reading this text takes long, and most readers only pass it on.
        self._packed = ""
        self._packed_count = 0
        self._packed_oldest = 0.0
        self._packed_head = ""
        self.beyond = 0
        self.position = shard.position
        self.read_at = self.tried_at = -math.inf
        self.late = 0.0
        self.seen_to = 0.0
        self.brought = False
        self.newest = 0.0
        self.at_end = False
        self.end_read_at = shard.looked_at if shard.empty_since is not None else 0.0
        self.from_horizon = False
        self.begun_at_end_at = 0.0
        self.skipped_to = shard.skipped_to
        self.gone_at = 0.0
        self.is_new = False
        self.is_reopened = False
        self.error: Exception | None = None
        self.notes: KeyNotes | None = None

    @property
    def ahead(self) -> deque[StreamRecord]:
        """The first records that were read and are not known to be applied, in order, at most ``keep``."""
        if self._packed:
            self._ahead = deque(StreamRecord(*record) for record in json.loads(self._packed))
            self._packed = ""
        return self._ahead

    @ahead.setter
    def ahead(self, records: deque[StreamRecord]) -> None:
        self._ahead, self._packed = records, ""

    @property
    def ahead_count(self) -> int:
        """Number of records in ``ahead``."""
        return self._packed_count if self._packed else len(self._ahead)

    @property
    def oldest(self) -> float:
        """When the first record in ``ahead`` was made, in seconds since the epoch; 0 without one."""
        if self._packed:
            return self._packed_oldest
        return self._ahead[0].created if self._ahead else 0.0

    @property
    def at_closed_end(self) -> bool:
        """Whether the shard is closed, and every record of it that is left was read."""
        return self._iterator is None

    @property
    def is_settled(self) -> bool:
        """Whether the reader has found the place at which it continues: everything before it is history."""
        if self.at_closed_end:
            return True
        has_answer = self._pages > 0 and not self._begins_at_end
        return has_answer and (not self._page_is_full or self.newest >= self.read_at - RECENT_SECONDS)

    @property
    def resume_iterator(self) -> str:
        """The iterator at which another reader continues, if the position alone does not lead there."""
        if self.ahead_count:
            return "" if self.position else self._first_page
        # Records that were counted and not kept are before the iterator.
        return "" if self.beyond else self._iterator or ""

    @property
    def empty_pages(self) -> int:
        """How many empty pages in a row were read; as many as show that nothing follows at most."""
        return min(self._empty_pages, EMPTY_PAGES)

    @property
    def is_behind(self) -> bool:
        """Whether records are known to be applied that were not read, although their keys must be noted."""
        if self.notes is None or self.at_closed_end or self.gone_at or self.error:
            return False
        return int(self.position or 0) > int(self._read_to or 0)

    @property
    def read_to(self) -> str:
        """Sequence number of the last record that was read; empty before the first one."""
        return self._read_to

    @property
    def counted_to(self) -> str:
        """Sequence number of the last record that was read; empty if all of them were kept."""
        return self._read_to if self.beyond else ""

    @property
    def head(self) -> str:
        """Name of the batch that begins with the first record ahead, which must exist."""
        if self._packed:
            return self._packed_head
        first = self.ahead[0]
        return batch_name(first.sequence_number, first.event_id)

    def resume_count(self, shard: Shard) -> None:
        """Continue counting where another reader stopped, instead of reading the same records again.

        The records are not kept, so this reader can count, but not follow applied batches.
        """
        self._iterator, self._read_to, self.beyond = "", shard.counted_to, shard.waiting

    def state(self, most: int) -> list[Any]:
        """Return what the reader knows, as JSON, with at most ``most`` records ahead. See `resume`."""
        while self.ahead_count > most:
            self.ahead.pop()
            self.beyond += 1
        count = self.ahead_count
        packed = self._packed or (json.dumps(list(self._ahead), separators=(",", ":")) if count else "")
        head = self.head if count else ""
        return [[getattr(self, name) for name in _STATE], packed, count, self.oldest, head]

    def resume(self, state: list[Any]) -> None:
        """Continue from where another reader of the shard was; see `state`."""
        values, packed, count, oldest, head = state
        for name, value in zip(_STATE, values, strict=True):
            setattr(self, name, value)
        self._ahead, self._packed = deque(), packed
        self._packed_count, self._packed_oldest, self._packed_head = count, oldest, head

    def look(self, until: float, covered_to: float, *, noting: bool, counting: bool) -> None:
        """Read a page, unless that would bring nothing new.

        Parameters
        ----------
        until
            A throttled call is repeated until this moment, in seconds since the epoch.
        covered_to
            Records created before this moment are from before the copy and are dropped.
        noting
            The copy has not begun, so the reader may begin at the shard's end.
        counting
            Read on although ``keep`` records are ahead, and count the others.
        """
        self.error = None
        self.late = 0.0
        if self.beyond and not self.ahead_count and not counting:
            # Another reader counted these records. From here on they are followed.
            self._begin_at(self.position, 0.0)
            self.beyond = 0
        if self.at_closed_end or (self._has_enough() and not counting):
            self.read_at = self._machine.now()
            return
        try:
            # Nothing is read twice: the page has room for what is kept, unless all records count.
            whole = counting or noting or self.is_behind
            limit = PAGE_RECORDS if whole else max(1, self.keep - self.ahead_count)
            try:
                self._read(until, covered_to, limit)
            except IteratorExpired:
                self._iterator = ""
                self._read(until, covered_to, limit)
            if noting:
                self._skip_history()
        except StreamNotFound:
            self.gone_at = self.gone_at or self._machine.now()
        except (IteratorExpired, Unavailable, ClientError) as error:
            self.error = error
        self.tried_at = self._machine.now()

    def _has_enough(self) -> bool:
        """Return whether another page would only hold records that are not kept."""
        enough = 1 if self._page_is_full or self.beyond else self.keep // 2
        return self.ahead_count >= enough

    def pass_to(self, sequence_number: str, count: float = math.inf) -> None:
        """Drop the records up to ``sequence_number``, which are applied: ``count`` of them, if known."""
        reached = int(sequence_number)
        self.position = sequence_number
        passed = self.newest
        while self.ahead and int(self.ahead[0].sequence_number) <= reached:
            passed = self.ahead.popleft().created
            count -= 1
        if self.ahead:
            return
        if self._read_to and int(self._read_to) > reached:
            # Not all of the records that were read and not kept are applied.
            self._begin_at(sequence_number, passed)
        elif (
            self._page_is_full
            and count >= self.keep
            and self._iterator is not None
            and int(self._read_to or 0) < reached
            and self.notes is None
        ):
            # Reading a batch of which only the end matters would take several pages.
            self._begin_at(sequence_number, passed)
        self.beyond = 0

    def pass_covered(self, covered_to: float) -> None:
        """Drop the first records ahead if they are from before the copy."""
        last = ""
        while self.ahead_count and self.oldest < covered_to:
            last = self.ahead.popleft().sequence_number
        if last:
            self.skipped_to = max(self.skipped_to, covered_to)
            self.pass_to(last)

    def _begin_at(self, sequence_number: str, newest: float) -> None:
        """Read on after a record, which was created at ``newest`` or later."""
        self._iterator, self._read_to, self.newest = "", sequence_number, newest
        self._page_is_full = self.at_end = False

    def _read(self, until: float, covered_to: float, limit: int) -> None:
        if not self._iterator:
            self._iterator = self._open(until)
        requested, iterator = self._machine.now(), self._iterator
        page = self._client.records(iterator, until, limit, keys=self.notes is not None)
        if self.notes is not None and page.records:
            self.notes.add(page)
        self.read_at, self._iterator = requested, page.iterator
        self.is_new = True
        self.gone_at = 0.0
        self._pages += 1
        self._page_is_full = page.is_full
        self.brought = bool(page.records)
        if self._begins_at_end:
            self._begins_at_end = False
            self.begun_at_end_at = self._machine.now()
            self.skipped_to = self.begun_at_end_at + UNREADABLE_SECONDS
        if page.records:
            self._take(page, iterator, covered_to)
            self._patience = 1
            self.at_end = not page.is_full and self.newest >= requested - RECENT_SECONDS
        else:
            self._patience -= 1
            self.at_end = self._patience <= 0
        if self.at_end:
            self.end_read_at = requested
        # A page may have fewer records than it could have although others follow. After an old record, or a
        # place that was just looked up, these may be empty pages away.
        self._empty_pages = 0 if page.records else self._empty_pages + 1
        is_recent = self._empty_pages >= EMPTY_PAGES or self.newest >= requested - RECENT_SECONDS
        is_empty = self.at_end and not page.records and is_recent
        self.seen_to = max(self.seen_to, requested if is_empty else self.newest)

    def _open(self, until: float) -> str:
        """Return an iterator at the place where the reader continues."""
        self.is_reopened = True
        self._patience = EMPTY_PAGES
        self._empty_pages = 0
        if self._begins_at_end:
            return self._client.iterator(self.shard_id, "LATEST", until)
        if self._read_to:
            try:
                return self._client.iterator(self.shard_id, "AFTER_SEQUENCE_NUMBER", until, self._read_to)
            except (IteratorExpired, StreamNotFound):
                # The record itself has expired. Time shows whether later records have as well.
                pass
        self.from_horizon = True
        return self._client.iterator(self.shard_id, "TRIM_HORIZON", until)

    def _take(self, page: RecordsPage, iterator: str, covered_to: float) -> None:
        records = page.records
        self.newest = records[-1].created
        self._read_to = records[-1].sequence_number
        if self.position and int(records[0].sequence_number) <= int(self.position):
            reached = int(self.position)
            records = [record for record in records if int(record.sequence_number) > reached]
        if not self.ahead_count and not self.beyond:
            covered = 0
            while covered < len(records) and records[covered].created < covered_to:
                covered += 1
            if covered:
                self.position = records[covered - 1].sequence_number
                self.skipped_to = max(self.skipped_to, covered_to)
                records = records[covered:]
            self._first_page = iterator
        kept = [] if self.beyond else records[: max(0, self.keep - self.ahead_count)]
        if kept:
            self.ahead += kept
        self.beyond += len(records) - len(kept)

    def _skip_history(self) -> None:
        """Begin at the shard's end if several pages have not led there."""
        if self._pages < _PAGES_OF_HISTORY or not self.brought or self.at_closed_end:
            return
        if self.newest < self.read_at - _HISTORY_SECONDS:
            self.ahead.clear()
            self.beyond = 0
            self._iterator, self._begins_at_end = "", True
