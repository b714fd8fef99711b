"""The writer: everything is acknowledged, or the caller knows what is not."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ResponseStreamingError,
    SSLError,
)
from hypothesis import given
from hypothesis import strategies as st

from tablecopy.clock import OutOfTime
from tablecopy.data.writer import SETTLE_SECONDS, BatchWriter, Rejected, Unwritten
from tablecopy.dynamodb.client import Json, encode
from tablecopy.dynamodb.requests import batches, delete, key_of, key_token, put
from tablecopy.journal.leases import UnsettledWrite
from tablecopy.metrics.log import MetricsBuffer
from tablecopy.throughput.limits import write_usage
from tablecopy.throughput.rate import RateLimit, Unlimited
from tests.unit.tablecopy.fakes import (
    NOON,
    Answer,
    FakeClock,
    FakeDestination,
    Fault,
    client_error,
    leave,
    lose_answer,
    refuse,
)

DEADLINE = NOON + 60


class Recording(RateLimit):
    """Lets every call through, and keeps what it is told."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.settled: list[tuple[float, float]] = []
        self.throttles = 0

    def acquire(self, until: float, sleep: object = None, size: float = 1.0) -> float:
        if self._clock.now() >= until:
            raise OutOfTime
        return 7.0

    def settle(self, taken: float, consumed: float, size: float = 1.0) -> None:
        self.settled.append((taken, consumed))

    def throttled(self) -> None:
        self.throttles += 1


def writer(
    destination: FakeDestination,
    clock: FakeClock,
    deadline: float = DEADLINE,
    capacity: RateLimit | None = None,
) -> BatchWriter:
    return BatchWriter(
        destination,
        "copy",
        destination.key_names,
        capacity or Unlimited(clock),
        write_usage(MetricsBuffer(clock, "move"), "copy"),
        clock,
        deadline,
    )


def puts(count: int) -> list[bytes]:
    return [put(encode(item(index))) for index in range(count)]


def item(index: int) -> Json:
    return {"pk": {"S": f"é{index}"}, "n": {"N": "1.0"}}


def token(index: int) -> str:
    return key_token({"pk": {"S": f"é{index}"}})


def fails(error: Exception, *, applied: bool = False) -> Fault:
    return lambda requests: Answer(requests if applied else [], error=error)


def test_a_batch_is_one_call(clock: FakeClock) -> None:
    destination = FakeDestination()
    destination.apply({"PutRequest": {"Item": {"pk": {"S": "old"}}}})
    writer(destination, clock).write([*puts(24), delete({"pk": {"S": "old"}})])
    assert list(destination.items.values()) == [item(index) for index in range(24)]
    assert len(destination.calls) == 1
    assert clock.slept == []


def test_nothing_is_sent_when_signing_in_took_until_the_deadline(clock: FakeClock) -> None:
    destination = FakeDestination()
    destination.on_credentials = lambda: clock.sleep(DEADLINE - clock.now())
    with pytest.raises(Unwritten) as late:
        writer(destination, clock).write(puts(2))
    assert late.value.unwritten == tuple(puts(2))
    assert destination.calls == []


def test_only_what_is_unprocessed_is_sent_again(clock: FakeClock) -> None:
    destination = FakeDestination(faults=[leave(1, 3), leave(0)])
    batch = [*puts(3), delete({"pk": {"S": "gone"}})]
    writer(destination, clock).write(batch)
    assert [len(call) for call in destination.calls] == [4, 2, 1]
    assert destination.calls[2] == [{"PutRequest": {"Item": item(1)}}]


def test_unprocessed_items_with_a_composite_key(clock: FakeClock) -> None:
    destination = FakeDestination(key_names=["pk", "sk"], faults=[leave(0, 1)])
    items = [{"sk": {"N": str(index)}, "pk": {"S": "same"}, "v": {"S": ""}} for index in range(2)]
    writer(destination, clock).write([put(encode(item)) for item in items])
    assert list(destination.items.values()) == items


@pytest.mark.parametrize(
    "code",
    [
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "RequestLimitExceeded",
        "ExpiredTokenException",
    ],
)
def test_throttles_are_waited_out(clock: FakeClock, code: str) -> None:
    destination = FakeDestination(faults=[refuse(code)] * 3)
    writer(destination, clock).write(puts(2))
    assert len(destination.items) == 2
    assert len(clock.slept) == 3


