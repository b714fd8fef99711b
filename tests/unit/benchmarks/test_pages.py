"""Scan pages."""

import json
from collections.abc import Iterator

import pytest

from benchmarks.pages import PAGE_BYTES, Page, Pages
from benchmarks.shapes import KEY_NAMES, SHAPES, SIZES, Item

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
def test_each_item_is_served_once(shape: str, total: int, limit: int | None) -> None:
    pages = Pages(shape, 20_000 if shape == "small" else 7_000, seed=7)
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


def test_a_scan_goes_on_behind_any_key() -> None:
    pages = Pages("medium", 7_000, seed=7)
    whole = [number for page in scan(pages, 0, 1) for number in numbers(page)]
    anywhere = items(next(scan(pages, 0, 1)))[1234]
    following = pages.scan(0, 1, {name: anywhere[name] for name in KEY_NAMES})
    assert numbers(following)[0] == whole[1235]


def test_the_last_key_is_that_of_the_last_item() -> None:
    page = next(scan(Pages("medium", 7_000, seed=7), 0, 1))
    last = items(page)[-1]
    assert page.last_key == {name: last[name] for name in KEY_NAMES}


def test_a_segment_without_items_ends_at_once() -> None:
    page = Pages("medium", 1, seed=7).scan(0, 2)
    assert (page.items, page.count, page.last_key) == (b"", 0, None)
