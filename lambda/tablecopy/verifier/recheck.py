"""Decides which candidates are differences, by reading their keys again with consistent reads.

Under writes a key is read from the source, from the destination, and from the source again. If the items are
now equal, a change was on its way. Otherwise the key stays open: it is read again in a later generation,
after more time than a change takes to arrive, and is a difference if both sides are then as they were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tablecopy.clock import Clock
from tablecopy.comparison.canonical import digest
from tablecopy.comparison.differences import MOST_PATHS, Difference, Kind
from tablecopy.comparison.items import Key, KeySchema, Side, are_equal
from tablecopy.comparison.paths import changed_paths
from tablecopy.comparison.window import Candidate
from tablecopy.dynamodb.client import Json
from tablecopy.verifier.keys import KeyReader

# DynamoDB does not delete items that have been expired for longer (developer guide, Time to Live).
_EXPIRY_SECONDS = 5 * 365.25 * 86_400


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


@dataclass(frozen=True, slots=True)
class _Seen:
    before: Json | None
    there: Json | None
    after: Json | None

    @property
    def is_equal(self) -> bool:
        return _same(self.before, self.there) or _same(self.after, self.there)


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
        read = self._read([candidate.key for candidate in candidates], until)
        for candidate, (key, seen) in zip(candidates, read, strict=True):
            if candidate.source is None and seen.before is not None:
                # The source's scan has the key as well, so it is counted there.
                continue
            if seen.is_equal:
                judged.equal += seen.after is not None
            else:
                judged.open.append(self._difference(key, seen.after, seen.there))
        return judged

    def judge_again(self, differences: Sequence[Difference], until: float) -> Judged:
        """Judge what an earlier check has left open. Raises as `judge` does."""
        judged = Judged()
        read = self._read([difference.key for difference in differences], until)
        for before, (key, seen) in zip(differences, read, strict=True):
            if seen.is_equal:
                judged.equal += seen.after is not None
                continue
            found = self._difference(key, seen.after, seen.there, before)
            unmoved = (found.source, found.destination) == (before.source, before.destination)
            # An expired one may be deleted on either side at any time, and does not count.
            if found.kind is Kind.EXPIRED or (unmoved and _same(seen.before, seen.after)):
                judged.standing.append(found)
            else:
                judged.open.append(found)
        return judged

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

    def _read(self, keys: Sequence[Json], until: float) -> list[tuple[Json, _Seen]]:
        source, destination = self._readers
        # In this order: what the source had before or after is what the destination may have by then.
        before = source.read(keys, until)
        there = destination.read(keys, until)
        after = source.read(keys, until)
        tokens = [self._keys.of(key) for key in keys]
        return [
            (key, _Seen(before.get(token), there.get(token), after.get(token)))
            for key, token in zip(keys, tokens, strict=True)
        ]

    def _difference(
        self, key: Json, source: Json | None, destination: Json | None, before: Difference | None = None
    ) -> Difference:
        now = self._clock.now()
        paths = () if source is None or destination is None else changed_paths(source, destination)
        kind, expires = self._kind(source, destination)
        return Difference(
            kind,
            key,
            tuple(paths[:MOST_PATHS]),
            _digest(source),
            _digest(destination),
            first_seen=before.first_seen if before else now,
            last_seen=now,
            checks=before.checks + 1 if before else 1,
            expires=expires,
        )

    def _kind(self, source: Json | None, destination: Json | None) -> tuple[Kind, int | None]:
        if source is not None and destination is not None:
            return Kind.CHANGED, None
        item = destination if source is None else source
        assert item is not None
        expires = self._expired(item.get(self._expiry, {}).get("N", "")) if self._expiry else None
        if expires is not None:
            return Kind.EXPIRED, expires
        return (Kind.EXTRA if source is None else Kind.MISSING), None

    def _expired(self, spelled: str) -> int | None:
        """Return when an item has expired, if it has and DynamoDB may still delete it."""
        try:
            moment = float(spelled)
        except ValueError:
            return None
        return int(moment) if 0 <= self._clock.now() - moment < _EXPIRY_SECONDS else None


def _same(one: Json | None, other: Json | None) -> bool:
    if one is None or other is None:
        return one is other
    return are_equal(one, other)


def _digest(item: Json | None) -> str | None:
    return None if item is None else digest(item).hex()
