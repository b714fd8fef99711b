"""Rounds over the list of touched keys: each key that is due is read on both sides until the items are equal.

A key leaves its chunk only when both items were read after the chunk was, and were equal. Every record of the
chunk was made before that. What the items become later is in the records that follow, in chunks of their own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from tablecopy.clock import Machine, OutOfTime
from tablecopy.comparison.differences import Difference
from tablecopy.comparison.items import Key, KeySchema, Side
from tablecopy.dynamodb.client import Json
from tablecopy.journal.store import map_with
from tablecopy.journal.touched import PARTITIONS, RENEW_SECONDS, Chunk, TouchedKeys
from tablecopy.verifier.keys import MOST_KEYS
from tablecopy.verifier.recheck import Recheck

# A change has arrived after this, as a rule, and its record at the destination is noted. Both are rechecked
# together then.
_SETTLE_SECONDS = 3.0

# A key that differs is read again after growing times.
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 1.0, 30.0

# Items that stay as they are, and differ, for so long after every change was applied, are a difference.
_STANDING_SECONDS = 10.0

# By how much the clocks may differ: the tracker's, and the ones that date the changes.
_CLOCK_MARGIN_SECONDS = 10.0

# Records have their times in whole seconds.
_SECOND = 1.0

# Keys that are read in parallel, and how many readers share them.
_KEYS_AT_A_TIME = 2_000
_READERS = 8

# A chunk is removed or written on its own. Of a thousand shards, each has a chunk with a few keys a second.
_KEEPERS = 16

# Bytes of the items that one reader holds, of both sides. Decoded, they take several times as much. An item
# has up to 400 KB, and a unit of a consistent read is 4 KB (API reference, BatchGetItem).
_HELD_BYTES = 8_000_000
_LARGEST_ITEM_BYTES = 400_000
_UNIT_BYTES = 4_096

# Differences that are remembered between rounds. The others are read again, and found to differ again.
_MOST_KNOWN = 10_000

MOST_LISTED = 1_000
"""Standing differences that are listed. The others are counted."""


@dataclass(frozen=True)
class Round:
    """What a round has found. Times are seconds since the epoch.

    Attributes
    ----------
    list_read_at
        When it began to read the list.
    left
        Keys that are left, each once for each chunk.
    oldest_left
        When the oldest change was made whose key may be left; 0 if none is.
    checked, seconds
        Keys that were read, and how long that took.
    """

    list_read_at: float
    left: int
    oldest_left: float
    checked: int
    seconds: float


class Rounds:
    """The rechecks of one tracking. They live as long as the execution environment.

    Parameters
    ----------
    recheck
        Reads both tables.
    schema
        Their key.
    """

    def __init__(self, keys: TouchedKeys, recheck: Recheck, schema: KeySchema, machine: Machine) -> None:
        self._keys = keys
        self._recheck = recheck
        self._schema = schema
        self._machine = machine
        # A difference of an earlier environment stands again as soon as its key is read.
        self._known: dict[Key, Difference] = {schema.of(each.key): each for each in keys.standing()}
        self._standing: dict[Key, Difference] = {}
        self._asked = 0
        # When a chunk was read last, and after how long it is due again.
        self._due: dict[tuple[str, str], tuple[float, float]] = {}

    @property
    def standing(self) -> list[Difference]:
        """The differences that stay although every change is applied."""
        return list(self._standing.values())

    def run(self, applied_to: float, until: float, *, hurry: bool, listed_to: float = math.inf) -> Round:
        """Read the list once, and the keys that are due.

        Parameters
        ----------
        applied_to
            Every change of the source that was made before this moment, in seconds since the epoch, is
            applied to the destination.
        until
            Seconds since the epoch after which no item is read. The list is read to its end.
        hurry
            Writers have stopped, so that everything is due.
        listed_to
            Every change of the source that was made before this moment is in a shard that is listed. A later
            one may not have arrived although every known change is applied.

        Raises
        ------
        botocore.exceptions.ClientError
            The journal or a table cannot be used.
        """
        began = self._machine.now()
        turn = _Turn(applied_to, listed_to, until, hurry=hurry)
        due: dict[tuple[str, str], tuple[float, float]] = {}
        waiting: list[Chunk] = []
        size = 0
        with self._machine.pool(_READERS) as pool:
            for side in Side:
                for partition in range(PARTITIONS):
                    for chunk in self._keys.chunks(side, partition):
                        name = (chunk.pk, chunk.sk)
                        if name in self._due:
                            due[name] = self._due[name]
                        if not self._is_due(chunk, side, turn):
                            turn.leave(chunk, chunk.count)
                            continue
                        waiting.append(chunk)
                        size += chunk.count
                        if size >= _KEYS_AT_A_TIME:
                            self._check(waiting, turn, due, pool)
                            waiting, size = [], 0
            self._check(waiting, turn, due, pool)
        # Chunks that are gone are forgotten with it.
        self._due = due
        oldest = turn.oldest if turn.left else 0.0
        return Round(began, turn.left, oldest, turn.checked, turn.seconds)

    def _is_due(self, chunk: Chunk, side: Side, turn: _Turn) -> bool:
        now = self._machine.now()
        if turn.is_over or now >= turn.until:
            return False
        read_at, wait = self._due.get((chunk.pk, chunk.sk), (0.0, 0.0))
        if turn.hurry:
            return now >= read_at + min(wait, _FIRST_WAIT_SECONDS)
        if side is Side.SOURCE and chunk.last >= turn.applied_to:
            return False
        return now >= max(read_at + wait, chunk.last + _SETTLE_SECONDS)

    def _check(
        self,
        chunks: Sequence[Chunk],
        turn: _Turn,
        due: dict[tuple[str, str], tuple[float, float]],
        pool: Executor,
    ) -> None:
        """Recheck the keys of chunks, and keep those that differ."""
        if not chunks:
            return
        began = self._machine.now()
        held = [[(self._schema.of(key), key) for key in chunk.unpacked()] for chunk in chunks]
        for chunk, keys in zip(chunks, held, strict=True):
            if (chunk.pk, chunk.sk) not in due:
                self._forget_older([token for token, _ in keys], chunk.last)
        unique = {token: key for keys in held for token, key in keys}
        found = self._read(list(unique.values()), turn, pool)
        turn.checked += len(found)
        turn.seconds += self._machine.now() - began
        self._remember(found, turn)
        left = [[key for token, key in keys if found.get(token, _UNREAD) is not None] for keys in held]
        self._settle(chunks, left, turn, due)

    def _forget_older(self, tokens: Iterable[Key], made: float) -> None:
        """Forget what was seen of keys before a change that was made at ``made``."""
        for token in tokens:
            known = self._known.get(token)
            if known is not None and made + _SECOND >= known.first_seen:
                del self._known[token]

    def _read(self, keys: Sequence[Json], turn: _Turn, pool: Executor) -> dict[Key, Difference | None]:
        step = self._keys_a_call()
        self._asked += len(keys)

        def read(start: int) -> dict[Key, Difference | None]:
            try:
                return self._recheck.check(keys[start : start + step], self._known, turn.until)
            except OutOfTime:
                turn.is_over = True
                return {}

        found: dict[Key, Difference | None] = {}
        for part in map_with(pool, read, range(0, len(keys), step)):
            found |= part
        return found

    def _keys_a_call(self) -> int:
        """Return how many keys one reader reads at a time, by the size of the items so far."""
        units = sum(self._recheck.units)
        size = units * _UNIT_BYTES / self._asked if units else 2 * _LARGEST_ITEM_BYTES
        return max(1, min(MOST_KEYS, int(_HELD_BYTES / size)))

    def _remember(self, found: dict[Key, Difference | None], turn: _Turn) -> None:
        for token, difference in found.items():
            self._standing.pop(token, None)
            if difference is None:
                self._known.pop(token, None)
                continue
            if token in self._known or len(self._known) < _MOST_KNOWN:
                self._known[token] = difference
            if _is_standing(difference, min(turn.applied_to, turn.listed_to)):
                self._standing[token] = difference

    def _settle(
        self,
        chunks: Sequence[Chunk],
        left: Sequence[Sequence[Json]],
        turn: _Turn,
        due: dict[tuple[str, str], tuple[float, float]],
    ) -> None:
        """Remove the chunks of which no key is left, and keep what is left of the others."""
        empty: list[Chunk] = []
        shrunk: list[tuple[Chunk, Sequence[Json]]] = []
        for chunk, keys in zip(chunks, left, strict=True):
            name = (chunk.pk, chunk.sk)
            if not keys:
                empty.append(chunk)
                due.pop(name, None)
                continue
            turn.leave(chunk, len(keys))
            _, waited = due.get(name, (0.0, 0.0))
            wait = min(max(2 * waited, _FIRST_WAIT_SECONDS), _LONGEST_WAIT_SECONDS)
            due[name] = (self._machine.now(), wait)
            if len(keys) < chunk.count or chunk.expires_at - self._machine.now() < RENEW_SECONDS:
                shrunk.append((chunk, keys))
        with self._machine.pool(_KEEPERS) as pool:
            removed = map_with(pool, self._keys.remove, empty)
            map_with(pool, lambda each: self._keys.keep(*each), shrunk)
        for chunk, is_removed in zip(empty, removed, strict=True):
            if not is_removed:
                # Another tracker has rechecked it, and the next round sees what is left.
                turn.leave(chunk, chunk.count)


class _Turn:
    """One round, as it goes."""

    def __init__(self, applied_to: float, listed_to: float, until: float, *, hurry: bool) -> None:
        self.applied_to = applied_to
        self.listed_to = listed_to
        self.until = until
        self.hurry = hurry
        self.is_over = False
        self.left = 0
        self.oldest = math.inf
        self.checked = 0
        self.seconds = 0.0

    def leave(self, chunk: Chunk, keys: int) -> None:
        """Count keys that are left of a chunk."""
        self.left += keys
        self.oldest = min(self.oldest, chunk.first)


# Stands for a key that was not read, so that it is kept.
_UNREAD = object()


def _is_standing(difference: Difference, applied_to: float) -> bool:
    """Return whether items were read again, unchanged, after every change before the first time arrived."""
    return (
        difference.last_seen - difference.first_seen >= _STANDING_SECONDS
        and applied_to >= difference.first_seen + _CLOCK_MARGIN_SECONDS
    )


def listed(standing: Iterable[Difference]) -> list[Difference]:
    """Return the differences that are listed, the oldest first."""
    return sorted(standing, key=lambda difference: difference.first_seen)[:MOST_LISTED]
