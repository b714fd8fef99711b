"""Delivers write requests with several calls at once, and puts what is refused aside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from tablecopy.writer import BatchWriter, Refused, Unwritten
from tablecopy.writes import batches

# With 5 ms a call this many calls keep one core busy (docs/benchmarks.md).
WRITERS = 16

Batch = Future[frozenset[bytes]]
"""A batch under way; its result is what of it was not written in time."""


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
        self._pool = ThreadPoolExecutor(writers)

    def __enter__(self) -> Delivery:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def begin(self, requests: Sequence[bytes]) -> list[Batch]:
        """Start writing ``requests``, each key of which occurs once."""
        return [self._pool.submit(self._write, batch) for batch in batches(requests)]

    def _write(self, batch: Sequence[bytes]) -> frozenset[bytes]:
        try:
            self._writer.write(batch)
        except Refused as refused:
            self._put_aside(refused)
        except Unwritten as late:
            return late.unwritten
        return frozenset()
