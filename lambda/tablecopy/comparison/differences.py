"""Differences between the tables: keys and paths, and no values but the time at which items expired."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from enum import StrEnum
from typing import Any

from tablecopy.comparison.paths import ChangedPath
from tablecopy.dynamodb.client import Json

MOST_PATHS = 20
"""Paths of one item that are listed."""

# The name of an attribute may have 64 KB (DynamoDB limits), and an item of the journal 400 KB.
_MOST_PATH_CHARACTERS = 4_000


class Kind(StrEnum):
    """Kinds of differences, in the words of the reports."""

    MISSING = "missing"
    """Only the source has the item."""
    CHANGED = "changed"
    """Both have it, and the items differ."""
    EXTRA = "extra"
    """Only the destination has the item."""
    EXPIRED = "expired"
    """Only one has the item, and its time to live is over: DynamoDB may delete it at any time."""


@dataclass(frozen=True)
class Difference:
    """A key whose items differ.

    Attributes
    ----------
    key
        In DynamoDB JSON.
    paths
        Where changed items differ, at most `MOST_PATHS` of them.
    source, destination
        Digests of the items, hexadecimal; None where there is no item.
    first_seen, last_seen
        Seconds since the epoch.
    checks
        How often the key was read again.
    expires
        When an expired item has expired, in seconds since the epoch.
    """

    kind: Kind
    key: Json
    paths: tuple[ChangedPath, ...]
    source: str | None
    destination: str | None
    first_seen: float
    last_seen: float
    checks: int
    expires: int | None = None

    def record(self) -> Json:
        """Return the difference as JSON."""
        return {
            "kind": self.kind.value,
            "key": self.key,
            "paths": [[list(each.path), *astuple(each)[1:]] for each in self.paths],
            "source": self.source,
            "destination": self.destination,
            "first_seen": self.first_seen,
            "last_seen": self.last_seen,
            "checks": self.checks,
            "expires": self.expires,
        }


def listed_paths(paths: Iterable[ChangedPath]) -> tuple[ChangedPath, ...]:
    """Return the first paths: at most `MOST_PATHS`, and not more than a few KB."""
    listed: list[ChangedPath] = []
    left = _MOST_PATH_CHARACTERS
    for each in paths:
        left -= sum(len(str(step)) for step in each.path)
        if left < 0 or len(listed) == MOST_PATHS:
            break
        listed.append(each)
    return tuple(listed)


def fitting(differences: Sequence[Difference], characters: int) -> int:
    """Return how many of the differences, from the first on, `texts` spells with so many characters."""
    for count, difference in enumerate(differences):
        characters -= len(_text(difference)) + 1
        if characters < 0:
            return count
    return len(differences)


def texts(differences: Iterable[Difference], characters: int) -> Iterator[str]:
    """Yield JSON lists of differences, each of at most so many characters or of one difference."""
    chunk: list[str] = []
    size = 0
    for difference in differences:
        text = _text(difference)
        if chunk and size + len(text) > characters:
            yield f"[{','.join(chunk)}]"
            chunk, size = [], 0
        chunk.append(text)
        size += len(text) + 1
    if chunk:
        yield f"[{','.join(chunk)}]"


def _text(difference: Difference) -> str:
    return json.dumps(difference.record(), separators=(",", ":"))


def read(text: str) -> Iterator[Difference]:
    """Yield the differences of a text that `texts` has made."""
    return map(parsed, json.loads(text))


def parsed(record: Mapping[str, Any]) -> Difference:
    """Return the difference that was made JSON by `Difference.record`."""
    known = {field.name: record[field.name] for field in fields(Difference)}
    paths = tuple(ChangedPath(tuple(path), *rest) for path, *rest in record["paths"])
    return Difference(**{**known, "kind": Kind(record["kind"]), "paths": paths})
