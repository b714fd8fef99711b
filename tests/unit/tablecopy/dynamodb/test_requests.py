"""Writes and their batches."""

from __future__ import annotations

import json
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tablecopy.dynamodb.client import encode
from tablecopy.dynamodb.requests import (
    BATCH_BYTES,
    BATCH_REQUESTS,
    batches,
    delete,
    item_of,
    key_of,
    key_token,
    put,
    size_of,
    total_size,
)
from tests.unit.tablecopy.items import items

KEY = {"pk": {"S": "a"}, "sk": {"N": "1"}}

# Requests as long as those of a page, told apart by their first bytes; large ones up to 2.4 MB.
requests = st.lists(
    st.one_of(st.just(0), st.integers(0, 400)).map(lambda kb: kb * 6 * 1024), max_size=80
).map(lambda sizes: [b"%d:" % index + b"x" * size for index, size in enumerate(sizes)])


@given(items)
def test_put_holds_the_very_bytes_of_the_item(item: dict[str, object]) -> None:
    spelled = json.dumps(item, indent=1).encode()
    assert put(spelled) == b'{"PutRequest":{"Item":' + spelled + b"}}"
    assert json.loads(put(spelled)) == {"PutRequest": {"Item": item}}
    assert item_of(put(spelled)) == spelled.decode()
    assert key_of(put(spelled), ["pk"]) == {"pk": item["pk"]}


def test_a_lone_surrogate_does_not_break_a_request() -> None:
    item = {"pk": {"S": "a\ud800"}, "v": {"S": "\udc00"}}
    # As an event's text becomes a request, and as a page may hold it: escaped, or as three bytes.
    for request in (
        put(encode(item)),
        put(json.dumps(item, ensure_ascii=False).encode("utf-8", "surrogatepass")),
    ):
        assert json.loads(request) == {"PutRequest": {"Item": item}}
        assert key_token(key_of(request, ["pk"])) == key_token({"pk": item["pk"]})
        assert json.loads(item_of(request).encode()) == item


def test_delete_holds_the_key() -> None:
    request = delete(KEY)
    assert json.loads(request) == {"DeleteRequest": {"Key": KEY}}
    assert key_of(request, ["pk", "sk"]) == KEY
    assert item_of(request) == ""


def test_a_put_and_a_delete_of_the_same_key_have_one_token() -> None:
    item = {"sk": {"N": "1"}, "extra": {"S": "é"}, "pk": {"S": "a"}}
    both = [put(encode(item)), delete(KEY)]
    assert {key_token(key_of(request, ["pk", "sk"])) for request in both} == {key_token(KEY)}


def test_a_token_does_not_depend_on_the_order_of_attributes() -> None:
    assert key_token(KEY) == key_token(dict(reversed(KEY.items())))


def test_a_token_tells_types_apart() -> None:
    assert len({key_token({"pk": {kind: "1"}}) for kind in "SNB"}) == 3


@given(requests)
def test_every_request_is_in_exactly_one_batch(given_requests: list[bytes]) -> None:
    dealt = [request for batch in batches(given_requests) for request in batch]
    assert Counter(dealt) == Counter(given_requests)


@given(requests)
def test_batches_are_within_the_limits(given_requests: list[bytes]) -> None:
    for batch in batches(given_requests):
        assert 1 <= len(batch) <= BATCH_REQUESTS
        assert len(set(batch)) == len(batch)
        assert len(b",".join(batch)) <= BATCH_BYTES


@given(st.integers(0, 2000))
def test_small_requests_take_no_more_batches_than_they_need(count: int) -> None:
    sizes = [len(batch) for batch in batches([b"%d" % index for index in range(count)])]
    assert len(sizes) == -(-count // BATCH_REQUESTS)
    assert not sizes or max(sizes) - min(sizes) <= 1


@given(st.integers(1, 8), st.integers(1, 12))
def test_every_batch_has_of_each_partition_as_much_as_the_others(partitions: int, times: int) -> None:
    # A page in the order of the scan: each partition's items in a row, as many as fill whole batches.
    page = [b"%d/%d" % (partition, index) for partition in range(partitions) for index in range(25 * times)]
    for batch in batches(page):
        held = Counter(request.split(b"/")[0] for request in batch)
        assert len(held) == partitions
        assert max(held.values()) - min(held.values()) <= 1


def test_the_largest_items_still_fit_beside_what_surrounds_them() -> None:
    # 400 KB of control characters are 2.4 MB of JSON: six of those are all that a request takes.
    item = {"pk": {"S": "k"}, "s": {"S": "\u0001" * 400 * 1024}}
    assert [len(batch) for batch in batches([put(encode(item))] * 25)] == [6, 6, 6, 6, 1]


def test_nothing_makes_no_batch() -> None:
    assert list(batches([])) == []


@given(requests, st.floats(0.1, 5000))
def test_batches_are_about_as_large_as_wanted(its: list[bytes], size: float) -> None:
    found = list(batches(its, size))
    assert Counter(each for batch in found for each in batch) == Counter(its)
    assert all(len(batch) <= BATCH_REQUESTS for batch in found)
    # Requests of equal size fill batches equally.
    if len(set(map(len, its))) == 1:
        assert all(len(batch) == 1 or total_size(batch) <= size + total_size(batch[:1]) for batch in found)


@given(requests)
def test_the_total_size_is_about_the_sum_of_the_sizes(its: list[bytes]) -> None:
    assert sum(map(size_of, its)) <= total_size(its) <= sum(map(size_of, its)) + len(its)
