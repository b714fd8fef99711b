"""Touched keys: keys of items that were written while a verification is in progress, on either side.

A baseline proves nothing about an item that is written after it was compared. The keys of all stream records
of both tables are therefore kept, and a key leaves the list only when both items were read, after its record,
and were equal.

Keys are kept in chunks. A chunk holds the keys of a part of a shard, from one record to another, and is named
after these. The name determines the keys, so a part may be noted twice, also by two environments.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from tablecopy.clock import Clock
from tablecopy.comparison.differences import Difference, read, texts
from tablecopy.comparison.items import Side
from tablecopy.dynamodb.client import Json
from tablecopy.journal.codec import decode, encode, number, text
from tablecopy.journal.store import Conflict, Store, Versioned

KEEP_SECONDS = 30 * 86_400
"""How long a chunk is kept. One that is still needed is renewed, so it never expires."""

RENEW_SECONDS = 15 * 86_400
"""A chunk that expires in less than this is renewed."""

PARTITIONS = 16
"""Partitions of each side's chunks. A partition takes 1,000 write units a second (DynamoDB developer guide,
"Partitions and data distribution"), and each round reads all of them."""

CHUNK_CHARACTERS = 256_000
"""Most characters of a chunk's keys. Keys of records are at most 3 KB each, and an item holds 400 KB."""

# Digits of the longest sequence number (Streams API reference, StreamRecord).
_DIGITS = 40

_LIST_CHARACTERS = 90_000


class TrackingState(StrEnum):
    """States of the tracking of touched keys."""

    REQUESTED = "requested"
    """At least one side does not note its records yet."""
    ON = "on"
    """Both sides note every record."""
    OFF = "off"
    """No side notes records."""


@dataclass(frozen=True)
class Tracking(Versioned):
    """The tracking of touched keys, which begins before the baseline. Times are seconds since the epoch.

    Attributes
    ----------
    tracking_id
        Id of the verification that it belongs to.
    run_id
        The run of the copy. Keys of another run prove nothing.
    requested_at
        When it was requested.
    source_since, destination_since
        Since when the keys of all records of that side's stream are noted; 0 before that.
    destination_stream
        ARN of the destination's stream; empty until it is known.
    ended
        When it was switched off; 0 before that.
    reason
        Why it was switched off, if that was not requested: records may be missing, so it proves nothing.
    """

    tracking_id: str
    run_id: str
    requested_at: float
    state: TrackingState = TrackingState.REQUESTED
    source_since: float = 0.0
    destination_since: float = 0.0
    destination_stream: str = ""
    ended: float = 0.0
    reason: str = ""

    @property
    def is_active(self) -> bool:
        """Whether both sides have to note their records."""
        return self.state is not TrackingState.OFF

    @property
    def since(self) -> float:
        """Since when both sides note all records; 0 before that."""
        return max(self.source_since, self.destination_since) if self.state is TrackingState.ON else 0.0

    def noting(self, side: Side, since: float, **changes: str) -> Tracking:
        """Return this with a side that notes all records made after ``since``."""
        name = "source_since" if side is Side.SOURCE else "destination_since"
        noting = replace(self, **{name: since}, **changes)  # type: ignore[arg-type]
        both = noting.source_since and noting.destination_since
        return replace(noting, state=TrackingState.ON) if both and self.is_active else noting

    def off(self, at: float, reason: str = "") -> Tracking:
        """Return this switched off at ``at``, with a ``reason`` if it proves nothing."""
        return replace(self, state=TrackingState.OFF, ended=at, reason=reason)


class TrackingRecord:
    """The journal item of the tracking."""

    _KEY = ("touched", "state")

    def __init__(self, store: Store) -> None:
        self._store = store

    def read(self) -> Tracking | None:
        """Return the latest tracking, or None."""
        item = self._store.get(*self._KEY)
        return None if item is None else decode(Tracking, item)

    def save(self, tracking: Tracking, *, is_new: bool = False) -> Tracking | None:
        """Replace the state that ``tracking`` was derived from. Returns None if another writer was first."""
        return self._store.save(*self._KEY, tracking, is_new=is_new)


