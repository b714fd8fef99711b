"""The writer: everything is acknowledged, or the caller knows what is not."""

from __future__ import annotations

import random
from collections.abc import Sequence

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

from tablecopy.journal.leases import UnsettledWrite
from tablecopy.wire import Json
from tablecopy.writer import SETTLE_SECONDS, BatchWriter, OutOfTime, Refused, encode_text
from tablecopy.writes import Write, batches, delete, key_token, put
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


def writer(destination: FakeDestination, clock: FakeClock, deadline: float = DEADLINE) -> BatchWriter:
    return BatchWriter(destination, "copy", destination.key_names, clock, deadline, random.Random(1))


def puts(count: int) -> list[Write]:
    return [put(["pk"], item(index)) for index in range(count)]


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


def test_only_what_is_unprocessed_is_sent_again(clock: FakeClock) -> None:
    destination = FakeDestination(faults=[leave(1, 3), leave(0)])
    batch = [*puts(3), delete({"pk": {"S": "gone"}})]
    writer(destination, clock).write(batch)
    assert [len(call) for call in destination.calls] == [4, 2, 1]
    assert destination.calls[2] == [{"PutRequest": {"Item": item(1)}}]


def test_unprocessed_items_with_a_composite_key(clock: FakeClock) -> None:
    destination = FakeDestination(key_names=["pk", "sk"], faults=[leave(0, 1)])
    items = [{"sk": {"N": str(index)}, "pk": {"S": "same"}, "v": {"S": ""}} for index in range(2)]
    writer(destination, clock).write([put(["pk", "sk"], item) for item in items])
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

    clock = FakeClock()
    destination = FakeDestination(faults=[*[refuse("ThrottlingException")] * 8, leave(0)])
    BatchWriter(destination, "copy", ["pk"], clock, DEADLINE, Upper()).write(puts(2))
    assert clock.slept == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 0.05]


def test_nothing_is_sent_from_the_deadline_on(clock: FakeClock) -> None:
    destination = FakeDestination()
    with pytest.raises(OutOfTime) as late:
        writer(destination, clock, deadline=NOON).write(puts(2))
    assert late.value.unwritten == {token(0), token(1)}
    assert destination.calls == []


def test_what_the_deadline_left_over_is_named(clock: FakeClock) -> None:
    destination = FakeDestination(faults=[leave(1), *[refuse("ThrottlingException")] * 1000])
    with pytest.raises(OutOfTime) as late:
        writer(destination, clock).write(puts(3))
    assert late.value.unwritten == {token(1)}
    assert clock.now() <= DEADLINE


def test_denial_is_for_the_caller(clock: FakeClock) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        writer(FakeDestination(faults=[refuse("AccessDeniedException")]), clock).write(puts(2))


@pytest.mark.parametrize("code", ["ValidationException", "ItemCollectionSizeLimitExceededException"])
def test_one_bad_write_is_found_and_the_others_are_written(clock: FakeClock, code: str) -> None:
    destination = FakeDestination(faults=[_refuse_any(1, code)] * 4)
    with pytest.raises(Refused) as refused:
        writer(destination, clock).write(puts(3))
    assert refused.value.tokens == {token(1)}
    assert refused.value.code == code
    assert list(destination.items) == [token(0), token(2)]


def test_time_may_run_out_while_a_bad_write_is_looked_for(clock: FakeClock) -> None:
    destination = FakeDestination(faults=[_refuse_any(0, "ValidationException")] * 5)

    def tick() -> None:
        clock.time += 20

    destination.on_call = tick
    with pytest.raises(OutOfTime) as late:
        writer(destination, clock).write(puts(4))
    # All four, then the bad one, then the second: three calls. What was refused is not written either.
    assert late.value.unwritten == {token(0), token(2), token(3)}
    assert list(destination.items) == [token(1)]


def test_a_batch_that_is_bad_only_as_a_whole_is_written_singly(clock: FakeClock) -> None:
    destination = FakeDestination(faults=[refuse("ValidationException")])
    writer(destination, clock).write(puts(3))
    assert len(destination.items) == 3


UNANSWERED = [
    ConnectionClosedError(endpoint_url="https://dynamodb"),
    ResponseStreamingError(error="cut"),
    # Raised for a connection that fails in the middle of an answer, too.
    SSLError(endpoint_url="https://dynamodb", error="bad record"),
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
    for batch in batches([put(["pk"], item(index)) for index in indexes]):
        try:
            its.write(batch)
        except OutOfTime as late:
            unwritten = late.unwritten
            assert unwritten
        else:
            unwritten = frozenset()
        assert unwritten <= {write.token for write in batch}
        assert {write.token for write in batch} - unwritten <= destination.items.keys()


def test_encode_text() -> None:
    assert encode_text('a"é') == '"a\\"é"'.encode()


def _refuse_any(index: int, code: str) -> Fault:
    """A validation error for every call that holds the item, which is what DynamoDB does to its batch."""

    def answer(requests: Sequence[Json]) -> Answer:
        if {"PutRequest": {"Item": item(index)}} in requests:
            return Answer([], error=client_error(code))
        return Answer(requests)

    return answer
