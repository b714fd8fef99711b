"""Decides which candidates are differences, by reading their keys again with consistent reads.

Under writes a key is read from the source, from the destination, and, if they differ, from the source again.
If the items are equal then, a change was on its way. Otherwise the key stays open and is read again in a
later generation. It is a difference if both sides are as they were, and the copy has by now applied every
change that was made before they were first seen like that.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tablecopy.clock import Clock
from tablecopy.comparison.canonical import digest
from tablecopy.comparison.differences import Difference, Kind, listed_paths
from tablecopy.comparison.expiry import expired_at
from tablecopy.comparison.items import Key, KeySchema, Side, are_equal
from tablecopy.comparison.paths import changed_paths
from tablecopy.comparison.window import Candidate
from tablecopy.dynamodb.client import Json
from tablecopy.verifier.keys import KeyReader

# Clocks differ, and the times of changes are whole seconds.
_CLOCK_SECONDS = 5.0


@dataclass
class Judged:
    """What became of candidates.

    Attributes
    ----------
    equal
        Keys of the source whose items are equal after all.
    standing
        Differences that stay.
    open
        Differences that may be changes on their way.
    """

    equal: int = 0
    standing: list[Difference] = field(default_factory=list)
    open: list[Difference] = field(default_factory=list)

    def add(self, other: Judged) -> None:
        """Add what became of others."""
        self.equal += other.equal
        self.standing += other.standing
        self.open += other.open


class Recheck:
    """Reads keys again at both tables.

    Parameters
    ----------
    readers
        Of the source and of the destination.
    expiry
        Name of the time to live attribute; None if there is none.
    writes_stopped
        Nothing writes, so what differs once is a difference.
    """

    def __init__(
        self,
        readers: tuple[KeyReader, KeyReader],
        keys: KeySchema,
        clock: Clock,
        *,
        expiry: str | None = None,
        writes_stopped: bool = False,
    ) -> None:
        self._readers = readers
        self._keys = keys
        self._clock = clock
        self._expiry = expiry
        self._writes_stopped = writes_stopped

    @property
    def units(self) -> tuple[float, float]:
        """Read units that the source and the destination were asked for."""
        source, destination = self._readers
        return source.units, destination.units

    def judge(self, candidates: Sequence[Candidate], until: float) -> Judged:
        """Judge what did not meet in a scan.

        Raises
        ------
        OutOfTime
            ``until``, in seconds since the epoch, came first.
        botocore.exceptions.ClientError
            A table cannot be read.
        """
        if self._writes_stopped:
            return self._judge_at_once(candidates, until)
        judged = Judged()
        here = self._missing_side(Side.SOURCE, candidates, until)
        # A key that the source has is in its scan as well, so it is counted there.
        befores = {
            self._keys.of(each.key): (each.key, each.source)
            for each in candidates
            if each.source is not None or self._keys.of(each.key) not in here
        }
        for key, source, destination, _ in self._unequal(befores, judged, until):
            judged.open.append(self._difference(key, source, destination))
        return judged

    def judge_again(
        self, differences: Sequence[Difference], until: float, applied_to: float = math.inf
    ) -> Judged:
        """Judge what an earlier check has left open. Raises as `judge` does.

        Parameters
        ----------
        applied_to
            The copy has applied every change that was made before this moment, in seconds since the epoch.
        """
        judged = Judged()
        known = {self._keys.of(difference.key): difference for difference in differences}
        here = self._readers[Side.SOURCE].read([difference.key for difference in differences], until)
        befores = {token: (difference.key, here.get(token)) for token, difference in known.items()}
        for key, source, destination, is_calm in self._unequal(befores, judged, until):
            before = known[self._keys.of(key)]
            found = self._difference(key, source, destination, before)
            unmoved = is_calm and (found.source, found.destination) == (before.source, before.destination)
            if not unmoved:
                judged.open.append(replace(found, first_seen=found.last_seen))
            elif before.first_seen + _CLOCK_SECONDS < applied_to:
                judged.standing.append(found)
            else:
                judged.open.append(found)
        return judged

    def check(
        self, keys: Sequence[Json], known: Mapping[Key, Difference], until: float
    ) -> dict[Key, Difference | None]:
        """Read keys on both sides, and return what differs.

        Parameters
        ----------
        keys
            In DynamoDB JSON, each once.
        known
            Differences that an earlier check has found. ``first_seen`` stays as long as neither item moves.

        Returns
        -------
        dict
            By key, None if the items are equal.

        Raises
        ------
        OutOfTime, botocore.exceptions.ClientError
            As `judge` does.
        """
        here = self._readers[Side.SOURCE].read(keys, until)
        befores = {token: (key, here.get(token)) for key in keys for token in [self._keys.of(key)]}
        found: dict[Key, Difference | None] = dict.fromkeys(befores)
        for key, source, destination, is_calm in self._unequal(befores, Judged(), until):
            token = self._keys.of(key)
            difference = self._difference(key, source, destination)
            before = known.get(token)
            if before is not None and is_calm:
                seen = (before.source, before.destination)
                if seen == (difference.source, difference.destination):
                    difference = self._difference(key, source, destination, before)
            found[token] = difference
        return found

    def _unequal(
        self, befores: Mapping[Key, tuple[Json, Json | None]], judged: Judged, until: float
    ) -> Iterator[tuple[Json, Json | None, Json | None, bool]]:
        """Yield keys that differ, both items, and whether the source's was the same twice; count the others.

        ``befores`` has each key with the source's item. What the source had before or has after a read of the
        destination is what the destination may have by then.
        """
        source, destination = self._readers
        there = destination.read([key for key, _ in befores.values()], until)
        differ = {}
        for token, (key, before) in befores.items():
            if _same(before, there.get(token)):
                judged.equal += before is not None
            else:
                differ[token] = key, before
        after = source.read([key for key, _ in differ.values()], until)
        for token, (key, before) in differ.items():
            now, other = after.get(token), there.get(token)
            if _same(now, other):
                judged.equal += now is not None
            else:
                yield key, now, other, _same(before, now)

    def _judge_at_once(self, candidates: Sequence[Candidate], until: float) -> Judged:
        judged = Judged()
        there = self._missing_side(Side.DESTINATION, candidates, until)
        here = self._missing_side(Side.SOURCE, candidates, until)
        for candidate in candidates:
            key = self._keys.of(candidate.key)
            if candidate.source is None and key in here:
                # The source's scan has the key as well, so it is counted there.
                continue
            source = candidate.source
            destination = candidate.destination or there.get(key)
            if _same(source, destination):
                judged.equal += 1
            else:
                judged.standing.append(self._difference(candidate.key, source, destination))
        return judged

    def _missing_side(self, side: Side, candidates: Sequence[Candidate], until: float) -> Mapping[Key, Json]:
        seen = [(each.source, each.destination)[side] for each in candidates]
        keys = [candidate.key for candidate, item in zip(candidates, seen, strict=True) if item is None]
        return self._readers[side].read(keys, until)

    def _difference(
        self, key: Json, source: Json | None, destination: Json | None, before: Difference | None = None
    ) -> Difference:
        now = self._clock.now()
        paths = () if source is None or destination is None else changed_paths(source, destination)
        kind, expires = kind_of(source, destination, self._expiry, now)
        return Difference(
            kind,
            key,
            listed_paths(paths),
            _digest(source),
            _digest(destination),
            first_seen=before.first_seen if before else now,
            last_seen=now,
            checks=before.checks + 1 if before else 1,
            expires=expires,
        )


def kind_of(
    source: Json | None, destination: Json | None, expiry: str | None, now: float
) -> tuple[Kind, int | None]:
    """Return the kind of a difference, and when an expired item has expired.

    Parameters
    ----------
    source, destination
        The items, of which one exists at least.
    expiry
        Name of the time to live attribute; None if there is none.
    now
        Seconds since the epoch, as the result.
    """
    if source is not None and destination is not None:
        return Kind.CHANGED, None
    item = destination if source is None else source
    assert item is not None
    expires = expired_at(item.get(expiry, {}).get("N", ""), now) if expiry else None
    if expires is not None:
        return Kind.EXPIRED, expires
    return (Kind.EXTRA if source is None else Kind.MISSING), None


def _same(one: Json | None, other: Json | None) -> bool:
    if one is None or other is None:
        return one is other
    return are_equal(one, other)


def _digest(item: Json | None) -> str | None:
    return None if item is None else digest(item).hex()
