"""Pairs the items of two scans of one segment, in bounded memory.

Both tables return a segment's items in the order of the hash of their keys, although nothing promises it. So
items that belong together come close to each other, and most of them as the same bytes. What does not meet
its counterpart within the window is a candidate: it is read by its key at the other table. So the order saves
reads, and no verdict depends on it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from tablecopy.comparison.items import Key, KeySchema, Side, are_equal, decoded
from tablecopy.dynamodb.client import Json

WINDOW_BYTES = 4 * 1024 * 1024
"""Bytes of items of one table that wait for their counterparts: four pages of a scan."""

# Fewer items are no stretch that a table lacks.
_STRETCH = 20


@dataclass(frozen=True, slots=True)
class Candidate:
    """A key whose items did not meet, or met and were not equal.

    Attributes
    ----------
    key
        In DynamoDB JSON.
    source, destination
        The items as the scans have seen them; None where the scan has not seen one yet.
    """

    key: Json
    source: Json | None
    destination: Json | None


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a segment's scan: everything before it is settled.

    Attributes
    ----------
    items
        Number of items before it, since the window was made.
    key
        Key of the last item before it; None if there is none.
    """

    items: int
    key: Json | None


@dataclass(slots=True)
class _Waiting:
    position: int
    size: int
    item: Json


@dataclass(slots=True)
class _Scanned:
    """What a window knows of one table's scan.

    Attributes
    ----------
    count
        Items so far.
    settled
        Position behind the last item that met its counterpart or was given up.
    last
        The item before ``settled``.
    raw
        Items that wait and were compared as bytes only, with their positions.
    keyed
        Items that wait and were decoded, by their keys.
    waiting_bytes
        Bytes of all that wait.
    ended
        There are no more pages.
    """

    count: int = 0
    settled: int = 0
    last: bytes | Json | None = None
    raw: dict[bytes, int] = field(default_factory=dict)
    keyed: dict[Key, _Waiting] = field(default_factory=dict)
    waiting_bytes: int = 0
    ended: bool = False

    @property
    def waiting(self) -> int:
        return len(self.raw) + len(self.keyed)

    def settle(self, position: int, item: bytes | Json) -> None:
        if position >= self.settled:
            self.settled = position + 1
            self.last = item


