"""Single DynamoDB calls at the lowest cost: signed, sent once, and answered with the bytes that came.

botocore's client spends more on each call than everything else together: endpoint rules, user agent, hooks,
request and response models. What is left of it here is what must not be done by hand: its credentials, its
signature, the endpoint its client has resolved, and its certificates.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import ClientError, NoCredentialsError, ResponseStreamingError
from botocore.session import Session

from tablecopy.connections import Connections

Json = dict[str, Any]

USER_AGENT = "dynamodb-account-copy"

_HEADERS = {"Content-Type": "application/x-amz-json-1.0", "User-Agent": USER_AGENT}
_TARGET = "DynamoDB_20120810."


class Post:
    """Calls of one DynamoDB endpoint. Safe to use from several threads.

    Parameters
    ----------
    session
        Gives the credentials.
    region, endpoint_url
        As botocore's client has resolved them.
    timeouts
        Seconds to wait for a connection, and for an answer.
    """

    def __init__(
        self,
        session: Session,
        region: str,
        endpoint_url: str,
        timeouts: tuple[float, float],
    ) -> None:
        self._credentials = session.get_credentials()
        self._region = region
        self._url = endpoint_url
        self._connections = Connections(
            endpoint_url, *timeouts, verify=session.get_config_variable("ca_bundle") or True
        )

    def sign_in(self) -> ReadOnlyCredentials:
        """The credentials for a call made now; assuming the role for them may take a while."""
        if self._credentials is None:
            raise NoCredentialsError
        credentials: ReadOnlyCredentials = self._credentials.get_frozen_credentials()
        return credentials

    def send(self, operation: str, body: bytes, credentials: ReadOnlyCredentials | None = None) -> bytes:
        """Send ``body`` to ``operation`` (as the API spells it, such as ``Scan``) once.

        With ``credentials`` (of ``sign_in``) nothing comes before it.

        Raises
        ------
        botocore.exceptions.ClientError
            DynamoDB answered with an error.
        botocore.exceptions.HTTPClientError, botocore.exceptions.ConnectionError
            No whole answer came; what was asked for may have happened, and may still happen.
        """
        request = AWSRequest(
            "POST", self._url, headers=_HEADERS | {"X-Amz-Target": _TARGET + operation}, data=body
        )
        SigV4Auth(credentials or self.sign_in(), "dynamodb", self._region).add_auth(request)
        response = self._connections.post(body, dict(request.headers.items()))
        if response.status >= 300:
            raise _error(operation, response.status, response.content)
        _check_whole(response.headers, response.content)
        return response.content


def document(body: bytes) -> Json | None:
    """The JSON object in ``body``; None when it is cut short or something else, such as a proxy's page."""
    try:
        value = json.loads(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def error_fields(parsed: Json, status: int) -> Json:
    """Code and message of an error's body, as botocore names them."""
    code = str(parsed.get("__type", status)).rsplit("#", 1)[-1]
    return {"Code": code, "Message": parsed.get("message") or parsed.get("Message") or ""}


def _error(operation: str, status: int, content: bytes) -> ClientError:
    parsed = document(content) or {}
    response: Any = {"Error": error_fields(parsed, status), "ResponseMetadata": {"HTTPStatusCode": status}}
    reasons = parsed.get("throttlingReasons") or parsed.get("ThrottlingReasons")
    if reasons:
        response["ThrottlingReasons"] = reasons
    return ClientError(response, operation)


def _check_whole(headers: Mapping[str, str], content: bytes) -> None:
    """DynamoDB sends the CRC-32 of each body. Nobody else would notice a byte that was changed on the way."""
    wanted = headers.get("x-amz-crc32")
    if wanted is not None and int(wanted) != zlib.crc32(content):
        raise ResponseStreamingError(error="the answer is not what was sent: its CRC-32 differs")
