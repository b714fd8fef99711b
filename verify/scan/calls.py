"""Calls of DynamoDB that carry items: sent as JSON, tried again until they are answered."""

from __future__ import annotations

import math
import multiprocessing
import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tablecopy.clock import Clock
from tablecopy.dynamodb import errors
from tablecopy.dynamodb.client import DynamoDBClient
from tablecopy.throughput.rate import FixedRate, TokenBucket
from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.aws_errors import user_errors
from tablecopy_cli.common.credentials import ROLE_SESSION_NAME, SIGN_INS
from tablecopy_cli.common.errors import UserError
from verify.scan.decode import BadPage
from verify.scan.processes import Stopped

# With backoff that is some 40 s, longer than DynamoDB's own hiccups; a provisioned table may take minutes to
# scale or to be left alone by its other readers.
ATTEMPTS = 20
_THROTTLED_ATTEMPTS = 100

_CONNECT_SECONDS = 10.0
_READ_SECONDS = 60.0

# Kept to a proxy; without one there are as many as calls under way.
_CONNECTIONS = 64

# What a call is expected to cost before the first answer.
_GUESS_UNITS = 1.0

_Found = TypeVar("_Found")

Send = Callable[[str, bytes], bytes]
"""Sends a body to an operation, spelled as ``"Scan"``, once; raises as `DynamoDBClient.send` does."""


class _SteadyClock(Clock):
    """A clock that never jumps and that is the same for every process of the machine."""

    def now(self) -> float:
        """Seconds since an arbitrary moment."""
        return time.monotonic()


def read_limit(rate: float, clock: Clock | None = None) -> TokenBucket:
    """Limit the read capacity units per second of a side, over all threads and processes that read it.

    Unused capacity is not kept, so that the rate after a pause is what it was before. Its state is in memory
    that processes share.
    """
    shared = multiprocessing.get_context("spawn").Array("d", 3)
    return FixedRate(clock or _SteadyClock(), rate, _GUESS_UNITS, saved_seconds=0.0, shared=shared)


def sender(side: Side) -> tuple[Send, str]:
    """Sign in on a side, and return what sends calls to its DynamoDB, and the endpoint's URL."""
    session = side.session()
    with user_errors(side), SIGN_INS.lock:
        # boto3 hides the session that has the credentials; its own clients are made of it as well.
        client = DynamoDBClient(
            session._session,
            endpoint_url=side.endpoint_url,
            config=Config(
                connect_timeout=_CONNECT_SECONDS,
                read_timeout=_READ_SECONDS,
                max_pool_connections=_CONNECTIONS,
                user_agent_extra=ROLE_SESSION_NAME,
            ),
            table=side.table_name,
        )
    return client.send, client.endpoint_url


class Calls:
    """Calls on one side. Safe to use from several threads.

    Parameters
    ----------
    side
        Where the calls go; errors name it.
    send
        Sends one call.
    limit
        Read capacity that the calls keep to; ``None`` for no limit.
    stop
        Ends every wait when it is set.
    """

    def __init__(
        self, side: Side, send: Send, limit: TokenBucket | None = None, stop: threading.Event | None = None
    ) -> None:
        self.limit = limit
        self._side = side
        self._send = send
        self._stop = stop or threading.Event()
        self._jitter = random.Random()

    def bound(self, limit: TokenBucket | None, stop: threading.Event) -> Calls:
        """Return the same calls with another limit and another event that ends them."""
        return Calls(self._side, self._send, limit, stop)

    def answer(self, operation: str, body: bytes, read: Callable[[bytes], tuple[_Found, float]]) -> _Found:
        """Send ``body`` until an answer comes that ``read`` can read.

        Parameters
        ----------
        operation
            Name of the operation, such as ``"Scan"``.
        body
            The request as JSON.
        read
            Turns the answer's body into the result and the read units it has cost. Raises `BadPage` for an
            incomplete answer.

        Raises
        ------
        UserError
            The call is rejected, or stays unanswered.
        Stopped
            The comparison is ending.
        """
        backoff = errors.Backoff(self._jitter)
        failures = throttles = 0
        while True:
            taken = self._acquire()
            units: float | None = None
            try:
                found, units = read(self._send(operation, body))
                return found
            except ClientError as error:
                units = 0.0
                if errors.is_throttled(error):
                    throttles += 1
                elif errors.is_server_error(error):
                    failures += 1
                else:
                    failures = ATTEMPTS
                if failures >= ATTEMPTS or throttles >= _THROTTLED_ATTEMPTS:
                    with user_errors(self._side):
                        raise
            except errors.NO_ANSWER as error:
                failures = ATTEMPTS if errors.is_untrusted(error) else failures + 1
                if failures >= ATTEMPTS:
                    with user_errors(self._side):
                        raise
            except BotoCoreError:
                # The session cannot sign in any more.
                with user_errors(self._side):
                    raise
            except BadPage as error:
                failures += 1
                if failures >= ATTEMPTS:
                    raise UserError(
                        f"{self._side.name}: the answer of {operation} is not DynamoDB's ({error}). "
                        f"Check --{self._side.name}-endpoint-url",
                        self._side.name,
                    ) from error
            finally:
                # Without an answer, the units stay taken: the call may have been carried out.
                if self.limit and units is not None:
                    self.limit.settle(taken, units)
            self._wait(backoff.next())

    def _acquire(self) -> float:
        if self._stop.is_set():
            raise Stopped
        return self.limit.acquire(math.inf, self._wait) if self.limit else 0.0

    def _wait(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise Stopped
