"""Items, the scan pages that hold them, and batches of stream records."""

import json
import random
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer

from tablecopy.data.replicator import coalesce
from tools.benchmarks.items import (
    BATCH_RECORDS,
    HOT_NUMBER,
    KEY_NAMES,
    PAGE_BYTES,
    SHAPES,
    SIZES,
    Batches,
    Item,
    Page,
    Pages,
    checksum,
    item,
    reordered,
    size,
)

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


_MOST_PAGES = 100


def scan(pages: Pages, segment: int, total: int, limit: int | None = None) -> Iterator[Page]:
    after: Item | None = None
    for _ in range(_MOST_PAGES):
        page = pages.scan(segment, total, after, limit)
        yield page
        after = page.last_key
        if after is None:
            return
    pytest.fail("the scan does not end")


def items(page: Page) -> list[Item]:
    listed: list[Item] = json.loads(b"[" + page.items + b"]")
    return listed


def numbers(page: Page) -> list[int]:
    return [int(one["pk"]["S"][1:]) for one in items(page)]


pages_of = cache(Pages)
"""Makes the pages of a table, once for all tests: reading leaves them as they are."""


@pytest.mark.parametrize(("shape", "count"), [("small", 20_000), ("medium", 7_000), ("large", 1_500)])
@pytest.mark.parametrize("total", [1, 3])
@pytest.mark.parametrize("limit", [None, 700])
@pytest.mark.parametrize("mirrored", [False, True])
def test_each_item_is_served_once(
    shape: str, count: int, total: int, limit: int | None, mirrored: bool
) -> None:
    pages = pages_of(shape, count, seed=7, mirrored=mirrored)
    served = [page for segment in range(total) for page in scan(pages, segment, total, limit)]
    assert len(served) > 1
    seen = [number for page in served for number in numbers(page)]
    assert len(seen) == len(set(seen)) == sum(page.count for page in served)
    assert len(seen) == pages.items
    if total == 1:
        assert (len(seen), sum(seen)) == pages.checksum()
    assert len(seen) == count


def test_a_page_counts_from_its_first_number() -> None:
    pages = Pages("large", 600, seed=7)
    for page in scan(pages, 1, 2, limit=100):
        assert numbers(page) == list(range(page.first, page.first + page.count))


def test_a_page_ends_after_one_megabyte() -> None:
    first = next(scan(pages_of("medium", 7_000, seed=7), 0, 1))
    assert first.count == PAGE_BYTES // SIZES["medium"]


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_scan_goes_on_behind_any_key(mirrored: bool) -> None:
    pages = pages_of("medium", 7_000, seed=7, mirrored=mirrored)
    whole = [number for page in scan(pages, 0, 1) for number in numbers(page)]
    anywhere = items(next(scan(pages, 0, 1)))[1000]
    following = pages.scan(0, 1, {name: anywhere[name] for name in KEY_NAMES})
    assert numbers(following)[0] == whole[1001]


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_last_key_is_that_of_the_last_item(mirrored: bool) -> None:
    page = next(scan(pages_of("medium", 7_000, seed=7, mirrored=mirrored), 0, 1))
    last = items(page)[-1]
    assert page.last_key == {name: last[name] for name in KEY_NAMES}


@pytest.mark.parametrize(("mirrored", "empty"), [(False, 0), (True, 1)])
def test_a_segment_without_items_ends_at_once(mirrored: bool, empty: int) -> None:
    page = Pages("medium", 1, seed=7, mirrored=mirrored).scan(empty, 2)
    assert (page.items, page.count, page.last_key) == (b"", 0, None)


def whole(pages: Pages, total: int) -> list[Item]:
    return [item for segment in range(total) for page in scan(pages, segment, total) for item in items(page)]


@pytest.mark.parametrize("total", [1, 3])
def test_a_mirrored_table_has_equal_items_and_serves_all_of_them_backwards(total: int) -> None:
    table = whole(pages_of("medium", 7_000, seed=7), total)
    mirror = whole(pages_of("medium", 7_000, seed=7, mirrored=True, respelled=True), total)
    assert [item["pk"] for item in mirror] == [item["pk"] for item in table][::-1]
    for one, other in zip(table, mirror[::-1], strict=True):
        assert json.dumps(one) != json.dumps(other)
        assert one["tags"]["SS"] == other["tags"]["SS"][::-1]
        assert {**one, "tags": None} == {**other, "tags": None}


def test_tables_with_other_letters_have_no_key_in_common() -> None:
    tables = [whole(Pages("small", 1_000, seed=7, letter=letter), 2) for letter in "kx"]
    keys = [{item["pk"]["S"] for item in table} for table in tables]
    assert len(keys[0]) == len(keys[1]) == 1_000
    assert not keys[0] & keys[1]


@pytest.mark.parametrize("mirrored", [False, True])
def test_an_item_is_found_by_its_key(mirrored: bool) -> None:
    pages = pages_of("medium", 7_000, seed=7, mirrored=mirrored)
    for one in whole(pages, 2)[::999]:
        assert json.loads(pages.get({name: one[name] for name in KEY_NAMES}) or b"") == one


def test_a_key_of_another_table_is_not_found() -> None:
    pages = pages_of("medium", 7_000, seed=7)
    found = {"pk": {"S": "k000000000000005"}, "sk": {"N": "5"}}
    assert pages.get(found) is not None
    assert pages.get({**found, "pk": {"S": "x000000000000005"}}) is None
    assert pages.get({**found, "sk": {"N": "6"}}) is None
    assert pages.get({"pk": {"S": "k000000000099999"}, "sk": {"N": "99999"}}) is None


@pytest.mark.parametrize("shape", SHAPES)
def test_every_record_is_of_a_key_of_its_own(shape: str) -> None:
    batches = Batches(shape, seed=7)
    numbers = [batches.event(batch) for batch in (1, 2)]
    keys = {record["dynamodb"]["Keys"]["pk"]["S"] for event in numbers for record in event["Records"]}
    assert len(keys) == 2 * BATCH_RECORDS
    kinds = {record["eventName"] for event in numbers for record in event["Records"]}
    assert kinds == {"INSERT", "MODIFY", "REMOVE"}


def test_sequence_numbers_rise_from_batch_to_batch() -> None:
    batches = Batches("small", seed=7, records=10)
    records = [record for batch in (1, 2) for record in batches.event(batch)["Records"]]
    numbers = [int(record["dynamodb"]["SequenceNumber"]) for record in records]
    assert numbers == sorted(set(numbers))


def test_a_batch_is_the_same_whenever_it_is_made() -> None:
    assert Batches("medium", 7, 10).event(3) == Batches("medium", 7, 10).event(3)
    assert Batches("medium", 7, 10).event(3) != Batches("medium", 8, 10).event(3)


def test_the_checksum_is_that_of_the_keys() -> None:
    event = Batches("medium", seed=7, records=100, hot=40).event(1)
    kept = [record for record in event["Records"] if record["eventName"] != "REMOVE"]
    assert checksum(event, removals=True)[0] == len(coalesce(event["Records"])) == 61
    assert checksum(event, removals=False)[0] == len(coalesce(kept)) < 61


def test_a_hot_key_is_changed_as_often_as_asked_for() -> None:
    event = Batches("medium", seed=7, records=100, hot=40).event(1)
    keys = [record["dynamodb"]["Keys"]["pk"]["S"] for record in event["Records"]]
    assert keys.count(f"k{HOT_NUMBER:015d}") == 40
