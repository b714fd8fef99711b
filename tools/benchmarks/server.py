"""A loopback server for DynamoDB and STS: HTTP/1.1 with kept connections, on 127.0.0.1, in its own process.

    python -m tools.benchmarks.server '{"shape": "medium", "items": 100000, "seed": 1}'

prints its port and serves until its standard input ends.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

from tools.benchmarks.items import LETTER, Pages
from tools.benchmarks.meter import SERVER_CORES, pin
from tools.benchmarks.service import Service

STATS = "/stats"

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_TARGET = re.compile(rb"\r\nx-amz-target: *DynamoDB_20120810\.(\w+)", re.IGNORECASE)
_END = b"\r\n\r\n"

# A whole page fits into the socket's buffer: it leaves in one go.
_SEND_BUFFER = 4 * 1024 * 1024

_OTHER_LETTER = "x"


@dataclass(frozen=True)
class ServerOptions:
    """What a server serves: a table of ``items`` of ``shape``, answering ``delay_ms`` after each call.

    Attributes
    ----------
    watched
        See Service.
    copy
        The second table to compare with the first: ``"same"``, the same pages; ``"respelled"``, equal items
        whose attributes are in another order; ``"mirrored"``, these from the last to the first (see Pages);
        ``"disjoint"``, and with other keys; or None.
    """

    shape: str
    items: int
    seed: int
    delay_ms: float = 0
    watched: int = -1
    copy: Literal["same", "respelled", "mirrored", "disjoint"] | None = None

    def service(self) -> Service:
        """What answers the requests."""
        copy = None
        if self.copy is not None:
            copy = Pages(
                self.shape,
                self.items,
                self.seed,
                mirrored=self.copy in {"mirrored", "disjoint"},
                respelled=self.copy != "same",
                letter=_OTHER_LETTER if self.copy == "disjoint" else LETTER,
            )
        return Service(Pages(self.shape, self.items, self.seed), self.shape, self.watched, copy)


class Connection(asyncio.Protocol):
    """One connection: requests one after another.

    ``later`` is the event loop's call_later: it holds an answer back for ``delay`` seconds while the other
    connections continue.
    """

    def __init__(self, service: Service, delay: float, later: Callable[..., object]) -> None:
        self._service = service
        self._delay = delay
        self._later = later
        self._buffer = bytearray()
        self._needed = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        sock: socket.socket = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) < self._needed:
            return
        end = self._buffer.find(_END)
        if end < 0:
            return
        head = bytes(self._buffer[:end])
        length = _LENGTH.search(head)
        self._needed = end + len(_END) + (int(length.group(1)) if length else 0)
        if len(self._buffer) < self._needed:
            return
        body = bytes(self._buffer[end + len(_END) : self._needed])
        del self._buffer[: self._needed]
        self._needed = 0
        self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(f"GET {STATS}".encode()):
            self._send(200, json.dumps({**self._service.stats(), "cpu_s": time.process_time()}).encode())
            return
        target = _TARGET.search(head)
        status, answer = self._service.answer(target.group(1).decode() if target else "", body)
        if self._delay:
            self._later(self._delay, self._send, status, answer)
        else:
            self._send(status, answer)

    def _send(self, status: int, body: bytes) -> None:
        head = b"HTTP/1.1 %d -\r\nContent-Type: application/x-amz-json-1.0\r\n" % status
        head += b"x-amzn-RequestId: bench\r\nContent-Length: %d\r\n\r\n" % len(body)
        self._transport.write(head + body)


async def serve(options: ServerOptions) -> asyncio.Server:
    """A listening server on any free port of 127.0.0.1."""
    service = options.service()
    loop = asyncio.get_running_loop()
    return await loop.create_server(
        lambda: Connection(service, options.delay_ms / 1000, loop.call_later), "127.0.0.1", 0, backlog=256
    )


async def _main(options: ServerOptions) -> None:
    server = await serve(options)
    print(server.sockets[0].getsockname()[1], flush=True)
    # Standard input ends when the process that started this one ends.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()


class ServerFailed(Exception):
    """The loopback server did not start."""


@dataclass(frozen=True)
class Loopback:
    """A running server."""

    url: str

    def stats(self) -> dict[str, Any]:
        """Return `Service.stats` and ``cpu_s``, the CPU seconds of the server so far."""
        with urllib.request.urlopen(self.url + STATS) as answer:
            stats: dict[str, Any] = json.load(answer)
        return stats


@contextmanager
def loopback(options: ServerOptions) -> Iterator[Loopback]:
    """Run a server while the body runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tools.benchmarks.server", json.dumps(asdict(options))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=pin(SERVER_CORES),
    )
    try:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        if not port:
            raise ServerFailed("the loopback server did not start; its error is above")
        yield Loopback(f"http://127.0.0.1:{port}")
    finally:
        process.communicate()


if __name__ == "__main__":
    asyncio.run(_main(ServerOptions(**json.loads(sys.argv[1]))))