def test_any_server_error_is_tried_again(clock: FakeClock) -> None:
    destination = FakeDestination(faults=[refuse("WhoKnows", 500), refuse("503", 503)])
    writer(destination, clock).write(puts(1))
    assert len(destination.items) == 1


def test_the_wait_grows_while_nothing_moves_and_is_short_again_when_something_does() -> None:
    class Upper(random.Random):
        def uniform(self, a: float, b: float) -> float:
            return b

    class Longest(FakeClock):
        def random(self) -> random.Random:
            return Upper()

    clock = Longest()
    destination = FakeDestination(faults=[*[refuse("ThrottlingException")] * 8, leave(0)])
    writer(destination, clock).write(puts(2))
    assert clock.slept == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 0.05]


def test_nothing_is_sent_from_the_deadline_on(clock: FakeClock) -> None:
    destination = FakeDestination()
    with pytest.raises(Unwritten) as late:
        writer(destination, clock, deadline=NOON).write(puts(2))
    assert late.value.unwritten == tuple(puts(2))
    assert destination.calls == []


def test_what_the_deadline_left_over_is_named(clock: FakeClock) -> None:
    destination = FakeDestination(faults=[leave(1), *[refuse("ThrottlingException")] * 1000])
    with pytest.raises(Unwritten) as late:
        writer(destination, clock).write(puts(3))
    assert late.value.unwritten == (puts(3)[1],)
    assert clock.now() <= DEADLINE


def test_denial_is_for_the_caller(clock: FakeClock) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        writer(FakeDestination(faults=[refuse("AccessDeniedException")]), clock).write(puts(2))


@pytest.mark.parametrize("code", ["ValidationException", "ItemCollectionSizeLimitExceededException"])
def test_one_bad_write_is_found_and_the_others_are_written(clock: FakeClock, code: str) -> None:
    destination = FakeDestination(faults=[_refuse_any(1, code)] * 4)
    with pytest.raises(Rejected) as refused:
        writer(destination, clock).write(puts(3))
    assert refused.value.requests == (puts(3)[1],)
    assert refused.value.code == code
    assert list(destination.items) == [token(0), token(2)]


def test_a_bad_write_among_many_is_found_by_halves(clock: FakeClock) -> None:
    destination = FakeDestination(faults=[_refuse_any(7, "ValidationException")] * 100)
    with pytest.raises(Rejected) as refused:
        writer(destination, clock).write(puts(25))
    assert refused.value.requests == (puts(25)[7],)
    assert len(destination.items) == 24
    # The whole, and both halves of what it is in: 25, 12, 6, 3 (or 2), 2, 1.
    assert len(destination.calls) <= 11


def test_time_may_run_out_while_a_bad_write_is_looked_for(clock: FakeClock) -> None:
    destination = FakeDestination(faults=[_refuse_any(0, "ValidationException")] * 5)

    def tick() -> None:
        clock.time += 15

    destination.on_call = tick
    with pytest.raises(Unwritten) as late:
        writer(destination, clock).write(puts(4))
    # All four, the first two, the bad one, the second: then the other half is late. What was refused is not
    # written either.
    assert late.value.unwritten == (puts(4)[0], *puts(4)[2:])
    assert list(destination.items) == [token(1)]


def test_a_batch_that_is_bad_only_as_a_whole_is_written_in_parts(clock: FakeClock) -> None:
    destination = FakeDestination(faults=[refuse("ValidationException")])
    writer(destination, clock).write(puts(3))
    assert len(destination.items) == 3


UNANSWERED = [
    ConnectionClosedError(endpoint_url="https://dynamodb"),
    ResponseStreamingError(error="cut"),
    # Raised for a connection that fails in the middle of an answer, too.
    SSLError(endpoint_url="https://dynamodb", error=ValueError("bad record")),
    ConnectTimeoutError(endpoint_url="https://dynamodb"),
    EndpointConnectionError(endpoint_url="https://dynamodb", error="no route"),
]


