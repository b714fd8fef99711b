"""The backfill: copies one segment of the source, from its checkpoint on."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

from tablecopy.clock import Clock, OutOfTime
from tablecopy.data.dead_letters import Letterbox
from tablecopy.data.pool import WRITERS, Delivery, Part
from tablecopy.data.scan import Scan
from tablecopy.data.writer import WRITE_MARGIN_SECONDS, WriterFactory
from tablecopy.dynamodb.client import DynamoDBClient, Json
from tablecopy.dynamodb.pages import Page
from tablecopy.dynamodb.requests import BATCH_REQUESTS, put
from tablecopy.journal.dead_letters import DeadLetters, Origin
from tablecopy.journal.leases import BACKFILL, Leases, LeaseTaken
from tablecopy.journal.run import Phase, Run, RunRecord
from tablecopy.journal.segments import Segment, Segments
from tablecopy.metrics import log
from tablecopy.metrics.definitions import BYTES_COPIED, ITEMS_COPIED
from tablecopy.metrics.log import MetricsBuffer
from tablecopy.throughput.limits import WorkerLimits, read_usage
from tablecopy.throughput.rate import TokenBucket

# How often a worker looks whether its slice goes on, and how large its share is.
_LOOK_SECONDS = 5.0

# A page is as large as DynamoDB makes it, 1 MB, but never more than can be written in this time, nor in this
# part of the time that is left: what is read and not written when time is up is read again. An invocation
# that could not finish a single page leaves this much of its pace to the next one, for smaller pages.
_PAGE_SECONDS = 10.0
_PAGE_PART = 0.25
_PACE_AFTER_NONE = 0.25


T = TypeVar("T")


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
    limits
        What this worker may use of both tables' throughput.
    writer_for
        Makes the writer to the destination for a table's key attributes that sends nothing after a moment.
    writers
        How many calls to the destination are made at once.
    """

    def __init__(
        self,
        run: RunRecord,
        leases: Leases,
        segments: Segments,
        letters: DeadLetters,
        source: DynamoDBClient,
        table: str,
        limits: WorkerLimits,
        writer_for: WriterFactory,
        metrics: MetricsBuffer,
        clock: Clock,
        writers: int = WRITERS,
    ) -> None:
        self._run = run
        self._leases = leases
        self._segments = segments
        self._letters = letters
        self._source = source
        self._table = table
        self._limits = limits
        self._writer_for = writer_for
        self._metrics = metrics
        self._usage = read_usage(metrics, table)
        self._clock = clock
        self._writers = writers

    def copy(self, segment: int, slice_: int, owner: str, deadline: float) -> Next:
        """Copy until the segment or the slice ends, or the function's time is up.

        ``owner`` is the invocation's request id, ``deadline`` its Lambda deadline in seconds since the epoch.

        Raises
        ------
        botocore.exceptions.ClientError
            The source or the destination cannot be used at all.
        UnsettledWrite
            A write may land yet; the lease stays until the function's deadline.
        """
        try:
            with self._leases.hold(BACKFILL, f"{segment:07d}", owner, deadline):
                run = self._run.read()
                if run is None or not is_in_slice(run, slice_):
                    return Next.STOP
                progress = self._segments.read(segment)
                if progress.done:
                    return Next.DONE
                return self._copy(progress, run, deadline)
        except LeaseTaken:
            return Next.WAIT

    def _copy(self, segment: Segment, run: Run, deadline: float) -> Next:
        until = min(deadline - WRITE_MARGIN_SECONDS, run.slice_ends)
        writer = self._writer_for(run.key_names, until)
        letterbox = Letterbox(self._letters, Origin.BACKFILL, run.key_names)
        scan = Scan(
            self._source,
            self._table,
            segment.number,
            run.total_segments,
            self._limits.read,
            self._usage,
            self._clock,
            until,
            random.Random(),
        )
        try:
            # Whatever happens, both wait for the calls they have started.
            with Delivery(writer, letterbox.put, self._writers) as delivery, ThreadPoolExecutor(1) as ahead:
                watch = _Watch(self._run, run, self._limits, [writer.end_by, scan.end_by], self._clock)
                passage = _Passage(
                    segment, self._segments, watch, self._limits.write, self._metrics, self._clock, until
                )
                try:
                    self._pages(passage, scan, ahead, delivery)
                except OutOfTime:
                    passage.end_early()
                    over = watch.over or self._clock.now() >= run.slice_ends
                    return Next.STOP if over else Next.CONTINUE
                finally:
                    passage.log()
        finally:
            writer.settle(deadline)
        return Next.DONE

    @staticmethod
    def _pages(passage: _Passage, scan: Scan, ahead: ThreadPoolExecutor, delivery: Delivery) -> None:
        """While a page is written, the next one is read; two are written at a time."""
        start = passage.segment.checkpoint
        coming: Future[Page] | None = ahead.submit(scan.read, start, passage.limit())
        try:
            while coming is not None:
                [page] = passage.await_([coming])
                start = page.last_key
                coming = ahead.submit(scan.read, start, passage.limit()) if start is not None else None
                passage.begin(page, delivery)
                passage.land(leave=1)
        except OutOfTime:
            # No time to read on; what has been read may get written yet.
            passage.land()
            raise
        passage.land()


