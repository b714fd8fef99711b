"""A proxy between the functions and the local accounts, on the loopback interface.

Each function has a port of its own and so is known by it. What passes through is HTTP/1.1 as it came, its
signature included. Bodies are looked at and never logged.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from tests.e2e.faults.call import Call
from tests.e2e.faults.exchange import Exchange
from tests.e2e.faults.rules import Rules
from tests.unit.tablecopy.validation import check

HOST = "127.0.0.1"


class Proxy:
    """Passes calls on, except where a rule says otherwise.

    Parameters
    ----------
    upstream
        URL of the accounts.
    journal
        Name of the journal's table, whose calls are named after its partitions.
    root
        Access key of the destination account's root.
    seed
        Of everything that is drawn.

    Attributes
    ----------
    calls
        How many calls there were, by function and step.
    listeners
        Told of each call before it is made.
    invalid
        What DynamoDB's model says against requests; the block fails at its end if there is any.
    """

    def __init__(self, upstream: str, journal: str, root: str, seed: int) -> None:
        self.rules = Rules(seed)
        self.calls: Counter[tuple[str, str]] = Counter()
        self.listeners: list[Callable[[Call], None]] = []
        self.invalid: list[str] = []
        self.journal = journal
        self._root = root
        place = urlsplit(upstream)
        self._upstream = (place.hostname or HOST, place.port or 80)
        self._servers: dict[str, ThreadingHTTPServer] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for server in self._servers.values():
            server.shutdown()
            server.server_close()
        if error is None:
            assert not self.invalid, f"DynamoDB would refuse requests that were sent: {self.invalid}"

    def endpoint_url(self, function: str) -> str:
        """Where this function is to send its calls."""
        with self._lock:
            if function not in self._servers:
                self._servers[function] = self._serve(function)
            return f"http://{HOST}:{self._servers[function].server_address[1]}"

    def handle(self, function: str, handler: BaseHTTPRequestHandler) -> None:
        """Deal with one request that ``handler`` has read the head of."""
        length = int(handler.headers.get("Content-Length") or 0)
        body = handler.rfile.read(length)
        if len(body) < length:
            # Whoever sent it was killed in the middle of it: no server acts on half a request.
            handler.close_connection = True
            return
        headers = dict(handler.headers.items())
        call = Call.parse(function, self.journal, handler.command, handler.path, headers, body)
        # Streams share the name under which requests are signed.
        if headers.get("X-Amz-Target", "").startswith("DynamoDB_"):
            try:
                check(call.operation, body)
            except Exception as invalid:
                self.invalid.append(f"{function}: {invalid}")
        with self._lock:
            self.calls[function, call.step] += 1
            for listener in self.listeners:
                listener(call)
        exchange = Exchange(handler, call, body, self._upstream, self._root)
        self.rules.spoil(exchange)
        exchange.finish()

    def _serve(self, function: str) -> ThreadingHTTPServer:
        server = _Server((HOST, 0), _handler(self, function))
        threading.Thread(
            target=server.serve_forever, args=(0.05,), name=f"proxy {function}", daemon=True
        ).start()
        return server


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that was killed leaves its connection broken; that is not worth a traceback."""


def _handler(proxy: Proxy, function: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _any(self) -> None:
            proxy.handle(function, self)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = _any  # noqa: N815

        def log_message(self, format: str, *arguments: Any) -> None:
            """Nothing of a request is logged."""

    return Handler
