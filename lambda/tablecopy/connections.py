"""Kept-alive HTTP connections to one endpoint.

The standard library's, since what urllib3 and botocore put around it costs twice what it costs itself.
"""

from __future__ import annotations

import socket
import ssl
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)
from botocore.httpsession import create_urllib3_context, get_cert_path
from urllib3.util import wait_for_read


@dataclass(frozen=True)
class Response:
    """An answer, read to its end. Names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    content: bytes


class Connections:
    """Connections that are opened when none is free, and kept. Safe to use from several threads.

    Parameters
    ----------
    url
        The endpoint; http or https.
    connect_timeout, read_timeout
        Seconds to wait for a connection, and for each part of an answer.
    verify
        Path of a bundle of certificates, or True for botocore's.
    """

    def __init__(
        self, url: str, connect_timeout: float, read_timeout: float, verify: str | bool = True
    ) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None, f"{url} has no host"
        self._url = url
        self._host = parts.hostname
        self._port = parts.port
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._context = _context(verify) if parts.scheme == "https" else None
        self._free: deque[HTTPConnection] = deque()

    def post(self, body: bytes, headers: dict[str, str]) -> Response:
        """Send ``body`` and return the answer.

        Raises
        ------
        botocore.exceptions.HTTPClientError, botocore.exceptions.ConnectionError
            No whole answer came.
        """
        connection = self._take()
        try:
            connection.request("POST", "/", body, headers)
            answer = connection.getresponse()
            content = answer.read()
        except TimeoutError as error:
            connection.close()
            raise ReadTimeoutError(endpoint_url=self._url, error=error) from error
        except (OSError, HTTPException) as error:
            connection.close()
            raise ConnectionClosedError(endpoint_url=self._url, error=error) from error
        except BaseException:
            connection.close()
            raise
        if not answer.will_close:
            self._free.append(connection)
        return Response(answer.status, {name.lower(): value for name, value in answer.getheaders()}, content)

    def _take(self) -> HTTPConnection:
        with suppress(IndexError):
            while True:
                connection = self._free.pop()
                # Something to read before anything was asked: the other side has closed it.
                if connection.sock is not None and not wait_for_read(connection.sock, timeout=0):
                    return connection
                connection.close()
        return self._open()

    def _open(self) -> HTTPConnection:
        if self._context is None:
            connection = HTTPConnection(self._host, self._port, timeout=self._connect_timeout)
        else:
            connection = HTTPSConnection(
                self._host, self._port, timeout=self._connect_timeout, context=self._context
            )
        try:
            connection.connect()
        except TimeoutError as error:
            connection.close()
            raise ConnectTimeoutError(endpoint_url=self._url, error=error) from error
        except OSError as error:
            connection.close()
            raise EndpointConnectionError(endpoint_url=self._url, error=error) from error
        connection.sock.settimeout(self._read_timeout)
        # http.client sets TCP_NODELAY itself; without it a body would wait for its headers' acknowledgement.
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return connection


def _context(verify: str | bool) -> ssl.SSLContext:
    context: ssl.SSLContext = create_urllib3_context()
    context.load_verify_locations(verify if isinstance(verify, str) else get_cert_path(verify))
    context.check_hostname = True
    context.verify_mode = ssl.CERT_REQUIRED
    return context
