"""The DynamoDB client: JSON documents in and out, without translation.

A request is the JSON that is sent, and an answer is the JSON that was received. Numbers stay text
(``{"N": "12.50"}``) and binary values stay base64 text, as they are in a stream event, so no type can change
between source and destination.

botocore's own client spends more on each call than everything else together: endpoint rules, user agent,
hooks, request and response models. This client keeps botocore's credentials, signature, endpoint and network
settings (see `http`), and uses nothing private of it: AWS updates the botocore of a Lambda runtime while a
copy is running.
"""

from __future__ import annotations

import json
import random
import zlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cache
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import ClientError, NoCredentialsError, ResponseStreamingError
from botocore.session import Session

from tablecopy.clock import Clock
from tablecopy.dynamodb.errors import NO_ANSWER, Backoff, is_expired, is_transient
from tablecopy.dynamodb.http import Routes, connection_pool
from tablecopy.dynamodb.sessions import RoleSession

Json = dict[str, Any]

FUNCTION_CONFIG = Config(
    connect_timeout=3, read_timeout=10, max_pool_connections=10, user_agent="dynamodb-account-copy"
)
"""Network settings of the Lambda functions."""

_TARGETS = {"dynamodb": "DynamoDB_20120810.", "dynamodbstreams": "DynamoDBStreams_20120810."}

# As in botocore's standard mode: the first retry within a second, then twice as long each time.
_BACKOFF_BASE_SECONDS = 1.0
_BACKOFF_CAP_SECONDS = 20.0


class DynamoDB(ABC):
    """Calls DynamoDB, or DynamoDB Streams. Safe to use from several threads.

    Parameters
    ----------
    clock
        Clock that waits between the attempts of ``call``.
    jitter
        Varies these waits.
    attempts
        Number of times ``call`` sends a call, the first one included.
    renews
        Credentials that have expired are renewed for the next attempt.
    """

    def __init__(self, clock: Clock, jitter: random.Random, attempts: int, *, renews: bool) -> None:
        self._clock = clock
        self._jitter = jitter
        self._attempts = attempts
        self._renews = renews

    def call(self, operation: str, body: Mapping[str, Any] | bytes) -> Json:
        """Send ``body`` to ``operation`` (botocore's name, such as ``put_item``) until it succeeds.

        A write that is sent again after a lost answer may take effect twice.

        Raises
        ------
        botocore.exceptions.ClientError
            DynamoDB answered with an error that is not transient, or with an error to the last attempt.
        botocore.exceptions.HTTPClientError, botocore.exceptions.ConnectionError
            No complete answer came. The call may have taken effect, and may still do so.
        """
        encoded = body if isinstance(body, bytes) else encode(body)
        name = _api_name(operation)
        backoff = Backoff(self._jitter, _BACKOFF_BASE_SECONDS, _BACKOFF_CAP_SECONDS)
        for _ in range(self._attempts - 1):
            try:
                return self._answer(name, encoded)
            except ClientError as error:
                if not is_transient(error) or (is_expired(error) and not self._renews):
                    raise
            except NO_ANSWER:
                pass
            self._clock.sleep(backoff.next())
        return self._answer(name, encoded)

    @abstractmethod
    def credentials(self) -> ReadOnlyCredentials:
        """Return the credentials for a call made now. This may take a while if a role has to be assumed."""

    @abstractmethod
    def send(self, operation: str, body: bytes, credentials: ReadOnlyCredentials | None = None) -> bytes:
        """Send ``body`` to ``operation`` (the API's name, such as ``Scan``) once; return the answer's body.

        If you pass ``credentials``, no other request is sent first.

        Raises
        ------
        botocore.exceptions.ClientError
            DynamoDB answered with an error.
        botocore.exceptions.HTTPClientError, botocore.exceptions.ConnectionError
            No complete answer came. The call may have taken effect, and may still do so.
        """

    def _answer(self, operation: str, body: bytes) -> Json:
        return document(self.send(operation, body))


