"""Marks: which batches the replicator has applied, by the batch's first sequence number.

A mark outlives its batch. Lambda may deliver a batch twice, and the second delivery may come when later
batches have been applied: its images are old by then, and only the mark tells.

The second delivery may be cut otherwise. One that reaches further than its mark is acknowledged up to the
mark's end, so that the next begins where the next mark does. One that ends before leaves a rest that begins
where no mark does: for this a mark's sequence numbers are kept beside it, and the rest is given a mark of
its own before the portion is acknowledged. So no batch ever begins within a mark and finds none.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate, pairwise

from tablecopy.clock import Clock
from tablecopy.dynamodb.client import Json
from tablecopy.journal.store import Conflict, Store, number, text

# Twice the 24 hours that a stream keeps its records: past that none of them can be delivered again.
_KEEP_SECONDS = 2 * 86_400


@dataclass(frozen=True)
class Mark:
    """A batch applied from ``first`` to ``last``: how many records, and what was written for them."""

    first: str
    last: str
    records: int
    puts: int
    deletes: int


class Marks:
    """The mark items of the journal."""

    _PK = "mark"
    # Apart, so that looking through the marks costs little.
    _NUMBERS = "numbers"

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def put(self, mark: Mark) -> None:
        """Say that a batch has been applied up to the mark's last record. A mark never gets shorter."""
        with suppress(Conflict):
            self._store.put(
                self._PK,
                sortable(mark.first),
                {
                    "first": text(mark.first),
                    "last": text(mark.last),
                    "reach": text(sortable(mark.last)),
                    "records": number(mark.records),
                    "puts": number(mark.puts),
                    "deletes": number(mark.deletes),
                    "expires_at": number(int(self._clock.now()) + _KEEP_SECONDS),
                },
                condition="attribute_not_exists(pk) OR reach < :reach",
                values={":reach": text(sortable(mark.last))},
            )

    def keep(self, sequence_numbers: Sequence[str]) -> None:
        """Keep what a batch consists of, for ``split``; before its mark, which makes it count."""
        steps = [str(after - before) for before, after in pairwise(map(int, sequence_numbers))]
        packed = zlib.compress(",".join(steps).encode())
        self._store.put(
            self._NUMBERS,
            sortable(sequence_numbers[0]),
            {
                "steps": {"B": base64.b64encode(packed).decode()},
                "expires_at": number(int(self._clock.now()) + _KEEP_SECONDS),
            },
        )

    def split(self, mark: Mark, last: str) -> None:
        """Give the records of ``mark`` behind the sequence number ``last`` a mark of their own."""
        numbers = self._listed(mark.first)
        rest = numbers[numbers.index(last) + 1 : numbers.index(mark.last) + 1]
        self.keep(rest)
        # What was done for them counts in the first mark already.
        self.put(Mark(rest[0], mark.last, records=0, puts=0, deletes=0))

    def get(self, first: str) -> Mark | None:
        """The mark of the batch that begins with ``first``, if any of it has been applied."""
        item = self._store.get(self._PK, sortable(first))
        return None if item is None else _decode(item)

    def _listed(self, first: str) -> list[str]:
        item = self._store.get(self._NUMBERS, sortable(first))
        assert item is not None, f"the records of the batch that begins with {first} are not listed"
        steps = zlib.decompress(base64.b64decode(item["steps"]["B"])).decode()
        values = accumulate(map(int, filter(None, steps.split(","))), initial=int(first))
        # As they were spelled: where a shard's numbers have leading zeros, all have the same length.
        return [str(value).zfill(len(first)) for value in values]

    def between(self, first: str, last: str) -> dict[str, Mark]:
        """The marks of batches that begin from ``first`` to ``last``, of any shard, by sortable first."""
        items = self._store.query(self._PK, first=sortable(first), last=sortable(last))
        return {item["sk"]["S"]: _decode(item) for item in items}


def sortable(sequence_number: str) -> str:
    """A sequence number (21 to 40 digits, Streams API reference) whose text sorts like its value."""
    return sequence_number.zfill(40)


def _decode(item: Json) -> Mark:
    return Mark(
        first=item["first"]["S"],
        last=item["last"]["S"],
        records=int(item["records"]["N"]),
        puts=int(item["puts"]["N"]),
        deletes=int(item["deletes"]["N"]),
    )
