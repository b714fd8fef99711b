"""A server on this machine behind which moto answers, so that the product's own transport reaches it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import botocore.session
from botocore.awsrequest import AWSPreparedRequest, HeadersDict
from botocore.config import Config

from tests.unit.tablecopy.validation import check

_SCOPE = re.compile(r"Credential=[^/]+/\d+/([^/]+)/dynamodb/")


class _Handler(BaseHTTPRequestHandler):
    server: Front
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        operation = self.headers["X-Amz-Target"].rpartition(".")[2]
        try:
            check(operation, body)
        except Exception as invalid:
            self._answer(400, b"", {"x-invalid": str(invalid).replace("\n", " ")})
            self.server.invalid.append(str(invalid))
            return
        answer = self.server.moto(operation, dict(self.headers), body)
        self._answer(answer.status_code, answer.content, {})

    def _answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the tests' output clean."""


class Front(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.invalid: list[str] = []
        # moto answers the event in which botocore asks whether someone else wants to send a request.
        self._events = (
            botocore.session.Session()
            .create_client(
                "dynamodb",
                region_name="eu-west-1",
                aws_access_key_id="testing",
                aws_secret_access_key="testing",
                config=Config(),
            )
            .meta.events
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def moto(self, operation: str, headers: dict[str, str], body: bytes) -> Any:
        scope = _SCOPE.search(headers["Authorization"])
        assert scope is not None
        url = f"https://dynamodb.{scope[1]}.amazonaws.com/"
        request = AWSPreparedRequest("POST", url, HeadersDict(headers), body, False)
        _, answer = self._events.emit_until_response(f"before-send.dynamodb.{operation}", request=request)
        assert answer is not None, "a call was sent to AWS outside of mock_aws()"
        return answer


@contextmanager
def front() -> Iterator[Front]:
    """Start the server; every request it gets is checked against botocore's model."""
    server = Front()
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
