"""Dead letters: writes that the destination permanently rejects, one for each key.

A dead letter is recorded before its write is acknowledged. It is settled by a later change of the same key
that the destination accepts, or by a redrive, which reads the source again.

Each has a version that no other one ever had, and only who knows the version settles it. Else a late delete
would remove a newer dead letter of the same key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum

from botocore.exceptions import ClientError

from tablecopy.clock import Clock
from tablecopy.dynamodb.client import Json
from tablecopy.dynamodb.errors import NO_ANSWER, is_server_error
from tablecopy.journal.codec import decode, encode, number, text
from tablecopy.journal.leases import UnsettledWrite
from tablecopy.journal.run import RunRecord
from tablecopy.journal.store import Conflict, Store

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
    version
        Given when the dead letter is recorded. Later ones have higher versions.
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
    version: int = 0


class DeadLetters:
    """The dead letters of the journal."""

    _PK = "letter"
    # In a partition of their own, so that queries of the dead letters cost little.
    _IMAGES = "letter-image"

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._run = RunRecord(store)

    def put(self, letter: DeadLetter) -> None:
        """Record a dead letter in place of an earlier one with the same key, whose attempts count as well.

        ``Run.letters`` is raised before, so that it is not 0 while there is a dead letter, and after, so that
        who has read the dead letters in between reads them again.

        Raises
        ------
        UnsettledWrite
            The journal's answer is lost. The dead letter may still be written.
        Conflict
            There is no run.
        """
        version = self._run.note_dead_letter()
        now = self._clock.now()
        item = self._store.get(self._PK, name(letter.token))
        earlier = decode(DeadLetter, item) if item else replace(letter, first_seen=now, attempts=0)
        recorded = replace(
            letter,
            message=letter.message[:_MESSAGE_CHARACTERS],
            first_seen=earlier.first_seen,
            last_seen=now,
            attempts=earlier.attempts + 1,
            version=version,
        )
        fits = len(letter.image.encode()) <= IMAGE_BYTES
        image = {"image": text(letter.image if fits else ""), "version": number(version)}
        try:
            self._put(self._IMAGES, recorded, image)
            self._put(self._PK, recorded, encode(recorded, without={"image"}))
        except NO_ANSWER as error:
            raise UnsettledWrite(f"a dead letter may still be written: {error}") from error
        except ClientError as error:
            if is_server_error(error):
                raise UnsettledWrite(f"a dead letter may still be written: {error}") from error
            raise
        self._run.note_dead_letter()

    def _put(self, pk: str, letter: DeadLetter, attributes: Json) -> None:
        # A newer one stays. The same one is there if an earlier attempt had no answer.
        with suppress(Conflict):
            self._store.put(
                pk,
                name(letter.token),
                attributes,
                condition="attribute_not_exists(pk) OR #version < :version",
                names={"#version": "version"},
                values={":version": number(letter.version)},
            )

    def settle(self, named: str, version: int) -> None:
        """Remove the dead letter with this name (see ``name``): the destination has the item as it should be.

        A dead letter with another version stays.
        """
        for pk in (self._PK, self._IMAGES):
            with suppress(Conflict):
                self._store.delete(
                    pk,
                    named,
                    condition="#version = :version",
                    names={"#version": "version"},
                    values={":version": number(version)},
                )

    def versions(self) -> dict[str, int]:
        """Return the version of each open dead letter by its name (see ``name``)."""
        items = self._store.query(self._PK, only=("sk", "version"))
        return {item["sk"]["S"]: int(item["version"]["N"]) for item in items}

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


class KnownDeadLetters:
    """The open dead letters as one execution environment knows them, so that it rarely reads them.

    A dead letter that another function records changes ``Run.letters``, so that this one reads them again.
    One that another function settles may still be known here, which does no harm.
    """

    def __init__(self, letters: DeadLetters) -> None:
        self._letters = letters
        self._number = 0
        self._versions: dict[str, int] = {}

    def versions(self, number: int) -> Mapping[str, int]:
        """Return the version of each open dead letter by its name.

        ``number`` is ``Run.letters``, read after the lease of the changes that may settle a dead letter was
        taken. Reads nothing if the number is 0 or as it was before.
        """
        if number != self._number:
            self._versions = self._letters.versions()
            self._number = number
        return self._versions

    def settle(self, named: str) -> None:
        """Remove a dead letter if it is still the one that is known."""
        self._letters.settle(named, self._versions.pop(named))


def name(token: str) -> str:
    """Return the sort key of a dead letter."""
    # A key may be longer than the 1,024 bytes of a sort key.
    return hashlib.sha256(token.encode()).hexdigest()
