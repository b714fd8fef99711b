"""Streams: what control reads of a record is what the record says, whatever the items hold."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from botocore.exceptions import ClientError, ResponseStreamingError
from hypothesis import given
from hypothesis import strategies as st

from tablecopy.dynamodb.client import DynamoDB, Json, encode
from tablecopy.dynamodb.streams import (
    IteratorExpired,
    ListedShard,
    RecordsPage,
    ShardPage,
    StreamClient,
    StreamNotFound,
    StreamRecord,
    Unavailable,
    parse,
)
from tests.unit.tablecopy.fakes import NOON, STREAM_ARN, FakeClock, client_error, no_answer
from tests.unit.tablecopy.items import items as any_items

READ = ("SequenceNumber", "eventID", "ApproximateCreationDateTime", "NextShardIterator", "Records")

# Names and values that look like the members that are read, in every spelling that DynamoDB might send.
_forged = st.sampled_from(
    [
        *READ,
        *(f'{name}":"1' for name in READ),
        *(f'"{name}":"1"' for name in READ),
        *(f'\\"{name}\\":\\"1\\"' for name in READ),
        *(f'x"{name}' for name in READ),
        *(f'"{name}": 1' for name in READ),
        '":',
        "\\",
        '\\"',
        '}]},"eventID":"forged',
    ]
)
_strings = _forged | st.text(max_size=6)
_values: st.SearchStrategy[Json] = st.recursive(
    _strings.map(lambda text: {"S": text})
    | _strings.map(lambda text: {"SS": [text]})
    | st.integers().map(lambda number: {"N": str(number)})
    | st.just({"BOOL": True}),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda values: {"L": values})
        | st.dictionaries(_strings, inner, max_size=3).map(lambda values: {"M": values})
    ),
    max_leaves=6,
)
_items = st.dictionaries(_strings, _values, max_size=4) | any_items
_images = st.fixed_dictionaries({}, optional={"Keys": _items, "NewImage": _items, "OldImage": _items})


@st.composite
def records(draw: st.DrawFn) -> Json:
    """A record with its members in any order."""
    created = draw(st.integers(1, 2_000_000_000))
    change = {
        **draw(_images),
        "SequenceNumber": str(draw(st.integers(10**20, 10**40 - 1))),
        "ApproximateCreationDateTime": draw(st.sampled_from([created, float(created)])),
        "SizeBytes": 3,
    }
    record = {
        "eventID": draw(st.text("0123456789abcdef", min_size=1) | _strings),
        "eventName": "REMOVE",
        "userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"},
        "dynamodb": dict(draw(st.permutations(list(change.items())))),
    }
    return dict(draw(st.permutations(list(record.items()))))


@given(
    st.lists(records(), max_size=4),
    st.none() | _strings,
    st.booleans(),
    st.booleans(),
    st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", " :\t")]),
)
def test_the_members_read_are_those_of_the_record(
    given_records: list[Json],
    following: str | None,
    ascii_only: bool,
    first: bool,
    separators: tuple[str, str],
) -> None:
    answer: Json = {"Records": given_records}
    if following is not None:
        answer = (
            {"NextShardIterator": following, **answer}
            if first
            else {**answer, "NextShardIterator": following}
        )
    body = json.dumps(answer, ensure_ascii=ascii_only, separators=separators).encode(errors="surrogatepass")
    decoded = json.loads(body)
    assert parse(body) == RecordsPage(
        [
            StreamRecord(
                record["dynamodb"]["SequenceNumber"],
                record["eventID"],
                record["dynamodb"]["ApproximateCreationDateTime"],
            )
            for record in decoded["Records"]
        ],
        decoded.get("NextShardIterator"),
        len(body),
    )


# Names that a key's spelling has, so that images hold what looks like one.
_names = st.sampled_from(["Keys", "S", "N", "B", "M", '"Keys":{"pk":{"S":"1"}}', '\\"Keys', 'Keys":', "pk"])
_nested: st.SearchStrategy[Json] = st.recursive(
    _names.map(lambda text: {"S": text}) | st.just({"N": "1"}) | st.just({"B": "AA=="}),
    lambda inner: (
        st.dictionaries(_names, inner, max_size=2).map(lambda values: {"M": values})
        | st.lists(inner, max_size=2).map(lambda values: {"L": values})
    ),
    max_leaves=5,
)
_key_values = _strings.map(lambda text: {"S": text}) | st.sampled_from([{"N": "-1.5E3"}, {"B": "AAH/"}])
_keys = st.dictionaries(_names | _strings, _key_values, min_size=1, max_size=2)


@given(
    st.lists(
        st.tuples(_keys, st.dictionaries(_names, _nested, max_size=3), records(), st.booleans()), max_size=4
    ),
    st.booleans(),
    st.sampled_from([(",", ":"), (" ,\n", " :\t")]),
)
def test_the_keys_found_are_those_of_the_records(
    given_records: list[tuple[Json, Json, Json, bool]], ascii_only: bool, separators: tuple[str, str]
) -> None:
    made = []
    for key, image, record, first in given_records:
        change = {name: value for name, value in record["dynamodb"].items() if name != "Keys"}
        change["NewImage"] = image
        change = {"Keys": key, **change} if first else {**change, "Keys": key}
        made.append({**record, "dynamodb": change})
    body = json.dumps({"Records": made}, ensure_ascii=ascii_only, separators=separators)
    found = parse(body.encode(errors="surrogatepass"), keys=True).keys
    assert [json.loads(key.decode("utf-8", "surrogatepass")) for key in found] == [
        record["dynamodb"]["Keys"] for record in json.loads(body)["Records"]
    ]


def test_a_record_without_a_key_is_not_passed_over() -> None:
    body = b'{"Records":[{"eventID":"e","dynamodb":{"SequenceNumber":"7","ApproximateCreationDateTime":1}}]}'
    assert not parse(body).keys
    with pytest.raises(ResponseStreamingError, match="without a key"):
        parse(body, keys=True)


def test_a_time_may_be_spelled_with_an_exponent() -> None:
    body = (
        b'{"Records":[{"eventID":"e","dynamodb":{"ApproximateCreationDateTime":1.7E9,"SequenceNumber":"7"}}]}'
    )
    assert parse(body) == RecordsPage([StreamRecord("7", "e", 1.7e9)], None, len(body))


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"{}",
        b'{"Records":[{"eventID":"e","dynamodb":{"SequenceNumber":"7"}}]}',
        b'{"Records":[{"dynamodb":{"ApproximateCreationDateTime":1,"SequenceNumber":"7"}}]}',
    ],
)
def test_what_is_no_page_is_not_read_as_one(body: bytes) -> None:
    with pytest.raises(ResponseStreamingError):
        parse(body)


@pytest.mark.parametrize(
    ("count", "size", "full"), [(1_000, 0, True), (3, 600_000, True), (999, 400_000, False)]
)
def test_a_page_with_nearly_as_much_as_one_may_have_is_full(count: int, size: int, full: bool) -> None:
    assert RecordsPage([StreamRecord("1", "e", 0.0)] * count, "i", size).is_full is full


class Scripted(DynamoDB):
    """Answers with what it is given, in this order."""

    def __init__(self, *answers: Json | Exception) -> None:
        self.answers = list(answers)
        self.sent: list[tuple[str, Json]] = []

    def credentials(self) -> Any: ...

    def send(self, operation: str, body: bytes, credentials: object = None) -> bytes:
        self.sent.append((operation, json.loads(body)))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return encode(answer)


def streams(clock: FakeClock, *answers: Json | Exception) -> tuple[StreamClient, Scripted]:
    client = Scripted(*answers)
    return StreamClient(client, STREAM_ARN, clock), client


def test_shards_are_listed_with_parent_and_end(clock: FakeClock) -> None:
    description = {
        "StreamStatus": "ENABLED",
        "LastEvaluatedShardId": "b",
        "Shards": [
            {
                "ShardId": "a",
                "SequenceNumberRange": {"StartingSequenceNumber": "1", "EndingSequenceNumber": "2"},
            },
            {"ShardId": "b", "ParentShardId": "a", "SequenceNumberRange": {"StartingSequenceNumber": "3"}},
        ],
    }
    stream, client = streams(clock, {"StreamDescription": description})
    shards = [ListedShard("a", "", closed=True), ListedShard("b", "a", closed=False)]
    assert stream.describe(after="0") == ShardPage(shards, "b", enabled=True)
    assert client.sent == [("DescribeStream", {"StreamArn": STREAM_ARN, "ExclusiveStartShardId": "0"})]


@pytest.mark.parametrize(
    ("status", "enabled"), [("DISABLED", False), ("DISABLING", False), ("ENABLED", True)]
)
def test_children_are_asked_for_by_their_parent(clock: FakeClock, status: str, enabled: bool) -> None:
    stream, client = streams(clock, {"StreamDescription": {"StreamStatus": status, "Shards": []}})
    assert stream.describe(children_of="a") == ShardPage([], "", enabled=enabled)
    [(_, request)] = client.sent
    assert request["ShardFilter"] == {"Type": "CHILD_SHARDS", "ShardId": "a"}


def test_iterators_and_records_are_asked_for_by_their_names(clock: FakeClock) -> None:
    stream, client = streams(clock, {"ShardIterator": "i"}, {"ShardIterator": "j"}, {"Records": []})
    assert stream.iterator("a", "LATEST", until=0) == "i"
    assert stream.iterator("a", "AFTER_SEQUENCE_NUMBER", 0, "7") == "j"
    assert stream.records("j", until=0) == RecordsPage([], None, 14)
    assert client.sent == [
        ("GetShardIterator", {"StreamArn": STREAM_ARN, "ShardId": "a", "ShardIteratorType": "LATEST"}),
        (
            "GetShardIterator",
            {
                "StreamArn": STREAM_ARN,
                "ShardId": "a",
                "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
                "SequenceNumber": "7",
            },
        ),
        ("GetRecords", {"ShardIterator": "j", "Limit": 1_000}),
    ]


Call = Callable[[StreamClient, float], object]
CALLS: list[Call] = [
    lambda stream, until: stream.iterator("a", "LATEST", until),
    lambda stream, until: stream.records("i", until),
]
ERRORS: Sequence[tuple[str, type[Exception]]] = [
    ("ResourceNotFoundException", StreamNotFound),
    ("TrimmedDataAccessException", IteratorExpired),
    ("ExpiredIteratorException", IteratorExpired),
    ("AccessDeniedException", ClientError),
]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(("code", "raised"), ERRORS)
def test_what_an_error_means(clock: FakeClock, call: Call, code: str, raised: type[Exception]) -> None:
    stream, client = streams(clock, client_error(code))
    with pytest.raises(raised):
        call(stream, NOON + 60)
    assert len(client.sent) == 1


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "error", [client_error("LimitExceededException"), client_error("InternalServerError", 500), no_answer()]
)
def test_a_throttled_call_is_repeated_until_the_look_ends(
    clock: FakeClock, call: Call, error: Exception
) -> None:
    stream, client = streams(clock, *[error] * 3, {"ShardIterator": "i", "Records": []})
    call(stream, NOON + 60)
    assert len(client.sent) == 4
    stream, client = streams(clock, *[error] * 99)
    with pytest.raises(Unavailable):
        call(stream, clock.time + 5)
    assert clock.time < NOON + 60 + 5
    assert len(client.sent) > 3


def test_a_list_is_asked_for_once(clock: FakeClock) -> None:
    """All copies of an account share the ten DescribeStream calls a second."""
    stream, client = streams(clock, client_error("LimitExceededException"))
    with pytest.raises(Unavailable):
        stream.describe()
    assert len(client.sent) == 1
    assert clock.slept == []
