"""Applied batches: which batches the replicator has applied, by the name of the batch's first record.

The record of a batch outlives the batch. Lambda may deliver a batch twice, and the second delivery may come
when later batches have been applied. Its images are old by then, and only this record shows it.

The second delivery may be divided differently. A delivery that reaches further than the applied batch is
acknowledged up to that batch's end, so that the next delivery begins where the next batch does. A delivery
that ends earlier leaves a rest that begins where no batch does. For this case the names of a batch's records
are recorded with it, and the rest becomes a batch of its own before the delivery is acknowledged. So every
delivery begins at a recorded batch or after all of them, and batches are only ever looked up by exact name.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import accumulate, pairwise

from botocore.exceptions import ClientError

from tablecopy.clock import Machine
from tablecopy.dynamodb.client import Json
from tablecopy.dynamodb.errors import NO_ANSWER
from tablecopy.journal.codec import decode, encode, number, text
from tablecopy.journal.leases import UnsettledWrite
from tablecopy.journal.store import MOST_KEYS, Conflict, Store, map_with

KEEP_SECONDS = 2 * 86_400
"""Twice the 24 hours for which a stream keeps its records. After that, Lambda delivers none of them again."""

# Digits of the longest sequence number (Streams API reference, StreamRecord).
_DIGITS = 40

_DIGEST_BYTES = 6


def batch_name(sequence_number: str, event_id: str) -> str:
    """Return the name of a batch that begins with this record: its number and a digest of its event ID.

    A sequence number is unique only in its shard, an event ID in the whole stream (Streams API reference,
    StreamRecord and Record). The names of all records of a batch are recorded, and the 16 random bytes of an
    event ID cannot be compressed. Six bytes of a digest are enough: two records get the same name only if
    their shards use the same sequence number, and then once in 2**48 times.
    """
    return _name(sequence_number, hashlib.sha256(event_id.encode()).digest()[:_DIGEST_BYTES])


@dataclass(frozen=True)
class AppliedBatch:
    """A batch that is applied: how many records, and the writes that they led to.

    Attributes
    ----------
    first
        Name of the first record (see `batch_name`).
    last
        Sequence number of the last record, as the stream spells it.
    """

    first: str
    last: str
    records: int
    puts: int
    deletes: int


class AppliedBatches:
    """The items of the journal that record applied batches, each in a partition of its own."""

    _SK = "applied"

    def __init__(self, store: Store, machine: Machine) -> None:
        self._store = store
        self._machine = machine
        self._jitter = machine.random()

    def put(self, batch: AppliedBatch, names: Sequence[str]) -> None:
        """Record that a batch is applied up to its last record. A recorded batch never gets shorter.

        Parameters
        ----------
        names
            Names of the batch's records, in order. Those of later records do no harm.

        Raises
        ------
        UnsettledWrite
            The call failed. It may still take effect, so the batch's lease must not be released: the batch
            could be applied again, and then suddenly count as applied while it is.
        """
        reach = text(_number(batch.last))
        item = {
            **encode(batch, without={"first"}),
            "reach": reach,
            **_packed(_up_to(names, batch.last)),
            "expires_at": number(int(self._machine.now()) + KEEP_SECONDS),
        }
        try:
            self._store.put(
                _pk(batch.first),
                self._SK,
                item,
                condition="attribute_not_exists(pk) OR reach < :reach",
                values={":reach": reach},
            )
        except Conflict:
            pass
        except (ClientError, *NO_ANSWER) as error:
            # Whatever the last attempt met, an earlier one may have no answer yet.
            raise UnsettledWrite(f"the record of an applied batch may still be written: {error}") from error

    def split(self, batch: AppliedBatch, last: str) -> None:
        """Make the records of ``batch`` after the sequence number ``last`` a batch of their own.

        Raises UnsettledWrite as ``put`` does.
        """
        item = self._store.get(_pk(batch.first), self._SK)
        assert item is not None, f"the batch {batch.first} is missing"
        names = _unpacked(batch.first, item)
        rest = [name for name in names if name[:_DIGITS] > _number(last)]
        # The writes for these records are counted in the whole batch.
        self.put(AppliedBatch(rest[0], batch.last, records=0, puts=0, deletes=0), rest)

    def get(self, name: str) -> AppliedBatch | None:
        """Return the applied batch with this name, if there is one."""
        item = self._store.get(_pk(name), self._SK)
        return None if item is None else _decode(item)

    def find(self, names: Iterable[str], pool: Executor | None = None) -> dict[str, AppliedBatch]:
        """Return the applied batches with these names, by name. Up to 100 names are one call.

        ``pool`` makes the calls at the same time.

        Raises
        ------
        botocore.exceptions.ClientError
            The journal has no capacity, or another error.
        """
        keys = [(_pk(name), self._SK) for name in dict.fromkeys(names)]
        calls = [keys[start : start + MOST_KEYS] for start in range(0, len(keys), MOST_KEYS)]
        pages = map_with(pool, self._read, calls)
        return {batch.first: batch for page in pages for batch in map(_decode, page)}

    def _read(self, keys: Sequence[tuple[str, str]]) -> list[Json]:
        return self._store.get_many(keys, self._machine, self._jitter)


def _pk(name: str) -> str:
    return f"batch#{name}"


def _decode(item: Json) -> AppliedBatch:
    return decode(AppliedBatch, item, first=item["pk"]["S"].removeprefix("batch#"))


def _number(sequence_number: str) -> str:
    return sequence_number.zfill(_DIGITS)


def _up_to(names: Sequence[str], last: str) -> list[str]:
    end = _number(last)
    return [name for name in names if name[:_DIGITS] <= end]


def _packed(names: Sequence[str]) -> Json:
    """Return attributes with the names after the first: steps between their numbers, and their digests."""
    numbers = [int(name[:_DIGITS]) for name in names]
    steps = ",".join(str(after - before) for before, after in pairwise(numbers))
    digests = b"".join(base64.urlsafe_b64decode(name[_DIGITS + 1 :]) for name in names[1:])
    packed = {"steps": zlib.compress(steps.encode()), "digests": digests}
    return {attribute: {"B": base64.b64encode(value).decode()} for attribute, value in packed.items()}


def _unpacked(first: str, item: Json) -> list[str]:
    packed = {attribute: base64.b64decode(item[attribute]["B"]) for attribute in ("steps", "digests")}
    steps = zlib.decompress(packed["steps"]).decode()
    numbers = accumulate(map(int, filter(None, steps.split(","))), initial=int(first[:_DIGITS]))
    next(numbers)
    joined = packed["digests"]
    digests = (joined[at : at + _DIGEST_BYTES] for at in range(0, len(joined), _DIGEST_BYTES))
    return [first, *(_name(str(step), digest) for step, digest in zip(numbers, digests, strict=True))]


def _name(sequence_number: str, digest: bytes) -> str:
    return f"{_number(sequence_number)}#{base64.urlsafe_b64encode(digest).decode()}"
