"""The network path to DynamoDB: the endpoint and the connections that botocore's own client would use.

The endpoint depends on more than a URL: a path in ``endpoint_url``, FIPS and dual-stack settings,
account-based endpoints, the ARN of a table, endpoint discovery. None of these rules is repeated here:
botocore prepares a call without items, and `Routes` takes the request from it just before the signature.

Without a proxy, connections are the standard library's, kept alive: what urllib3 and botocore add costs twice
what the connection itself costs. Behind a proxy they are botocore's.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections import defaultdict, deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, cast
from urllib.parse import urlsplit

from botocore import xform_name
from botocore.awsrequest import AWSPreparedRequest, HeadersDict
from botocore.client import BaseClient
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    InvalidConfigError,
    ReadTimeoutError,
    SSLError,
)
from botocore.httpsession import URLLib3Session, create_urllib3_context, get_cert_path
from botocore.session import Session
from botocore.utils import get_environ_proxies
from urllib3.util import wait_for_read

# botocore searches these operations' RequestItems for table ARNs, and fails where the member is missing.
_BATCH_OPERATIONS = frozenset({"BatchWriteItem", "BatchGetItem"})


@dataclass(frozen=True)
class Route:
    """Destination of a call.

    Attributes
    ----------
    url
        Full URL, with the endpoint's path.
    signing_name, signing_region
        Scope of the signature.
    user_agent
        User agent of botocore's client.
    """

    url: str
    signing_name: str
    signing_region: str
    user_agent: str


class Routes:
    """Resolves routes with a botocore client. Safe to use from several threads.

    Parameters
    ----------
    client
        A client of DynamoDB or DynamoDB Streams without parameter validation. It must not be used for
        anything else: none of its calls is sent.
    table
        Name or ARN by which the calls name their table, where it may be an ARN: an account-based endpoint
        follows the ARN.
    """

    def __init__(self, client: BaseClient, table: str | None = None) -> None:
        self._client = client
        self._table = table
        self._known: dict[tuple[str, str | None], Route] = {}
        client.meta.events.register_last("before-sign", _stop)

    def of(self, operation: str, account_id: str | None) -> Route:
        """Return the route of ``operation`` (spelled as the API does, for example ``Scan``).

        Parameters
        ----------
        account_id
            Account of the credentials if it is known; an account-based endpoint depends on it.

        Raises
        ------
        botocore.exceptions.BotoCoreError
            The settings do not lead to an endpoint.
        """
        # Two threads may resolve the same route; they get equal ones.
        route = self._known.get((operation, account_id))
        if route is None:
            route = self._known[operation, account_id] = self._resolve(operation)
        return route

    def _resolve(self, operation: str) -> Route:
        request: dict[str, Any] = {}
        if operation in _BATCH_OPERATIONS:
            # A table's value is a structure in one operation and a list in the other.
            nothing: Any = {} if operation == "BatchGetItem" else []
            request = {"RequestItems": {self._table: nothing} if self._table else {}}
        elif self._table:
            request = {"TableName": self._table}
        try:
            getattr(self._client, xform_name(operation))(**request)
        except _Prepared as prepared:
            return prepared.route
        raise AssertionError(f"botocore did not sign {operation}")


class _Prepared(Exception):
    def __init__(self, route: Route) -> None:
        super().__init__(route)
        self.route = route


def _stop(request: Any, signing_name: str, region_name: str, **_: object) -> None:
    # The endpoint's rules may name another scope than the client's.
    scope = request.context.get("signing", {})
    user_agent = request.headers["User-Agent"]
    raise _Prepared(
        Route(
            request.url,
            scope.get("signing_name") or signing_name,
            scope.get("region") or region_name,
            user_agent.decode() if isinstance(user_agent, bytes) else user_agent,
        )
    )


@dataclass(frozen=True)
class Response:
    """A complete answer. Header names are in lower case."""

    status: int
    headers: dict[str, str]
    content: bytes


def connection_pool(session: Session, client: BaseClient) -> ConnectionPool:
    """Return connections with the settings that botocore uses for ``client``, which ``session`` has created.

    Raises
    ------
    botocore.exceptions.InvalidConfigError
        The path of the CA bundle is empty.
    """
    # botocore sets these members by name; its types do not know them.
    config: Any = client.meta.config
    # In botocore's order: AWS_CA_BUNDLE or the profile's ca_bundle, then REQUESTS_CA_BUNDLE.
    verify = session.get_config_variable("ca_bundle")
    if verify is None:
        verify = os.environ.get("REQUESTS_CA_BUNDLE", True)
    if isinstance(verify, str) and not verify.strip():
        raise InvalidConfigError(
            error_msg="the path of the CA bundle (ca_bundle, AWS_CA_BUNDLE or REQUESTS_CA_BUNDLE) is empty"
        )
    proxies = config.proxies
    if proxies is None:
        # Like botocore, apply NO_PROXY to the client's endpoint, not to an account-based one.
        proxies = get_environ_proxies(client.meta.endpoint_url)
    is_proxied = (proxies or {}).get(urlsplit(client.meta.endpoint_url).scheme)
    return ProxyPool(config, verify, proxies) if is_proxied else DirectPool(config, verify)


class DirectPool:
    """Connections without a proxy. A new one is opened when none is free, and kept."""

    def __init__(self, config: Any, verify: Any) -> None:
        self._config = config
        self._verify = verify
        self._free: defaultdict[tuple[str, str], deque[HTTPConnection]] = defaultdict(deque)

    def post(self, url: str, body: bytes, headers: dict[str, str]) -> Response:
        """Send ``body`` and return the answer. Raises botocore's errors if no complete answer comes."""
        parts = urlsplit(url)
        free = self._free[parts.scheme, parts.netloc]
        connection = _still_open(free) or self._open(url)
        try:
            connection.request("POST", parts.path or "/", body, headers)
            answer = connection.getresponse()
            content = answer.read()
        except TimeoutError as error:
            connection.close()
            raise ReadTimeoutError(endpoint_url=url, error=error) from error
        except (OSError, HTTPException) as error:
            connection.close()
            raise ConnectionClosedError(endpoint_url=url, error=error) from error
        except BaseException:
            connection.close()
            raise
        if not answer.will_close:
            free.append(connection)
        return Response(answer.status, {name.lower(): value for name, value in answer.getheaders()}, content)

    def _open(self, url: str) -> HTTPConnection:
        parts = urlsplit(url)
        assert parts.hostname is not None, f"{url} has no host"
        timeout = self._config.connect_timeout
        if parts.scheme == "https":
            try:
                context = self._context
            except OSError as error:
                raise SSLError(endpoint_url=url, error=OSError(self._unreadable(error))) from error
            connection: HTTPConnection = HTTPSConnection(
                parts.hostname, parts.port, timeout=timeout, context=context
            )
        else:
            connection = HTTPConnection(parts.hostname, parts.port, timeout=timeout)
        try:
            connection.connect()
        except TimeoutError as error:
            connection.close()
            raise ConnectTimeoutError(endpoint_url=url, error=error) from error
        except ssl.SSLError as error:
            connection.close()
            raise SSLError(endpoint_url=url, error=error) from error
        except OSError as error:
            connection.close()
            raise EndpointConnectionError(endpoint_url=url, error=error) from error
        connection.sock.settimeout(self._config.read_timeout)
        # http.client sets TCP_NODELAY itself; without it a body would wait for its headers' acknowledgement.
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return connection

    @cached_property
    def _context(self) -> ssl.SSLContext:
        context: ssl.SSLContext = create_urllib3_context()
        context.load_verify_locations(get_cert_path(self._verify))
        context.check_hostname = True
        context.verify_mode = ssl.CERT_REQUIRED
        match self._config.client_cert:
            case (certificate, key):
                context.load_cert_chain(certificate, key)
            case str(certificate):
                context.load_cert_chain(certificate)
        return context

    def _unreadable(self, error: OSError) -> str:
        paths = [str(get_cert_path(self._verify))]
        match self._config.client_cert:
            case (certificate, key):
                paths += [certificate, key]
            case str(certificate):
                paths.append(certificate)
        return f"{error} (certificates are read from {', '.join(paths)})"