class Window:
    """Pairs what two scans return.

    Parameters
    ----------
    keys
        The tables' key.
    limit
        Bytes of each table that wait at most; 0 to make a candidate of every item.

    Attributes
    ----------
    equal
        Number of pairs that were equal.
    spelled_alike
        Equal items mostly come as the same bytes. Otherwise pages should come decoded.
    """

    def __init__(self, keys: KeySchema, limit: int = WINDOW_BYTES) -> None:
        self.equal = 0
        self.spelled_alike = True
        self._keys = keys
        self._limit = limit
        self._most_items: float = math.inf
        self._sides = (_Scanned(), _Scanned())
        self._candidates: list[Candidate] = []
        self._met = 0
        self._left = 0
        self._held: Side | None = None
        self._shown = 0
        self._alone = [0, 0]

    def judged(self, side: Side, *, absent: int, found: int) -> None:
        """Note how many items that a scan had not shown when they were given up its table lacks, or has.

        If it has few of them, it lacks a stretch. Then only the other table is read until something meets,
        because what both have after the stretch would never meet otherwise. Until then the other table shows
        what was given up of this one: if it shows more, this one has not lacked a stretch.
        """
        if absent + found >= _STRETCH and absent > found:
            self._held = side
            self._shown = 0
        elif self._held is side:
            self._shown += found
            if self._shown > self._alone[side] + _STRETCH:
                self._held = None

    def bound(self, most_bytes: int, items: int) -> None:
        """Let no more than these bytes and items of each table wait from now on, unless none may wait."""
        if self._limit:
            self._limit = max(1, most_bytes)
            self._most_items = items

    def behind(self) -> Side | None:
        """Return the table to read next: the one that is less ahead of what has met. None at the end."""
        source, destination = self._sides
        if source.ended or destination.ended:
            if source.ended and destination.ended:
                return None
            return Side.DESTINATION if source.ended else Side.SOURCE
        if self._held is not None:
            return self._held.other
        ahead = destination.count - destination.settled - (source.count - source.settled)
        if ahead == 0:
            return Side.SOURCE if source.count <= destination.count else Side.DESTINATION
        return Side.SOURCE if ahead > 0 else Side.DESTINATION

    def add(self, side: Side, items: Sequence[bytes], *, last: bool) -> None:
        """Add the next page of a table's scan. ``last`` says that it is the last one.

        Then call `give_up` until nothing is left to give up.
        """
        mine, other = self._sides[side], self._sides[side.other]
        mine.ended = last
        met = self._meet_as_bytes(mine, other, items)
        if mine.raw and (other.waiting or mine.keyed):
            everything = not met and bool(items)
            before = self.equal
            self._look_closer(side, everything=everything)
            self._look_closer(side.other, everything=everything)
            if everything and self.equal - before > len(items) / 2:
                self.spelled_alike = False

    def add_decoded(self, side: Side, items: Sequence[Json], size: int, *, last: bool) -> None:
        """Add a page as `add` does, decoded. ``size`` is that of its items in bytes.

        Decoding a page as a whole costs less than finding its items and decoding them.
        """
        for each in Side:
            self._look_closer(each, everything=True)
        mine, other = self._sides[side], self._sides[side.other]
        mine.ended = last
        each_size = size // len(items) if items else 0
        mine.waiting_bytes += each_size * len(items)
        for position, item in enumerate(items, mine.count):
            self._meet_by_key(side, mine, other, position, each_size, item)
        mine.count += len(items)

    def check_alignment(self, part: float, items: int) -> None:
        """Stop waiting for counterparts if waiting is in vain.

        That is so if ``items`` or more were given up because too many waited, and fewer than this part of
        them have met. What fits into the window waits, because it costs nothing.
        """
        if self._left >= items and self._met < part * self._left:
            self._limit = 0

    def give_up(self, most: int) -> bool:
        """Make candidates of the oldest items that wait, if they are too many or nothing can come.

        Parameters
        ----------
        most
            Items of each table to give up at a time, so that they can be judged and saved in between.

        Returns
        -------
        bool
            Whether there is more to give up.
        """
        source, destination = (self._give_up(side, most) for side in Side)
        return source or destination

    @property
    def by_key(self) -> bool:
        """Whether every item is a candidate, because hardly any meets its counterpart."""
        return self._limit == 0

    def take(self) -> list[Candidate]:
        """Return the candidates since the last call."""
        taken, self._candidates = self._candidates, []
        return taken

    @property
    def candidates(self) -> int:
        """Number of candidates that `take` would return."""
        return len(self._candidates)

    def cut(self) -> tuple[Place, Place]:
        """Return how far both scans are settled, and make candidates of what they have left behind."""
        for side in Side:
            self._look_closer(side, everything=False)
        for side in Side:
            self._leave_behind(side)
        source, destination = (self._place(scanned) for scanned in self._sides)
        return source, destination

    def _place(self, scanned: _Scanned) -> Place:
        last = decoded(scanned.last) if isinstance(scanned.last, bytes) else scanned.last
        return Place(scanned.settled, None if last is None else self._keys.attributes(last))

    def _meet_as_bytes(self, mine: _Scanned, other: _Scanned, items: Sequence[bytes]) -> int:
        """Pair what is equal byte by byte; let the rest wait. Returns the number of pairs."""
        there, here = other.raw, mine.raw
        position = mine.count
        size = met = met_bytes = 0
        furthest = last_here = -1
        furthest_item = last_item = b""
        for item in items:
            found = there.pop(item, None)
            if found is None:
                here[item] = position
                size += len(item)
            else:
                met += 1
                met_bytes += len(item)
                if found > furthest:
                    furthest, furthest_item = found, item
                last_here, last_item = position, item
            position += 1
        mine.count = position
        mine.waiting_bytes += size
        if met:
            self._has_met()
            self.equal += met
            self._met += met
            other.waiting_bytes -= met_bytes
            mine.settle(last_here, last_item)
            other.settle(furthest, furthest_item)
        return met

    def _look_closer(self, side: Side, *, everything: bool) -> None:
        """Decode items that wait as bytes: all of them, or those that later ones have overtaken.

        Items that wait decoded have come before all that wait as bytes.
        """
        mine, other = self._sides[side], self._sides[side.other]
        if everything:
            passed, mine.raw = mine.raw, {}
        else:
            # In the order in which they came, so the rest is the end.
            passed = {}
            for raw, position in mine.raw.items():
                if position >= mine.settled:
                    break
                passed[raw] = position
            for raw in passed:
                del mine.raw[raw]
        for raw, position in passed.items():
            self._meet_by_key(side, mine, other, position, len(raw), decoded(raw))

    def _meet_by_key(
        self, side: Side, mine: _Scanned, other: _Scanned, position: int, size: int, item: Json
    ) -> None:
        """Pair an item that waits with one that was decoded, or let it wait for one."""
        key = self._keys.of(item)
        there = other.keyed.pop(key, None)
        if there is None:
            mine.keyed[key] = _Waiting(position, size, item)
            return
        self._met += 1
        self._has_met()
        mine.waiting_bytes -= size
        other.waiting_bytes -= there.size
        mine.settle(position, item)
        other.settle(there.position, there.item)
        if are_equal(item, there.item):
            self.equal += 1
        elif side is Side.SOURCE:
            self._note(item, there.item)
        else:
            self._note(there.item, item)

    def _give_up(self, side: Side, most: int) -> bool:
        mine, other = self._sides[side], self._sides[side.other]
        # At the end nothing can come any more that any of them waits for.
        ends = other.ended and (mine.ended or not other.waiting)
        limit, items = (0, 0.0) if ends or not self._limit else (self._limit, self._most_items)
        if mine.waiting_bytes <= limit and mine.waiting <= items:
            return False
        self._look_closer(side, everything=True)
        self._look_closer(side.other, everything=True)
        for _ in range(most):
            if not mine.keyed or (mine.waiting_bytes <= limit and mine.waiting <= items):
                return False
            self._leave(side, next(iter(mine.keyed)))
            self._left += not ends
            self._alone[side] += not ends
        return bool(mine.keyed) and (mine.waiting_bytes > limit or mine.waiting > items)

    def _has_met(self) -> None:
        self._held = None
        self._alone = [0, 0]

    def _leave_behind(self, side: Side) -> None:
        mine = self._sides[side]
        for key in [key for key, waiting in mine.keyed.items() if waiting.position < mine.settled]:
            self._leave(side, key)

    def _leave(self, side: Side, key: Key) -> None:
        mine = self._sides[side]
        waiting = mine.keyed.pop(key)
        mine.waiting_bytes -= waiting.size
        mine.settle(waiting.position, waiting.item)
        if side is Side.SOURCE:
            self._note(waiting.item, None)
        else:
            self._note(None, waiting.item)

    def _note(self, source: Json | None, destination: Json | None) -> None:
        item = source or destination
        assert item is not None
        self._candidates.append(Candidate(self._keys.attributes(item), source, destination))
