"""The account of what the scans have seen: pairs are struck out at once, what is left is a candidate."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

SideName: TypeAlias = Literal["source", "destination"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A key that the scans did not see the same on both sides.

    Parameters
    ----------
    key
        Packed key.
    source, destination
        Digest of the item as that side's scan saw it; ``None`` if it did not.
    """

    key: bytes
    source: bytes | None
    destination: bytes | None


class Ledger:
    """Pairs the items of both sides, in whatever order they come.

    Holds a packed key and a digest for each item that still waits for its counterpart, never an item.
    Safe to use from several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[SideName, dict[bytes, bytes]] = {"source": {}, "destination": {}}
        self._unequal: dict[bytes, Candidate] = {}
        self._items: dict[SideName, int] = {"source": 0, "destination": 0}

    def add(self, side: SideName, entries: Iterable[tuple[bytes, bytes]]) -> None:
        """Enter packed keys and digests that a scan of `side` has read."""
        with self._lock:
            mine = self._waiting[side]
            theirs = self._waiting["destination" if side == "source" else "source"]
            for key, digest in entries:
                self._items[side] += 1
                other = theirs.pop(key, None)
                if other is None:
                    mine[key] = digest
                elif other != digest:
                    pair = (digest, other) if side == "source" else (other, digest)
                    self._unequal[key] = Candidate(key, *pair)

    def items(self, side: SideName) -> int:
        """How many items of `side` were entered."""
        return self._items[side]

    def candidates(self) -> list[Candidate]:
        """Everything that is not a pair of equals, in no particular order."""
        with self._lock:
            source, destination = self._waiting["source"], self._waiting["destination"]
            # A scan that meets a key twice enters it twice: the recheck decides on what is there now.
            found = dict(self._unequal)
            found.update((key, Candidate(key, digest, None)) for key, digest in source.items())
            found.update((key, Candidate(key, None, digest)) for key, digest in destination.items())
            return list(found.values())
