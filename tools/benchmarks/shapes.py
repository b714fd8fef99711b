"""Items in three shapes: small (120 B), medium (360 B, nine attributes) and large (4 KB).

Sizes are DynamoDB's (Developer Guide, "DynamoDB item sizes and formats"): names and values, not their JSON.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from typing import Any

Item = dict[str, Any]
"""An item in DynamoDB's own JSON."""

SHAPES = ("small", "medium", "large")

SIZES = {"small": 120, "medium": 360, "large": 4096}
"""What an item of each shape weighs, in DynamoDB's bytes."""

KEY_NAMES = ("pk", "sk")

LETTER = "k"
"""What the partition keys begin with, where nothing else is said."""

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
    """The key of an item: its 15-digit ``number`` behind a letter, and its place on its page."""
    return {"pk": {"S": f"{letter}{number}"}, "sk": {"N": str(index)}}


def item(shape: str, rng: random.Random, number: str, index: int, letter: str = LETTER) -> Item:
    """An item of ``shape`` with that key, of exactly ``SIZES[shape]`` bytes; its attributes in any order."""
    attributes = {**key(number, index, letter), **_ATTRIBUTES[shape](rng)}
    missing = SIZES[shape] - size(attributes) - len("note")
    attributes["note"] = {"S": _letters(rng, missing)}
    names = list(attributes)
    rng.shuffle(names)
    return {name: attributes[name] for name in names}


def reordered(attributes: Item) -> Item:
    """An equal item, or map's content: names and sets' elements, which have no order, in another one."""
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
    """What ``attributes`` weigh as an item or a map's content, in DynamoDB's bytes."""
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
