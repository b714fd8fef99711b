"""Segments: how far the parallel scan has come in each of its parts.

The items are named after their run. A new journal has a new run, and a worker of the earlier one may still be
running: whatever it saves in the new journal is progress of a run that no one reads.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tablecopy.dynamodb.client import Json
from tablecopy.journal.codec import decode
from tablecopy.journal.run import Run
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
    run
        Whose segment it is: ``Run.segments_id``.
    """

    number: int
    checkpoint: Json | None = None
    items: int = 0
    wire_bytes: int = 0
    done: bool = False
    pace: float = 25.0
    run: str = ""


class Segments:
    """The segment items of the journal. One worker at a time writes one: it holds the segment's lease."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def open(self, run: Run, number: int) -> Segment:
        """Return the segment's progress for the worker that holds its lease. Its item is there from then on.

        Without the item, the worker's journal has been replaced, and ``save`` must not make a new one.
        """
        segment = self.read(number, run.segments_id)
        if segment.version:
            return segment
        try:
            return self.save(segment)
        except Conflict:
            return self.read(number, run.segments_id)

    def read(self, number: int, run: str = "") -> Segment:
        """Return the progress of a segment of ``run`` (`Run.segments_id`); its beginning if none is saved."""
        item = self._store.get(_partition(run), _name(number))
        return Segment(number, run=run) if item is None else _decode(item, run)

    def read_all(self, run: Run) -> list[Segment]:
        """Return the progress of all segments of a run's scan."""
        of = run.segments_id
        found = (_decode(item, of) for item in self._store.query(_partition(of)))
        known = {segment.number: segment for segment in found}
        return [known.get(number, Segment(number, run=of)) for number in range(run.total_segments)]

    def save(self, segment: Segment) -> Segment:
        """Write the segment's progress, and return it as it is then.

        The version keeps a request that DynamoDB carries out late from replacing the progress since then.

        Raises
        ------
        Conflict
            Another worker has written the segment since this one has read it, or the journal was replaced.
        """
        pk, name, is_new = _partition(segment.run), _name(segment.number), segment.version == 0
        saved = self._store.save(pk, name, segment, is_new=is_new, without={"number", "run"})
        if saved is None:
            # An earlier attempt of this call may have been carried out, and its answer lost.
            saved = self.read(segment.number, segment.run)
            if saved != replace(segment, version=segment.version + 1):
                raise Conflict
        return saved


def _partition(run: str) -> str:
    return f"segment#{run}" if run else "segment"


def _name(number: int) -> str:
    # DynamoDB allows up to 1,000,000 segments (Scan, TotalSegments).
    return f"{number:07d}"


def _decode(item: Json, run: str) -> Segment:
    return decode(Segment, item, number=int(item["sk"]["S"]), run=run)
