"""A server on this machine that answers what the test says."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

import pytest
from botocore.session import Session

from tablecopy.dynamodb.client import DynamoDBClient


class Loopback(ThreadingHTTPServer):
    """Answers every request with the same bytes, and keeps what came: bodies, and headers.

    Instead, it answers with what came (``echo``), or not at all as long as it is ``silent``.
    """

    daemon_threads = True

    def __init__(self, status: int, body: bytes, length: int, headers: Mapping[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = status, body, length, dict(headers)
        self.requests: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.echo = False
        self.silent = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    server: Loopback
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append(request)
        self.server.headers.append(dict(self.headers))
        status, body, length, headers = self.server.answer
        if self.server.silent.is_set():
            return
        if self.server.echo:
            body, length = request, len(request)
        self.close_connection = length != len(body)
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the tests' output clean."""


class Answering:
    """Makes clients of servers with one answer each; they end with it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self._servers: list[Loopback] = []

    def __call__(
        self,
        status: int,
        body: bytes,
        length: int | None = None,
        headers: Mapping[str, str] | None = None,
        session: Session | None = None,
    ) -> tuple[DynamoDBClient, Loopback]:
        server = Loopback(status, body, len(body) if length is None else length, headers or {})
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        self._servers.append(server)
        self._monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{server.server_port}")
        return DynamoDBClient(session or Session(), "eu-west-1", attempts=1), server

    def __enter__(self) -> Answering:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()
