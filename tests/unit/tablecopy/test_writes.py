"""Writes and their batches."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from tablecopy.writes import BATCH_BYTES, BATCH_REQUESTS, Write, batches, delete, key_token, put

KEY = {"pk": {"S": "a"}, "sk": {"N": "1"}}

writes = st.lists(
    st.builds(
        Write,
        token=st.integers(0, 60).map(str),
        body=st.one_of(st.just(b"{}"), st.integers(0, 400).map(lambda kb: b"x" * (kb * 6 * 1024))),
    ),
    max_size=80,
)


def test_put_holds_the_item_and_names_its_key() -> None:
    item = {"sk": {"N": "1"}, "extra": {"S": "é"}, "pk": {"S": "a"}}
    write = put(["pk", "sk"], item)
    assert json.loads(write.body) == {"PutRequest": {"Item": item}}
    assert write.token == key_token(KEY)


def test_delete_holds_the_key() -> None:
    write = delete(KEY)
    assert json.loads(write.body) == {"DeleteRequest": {"Key": KEY}}
    assert write.token == put(["pk", "sk"], KEY).token


def test_a_token_does_not_depend_on_the_order_of_attributes() -> None:
    assert key_token(KEY) == key_token(dict(reversed(KEY.items())))


def test_a_token_tells_types_apart() -> None:
    assert len({key_token({"pk": {kind: "1"}}) for kind in "SNB"}) == 3


@given(writes)
def test_batches_keep_every_write_in_order(given_writes: list[Write]) -> None:
    assert [write for batch in batches(given_writes) for write in batch] == given_writes


@given(writes)
def test_batches_are_within_the_limits(given_writes: list[Write]) -> None:
    for batch in batches(given_writes):
        assert 1 <= len(batch) <= BATCH_REQUESTS
        assert len({write.token for write in batch}) == len(batch)
        assert len(b",".join(write.body for write in batch)) <= BATCH_BYTES


@given(writes)
def test_a_batch_ends_only_where_it_must(given_writes: list[Write]) -> None:
    cut = list(batches(given_writes))
    for batch, following in zip(cut, cut[1:], strict=False):
        size = len(b",".join(write.body for write in [*batch, following[0]]))
        assert (
            len(batch) == BATCH_REQUESTS
            or size > BATCH_BYTES
            or following[0].token in {write.token for write in batch}
        )


def test_the_largest_items_still_fit_beside_what_surrounds_them() -> None:
    # 400 KB of control characters are 2.4 MB of JSON: six of those are all that a request takes.
    large = [put(["pk"], {"pk": {"S": str(index)}, "s": {"S": "\u0001" * 400 * 1024}}) for index in range(25)]
    assert [len(batch) for batch in batches(large)] == [6, 6, 6, 6, 1]


def test_nothing_makes_no_batch() -> None:
    assert list(batches([])) == []
