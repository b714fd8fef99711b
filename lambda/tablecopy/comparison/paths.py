"""Where two items differ: the paths of attributes, without their values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tablecopy.comparison.canonical import canonical
from tablecopy.dynamodb.client import Json

Path = tuple[str | int, ...]

_SETS = frozenset({"SS", "NS", "BS"})


@dataclass(frozen=True, slots=True)
class ChangedPath:
    """An attribute, or a value in it, that differs.

    Attributes
    ----------
    path
        Attribute name, then names of nested maps and positions in lists.
    source_type, destination_type
        Type as DynamoDB abbreviates it; None where there is no value.
    only_source, only_destination
        Of a set whose elements differ: how many only one of the tables has.
    """

    path: Path
    source_type: str | None
    destination_type: str | None
    only_source: int = 0
    only_destination: int = 0


def changed_paths(source: Json, destination: Json) -> list[ChangedPath]:
    """Return where two items differ, sorted; empty exactly if they are equal.

    Maps are compared name by name, lists position by position, and sets as a whole.
    """
    return sorted(_in_maps((), source, destination), key=lambda change: path_order(change.path))


def _in_maps(path: Path, source: Json, destination: Json) -> Iterator[ChangedPath]:
    for name in source.keys() | destination.keys():
        yield from _in_values((*path, name), source.get(name), destination.get(name))


def _in_values(path: Path, source: Json | None, destination: Json | None) -> Iterator[ChangedPath]:
    one, other = type_of(source), type_of(destination)
    if source is None or destination is None or one != other:
        yield ChangedPath(path, one, other)
    elif one == "M":
        yield from _in_maps(path, source["M"], destination["M"])
    elif one == "L":
        before, after = source["L"], destination["L"]
        for position in range(max(len(before), len(after))):
            yield from _in_values((*path, position), _at(before, position), _at(after, position))
    elif source != destination and canonical(source) != canonical(destination):
        mine, theirs = elements(source), elements(destination)
        yield ChangedPath(path, one, other, len(mine - theirs), len(theirs - mine))


def elements(value: Mapping[str, Any] | None) -> set[str]:
    """Return the elements of a set, each in its canonical spelling; none for another value."""
    kind = type_of(value)
    if value is None or kind not in _SETS:
        return set()
    return {canonical({kind[0]: element}) for element in value[kind]}


def _at(values: list[Json], position: int) -> Json | None:
    return values[position] if position < len(values) else None


def type_of(value: Mapping[str, Any] | None) -> str | None:
    """Return a value's type as DynamoDB abbreviates it; None without a value."""
    return next(iter(value)) if value else None


def path_order(path: Path) -> tuple[tuple[int, str], ...]:
    """Return what paths are sorted by: names by text, positions of a list by value."""
    return tuple((step, "") if isinstance(step, int) else (0, step) for step in path)