def _still_open(free: deque[HTTPConnection]) -> HTTPConnection | None:
    with suppress(IndexError):
        while True:
            connection = free.pop()
            # Something to read before anything was asked: the other side has closed it.
            if connection.sock is not None and not wait_for_read(connection.sock, timeout=0):
                return connection
            connection.close()
    return None


class ProxyPool:
    """Connections through a proxy. They are botocore's, so that every proxy setting has the same effect."""

    def __init__(self, config: Any, verify: Any, proxies: Mapping[str, str]) -> None:
        timeout: Any = config.connect_timeout, config.read_timeout
        options: Any = [
            (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
            (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        ]
        self._session = URLLib3Session(
            verify=verify,
            proxies=proxies,
            timeout=timeout,
            max_pool_connections=config.max_pool_connections,
            socket_options=options,
            client_cert=config.client_cert,
            proxies_config=config.proxies_config,
        )

    def post(self, url: str, body: bytes, headers: dict[str, str]) -> Response:
        """Send ``body`` and return the answer. Raises botocore's errors if no complete answer comes."""
        request = AWSPreparedRequest("POST", url, cast(Any, HeadersDict(headers)), body, False)
        answer = self._session.send(request)
        received = {name.lower(): value for name, value in answer.headers.items()}
        length = received.get("content-length")
        # botocore accepts a body that is shorter than announced.
        if length is not None and int(length) != len(answer.content):
            raise ConnectionClosedError(
                endpoint_url=url, error=f"{len(answer.content)} of {length} bytes arrived"
            )
        return Response(answer.status_code, received, answer.content)


ConnectionPool = DirectPool | ProxyPool
"""Connections to any number of endpoints. Safe to use from several threads."""