@dataclass(frozen=True)
class _Flight:
    """A page whose items are being written."""

    items: int
    wire_bytes: int
    last_key: Json | None
    parts: list[Part]
    began: float


class _Passage:
    """A segment's way through its pages: what is under way, and what is acknowledged and noted."""

    def __init__(
        self,
        segment: Segment,
        segments: Segments,
        watch: _Watch,
        capacity: TokenBucket,
        metrics: MetricsBuffer,
        clock: Clock,
        until: float,
    ) -> None:
        self.segment = segment
        self._until = until
        self._capacity = capacity
        self._metrics = metrics
        self._landed = False
        self._segments = segments
        self._watch = watch
        self._clock = clock
        self._flights: deque[_Flight] = deque()

    def await_(self, futures: Sequence[Future[T]]) -> list[T]:
        """The results of ``futures``, looking at the run from time to time."""
        while wait(futures, timeout=_LOOK_SECONDS).not_done:
            self._watch.look()
            self._metrics.publish_if_due()
        return [future.result() for future in futures]

    def begin(self, page: Page, delivery: Delivery) -> None:
        """Start writing a page."""
        self._watch.look_if_due()
        began = self._clock.now()
        parts = delivery.begin([put(item) for item in page.items])
        size = sum(map(len, page.items))
        self._flights.append(_Flight(len(page.items), size, page.last_key, parts, began))

    def land(self, leave: int = 0) -> None:
        """Wait until all pages but the last ``leave`` are written, and note each.

        Raises OutOfTime when a page cannot be finished: it and those behind it are read again. It stays the
        first, so that none of them is ever noted.
        """
        while len(self._flights) > leave:
            flight = self._flights[0]
            unwritten = self.await_(flight.parts)
            if any(unwritten):
                raise OutOfTime
            self.segment = replace(
                self.segment,
                checkpoint=flight.last_key or self.segment.checkpoint,
                items=self.segment.items + flight.items,
                wire_bytes=self.segment.wire_bytes + flight.wire_bytes,
                done=flight.last_key is None,
                pace=self._pace(flight),
            )
            self._segments.save(self.segment)
            self._flights.popleft()
            self._landed = True
            self._metrics.add(ITEMS_COPIED, flight.items)
            self._metrics.add(BYTES_COPIED, flight.wire_bytes)
            self._metrics.publish_if_due()

    def log(self) -> None:
        """Say how far the segment has come."""
        log.event("segment", segment=self.segment.number, items=self.segment.items, done=self.segment.done)

    def limit(self) -> int:
        """How many items the next page may have. An item costs one unit to write at least."""
        seconds = min(_PAGE_SECONDS, _PAGE_PART * (self._until - self._clock.now()))
        return max(BATCH_REQUESTS, int(seconds * min(self.segment.pace, self._capacity.rate)))

    def end_early(self) -> None:
        """Time is up. When no page was finished, note that the next worker has to read smaller ones."""
        if not self._landed:
            self._segments.save(replace(self.segment, pace=self.segment.pace * _PACE_AFTER_NONE))

    def _pace(self, flight: _Flight) -> float:
        took = self._clock.now() - flight.began
        return flight.items / took if flight.items and took > 0 else self.segment.pace


class _Watch:
    """Looks at the run while a slice goes on: control may end it early, and changes the limits."""

    def __init__(
        self,
        record: RunRecord,
        run: Run,
        limits: WorkerLimits,
        ends: Sequence[Callable[[float], None]],
        clock: Clock,
    ) -> None:
        self._record = record
        self._slice = run.slice
        self._limits = limits
        self._ends = ends
        self._clock = clock
        self._looked = clock.now()
        self.over = False
        limits.update(run.workers, run.read_ceiling)

    def look_if_due(self) -> None:
        """Look, unless that was done a moment ago. Raises OutOfTime when the slice is over."""
        if self._clock.now() - self._looked >= _LOOK_SECONDS:
            self.look()

    def look(self) -> None:
        """Look at the run. Raises OutOfTime when the slice is over."""
        self._looked = self._clock.now()
        run = self._record.read()
        if run is None or not is_in_slice(run, self._slice):
            self.over = True
            for end_by in self._ends:
                end_by(self._looked)
            raise OutOfTime
        self._limits.update(run.workers, run.read_ceiling)


def is_in_slice(run: Run, slice_: int) -> bool:
    """Whether workers of ``slice_`` may write to the destination."""
    return run.phase is Phase.SLICE and run.slice == slice_
