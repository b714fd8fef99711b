"""Finds what differs between two items, path by path."""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, TypeAlias

from deepdiff import DeepDiff

from tablecopy.comparison.canonical import digest, number
from tablecopy.comparison.paths import elements, path_order, type_of
from tablecopy_cli.common.items import Item, to_json

Change: TypeAlias = Literal["type_changed", "value_changed", "added", "removed"]

# The tree of DeepDiff, in the words of this module. Lists are compared position by position.
_CHANGES: dict[str, Change] = {
    "type_changes": "type_changed",
    "values_changed": "value_changed",
    "dictionary_item_added": "added",
    "iterable_item_added": "added",
    "dictionary_item_removed": "removed",
    "iterable_item_removed": "removed",
}


@dataclass(frozen=True, slots=True)
class PathChange:
    """The difference of one attribute between source and destination.

    Parameters
    ----------
    path
        Attribute name, then names of nested maps and positions in lists.
    change
        ``"removed"`` is only in the source, ``"added"`` only in the destination.
    source_type, destination_type
        Type on each side as DynamoDB abbreviates it (``"S"``, ``"NS"``); ``None`` where there is no value.
    source, destination
        The value on each side in DynamoDB JSON, if values were asked for.
    elements_added, elements_removed
        For a set whose elements differ: how many only the destination, and only the source, has.
    """

    path: tuple[str | int, ...]
    change: Change
    source_type: str | None
    destination_type: str | None
    source: Item | None = None
    destination: Item | None = None
    elements_added: int = 0
    elements_removed: int = 0

    def record(self) -> dict[str, Any]:
        """Return what is printed as JSON; see docs/reference.md."""
        record: dict[str, Any] = {"path": list(self.path), "change": self.change}
        if self.change == "type_changed":
            record["source_type"] = self.source_type
            record["destination_type"] = self.destination_type
        if self.elements_added or self.elements_removed:
            record["elements_added"] = self.elements_added
            record["elements_removed"] = self.elements_removed
        if self.source is not None:
            record["source"] = to_json(self.source)
        if self.destination is not None:
            record["destination"] = to_json(self.destination)
        return record


def changed_paths(source: Item, destination: Item, *, values: bool = False) -> tuple[PathChange, ...]:
    """Compare two items attribute by attribute, with DeepDiff.

    Costs far more than a digest: meant for items already known to differ.

    Parameters
    ----------
    source, destination
        Items in DynamoDB JSON.
    values
        Whether the result holds the values too, or only says where they differ.

    Returns
    -------
    tuple of PathChange
        Sorted by path; empty exactly when the items are equal.
    """
    tree = DeepDiff(
        _model({"M": source}),
        _model({"M": destination}),
        view="tree",
        # Without these, attributes that begin with two underscores are skipped, and maps with few names in
        # common are reported as a whole.
        ignore_private_variables=False,
        threshold_to_diff_deeper=0,
        # Position by position: matching elements up takes time quadratic in the length of the list.
        zip_ordered_iterables=True,
    )
    changes = {}
    for reported, change in _CHANGES.items():
        for level in tree.get(reported, ()):
            path = tuple(level.path(output_format="list"))
            before = None if change == "added" else _value_at(source, path)
            after = None if change == "removed" else _value_at(destination, path)
            changes[path] = _path_change(path, change, before, after, values)
    return tuple(changes[path] for path in sorted(changes, key=path_order))


def _path_change(
    path: tuple[str | int, ...], change: Change, before: Item | None, after: Item | None, values: bool
) -> PathChange:
    mine, theirs = elements(before), elements(after)
    both = change == "value_changed"
    return PathChange(
        path,
        change,
        source_type=type_of(before),
        destination_type=type_of(after),
        source=before if values else None,
        destination=after if values else None,
        elements_added=len(theirs - mine) if both else 0,
        elements_removed=len(mine - theirs) if both else 0,
    )


def _value_at(item: Item, path: tuple[str | int, ...]) -> Item:
    value: Any = {"M": item}
    for step in path:
        ((_, content),) = value.items()
        value = content[step]
    found: Item = value
    return found


# DeepDiff compares Python objects. Each type of DynamoDB gets a Python type of its own, so that it sees a
# change of type as one, and each value a form that it takes as it is: numbers as exact decimals in their
# one canonical spelling, strings as JSON (it would compute a text diff of lines, and cannot hash a lone
# surrogate) and binary values as hexadecimal, so that two spellings of the same bytes are one.


class _Binary(str):
    __slots__ = ()


# Sets are one value each: DeepDiff would report every element, each with the whole set to look up.


class _StringSet(str):
    __slots__ = ()


class _NumberSet(str):
    __slots__ = ()


class _BinarySet(str):
    __slots__ = ()


_SETS = {"SS": _StringSet, "NS": _NumberSet, "BS": _BinarySet}


def _model(value: Item) -> Any:
    ((kind, content),) = value.items()
    if kind == "S":
        return _text(content)
    if kind == "N":
        return Decimal(number(content))
    if kind == "M":
        return {name: _model(element) for name, element in content.items()}
    if kind == "L":
        return [_model(element) for element in content]
    if kind == "BOOL":
        return bool(content)
    if kind == "NULL":
        return None
    if kind == "B":
        return _Binary(b64decode(content).hex())
    return _SETS[kind](digest({"": value}).hex())


def _text(content: str) -> str:
    return json.dumps(content)
