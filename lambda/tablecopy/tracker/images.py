"""What stream records show of the time before them, for the touched keys and for an audit."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tablecopy.comparison.canonical import digest
from tablecopy.comparison.items import Key, KeySchema, Side
from tablecopy.control.stream.notes import KeyNotes
from tablecopy.dynamodb.client import Json
from tablecopy.dynamodb.streams import RecordsPage
from tablecopy.journal.audits import AuditNotes, Part, Written
from tablecopy.journal.places import Place
from tablecopy.journal.touched import TouchedKeys
from tablecopy.tracker.reader import Notes, TrackingLost


class KeyNoting:
    """Notes the keys of all records."""

    bodies = False

    def __init__(self, keys: TouchedKeys) -> None:
        self._keys = keys

    def of(self, place: Place) -> Notes:
        """Return the notes of a shard."""
        return KeyNotes(self._keys, Side.DESTINATION, place.shard_id, int(place.read_to or 0))


class ImageNoting:
    """Notes what each key held before its first record since the seal.

    Parameters
    ----------
    since
        Records made before this moment, in seconds since the epoch, are from before the seal.
    expiry
        Name of the time to live attribute; None if there is none.

    Attributes
    ----------
    records
        Records since the seal that were read.
    """

    bodies = True

    def __init__(self, notes: AuditNotes, schema: KeySchema, since: float, expiry: str | None) -> None:
        self.notes = notes
        self.schema = schema
        self.since = since
        self.expiry = expiry
        self.records = 0

    def of(self, place: Place) -> Notes:
        """Return the notes of a shard."""
        return ImageNotes(self, place)


class ImageNotes:
    """The notes of one shard. One thread at a time uses them."""

    def __init__(self, noting: ImageNoting, place: Place) -> None:
        self._noting = noting
        self._rank = place.rank
        self._shard_id = place.shard_id
        self._read_to = int(place.read_to or 0)
        self._pending: list[tuple[Part, dict[Key, Written]]] = []

    def add(self, page: RecordsPage) -> None:
        """Take over a page that was read with its body, except records that were read before.

        Raises
        ------
        TrackingLost
            A record does not show what was there before it.
        """
        part: list[str] = []
        first: dict[Key, Written] = {}
        if max(record.created for record in page.records) >= self._noting.since:
            for number, record in self._records(page.body):
                part.append(number)
                key = self._noting.schema.of(record["dynamodb"]["Keys"])
                if key not in first:
                    first[key] = self._written(record)
        if first:
            self._pending.append((Part(self._rank, self._shard_id, part[0], part[-1]), first))
            self._noting.records += len(part)
        self._read_to = max(self._read_to, int(page.records[-1].sequence_number))

    def flush(self) -> None:
        """Write what is pending to the journal. Raises as `AuditNotes.note` does; it is pending then."""
        while self._pending:
            part, first = self._pending[0]
            self._noting.notes.note(part, first.items())
            del self._pending[0]

    def _records(self, body: bytes) -> Iterator[tuple[str, Json]]:
        """Yield the records that were made since the seal and not read before."""
        for record in json.loads(body.decode("utf-8", "surrogatepass"))["Records"]:
            found = record["dynamodb"]
            number = found["SequenceNumber"]
            made = float(found["ApproximateCreationDateTime"])
            if int(number) > self._read_to and made >= self._noting.since:
                yield number, record

    def _written(self, record: Json) -> Written:
        found = record["dynamodb"]
        before = found.get("OldImage")
        if before is None:
            if record["eventName"] != "INSERT":
                raise TrackingLost(
                    "the destination's stream does not show what an item was before a change. Its view type "
                    "must be NEW_AND_OLD_IMAGES or OLD_IMAGE"
                )
            return Written(found["Keys"], "")
        expires = before.get(self._noting.expiry, {}).get("N", "") if self._noting.expiry else ""
        return Written(found["Keys"], digest(before).hex(), expires)
