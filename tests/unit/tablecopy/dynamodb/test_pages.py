"""Pages are cut into exactly the items that were sent, and what is not a whole page is none."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tablecopy.dynamodb.client import Json
from tablecopy.dynamodb.pages import BadPage, parse
from tests.unit.tablecopy.items import items as any_items
from tests.unit.tablecopy.items import nested, scalars

KEY = {"pk": {"S": '}"],\\'}, "sk": {"B": "AAH/"}}
CONSUMED = {"TableName": "t", "CapacityUnits": 12.5}

Spell = Callable[[Any], bytes]


def spelled(value: Any, space: Callable[[], bytes], ascii_only: bool) -> bytes:
    """``value`` as JSON with white space wherever JSON allows it."""

    def inner(each: Any) -> bytes:
        return space() + spelled(each, space, ascii_only) + space()

    if isinstance(value, dict):
        members = [inner(name) + b":" + inner(each) for name, each in value.items()]
        return b"{" + (b",".join(members) or space()) + b"}"
    if isinstance(value, list):
        return b"[" + (b",".join(map(inner, value)) or space()) + b"]"
    return json.dumps(value, ensure_ascii=ascii_only).encode()


@st.composite
def bodies(draw: st.DrawFn) -> tuple[bytes, list[Json], list[bytes], bool]:
    """The body of a Scan's answer, its items, each as it is spelled there, and whether it is the last."""
    chance = draw(st.randoms(use_true_random=False))
    spaces = draw(st.sampled_from([[b""], [b"", b" ", b"\n", b"\t\r "]]))
    ascii_only = draw(st.booleans())
    items = draw(st.lists(any_items, max_size=4))
    last = draw(st.booleans())

    def space() -> bytes:
        return chance.choice(spaces)

    slices = [spelled(item, space, ascii_only) for item in items]
    listed = b",".join(space() + each + space() for each in slices) or space()
    members = {
        "Items": b"[" + listed + b"]",
        "Count": str(len(items)).encode(),
        "ScannedCount": str(len(items)).encode(),
        "ConsumedCapacity": spelled(CONSUMED, space, ascii_only),
    }
    if not last:
        members["LastEvaluatedKey"] = spelled(KEY, space, ascii_only)
    order = list(members)
    chance.shuffle(order)
    body = b",".join(
        space() + json.dumps(name).encode() + space() + b":" + space() + members[name] + space()
        for name in order
    )
    return space() + b"{" + body + b"}" + space(), items, slices, last


@given(bodies())
def test_a_page_is_cut_into_the_very_bytes_of_its_items(
    page: tuple[bytes, list[Json], list[bytes], bool],
) -> None:
    body, items, slices, last = page
    parsed = parse(body)
    assert parsed.items == slices
    assert [json.loads(item) for item in parsed.items] == items
    assert parsed.last_key == (None if last else KEY)
    assert parsed.consumed == 12.5
    # The generator itself spells JSON.
    assert json.loads(body)["Items"] == items


@settings(max_examples=40, deadline=None)  # as many parses as a body has bytes
@given(bodies())
def test_a_body_that_was_cut_short_is_no_page(page: tuple[bytes, list[Json], list[bytes], bool]) -> None:
    body = page[0].rstrip()
    for length in range(len(body)):
        with pytest.raises(BadPage):
            parse(body[:length])


def page_of(items: Sequence[Json], count: int) -> bytes:
    return json.dumps({"Count": count, "Items": items, "ScannedCount": count}).encode()


@given(st.lists(any_items, max_size=3), st.integers(0, 5))
def test_a_count_that_is_not_the_number_of_items_is_no_page(items: list[Json], count: int) -> None:
    if count == len(items):
        assert len(parse(page_of(items, count)).items) == count
        return
    with pytest.raises(BadPage, match="Count"):
        parse(page_of(items, count))


@given(scalars, st.booleans())
def test_an_item_as_deep_as_dynamodb_allows(value: Json, in_lists: bool) -> None:
    item = {"pk": {"S": "k"}, "deep": nested(32, value, in_lists)}
    assert [json.loads(each) for each in parse(page_of([item], 1)).items] == [item]


def test_an_empty_page_in_the_middle_of_a_segment() -> None:
    body = json.dumps({"Count": 0, "Items": [], "LastEvaluatedKey": KEY, "ScannedCount": 0}).encode()
    page = parse(body)
    assert (page.items, page.last_key, page.consumed) == ([], KEY, 0.0)


def test_a_full_page_takes_one_pass() -> None:
    # A pattern that backtracked would not come to an end with a page of this size.
    items = [{"pk": {"S": f'{index}\\"{{['}, "v": {"S": "x" * 900}} for index in range(1000)]
    body = page_of(items, 1000)
    assert [json.loads(item) for item in parse(body).items] == items
    with pytest.raises(BadPage):
        parse(body[:-30])


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{}", id="another answer"),
        pytest.param(b"<html>Bad Gateway</html>", id="a proxy's page"),
        pytest.param(b'{"Count":0,"Items":{},"ScannedCount":0}', id="no list"),
        pytest.param(b'{"Count":0,"ScannedCount":0}', id="no items"),
        pytest.param(b'{"Count":1,"Items":[1],"ScannedCount":1}', id="no item"),
        pytest.param(b'{"Count":1,"Items":[{}],"ScannedCount":1}}', id="one brace more"),
        pytest.param(b'{"Count":1,"Items":[{}],"ScannedCount":1}{"Count', id="two answers"),
        pytest.param(b'{"Count":1,"Items":[{},],"ScannedCount":1}', id="a comma more"),
        pytest.param(b'{"Count":null,"Items":[],"ScannedCount":0}', id="no number"),
        pytest.param(b'{"Count":0,"Items":[],"LastEvaluatedKey":{"pk"}}', id="no JSON"),
        pytest.param(b'{"Count":0,"Items":[],"LastEvaluatedKey":null}', id="a null key"),
        pytest.param(b'{"Count":0,"Items":[],"LastEvaluatedKey":{}}', id="an empty key"),
        pytest.param(b'{"Count":0,"Items":[],"LastEvaluatedKey":{ }}', id="an empty key, with a space"),
        pytest.param(b'{"Count":0,"Items":[],"LastEvaluatedKey":"pk"}', id="a key that is text"),
        pytest.param(b'{"Count":0,"Items":[],"LastEvaluatedKey":1}', id="a key that is a number"),
    ],
)
def test_something_else_is_no_page(body: bytes) -> None:
    with pytest.raises(BadPage):
        parse(body)
