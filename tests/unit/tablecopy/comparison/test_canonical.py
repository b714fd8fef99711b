"""Equality: items are equal exactly when DynamoDB would say so, and the digest agrees.

Hypothesis makes items, respells them without changing what they mean, and changes what they mean. A
second implementation of equality, on plain Python values, is the judge.
"""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tablecopy.comparison.canonical import canonical, digest, number
from tests.unit.verify.items import items, meaning, numbers, respelled, texts, values
from tests.unit.verify.pairs import EQUAL_BINARIES, NOT_EQUAL, NUMBERS
from verify.comparison.differences import changed_paths


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


@pytest.mark.parametrize(("text", "plain"), NUMBERS)
def test_numbers_are_spelled_plainly(text: str, plain: str) -> None:
    assert number(text) == plain


@pytest.mark.parametrize("text", ["", "x", "NaN", "Infinity", "1E5000"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="number"):
        number(text)


@pytest.mark.parametrize(("a", "b"), NOT_EQUAL)
def test_these_are_not_equal(a: dict[str, Any], b: dict[str, Any]) -> None:
    assert canonical(a) != canonical(b)
    assert digest({"x": a}) != digest({"x": b})
    assert changed_paths({"x": a}, {"x": b})


@pytest.mark.parametrize(("a", "b"), EQUAL_BINARIES)
def test_binary_values_are_their_bytes_whatever_their_base64(a: dict[str, Any], b: dict[str, Any]) -> None:
    assert canonical(a) == canonical(b)


def test_missing_null_and_empty_are_three_things() -> None:
    digests = {digest({}), digest({"x": {"NULL": True}}), digest({"x": {"S": ""}})}
    assert len(digests) == 3


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(ValueError, match="no attribute type 'X'"):
        canonical({"X": "1"})
