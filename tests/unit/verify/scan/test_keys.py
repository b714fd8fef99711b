"""Keys: equal as DynamoDB sees them, and in an order people expect."""

from __future__ import annotations

from base64 import b64encode
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.verify.items import numbers
from verify.scan.keys import KeySchema

SCHEMA = KeySchema((("pk", "S"), ("sk", "N")))


def key(pk: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"N": sk}}


def test_numeric_keys_are_equal_by_value() -> None:
    assert (
        SCHEMA.identity(key("a", "1")) == SCHEMA.identity(key("a", "1.0")) == SCHEMA.identity(key("a", "1E0"))
    )
    assert SCHEMA.identity(key("a", "1")) != SCHEMA.identity(key("a", "10"))


def test_parts_of_a_key_do_not_run_together() -> None:
    schema = KeySchema((("pk", "S"), ("sk", "S")))
    one = {"pk": {"S": "aS1:b"}, "sk": {"S": "c"}}
    other = {"pk": {"S": "a"}, "sk": {"S": "bS1:c"}}
    assert schema.identity(one) != schema.identity(other)


def test_a_key_is_read_back_from_its_row() -> None:
    assert SCHEMA.of_row('"Z\\"\\u00fc\\n"', '"-1.5"') == key('Z"ü\n', "-1.5")
    assert KeySchema((("id", "B"),)).of_row('"AP8="', "-") == {"id": {"B": "AP8="}}


def test_keys_sort_by_value_not_by_spelling() -> None:
    keys = [key("b", "1"), key("a", "10"), key("a", "9"), key("a", "-3"), key("aa", "0"), key("a", "0")]
    assert sorted(keys, key=SCHEMA.order) == [
        key("a", "-3"),
        key("a", "0"),
        key("a", "9"),
        key("a", "10"),
        key("aa", "0"),
        key("b", "1"),
    ]


@given(numbers, numbers)
def test_numbers_sort_by_value(one: str, other: str) -> None:
    order = KeySchema((("id", "N"),)).order
    first, second = order({"id": {"N": one}}), order({"id": {"N": other}})
    assert (first < second) == (Decimal(one) < Decimal(other))
    assert (first == second) == (Decimal(one) == Decimal(other))


@given(*[st.tuples(st.binary(max_size=3), st.binary(max_size=3))] * 2)
def test_binary_keys_sort_by_their_bytes_part_by_part(
    one: tuple[bytes, bytes], other: tuple[bytes, bytes]
) -> None:
    schema = KeySchema((("pk", "B"), ("sk", "B")))

    def order(parts: tuple[bytes, bytes]) -> bytes:
        pk, sk = (b64encode(part).decode() for part in parts)
        return schema.order({"pk": {"B": pk}, "sk": {"B": sk}})

    assert (order(one) < order(other)) == (one < other)


def test_the_schema_is_read_from_the_table_description() -> None:
    description = {
        "KeySchema": [
            {"AttributeName": "sk", "KeyType": "RANGE"},
            {"AttributeName": "pk", "KeyType": "HASH"},
        ],
        "AttributeDefinitions": [
            {"AttributeName": "index", "AttributeType": "B"},
            {"AttributeName": "sk", "AttributeType": "N"},
            {"AttributeName": "pk", "AttributeType": "S"},
        ],
    }
    assert KeySchema.of(description) == SCHEMA
    assert str(SCHEMA) == "pk (S), sk (N)"


def test_an_item_gives_its_key() -> None:
    with pytest.raises(KeyError):
        SCHEMA.key_of({"pk": {"S": "a"}})
    assert SCHEMA.key_of({**key("a", "1.0"), "x": {"S": "y"}}) == key("a", "1.0")
