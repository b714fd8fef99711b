"""Shards: how far each shard of the stream is applied, as the reconciler has seen."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Any

from tablecopy.dynamodb.client import Json
from tablecopy.journal.codec import decode, encode, number
from tablecopy.journal.store import Conflict, Store, Versioned

LOOK_SECONDS = 60.0
"""How long after a look at all shards has read the first of them it may end."""

# A shard that has ended is listed for at least the 24 hours for which its records are kept.
_KEEP_SECONDS = 2 * 86_400

# Of a thousand open shards, twelve thousand are retired in two days, and all of them are read once a minute.
# What remains of such a shard is that it is known.
_OF_RETIRED = frozenset({"retired", "expires_at", "version"})

# So often ``snapshot`` reads the shards while others are being retired.
_SNAPSHOT_READS = 3


@dataclass(frozen=True)
class Totals:
    """Records that are applied, and the writes that they led to."""

    records: int = 0
    puts: int = 0
    deletes: int = 0

    def plus(self, shard: Shard) -> Totals:
        """Return these counts with those of ``shard``."""
        return Totals(self.records + shard.records, self.puts + shard.puts, self.deletes + shard.deletes)


@dataclass(frozen=True)
class Shard(Versioned):
    """Progress of one shard. Times are seconds since the epoch.

    Attributes
    ----------
    parent
        ID of the shard that this one follows; empty if the stream does not report it.
    found_closed
        It had ended when it was found, and not as the child of a shard that was followed.
    position
        Sequence number of the last record that is known to be applied, or that is from before the copy;
        empty before the first one.
    applied_to
        Every change made before this moment is applied.
    changed_at
        When the newest change that was read of this shard and its ancestors was made; 0 before the first one.
    looked_at
        When it was last read to an answer; 0 before that.
    empty_since
        Since when repeated reads after ``position`` have found nothing; ``None`` while they find a record.
    finished
        The shard is closed and applied to its end.
    ended_at
        When it was found to be finished; 0 before that.
    open_at
        When it was last read before its end was found; 0 if it never was, or is not finished.
    child_at
        When a child of it was seen listed for the first time; 0 before that.
    is_whole
        All of its children are listed, and the journal has their rows.
    records, puts, deletes
        Records of this shard that are applied, and the writes that they led to.
    iterator
        Iterator at which to continue: all records after ``position`` come after it. It expires after 15
        minutes (API reference, GetShardIterator). Empty if the position leads to them.
    empty_pages
        How many empty pages in a row were read before the iterator.
    noted_at
        Changes of this shard and its ancestors that the reconciler has not seen were made before this
        moment. 0 if it has seen all that were left.
    skipped_to
        Changes made before this moment were skipped as made before the copy; 0 if none was.
    counted_to, waiting
        The last record that was counted after ``position``, and the number of records up to it. Empty and 0
        unless a slice pauses the replicator.
    tracked
        Id of the tracking for which the keys of all records up to the place of this row are noted, as far as
        they were made since the tracking began. Empty while keys are not tracked.
    retired
        The shard is finished, and its counts are in the totals. It stays known as long as it may be listed,
        and has no other fields than its ID.
    expires_at
        When DynamoDB may remove the item of a retired shard; None before.
    """

    shard_id: str
    parent: str = ""
    found_closed: bool = False
    position: str = ""
    applied_to: float = 0.0
    changed_at: float = 0.0
    looked_at: float = 0.0
    empty_since: float | None = None
    finished: bool = False
    ended_at: float = 0.0
    open_at: float = 0.0
    child_at: float = 0.0
    is_whole: bool = False
    records: int = 0
    puts: int = 0
    deletes: int = 0
    iterator: str = ""
    empty_pages: int = 0
    noted_at: float = 0.0
    skipped_to: float = 0.0
    counted_to: str = ""
    waiting: int = 0
    tracked: str = ""
    retired: bool = False
    expires_at: int | None = None

    def changed(self, **changes: Any) -> Shard:
        """Return this row with other values of some fields.

        Each look does this with each shard, of which there may be thousands. ``dataclasses.replace`` sets all
        fields one by one, which takes eight times as long.
        """
        row = object.__new__(Shard)
        row.__dict__.update(self.__dict__, **changes)
        return row


_NOT_OF_RETIRED = frozenset(each.name for each in fields(Shard)) - _OF_RETIRED


@dataclass(frozen=True)
class StreamSummary:
    """What the latest look at all shards has found. Times are seconds since the epoch.

    Attributes
    ----------
    looked_at
        When the look ended; 0 before the first one.
    open_shards
        Shards that are not finished.
    records, puts, deletes
        Records of all shards that are applied, and the writes that they led to.
    unapplied_since
        When the oldest unapplied change was made; 0 if there is none.
    empty_since
        Since when no shard has held an unapplied change; ``None`` while one does.
    noted_to
        The keys of all changes made before this moment are noted, of the shards that are listed; 0 while keys
        are not tracked, or as long as it is not known.
    newest
        When the newest change that was read was made; 0 without one.
    listed_to
        Every change made before this moment is in a shard that is listed; 0 while keys are not tracked. It is
        minutes behind after the end of a shard, whose children may be listed one after the other.
    """

    looked_at: float = 0.0
    open_shards: int = 0
    records: int = 0
    puts: int = 0
    deletes: int = 0
    unapplied_since: float = 0.0
    empty_since: float | None = None
    noted_to: float = 0.0
    newest: float = 0.0
    listed_to: float = 0.0


class Shards:
    """The shard items of the journal. Only the reconciler writes them.

    Two invocations of it may overlap. If the slower one moved a position back, batches would be counted
    twice, and a shard could count as empty because of an old read.
    """

    _PK = "shard"
    _TOTALS = ("shard-totals", "retired")
    _SUMMARY = ("shard-totals", "summary")
    _SIBLINGS = ("shard-totals", "siblings")

    def __init__(self, store: Store) -> None:
        self._store = store

    def read_all(self) -> dict[str, Shard]:
        """Return all shards seen so far, by id."""
        shards = map(_decode, self._store.query(self._PK))
        return {shard.shard_id: shard for shard in shards}

    def save(self, shard: Shard) -> Shard | None:
        """Replace the state that ``shard`` was derived from. Returns None if another writer was first."""
        return self._store.save(
            self._PK, shard.shard_id, shard, is_new=shard.version == 0, without={"shard_id"}
        )

    def retire(self, shard: Shard, now: float) -> Shard | None:
        """Add the counts of a finished shard to the totals, exactly once, and let its item expire.

        Returns the shard as it is then. None if that was not possible now: another writer was first, or an
        earlier attempt, whose answer was lost. Read the shards again, and retire it if it is not.
        """
        retired = Shard(
            shard.shard_id, retired=True, expires_at=int(now) + _KEEP_SECONDS, version=shard.version
        )
        counts = {"records": shard.records, "puts": shard.puts, "deletes": shard.deletes}
        add = {name: number(count) for name, count in counts.items()}
        return self._store.save_and_add(
            self._PK, shard.shard_id, retired, self._TOTALS, add, without=_NOT_OF_RETIRED
        )

    def totals(self) -> Totals:
        """Return the counts of all retired shards."""
        item = self._store.get(*self._TOTALS)
        return Totals() if item is None else decode(Totals, item)

    def snapshot(self) -> tuple[dict[str, Shard], Totals]:
        """Return all shards and the totals, read so that a shard is rarely counted in both or in neither."""
        totals = self.totals()
        for _ in range(_SNAPSHOT_READS):
            shards, before, totals = self.read_all(), totals, self.totals()
            if totals == before:
                break
        return shards, totals

    def siblings_noted_to(self) -> float:
        """Return up to when shards were noted whose siblings all have rows; see ``save_siblings``."""
        item = self._store.get(*self._SIBLINGS)
        return float(item["noted_to"]["N"]) if item else 0.0

    def save_siblings(self, noted_to: float) -> None:
        """Record that the siblings of all shards with ``noted_at`` up to this moment have rows."""
        self._store.put(*self._SIBLINGS, {"noted_to": number(noted_to)})

    def summary(self) -> StreamSummary:
        """Return the latest summary. It is one item, however many shards there are."""
        item = self._store.get(*self._SUMMARY)
        return StreamSummary() if item is None else decode(StreamSummary, item)

    def save_summary(self, summary: StreamSummary) -> None:
        """Replace the summary, unless it counts more: a late request or an older environment counts less."""
        with suppress(Conflict):
            self._store.put(
                *self._SUMMARY,
                encode(summary),
                condition="attribute_not_exists(pk) OR #records <= :records",
                names={"#records": "records"},
                values={":records": number(summary.records)},
            )


def _decode(item: Json) -> Shard:
    return decode(Shard, item, shard_id=item["sk"]["S"])
