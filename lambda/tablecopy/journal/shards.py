"""Shards: how far each shard of the stream is applied, as control has seen."""

from __future__ import annotations

from dataclasses import dataclass

from tablecopy.dynamodb.client import Json
from tablecopy.journal.codec import decode
from tablecopy.journal.store import Store, Versioned


@dataclass(frozen=True)
class Shard(Versioned):
    """Progress of one shard. Times are seconds since the epoch.

    Attributes
    ----------
    position
        Sequence number of the last record known to be applied; empty before the first.
    applied_to
        Every change made before this moment is applied.
    empty_since
        Since when repeated reads after ``position`` have found nothing; None while they find a record.
    finished
        The shard is closed and applied to its end.
    records, puts, deletes
        Records of this shard that are applied, and the writes that they led to.
    batch_first
        First sequence number of the batch that led to ``position``.
    parent
        Id of the shard that this one follows; empty if the stream does not report it.
    iterator
        Iterator at which to continue: all records after ``position`` come after it. It expires after 15
        minutes (GetShardIterator, API reference).
    counted_to, waiting
        The last record that was counted after ``position``, and the number of records up to it. Control
        counts only while a slice pauses the replicator.
    """

    shard_id: str
    position: str = ""
    applied_to: float = 0.0
    empty_since: float | None = None
    finished: bool = False
    records: int = 0
    puts: int = 0
    deletes: int = 0
    batch_first: str = ""
    parent: str = ""
    iterator: str = ""
    counted_to: str = ""
    waiting: int = 0


class Shards:
    """The shard items of the journal. Only control writes them.

    Two invocations of control may overlap. If the slower one moved a position back, batches would be counted
    twice, and a shard could count as empty because of an old read.
    """

    _PK = "shard"

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


def _decode(item: Json) -> Shard:
    return decode(Shard, item, shard_id=item["sk"]["S"])