class DynamoDBClient(DynamoDB):
    """Calls one endpoint over HTTP. Safe to use from several threads.

    Each call goes to the same host, in the same way and under the same identity as a call of a botocore
    client with the same arguments.

    Parameters
    ----------
    session
        Session with the credentials and settings.
    region, endpoint_url
        Region and endpoint, or None for those of the session.
    config
        Timeouts, proxies, certificates and user agent, as for a botocore client. Its retries are not used.
    table
        Name or ARN that the calls use for their table. Required if it may be an ARN.
    attempts
        Number of times ``call`` sends a call, the first one included.
    clock
        Clock that waits between the attempts of ``call``.
    service
        "dynamodb" or "dynamodbstreams".

    Raises
    ------
    botocore.exceptions.BotoCoreError
        The settings do not lead to an endpoint.
    """

    def __init__(
        self,
        session: Session,
        region: str | None = None,
        *,
        endpoint_url: str | None = None,
        config: Config = FUNCTION_CONFIG,
        table: str | None = None,
        attempts: int = 5,
        clock: Clock | None = None,
        service: str = "dynamodb",
    ) -> None:
        # Only the credentials of a role can be renewed here.
        renews = isinstance(session, RoleSession)
        super().__init__(clock or Clock(), random.Random(), attempts, renews=renews)
        client = session.create_client(
            service,
            region_name=region,
            endpoint_url=endpoint_url,
            config=config.merge(Config(parameter_validation=False)),
        )
        self.endpoint_url: str = client.meta.endpoint_url
        self._session = session
        self._credentials = session.get_credentials()
        self._routes = Routes(client, table)
        self._pool = connection_pool(session, client)
        self._target = _TARGETS[service]

    def credentials(self) -> ReadOnlyCredentials:
        """Return the session's credentials, which a role's session renews before they expire."""
        if self._credentials is None:
            raise NoCredentialsError
        credentials: ReadOnlyCredentials = self._credentials.get_frozen_credentials()
        return credentials

    def send(self, operation: str, body: bytes, credentials: ReadOnlyCredentials | None = None) -> bytes:
        """Send once. If the answer refuses a role's credentials, the next call assumes the role again."""
        signer = credentials or self.credentials()
        route = self._routes.of(operation, signer.account_id)
        headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "User-Agent": route.user_agent,
            "X-Amz-Target": self._target + operation,
        }
        request = AWSRequest("POST", route.url, headers=headers, data=body)
        SigV4Auth(signer, route.signing_name, route.signing_region).add_auth(request)
        response = self._pool.post(route.url, body, dict(request.headers.items()))
        if response.status >= 300:
            error = _error(operation, response.status, response.content)
            if is_expired(error) and isinstance(self._session, RoleSession):
                self._session.renew()
            raise error
        _check_whole(response.headers, response.content)
        return response.content


@cache
def _api_name(operation: str) -> str:
    return operation.title().replace("_", "")


def encode(document: Mapping[str, Any]) -> bytes:
    """Return ``document`` as compact UTF-8 JSON.

    UTF-8 has no lone surrogates, but JSON text, such as a stream's event, can hold them as escapes. They stay
    escapes.
    """
    return _to_json(document).encode("utf-8", "backslashreplace")


# json.dumps would make a new encoder for each call.
_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def document(body: bytes) -> Json:
    """Return the JSON object in an answer's ``body``.

    Raises
    ------
    botocore.exceptions.ResponseStreamingError
        The body is cut short, or it is not DynamoDB's: a proxy's page, for example.
    """
    value = _parsed(body)
    if value is None:
        raise ResponseStreamingError(error="the answer is cut short or is not DynamoDB's JSON")
    return value


def _parsed(body: bytes) -> Json | None:
    try:
        value = json.loads(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _error(operation: str, status: int, content: bytes) -> ClientError:
    parsed = _parsed(content) or {}
    code = str(parsed.get("__type", status)).rsplit("#", 1)[-1]
    response: Any = {
        "Error": {"Code": code, "Message": parsed.get("message") or parsed.get("Message") or ""},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    reasons = parsed.get("throttlingReasons") or parsed.get("ThrottlingReasons")
    if reasons:
        response["ThrottlingReasons"] = reasons
    return ClientError(response, operation)


def _check_whole(headers: Mapping[str, str], content: bytes) -> None:
    """Check the CRC-32 that DynamoDB sends. Nothing else would notice a byte that changed on the way."""
    expected = headers.get("x-amz-crc32")
    if expected is not None and int(expected) != zlib.crc32(content):
        raise ResponseStreamingError(error="the answer was damaged on the way: its CRC-32 differs")
