"""The hot path: its digests say of items what the exact comparison says."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tablecopy.comparison.canonical import number
from tests.unit.verify.items import items, meaning, respelled
from verify.scan.decode import BadPage, batch
from verify.scan.identity import KeySchema
from verify.scan.pages import Reader

KEYS = KeySchema((("pk", "S"), ("sk", "N")))


def speakable(value: Any) -> bool:
    """DynamoDB's strings are UTF-8, which has no lone surrogates."""
    return not any(0xD800 <= ord(character) < 0xE000 for character in json.dumps(value, ensure_ascii=False))


def item(number: int, **attributes: Any) -> dict[str, Any]:
    return {"pk": {"S": "k"}, "sk": {"N": str(number)}, **attributes}


def page(*found: Any, spaced: bool = False, **rest: Any) -> bytes:
    body = {"Items": list(found), "Count": len(found), "ScannedCount": len(found), **rest}
    return json.dumps(body, ensure_ascii=False, separators=None if spaced else (",", ":")).encode()


def rows(reader: Reader, *found: Any, **form: Any) -> list[list[str]]:
    return [line.decode().split("\t") for line in reader.page(page(*found, **form)).rows.splitlines()]


def digests(reader: Reader, *found: Any, **form: Any) -> list[str]:
    return [row[2] for row in rows(reader, *found, **form)]


tables = st.lists(items.filter(speakable), min_size=1, max_size=4)


def keyed(contents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**content, **item(number)} for number, content in enumerate(contents)]


@given(tables, st.randoms(use_true_random=False), st.booleans())
def test_another_spelling_has_the_same_digest(
    contents: list[dict[str, Any]], rng: random.Random, spaced: bool
) -> None:
    one = keyed(contents)
    other = [{**respelled({"M": content}, rng)["M"], **item(n)} for n, content in enumerate(one)]
    for found in other:
        names = list(found)
        rng.shuffle(names)
        for name in names:
            found[name] = found.pop(name)
    assert digests(Reader(KEYS), *one) == digests(Reader(KEYS), *other, spaced=spaced)


@given(st.lists(items.filter(speakable), min_size=2, max_size=4))
def test_items_that_differ_have_other_digests(contents: list[dict[str, Any]]) -> None:
    # One key for all: only what they hold may tell them apart.
    found = [{**content, **item(1)} for content in contents]
    seen = digests(Reader(KEYS), *found)
    meanings = [meaning({"M": content}) for content in found]
    for a in range(len(found)):
        for b in range(a):
            assert (seen[a] == seen[b]) == (meanings[a] == meanings[b])


def plainly(value: Any) -> Any:
    """The same value with its numbers as DynamoDB spells them."""
    ((kind, content),) = value.items()
    if kind in ("L", "NS"):
        return {kind: [plainly(one) if kind == "L" else number(one) for one in content]}
    if kind == "M":
        return {kind: {name: plainly(one) for name, one in content.items()}}
    return {kind: number(content)} if kind == "N" else value


plain_tables = tables.map(lambda found: [plainly({"M": content})["M"] for content in found])


