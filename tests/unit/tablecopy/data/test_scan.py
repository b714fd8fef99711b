"""A page is read until it is whole, within the capacity and the time there is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError, ResponseStreamingError

from tablecopy.clock import OutOfTime
from tablecopy.data.scan import Scan
from tablecopy.metrics.log import MetricsBuffer
from tablecopy.throughput.limits import read_usage
from tablecopy.throughput.rate import AdaptiveRate, RateLimit, Unlimited
from tests.unit.tablecopy.fakes import NOON, FakeClock, FakeSource, client_error

UNTIL = NOON + 60
ITEMS = [{"pk": {"S": str(index)}} for index in range(10)]
PAGE = [b'{"pk":{"S":"%d"}}' % index for index in range(3)]


class Recording(RateLimit):
    """Lets every call through, and keeps what it is told."""

    def __init__(self) -> None:
        self.settled: list[float] = []
        self.throttles = 0

    def acquire(self, until: float, sleep: object = None, size: float = 1.0) -> float:
        return 7.0

    def settle(self, taken: float, consumed: float, size: float = 1.0) -> None:
        assert taken == 7.0
        self.settled.append(consumed)

    def throttled(self) -> None:
        self.throttles += 1


def scan(source: FakeSource, clock: FakeClock, capacity: RateLimit | None = None) -> Scan:
    return Scan(
        source,
        "source",
        0,
        1,
        capacity or Unlimited(clock),
        read_usage(MetricsBuffer(clock, "move"), "source"),
        clock,
        UNTIL,
    )


def test_pages_follow_each_other(clock: FakeClock) -> None:
    source = FakeSource(ITEMS)
    its = scan(source, clock)
    first = its.read(None, 100)
    assert first.items == PAGE
    second = its.read(first.last_key, 2)
    assert len(second.items) == 2
    assert source.scans[1] == {
        "TableName": "source",
        "ConsistentRead": True,
        "Segment": 0,
        "TotalSegments": 1,
        "ReturnConsumedCapacity": "TOTAL",
        "Limit": 2,
        "ExclusiveStartKey": {"pk": {"S": "2"}},
    }


def test_what_it_consumed_is_charged(clock: FakeClock) -> None:
    capacity = Recording()
    scan(FakeSource(ITEMS), clock, capacity).read(None, 100)
    assert capacity.settled == [3.0]


@pytest.mark.parametrize("code", ["ThrottlingException", "ProvisionedThroughputExceededException"])
def test_a_throttle_is_told_and_waited_out(clock: FakeClock, code: str) -> None:
    capacity = Recording()
    source = FakeSource(ITEMS)
    source.faults = [client_error(code, operation="Scan")] * 3
    assert scan(source, clock, capacity).read(None, 100).items == PAGE
    assert capacity.throttles == 3
    assert capacity.settled == [0.0, 0.0, 0.0, 3.0]
    assert len(clock.slept) == 3


def test_a_throttle_lowers_the_rate(clock: FakeClock) -> None:
    capacity = AdaptiveRate(clock, 1.0)
    before = capacity.rate
    source = FakeSource(ITEMS)
    source.faults = [client_error("ThrottlingException", operation="Scan")]
    scan(source, clock, capacity).read(None, 100)
    assert capacity.rate <= 0.7 * before


def cut(body: bytes) -> bytes:
    return body[:-10]


@pytest.mark.parametrize(
    "fault",
    [
        client_error("InternalServerError", 500),
        client_error("503", 503),
        ReadTimeoutError(endpoint_url="https://dynamodb"),
        ConnectionClosedError(endpoint_url="https://dynamodb"),
        ResponseStreamingError(error="CRC-32"),
        cut,
        lambda body: b"",
        lambda body: body.replace(b'"Count":2', b'"Count":1'),
        lambda body: body.replace(
            b'"LastEvaluatedKey":{"pk":{"S":"6"}}', b'"LastEvaluatedKey":{"pk":{"S":"4"}}'
        ),
    ],
    ids=["500", "503", "timeout", "closed", "crc", "cut", "empty", "count", "ends where it began"],
)
def test_a_page_that_did_not_come_whole_is_read_again(
    clock: FakeClock, fault: Exception | Callable[[bytes], bytes]
) -> None:
    capacity = Recording()
    source = FakeSource(ITEMS)
    source.faults = [fault, fault]
    assert scan(source, clock, capacity).read({"pk": {"S": "4"}}, 2).last_key == {"pk": {"S": "6"}}
    assert source.scans == [source.scans[0]] * 3
    assert capacity.throttles == 0
    # A server error is known to have cost nothing; what else it cost, nobody says.
    cost = 0.0 if isinstance(fault, ClientError) else 7.0
    assert capacity.settled == [cost, cost, 2.0]


def test_denial_is_for_the_caller(clock: FakeClock) -> None:
    source = FakeSource(ITEMS)
    source.faults = [client_error("AccessDeniedException", operation="Scan")]
    with pytest.raises(ClientError, match="AccessDenied"):
        scan(source, clock).read(None, 100)
    assert len(source.scans) == 1


def test_time_ends_it(clock: FakeClock) -> None:
    source = FakeSource(ITEMS)
    source.faults = [client_error("ThrottlingException", operation="Scan")] * 10_000
    with pytest.raises(OutOfTime):
        scan(source, clock).read(None, 100)
    assert clock.now() == UNTIL


def test_nothing_is_read_after_an_end_that_was_brought_forward(clock: FakeClock) -> None:
    source = FakeSource(ITEMS)
    source.faults = [client_error("ThrottlingException", operation="Scan")] * 10_000
    its = scan(source, clock)
    source.on_scan = lambda: its.end_by(NOON)
    with pytest.raises(OutOfTime):
        its.read(None, 100)
    assert len(source.scans) == 1
    its.end_by(NOON + 1000)
    with pytest.raises(OutOfTime):
        its.read(None, 100)