@pytest.mark.parametrize("error", UNANSWERED, ids=lambda error: type(error).__name__)
def test_a_call_without_an_answer_is_made_again_and_settled(clock: FakeClock, error: Exception) -> None:
    destination = FakeDestination(faults=[fails(error, applied=True)])
    its = writer(destination, clock)
    its.write(puts(1))
    assert len(destination.calls) == 2
    its.settle(DEADLINE)
    assert clock.now() == NOON + SETTLE_SECONDS


def test_settling_waits_for_the_last_call_without_an_answer(clock: FakeClock) -> None:
    its = writer(FakeDestination(faults=[lose_answer]), clock)
    its.write(puts(1))
    clock.time += 4
    its.settle(DEADLINE)
    assert clock.now() == NOON + SETTLE_SECONDS
    its.settle(DEADLINE)
    assert clock.now() == NOON + SETTLE_SECONDS


def test_settling_is_refused_when_the_function_ends_first(clock: FakeClock) -> None:
    its = writer(FakeDestination(faults=[lose_answer]), clock)
    its.write(puts(1))
    with pytest.raises(UnsettledWrite):
        its.settle(NOON + SETTLE_SECONDS - 1)


def test_there_is_nothing_to_settle_when_every_call_was_answered(clock: FakeClock) -> None:
    its = writer(FakeDestination(faults=[refuse("ThrottlingException"), leave(0)]), clock)
    its.write(puts(1))
    waited = clock.now()
    its.settle(waited)
    assert clock.now() == waited


faults = st.lists(
    st.one_of(
        st.sets(st.integers(0, 24)).map(lambda indexes: leave(*indexes)),
        st.sampled_from([lose_answer, refuse("ThrottlingException"), refuse("InternalServerError", 500)]),
        # Cut before it took effect, and after.
        st.booleans().map(lambda applied: fails(UNANSWERED[0], applied=applied)),
    ),
    max_size=12,
)


@given(st.lists(st.integers(0, 40), unique=True, min_size=1), faults, st.floats(0, 40))
def test_what_is_not_named_as_unwritten_is_written(
    indexes: list[int], given_faults: list[Fault], time: float
) -> None:
    clock = FakeClock()
    destination = FakeDestination(faults=given_faults)
    its = writer(destination, clock, NOON + time)
    for batch in batches([put(encode(item(index))) for index in indexes]):
        try:
            its.write(batch)
        except Unwritten as late:
            unwritten = late.unwritten
            assert unwritten
        else:
            unwritten = ()
        assert list(unwritten) == [request for request in batch if request in unwritten]
        written = {key_token(key_of(request, ["pk"])) for request in set(batch) - set(unwritten)}
        assert written <= destination.items.keys()


def test_what_it_consumed_is_charged_to_the_call(clock: FakeClock) -> None:
    capacity = Recording(clock)
    writer(FakeDestination(faults=[leave(0, 1)]), clock, capacity=capacity).write(puts(5))
    assert capacity.settled == [(7.0, 3.0), (7.0, 2.0)]


def test_what_indexes_consumed_is_charged_too(clock: FakeClock) -> None:
    # As DynamoDB answers to ReturnConsumedCapacity=INDEXES: the total holds the table's and the indexes'.
    consumed = [
        {
            "TableName": "copy",
            "CapacityUnits": 6.0,
            "Table": {"CapacityUnits": 2.0},
            "GlobalSecondaryIndexes": {"by-date": {"CapacityUnits": 4.0}},
        }
    ]

    class Indexed(FakeDestination):
        def send(self, operation: str, body: bytes, credentials: object = None) -> bytes:
            super().send(operation, body, credentials)
            return encode({"UnprocessedItems": {}, "ConsumedCapacity": consumed})

    capacity = Recording(clock)
    writer(Indexed(), clock, capacity=capacity).write(puts(2))
    assert capacity.settled == [(7.0, 6.0)]


UNPROCESSED = leave(0)


@pytest.mark.parametrize(
    ("fault", "throttles"),
    [
        pytest.param(UNPROCESSED, 1, id="unprocessed"),
        pytest.param(refuse("ThrottlingException"), 1, id="throttled"),
        pytest.param(refuse("InternalServerError", 500), 0, id="server error"),
        pytest.param(lose_answer, 0, id="no answer"),
    ],
)
def test_the_capacity_hears_of_throttles_only(clock: FakeClock, fault: Fault, throttles: int) -> None:
    capacity = Recording(clock)
    writer(FakeDestination(faults=[fault]), clock, capacity=capacity).write(puts(2))
    assert capacity.throttles == throttles
    # Whatever becomes of a call, what was taken for it is settled; one without an answer has cost as much.
    unanswered = fault is lose_answer
    assert len(capacity.settled) == 2
    assert capacity.settled[0][1] == (7.0 if unanswered else 1.0 if fault is UNPROCESSED else 0.0)


