"""DynamoDB's wire format, without translation.

A request is the JSON that is sent, an answer is the JSON that was received. Numbers therefore stay text
(``{"N": "12.50"}``) and binaries stay base64 text, as they are in a stream event, so that no type can change
between source and destination. All calls take one transport (see `post`), which obeys every setting of
botocore's client and uses nothing private of it: AWS updates the botocore of a Lambda runtime while a copy is
running.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.config import Config
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import ClientError, ResponseStreamingError
from botocore.session import Session

from tablecopy.clock import Clock
from tablecopy.dynamodb import errors as retry
from tablecopy.dynamodb.post import USER_AGENT, Json, Post, document
from tablecopy.dynamodb.sessions import RoleSession

__all__ = ["Json", "Wire", "encode"]

# As in botocore's standard mode: the first retry within a second, then twice as long each time.
_BACKOFF_BASE_SECONDS = 1.0
_BACKOFF_CAP_SECONDS = 20.0


class Wire:
    """A DynamoDB client that speaks JSON documents as DynamoDB spells them. Safe to use from several threads.

    Parameters
    ----------
    session
        Session with the credentials and the endpoint.
    region
        Region of the tables, or None for the session's.
    attempts
        How often ``call`` tries a call in all. 1 leaves retrying to the caller.
    connect_timeout, read_timeout
        Seconds to wait for a connection, and for each part of an answer.
    connections
        How many connections to a proxy are kept.
    clock
        Clock that waits between the tries of a call.
    """

    def __init__(
        self,
        session: Session,
        region: str | None = None,
        *,
        attempts: int = 5,
        connect_timeout: float = 3,
        read_timeout: float = 10,
        connections: int = 10,
        clock: Clock | None = None,
    ) -> None:
        self._post = Post(
            session,
            region,
            config=Config(
                connect_timeout=connect_timeout,
                read_timeout=read_timeout,
                max_pool_connections=connections,
                user_agent=USER_AGENT,
            ),
        )
        self._session = session
        self._attempts = attempts
        self._clock = clock or Clock()
        self._jitter = random.Random()

    def call(self, operation: str, body: Mapping[str, Any] | bytes) -> Json:
        """Send ``body`` to ``operation`` (its name in botocore, such as ``put_item``) until it succeeds.

        A write that is tried again after a lost answer may take effect twice.

        Raises
        ------
        botocore.exceptions.ClientError
            DynamoDB answered with an error, also to the last try.
        botocore.exceptions.HTTPClientError, botocore.exceptions.ConnectionError
            No complete answer came. The call may have taken effect, and may still do so.
        """
        encoded = body if isinstance(body, bytes) else encode(body)
        name = operation.title().replace("_", "")
        backoff = retry.Backoff(self._jitter, _BACKOFF_BASE_SECONDS, _BACKOFF_CAP_SECONDS)
        for _ in range(self._attempts - 1):
            try:
                return self._answer(name, encoded)
            except ClientError as error:
                if not retry.is_retryable(error) or (retry.is_expired(error) and not self._renews):
                    raise
            except retry.NO_ANSWER:
                pass
            self._clock.sleep(backoff.next())
        return self._answer(name, encoded)

    def post(self, operation: str, body: bytes, credentials: ReadOnlyCredentials | None = None) -> bytes:
        """Send ``body`` to ``operation`` (as the API spells it) once, and return the body of its answer.

        Raises as ``call`` does.
        """
        with self._renewing():
            return self._post.send(operation, body, credentials)

    def sign_in(self) -> ReadOnlyCredentials:
        """Return the credentials for a call of ``post`` made now; getting them may take a while."""
        return self._post.sign_in()

    def _answer(self, operation: str, body: bytes) -> Json:
        answer = document(self.post(operation, body))
        if answer is None:
            raise ResponseStreamingError(error="the answer is not DynamoDB's JSON")
        return answer

    @property
    def _renews(self) -> bool:
        return isinstance(self._session, RoleSession)

    @contextmanager
    def _renewing(self) -> Iterator[None]:
        """Have the next call assume its role again when this one's credentials were refused."""
        try:
            yield
        except ClientError as error:
            if retry.is_expired(error) and isinstance(self._session, RoleSession):
                self._session.renew()
            raise


def encode(document: Mapping[str, Any]) -> bytes:
    """Return ``document`` as compact UTF-8 JSON."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
