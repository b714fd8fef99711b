"""The data, made from a seed: items, the scan pages that hold them, and batches of stream records.

Items have one of three shapes: small (120 B), medium (360 B, nine attributes) and large (4 KB). Sizes are
DynamoDB's (Developer Guide, "DynamoDB item sizes and formats"): names and values, not their JSON.
"""

from __future__ import annotations

import json
import random
import string
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Item = dict[str, Any]
"""An item in DynamoDB's own JSON."""

SHAPES = ("small", "medium", "large")

SIZES = {"small": 120, "medium": 360, "large": 4096}
"""Size of an item of each shape, in DynamoDB's bytes."""

KEY_NAMES = ("pk", "sk")

LETTER = "k"
"""The usual first letter of partition keys."""

_WORDS = (
    "amber",
    "birch",
    "cedar",
    "dune",
    "Über",
    "fjord",
    "glen",
    'the "hill"',
    "Île",
    "a\\b",
    "kelp",
    "loch",
)


_TEXT = "".join(random.Random(0).choices(string.ascii_lowercase + "     ", k=64 * 1024))


def key(number: str, index: int, letter: str = LETTER) -> Item:
    """Return the key of an item: a letter and its 15-digit ``number``, and its place on its page."""
    return {"pk": {"S": f"{letter}{number}"}, "sk": {"N": str(index)}}


def item(shape: str, rng: random.Random, number: str, index: int, letter: str = LETTER) -> Item:
    """Return an item of ``shape`` with that key and ``SIZES[shape]`` bytes, its attributes shuffled."""
    attributes = {**key(number, index, letter), **_ATTRIBUTES[shape](rng)}
    missing = SIZES[shape] - size(attributes) - len("note")
    attributes["note"] = {"S": _letters(rng, missing)}
    names = list(attributes)
    rng.shuffle(names)
    return {name: attributes[name] for name in names}


def reordered(attributes: Item) -> Item:
    """Return an equal item or map, with its names and the elements of its sets in reverse order."""
    return {name: _reordered_value(value) for name, value in reversed(attributes.items())}


def _reordered_value(value: Item) -> Item:
    ((kind, content),) = value.items()
    match kind:
        case "SS":
            return {kind: content[::-1]}
        case "L":
            return {kind: [_reordered_value(element) for element in content]}
        case "M":
            return {kind: reordered(content)}
    return value


def size(attributes: Item) -> int:
    """Return the size of ``attributes`` as an item or a map's content, in DynamoDB's bytes."""
    return sum(len(name.encode()) + _value_size(value) for name, value in attributes.items())


def _value_size(value: Item) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return len(content.strip("-").replace(".", "")) // 2 + 2
        case "SS":
            return sum(len(element.encode()) for element in content)
        case "L":
            return 3 + sum(1 + _value_size(element) for element in content)
        case "M":
            return 3 + len(content) + size(content)
        case "BOOL":
            return 1
    raise ValueError(f"an attribute of type {kind} is not made here")


def _small(rng: random.Random) -> Item:
    return {"status": {"S": rng.choice(_WORDS)}, "count": {"N": str(rng.randrange(1000))}}


def _medium(rng: random.Random) -> Item:
    """Six of its nine attributes; the others are the key's two and the note."""
    return {
        "name": {"S": " ".join(rng.sample(_WORDS, 3))},
        "price": {"N": f"{rng.randrange(1, 100_000)}.5"},
        "active": {"BOOL": rng.random() < 0.5},
        "tags": {"SS": sorted(rng.sample(_WORDS, 3))},
        "history": {"L": [{"N": str(rng.randrange(10**6))} for _ in range(4)]},
        "address": {
            "M": {
                "street": {"S": rng.choice(_WORDS)},
                "zip": {"S": f"{rng.randrange(10**5):05d}"},
                "position": {"M": {"north": {"N": _fraction(rng)}, "sure": {"BOOL": True}}},
            }
        },
    }


def _fraction(rng: random.Random) -> str:
    """Up to six places, without zeros at the end: DynamoDB trims them (Developer Guide, "Number")."""
    return f"{rng.uniform(-90, 90):.6f}".rstrip("0").rstrip(".")


def _large(rng: random.Random) -> Item:
    return {**_medium(rng), "lines": {"L": [{"M": _line(rng)} for _ in range(12)]}}


def _line(rng: random.Random) -> Item:
    return {
        "sku": {"S": _letters(rng, 12)},
        "amount": {"N": str(rng.randrange(1, 100))},
        "price": {"N": f"{rng.randrange(1, 10_000)}.99"},
        "text": {"S": _letters(rng, 240)},
    }


_ATTRIBUTES: dict[str, Callable[[random.Random], Item]] = {
    "small": _small,
    "medium": _medium,
    "large": _large,
}


