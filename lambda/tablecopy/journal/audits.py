"""What an audit keeps: what written keys held at the seal, and the keys whose items differed in its scans.

An audit reads both tables while new writers change the destination. What a key held there at the seal is the
old image of its first record since then. The tracker notes a digest of it, and the verifier's workers note
the keys that differed. Both are dealt out to buckets by a hash of the key, so that a worker judges a bucket
after the other in bounded memory.

A key is never removed, and noting it twice does no harm: of several notes of a key the first one in the order
of the stream counts. Values are never kept.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

from tablecopy.clock import Machine
from tablecopy.comparison.differences import Difference, read, texts
from tablecopy.comparison.items import Key
from tablecopy.dynamodb.client import Json
from tablecopy.journal.codec import decode, encode, number, text
from tablecopy.journal.store import Store

KEEP_SECONDS = 30 * 86_400
"""How long notes are kept."""

BUCKETS = 64
"""Buckets of keys. Each has partitions of its own."""

# An item holds 400 KB (DynamoDB limits). Packed notes take less than half of their text.
_NOTES_AT_A_TIME = 1_000
_LIST_CHARACTERS = 90_000

# Digits of the longest sequence number (Streams API reference, StreamRecord).
_DIGITS = 40


class Written(NamedTuple):
    """A key that was written since the seal, and what it held before.

    Attributes
    ----------
    key
        In DynamoDB JSON.
    digest
        Of the item, hexadecimal (`comparison.canonical.digest`); empty if there was no item.
    expires
        The number in the item's time to live attribute, as DynamoDB spells it; empty if it had none.
    """

    key: Json
    digest: str
    expires: str = ""


class Part(NamedTuple):
    """A part of a shard: ``rank`` grows from parent to child, and the sequence numbers include both ends."""

    rank: int
    shard_id: str
    first: str
    last: str


@dataclass(frozen=True)
class Reading:
    """How far an audit has read the destination's stream. Times are seconds since the epoch.

    Attributes
    ----------
    verification_id
        The audit.
    looked_at
        When the tracker looked last.
    noted_to
        Every record made before this moment, since the seal, is noted; 0 as long as that is not known. It is
        of the tracker's own clock.
    records
        Records since the seal that this execution environment of the tracker has read.
    waits_for
        What keeps it from getting further; may be empty.
    lost
        Why the stream cannot show every record since the seal any more; empty if it can.
    """

    verification_id: str
    looked_at: float = 0.0
    noted_to: float = 0.0
    records: int = 0
    waits_for: str = ""
    lost: str = ""


def order_of(key: Key) -> str:
    """Return where a key is in the order in which keys are judged: its bucket, and a digest of the key."""
    found = blake2b(json.dumps(key).encode(), digest_size=16).digest()
    return f"{found[0] % BUCKETS:02x}{found.hex()}"


def bucket_of(order: str) -> int:
    """Return the bucket of a key by `order_of`."""
    return int(order[:2], 16)


class AuditNotes:
    """The notes of one audit in the journal."""

    _READING = ("audit", "reading")

    def __init__(self, store: Store, clock: Machine, verification_id: str) -> None:
        self._store = store
        self._clock = clock
        self._id = verification_id

    def note(self, part: Part, written: Iterable[tuple[Key, Written]]) -> None:
        """Write what keys held before their first record in a part of a shard.

        Parameters
        ----------
        written
            Each key of the part once, in the order of the shard.

        Raises
        ------
        botocore.exceptions.ClientError and others
            The journal cannot be written. Some of the notes may be written.
        """
        buckets: dict[int, list[Written]] = defaultdict(list)
        for key, each in written:
            buckets[bucket_of(order_of(key))].append(each)
        first, last = (each.zfill(_DIGITS) for each in (part.first, part.last))
        name = f"{part.rank:06d}#{part.shard_id}#{first}#{last}"
        for bucket, notes in buckets.items():
            for at in range(0, len(notes), _NOTES_AT_A_TIME):
                packed = json.dumps(notes[at : at + _NOTES_AT_A_TIME], separators=(",", ":")).encode()
                # The name determines the notes, so another environment writes the same.
                self._put(
                    f"audit#{self._id}#written#{bucket:02x}",
                    f"{name}#{at:06d}",
                    {"packed": {"B": base64.b64encode(zlib.compress(packed, 1)).decode()}},
                )

    def written(self, bucket: int) -> Iterator[Written]:
        """Yield the notes of a bucket, so that of each key the first one in the stream comes first.

        A shard comes after its ancestors. Parts of one shard may overlap. Then the one that begins first has
        the first record of each key that both have.
        """
        for item in self._store.query(f"audit#{self._id}#written#{bucket:02x}"):
            packed = zlib.decompress(base64.b64decode(item["packed"]["B"]))
            for key, digest, expires in json.loads(packed):
                yield Written(key, digest, expires)

    def differ(self, segment: int, differences: Sequence[tuple[Key, Difference]]) -> None:
        """Write keys whose items differed in the scans of a segment. Raises as `note` does."""
        buckets: dict[int, list[Difference]] = defaultdict(list)
        for key, difference in differences:
            buckets[bucket_of(order_of(key))].append(difference)
        # Two workers of a segment must not replace each other's keys.
        token = self._clock.token()
        for bucket, found in buckets.items():
            for at, chunk in enumerate(texts(found, _LIST_CHARACTERS)):
                self._put(
                    f"audit#{self._id}#differ#{bucket:02x}",
                    f"{segment:07d}#{token}#{at:06d}",
                    {"listed": text(chunk)},
                )

    def differing(self, bucket: int) -> Iterator[Difference]:
        """Yield the keys of a bucket whose items differed in the scans. A key may come several times."""
        for item in self._store.query(f"audit#{self._id}#differ#{bucket:02x}"):
            yield from read(item["listed"]["S"])

    def reading(self) -> Reading:
        """Return how far the stream is read; zeros if this audit has not begun to read."""
        item = self._store.get(*self._READING)
        found = None if item is None else decode(Reading, item)
        return Reading(self._id) if found is None or found.verification_id != self._id else found

    def save_reading(self, reading: Reading) -> None:
        """Write how far the stream is read."""
        self._store.put(*self._READING, encode(reading))

    def _put(self, pk: str, sk: str, attributes: Json) -> None:
        expires = number(int(self._clock.now()) + KEEP_SECONDS)
        self._store.put(pk, sk, {**attributes, "expires_at": expires})
