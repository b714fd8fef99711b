"""Dead letters: writes that the destination permanently rejects, one for each key.

A dead letter is recorded before its write is acknowledged. It is settled by a later change of the same key
that the destination accepts, or by a redrive, which reads the source again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum

from tablecopy.clock import Clock
from tablecopy.dynamodb.client import Json
from tablecopy.journal.codec import decode, encode, text
from tablecopy.journal.store import Store

DEAD_LETTER_SEGMENT = "letters"
"""Stands among the segments of a slice for the dead letters, which a worker of their own settles."""

IMAGE_BYTES = 300_000
"""Largest image that is kept. An item holds 400 KB (DynamoDB limits), its other attributes included."""

_MESSAGE_CHARACTERS = 1_000


class Origin(StrEnum):
    """Which function made the rejected write."""

    STREAM = "stream"
    BACKFILL = "backfill"


@dataclass(frozen=True)
class DeadLetter:
    """A rejected write. Times are seconds since the epoch.

    Attributes
    ----------
    token
        Identifies the key (dynamodb.requests.key_token).
    key
        The key in DynamoDB JSON.
    origin
        Which function made the write.
    action
        "put" or "delete".
    code, message
        The destination's error.
    sequence_number
        Sequence number of the stream record; empty for an item of the backfill.
    image
        The item to write as JSON text; empty for a delete, if it is larger than ``IMAGE_BYTES``, and in what
        ``DeadLetters.read_all`` returns.
    first_seen, last_seen, attempts
        Since when, until when and how often the write was rejected.
    """

    token: str
    key: Json
    origin: Origin
    action: str
    code: str
    message: str
    sequence_number: str = ""
    image: str = ""
    first_seen: float = 0.0
    last_seen: float = 0.0
    attempts: int = 0


class DeadLetters:
    """The dead letters of the journal."""

    _PK = "letter"
    # In a partition of their own, so that queries of the dead letters cost little.
    _IMAGES = "letter-image"

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def put(self, letter: DeadLetter) -> None:
        """Record a dead letter in place of an earlier one with the same key, whose attempts count as well."""
        now = self._clock.now()
        item = self._store.get(self._PK, name(letter.token))
        earlier = decode(DeadLetter, item) if item else replace(letter, first_seen=now, attempts=0)
        recorded = replace(
            letter,
            message=letter.message[:_MESSAGE_CHARACTERS],
            first_seen=earlier.first_seen,
            last_seen=now,
            attempts=earlier.attempts + 1,
        )
        fits = len(letter.image.encode()) <= IMAGE_BYTES
        self._store.put(self._IMAGES, name(letter.token), {"image": text(letter.image if fits else "")})
        self._store.put(self._PK, name(letter.token), encode(recorded, without={"image"}))

    def settle(self, token: str) -> None:
        """Remove the dead letter of a key, if there is one: the destination has the item as it should be."""
        self._store.delete(self._PK, name(token))
        self._store.delete(self._IMAGES, name(token))

    def names(self) -> set[str]:
        """Return the names of all open dead letters (see ``name``)."""
        return self._store.names(self._PK)

    def read_all(self) -> list[DeadLetter]:
        """Return all open dead letters, without their images."""
        return [decode(DeadLetter, item) for item in self._store.query(self._PK)]

    def image(self, token: str) -> str:
        """Return the image of a key's dead letter as JSON text; empty if there is none."""
        item = self._store.get(self._IMAGES, name(token))
        return item["image"]["S"] if item else ""

    def count(self) -> int:
        """Return the number of open dead letters."""
        return self._store.count(self._PK)


def name(token: str) -> str:
    """Return the sort key of a dead letter."""
    # A key may be longer than the 1,024 bytes of a sort key.
    return hashlib.sha256(token.encode()).hexdigest()
