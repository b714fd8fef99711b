"""Writes to the destination, with several calls at the same time, until all is acknowledged or time is up."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Self

from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import ClientError, ResponseStreamingError

from tablecopy.clock import Machine, OutOfTime
from tablecopy.dynamodb import errors
from tablecopy.dynamodb.client import DynamoDB, Json, document, encode
from tablecopy.dynamodb.requests import batches, key_of, key_token, total_size
from tablecopy.journal.leases import UnsettledWrite
from tablecopy.metrics import log
from tablecopy.throughput.limits import Usage
from tablecopy.throughput.rate import RateLimit

# With 5 ms a call, this many calls keep one core busy (docs/benchmarks.md, figure backfill_overlap).
WRITERS = 24

# One request takes at most its connect and read timeouts. Nothing is sent in this time before the function's
# deadline, so that no request is under way when Lambda ends the function.
WRITE_TIMEOUT_SECONDS = 10.0
WRITE_MARGIN_SECONDS = 15.0

# How long an unanswered write may still take effect.
SETTLE_SECONDS = 10.0


class Unwritten(OutOfTime):
    """The deadline came before everything was acknowledged. ``unwritten`` holds the other requests."""

    def __init__(self, unwritten: tuple[bytes, ...]) -> None:
        super().__init__(f"{len(unwritten)} write(s) were not acknowledged before the deadline")
        self.unwritten = unwritten


class Rejected(Exception):
    """The destination permanently rejects ``requests``. ``code`` and ``message`` are its error."""

    def __init__(self, requests: tuple[bytes, ...], code: str, message: str) -> None:
        super().__init__(f"the destination rejects {len(requests)} write(s): {code}: {message}")
        self.requests = requests
        self.code = code
        self.message = message


class _NotSent(Exception):
    """A call was not made, because the role's credentials cannot be had at the moment."""


class _Unmatched(Exception):
    """Some unprocessed requests match none that was sent, so it is unknown which ones were written."""

    def __init__(self, consumed: float) -> None:
        super().__init__()
        self.consumed = consumed


WriterFactory = Callable[[Sequence[str], float], "BatchWriter"]
"""Makes a writer from the table's key attributes and the epoch time after which it sends nothing."""