def test_the_throttle_of_an_index_is_named_and_no_value_is(
    clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    index = "arn:aws:dynamodb:eu-west-1:222222222222:table/copy/index/by-date"
    reasons = [{"reason": "IndexWriteProvisionedThroughputExceeded", "resource": index}]
    error = client_error("ThrottlingException", reasons=reasons)
    capacity = Recording(clock)
    writer(FakeDestination(faults=[fails(error)]), clock, capacity=capacity).write(puts(2))
    [line] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (line["event"], line["code"], line["writes"]) == ("destination_retry", "ThrottlingException", 2)
    assert line["reasons"] == reasons
    assert "\u00e9" not in json.dumps(line, ensure_ascii=False)
    assert capacity.throttles == 1


@pytest.mark.parametrize("applied", [False, True])
def test_a_server_error_is_settled_like_a_call_without_an_answer(clock: FakeClock, applied: bool) -> None:
    destination = FakeDestination(faults=[fails(client_error("InternalServerError", 500), applied=applied)])
    its = writer(destination, clock)
    its.write(puts(1))
    with pytest.raises(UnsettledWrite):
        its.settle(NOON + SETTLE_SECONDS - 1)
    its.settle(DEADLINE)
    assert clock.now() == NOON + SETTLE_SECONDS


@pytest.mark.parametrize("body", [b"", b'{"UnprocessedItems":{"copy":[{"Put', b"null", b"<html></html>"])
def test_an_answer_cut_short_is_no_answer(clock: FakeClock, body: bytes) -> None:
    class Cut(FakeDestination):
        def send(self, operation: str, request: bytes, credentials: object = None) -> bytes:
            answer = super().send(operation, request)
            return body if len(self.calls) == 1 else answer

    destination = Cut(faults=[leave(1)])
    its = writer(destination, clock)
    its.write(puts(2))
    assert [len(call) for call in destination.calls] == [2, 2]
    with pytest.raises(UnsettledWrite):
        its.settle(NOON + SETTLE_SECONDS - 1)


class Answering(FakeDestination):
    """Changes the answers of its first calls."""

    def __init__(self, *changes: Callable[[Json], Json], **given: Any) -> None:
        super().__init__(**given)
        self.changes = list(changes)

    def send(self, operation: str, body: bytes, credentials: object = None) -> bytes:
        answer = json.loads(super().send(operation, body, credentials))
        return encode(self.changes.pop(0)(answer) if self.changes else answer)


def _without(answer: Json) -> Json:
    del answer["UnprocessedItems"]
    return answer


def _unprocessed(value: object) -> Callable[[Json], Json]:
    return lambda answer: {**answer, "UnprocessedItems": value}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_without, id="missing"),
        pytest.param(_unprocessed(None), id="null"),
        pytest.param(_unprocessed([]), id="a list"),
        pytest.param(_unprocessed({"copy": None}), id="null of the table"),
    ],
)
def test_an_answer_that_does_not_name_what_is_unprocessed_is_no_answer(
    clock: FakeClock, change: Callable[[Json], Json]
) -> None:
    destination = Answering(change)
    its = writer(destination, clock)
    its.write(puts(2))
    assert [len(call) for call in destination.calls] == [2, 2]
    with pytest.raises(UnsettledWrite):
        its.settle(NOON + SETTLE_SECONDS - 1)


