"""Where two items differ: the paths of attributes, without their values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

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
    return sorted(_in_maps((), source, destination), key=lambda change: _order(change.path))


def _in_maps(path: Path, source: Json, destination: Json) -> Iterator[ChangedPath]:
    for name in source.keys() | destination.keys():
        yield from _in_values((*path, name), source.get(name), destination.get(name))


def _in_values(path: Path, source: Json | None, destination: Json | None) -> Iterator[ChangedPath]:
    one, other = _type(source), _type(destination)
    if source is None or destination is None or one != other:
        yield ChangedPath(path, one, other)
    elif one == "M":
        yield from _in_maps(path, source["M"], destination["M"])
    elif one == "L":
        before, after = source["L"], destination["L"]
        for position in range(max(len(before), len(after))):
            yield from _in_values((*path, position), _at(before, position), _at(after, position))
    elif source != destination and canonical(source) != canonical(destination):
        mine, theirs = _elements(source), _elements(destination)
        yield ChangedPath(path, one, other, len(mine - theirs), len(theirs - mine))


def _elements(value: Json) -> set[str]:
    ((kind, content),) = value.items()
    return {canonical({kind[0]: element}) for element in content} if kind in _SETS else set()


def _at(elements: list[Json], position: int) -> Json | None:
    return elements[position] if position < len(elements) else None


def _type(value: Json | None) -> str | None:
    return next(iter(value)) if value else None


def _order(path: Path) -> tuple[tuple[int, str], ...]:
    return tuple((step, "") if isinstance(step, int) else (0, step) for step in path)