class BatchWriter:
    """Writes to one table with BatchWriteItem. Safe to use from several threads.

    Parameters
    ----------
    client
        Client of the destination.
    table, key_names
        The table and its key attributes, to recognize requests that come back as unprocessed.
    capacity
        Limit on the table's throughput.
    usage
        Counts what was used, and what is rejected.
    deadline
        Seconds since the epoch after which nothing is sent.
    """

    def __init__(
        self,
        client: DynamoDB,
        table: str,
        key_names: Sequence[str],
        capacity: RateLimit,
        usage: Usage,
        machine: Machine,
        deadline: float,
    ) -> None:
        self._client = client
        name = json.dumps(table).encode()
        self._prefix = b'{"ReturnConsumedCapacity":"INDEXES","RequestItems":{' + name + b":["
        self._table = table
        self._key_names = key_names
        self._capacity = capacity
        self._usage = usage
        self._machine = machine
        self._deadline = deadline
        self._jitter = machine.random()
        self._open_until = 0.0
        self._lock = threading.Lock()

    def end_by(self, moment: float) -> None:
        """Send nothing after ``moment`` (seconds since the epoch), if that is sooner."""
        self._deadline = min(self._deadline, moment)

    def seconds_left(self) -> float:
        """Return the seconds until nothing is sent any more; 0 from then on."""
        return max(0.0, self._deadline - self._machine.now())

    def call_size(self) -> float:
        """Return the largest size of a call that needs no long wait for capacity (see `total_size`)."""
        return self._capacity.call_size()

    def write(self, batch: Sequence[bytes]) -> None:
        """Write a batch that BatchWriteItem accepts (see `requests.batches`).

        Raises
        ------
        Unwritten
            Some writes were not acknowledged; each may or may not have been applied.
        Rejected
            Some writes can never succeed. All others of the batch were acknowledged.
        botocore.exceptions.ClientError
            The destination cannot be written: a permission or the table is missing.
        """
        pending = batch
        backoff = errors.Backoff(self._jitter)
        while pending:
            left = self.attempt(pending)
            if left:
                if len(left) < len(pending):
                    backoff.progress()
                self._machine.sleep(min(backoff.next(), self.seconds_left()))
            pending = left

    def attempt(self, pending: Sequence[bytes]) -> Sequence[bytes]:
        """Send a batch once, when the capacity allows it; return the requests that must be sent again.

        They are in the order of ``pending``. If the batch as a whole is invalid, its halves are written as in
        ``write``.

        Raises
        ------
        Unwritten, Rejected, botocore.exceptions.ClientError
            As in ``write``.
        """
        size = total_size(pending)
        try:
            taken = self._capacity.acquire(self._deadline, size=size)
        except OutOfTime as late:
            raise Unwritten(tuple(pending)) from late
        left, as_halves, throttled = pending, False, False
        consumed = accepted = 0.0
        try:
            # To assume the role may take long, so the deadline is checked again after it.
            credentials = self._credentials()
            if self._machine.now() >= self._deadline:
                raise Unwritten(tuple(pending))
            left, consumed = self._send(pending, credentials)
            throttled = bool(left)
            accepted = size - total_size(left)
        except _NotSent:
            pass
        except _Unmatched as unmatched:
            log.event("destination_unmatched", writes=len(pending))
            throttled = True
            consumed = unmatched.consumed
            as_halves = len(pending) > 1
        except ClientError as error:
            if errors.is_rejected(error):
                as_halves = len(pending) > 1
                if not as_halves:
                    self._usage.rejected()
                    answer = error.response["Error"]
                    raise Rejected(tuple(pending), answer["Code"], answer.get("Message", "")) from error
            elif errors.is_transient(error):
                throttled = errors.is_throttled(error)
                self._note(error, len(pending))
            else:
                raise
        except errors.NO_ANSWER as error:
            self._leave_open()
            # It may have been written, at an unknown cost.
            consumed = taken
            log.event("destination_no_answer", error=type(error).__name__, writes=len(pending))
        finally:
            # In this order: what was accepted together with a throttle is a part of what was used until then.
            self._capacity.settle(taken, consumed, accepted)
            if throttled:
                self._capacity.throttled()
        if as_halves:
            self._write_halves(pending)
            return ()
        return left

    def settle(self, deadline: float) -> None:
        """Wait until no unanswered write can still take effect.

        Raises
        ------
        UnsettledWrite
            ``deadline``, at which Lambda ends the function, comes first.
        """
        wait = self._open_until - self._machine.now()
        if wait <= 0:
            return
        if self._open_until > deadline:
            raise UnsettledWrite("a write was not answered, and the function's time is up")
        self._machine.sleep(wait)

    def _credentials(self) -> ReadOnlyCredentials:
        """Return the credentials for a call. Raises _NotSent if a later attempt may get them."""
        try:
            return self._client.credentials()
        except ClientError as error:
            if not errors.is_transient(error):
                raise
            log.event("role_not_assumed", code=errors.code(error))
            raise _NotSent from error
        except errors.NO_ANSWER as error:
            log.event("role_not_assumed", error=type(error).__name__)
            raise _NotSent from error

    def _send(
        self, pending: Sequence[bytes], credentials: ReadOnlyCredentials
    ) -> tuple[Sequence[bytes], float]:
        """Send once; return the unprocessed requests and the units."""
        answer = self._client.send("BatchWriteItem", self._prefix + b",".join(pending) + b"]}}", credentials)
        # Read as success, an answer that is cut short would hide the unprocessed items in its missing part.
        response = document(answer)
        unprocessed = _unprocessed(response)
        consumed = self._usage.consumed(response.get("ConsumedCapacity", ()))
        if not unprocessed:
            return (), consumed
        self._usage.throttled()
        # Resend our own bytes, so that no value is re-encoded.
        try:
            tokens = {self._token(encode(request)) for request in unprocessed}
        except (KeyError, TypeError):
            raise _Unmatched(consumed) from None
        left = [request for request in pending if self._token(request) in tokens]
        if len(left) < len(unprocessed):
            raise _Unmatched(consumed)
        return left, consumed

    def _note(self, error: ClientError, writes: int) -> None:
        if errors.is_throttled(error):
            self._usage.throttled(error)
        if errors.is_server_error(error):
            self._leave_open()
        log.event("destination_retry", code=errors.code(error), writes=writes, **_reasons(error))

    def _leave_open(self) -> None:
        with self._lock:
            self._open_until = max(self._open_until, self._machine.now() + SETTLE_SECONDS)

    def _write_halves(self, pending: Sequence[bytes]) -> None:
        """Write the halves of a batch, to find what is invalid in it and to write the rest."""
        middle = len(pending) // 2
        rejected: tuple[bytes, ...] = ()
        last: Rejected | None = None
        for half, rest in ((pending[:middle], pending[middle:]), (pending[middle:], ())):
            try:
                self.write(half)
            except Rejected as found:
                rejected += found.requests
                last = found
            except Unwritten as late:
                raise Unwritten((*rejected, *late.unwritten, *rest)) from late
        if last is not None:
            raise Rejected(rejected, last.code, last.message) from last

    def _token(self, request: bytes) -> str:
        return key_token(key_of(request, self._key_names))


