"""Applied batches: which batches the replicator has applied, by the batch's first sequence number.

The record of a batch outlives the batch. Lambda may deliver a batch twice, and the second delivery may come
when later batches have been applied. Its images are old by then, and only this record shows it.

The second delivery may be divided differently. A delivery that reaches further than the applied batch is
acknowledged up to that batch's end, so that the next delivery begins where the next batch does. A delivery
that ends earlier leaves a rest that begins where no batch does. For this case the sequence numbers of each
batch are recorded, and the rest becomes a batch of its own before the delivery is acknowledged. So no
delivery ever begins inside an applied batch without being recognized.
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
from tablecopy.journal.codec import decode, encode, number, text
from tablecopy.journal.store import Conflict, Store

# Twice the 24 hours for which a stream keeps its records. After that, Lambda can deliver none of them again.
_KEEP_SECONDS = 2 * 86_400


@dataclass(frozen=True)
class AppliedBatch:
    """A batch applied from ``first`` to ``last``: how many records, and the writes that they led to."""

    first: str
    last: str
    records: int
    puts: int
    deletes: int


class AppliedBatches:
    """The items of the journal that record applied batches."""

    _PK = "mark"
    # In a partition of their own, so that queries of the batches cost little.
    _NUMBERS = "numbers"

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def put(self, batch: AppliedBatch) -> None:
        """Record that a batch is applied up to its last record. A recorded batch never gets shorter."""
        reach = text(sortable(batch.last))
        with suppress(Conflict):
            self._store.put(
                self._PK,
                sortable(batch.first),
                {**encode(batch), "reach": reach, "expires_at": self._expires_at()},
                condition="attribute_not_exists(pk) OR reach < :reach",
                values={":reach": reach},
            )

    def record_numbers(self, sequence_numbers: Sequence[str]) -> None:
        """Record the sequence numbers of a batch for ``split``; call it before ``put``."""
        steps = [str(after - before) for before, after in pairwise(map(int, sequence_numbers))]
        packed = zlib.compress(",".join(steps).encode())
        self._store.put(
            self._NUMBERS,
            sortable(sequence_numbers[0]),
            {"steps": {"B": base64.b64encode(packed).decode()}, "expires_at": self._expires_at()},
        )

    def split(self, batch: AppliedBatch, last: str) -> None:
        """Make the records of ``batch`` after the sequence number ``last`` a batch of their own."""
        numbers = self._numbers(batch.first)
        rest = numbers[numbers.index(last) + 1 : numbers.index(batch.last) + 1]
        self.record_numbers(rest)
        # The writes for these records are counted in the whole batch.
        self.put(AppliedBatch(rest[0], batch.last, records=0, puts=0, deletes=0))

    def get(self, first: str) -> AppliedBatch | None:
        """Return the applied batch that begins with ``first``, if there is one."""
        item = self._store.get(self._PK, sortable(first))
        return None if item is None else decode(AppliedBatch, item)

    def between(self, first: str, last: str) -> dict[str, AppliedBatch]:
        """Return the batches of any shard that begin from ``first`` to ``last``, by sortable first number."""
        items = self._store.query(self._PK, first=sortable(first), last=sortable(last))
        return {item["sk"]["S"]: decode(AppliedBatch, item) for item in items}

    def _numbers(self, first: str) -> list[str]:
        item = self._store.get(self._NUMBERS, sortable(first))
        assert item is not None, f"the sequence numbers of the batch that begins with {first} are missing"
        steps = zlib.decompress(base64.b64decode(item["steps"]["B"])).decode()
        values = accumulate(map(int, filter(None, steps.split(","))), initial=int(first))
        # In the stream's spelling: where a shard's numbers have leading zeros, all have the same length.
        return [str(value).zfill(len(first)) for value in values]

    def _expires_at(self) -> Json:
        return number(int(self._clock.now()) + _KEEP_SECONDS)


def sortable(sequence_number: str) -> str:
    """Return a sequence number (21 to 40 digits, Streams API reference) as text that sorts like its value."""
    return sequence_number.zfill(40)
