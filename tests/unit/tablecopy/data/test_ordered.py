"""Writes go out in order, and those that come later wait for an earlier one that is not accepted."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from tablecopy.data.ordered import OrderedPool
from tablecopy.data.writer import BatchWriter, Rejected
from tablecopy.dynamodb.client import Json, encode
from tablecopy.dynamodb.requests import key_token, put
from tablecopy.metrics.log import MetricsBuffer
from tablecopy.throughput.acceptance import Acceptance
from tablecopy.throughput.limits import write_usage
from tablecopy.throughput.rate import Unlimited
from tests.unit.tablecopy.fakes import (
    NOON,
    Answer,
    FakeClock,
    FakeDestination,
    Fault,
    GatheringDestination,
    client_error,
    leave,
    lose_answer,
    refuse,
)
from tests.unit.tablecopy.throttling import Bucket, ThrottledTable, virtual_time
from tools.simulation.scheduler import START


def requests(count: int, size: int = 0) -> list[bytes]:
    return [put(encode({"pk": {"S": str(index)}, "v": {"S": "x" * size}})) for index in range(count)]


def token(index: int) -> str:
    return key_token({"pk": {"S": str(index)}})


def places(call: Sequence[Json]) -> list[int]:
    return [int(request["PutRequest"]["Item"]["pk"]["S"]) for request in call]


class Scene:
    """Writes to a destination in memory, of which is known that it accepts ``known`` KB."""

    def __init__(self, destination: FakeDestination, known: float = 1e6, deadline: float = NOON + 60) -> None:
        self.clock = FakeClock()
        self.destination = destination
        self.acceptance = Acceptance(self.clock)
        self.acceptance.note(known, 0.0)
        usage = write_usage(MetricsBuffer(self.clock, "move"), "copy")
        self.writer = BatchWriter(
            destination, "copy", ["pk"], Unlimited(self.clock), usage, self.clock, deadline
        )
        self.aside: list[Rejected] = []

    def pool(self, writers: int, on_rejected: Callable[[Rejected], None] | None = None) -> OrderedPool:
        return OrderedPool(
            self.writer, self.acceptance, on_rejected or self.aside.append, self.clock, writers
        )

    def write(self, its: Sequence[bytes], writers: int = 1) -> list[bytes]:
        with self.pool(writers) as pool:
            return pool.write(its)


def test_as_many_calls_are_under_way_as_there_are_writers() -> None:
    scene = Scene(GatheringDestination(16))
    assert scene.write(requests(16 * 25), 16) == []
    assert len(scene.destination.items) == 16 * 25


def test_calls_hold_neighbors_in_order() -> None:
    scene = Scene(FakeDestination())
    assert scene.write(requests(60)) == []
    assert [places(call) for call in scene.destination.calls] == [
        list(range(25)),
        list(range(25, 50)),
        list(range(50, 60)),
    ]


def test_nothing_is_nothing() -> None:
    scene = Scene(FakeDestination())
    assert scene.write([]) == []
    assert scene.destination.calls == []


def test_without_knowledge_calls_begin_small_and_grow() -> None:
    scene = Scene(FakeDestination(), known=0)
    assert scene.write(requests(200)) == []
    sizes = [len(call) for call in scene.destination.calls]
    assert sizes[0] == 12
    assert max(sizes) == 25
    assert [place for call in scene.destination.calls for place in places(call)] == list(range(200))


@settings(deadline=None)  # some MB in each example
@given(st.lists(st.sampled_from([0, 300, 2_000, 2_400_000]), max_size=40), st.floats(0, 1e6))
def test_calls_are_within_the_limits(sizes: list[int], known: float) -> None:
    # FakeDestination checks 25 requests and 16 MB.
    its = [put(encode({"pk": {"S": str(at)}, "v": {"S": "x" * size}})) for at, size in enumerate(sizes)]
    scene = Scene(FakeDestination(), known)
    assert scene.write(its) == []
    assert len(scene.destination.items) == len(its)


@pytest.mark.parametrize("writers", [1, 16])
def test_what_is_refused_is_put_aside_and_counts_as_written(writers: int) -> None:
    scene = Scene(FakeDestination())
    scene.destination.refuses = {token(3), token(77)}
    assert scene.write(requests(100), writers) == []
    aside = [request for each in scene.aside for request in each.requests]
    assert sorted(aside) == sorted([requests(100)[3], requests(100)[77]])
    assert len(scene.destination.items) == 98


def test_what_cannot_be_put_aside_is_an_error() -> None:
    scene = Scene(FakeDestination())
    scene.destination.refuses = {token(0)}

    def fail(refused: Rejected) -> None:
        raise client_error("ThrottlingException")

    with scene.pool(2, fail) as pool, pytest.raises(ClientError):
        pool.write(requests(1))


def test_after_an_error_no_thread_goes_on() -> None:
    scene = Scene(FakeDestination(faults=[refuse("AccessDeniedException")]))
    with pytest.raises(ClientError):
        scene.write(requests(1000), 1)
    assert len(scene.destination.calls) == 1


def test_what_time_did_not_allow_is_named_in_order() -> None:
    def takes_the_last(call: Sequence[Json]) -> Answer:
        return leave(*range(len(call) - 1))(call)

    scene = Scene(FakeDestination(faults=[takes_the_last, *[refuse("ThrottlingException")] * 10_000]))
    unwritten = scene.write(requests(60), 4)
    [written] = [int(item["pk"]["S"]) for item in scene.destination.items.values()]
    assert unwritten == [request for at, request in enumerate(requests(60)) if at != written]
    assert scene.clock.now() <= NOON + 60


def test_nothing_is_sent_from_the_deadline_on() -> None:
    scene = Scene(FakeDestination(), deadline=NOON)
    assert scene.write(requests(60), 4) == requests(60)
    assert scene.destination.calls == []


def test_leaving_after_an_error_waits_for_what_is_under_way_and_starts_nothing_more() -> None:
    with virtual_time() as machine:

        class Slow(FakeDestination):
            def send(self, operation: str, body: bytes, credentials: object = None) -> bytes:
                answer = super().send(operation, body, credentials)
                machine.sleep(5 if len(self.calls) == 1 else 0.1)
                if len(self.calls) > 1:
                    raise client_error("AccessDeniedException")
                return answer

        destination = Slow()
        acceptance = Acceptance(machine)
        acceptance.note(1e6, 0.0)
        usage = write_usage(MetricsBuffer(machine, "move"), "copy")
        writer = BatchWriter(destination, "copy", ["pk"], Unlimited(machine), usage, machine, START + 100)
        ended: list[float] = []

        def write() -> None:
            with (
                pytest.raises(ClientError),
                OrderedPool(writer, acceptance, lambda rejected: None, machine, 2) as pool,
            ):
                pool.write(requests(1000))
            ended.append(machine.now() - START)

        machine.world.spawn(machine.host, write)
        machine.world.run(START + 100)
    assert ended == [5.0]
    assert len(destination.calls) == 2


def _throttle(*which: int) -> Fault:
    """The items with these numbers come back as unprocessed."""

    def answer(call: Sequence[Json]) -> Answer:
        return leave(*[at for at, place in enumerate(places(call)) if place in which])(call)

    return answer


@pytest.mark.parametrize("writers", [1, 8])
def test_what_comes_later_waits_for_the_first_that_is_not_accepted(writers: int) -> None:
    scene = Scene(FakeDestination(faults=[_throttle(3)] * 10_000), known=0)
    unwritten = scene.write(requests(1000), writers)
    assert unwritten[0] == requests(4)[3]
    # What the destination takes in half a second: it has taken one or two calls in all.
    assert len(scene.destination.items) <= 100
    assert max(map(places, scene.destination.calls))[0] <= 100


def test_a_large_item_that_is_not_accepted_lets_nothing_pass() -> None:
    scene = Scene(FakeDestination(faults=[_throttle(0)] * 10_000), known=0)
    assert scene.write(requests(50, size=100_000), 8) == requests(50, size=100_000)
    assert {tuple(places(call)) for call in scene.destination.calls} == {(0,)}


def test_lost_answers_are_made_up_for() -> None:
    scene = Scene(FakeDestination(faults=[lose_answer] * 5))
    assert scene.write(requests(200), 4) == []
    assert len(scene.destination.items) == 200


any_faults = st.lists(
    st.one_of(
        st.sets(st.integers(0, 24)).map(lambda indexes: leave(*indexes)),
        st.sampled_from([lose_answer, refuse("ThrottlingException"), refuse("InternalServerError", 500)]),
    ),
    max_size=12,
)


@given(
    st.integers(0, 120), any_faults, st.floats(0, 20), st.sampled_from([1, 5]), st.sampled_from([0.0, 1e6])
)
def test_what_is_not_named_as_unwritten_is_written(
    count: int, faults: list[Fault], time: float, writers: int, known: float
) -> None:
    scene = Scene(FakeDestination(faults=faults), known, NOON + time)
    unwritten = scene.write(requests(count), writers)
    assert unwritten == [request for request in requests(count) if request in unwritten]
    written = {token(at) for at, request in enumerate(requests(count)) if request not in unwritten}
    assert written <= scene.destination.items.keys()


def test_calls_are_filled_while_the_destination_throttles() -> None:
    with virtual_time() as machine:
        bucket = Bucket(2_000)
        table = ThrottledTable(machine, lambda key: [bucket])
        acceptance = Acceptance(machine)
        usage = write_usage(MetricsBuffer(machine, "move"), "copy")
        writer = BatchWriter(table, "copy", ["pk"], Unlimited(machine), usage, machine, START + 100)

        def write() -> None:
            with OrderedPool(writer, acceptance, lambda rejected: None, machine, 24) as pool:
                assert pool.write(requests(20_000)) == []

        machine.world.spawn(machine.host, write)
        machine.world.run(START + 100)
    assert len(table.writes) == 20_000
    # Three times as many calls as without a throttle. Threads wait until the next call is likely accepted.
    assert len(table.calls) <= 3 * 20_000 / 25


def test_requests_are_sent_as_they_are() -> None:
    scene = Scene(FakeDestination(faults=[leave(0)]))
    bodies: list[bytes] = []
    send = scene.destination.send

    def keep(operation: str, body: bytes, credentials: object = None) -> bytes:
        bodies.append(body)
        return send(operation, body, credentials)

    scene.destination.send = keep  # type: ignore[method-assign]
    request = put(b'{ "v" : {"N" : "1.00"},"pk": {"S":"\\u00e9"} }')
    scene.write([request])
    assert [request in body for body in bodies] == [True, True]
    assert json.loads(bodies[0])["RequestItems"]["copy"][0]["PutRequest"]["Item"]["v"] == {"N": "1.00"}
