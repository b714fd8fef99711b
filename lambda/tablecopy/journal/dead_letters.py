"""Dead letters: writes that the destination refuses for good, one for each key.

A letter is put before what it stands for is acknowledged. It is settled by a later change of the same key
that the destination takes, or by a redrive, which reads the source again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from tablecopy.clock import Clock
from tablecopy.dynamodb.client import Json
from tablecopy.journal.store import Store, number, text

LETTERS = "letters"
"""Stands among the segments of a slice for the dead letters: a worker of its own settles them."""

# An item holds 400 KB (DynamoDB limits), names and the rest of the letter included.
IMAGE_BYTES = 300_000
_MESSAGE_CHARACTERS = 1_000


class Origin(StrEnum):
    """Which function met the refusal."""

    STREAM = "stream"
    BACKFILL = "backfill"


@dataclass(frozen=True)
class Letter:
    """A write that was refused. Times are seconds since the epoch.

    Attributes
    ----------
    token
        Names the key (writes.key_token).
    key
        The key in DynamoDB JSON.
    origin
        What met the refusal.
    action
        "put" or "delete".
    code, message
        The destination's answer.
    sequence_number
        Of the stream record; empty for an item of the backfill.
    image
        The item as JSON text, as it was to be written; empty for a delete, if it does not fit, and in what
        ``Letters.read_all`` returns.
    first_seen, last_seen, attempts
        Since when and how often it has been refused.
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


class Letters:
    """The dead letters of the journal."""

    _PK = "letter"
    # Apart, so that looking through the letters costs little.
    _IMAGES = "letter-image"

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def put(self, letter: Letter) -> None:
        """Keep ``letter``; of an older one with the same key only since when and how often is kept."""
        now = self._clock.now()
        earlier = self._store.get(self._PK, name(letter.token))
        attributes: Json = {
            "token": text(letter.token),
            "key": {"M": letter.key},
            "origin": text(letter.origin),
            "action": text(letter.action),
            "code": text(letter.code),
            "message": text(letter.message[:_MESSAGE_CHARACTERS]),
            "sequence_number": text(letter.sequence_number),
            "first_seen": earlier["first_seen"] if earlier else number(now),
            "last_seen": number(now),
            "attempts": number(1 + (int(earlier["attempts"]["N"]) if earlier else 0)),
        }
        fits = len(letter.image.encode()) <= IMAGE_BYTES
        self._store.put(self._IMAGES, name(letter.token), {"image": text(letter.image if fits else "")})
        self._store.put(self._PK, name(letter.token), attributes)

    def settle(self, token: str) -> None:
        """Remove the letter of a key, if there is one: the destination has what it stands for."""
        self._store.delete(self._PK, name(token))
        self._store.delete(self._IMAGES, name(token))

    def names(self) -> set[str]:
        """The names of all letters that are not settled (see ``name``)."""
        return self._store.names(self._PK)

    def read_all(self) -> list[Letter]:
        """All letters that are not settled, without their images."""
        return [_decode(item) for item in self._store.query(self._PK)]

    def image(self, token: str) -> str:
        """The image of a key's letter as JSON text; empty when it has none."""
        item = self._store.get(self._IMAGES, name(token))
        return item["image"]["S"] if item else ""

    def count(self) -> int:
        """How many letters are not settled."""
        return self._store.count(self._PK)


def name(token: str) -> str:
    """What the letter of a key is called in the journal."""
    # A key may be longer than the 1,024 bytes of a sort key.
    return hashlib.sha256(token.encode()).hexdigest()


def _decode(item: Json) -> Letter:
    return Letter(
        token=item["token"]["S"],
        key=item["key"]["M"],
        origin=Origin(item["origin"]["S"]),
        action=item["action"]["S"],
        code=item["code"]["S"],
        message=item["message"]["S"],
        sequence_number=item["sequence_number"]["S"],
        first_seen=float(item["first_seen"]["N"]),
        last_seen=float(item["last_seen"]["N"]),
        attempts=int(item["attempts"]["N"]),
    )