def _letters(rng: random.Random, count: int) -> str:
    start = rng.randrange(len(_TEXT) - count)
    return _TEXT[start : start + count]


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
        The key to continue from; None on a segment's last page.
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
        on these.
    respelled
        Within each item all that has no order is in another one (`reordered`).
    letter
        What the partition keys begin with. Tables with different letters have no key in common.
    """

    def __init__(
        self,
        shape: str,
        items: int,
        seed: int,
        *,
        mirrored: bool = False,
        respelled: bool = False,
        letter: str = LETTER,
    ) -> None:
        self.items = items
        self.per_page = PAGE_BYTES // SIZES[shape]
        self._mirrored = mirrored
        self._letter = letter
        rng = random.Random(f"{seed} {shape}")
        made = (item(shape, rng, f"{_PLACE}{index:05d}", index, letter) for index in range(self.per_page))
        self._encoded = [
            json.dumps(
                reordered(one) if respelled else one, ensure_ascii=False, separators=(",", ":")
            ).encode()
            for one in made
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
            last = key(f"{name}{index:05d}", index, self._letter)
        items = self._whole if count == self.per_page else self._joined(start, stop)
        return Page(items.replace(_PLACE.encode(), name.encode()), int(f"{name}{start:05d}"), count, last)

    def get(self, wanted: Item) -> bytes | None:
        """Return the encoded item with the key ``wanted``; None if the table has none.

        A key that a scan over more segments than the client's would have served is taken for one that is
        there: what is asked for was scanned before.
        """
        number = wanted["pk"]["S"][1:]
        index = int(number[10:])
        if wanted != key(number, index, self._letter) or index >= self.per_page:
            return None
        return self._encoded[index].replace(_PLACE.encode(), number[:10].encode())

    def checksum(self) -> tuple[int, int]:
        """Return the number of items that a scan reads, and the sum of their numbers."""
        items = numbers = 0
        after: Item | None = None
        while True:
            page = self.scan(0, 1, after)
            items += page.count
            numbers += sum(range(page.first, page.first + page.count))
            after = page.last_key
            if after is None:
                return items, numbers

    def _joined(self, start: int, stop: int) -> bytes:
        encoded = self._encoded[start:stop]
        return b",".join(encoded[::-1] if self._mirrored else encoded)

    def _size_of(self, segment: int, total: int) -> int:
        return self.items * (segment + 1) // total - self.items * segment // total

    def _place(self, last: Item) -> int:
        number = last["pk"]["S"]
        return int(number[5:11]) * self.per_page + int(number[11:])


STREAM_ARN = "arn:aws:dynamodb:eu-west-1:111111111111:table/source/stream/2026-01-01T00:00:00.000"

BATCH_RECORDS = 1000

# The key that a hot batch changes again and again.
HOT_NUMBER = 999_999_00000

_KINDS = ("INSERT", "MODIFY", "REMOVE")
_WEIGHTS = (40, 45, 15)

# Sequence numbers have 21 to 40 digits (Streams API reference).
_FIRST_SEQUENCE_NUMBER = 10**24


@dataclass(frozen=True)
class Batches:
    """Batches of one shard, numbered from 0, each of the same records whenever it is made.

    Attributes
    ----------
    hot
        How many records of a batch are changes of one key; every other record is of a key of its own, so
        that nothing is gained by coalescing.
    """

    shape: str
    seed: int
    records: int = BATCH_RECORDS
    hot: int = 0

    def event(self, number: int) -> dict[str, Any]:
        """The event of batch ``number``."""
        rng = random.Random(f"{self.seed} {self.shape} {number}")
        hot = set(rng.sample(range(self.records), self.hot))
        return {
            "Records": [
                self._record(rng, number, index, is_hot=index in hot) for index in range(self.records)
            ]
        }

    def _record(self, rng: random.Random, batch: int, index: int, *, is_hot: bool) -> dict[str, Any]:
        kind = "MODIFY" if is_hot else rng.choices(_KINDS, _WEIGHTS)[0]
        number, place = (HOT_NUMBER, 0) if is_hot else (batch * 100_000 + index, index)
        image = item(self.shape, rng, f"{number:015d}", place)
        change = {
            # Now: a day later, the replicator would not apply them any more.
            "ApproximateCreationDateTime": int(time.time()),
            "Keys": key(f"{number:015d}", place),
            "SequenceNumber": str(_FIRST_SEQUENCE_NUMBER + batch * self.records + index),
            "SizeBytes": SIZES[self.shape],
            "StreamViewType": "NEW_IMAGE",
        }
        return {
            "eventID": f"{batch:08x}{index:08x}",
            "eventName": kind,
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": "eu-west-1",
            "eventSourceARN": STREAM_ARN,
            "dynamodb": change if kind == "REMOVE" else {**change, "NewImage": image},
        }


def checksum(event: dict[str, Any], *, removals: bool) -> tuple[int, int]:
    """How many keys ``event`` changes, with or without those it removes, and the sum of their numbers."""
    numbers = {
        int(record["dynamodb"]["Keys"]["pk"]["S"][1:])
        for record in event["Records"]
        if removals or record["eventName"] != "REMOVE"
    }
    return len(numbers), sum(numbers)
