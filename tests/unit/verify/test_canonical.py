"""Equality: items are equal exactly when DynamoDB would say so, and the digest agrees.

Hypothesis makes items, respells them without changing what they mean, and changes what they mean. A
second implementation of equality, on plain Python values, is the judge.
"""

from __future__ import annotations

import random
from decimal import Context, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verify.canonical import canonical, digest, number
from verify.differences import changed_paths

EXACT = Context(prec=400)

texts = st.text(max_size=6) | st.sampled_from(
    ["", "1", "a\nb", "__x", "'", '"', "\\n", "é", "e\u0301", "\ud800"]
)
binaries = st.binary(max_size=6) | st.sampled_from([b"1", b"a\n", b"\xff"])
numbers = st.one_of(
    st.integers(-100, 100).map(str),
    st.integers(-(10**38) + 1, 10**38 - 1).map(str),
    st.builds(
        lambda digits, exponent: f"{digits}E{exponent}",
        st.integers(-(10**38) + 1, 10**38 - 1),
        st.integers(-130, 80),
    ),
    st.sampled_from(["0", "-0", "0.0", "1", "1.0", "1E0", "0.1", "1e-1", "100", "1E2", "00", "+1"]),
)


def unique_by_value(spellings: list[str]) -> list[str]:
    return list({Decimal(spelling): spelling for spelling in spellings}.values())


scalars = st.one_of(
    texts.map(lambda v: {"S": v}),
    numbers.map(lambda v: {"N": v}),
    binaries.map(lambda v: {"B": v}),
    st.booleans().map(lambda v: {"BOOL": v}),
    st.just({"NULL": True}),
)
sets = st.one_of(
    st.lists(texts, min_size=1, max_size=4, unique=True).map(lambda v: {"SS": v}),
    st.lists(numbers, min_size=1, max_size=4).map(lambda v: {"NS": unique_by_value(v)}),
    st.lists(binaries, min_size=1, max_size=4, unique=True).map(lambda v: {"BS": v}),
)
values: st.SearchStrategy[dict[str, Any]] = st.recursive(
    scalars | sets,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda v: {"L": v}),
        st.dictionaries(texts, inner, max_size=4).map(lambda v: {"M": v}),
    ),
    max_leaves=12,
)
items = st.dictionaries(texts, values, max_size=5)


def meaning(value: dict[str, Any]) -> Any:
    """What a value means, in Python's own terms: the judge."""
    ((kind, content),) = value.items()
    if kind == "N":
        return kind, Decimal(content)
    if kind == "NS":
        return kind, frozenset(Decimal(element) for element in content)
    if kind in ("SS", "BS"):
        return kind, frozenset(content)
    if kind == "L":
        return kind, tuple(meaning(element) for element in content)
    if kind == "M":
        return kind, frozenset((name, meaning(element)) for name, element in content.items())
    return kind, content


def respelled_number(text: str, rng: random.Random) -> str:
    value = Decimal(text)
    if not value:
        return rng.choice(["0", "-0", "0.00", "0E5"])
    plain = format(value, "f")
    return rng.choice(
        [
            text,
            plain,
            f"{plain}00" if "." in plain else f"{plain}.00",
            f"{EXACT.scaleb(value, 5)}E-5" if "E" not in str(EXACT.scaleb(value, 5)) else text,
            f"{value:E}",
        ]
    )


