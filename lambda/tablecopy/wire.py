"""DynamoDB's wire format, with nothing translated on the way.

botocore keeps its credentials, signing, endpoints and retries. Its parameter validation, serializer and
response parser are out of the way: a request is the JSON that goes out, a response is the JSON that came
in. Calls that carry the items themselves go past its client altogether (see post). Numbers therefore stay
text (``{"N": "12.50"}``) and binaries stay base64 text, as they are in a stream event, so that no type can
change between source and destination.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.config import Config
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import ClientError, ResponseStreamingError
from botocore.model import OperationModel
from botocore.session import Session

from tablecopy.post import USER_AGENT, Json, Post, document, error_fields
from tablecopy.retry import is_expired
from tablecopy.sessions import RoleSession

__all__ = ["Json", "Wire", "encode"]

_BODY = "tablecopy_body"

_BATCH_OPERATIONS = frozenset({"BatchWriteItem", "BatchGetItem"})


class Wire:
    """A DynamoDB client that speaks JSON documents as DynamoDB spells them.

    Parameters
    ----------
    session
        Gives credentials and the endpoint. It must not be shared with clients that want parsed responses.
    region
        Region of the tables, or None for the session's.
    attempts
        How often botocore tries a call in all. 1 leaves retrying to the caller.
    connect_timeout, read_timeout
        Seconds.
    connections
        How many calls may be under way at once.
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
    ) -> None:
        session.register_component("response_parser_factory", _JsonParserFactory())
        self._client = session.create_client(
            "dynamodb",
            region_name=region,
            config=Config(
                parameter_validation=False,
                connect_timeout=connect_timeout,
                read_timeout=read_timeout,
                retries={"mode": "standard", "total_max_attempts": attempts},
                tcp_keepalive=True,
                max_pool_connections=connections,
                # Built anew for each call otherwise, at a tenth of the call's cost.
                user_agent=USER_AGENT,
            ),
        )
        self._post = Post(
            session,
            self._client.meta.region_name,
            self._client.meta.endpoint_url,
            (connect_timeout, read_timeout),
        )
        self._session = session
        events = self._client.meta.events
        events.register("provide-client-params.dynamodb", _set_body_aside)
        events.register("before-call.dynamodb", _put_body_back)

    def call(self, operation: str, body: Mapping[str, Any] | bytes) -> Json:
        """Send ``body`` to ``operation`` (its name in botocore, such as ``batch_write_item``).

        Raises
        ------
        botocore.exceptions.ClientError
            DynamoDB answered with an error.
        botocore.exceptions.HTTPClientError
            No whole answer came; what was asked for may have happened, and may still happen.
        """
        encoded = body if isinstance(body, bytes) else encode(body)
        with self._renewing():
            response: Json = getattr(self._client, operation)(Body=encoded)
        return response

    def post(self, operation: str, body: bytes, credentials: ReadOnlyCredentials | None = None) -> bytes:
        """Send ``body`` to ``operation`` (as the API spells it) once, and return the body of its answer.

        Raises as ``call`` does, and botocore.exceptions.ConnectionError when no connection came about.
        """
        with self._renewing():
            return self._post.send(operation, body, credentials)

    def sign_in(self) -> ReadOnlyCredentials:
        """The credentials for a call of ``post`` made now; getting them may take a while."""
        return self._post.sign_in()

    @contextmanager
    def _renewing(self) -> Iterator[None]:
        """Have the next call assume its role anew when this one's credentials were refused."""
        try:
            yield
        except ClientError as error:
            if is_expired(error) and isinstance(self._session, RoleSession):
                self._session.renew()
            raise


def encode(document: Mapping[str, Any]) -> bytes:
    """``document`` as compact UTF-8 JSON."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _set_body_aside(params: Json, model: OperationModel, context: Json, **_: object) -> Any:
    context[_BODY] = params["Body"]
    # botocore looks for tables among the keys of a batch's RequestItems, and fails where there are no keys.
    return {"RequestItems": {}} if model.name in _BATCH_OPERATIONS else {}


def _put_body_back(params: Json, context: Json, **_: object) -> None:
    params["body"] = context[_BODY]


class _JsonParser:
    """Stands in for botocore's parser: the decoded body, and the error fields its retries look at."""

    def parse(self, response: Json, shape: object) -> Json:
        status = response["status_code"]
        parsed = document(response["body"])
        if parsed is None:
            if status < 300:
                # botocore does not hold a body against its Content-Length. Read as success, an answer cut
                # short would hide the unprocessed items it was about to name.
                raise ResponseStreamingError(error="the answer was cut short")
            parsed = {}
        if status >= 300:
            parsed["Error"] = error_fields(parsed, status)
        headers = response["headers"]
        parsed["ResponseMetadata"] = {
            "HTTPStatusCode": status,
            "HTTPHeaders": headers,
            "RequestId": headers.get("x-amzn-requestid", ""),
        }
        return parsed


class _JsonParserFactory:
    def set_parser_defaults(self, **_: object) -> None:
        """Nothing to default: no timestamps or blobs are decoded."""

    def create_parser(self, protocol_name: str) -> _JsonParser:
        return _JsonParser()
