"""Single DynamoDB calls at the lowest cost: signed, sent once, and answered with the bytes that came.

botocore's client spends more on each call than everything else together: endpoint rules, user agent, hooks,
request and response models. What must not be done by hand is left to it: its credentials, its signature, its
endpoint (see `route`) and its way there (see `connections`).
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import ClientError, NoCredentialsError, ResponseStreamingError
from botocore.session import Session

from tablecopy.dynamodb.http import connections, settings_of
from tablecopy.dynamodb.route import Routes

Json = dict[str, Any]

USER_AGENT = "dynamodb-account-copy"

_TARGET = "DynamoDB_20120810."


class Post:
    """Calls of one DynamoDB endpoint. Safe to use from several threads.

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
        Name or ARN by which the calls name their table; needed where it may be an ARN.

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
        config: Config,
        table: str | None = None,
    ) -> None:
        client = session.create_client(
            "dynamodb",
            region_name=region,
            endpoint_url=endpoint_url,
            config=config.merge(Config(parameter_validation=False)),
        )
        self.endpoint_url: str = client.meta.endpoint_url
        self._credentials = session.get_credentials()
        self._routes = Routes(client, table)
        self._connections = connections(settings_of(session, client), urlsplit(self.endpoint_url).scheme)

    def sign_in(self) -> ReadOnlyCredentials:
        """Return the credentials for a call made now; assuming the role for them may take a while."""
        if self._credentials is None:
            raise NoCredentialsError
        credentials: ReadOnlyCredentials = self._credentials.get_frozen_credentials()
        return credentials

    def send(self, operation: str, body: bytes, credentials: ReadOnlyCredentials | None = None) -> bytes:
        """Send ``body`` to ``operation`` (as the API spells it, such as ``Scan``) once.

        With ``credentials`` (of ``sign_in``) nothing else is sent before it.

        Raises
        ------
        botocore.exceptions.ClientError
            DynamoDB answered with an error.
        botocore.exceptions.HTTPClientError, botocore.exceptions.ConnectionError
            No complete answer came. The call may have taken effect, and may still do so.
        """
        signer = credentials or self.sign_in()
        route = self._routes.of(operation, signer.account_id)
        headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "User-Agent": route.user_agent,
            "X-Amz-Target": _TARGET + operation,
        }
        request = AWSRequest("POST", route.url, headers=headers, data=body)
        SigV4Auth(signer, route.signing_name, route.signing_region).add_auth(request)
        response = self._connections.post(route.url, body, dict(request.headers.items()))
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