@dataclass(frozen=True)
class Checked:
    """What the tracker has found in its latest round. Times are seconds since the epoch.

    Attributes
    ----------
    tracking_id
        The tracking that it is about.
    looked_at
        When the round ended.
    list_read_at
        When the round began to read the list of chunks. What was noted before that is part of ``left``.
    source_noted_to
        ``noted_to`` of the stream's summary (journal.shards) before the list was read.
    destination_noted_to
        Every change made in the destination before this moment was noted before the list was read; 0 as long
        as that is not known.
    destination_newest
        When the newest noted change of the destination was made; 0 without one.
    left
        Keys that are in the list and were not equal, or were not read. A key counts once for each chunk.
    oldest_left
        When the oldest change whose key is left was made; 0 if no key is left.
    rate
        Keys that are rechecked in a second; 0 as long as that is not known.
    standing
        Keys left whose items differ, although every change is applied.
    listed_chunks
        Number of items of the journal that list them.
    waits_for
        What the list waits for; may be empty.
    fence, fence_seen_at
        ``fence`` of the run, as the tracker read it before it looked at the destination's stream in this
        round, and when it read this value first; empty and 0 while the run has none. All of these times are
        of the tracker's own clock, so they can be compared with each other, and not with the reconciler's.
    proved_records
        ``proved_records`` of the run, as the tracker read it with ``fence``.
    open_noted
        Whether the keys that the baseline has left open were in the list before it was read.
    """

    tracking_id: str
    looked_at: float = 0.0
    list_read_at: float = 0.0
    source_noted_to: float = 0.0
    destination_noted_to: float = 0.0
    destination_newest: float = 0.0
    left: int = 0
    oldest_left: float = 0.0
    rate: float = 0.0
    standing: int = 0
    listed_chunks: int = 0
    waits_for: str = ""
    fence: str = ""
    fence_seen_at: float = 0.0
    proved_records: int = -1
    open_noted: bool = False

    @property
    def verified_through(self) -> float:
        """The moment before which no change is left to be rechecked; 0 as long as that is not known."""
        noted_to = min(self.source_noted_to, self.destination_noted_to)
        return min(noted_to, self.oldest_left) if self.left else noted_to


class Note(NamedTuple):
    """A stream record whose key is noted.

    Attributes
    ----------
    sequence_number
        As the stream spells it.
    key
        The record's ``Keys``, JSON text in DynamoDB JSON.
    created
        Seconds since the epoch.
    """

    sequence_number: str
    key: bytes
    created: float


@dataclass(frozen=True)
class Chunk(Versioned):
    """Keys of a part of a shard that are left to be rechecked.

    Attributes
    ----------
    pk, sk
        Its name in the journal.
    packed
        The keys, packed.
    count
        Number of keys.
    first, last
        When the part's first and last record were made, in seconds since the epoch.
    expires_at
        When DynamoDB may remove it.
    """

    pk: str
    sk: str
    packed: bytes
    count: int
    first: float
    last: float
    expires_at: int

    def unpacked(self) -> list[Json]:
        """Return the keys in DynamoDB JSON. A key may come twice, in two spellings."""
        keys: list[Json] = json.loads(zlib.decompress(self.packed).decode("utf-8", "surrogatepass"))
        return keys


