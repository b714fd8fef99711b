"""Conditions on the item that was read, within DynamoDB's limits."""

from __future__ import annotations

import re
from typing import Any

import pytest

from verify.repair.conditions import MAX_EXPRESSION_BYTES, MAX_OPERATORS, TooWide, is_absent, is_unchanged


def item(attributes: int) -> dict[str, Any]:
    return {"pk": {"S": "a"}, "sk": {"N": "1"}, **{f"a{n}": {"S": str(n)} for n in range(attributes)}}


def operators(expression: str) -> int:
    return len(re.findall(r"=| AND |attribute_(?:not_)?exists", expression))


def test_where_there_is_no_item() -> None:
    assert is_absent("pk") == {
        "ConditionExpression": "attribute_not_exists(#k)",
        "ExpressionAttributeNames": {"#k": "pk"},
    }


def test_each_attribute_is_guarded() -> None:
    new = {"pk": {"S": "a"}, "x": {"S": "new"}, "z": {"NULL": True}}
    assert is_unchanged({"pk": {"S": "a"}, "x": {"S": "old"}, "y": {"L": []}}, ["pk"], new) == {
        "ConditionExpression": "attribute_exists(#k) AND #0=:0 AND #1=:1 AND attribute_not_exists(#2)",
        "ExpressionAttributeNames": {"#k": "pk", "#0": "x", "#1": "y", "#2": "z"},
        "ExpressionAttributeValues": {":0": {"S": "old"}, ":1": {"L": []}},
    }


def test_an_item_that_is_all_key() -> None:
    assert is_unchanged({"pk": {"S": "a"}, "sk": {"N": "1"}}, ["pk", "sk"]) == {
        "ConditionExpression": "attribute_exists(#k)",
        "ExpressionAttributeNames": {"#k": "pk"},
    }


def test_the_widest_item_that_fits() -> None:
    expression = is_unchanged(item(149), ["pk", "sk"])["ConditionExpression"]
    assert operators(expression) == MAX_OPERATORS - 1
    assert len(expression) <= MAX_EXPRESSION_BYTES
    with pytest.raises(TooWide, match="150 attributes are more than one condition can guard"):
        is_unchanged(item(150), ["pk", "sk"])


def test_attributes_to_come_count_by_their_length_too() -> None:
    expression = is_unchanged(item(0), ["pk", "sk"], item(135))["ConditionExpression"]
    assert MAX_EXPRESSION_BYTES - 40 < len(expression) <= MAX_EXPRESSION_BYTES
    with pytest.raises(TooWide):
        is_unchanged(item(0), ["pk", "sk"], item(137))
