"""Writes in order: when time is up, nearly everything that is written has nothing unwritten before it.

Only what comes before the first unwritten change can be acknowledged to the stream. The rest is delivered and
written again. Therefore, changes wait while one that comes well before them is not accepted.
"""

from __future__ import annotations

import heapq
import math
import threading
from bisect import bisect_right
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from itertools import accumulate

from tablecopy.clock import Machine
from tablecopy.data.writer import BatchWriter, Rejected, Unwritten, WriterThreads
from tablecopy.dynamodb.errors import Backoff
from tablecopy.dynamodb.requests import BATCH_BYTES, BATCH_REQUESTS, size_of
from tablecopy.throughput.acceptance import Acceptance

# The longest wait of a thread whose call was not accepted.
_WAIT_SECONDS = 1.0

# Requests of this size in KB (see `size_of`) are never longer than BatchWriteItem allows.
_BATCH_KB = BATCH_BYTES / 1024


class OrderedPool(WriterThreads):
    """Writes requests in order.

    Parameters
    ----------
    acceptance
        What the destination accepts, as earlier calls have shown it.
    writer, on_rejected, machine, writers
        As of `WriterThreads`.
    """

    def __init__(
        self,
        writer: BatchWriter,
        acceptance: Acceptance,
        on_rejected: Callable[[Rejected], None],
        machine: Machine,
        writers: int,
    ) -> None:
        super().__init__(writer, on_rejected, machine, writers)
        self._acceptance = acceptance
        self._machine = machine
        self._jitter = machine.random()
        # Guards the line and the acceptance as well.
        self._lock = threading.Lock()
        self._threads: list[Future[None]] = []
        self._active = 0

    def write(self, requests: Sequence[bytes]) -> list[bytes]:
        """Write ``requests``, in which each key occurs once; return those that were not written in time.

        Raises
        ------
        botocore.exceptions.ClientError
            The destination cannot be written.
        """
        line = _Line(requests)
        with self._lock:
            for _ in range(min(self._writers, -(-len(requests) // BATCH_REQUESTS))):
                self._start(line)
        # Threads may start others until the last one ends.
        ended = 0
        while ended < len(self._threads):
            self._threads[ended].result()
            ended += 1
        return line.unwritten()

    def _start(self, line: _Line) -> None:
        self._active += 1
        self._threads.append(self._pool.submit(self._work, line))

    def _work(self, line: _Line) -> None:
        backoff = Backoff(self._jitter, cap=_WAIT_SECONDS)
        while batch := self._take(line):
            try:
                left = self._attempt(line, batch)
            except BaseException:
                # Nothing more needs to be written when the invocation fails.
                self._left = True
                raise
            with self._lock:
                missed = line.size(left)
                self._acceptance.note(line.size(batch) - missed, missed)
                line.note(batch, left)
                # What was accepted may have made room for more than one call.
                if self._active < self._writers and line.has_room(self._ahead()):
                    self._start(line)
                # All threads share what the destination accepts.
                expected = self._acceptance.seconds(missed * self._active)
            if left:
                if len(left) < len(batch):
                    backoff.progress()
                expected = min(expected, _WAIT_SECONDS) * self._jitter.uniform(0.8, 1.0)
                self._machine.sleep(min(max(backoff.next(), expected), self._writer.seconds_left()))
                with self._lock:
                    line.put_back(left)

    def _take(self, line: _Line) -> Sequence[int]:
        with self._lock:
            batch = line.take(self._ahead())
            if not batch:
                self._active -= 1
            return batch

    def _ahead(self) -> float:
        """Return how far ahead of the first unwritten request to send; negative if nothing may be sent."""
        if self._left or not self._writer.seconds_left():
            return -math.inf
        return self._acceptance.ahead()

    def _attempt(self, line: _Line, batch: Sequence[int]) -> Sequence[int]:
        """Send a batch once; return the places of what was not written."""
        requests = [line.requests[place] for place in batch]
        try:
            left = self._writer.attempt(requests)
        except Rejected as rejected:
            self._on_rejected(rejected)
            return ()
        except Unwritten as late:
            left = late.unwritten
        if not left:
            return ()
        unwritten = set(left)
        return [place for place in batch if line.requests[place] in unwritten]


class _Line:
    """Requests by their place in the order, and which of them are written, under way, or to be sent."""

    def __init__(self, requests: Sequence[bytes]) -> None:
        self.requests = requests
        self._starts = list(accumulate(map(size_of, requests), initial=0.0))
        self._written = bytearray(len(requests))
        self._first = 0
        self._next = 0
        self._again: list[int] = []

    def take(self, ahead: float) -> Sequence[int]:
        """Return the places of the next call, at most ``ahead`` behind the first unwritten request.

        It is empty if nothing may be sent now. Two calls that are not accepted must not stop all others.
        """
        end = self._starts[self._first] + ahead
        largest = min(ahead / 2, _BATCH_KB)
        return self._mixed(end, largest) if self._again else self._never_sent(end, largest)

    def has_room(self, ahead: float) -> bool:
        """Whether something may be sent now."""
        return self._peek(self._starts[self._first] + ahead) is not None

    def note(self, batch: Sequence[int], left: Sequence[int]) -> None:
        """Note that the places of a batch are written, except those in ``left``."""
        for place in batch:
            self._written[place] = True
        for place in left:
            self._written[place] = False
        first = self._written.find(0, self._first)
        self._first = len(self.requests) if first < 0 else first

    def size(self, places: Sequence[int]) -> float:
        """Return the size of the requests at ``places`` (see `size_of`)."""
        return sum(self._starts[place + 1] - self._starts[place] for place in places)

    def put_back(self, places: Sequence[int]) -> None:
        """Let ``places`` be sent again."""
        for place in places:
            heapq.heappush(self._again, place)

    def unwritten(self) -> list[bytes]:
        """Return what is not written."""
        return [self.requests[place] for place, written in enumerate(self._written) if not written]

    def _peek(self, end: float) -> int | None:
        """Return the first place that is not under way, if it may be sent."""
        place = self._again[0] if self._again else self._next
        if place == len(self.requests):
            return None
        # Whatever the destination accepts, the first one must be sent.
        may_be_sent = self._starts[place + 1] <= end or (place == self._first and end >= 0)
        return place if may_be_sent else None

    def _never_sent(self, end: float, largest: float) -> Sequence[int]:
        start = self._peek(end)
        if start is None:
            return ()
        most = min(start + BATCH_REQUESTS, len(self.requests))
        end = min(end, self._starts[start] + largest)
        self._next = max(start + 1, bisect_right(self._starts, end, start + 1, most + 1) - 1)
        return range(start, self._next)

    def _mixed(self, end: float, largest: float) -> Sequence[int]:
        """Return what must be sent again, and what follows it."""
        batch: list[int] = []
        size = 0.0
        while len(batch) < BATCH_REQUESTS and (place := self._peek(end)) is not None:
            size += self.size([place])
            if batch and size > largest:
                break
            batch.append(self._pop())
        return batch

    def _pop(self) -> int:
        if self._again:
            return heapq.heappop(self._again)
        self._next += 1
        return self._next - 1
