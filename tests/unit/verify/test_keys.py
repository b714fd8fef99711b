"""Keys: equal as DynamoDB sees them, back again unharmed, in an order people expect."""

from __future__ import annotations

from typing import Any

import pytest

from verify.keys import KeySchema

SCHEMA = KeySchema((("pk", "S"), ("sk", "N")))


def key(pk: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"N": sk}}


def test_numeric_keys_are_equal_by_value() -> None:
    assert SCHEMA.pack(key("a", "1")) == SCHEMA.pack(key("a", "1.0")) == SCHEMA.pack(key("a", "1E0"))
    assert SCHEMA.pack(key("a", "1")) != SCHEMA.pack(key("a", "10"))


def test_parts_of_a_key_do_not_run_together() -> None:
    schema = KeySchema((("pk", "S"), ("sk", "S")))
    one = {"pk": {"S": 'a","b'}, "sk": {"S": "c"}}
    other = {"pk": {"S": "a"}, "sk": {"S": 'b","c'}}
    assert schema.pack(one) != schema.pack(other)


@pytest.mark.parametrize(
    ("kind", "content"), [("S", "Zürich\n\x00"), ("N", "-12.5"), ("B", b"\x00\xff"), ("S", "\ud800")]
)
def test_unpack_is_the_way_back(kind: str, content: Any) -> None:
    schema = KeySchema((("id", kind),))
    item = {"id": {kind: content}, "other": {"S": "x"}}
    assert schema.unpack(schema.pack(item)) == {"id": {kind: content}}


def test_keys_sort_by_value_not_by_spelling() -> None:
    packed = [SCHEMA.pack(key(pk, sk)) for pk, sk in (("b", "1"), ("a", "10"), ("a", "9"), ("a", "-3"))]
    ordered = [SCHEMA.unpack(one) for one in sorted(packed, key=SCHEMA.order)]
    assert ordered == [key("a", "-3"), key("a", "9"), key("a", "10"), key("b", "1")]


def test_binary_keys_sort_by_their_bytes() -> None:
    schema = KeySchema((("id", "B"),))
    packed = [schema.pack({"id": {"B": content}}) for content in (b"\xff", b"\x00", b"a")]
    assert [schema.unpack(one)["id"]["B"] for one in sorted(packed, key=schema.order)] == [
        b"\x00",
        b"a",
        b"\xff",
    ]


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