def respelled(value: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """The same value, spelled another way."""
    ((kind, content),) = value.items()
    if kind == "N":
        return {kind: respelled_number(content, rng)}
    if kind == "L":
        return {kind: [respelled(element, rng) for element in content]}
    if kind == "M":
        names = list(content)
        rng.shuffle(names)
        return {kind: {name: respelled(content[name], rng) for name in names}}
    if kind in ("SS", "NS", "BS"):
        elements = [respelled_number(e, rng) for e in content] if kind == "NS" else list(content)
        rng.shuffle(elements)
        return {kind: elements}
    return dict(value)


@given(items, st.randoms(use_true_random=False))
def test_another_spelling_is_the_same_item(item: dict[str, Any], rng: random.Random) -> None:
    other = respelled({"M": item}, rng)["M"]
    assert digest(other) == digest(item)
    assert changed_paths(item, other) == ()


@given(values, values)
def test_values_are_equal_exactly_when_they_mean_the_same(a: dict[str, Any], b: dict[str, Any]) -> None:
    assert (canonical(a) == canonical(b)) == (meaning(a) == meaning(b))


@given(items, items)
def test_items_that_differ_have_another_digest_and_a_path(a: dict[str, Any], b: dict[str, Any]) -> None:
    equal = meaning({"M": a}) == meaning({"M": b})
    assert (digest(a) == digest(b)) == equal
    assert (changed_paths(a, b) == ()) == equal


@given(items, texts, values)
def test_one_changed_attribute_is_found_and_nothing_else(
    item: dict[str, Any], name: str, value: dict[str, Any]
) -> None:
    changed = {**item, name: value}
    found = {path.path[0] for path in changed_paths(item, changed)}
    same = name in item and meaning(item[name]) == meaning(value)
    assert found == (set() if same else {name})


@given(numbers, numbers)
def test_numbers_are_equal_exactly_by_value(a: str, b: str) -> None:
    assert (number(a) == number(b)) == (Decimal(a) == Decimal(b))
    assert Decimal(number(a)) == Decimal(a)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("1", "1"),
        ("1.0", "1"),
        ("1E0", "1"),
        ("-0", "0"),
        ("0", "0"),
        ("007", "7"),
        ("100", "100"),
        ("1E2", "100"),
        ("-12.50", "-12.5"),
        ("1E-3", "0.001"),
        ("99999999999999999999999999999999999999", "99999999999999999999999999999999999999"),
        ("9.9999999999999999999999999999999999999E+125", "99999999999999999999999999999999999999" + "0" * 88),
    ],
)
def test_numbers_are_spelled_plainly(text: str, plain: str) -> None:
    assert number(text) == plain


@pytest.mark.parametrize("text", ["", "x", "NaN", "Infinity", "1E5000"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="number"):
        number(text)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ({"N": "1"}, {"S": "1"}),
        ({"N": "12345678901234567890123456789012345678"}, {"N": "12345678901234567890123456789012345679"}),
        ({"N": "0.1"}, {"N": "0.10000000000000000000000000000000000001"}),
        ({"NULL": True}, {"S": ""}),
        ({"NULL": True}, {"BOOL": False}),
        ({"B": b"1"}, {"S": "1"}),
        ({"SS": ["1"]}, {"NS": ["1"]}),
        ({"SS": ["1"]}, {"L": [{"S": "1"}]}),
        ({"L": [{"S": "a"}, {"S": "b"}]}, {"L": [{"S": "b"}, {"S": "a"}]}),
        ({"L": []}, {"M": {}}),
        ({"S": "é"}, {"S": "e\u0301"}),
        # Parts that would run together without their lengths.
        ({"SS": ["ab", "c"]}, {"SS": ["a", "bc"]}),
        ({"L": [{"S": "aS1:b"}]}, {"L": [{"S": "a"}, {"S": "b"}]}),
        ({"L": [{"S": "aS:b"}, {"S": "c"}]}, {"L": [{"S": "a"}, {"S": "bS:c"}]}),
        ({"L": [{"S": "aSb"}, {"S": "c"}]}, {"L": [{"S": "a"}, {"S": "bSc"}]}),
        ({"M": {"a": {"S": "x1:bS1:y"}}}, {"M": {"a": {"S": "x"}, "b": {"S": "y"}}}),
    ],
)
def test_these_are_not_equal(a: dict[str, Any], b: dict[str, Any]) -> None:
    assert canonical(a) != canonical(b)
    assert digest({"x": a}) != digest({"x": b})
    assert changed_paths({"x": a}, {"x": b})


def test_missing_null_and_empty_are_three_things() -> None:
    digests = {digest({}), digest({"x": {"NULL": True}}), digest({"x": {"S": ""}})}
    assert len(digests) == 3


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(ValueError, match="no attribute type 'X'"):
        canonical({"X": "1"})