@given(plain_tables, plain_tables)
def test_what_was_learned_changes_no_row(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> None:
    reader = Reader(KEYS)
    fresh = rows(Reader(KEYS), *keyed(second))
    # Unseen, seen before, and mixed with others.
    rows(reader, *keyed(first))
    assert rows(reader, *keyed(second)) == fresh
    assert rows(reader, *keyed(second)) == fresh


def test_a_row_has_the_key_the_digest_and_the_time_to_live() -> None:
    reader = Reader(KEYS, expiry="until")
    found = [
        {"pk": {"S": 'Z\t"ü\n'}, "sk": {"N": "2"}, "until": {"N": "1790000000"}},
        {"pk": {"S": "b"}, "sk": {"N": "-1.5"}},
        {"pk": {"S": "c"}, "sk": {"N": "0"}, "until": {"S": "1790000000"}},
    ]
    for _ in range(2):
        read = rows(reader, *found)
        assert [(row[0], row[1], row[3]) for row in read] == [
            ('"Z\\t\\"ü\\n"', '"2"', "1790000000"),
            ('"b"', '"-1.5"', ""),
            ('"c"', '"0"', ""),
        ]
        assert all(len(row[2]) == 32 for row in read)


def test_a_table_without_a_sort_key() -> None:
    reader = Reader(KeySchema((("id", "B"),)))
    assert [row[:2] for row in rows(reader, {"id": {"B": "AP8="}})] == [['"AP8="', "-"]]


def test_ignored_attributes_leave_no_trace_but_keys_count() -> None:
    for _ in range(2):
        reader = Reader(KEYS, ignored=["a", "pk"])
        bare = digests(Reader(KEYS), item(1))
        for _ in range(2):
            assert digests(reader, item(1, a={"S": "x"})) == bare
        assert digests(reader, {**item(1), "pk": {"S": "other"}}) != bare


def test_an_attribute_that_changes_its_type_is_read_rightly() -> None:
    reader = Reader(KEYS)
    digests(reader, item(1, a={"S": "x"}))
    # Not as the scalar it was until now: its elements have no order.
    assert digests(reader, item(1, a={"SS": ["x", "y"]})) == digests(reader, item(1, a={"SS": ["y", "x"]}))
    assert digests(reader, item(1, a={"S": "x"})) != digests(reader, item(1, a={"B": "x"}))


@pytest.mark.parametrize("count", [10, 200])
def test_more_names_than_are_learned(count: int) -> None:
    found = item(1, **{f"attribute{n}": {"N": str(n)} for n in range(count)})
    other = dict(reversed(found.items()))
    reader = Reader(KEYS)
    for _ in range(3):
        assert digests(reader, found) == digests(reader, other) == digests(Reader(KEYS), other)


@pytest.mark.parametrize("name", ["", 'a"b', "a\\b", "a\nb", "__x", "S", "é", "a b", "0"])
def test_names_of_all_kinds(name: str) -> None:
    reader = Reader(KEYS)
    for _ in range(2):
        assert digests(reader, item(1, **{name: {"S": "x"}}, b={"S": "y"})) == digests(
            reader, {"b": {"S": "y"}, name: {"S": "x"}, **item(1)}
        )
        assert digests(reader, item(1, **{name: {"S": "x"}})) != digests(reader, item(1, other={"S": "x"}))


def test_what_looks_like_a_number_in_a_string_is_left_alone() -> None:
    texts = ['"N":"1.0"', '{"N":"1.0"}', '"NS":["1.0"]']
    plain = ['"N":"1"', '{"N":"1"}', '"NS":["1"]']
    for text, other in zip(texts, plain, strict=True):
        odd = {"N": "1.0"}
        assert digests(Reader(KEYS), item(1, t={"S": text}, n=odd)) != digests(
            Reader(KEYS), item(1, t={"S": other}, n=odd)
        )


def test_odd_numbers_are_noticed_on_later_pages_too() -> None:
    reader = Reader(KEYS)
    plain = digests(Reader(KEYS), item(1, n={"N": "1"}))
    seen = [digests(reader, item(1, n={"N": "1"})) for _ in range(16)]
    assert seen == [plain] * 16
    assert digests(reader, item(1, n={"N": "1.0"})) == plain


def test_the_answer_of_a_batch_has_the_digests_of_a_scan() -> None:
    found = [item(1, n={"N": "1.0"}, tags={"SS": ["b", "a"]}), item(2, t={"S": "x"})]
    # A line separator is not the end of a row.
    found.append({"pk": {"S": "a\u2028b\t"}, "sk": {"N": "3"}})
    body = json.dumps({"Responses": {"cities": found}, "UnprocessedKeys": {}}, ensure_ascii=False).encode()
    scanned = rows(Reader(KEYS), *found)
    read = Reader(KEYS).digests(batch(body).Responses["cities"])
    several = [forms for _, _, forms in read]
    assert [[partition, sort, forms[0]] for partition, sort, forms in read] == [row[:3] for row in scanned]
    # A scan that has not noticed the odd spelling enters the other one.
    unaware = Reader(KEYS)
    digests(unaware, item(3))
    assert digests(unaware, *found)[0] == several[0][1]
    assert len(several[1]) == len(several[2]) == 1


def test_the_end_of_a_segment_and_its_cost() -> None:
    last = {"pk": {"S": "k"}, "sk": {"N": "1"}}
    more = Reader(KEYS).page(page(item(1), LastEvaluatedKey=last, ConsumedCapacity={"CapacityUnits": 0.5}))
    assert json.loads(more.last_key or b"") == last
    assert (more.items, more.units) == (1, 0.5)
    end = Reader(KEYS).page(page())
    assert (end.rows, end.items, end.last_key, end.units) == (b"", 0, None, 0.0)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"{}",
        page(item(1))[:-1],
        page(item(1)).replace(b'"Count":1', b'"Count":2'),
        page({"pk": {"X": "k"}, "sk": {"N": "1"}}),
        page({"pk": {}, "sk": {"N": "1"}}),
        page({"pk": {"S": "k"}}),
        page({"pk": {"S": "k"}, "sk": {"S": "1"}}),
        page(item(1), {"pk": {"S": "k"}}),
        page(item(1), LastEvaluatedKey=None),
        page(item(1), LastEvaluatedKey={}),
        page(item(1), LastEvaluatedKey="pk"),
        page(item(1), LastEvaluatedKey={"pk": "k"}),
    ],
)
def test_what_is_no_page_is_refused(body: bytes) -> None:
    with pytest.raises(BadPage):
        Reader(KEYS).page(body)
    reader = Reader(KEYS)
    reader.page(page(item(1)))
    with pytest.raises(BadPage):
        reader.page(body)