def _unprocessed(response: Json) -> list[Json]:
    """Return the unprocessed requests in an answer (API reference, BatchWriteItem: always a map).

    Raises
    ------
    botocore.exceptions.ResponseStreamingError
        The answer does not name them, so it is not known that there are none.
    """
    by_table = response.get("UnprocessedItems")
    if not isinstance(by_table, dict) or not all(isinstance(each, list) for each in by_table.values()):
        raise ResponseStreamingError(error="the answer has no UnprocessedItems")
    return [request for requests in by_table.values() for request in requests]


class WriterThreads:
    """Threads that write to the destination. Leaving them waits for every call they have started.

    If an error ends their use, no call is made again: the journal may be gone, and with it the lease.

    Parameters
    ----------
    on_rejected
        Called with what the destination permanently rejects. It counts as written once this has returned.
    writers
        Number of calls that are made at the same time.
    """

    def __init__(
        self,
        writer: BatchWriter,
        on_rejected: Callable[[Rejected], None],
        machine: Machine,
        writers: int,
    ) -> None:
        self._writer = writer
        self._on_rejected = on_rejected
        self._machine = machine
        self._writers = writers
        self._left = False
        self._pool = machine.pool(writers)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # If an error ends it early, the caller no longer needs to know what was written.
        self._left = True
        if error is not None:
            self._writer.end_by(self._machine.now())
        self._pool.shutdown(wait=True, cancel_futures=True)


class WriterPool(WriterThreads):
    """Writes requests in any order."""

    def submit(self, requests: Sequence[bytes]) -> list[Future[tuple[bytes, ...]]]:
        """Start to write ``requests``, in which each key occurs once.

        Together, the results of the futures are the requests that were not written in time.
        """
        waiting = deque(batches(requests, self._writer.call_size()))
        # Threads take the next batch themselves: a future for each would cost more than a tenth of its call.
        return [self._pool.submit(self._write_all, waiting) for _ in range(min(self._writers, len(waiting)))]

    def _write_all(self, waiting: deque[list[bytes]]) -> tuple[bytes, ...]:
        unwritten: tuple[bytes, ...] = ()
        while not self._left:
            try:
                batch = waiting.popleft()
            except IndexError:
                break
            unwritten += self._write(batch)
        return unwritten

    def _write(self, batch: Sequence[bytes]) -> tuple[bytes, ...]:
        try:
            self._writer.write(batch)
        except Rejected as rejected:
            self._on_rejected(rejected)
        except Unwritten as late:
            return late.unwritten
        return ()


def _reasons(error: ClientError) -> Json:
    """Return what was throttled, the table or one of its indexes, if DynamoDB names it."""
    reasons = error.response.get("ThrottlingReasons")
    return {"reasons": reasons} if reasons else {}
