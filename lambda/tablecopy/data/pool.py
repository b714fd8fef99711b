"""Delivers write requests with several calls at once, and puts what is refused aside."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from tablecopy.data.writer import BatchWriter, Refused, Unwritten
from tablecopy.dynamodb.requests import batches

# With 5 ms a call this many calls keep one core busy (docs/benchmarks.md, figure backfill_overlap).
WRITERS = 24

Part = Future[frozenset[bytes]]
"""A part of some requests under way; its result is what of it was not written in time."""


class Delivery:
    """A pool of threads that write. Leaving it waits until every call it has started has ended.

    Parameters
    ----------
    put_aside
        Called with what the destination refuses for good. It counts as written once this has returned.
    writers
        How many calls are made at once.
    """

    def __init__(self, writer: BatchWriter, put_aside: Callable[[Refused], None], writers: int) -> None:
        self._writer = writer
        self._put_aside = put_aside
        self._writers = writers
        self._left = False
        self._pool = ThreadPoolExecutor(writers)

    def __enter__(self) -> Delivery:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Left early, for an error: nobody asks any more what was written.
        self._left = True
        self._pool.shutdown(wait=True, cancel_futures=True)

    def begin(self, requests: Sequence[bytes]) -> list[Part]:
        """Start writing ``requests``, each key of which occurs once."""
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
        except Refused as refused:
            self._put_aside(refused)
        except Unwritten as late:
            return late.unwritten
        return frozenset()
