"""Expressions against the Developer Guide's examples and rules."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tablecopy.dynamodb.client import Json
from tests.simulation.tables import number, text
from tools.simulation.errors import ServiceError
from tools.simulation.expressions import (
    Scope,
    check_placeholders,
    condition,
    key_condition,
    projection,
    update,
)

ITEM = {
    "pk": text("a"),
    "price": number(500),
    "status": text("open"),
    "colors": {"SS": ["Red", "Green"]},
    "parts": {"L": [text("Hinge"), {"M": {"count": number(2)}}]},
    "picture": {"B": "AAEC"},
    "nil": {"NULL": True},
}
NAMES = {"#s": "status", "#c": "count"}
VALUES = {
    ":low": number(5),
    ":high": {"N": "5E2"},
    ":open": text("open"),
    ":o": text("o"),
    ":red": text("Red"),
    ":hinge": text("Hinge"),
    ":S": text("S"),
    ":two": number(2.0),
    ":bytes": {"B": "AAE="},
}


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("price = :high", True),
        ("price <> :high", False),
        ("price > :low AND price <= :high", True),
        ("price BETWEEN :low AND :high", True),
        ("price < :open", False),
        ("#s IN (:red, :open)", True),
        ("NOT #s = :open OR price = :low", False),
        ("NOT (#s = :open AND price = :low)", True),
        ("attribute_exists(parts[1].#c)", True),
        ("attribute_not_exists(parts[2])", True),
        ("attribute_not_exists(absent) and attribute_exists(nil)", True),
        ("absent = :low", False),
        ("absent < :low", False),
        ("begins_with(#s, :o)", True),
        ("begins_with(picture, :bytes)", True),
        ("contains(colors, :red)", True),
        ("contains(parts, :hinge)", True),
        ("contains(#s, :o)", True),
        ("attribute_type(#s, :S)", True),
        ("attribute_type(price, :S)", False),
        ("size(colors) = :two", True),
        ("size(#s) > :two", True),
        ("parts[1].#c = :two", True),
    ],
)
def test_a_condition(expression: str, holds: bool) -> None:
    assert condition(expression).test(Scope(ITEM, NAMES, VALUES)) is holds


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("", "can not be empty"),
        ("price =", "Syntax error"),
        ("price = :low price", "Syntax error"),
        ("price ~ :low", "Syntax error"),
        ("owner = :low", "reserved keyword: owner"),
        ("#undefined = :low", "not defined: #undefined"),
        ("price = :undefined", "not defined: :undefined"),
    ],
)
def test_a_condition_that_is_not_valid(expression: str, message: str) -> None:
    with pytest.raises(ServiceError, match=message):
        condition(expression).test(Scope(ITEM, NAMES, VALUES))


def test_every_placeholder_must_be_used() -> None:
    used = [condition("#s = :open").placeholders]
    check_placeholders(used, {"#s": "status"}, {":open": text("open")})
    with pytest.raises(ServiceError, match="Names unused"):
        check_placeholders(used, NAMES, {":open": text("open")})
    with pytest.raises(ServiceError, match="Values unused"):
        check_placeholders(used, {"#s": "status"}, VALUES)


def updated(expression: str, item: Json, **values: Json) -> Json:
    given: Any = {f":{name}": value for name, value in values.items()}
    changed = copy.deepcopy(item)
    update(expression).apply(Scope(item, {"#n": "n"}, given), changed)
    return changed


@pytest.mark.parametrize(
    ("expression", "item", "values", "expected"),
    [
        ("SET #n = :a", {}, {"a": number(1)}, {"n": number(1)}),
        (
            "SET #n = #n + :a, m = #n",
            {"n": number(1)},
            {"a": {"N": "0.5"}},
            {"n": number(1.5), "m": number(1)},
        ),
        ("SET #n = #n - :a", {"n": {"N": "10"}}, {"a": {"N": "0.1"}}, {"n": number(9.9)}),
        ("SET #n = if_not_exists(#n, :a)", {"n": number(1)}, {"a": number(2)}, {"n": number(1)}),
        ("SET #n = if_not_exists(m, :a) + :a", {}, {"a": number(2)}, {"n": number(4)}),
        (
            "SET #n = list_append(#n, :a)",
            {"n": {"L": [text("x")]}},
            {"a": {"L": [text("y")]}},
            {"n": {"L": [text("x"), text("y")]}},
        ),
        ("SET #n.m = :a", {"n": {"M": {}}}, {"a": text("x")}, {"n": {"M": {"m": text("x")}}}),
        ("SET #n[5] = :a", {"n": {"L": []}}, {"a": text("x")}, {"n": {"L": [text("x")]}}),
        ("REMOVE #n, m", {"n": text("x"), "k": text("y")}, {}, {"k": text("y")}),
        ("ADD #n :a", {}, {"a": number(3)}, {"n": number(3)}),
        ("ADD #n :a", {"n": number(1)}, {"a": number(-3)}, {"n": number(-2)}),
        ("ADD #n :a", {"n": {"SS": ["x"]}}, {"a": {"SS": ["x", "y"]}}, {"n": {"SS": ["x", "y"]}}),
        ("DELETE #n :a", {"n": {"SS": ["x", "y"]}}, {"a": {"SS": ["x"]}}, {"n": {"SS": ["y"]}}),
        ("DELETE #n :a", {"n": {"NS": ["1"]}}, {"a": {"NS": ["1.0"]}}, {}),
        ("SET m = :a REMOVE #n", {"n": text("x")}, {"a": text("y")}, {"m": text("y")}),
    ],
)
def test_an_update(expression: str, item: Json, values: Json, expected: Json) -> None:
    before = repr(item)
    assert updated(expression, item, **values) == expected
    assert repr(item) == before


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("SET m = absent", "does not exist in the item"),
        ("SET m.x = :a", "invalid for update"),
        ("SET #n = #n + :a", "incorrect data type"),
        ("SET m = :a, m = :a", "overlap"),
        ("SET m = :a SET k = :a", "Syntax error"),
        ("m = :a", "Syntax error"),
    ],
)
def test_an_update_that_is_not_valid(expression: str, message: str) -> None:
    with pytest.raises(ServiceError, match=message):
        updated(expression, {"n": text("x")}, a=text("y"))


def test_a_key_condition() -> None:
    parsed = key_condition("#p = :a AND (sk BETWEEN :b AND :c)")
    assert parsed.parts == ((("#p",), "=", (":a",)), (("sk",), "BETWEEN", (":b", ":c")))
    with pytest.raises(ServiceError, match="Invalid operator"):
        key_condition("pk <> :a")


def test_a_projection() -> None:
    assert projection("pk, #s, absent").apply(Scope(ITEM, NAMES, {})) == {
        "pk": text("a"),
        "status": text("open"),
    }
