"""Segments: how far the parallel scan has come in each of its parts."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tablecopy.dynamodb.client import Json
from tablecopy.journal.codec import decode
from tablecopy.journal.store import Conflict, Store, Versioned


@dataclass(frozen=True)
class Segment(Versioned):
    """Progress of one segment.

    Attributes
    ----------
    number
        Number of the segment, from 0.
    checkpoint
        Key in DynamoDB JSON of the last item whose write was acknowledged together with all before it;
        ``None`` at the beginning.
    items, wire_bytes
        What was written. Bytes are those of the requests, not what DynamoDB bills.
    done
        The segment is copied.
    pace
        Items per second that the last worker has written. The next worker takes its page size from it.
    """

    number: int
    checkpoint: Json | None = None
    items: int = 0
    wire_bytes: int = 0
    done: bool = False
    pace: float = 25.0


class Segments:
    """The segment items of the journal. One worker at a time writes one: it holds the segment's lease."""

    _PK = "segment"

    def __init__(self, store: Store) -> None:
        self._store = store

    def read(self, segment: int) -> Segment:
        """Return the segment's progress; a segment that was never saved is at its beginning."""
        item = self._store.get(self._PK, _name(segment))
        return Segment(segment) if item is None else _decode(item)

    def read_all(self, total: int) -> list[Segment]:
        """Return the progress of all segments of a scan with ``total`` segments."""
        known = {segment.number: segment for segment in map(_decode, self._store.query(self._PK))}
        return [known.get(number, Segment(number)) for number in range(total)]

    def save(self, segment: Segment) -> Segment:
        """Write the segment's progress, and return it as it is then.

        The version keeps a request that DynamoDB carries out late from replacing the progress since then.

        Raises
        ------
        Conflict
            Another worker has written the segment since this one has read it.
        """
        name, is_new = _name(segment.number), segment.version == 0
        saved = self._store.save(self._PK, name, segment, is_new=is_new, without={"number"})
        if saved is None:
            # An earlier attempt of this call may have been carried out, and its answer lost.
            saved = self.read(segment.number)
            if saved != replace(segment, version=segment.version + 1):
                raise Conflict
        return saved


def _name(segment: int) -> str:
    # DynamoDB allows up to 1,000,000 segments (Scan, TotalSegments).
    return f"{segment:07d}"


def _decode(item: Json) -> Segment:
    return decode(Segment, item, number=int(item["sk"]["S"]))
