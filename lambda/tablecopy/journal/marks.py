"""Marks: the last sequence number of each batch that the replicator has applied."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tablecopy.clock import Clock
from tablecopy.journal.store import Store, number
from tablecopy.wire import Json

# Twice the 24 hours that a stream keeps its records: past that no mark can be asked for again.
_KEEP_SECONDS = 2 * 86_400


@dataclass(frozen=True)
class Mark:
    """A batch applied up to ``sequence_number``: how many records it had, and what was written for them."""

    sequence_number: str
    records: int
    puts: int
    deletes: int


class Marks:
    """The mark items of the journal."""

    _PK = "mark"

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def put(self, mark: Mark) -> None:
        """Say that everything of the batch up to the mark has been applied."""
        self._store.put(
            self._PK,
            sortable(mark.sequence_number),
            {
                "records": number(mark.records),
                "puts": number(mark.puts),
                "deletes": number(mark.deletes),
                "expires_at": number(int(self._clock.now()) + _KEEP_SECONDS),
            },
        )

    def between(self, first: str, last: str) -> dict[str, Mark]:
        """The marks from ``first`` to ``last``, of all shards, by their sortable sequence number."""
        items = self._store.query(self._PK, first=sortable(first), last=sortable(last))
        return {item["sk"]["S"]: _decode(item) for item in items}

    def remove(self, marks: Iterable[Mark]) -> None:
        """Forget marks that a shard's position has passed."""
        self._store.delete_all(self._PK, [sortable(mark.sequence_number) for mark in marks])


def sortable(sequence_number: str) -> str:
    """A sequence number (21 to 40 digits, Streams API reference) whose text sorts like its value."""
    return sequence_number.zfill(40)


def _decode(item: Json) -> Mark:
    return Mark(
        sequence_number=item["sk"]["S"],
        records=int(item["records"]["N"]),
        puts=int(item["puts"]["N"]),
        deletes=int(item["deletes"]["N"]),
    )
