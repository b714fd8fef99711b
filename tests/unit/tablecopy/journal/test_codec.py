"""The journal's codec: every kind of field comes back, and each has the attribute that it should."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import pytest

from tablecopy.dynamodb.client import Json
from tablecopy.journal.codec import decode, encode, stored_as


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Record:
    name: str
    count: int
    share: float
    done: bool
    colour: Colour
    words: tuple[str, ...]
    key: Json
    since: float | None = None
    renamed: int = stored_as("former", 3)


RECORD = Record("é", 10**30, 0.1, True, Colour.RED, ("a", ""), {"pk": {"S": "x"}}, 1.5, 7)


def test_everything_comes_back() -> None:
    assert decode(Record, encode(RECORD)) == RECORD


def test_each_field_is_an_attribute() -> None:
    assert encode(RECORD) == {
        "name": {"S": "é"},
        "count": {"N": "1" + "0" * 30},
        "share": {"N": "0.1"},
        "done": {"BOOL": True},
        "colour": {"S": "red"},
        "words": {"L": [{"S": "a"}, {"S": ""}]},
        "key": {"M": {"pk": {"S": "x"}}},
        "since": {"N": "1.5"},
        "former": {"N": "7"},
    }


def test_none_is_left_out_and_other_attributes_are_not_read() -> None:
    record = Record("n", 1, 1.0, False, Colour.RED, (), {})
    item = encode(record)
    assert "since" not in item
    assert decode(Record, {**item, "expires_at": {"N": "1"}}) == record


def test_a_field_can_come_from_elsewhere() -> None:
    item = encode(RECORD, without={"name"})
    assert "name" not in item
    assert decode(Record, item, name="other").name == "other"


def test_an_item_without_a_required_attribute_is_an_error() -> None:
    item = encode(RECORD, without={"count"})
    with pytest.raises(TypeError, match="count"):
        decode(Record, item)