class TouchedKeys:
    """The chunks of one tracking, and what its tracker has found."""

    _CHECKED = ("touched", "checked")

    def __init__(self, store: Store, clock: Clock, tracking_id: str) -> None:
        self._store = store
        self._clock = clock
        self._id = tracking_id

    def note(self, side: Side, shard_id: str, notes: Sequence[Note]) -> None:
        """Write the keys of a part of a shard.

        Parameters
        ----------
        notes
            All records of the part, in the order of the shard; at least one.

        Raises
        ------
        botocore.exceptions.ClientError and others
            The journal cannot be written. Some of the keys may be written.
        """
        pk = self._pk(side, zlib.crc32(shard_id.encode()) % PARTITIONS)
        expires = int(self._clock.now()) + KEEP_SECONDS
        for part in _parts(notes):
            keys = dict.fromkeys(note.key for note in part)
            first, last = (_number(part[at].sequence_number) for at in (0, -1))
            attributes = {
                "packed": _binary(_packed(keys)),
                "count": number(len(keys)),
                "first": number(part[0].created),
                "last": number(part[-1].created),
                "expires_at": number(expires),
                "version": number(1),
            }
            # If it is there, these records were noted, and perhaps some of their keys were rechecked since.
            with suppress(Conflict):
                self._store.put(
                    pk, f"{shard_id}#{first}#{last}", attributes, condition="attribute_not_exists(pk)"
                )

    def chunks(self, side: Side, partition: int) -> Iterator[Chunk]:
        """Yield the chunks of a partition, from 0 to `PARTITIONS` - 1."""
        for item in self._store.query(self._pk(side, partition)):
            yield Chunk(
                pk=item["pk"]["S"],
                sk=item["sk"]["S"],
                packed=base64.b64decode(item["packed"]["B"]),
                count=int(item["count"]["N"]),
                first=float(item["first"]["N"]),
                last=float(item["last"]["N"]),
                expires_at=int(item["expires_at"]["N"]),
                version=int(item["version"]["N"]),
            )

    def remove(self, chunk: Chunk) -> bool:
        """Remove a chunk of which no key is left. Returns False if another writer was first."""
        try:
            self._store.delete(
                chunk.pk,
                chunk.sk,
                condition="#version = :known",
                names={"#version": "version"},
                values={":known": number(chunk.version)},
            )
        except Conflict:
            return False
        return True

    def keep(self, chunk: Chunk, keys: Sequence[Json]) -> Chunk | None:
        """Keep only ``keys`` of a chunk, and renew it.

        Returns
        -------
        Chunk or None
            As written; None if another writer was first.
        """
        kept = replace(
            chunk,
            packed=_packed(json.dumps(key, separators=(",", ":")).encode() for key in keys),
            count=len(keys),
            expires_at=int(self._clock.now()) + KEEP_SECONDS,
            version=chunk.version + 1,
        )
        try:
            self._store.put(
                chunk.pk,
                chunk.sk,
                {**encode(kept, without={"pk", "sk", "packed"}), "packed": _binary(kept.packed)},
                condition="#version = :known",
                names={"#version": "version"},
                values={":known": number(chunk.version)},
            )
        except Conflict:
            return None
        return kept

    def checked(self) -> Checked:
        """Return what the tracker has found last; zeros if it has found nothing in this tracking."""
        item = self._store.get(*self._CHECKED)
        found = None if item is None else decode(Checked, item)
        return Checked(self._id) if found is None or found.tracking_id != self._id else found

    def save_checked(self, checked: Checked, standing: Iterable[Difference] | None = None) -> Checked:
        """Write what was found, with a new list of the ``standing`` differences if there is one.

        Returns it as written.
        """
        if standing is not None:
            expires = number(int(self._clock.now()) + KEEP_SECONDS)
            chunks = list(texts(standing, _LIST_CHARACTERS))
            for at, chunk in enumerate(chunks):
                self._store.put(
                    self._standing_pk(), f"{at:06d}", {"listed": text(chunk), "expires_at": expires}
                )
            checked = replace(checked, listed_chunks=len(chunks))
        self._store.put(*self._CHECKED, encode(checked))
        return checked

    def standing(self) -> Iterator[Difference]:
        """Yield the standing differences that are listed."""
        for at in range(self.checked().listed_chunks):
            item = self._store.get(self._standing_pk(), f"{at:06d}")
            if item is not None:
                yield from read(item["listed"]["S"])

    def _pk(self, side: Side, partition: int) -> str:
        return f"touched#{self._id}#{'sd'[side]}#{partition:02x}"

    def _standing_pk(self) -> str:
        return f"touched#{self._id}#standing"


def _parts(notes: Sequence[Note]) -> Iterator[Sequence[Note]]:
    """Yield parts of which each fits into a chunk."""
    begin = size = 0
    for at, note in enumerate(notes):
        if size + len(note.key) > CHUNK_CHARACTERS and at > begin:
            yield notes[begin:at]
            begin, size = at, 0
        size += len(note.key) + 1
    yield notes[begin:]


def _packed(keys: Iterable[bytes]) -> bytes:
    return zlib.compress(b"[%b]" % b",".join(keys), 1)


def _binary(value: bytes) -> Json:
    return {"B": base64.b64encode(value).decode()}


def _number(sequence_number: str) -> str:
    return sequence_number.zfill(_DIGITS)