def _respell(answer: Json) -> Json:
    for requests in answer["UnprocessedItems"].values():
        for request in requests:
            request["PutRequest"]["Item"]["pk"]["S"] += "?"
    return answer


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_respell, id="another spelling"),
        pytest.param(_unprocessed({"other": [{"PutRequest": {"Item": item(77)}}]}), id="another item"),
        pytest.param(_unprocessed({"copy": [{"PutRequest": {"Item": {"v": {"S": ""}}}}]}), id="without key"),
        pytest.param(_unprocessed({"copy": [{"PutRequest": None}]}), id="no request"),
        pytest.param(
            lambda answer: _unprocessed({"copy": answer["UnprocessedItems"]["copy"] * 2})(answer), id="twice"
        ),
    ],
)
def test_unprocessed_requests_that_match_nothing_leave_everything_pending(
    clock: FakeClock, change: Callable[[Json], Json]
) -> None:
    destination = Answering(change, faults=[leave(1)])
    capacity = Recording(clock)
    writer(destination, clock, capacity=capacity).write(puts(3))
    assert len(destination.items) == 3
    # All three again, in smaller calls: the next one may not match either.
    assert [len(call) for call in destination.calls] == [3, 1, 2]
    assert capacity.settled[0] == (7.0, 2.0)


def test_a_table_that_never_spells_as_we_do_is_written_one_by_one(clock: FakeClock) -> None:
    # It takes one write a call, the last one, and names the others in its own way.
    def takes_one(requests: Sequence[Json]) -> Answer:
        return leave(*range(len(requests) - 1))(requests)

    destination = Answering(*[_respell] * 1000, faults=[takes_one] * 1000)
    writer(destination, clock).write(puts(25))
    assert len(destination.items) == 25
    assert len(destination.calls) < 60


def test_a_single_request_that_comes_back_respelled_is_sent_again(clock: FakeClock) -> None:
    destination = Answering(_respell, faults=[leave(0)])
    writer(destination, clock).write(puts(1))
    assert len(destination.calls) == 2
    assert len(clock.slept) == 1


@pytest.mark.parametrize("error", [*UNANSWERED[:1], client_error("ThrottlingException")])
def test_without_credentials_nothing_is_sent_and_nothing_is_open(clock: FakeClock, error: Exception) -> None:
    errors = [error] * 3

    def fail() -> None:
        if errors:
            raise errors.pop()

    destination = FakeDestination()
    destination.on_credentials = fail
    capacity = Recording(clock)
    its = writer(destination, clock, capacity=capacity)
    its.write(puts(2))
    assert len(destination.calls) == 1
    assert (capacity.throttles, capacity.settled) == (0, [(7.0, 0.0)] * 3 + [(7.0, 2.0)])
    now = clock.now()
    its.settle(now)


def test_a_role_that_may_not_be_assumed_is_for_the_caller(clock: FakeClock) -> None:
    def fail() -> None:
        raise client_error("AccessDenied", operation="AssumeRole")

    destination = FakeDestination()
    destination.on_credentials = fail
    with pytest.raises(ClientError, match="AccessDenied"):
        writer(destination, clock).write(puts(2))


def test_what_is_sent_again_is_spelled_as_before(clock: FakeClock) -> None:
    class Respelling(FakeDestination):
        """Keeps the bodies, and answers with other spellings, as a server may."""

        bodies: ClassVar[list[bytes]] = []

        def send(self, operation: str, body: bytes, credentials: object = None) -> bytes:
            self.bodies.append(body)
            return json.dumps(
                json.loads(super().send(operation, body, credentials)), indent=1, sort_keys=True
            ).encode()

    request = put(b'{ "v" : {"N" : "1.00"},"pk": {"S":"\\u00e9"} }')
    writer(Respelling(faults=[leave(0)]), clock).write([request])
    assert [request in body for body in Respelling.bodies] == [True, True]


def test_no_more_is_sent_after_an_end_that_was_brought_forward(clock: FakeClock) -> None:
    destination = FakeDestination(faults=[refuse("ThrottlingException")] * 1000)
    its = writer(destination, clock)
    destination.on_call = lambda: its.end_by(NOON)
    with pytest.raises(Unwritten) as late:
        its.write(puts(2))
    assert late.value.unwritten == tuple(puts(2))
    assert len(destination.calls) == 1
    its.end_by(NOON + 1000)
    with pytest.raises(Unwritten):
        its.write(puts(2))


def _refuse_any(index: int, code: str) -> Fault:
    """A validation error for every call that holds the item, which is what DynamoDB does to its batch."""

    def answer(requests: Sequence[Json]) -> Answer:
        if {"PutRequest": {"Item": item(index)}} in requests:
            return Answer([], error=client_error(code))
        return Answer(requests)

    return answer
