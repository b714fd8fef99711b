"""A call on its way through the proxy, and what can be done to it."""

from __future__ import annotations

import http.client
import json
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.e2e.faults.call import Call
from tests.e2e.faults.processes import process_of

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}
_TIMEOUT_SECONDS = 120


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, read to its end."""

    status: int
    body: bytes
    headers: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def error(cls, status: int, code: str, message: str) -> Answer:
        """An error as the JSON protocols of AWS spell it."""
        document = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}
        return cls.of(document, status, [("x-amzn-ErrorType", code)])

    @classmethod
    def of(
        cls, document: Mapping[str, Any], status: int = 200, headers: list[tuple[str, str]] | None = None
    ) -> Answer:
        """A JSON document."""
        kind = ("Content-Type", "application/x-amz-json-1.0")
        return cls(status, json.dumps(document).encode(), [kind, *(headers or [])])


class Exchange:
    """One call. Whatever a fault leaves undone, `finish` does as if nothing had happened.

    Parameters
    ----------
    handler
        Holds the connection to the caller and the request's head.
    upstream
        Host and port of the accounts.
    root
        Access key of the account that owns the destination, for requests the proxy makes itself.
    """

    def __init__(
        self, handler: BaseHTTPRequestHandler, call: Call, body: bytes, upstream: tuple[str, int], root: str
    ) -> None:
        self.call = call
        self._handler = handler
        self._body = body
        self._upstream = upstream
        self._root = root
        self._passed_on: Answer | None = None
        self._over = False

    @property
    def caller(self) -> int:
        """Process id of the caller, found through its end of the connection."""
        return process_of(self._handler.client_address[1], self._handler.connection.getsockname()[1])

    def pass_on(self) -> Answer:
        """Have the call take effect, once; the answer is the fault's to hand over or to lose."""
        if self._passed_on is None:
            headers = [(name, value) for name, value in self._handler.headers.items()]
            self._passed_on = self._request(self._handler.command, self._handler.path, headers, self._body)
        return self._passed_on

    def pass_on_instead(self, body: Mapping[str, Any]) -> Answer:
        """Make another DynamoDB request in place of this one, signed as the destination account's root.

        The caller's own signature covers its own body.
        """
        host, port = self._upstream
        request = AWSRequest("POST", f"http://{host}:{port}/", data=json.dumps(body).encode())
        request.headers["X-Amz-Target"] = self._handler.headers["X-Amz-Target"]
        request.headers["Content-Type"] = "application/x-amz-json-1.0"
        region = self._handler.headers["Authorization"].split("/")[2]
        SigV4Auth(Credentials(self._root, "local"), "dynamodb", region).add_auth(request)
        prepared = request.prepare()
        headers = [
            *prepared.headers.items(),
            ("Host", f"{host}:{port}"),
            ("Content-Length", str(len(request.data))),
        ]
        self._passed_on = self._request("POST", "/", headers, request.data)
        return self._passed_on

    def answer(self, answer: Answer, *, of_length: int | None = None) -> None:
        """Answer the caller; ``of_length`` promises more bytes than come."""
        self._over = True
        head = [f"HTTP/1.1 {answer.status} {http.client.responses.get(answer.status, '')}"]
        head += [f"{name}: {value}" for name, value in answer.headers if name.lower() not in _HOP_BY_HOP]
        head.append(f"Content-Length: {len(answer.body) if of_length is None else of_length}")
        try:
            self._handler.wfile.write("\r\n".join([*head, "", ""]).encode("latin-1") + answer.body)
            self._handler.wfile.flush()
        except OSError:
            # The caller is gone: killed, or tired of waiting.
            self._handler.close_connection = True

    def cut(self, *, reset: bool = False) -> None:
        """Close the connection without a word, or with a reset."""
        self._over = True
        self._handler.close_connection = True
        connection = self._handler.connection
        try:
            if reset:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.close()
            else:
                connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def finish(self) -> None:
        """Pass the call on and hand its answer over, unless a fault has answered or cut it."""
        if not self._over:
            self.answer(self.pass_on())

    def _request(self, method: str, path: str, headers: list[tuple[str, str]], body: bytes) -> Answer:
        # A connection of its own: one that had gone stale could not be told from a call that failed.
        connection = http.client.HTTPConnection(*self._upstream, timeout=_TIMEOUT_SECONDS)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers:
                if name.lower() != "connection":
                    connection.putheader(name, value)
            connection.putheader("Connection", "close")
            connection.endheaders(body)
            response = connection.getresponse()
            return Answer(response.status, response.read(), response.getheaders())
        finally:
            connection.close()
