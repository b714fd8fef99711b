"""Writes batches to the destination until they are acknowledged, refused, or time is up."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from tablecopy import log
from tablecopy.clock import Clock
from tablecopy.journal.leases import UnsettledWrite
from tablecopy.wire import Wire, encode
from tablecopy.writes import Write, key_token

# One request takes at most its connect and read timeouts. Nothing is sent later than this before the
# function's deadline, so that nothing is under way when Lambda ends the function.
WRITE_TIMEOUT_SECONDS = 10.0
WRITE_MARGIN_SECONDS = 15.0

# How long after a call without an answer its writes are held to be still able to land.
SETTLE_SECONDS = 10.0

_BACKOFF_BASE_SECONDS = 0.05
_BACKOFF_CAP_SECONDS = 5.0

_RETRYABLE = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "RequestLimitExceeded",
        "ThrottledException",
        "InternalServerError",
        "ServiceUnavailable",
        "TransactionInProgressException",
        "ExpiredTokenException",
        "LimitExceededException",
    }
)


class OutOfTime(Exception):
    """The deadline came before everything was acknowledged. ``unwritten`` holds the tokens left over."""

    def __init__(self, unwritten: frozenset[str]) -> None:
        super().__init__(f"{len(unwritten)} writes were not acknowledged before the deadline")
        self.unwritten = unwritten


class Refused(Exception):
    """The destination refuses writes for good. ``tokens`` names their keys, ``code`` is its answer."""

    def __init__(self, tokens: frozenset[str], code: str, message: str) -> None:
        super().__init__(f"the destination refuses {len(tokens)} write(s): {code}: {message}")
        self.tokens = tokens
        self.code = code


WriterFactory = Callable[[Sequence[str], float], "BatchWriter"]
"""Makes a writer from the table's key attributes and the moment after which it sends nothing."""


class BatchWriter:
    """Writes to one table with BatchWriteItem.

    Parameters
    ----------
    wire
        A client of the destination that does not retry by itself.
    table, key_names
        The table and its key attributes, to recognise what comes back as unprocessed.
    deadline
        Seconds since the epoch after which nothing is sent any more.
    """

    def __init__(
        self,
        wire: Wire,
        table: str,
        key_names: Sequence[str],
        clock: Clock,
        deadline: float,
        jitter: random.Random | None = None,
    ) -> None:
        self._wire = wire
        self._prefix = b'{"RequestItems":{' + encode_text(table) + b":["
        self._table = table
        self._key_names = key_names
        self._clock = clock
        self._deadline = deadline
        self._jitter = jitter or random.Random()
        self._open_until = 0.0

    def write(self, batch: Sequence[Write]) -> None:
        """Write a batch that BatchWriteItem accepts (writes.batches makes them).

        Raises
        ------
        OutOfTime
            Some writes were not acknowledged; each may or may not have been applied.
        Refused
            Some writes can never succeed. All others of the batch were acknowledged.
        botocore.exceptions.ClientError
            The destination cannot be written at all: no permission, no such table.
        """
        pending = {write.token: write.body for write in batch}
        attempt = 0
        while pending:
            if self._clock.now() >= self._deadline:
                raise OutOfTime(frozenset(pending))
            before = len(pending)
            try:
                pending = self._send(pending)
            except ClientError as error:
                if not _is_retryable(error):
                    if _is_about_a_write(error):
                        self._write_singly(pending, error)
                        return
                    raise
                log.event("destination_retry", code=error.response["Error"]["Code"], writes=len(pending))
            except (HTTPClientError, ConnectionError) as error:
                # ConnectionError is not only "never connected": a TLS error in mid-answer is one, too.
                self._open_until = self._clock.now() + SETTLE_SECONDS
                log.event("destination_no_answer", error=type(error).__name__, writes=len(pending))
            if pending:
                attempt = 0 if len(pending) < before else attempt + 1
                self._back_off(attempt)

    def settle(self, deadline: float) -> None:
        """Wait until no write that went unanswered can land any more.

        Raises
        ------
        UnsettledWrite
            ``deadline``, at which Lambda ends the function, comes first.
        """
        wait = self._open_until - self._clock.now()
        if wait <= 0:
            return
        if self._open_until > deadline:
            raise UnsettledWrite("a write got no answer and the function's time is up")
        self._clock.sleep(wait)

    def _send(self, pending: dict[str, bytes]) -> dict[str, bytes]:
        body = self._prefix + b",".join(pending.values()) + b"]}}"
        response = self._wire.call("batch_write_item", body)
        left = response.get("UnprocessedItems", {}).get(self._table, [])
        tokens = [self._token(request) for request in left]
        return {token: pending[token] for token in tokens}

    def _write_singly(self, pending: dict[str, bytes], error: ClientError) -> None:
        """One bad write fails its whole batch with a ValidationException: find it, write the others."""
        if len(pending) == 1:
            answer = error.response["Error"]
            raise Refused(frozenset(pending), answer["Code"], answer.get("Message", "")) from error
        refused: set[str] = set()
        last: Refused | None = None
        for token, body in pending.items():
            try:
                self.write([Write(token, body)])
            except Refused as single:
                refused |= single.tokens
                last = single
            except OutOfTime as late:
                done = list(pending).index(token)
                raise OutOfTime(frozenset(list(pending)[done:]) | refused) from late
        if last is not None:
            raise Refused(frozenset(refused), last.code, str(last)) from error

    def _token(self, request: dict[str, Any]) -> str:
        if "DeleteRequest" in request:
            return key_token(request["DeleteRequest"]["Key"])
        item = request["PutRequest"]["Item"]
        return key_token({name: item[name] for name in self._key_names})

    def _back_off(self, attempt: int) -> None:
        """Full jitter: any wait between nothing and an exponentially growing bound."""
        bound = min(_BACKOFF_CAP_SECONDS, _BACKOFF_BASE_SECONDS * 2**attempt)
        left = max(0.0, self._deadline - self._clock.now())
        self._clock.sleep(min(self._jitter.uniform(0, bound), left))


def encode_text(value: str) -> bytes:
    """``value`` as a JSON string."""
    return encode({value: 0})[1:-3]


def _is_retryable(error: ClientError) -> bool:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return error.response["Error"]["Code"] in _RETRYABLE or status >= 500


def _is_about_a_write(error: ClientError) -> bool:
    return error.response["Error"]["Code"] in {
        "ValidationException",
        "ItemCollectionSizeLimitExceededException",
    }
