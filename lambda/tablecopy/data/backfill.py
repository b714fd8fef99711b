"""The backfill: copies one segment of the source table, starting at its checkpoint."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from tablecopy.clock import Machine, OutOfTime
from tablecopy.data.dead_letters import DeadLetterSink
from tablecopy.data.scan import Scan
from tablecopy.data.slices import CHECK_SECONDS, SliceGuard, SliceId, SliceMonitor, WorkerResult
from tablecopy.data.writer import WRITERS, WriterPool
from tablecopy.dynamodb.client import DynamoDB, Json
from tablecopy.dynamodb.pages import Page
from tablecopy.dynamodb.requests import put
from tablecopy.journal.dead_letters import DeadLetters, Origin
from tablecopy.journal.segments import Segment, Segments
from tablecopy.journal.store import Conflict
from tablecopy.metrics import log
from tablecopy.metrics.definitions import BYTES_COPIED, ITEMS_COPIED
from tablecopy.metrics.log import MetricsBuffer
from tablecopy.throughput.limits import read_usage
from tablecopy.throughput.rate import TokenBucket

# A page is as large as DynamoDB makes it, 1 MB, but never more than can be written in this time, nor in this
# part of the time that is left: what is read and not written when time is up is read again.
_PAGE_SECONDS = 10.0
_PAGE_PART = 0.25

T = TypeVar("T")


class Worker:
    """Copies a segment of the source within a slice.

    Parameters
    ----------
    source
        Client of the source account.
    table
        Name of the source table.
    writers
        Number of calls to the destination that are made at the same time.
    """

    def __init__(
        self,
        guard: SliceGuard,
        segments: Segments,
        letters: DeadLetters,
        source: DynamoDB,
        table: str,
        metrics: MetricsBuffer,
        machine: Machine,
        writers: int = WRITERS,
    ) -> None:
        self._guard = guard
        self._segments = segments
        self._letters = letters
        self._source = source
        self._table = table
        self._metrics = metrics
        self._usage = read_usage(metrics, table)
        self._machine = machine
        self._writers = writers

    def copy(self, segment: int, slice_id: SliceId, owner: str, deadline: float) -> WorkerResult:
        """Copy until the segment or the slice ends, or until the function's time is up.

        ``owner`` is the invocation's request ID, and ``deadline`` its Lambda deadline in seconds since the
        epoch.

        Raises
        ------
        botocore.exceptions.ClientError
            The source or the destination cannot be used.
        UnsettledWrite
            A write may still take effect; the lease stays until the function's deadline.
        """
        return self._guard.run(
            f"{segment:07d}",
            slice_id,
            owner,
            deadline,
            lambda monitor: self._copy(self._segments.open(monitor.run, segment), monitor),
        )

    def _copy(self, segment: Segment, monitor: SliceMonitor) -> None:
        if segment.done:
            return
        run, limits = monitor.run, self._guard.limits
        sink = DeadLetterSink(self._letters, Origin.BACKFILL, run.key_names)
        scan = Scan(
            self._source,
            self._table,
            segment.number,
            run.total_segments,
            limits.read,
            self._usage,
            self._machine,
            monitor.until,
        )
        monitor.ends.append(scan.end_by)
        # In every case, both wait for the calls they have started. Writes end first.
        with (
            self._machine.pool(1) as ahead,
            WriterPool(monitor.writer, sink.put, self._machine, self._writers) as pool,
        ):
            pages = InFlightPages(
                segment, self._segments, monitor, limits.write, self._metrics, self._machine
            )
            try:
                self._pages(pages, scan, ahead, pool)
            except OutOfTime:
                pages.end_early()
                raise
            finally:
                pages.log()

    @staticmethod
    def _pages(pages: InFlightPages, scan: Scan, ahead: Executor, pool: WriterPool) -> None:
        """Read the next page while a page is written. Two pages are written at a time."""
        start = pages.segment.checkpoint
        coming: Future[Page] | None = ahead.submit(scan.read, start, pages.limit())
        try:
            while coming is not None:
                [page] = pages.results([coming])
                start = page.last_key
                coming = ahead.submit(scan.read, start, pages.limit()) if start is not None else None
                pages.submit(page, pool)
                pages.wait_for(leave=1)
        except OutOfTime:
            # There is no time to read more. What has been read may still be written.
            pages.wait_for()
            raise
        pages.wait_for()


@dataclass(frozen=True)
class _InFlightPage:
    """A page whose items are being written."""

    items: int
    wire_bytes: int
    last_key: Json | None
    writes: list[Future[tuple[bytes, ...]]]
    began: float


class InFlightPages:
    """The pages of a segment that are being written, and the checkpoint behind those that are written."""

    def __init__(
        self,
        segment: Segment,
        segments: Segments,
        monitor: SliceMonitor,
        capacity: TokenBucket,
        metrics: MetricsBuffer,
        machine: Machine,
    ) -> None:
        self.segment = segment
        self._capacity = capacity
        self._metrics = metrics
        self._any_written = False
        self._segments = segments
        self._monitor = monitor
        self._machine = machine
        self._pages: deque[_InFlightPage] = deque()

    def results(self, futures: Sequence[Future[T]]) -> list[T]:
        """Return the results of ``futures``, and check the run while waiting for them."""
        while not self._machine.wait(futures, CHECK_SECONDS):
            self._monitor.check()
            self._metrics.publish_if_due()
        return [future.result() for future in futures]

    def submit(self, page: Page, pool: WriterPool) -> None:
        """Start to write a page."""
        self._monitor.check_if_due()
        began = self._machine.now()
        writes = pool.submit([put(item) for item in page.items])
        size = sum(map(len, page.items))
        self._pages.append(_InFlightPage(len(page.items), size, page.last_key, writes, began))

    def wait_for(self, leave: int = 0) -> None:
        """Wait until all pages but the last ``leave`` are written, and save a checkpoint behind each.

        Raises
        ------
        OutOfTime
            A page cannot be finished. It and the pages behind it are read again: it stays the first, so that
            no checkpoint is ever saved behind it.
        """
        while len(self._pages) > leave:
            page = self._pages[0]
            unwritten = self.results(page.writes)
            if any(unwritten):
                raise OutOfTime
            self._save(
                checkpoint=page.last_key or self.segment.checkpoint,
                items=self.segment.items + page.items,
                wire_bytes=self.segment.wire_bytes + page.wire_bytes,
                done=page.last_key is None,
                pace=self._pace(page),
            )
            self._pages.popleft()
            self._any_written = True
            self._metrics.add(ITEMS_COPIED, page.items)
            self._metrics.add(BYTES_COPIED, page.wire_bytes)
            self._metrics.publish_if_due()

    def log(self) -> None:
        """Log the segment's progress."""
        log.event("segment", segment=self.segment.number, items=self.segment.items, done=self.segment.done)

    def limit(self) -> int:
        """Return how many items the next page may have. Each costs at least one unit to write."""
        seconds = min(_PAGE_SECONDS, _PAGE_PART * (self._monitor.until - self._machine.now()))
        return max(1, int(seconds * min(self.segment.pace, self._capacity.rate)))

    def end_early(self) -> None:
        """Note that time is up. If no page was finished, the next worker reads pages that it can finish."""
        if self._any_written or not self._pages:
            return
        page = self._pages[0]
        unwritten = sum(len(write.result()) for write in page.writes)
        # If nothing was written, a single item may take that long.
        written = max(1, page.items - unwritten)
        pace = written / max(self._machine.now() - page.began, 1.0)
        self._save(pace=min(self.segment.pace, pace))

    def _save(self, **progress: Any) -> None:
        """Save the progress, if the segment in the journal is still the one that this worker knows.

        Raises
        ------
        OutOfTime
            Another worker has saved progress, which must be read first, or the journal has been replaced.
        """
        try:
            self.segment = self._segments.save(replace(self.segment, **progress))
        except Conflict as conflict:
            raise OutOfTime from conflict

    def _pace(self, page: _InFlightPage) -> float:
        seconds = self._machine.now() - page.began
        return page.items / seconds if page.items and seconds > 0 else self.segment.pace
