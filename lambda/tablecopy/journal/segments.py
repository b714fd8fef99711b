"""Segments: how far the parallel scan has come in each of its parts."""

from __future__ import annotations

from dataclasses import dataclass

from tablecopy.dynamodb.client import Json
from tablecopy.journal.store import Store, number


@dataclass(frozen=True)
class Segment:
    """Progress of one segment.

    ``checkpoint`` is the key of the last item whose write was acknowledged together with all before it,
    in DynamoDB JSON, or None at the beginning. ``wire_bytes`` counts what was sent, not what DynamoDB
    bills. ``pace`` is how many items a second the last worker has written, by which the next one chooses
    the size of its pages.
    """

    number: int
    checkpoint: Json | None = None
    items: int = 0
    wire_bytes: int = 0
    done: bool = False
    pace: float = 1_000.0


class Segments:
    """The segment items of the journal. One worker at a time writes to one: it holds the segment's lease."""

    _PK = "segment"

    def __init__(self, store: Store) -> None:
        self._store = store

    def read(self, segment: int) -> Segment:
        """The segment's progress; one that was never written to is at its beginning."""
        item = self._store.get(self._PK, _name(segment))
        return Segment(segment) if item is None else _decode(item)

    def read_all(self, total: int) -> list[Segment]:
        """The progress of all segments of a scan over ``total``."""
        known = {segment.number: segment for segment in map(_decode, self._store.query(self._PK))}
        return [known.get(number_, Segment(number_)) for number_ in range(total)]

    def save(self, segment: Segment) -> None:
        """Write the segment's progress."""
        attributes: Json = {
            "items": number(segment.items),
            "wire_bytes": number(segment.wire_bytes),
            "done": {"BOOL": segment.done},
            "pace": number(segment.pace),
        }
        if segment.checkpoint is not None:
            attributes["checkpoint"] = {"M": segment.checkpoint}
        self._store.put(self._PK, _name(segment.number), attributes)


def _name(segment: int) -> str:
    # DynamoDB allows up to 1,000,000 segments (Scan, TotalSegments).
    return f"{segment:07d}"


def _decode(item: Json) -> Segment:
    return Segment(
        number=int(item["sk"]["S"]),
        checkpoint=item["checkpoint"]["M"] if "checkpoint" in item else None,
        items=int(item["items"]["N"]),
        wire_bytes=int(item["wire_bytes"]["N"]),
        done=item["done"]["BOOL"],
        pace=float(item["pace"]["N"]),
    )
