"""Several calls at once, and none of them is left behind."""

from __future__ import annotations

import threading
from contextlib import suppress

import pytest
from botocore.exceptions import ClientError

from tablecopy.clock import Machine
from tablecopy.data.writer import BatchWriter, Rejected, WriterPool
from tablecopy.dynamodb.client import encode
from tablecopy.dynamodb.requests import key_token, put
from tablecopy.metrics.log import MetricsBuffer
from tablecopy.throughput.limits import write_usage
from tablecopy.throughput.rate import Unlimited
from tests.unit.tablecopy.fakes import (
    NOON,
    FakeClock,
    FakeDestination,
    GatheringDestination,
    client_error,
    refuse,
)


def requests(count: int) -> list[bytes]:
    return [put(encode({"pk": {"S": str(index)}})) for index in range(count)]


def token(index: int) -> str:
    return key_token({"pk": {"S": str(index)}})


def writer_to(destination: FakeDestination, clock: FakeClock, deadline: float) -> BatchWriter:
    usage = write_usage(MetricsBuffer(clock, "move"), "copy")
    return BatchWriter(destination, "copy", ["pk"], Unlimited(clock), usage, clock, deadline)


def deliver(
    destination: FakeDestination, count: int, writers: int, deadline: float = NOON + 60
) -> tuple[list[tuple[bytes, ...]], list[Rejected]]:
    """What was not written, and what was put aside."""
    clock = FakeClock()
    writer = writer_to(destination, clock, deadline)
    aside: list[Rejected] = []
    with WriterPool(writer, aside.append, clock, writers) as pool:
        return [part.result() for part in pool.submit(requests(count))], aside


def test_as_many_calls_are_under_way_as_there_are_writers() -> None:
    destination = GatheringDestination(16)
    assert deliver(destination, 16 * 25, 16) == ([()] * 16, [])
    assert len(destination.items) == 16 * 25


@pytest.mark.parametrize("writers", [1, 16])
def test_what_is_refused_is_put_aside_and_counts_as_written(writers: int) -> None:
    destination = FakeDestination()
    destination.refuses = {token(3), token(77)}
    unwritten, aside = deliver(destination, 100, writers)
    assert unwritten == [()] * min(writers, 4)
    assert {request for each in aside for request in each.requests} == {
        requests(100)[3],
        requests(100)[77],
    }
    assert len(destination.items) == 98


def test_what_cannot_be_put_aside_is_an_error() -> None:
    destination = FakeDestination()
    destination.refuses = {token(0)}
    clock = FakeClock()
    writer = writer_to(destination, clock, NOON + 60)

    def fail(refused: Rejected) -> None:
        raise client_error("ThrottlingException")

    with WriterPool(writer, fail, Machine(), 2) as pool, pytest.raises(ClientError):
        pool.submit(requests(1))[0].result()


def test_what_time_did_not_allow_is_named() -> None:
    destination = FakeDestination(faults=[refuse("ThrottlingException")] * 10_000)
    unwritten, _ = deliver(destination, 60, 4)
    assert sorted(request for part in unwritten for request in part) == sorted(requests(60))


def test_an_error_ends_the_attempts_of_what_is_under_way() -> None:
    class Left(Exception): ...

    class Ended(BatchWriter):
        def end_by(self, moment: float) -> None:
            super().end_by(moment)
            go_on.set()

    class Throttled(FakeDestination):
        def send(self, operation: str, body: bytes, credentials: object = None) -> bytes:
            begun.set()
            go_on.wait(2)
            return super().send(operation, body, credentials)

    begun, go_on = threading.Event(), threading.Event()
    destination, clock = Throttled(faults=[refuse("ThrottlingException")] * 3), FakeClock()
    usage = write_usage(MetricsBuffer(clock, "move"), "copy")
    writer = Ended(destination, "copy", ["pk"], Unlimited(clock), usage, clock, NOON + 1e6)
    with suppress(Left), WriterPool(writer, lambda refused: None, clock, 1) as pool:
        pool.submit(requests(1))
        assert begun.wait(20)
        raise Left
    assert len(destination.calls) == 1


def test_leaving_waits_for_what_is_under_way_and_starts_nothing_more() -> None:
    class Left(Exception): ...

    begun, go_on = threading.Event(), threading.Event()

    class Slow(FakeDestination):
        def send(self, operation: str, body: bytes, credentials: object = None) -> bytes:
            begun.set()
            assert go_on.wait(20)
            return super().send(operation, body, credentials)

    destination = Slow()
    clock = FakeClock()
    writer = writer_to(destination, clock, NOON + 60)
    before = set(threading.enumerate())
    with suppress(Left), WriterPool(writer, lambda refused: None, Machine(), 1) as pool:
        [under_way] = pool.submit(requests(100))
        [behind] = pool.submit(requests(200)[100:])
        # The call under way ends when what is behind it has been called off.
        behind.add_done_callback(lambda part: go_on.set())
        assert begun.wait(20)
        raise Left
    assert not under_way.cancelled()
    assert behind.cancelled()
    # Of its four batches one.
    assert len(destination.calls) == 1
    assert set(threading.enumerate()) <= before
