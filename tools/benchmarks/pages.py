"""Scan pages, encoded beforehand: serving one costs little more than sending it."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass

from tools.benchmarks import shapes
from tools.benchmarks.shapes import LETTER, SIZES, Item

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
        The lowest number of an item (see Pages) and how many follow one another from there.
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

    Parameters
    ----------
    shape, items, seed
        What the table holds.
    mirrored
        The same items as without it, but from the last to the first: the segments, their pages, and the items
        on these; and within each item all that has no order in another one (`shapes.reordered`).
    letter
        What the partition keys begin with. Tables with different letters have no key in common.
    """

    def __init__(
        self, shape: str, items: int, seed: int, *, mirrored: bool = False, letter: str = LETTER
    ) -> None:
        self.items = items
        self.per_page = PAGE_BYTES // SIZES[shape]
        self._mirrored = mirrored
        self._letter = letter
        rng = random.Random(f"{seed} {shape}")
        made = (
            shapes.item(shape, rng, f"{_PLACE}{index:05d}", index, letter) for index in range(self.per_page)
        )
        self._encoded = [
            json.dumps(
                shapes.reordered(item) if mirrored else item, ensure_ascii=False, separators=(",", ":")
            ).encode()
            for item in made
        ]
        self._whole = self._joined(0, self.per_page)

    def scan(self, segment: int, total: int, after: Item | None = None, limit: int | None = None) -> Page:
        """The page of ``segment`` of ``total`` that begins behind the key ``after``, ``limit`` items at most.

        A page also ends where one that began at the segment's start would have ended.
        """
        if self._mirrored:
            segment = total - 1 - segment
        # What is still to come of the segment's items, counted from its first.
        begin, end = 0, self._size_of(segment, total)
        if after is not None and self._mirrored:
            end = self._place(after)
        elif after is not None:
            begin = self._place(after) + 1
        if begin >= end:
            return Page(b"", 0, 0, None)
        number = (end - 1 if self._mirrored else begin) // self.per_page
        start = max(begin - number * self.per_page, 0)
        stop = min(end - number * self.per_page, self.per_page)
        if limit is not None and self._mirrored:
            start = max(start, stop - limit)
        elif limit is not None:
            stop = min(stop, start + limit)
        count = stop - start
        name = f"{segment:04d}{number:06d}"
        last = None
        if count < end - begin:
            index = start if self._mirrored else stop - 1
            last = shapes.key(f"{name}{index:05d}", index, self._letter)
        items = self._whole if count == self.per_page else self._joined(start, stop)
        return Page(items.replace(_PLACE.encode(), name.encode()), int(f"{name}{start:05d}"), count, last)

    def get(self, key: Item) -> bytes | None:
        """The encoded item with that ``key``, or None if the table has none.

        A key that a scan over more segments than the client's would have served is taken for one that is
        there: what is asked for was scanned before.
        """
        number = key["pk"]["S"][1:]
        index = int(number[10:])
        if key != shapes.key(number, index, self._letter) or index >= self.per_page:
            return None
        return self._encoded[index].replace(_PLACE.encode(), number[:10].encode())

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

    def _joined(self, start: int, stop: int) -> bytes:
        encoded = self._encoded[start:stop]
        return b",".join(encoded[::-1] if self._mirrored else encoded)

    def _size_of(self, segment: int, total: int) -> int:
        return self.items * (segment + 1) // total - self.items * segment // total

    def _place(self, key: Item) -> int:
        number = key["pk"]["S"]
        return int(number[5:11]) * self.per_page + int(number[11:])
