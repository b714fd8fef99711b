"""The loopback server's connections, with a transport and a clock moved by hand."""

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tools.benchmarks.items import Pages
from tools.benchmarks.server import Connection
from tools.benchmarks.service import SOURCE, Service


class Socket:
    def setsockopt(self, *_: object) -> None:
        pass


class Transport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__({"socket": Socket()})
        self.written = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data


class Later:
    """Holds what is to happen later until it is told to go on."""

    def __init__(self) -> None:
        self.held: list[tuple[float, Callable[..., object], tuple[Any, ...]]] = []

    def __call__(self, delay: float, what: Callable[..., object], *arguments: Any) -> None:
        self.held.append((delay, what, arguments))

    def go_on(self) -> None:
        for _, what, arguments in self.held:
            what(*arguments)


@pytest.fixture
def service() -> Service:
    return Service(Pages("medium", 100, seed=7), "medium")


@pytest.fixture
def later() -> Later:
    return Later()


def connect(service: Service, delay: float, later: Later) -> tuple[Connection, Transport]:
    connection, transport = Connection(service, delay, later), Transport()
    connection.connection_made(transport)
    return connection, transport


def scan(limit: int) -> bytes:
    body = json.dumps({"TableName": SOURCE, "Limit": limit}).encode()
    return (
        b"POST / HTTP/1.1\r\nHost: here\r\nX-Amz-Target: DynamoDB_20120810.Scan\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body) + body
    )


def answers(transport: Transport) -> list[dict[str, Any]]:
    found, rest = [], transport.written
    while rest:
        head, rest = rest.split(b"\r\n\r\n", 1)
        length = re.search(rb"Content-Length: (\d+)", head)
        assert length is not None
        assert head.startswith(b"HTTP/1.1 200")
        found.append(json.loads(rest[: int(length.group(1))]))
        rest = rest[int(length.group(1)) :]
    return found


def test_requests_may_come_in_any_pieces(service: Service, later: Later) -> None:
    connection, transport = connect(service, 0, later)
    for byte in scan(3) + scan(4):
        connection.data_received(bytes([byte]))
    assert [answer["Count"] for answer in answers(transport)] == [3, 4]


def test_calls_in_parallel_are_delayed_in_parallel(service: Service, later: Later) -> None:
    connected = [connect(service, 0.005, later) for _ in range(3)]
    for connection, _ in connected:
        connection.data_received(scan(2))
    assert [delay for delay, _, _ in later.held] == [0.005] * 3
    assert not any(transport.written for _, transport in connected)
    later.go_on()
    assert [answers(transport)[0]["Count"] for _, transport in connected] == [2, 2, 2]


def test_what_was_seen_is_told_without_delay(service: Service, later: Later) -> None:
    connection, transport = connect(service, 0.005, later)
    connection.data_received(scan(2))
    connection.data_received(b"GET /stats HTTP/1.1\r\nHost: here\r\n\r\n")
    (stats,) = answers(transport)
    assert stats["served"] == {"items": 2, "sum": 1}
    assert stats["calls"] == {"Scan": 1}
    assert stats["cpu_s"] > 0
