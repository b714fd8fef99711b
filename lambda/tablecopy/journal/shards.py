"""Shards: how far control has seen each shard of the stream applied."""

from __future__ import annotations

from dataclasses import dataclass

from tablecopy.dynamodb.client import Json
from tablecopy.journal.codec import decode
from tablecopy.journal.store import Store, Versioned


@dataclass(frozen=True)
class Shard(Versioned):
    """What is known of one shard. Times are seconds since the epoch.

    Attributes
    ----------
    position
        Sequence number of the last record known to be applied; empty before the first.
    applied_to
        Every change made before this moment has been applied.
    empty_since
        Since when repeated reads behind ``position`` have found nothing; None while something is there.
    finished
        The shard is closed and applied to its end.
    records, puts, deletes
        What the replicator has done for this shard so far.
    batch_first
        First sequence number of the batch that led to ``position``.
    parent
        The shard that this one followed; empty where the stream does not tell.
    iterator
        Where to read on: no record behind ``position`` comes before it. It expires after 15 minutes
        (GetShardIterator, API reference).
    counted_to, waiting
        The last record that was counted behind ``position``, and how many there are up to it. Only counted
        while a slice keeps the replicator from them.
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
    """The shard items of the journal; only control writes them.

    Two of its invocations may overlap. Were the slower one to take a position back, batches would be counted
    twice, and a shard could count as quiet on the word of an old look.
    """

    _PK = "shard"

    def __init__(self, store: Store) -> None:
        self._store = store

    def read_all(self) -> dict[str, Shard]:
        """All shards seen so far, by id."""
        shards = map(_decode, self._store.query(self._PK))
        return {shard.shard_id: shard for shard in shards}

    def save(self, shard: Shard) -> Shard | None:
        """Replace the state that ``shard`` was derived from; None if somebody else has done so first."""
        return self._store.save(
            self._PK, shard.shard_id, shard, is_new=shard.version == 0, without={"shard_id"}
        )


def _decode(item: Json) -> Shard:
    return decode(Shard, item, shard_id=item["sk"]["S"])
