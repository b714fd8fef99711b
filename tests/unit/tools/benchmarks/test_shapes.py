"""Items of the three shapes."""

import random
import re
from collections.abc import Iterator
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer

from tools.benchmarks.shapes import KEY_NAMES, SHAPES, SIZES, Item, item, reordered, size

NUMBER = "000000000100002"


@pytest.mark.parametrize("shape", SHAPES)
def test_an_item_weighs_what_its_shape_says(shape: str) -> None:
    rng = random.Random(7)
    for _ in range(200):
        assert size(item(shape, rng, NUMBER, 2)) == SIZES[shape]


@pytest.mark.parametrize(
    ("value", "weight"),
    [
        ({"S": "Île"}, 4),
        ({"N": "-12.5"}, 3),
        ({"BOOL": False}, 1),
        ({"SS": ["a", "bc"]}, 3),
        ({"L": [{"S": "a"}, {"S": "bc"}]}, 3 + 1 + 1 + 1 + 2),
        ({"M": {"ab": {"S": "c"}}}, 3 + 1 + 2 + 1),
    ],
)
def test_values_weigh_as_dynamodb_counts_them(value: dict[str, object], weight: int) -> None:
    assert size({"n": value}) == 1 + weight


def test_the_medium_item_has_nine_attributes_and_every_kind_of_nesting() -> None:
    medium = item("medium", random.Random(7), NUMBER, 2)
    assert len(medium) == 9
    assert {"M", "L", "SS"} <= {kind for value in medium.values() for kind in value}
    for value in medium.values():
        TypeDeserializer().deserialize(value)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_seed_decides_on_the_item(shape: str) -> None:
    made = [item(shape, random.Random(seed), NUMBER, 2) for seed in (7, 7, 8)]
    assert made[0] == made[1] != made[2]
    assert {name: made[0][name] for name in KEY_NAMES} == {"pk": {"S": f"k{NUMBER}"}, "sk": {"N": "2"}}


def parts(value: Item) -> Iterator[tuple[str, Any]]:
    """The types of a value and all in it, with their contents."""
    ((kind, content),) = value.items()
    yield kind, content
    for nested in content.values() if kind == "M" else content if kind == "L" else ():
        yield from parts(nested)


@pytest.mark.parametrize("shape", SHAPES)
def test_numbers_are_spelled_as_dynamodb_returns_them(shape: str) -> None:
    rng = random.Random(7)
    # Enough for some to end in zeros, were these not trimmed.
    made = {"M": {str(at): {"M": item(shape, rng, NUMBER, at)} for at in range(100)}}
    numbers = [content for kind, content in parts(made) if kind == "N"]
    assert len(numbers) >= 200
    for number in numbers:
        assert re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]*[1-9])?", number), number


@pytest.mark.parametrize("shape", SHAPES)
def test_a_reordered_item_is_equal_and_nothing_is_where_it_was(shape: str) -> None:
    made = item(shape, random.Random(7), NUMBER, 2)
    other = reordered(made)
    deserialize = TypeDeserializer().deserialize
    assert deserialize({"M": other}) == deserialize({"M": made})
    assert list(other) == list(made)[::-1]
    if shape != "small":
        assert other["tags"]["SS"] == made["tags"]["SS"][::-1]
        maps = [list(one["address"]["M"]["position"]["M"]) for one in (made, other)]
        assert maps[0] == maps[1][::-1]
    if shape == "large":
        lines = [[list(line["M"]) for line in one["lines"]["L"]] for one in (made, other)]
        assert lines[0] == [names[::-1] for names in lines[1]]
