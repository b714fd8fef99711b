"""Items as they are on the wire, looked at only as closely as needed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import IntEnum

from tablecopy.comparison.canonical import canonical, number
from tablecopy.dynamodb.client import Json

Key = tuple[str, ...]
"""The values of an item's key attributes, so that equal keys, and only these, are equal."""


class Side(IntEnum):
    """One of the two tables."""

    SOURCE = 0
    DESTINATION = 1

    @property
    def other(self) -> Side:
        """The other table."""
        return Side(1 - self)


class KeySchema:
    """The key attributes of both tables: the partition key, and the sort key if there is one."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)

    def of(self, item: Json) -> Key:
        """Return the key of an item, comparable with others."""
        return tuple([_spelled(item[name]) for name in self.names])

    def attributes(self, item: Json) -> Json:
        """Return the key of an item as a request spells it."""
        return {name: item[name] for name in self.names}


def decoded(item: bytes) -> Json:
    """Return an item, in DynamoDB JSON."""
    document: Json = json.loads(item.decode("utf-8", "surrogatepass"))
    return document


def are_equal(one: Json, other: Json) -> bool:
    """Return whether DynamoDB would call two items equal."""
    # Most items that differ as text have their attributes, or elements of sets, in another order.
    if one.keys() != other.keys():
        return False
    return all(
        value == other[name] or canonical(value) == canonical(other[name]) for name, value in one.items()
    )


def _spelled(value: Json) -> str:
    # An attribute of a key has the same type in all items, so the value alone tells keys apart.
    ((kind, content),) = value.items()
    # Two engines may spell a number differently.
    return number(content) if kind == "N" else content
