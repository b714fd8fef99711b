"""Calls of DynamoDB that carry items: sent as JSON, tried again until they are answered."""

from __future__ import annotations

import multiprocessing
import random
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tablecopy.dynamodb import errors
from tablecopy.dynamodb.client import DynamoDBClient
from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.aws_errors import user_errors
from tablecopy_cli.common.credentials import ROLE_SESSION_NAME, SIGN_INS
from tablecopy_cli.common.errors import UserError
from verify.scan.decode import BadPage

# With backoff that is some 40 s, longer than DynamoDB's own hiccups; a provisioned table may take minutes to
# scale or to be left alone by its other readers.
_ATTEMPTS = 20
_THROTTLED_ATTEMPTS = 100

_CONNECT_SECONDS = 10.0
_READ_SECONDS = 60.0

# Kept to a proxy; without one there are as many as calls under way.
_CONNECTIONS = 64

_Found = TypeVar("_Found")

Send = Callable[[str, bytes], bytes]
"""Sends a body to an operation, spelled as ``"Scan"``, once; raises as `DynamoDBClient.send` does."""


class Stopped(Exception):
    """The comparison is being ended; nothing more is to be read."""


class Budget(Protocol):
    """Says when a call may be made."""

    def take(self, stop: threading.Event) -> float:
        """Wait for a call's turn, and return the units taken for it, to be given to ``settle``.

        Raises
        ------
        Stopped
            ``stop`` was set meanwhile.
        """

    def settle(self, taken: float, consumed: float | None) -> None:
        """A call that took ``taken`` units has consumed ``consumed``, or nobody knows what (``None``)."""


class Unlimited:
    """As much as there is."""

    def take(self, stop: threading.Event) -> float:
        """Take nothing."""
        if stop.is_set():
            raise Stopped
        return 0.0

    def settle(self, taken: float, consumed: float | None) -> None:
        """Change nothing."""


class ReadCapacity:
    """A bucket of read capacity units that fills at a fixed rate and may go negative.

    A call takes what such calls have cost so far, and corrects that when its answer says what it did cost.
    Nothing is saved up: after a pause the rate is what it was. The bucket is in shared memory, so that the
    processes of a scan keep one budget together.

    Parameters
    ----------
    rate
        Units a second.
    clock
        Monotonic seconds, the same for every process.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self._clock = clock
        # Level, when it was filled, and what a call is expected to cost.
        self._state: Any = multiprocessing.get_context("spawn").Array("d", [0.0, clock(), 1.0])

    def take(self, stop: threading.Event) -> float:
        """Take what such calls have cost so far, once the bucket is not in debt."""
        while True:
            with self._state.get_lock():
                self._fill()
                level, guess = self._state[0], self._state[2]
                if level >= 0:
                    self._state[0] = level - guess
                    if stop.is_set():
                        raise Stopped
                    return float(guess)
            if stop.wait(-level / self.rate):
                raise Stopped

    def settle(self, taken: float, consumed: float | None) -> None:
        """Correct what was taken; of an answer that never came it stays taken."""
        if consumed is None:
            return
        with self._state.get_lock():
            self._state[0] += taken - consumed
            self._state[2] += (consumed - self._state[2]) / 4

    def _fill(self) -> None:
        now = self._clock()
        self._state[0] = min(0.0, self._state[0] + (now - self._state[1]) * self.rate)
        self._state[1] = now


def sender(side: Side) -> tuple[Send, str]:
    """Sign in on a side: how to send calls to its DynamoDB, and the endpoint they go to."""
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
    """Calls on one side. Safe to use from several threads."""

    def __init__(self, side: Side, send: Send) -> None:
        self._side = side
        self._send = send
        self._jitter = random.Random()

    def answer(
        self,
        operation: str,
        body: bytes,
        read: Callable[[bytes], tuple[_Found, float]],
        *,
        budget: Budget,
        stop: threading.Event,
    ) -> _Found:
        """Send ``body`` until an answer comes that ``read`` can read.

        Parameters
        ----------
        read
            Turns the answer's body into what is returned and the read units it has cost; raises `BadPage`
            for one that is not whole.

        Raises
        ------
        UserError
            The call is refused, or was not answered often enough.
        Stopped
            ``stop`` was set.
        """
        backoff = errors.Backoff(self._jitter)
        failures = throttles = 0
        while True:
            taken = budget.take(stop)
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
                    failures = _ATTEMPTS
                if failures >= _ATTEMPTS or throttles >= _THROTTLED_ATTEMPTS:
                    with user_errors(self._side):
                        raise
            except errors.NO_ANSWER as error:
                failures = _ATTEMPTS if errors.is_untrusted(error) else failures + 1
                if failures >= _ATTEMPTS:
                    with user_errors(self._side):
                        raise
            except BotoCoreError:
                # The session cannot sign in any more.
                with user_errors(self._side):
                    raise
            except BadPage as error:
                failures += 1
                if failures >= _ATTEMPTS:
                    raise UserError(
                        f"{self._side.name}: {operation} is answered with something else than DynamoDB's "
                        f"JSON ({error}); check --{self._side.name}-endpoint-url",
                        self._side.name,
                    ) from error
            finally:
                budget.settle(taken, units)
            if stop.wait(backoff.next()):
                raise Stopped
