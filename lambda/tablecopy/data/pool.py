"""A pool of threads that write, so that several calls to the destination are made at the same time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from tablecopy.data.writer import BatchWriter, Rejected, Unwritten
from tablecopy.dynamodb.requests import batches

# With 5 ms a call, this many calls keep one core busy (docs/benchmarks.md, figure backfill_overlap).
WRITERS = 24


class WriterPool:
    """Writes requests with several threads. Leaving it waits for every call it has started.

    Parameters
    ----------
    on_rejected
        Called with what the destination permanently rejects. It counts as written once this has returned.
    writers
        Number of calls that are made at the same time.
    """

    def __init__(self, writer: BatchWriter, on_rejected: Callable[[Rejected], None], writers: int) -> None:
        self._writer = writer
        self._on_rejected = on_rejected
        self._writers = writers
        self._left = False
        self._pool = ThreadPoolExecutor(writers)

    def __enter__(self) -> WriterPool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # If an error ends it early, the caller no longer needs to know what was written.
        self._left = True
        self._pool.shutdown(wait=True, cancel_futures=True)

    def submit(self, requests: Sequence[bytes]) -> list[Future[frozenset[bytes]]]:
        """Start to write ``requests``, in which each key occurs once.

        Together, the results of the futures are the requests that were not written in time.
        """
        waiting = deque(batches(requests))
        # Threads take the next batch themselves: a future for each would cost more than a tenth of its call.
        return [self._pool.submit(self._write_all, waiting) for _ in range(min(self._writers, len(waiting)))]

    def _write_all(self, waiting: deque[list[bytes]]) -> frozenset[bytes]:
        unwritten: frozenset[bytes] = frozenset()
        while not self._left:
            try:
                batch = waiting.popleft()
            except IndexError:
                break
            unwritten |= self._write(batch)
        return unwritten

    def _write(self, batch: Sequence[bytes]) -> frozenset[bytes]:
        try:
            self._writer.write(batch)
        except Rejected as rejected:
            self._on_rejected(rejected)
        except Unwritten as late:
            return late.unwritten
        return frozenset()
