"""Scan pages."""

import json
from collections.abc import Iterator

import pytest

from tools.benchmarks.pages import PAGE_BYTES, Page, Pages
from tools.benchmarks.shapes import KEY_NAMES, SHAPES, SIZES, Item

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


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("total", [1, 3])
@pytest.mark.parametrize("limit", [None, 700])
@pytest.mark.parametrize("mirrored", [False, True])
def test_each_item_is_served_once(shape: str, total: int, limit: int | None, mirrored: bool) -> None:
    pages = Pages(shape, 20_000 if shape == "small" else 7_000, seed=7, mirrored=mirrored)
    served = [page for segment in range(total) for page in scan(pages, segment, total, limit)]
    seen = [number for page in served for number in numbers(page)]
    assert len(seen) == len(set(seen)) == sum(page.count for page in served)
    assert (len(seen), sum(seen)) == pages.checksum(total)
    assert len(seen) == (20_000 if shape == "small" else 7_000)


def test_a_page_counts_from_its_first_number() -> None:
    pages = Pages("large", 600, seed=7)
    for page in scan(pages, 1, 2, limit=100):
        assert numbers(page) == list(range(page.first, page.first + page.count))


def test_a_page_ends_after_one_megabyte() -> None:
    first = next(scan(Pages("medium", 7_000, seed=7), 0, 1))
    assert first.count == PAGE_BYTES // SIZES["medium"]


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_scan_goes_on_behind_any_key(mirrored: bool) -> None:
    pages = Pages("medium", 7_000, seed=7, mirrored=mirrored)
    whole = [number for page in scan(pages, 0, 1) for number in numbers(page)]
    anywhere = items(next(scan(pages, 0, 1)))[1000]
    following = pages.scan(0, 1, {name: anywhere[name] for name in KEY_NAMES})
    assert numbers(following)[0] == whole[1001]


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_last_key_is_that_of_the_last_item(mirrored: bool) -> None:
    page = next(scan(Pages("medium", 7_000, seed=7, mirrored=mirrored), 0, 1))
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
    table = whole(Pages("medium", 7_000, seed=7), total)
    mirror = whole(Pages("medium", 7_000, seed=7, mirrored=True), total)
    assert [item["pk"] for item in mirror] == [item["pk"] for item in table][::-1]
    for item, other in zip(table, mirror[::-1], strict=True):
        assert json.dumps(item) != json.dumps(other)
        assert item["tags"]["SS"] == other["tags"]["SS"][::-1]
        assert {**item, "tags": None} == {**other, "tags": None}


def test_tables_with_other_letters_have_no_key_in_common() -> None:
    tables = [whole(Pages("small", 1_000, seed=7, letter=letter), 2) for letter in "kx"]
    keys = [{item["pk"]["S"] for item in table} for table in tables]
    assert len(keys[0]) == len(keys[1]) == 1_000
    assert not keys[0] & keys[1]


@pytest.mark.parametrize("mirrored", [False, True])
def test_an_item_is_found_by_its_key(mirrored: bool) -> None:
    pages = Pages("medium", 7_000, seed=7, mirrored=mirrored)
    for item in whole(pages, 2)[::999]:
        assert json.loads(pages.get({name: item[name] for name in KEY_NAMES}) or b"") == item


def test_a_key_of_another_table_is_not_found() -> None:
    pages = Pages("medium", 7_000, seed=7)
    found = {"pk": {"S": "k000000000000005"}, "sk": {"N": "5"}}
    assert pages.get(found) is not None
    assert pages.get({**found, "pk": {"S": "x000000000000005"}}) is None
    assert pages.get({**found, "sk": {"N": "6"}}) is None
    assert pages.get({"pk": {"S": "k000000000099999"}, "sk": {"N": "99999"}}) is None
