"""HTTP connections that go the way botocore's own client would go.

Without a proxy they are the standard library's, kept alive: what urllib3 and botocore put around it costs
twice what it costs itself. Behind a proxy they are botocore's.
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
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

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


@dataclass(frozen=True)
class Response:
    """A complete answer. Header names are in lower case."""

    status: int
    headers: dict[str, str]
    content: bytes


@dataclass(frozen=True)
class Settings:
    """What decides how an endpoint is reached.

    Attributes
    ----------
    connect_timeout, read_timeout
        Seconds to wait for a connection, and for each part of an answer.
    verify
        Path of a bundle of certificates, or True for botocore's.
    client_cert
        Path of the client's certificate, or paths of its certificate and its key.
    proxies
        Proxy URL by scheme of the endpoint (``http``, ``https``).
    proxies_config
        botocore's ``proxies_config``: certificates for the proxy itself.
    connections
        Connections that are kept to a proxy.
    """

    connect_timeout: float
    read_timeout: float
    verify: Any = True
    client_cert: str | tuple[str, str] | None = None
    proxies: Mapping[str, str] | None = None
    proxies_config: Mapping[str, object] | None = None
    connections: int = 10


class Connections(Protocol):
    """Connections to any number of endpoints. Safe to use from several threads."""

    def post(self, url: str, body: bytes, headers: dict[str, str]) -> Response:
        """Send ``body`` and return the answer.

        Raises
        ------
        botocore.exceptions.HTTPClientError, botocore.exceptions.ConnectionError
            No complete answer came.
        """
        ...


def settings_of(session: Session, client: BaseClient) -> Settings:
    """Read the settings that botocore itself has used for ``client``, which ``session`` has created.

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
        # Like botocore, judge NO_PROXY by the client's endpoint, not by an account-based one.
        proxies = get_environ_proxies(client.meta.endpoint_url)
    return Settings(
        connect_timeout=config.connect_timeout,
        read_timeout=config.read_timeout,
        verify=verify,
        client_cert=config.client_cert,
        proxies=proxies,
        proxies_config=config.proxies_config,
        connections=config.max_pool_connections,
    )


def connections(settings: Settings, scheme: str) -> Connections:
    """Return connections for endpoints of ``scheme`` (``http`` or ``https``)."""
    return Proxied(settings) if (settings.proxies or {}).get(scheme) else Direct(settings)


class Direct:
    """Connections without a proxy. One is opened when none is free, and kept."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._free: defaultdict[tuple[str, str], deque[HTTPConnection]] = defaultdict(deque)

    def post(self, url: str, body: bytes, headers: dict[str, str]) -> Response:
        """Send ``body`` and return the answer; see `Connections`."""
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
        timeout = self._settings.connect_timeout
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
        connection.sock.settimeout(self._settings.read_timeout)
        # http.client sets TCP_NODELAY itself; without it a body would wait for its headers' acknowledgement.
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return connection

    @cached_property
    def _context(self) -> ssl.SSLContext:
        context: ssl.SSLContext = create_urllib3_context()
        context.load_verify_locations(get_cert_path(self._settings.verify))
        context.check_hostname = True
        context.verify_mode = ssl.CERT_REQUIRED
        match self._settings.client_cert:
            case (certificate, key):
                context.load_cert_chain(certificate, key)
            case str(certificate):
                context.load_cert_chain(certificate)
        return context

    def _unreadable(self, error: OSError) -> str:
        paths = [str(get_cert_path(self._settings.verify))]
        match self._settings.client_cert:
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


class Proxied:
    """Connections through a proxy: botocore's, so that every setting of it means the same."""

    def __init__(self, settings: Settings) -> None:
        timeout: Any = settings.connect_timeout, settings.read_timeout
        options: Any = [
            (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
            (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        ]
        self._session = URLLib3Session(
            verify=settings.verify,
            proxies=settings.proxies,
            timeout=timeout,
            max_pool_connections=settings.connections,
            socket_options=options,
            client_cert=settings.client_cert,
            proxies_config=settings.proxies_config,
        )

    def post(self, url: str, body: bytes, headers: dict[str, str]) -> Response:
        """Send ``body`` and return the answer; see `Connections`."""
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
