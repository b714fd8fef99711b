"""Items of the three shapes."""

import random

import pytest
from boto3.dynamodb.types import TypeDeserializer

from benchmarks.shapes import KEY_NAMES, SHAPES, SIZES, item, size

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
        ({"N": "-12.50"}, 4),
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
