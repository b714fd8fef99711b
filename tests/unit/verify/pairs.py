"""Pairs of values, of items and of tables. The tests of both comparisons share them."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any

Value = dict[str, Any]
Item = dict[str, Value]

# Spellings of a number, and its plain one.
NUMBERS = [
    ("1", "1"),
    ("1.0", "1"),
    ("1E0", "1"),
    ("-0", "0"),
    ("0", "0"),
    ("007", "7"),
    ("100", "100"),
    ("1E2", "100"),
    ("-12.50", "-12.5"),
    ("1E-3", "0.001"),
    ("99999999999999999999999999999999999999", "99999999999999999999999999999999999999"),
    ("9.9999999999999999999999999999999999999E+125", "99999999999999999999999999999999999999" + "0" * 88),
]

NOT_EQUAL: list[tuple[Value, Value]] = [
    ({"N": "1"}, {"S": "1"}),
    ({"N": "12345678901234567890123456789012345678"}, {"N": "12345678901234567890123456789012345679"}),
    ({"N": "0.1"}, {"N": "0.10000000000000000000000000000000000001"}),
    ({"NULL": True}, {"S": ""}),
    ({"NULL": True}, {"BOOL": False}),
    ({"B": "MQ=="}, {"S": "1"}),
    ({"B": "MQ=="}, {"S": "MQ=="}),
    ({"SS": ["1"]}, {"NS": ["1"]}),
    ({"SS": ["1"]}, {"L": [{"S": "1"}]}),
    ({"L": [{"S": "a"}, {"S": "b"}]}, {"L": [{"S": "b"}, {"S": "a"}]}),
    ({"L": []}, {"M": {}}),
    ({"S": "é"}, {"S": "e\u0301"}),
    # Parts that would run together without their lengths.
    ({"SS": ["ab", "c"]}, {"SS": ["a", "bc"]}),
    ({"L": [{"S": "aS1:b"}]}, {"L": [{"S": "a"}, {"S": "b"}]}),
    ({"L": [{"S": "aS:b"}, {"S": "c"}]}, {"L": [{"S": "a"}, {"S": "bS:c"}]}),
    ({"L": [{"S": "aSb"}, {"S": "c"}]}, {"L": [{"S": "a"}, {"S": "bSc"}]}),
    ({"M": {"a": {"S": "x1:bS1:y"}}}, {"M": {"a": {"S": "x"}, "b": {"S": "y"}}}),
]

# Binary values are their bytes, whatever their base64.
EQUAL_BINARIES: list[tuple[Value, Value]] = [
    ({"B": "QQ=="}, {"B": "QR=="}),
    ({"BS": ["QQ==", "Qg=="]}, {"BS": ["Qg==", "QR=="]}),
]

EVERY_CHANGE: tuple[Item, Item] = (
    {
        "same": {"N": "1"},
        "gone": {"S": "x"},
        "value": {"S": "x"},
        "type": {"N": "1"},
        "null": {"NULL": True},
        "tags": {"SS": ["a", "b", "c"]},
        "deep": {"M": {"list": {"L": [{"N": "1"}, {"M": {"x": {"B": "MQ=="}}}]}}},
    },
    {
        "same": {"N": "1.0"},
        "new": {"S": "x"},
        "value": {"S": "y"},
        "type": {"S": "1"},
        "null": {"S": ""},
        "tags": {"SS": ["c", "d", "a"]},
        "deep": {"M": {"list": {"L": [{"N": "1"}, {"M": {"x": {"B": "Mg=="}}}, {"BOOL": True}]}}},
    },
)

NAMES = ["a", "b", "__c", "d.e", "f'g", 'h"i', "root['x']", "*"]


def numbers(first: int, count: int) -> list[str]:
    """So many whole numbers."""
    return [str(n) for n in range(first, first + count)]


def binaries(first: int, count: int) -> list[str]:
    """So many binary values."""
    return [b64encode(b"%d" % n).decode() for n in range(first, first + count)]


# Makes a value of so many elements, none of them equal to one that starts elsewhere.
SHAPES: dict[str, Callable[[int, int], Value]] = {
    "number set": lambda first, count: {"NS": numbers(first, count)},
    "string set": lambda first, count: {"SS": numbers(first, count)},
    "binary set": lambda first, count: {"BS": binaries(first, count)},
    "list": lambda first, count: {"L": [{"N": n} for n in numbers(first, count)]},
    "map, other names": lambda first, count: {"M": {n: {"N": n} for n in numbers(first, count)}},
    "map, other values": lambda first, count: {"M": {str(n): {"N": str(first + n)} for n in range(count)}},
    "list of sets": lambda first, count: {"L": [{"NS": [n]} for n in numbers(first, count)]},
    "list of maps": lambda first, count: {"L": [{"M": {"x": {"S": n}}} for n in numbers(first, count)]},
    "set in a map in a list": lambda first, count: {"L": [{"M": {"x": {"NS": numbers(first, count)}}}]},
    "text": lambda first, count: {"S": "".join(f"{n}\n" for n in numbers(first, count))},
    "types": lambda first, count: {"L": [{"S" if first else "N": n} for n in numbers(first, count)]},
}


def item(pk: str, sk: int | str, **attributes: Any) -> Item:
    """An item of a table with the key ``pk`` and ``sk``."""
    return {"pk": {"S": pk}, "sk": {"N": str(sk)}, **attributes}


def nested(levels: int, innermost: Value) -> Value:
    """A value in so many levels, maps and lists in turn. DynamoDB allows 32."""
    value = innermost
    for level in range(levels - 1):
        value = {"M": {"x": value}} if level % 2 else {"L": [value]}
    return value


# The items of two tables, by what they are about.
TABLES: dict[str, tuple[list[Item], list[Item]]] = {
    "missing, changed and extra": (
        [
            item("a", 10),
            item("a", 9),
            item("b", 1, x={"N": "1"}),
            item("same", 1),
            item("a", "-1.5"),
        ],
        [item("same", 1), item("c", 5), item("b", 1, x={"S": "1"})],
    ),
    "no common key": ([item("a", n) for n in range(250)], [item("b", n) for n in range(250)]),
    "another order": (
        [item("DE", n, name={"S": f"city {n}"}) for n in range(50)],
        [item("DE", n, name={"S": f"city {n}"}) for n in (*range(49, 24, -1), *range(25))],
    ),
    "numbers as keys": (
        [item("a", "9"), item("a", "10"), item("a", "1")],
        [item("a", number) for number in ("1E1", "9.00", "1")],
    ),
    "sets, maps and attributes in another order": (
        [
            item(
                "a",
                1,
                tags={"SS": ["x", "y"]},
                deep={"L": [{"M": {"n": {"NS": ["1", "2.50"]}}}]},
                b={"N": "1"},
            )
        ],
        [
            {
                "b": {"N": "1.0"},
                "deep": {"L": [{"M": {"n": {"NS": ["2.5", "1"]}}}]},
                "tags": {"SS": ["y", "x"]},
                **item("a", 1),
            }
        ],
    ),
    "not equal": (
        [item("a", n, x=one) for n, (one, _) in enumerate(NOT_EQUAL)],
        [item("a", n, x=other) for n, (_, other) in enumerate(NOT_EQUAL)],
    ),
    "spellings of numbers": (
        [item("a", n, x={"N": spelled}) for n, (spelled, _) in enumerate(NUMBERS)],
        [item("a", n, x={"N": plain}) for n, (_, plain) in enumerate(NUMBERS)],
    ),
    "other numbers": (
        [item("a", n, x={"N": plain}) for n, (_, plain) in enumerate(NUMBERS)],
        [item("a", n, x={"N": "5"}) for n in range(len(NUMBERS))],
    ),
    "spellings of binary values": (
        [item("a", n, x=one) for n, (one, _) in enumerate(EQUAL_BINARIES)],
        [item("a", n, x=other) for n, (_, other) in enumerate(EQUAL_BINARIES)],
    ),
    "every change": ([item("a", 1, **EVERY_CHANGE[0])], [item("a", 1, **EVERY_CHANGE[1])]),
    "shapes": (
        [item(name, n, x=make(0, 8)) for name, make in SHAPES.items() for n in range(2)],
        [item(name, n, x=make(4 + 4 * n, 8)) for name, make in SHAPES.items() for n in range(2)],
    ),
    "names": (
        [item(name, 1, **{name: {"M": {name: {"S": "x"}}}}) for name in NAMES],
        [item(name, 1, **{name: {"M": {name: {"S": "y"}}}}) for name in NAMES],
    ),
    "keys with names and signs of all kinds": (
        [item(name, 1) for name in (*NAMES, "é", "\x1b[2J", "\u202e", '"}', "a\nb")],
        [item(name, 2) for name in (*NAMES, "e\u0301", "\x1b[2J", "\u202e", '"}', "a\nb")],
    ),
    "32 levels": (
        [item("a", n, x=nested(32, {"N": "1"})) for n in range(2)],
        [item("a", n, x=nested(32, {"N": f"{1 + n}.0"})) for n in range(2)],
    ),
    "missing, null and empty": (
        [item("a", 1), item("a", 2, x={"NULL": True}), item("a", 3, x={"S": ""})],
        [item("a", 1, x={"NULL": True}), item("a", 2, x={"S": ""}), item("a", 3)],
    ),
    "more than 20 paths": (
        [item("a", 1, **{f"x{n:02d}": {"N": "1"} for n in range(30)})],
        [item("a", 1, **{f"x{n:02d}": {"N": "2"} for n in range(30)})],
    ),
    "empty tables": ([], []),
    "an empty source": ([], [item("a", 1)]),
}
