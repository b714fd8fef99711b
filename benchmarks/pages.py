"""Scan pages, encoded beforehand: serving one costs little more than sending it."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass

from benchmarks import shapes
from benchmarks.shapes import SIZES, Item

# A Scan page ends after 1 MB of items (Scan, API reference).
PAGE_BYTES = 1024 * 1024

# Stands in the encoded page for the segment's and the page's number, which are written in when it is served.
_PLACE = "SSSSPPPPPP"


@dataclass(frozen=True)
class Page:
    """Part of a scan's answer.

    Attributes
    ----------
    items
        The items, as they stand between the brackets of ``Items``.
    first, count
        Number of the first item (see Pages) and how many follow one another from there.
    last_key
        The key to go on from; None on a segment's last page.
    """

    items: bytes
    first: int
    count: int
    last_key: Item | None


class Pages:
    """A table of ``items`` items, dealt out evenly over the segments of whatever scan asks for it.

    Every page has the same items but for their keys. Each key holds a number of 15 digits: 4 of the segment,
    6 of the page, 5 of the place on it.
    """

    def __init__(self, shape: str, items: int, seed: int) -> None:
        self._items = items
        self.per_page = PAGE_BYTES // SIZES[shape]
        rng = random.Random(f"{seed} {shape}")
        self._encoded = [
            json.dumps(
                shapes.item(shape, rng, f"{_PLACE}{index:05d}", index),
                ensure_ascii=False,
                separators=(",", ":"),
            ).encode()
            for index in range(self.per_page)
        ]
        self._whole = b",".join(self._encoded)

    def scan(self, segment: int, total: int, after: Item | None = None, limit: int | None = None) -> Page:
        """The page of ``segment`` of ``total`` that begins behind the key ``after``, ``limit`` items at most.

        A page also ends where one that began at the segment's start would have ended.
        """
        place = 0 if after is None else self._place(after) + 1
        number, start = divmod(place, self.per_page)
        left = self._size_of(segment, total) - place
        count = max(0, min(self.per_page - start, left, limit or left))
        whole = count == self.per_page
        items = self._whole if whole else b",".join(self._encoded[start : start + count])
        last = None
        if count < left:
            last = shapes.key(f"{segment:04d}{number:06d}{start + count - 1:05d}", start + count - 1)
        name = f"{segment:04d}{number:06d}"
        return Page(items.replace(_PLACE.encode(), name.encode()), int(f"{name}{start:05d}"), count, last)

    def checksum(self, total: int) -> tuple[int, int]:
        """How many items a scan over ``total`` segments reads, and the sum of their numbers."""
        items = numbers = 0
        for segment in range(total):
            after: Item | None = None
            while True:
                page = self.scan(segment, total, after)
                items += page.count
                numbers += sum(range(page.first, page.first + page.count))
                after = page.last_key
                if after is None:
                    break
        return items, numbers

    def _size_of(self, segment: int, total: int) -> int:
        return self._items * (segment + 1) // total - self._items * segment // total

    def _place(self, key: Item) -> int:
        number = key["pk"]["S"]
        return int(number[5:11]) * self.per_page + int(number[11:])
