"""The backfill: copies one segment of the source, from its checkpoint on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import StrEnum

from tablecopy import log
from tablecopy.clock import Clock
from tablecopy.journal.leases import BACKFILL, Leases, LeaseTaken
from tablecopy.journal.run import Phase, Run, RunRecord
from tablecopy.journal.segments import Segment, Segments
from tablecopy.wire import Json, Wire
from tablecopy.writer import WRITE_MARGIN_SECONDS, BatchWriter, OutOfTime, WriterFactory
from tablecopy.writes import Write, batches, put


class Next(StrEnum):
    """What the state machine does after a worker's invocation."""

    CONTINUE = "continue"
    """Invoke again: this function's time was up, the slice's was not."""
    WAIT = "wait"
    """Invoke again in a moment: another invocation may still be writing this segment."""
    DONE = "done"
    """The segment is copied."""
    STOP = "stop"
    """The slice is over; the rest of the segment is for the next one."""


class Worker:
    """Copies a segment of the source within a slice.

    Parameters
    ----------
    source
        Client of the source account.
    table
        The source table.
    writer_for
        Makes the writer to the destination for a table's key attributes that sends nothing after a moment.
    """

    def __init__(
        self,
        run: RunRecord,
        leases: Leases,
        segments: Segments,
        source: Wire,
        table: str,
        writer_for: WriterFactory,
        clock: Clock,
    ) -> None:
        self._run = run
        self._leases = leases
        self._segments = segments
        self._source = source
        self._table = table
        self._writer_for = writer_for
        self._clock = clock

    def copy(self, segment: int, slice_: int, owner: str, deadline: float) -> Next:
        """Copy until the segment or the slice ends, or the function's time is up.

        ``owner`` is the invocation's request id, ``deadline`` its Lambda deadline in seconds since the epoch.

        Raises
        ------
        writer.Refused
            The destination refuses an item of the source for good.
        botocore.exceptions.ClientError
            The source or the destination cannot be used at all.
        """
        try:
            with self._leases.hold(BACKFILL, f"{segment:07d}", owner, deadline):
                run = self._run.read()
                if run is None or not _is_in_slice(run, slice_):
                    return Next.STOP
                until = min(deadline - WRITE_MARGIN_SECONDS, run.slice_ends)
                writer = self._writer_for(run.key_names, until)
                try:
                    return self._copy(self._segments.read(segment), run, writer)
                finally:
                    writer.settle(deadline)
        except LeaseTaken:
            return Next.WAIT

    def _copy(self, segment: Segment, run: Run, writer: BatchWriter) -> Next:
        if segment.done:
            return Next.DONE
        try:
            for page in self._pages(segment, run.total_segments):
                segment = self._write_page(segment, page, run.key_names, writer)
                self._segments.save(segment)
                log.event("segment", segment=segment.number, items=segment.items, done=segment.done)
        except OutOfTime:
            return Next.CONTINUE if self._clock.now() < run.slice_ends else Next.STOP
        return Next.DONE

    def _pages(self, segment: Segment, total: int) -> Iterator[Json]:
        """Pages of a consistent scan from the checkpoint on. Each page is written before the next is read."""
        request: Json = {
            "TableName": self._table,
            "ConsistentRead": True,
            "Segment": segment.number,
            "TotalSegments": total,
        }
        if segment.checkpoint is not None:
            request["ExclusiveStartKey"] = segment.checkpoint
        while True:
            page = self._source.call("scan", request)
            yield page
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def _write_page(
        self, segment: Segment, page: Json, key_names: Sequence[str], writer: BatchWriter
    ) -> Segment:
        """Write a page and return the segment's progress.

        When time runs out within it, what was acknowledged before counts: any item's key is a place a
        scan can start from (ExclusiveStartKey), so that even a page that no invocation can finish gets
        done in the end.
        """
        items: list[Json] = page["Items"]
        written = sent = 0
        try:
            for batch in batches(put(key_names, item) for item in items):
                writer.write(batch)
                written += len(batch)
                sent += _size(batch)
        except OutOfTime:
            if written:
                key = {name: items[written - 1][name] for name in key_names}
                self._segments.save(_advanced(segment, key, written, sent))
            raise
        following: Json | None = page.get("LastEvaluatedKey")
        progress = _advanced(segment, following or segment.checkpoint, written, sent)
        return replace(progress, done=following is None)


def _is_in_slice(run: Run, slice_: int) -> bool:
    return run.phase is Phase.SLICE and run.slice == slice_


def _advanced(segment: Segment, checkpoint: Json | None, items: int, sent: int) -> Segment:
    return replace(
        segment,
        checkpoint=checkpoint,
        items=segment.items + items,
        wire_bytes=segment.wire_bytes + sent,
    )


def _size(batch: Sequence[Write]) -> int:
    return sum(len(write.body) for write in batch)
