"""What each key has been, at the source and at the destination, and when."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

ABSENT = ""
"""The value of a key without an item."""


class History:
    """The values of one key, from its first change. Before it, the key is absent.

    A value is the text that the writers give each new item (``v``), or ``ABSENT``.
    """

    __slots__ = ("last_place", "times", "values")

    def __init__(self) -> None:
        self.times: list[float] = []
        self.values: list[str] = []
        self.last_place: dict[str, int] = {ABSENT: -1}

    def add(self, at: float, value: str) -> int:
        """Add a change, and return its place, counted from 0."""
        place = len(self.values)
        self.times.append(at)
        self.values.append(value)
        self.last_place[value] = place
        return place

    @property
    def latest(self) -> str:
        """The value now."""
        return self.values[-1] if self.values else ABSENT

    def since(self, moment: float) -> list[str]:
        """Return the value at ``moment``, and every later one."""
        first = bisect_right(self.times, moment) - 1
        return self.values[first:] if first >= 0 else [ABSENT, *self.values]

    def is_current(self, value: str, moment: float) -> bool:
        """Whether the key has had ``value`` at ``moment`` or since."""
        place = self.last_place.get(value)
        if place is None:
            return False
        first = bisect_right(self.times, moment) - 1
        return place >= first

    def existed_since(self, moment: float) -> bool:
        """Whether the key has had an item all the time since ``moment``."""
        return ABSENT not in self.since(moment)

    def first_after(self, value: str) -> float:
        """Return when the key first changed after it last had ``value``; infinity if it still has it."""
        place = self.last_place.get(value, -1) + 1
        return self.times[place] if place < len(self.times) else float("inf")


class Histories:
    """The histories of all keys of a table."""

    def __init__(self) -> None:
        self.keys: dict[str, History] = {}

    def of(self, key: str) -> History:
        """Return the history of a key, which is empty if the key was never changed."""
        history = self.keys.get(key)
        if history is None:
            history = self.keys[key] = History()
        return history

    def __iter__(self) -> Iterator[tuple[str, History]]:
        return iter(self.keys.items())


@dataclass(frozen=True)
class Page:
    """A page of a scan: when and by whom it was read, and the values of its keys."""

    at: float
    host: str
    values: dict[str, str]


@dataclass
class Landed:
    """The latest writes of a key that have reached the destination.

    Attributes
    ----------
    place
        The largest place in the source's history of a value that was put.
    deleted
        When a delete arrived last; 0 if none has.
    by_replicator, by_worker
        When a write of the replicator, and of a worker, arrived last.
    """

    place: int = -1
    deleted: float = 0.0
    by_replicator: float = 0.0
    by_worker: float = 0.0
