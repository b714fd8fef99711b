"""Reads again the keys that the scans saw differently, and decides which are differences.

Under writes a key is read from the source, from the destination, and from the source again. If the items
are now equal, a change was in progress. Otherwise the key is read again in a later generation, after more
time than a change takes to arrive. It is a difference only if both sides are then unchanged.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec

from tablecopy.comparison.canonical import canonical, digest
from tablecopy.comparison.expiry import expired_at
from tablecopy_cli.common.items import Item
from verify.comparison.differences import changed_paths
from verify.comparison.results import Difference, Kind
from verify.scan.pages import Reader
from verify.scan.processes import run_all
from verify.scan.table import BATCH_KEYS, Found, Table
from verify.scan.work import BlockFile, rows
from verify.scan.workers import SIDES, SideName

State: TypeAlias = Literal["standing", "open"]

_THREADS = 8


@dataclass(frozen=True, slots=True)
class Candidate:
    """A key whose item was not the same on both sides.

    Parameters
    ----------
    partition, sort
        The key as rows have it.
    source, destination
        Digests of the item as it was seen last (see `pages`); ``None`` where it was not seen.
    expires
        Its time to live as the item spells it, if the scan has entered it.
    first_seen
        Seconds since the epoch; 0 before the first recheck.
    checks
        How often it has been read again.
    """

    partition: str
    sort: str
    source: str | None
    destination: str | None
    expires: str = ""
    first_seen: float = 0.0
    checks: int = 0


@dataclass(frozen=True)
class Rules:
    """Rules by which candidates become differences.

    Parameters
    ----------
    writes_stopped
        Nothing writes: an item that differs once is a difference.
    trust_scan
        Do not read items again that only one side's scan has seen.
    partial
        Not all items were scanned: an item that a scan has not seen may exist.
    values
        Whether differences hold the values of attributes.
    ignored
        Names of attributes that do not count.
    expiry
        Name of the time to live attribute.
    seed
        Of the scans' digests.
    """

    writes_stopped: bool = False
    trust_scan: bool = False
    partial: bool = False
    values: bool = False
    ignored: frozenset[str] = frozenset()
    expiry: str | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Rechecked:
    """Result of a generation: keys settled and left open, read units, and when it ended."""

    settled: int
    open: int
    units: Mapping[SideName, float]
    ended: float


class Generation:
    """One recheck of all candidates, into a file of outcomes.

    A row is state, kind, the key's place in the order of keys (hexadecimal), and the record: the candidate
    and the difference as JSON.

    Parameters
    ----------
    tables
        The table of each side.
    rules
        The rules.
    path
        The file. Batches that it already holds are not read again.
    now
        Seconds since the epoch.
    """

    def __init__(
        self,
        tables: Mapping[SideName, Table],
        rules: Rules,
        path: Path,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._tables = tables
        self._rules = rules
        self._path = path
        self._now = now
        self._lock = threading.Lock()

    def run(
        self, candidates: Iterator[Candidate], *, stop: threading.Event, tick: Callable[[int], None]
    ) -> Rechecked:
        """Read all ``candidates`` and decide about each.

        Parameters
        ----------
        candidates
            The same ones, in the same order, whenever the file is worked on.
        tick
            Called several times a second with the number of keys read again.

        Raises
        ------
        processes.Stopped, UserError, OSError
            See `scan.SegmentScan.run`.
        """
        blocks = BlockFile(self._path)
        try:
            done = {checkpoint["batch"] for checkpoint in blocks.checkpoints}
            kept = list(blocks.checkpoints)
            batches = enumerate(_batches(candidates))

            def work() -> None:
                rules = self._rules
                readers = {
                    side: table.reader(rules.ignored, seed=rules.seed) for side, table in self._tables.items()
                }
                while True:
                    with self._lock:
                        number, batch = next(batches, (-1, []))
                    if not batch:
                        return
                    if number in done:
                        continue
                    found, checkpoint = self._decided(batch, readers)
                    checkpoint["batch"] = number
                    with self._lock:
                        blocks.append(found, checkpoint)
                        kept.append(checkpoint)

            run_all([work] * _THREADS, stop=stop, tick=lambda: tick(_sum(kept, "keys")))
        finally:
            blocks.close()
        return Rechecked(
            settled=_sum(kept, "settled"),
            open=_sum(kept, "open"),
            units={side: sum(checkpoint[side] for checkpoint in kept) for side in SIDES},
            ended=max((checkpoint["at"] for checkpoint in kept), default=self._now()),
        )

    def _decided(
        self, batch: Sequence[Candidate], readers: Mapping[SideName, Reader]
    ) -> tuple[bytes, dict[str, Any]]:
        schema = self._tables["source"].keys
        units: dict[str, float] = dict.fromkeys(SIDES, 0.0)
        asked: list[tuple[Candidate, dict[str, Any], str]] = []
        # Two spellings of one number are two candidates of one key, and a call takes a key once.
        keys: dict[str, Item] = {}
        lines = []
        for candidate in batch:
            if self._trusts_scan(candidate):
                lines.append(self._line(candidate, "standing", self._as_scanned(candidate)))
                continue
            key = schema.of_row(candidate.partition, candidate.sort)
            name = schema.identity_of_row(candidate.partition, candidate.sort)
            keys[name] = key
            asked.append((candidate, key, name))

        def get(side: SideName) -> dict[str, Found]:
            if not keys:
                return {}
            found, consumed = self._tables[side].get(list(keys.values()), readers[side])
            units[side] += consumed
            return found

        before, there = get("source"), get("destination")
        after = before if self._rules.writes_stopped else get("source")
        settled = left_open = 0
        for candidate, key, name in asked:
            seen = _Seen(before.get(name), there.get(name), after.get(name))
            if self._same(seen.before, seen.there) or self._same(seen.after, seen.there):
                settled += not self._unmoved(candidate, seen)
                continue
            following, state, difference = self._different(candidate, key, seen)
            left_open += state == "open"
            lines.append(self._line(following, state, difference))
        return b"".join(lines), {
            "keys": len(asked),
            "settled": settled,
            "open": left_open,
            "at": round(self._now(), 3),
            **units,
        }

    def _different(self, candidate: Candidate, key: Item, seen: _Seen) -> tuple[Candidate, State, Difference]:
        now = self._now()
        kind, paths, expires = self._kind(seen)
        stays = candidate.checks > 0 and seen.still and self._unmoved(candidate, seen)
        state: State = "standing" if self._rules.writes_stopped or stays or kind == "expired" else "open"
        following = replace(
            candidate,
            source=seen.after.digests[0] if seen.after else None,
            destination=seen.there.digests[0] if seen.there else None,
            first_seen=candidate.first_seen or now,
            checks=candidate.checks + 1,
        )
        difference = Difference(
            kind,
            key,
            paths,
            standing=state == "standing",
            first_seen=following.first_seen,
            last_seen=now,
            checks=following.checks,
            expires=expires,
            source_digest=self._digest(seen.after),
            destination_digest=self._digest(seen.there),
        )
        return following, state, difference

    def _kind(self, seen: _Seen) -> tuple[Kind, tuple[Any, ...], int | None]:
        if seen.after and seen.there:
            paths = changed_paths(
                self._counted(seen.after.item), self._counted(seen.there.item), values=self._rules.values
            )
            return "changed", paths, None
        held = seen.after or seen.there
        assert held is not None
        expires = expired_at(held.item.get(self._rules.expiry or "", {}).get("N", ""), self._now())
        if expires is not None:
            return "expired", (), expires
        return ("missing" if seen.after else "extra"), (), None

    def _trusts_scan(self, candidate: Candidate) -> bool:
        return self._rules.trust_scan and not (candidate.source and candidate.destination)

    def _as_scanned(self, candidate: Candidate) -> Difference:
        now = self._now()
        kind: Kind = "missing" if candidate.source else "extra"
        expires = expired_at(candidate.expires, now)
        return Difference(
            "expired" if expires is not None else kind,
            self._tables["source"].keys.of_row(candidate.partition, candidate.sort),
            first_seen=now,
            last_seen=now,
            expires=expires,
        )

    def _same(self, one: Found | None, other: Found | None) -> bool:
        if one is None or other is None:
            return one is other
        if one.digests[0] == other.digests[0]:
            return True
        return canonical({"M": self._counted(one.item)}) == canonical({"M": self._counted(other.item)})

    def _unmoved(self, candidate: Candidate, seen: _Seen) -> bool:
        """Return whether both sides are as they were when last read."""
        return self._as_seen(candidate.source, seen.after, candidate.checks) and self._as_seen(
            candidate.destination, seen.there, candidate.checks
        )

    def _as_seen(self, known: str | None, found: Found | None, checks: int) -> bool:
        if known is None:
            return found is None or (self._rules.partial and not checks)
        return found is not None and known in found.digests

    def _digest(self, found: Found | None) -> str | None:
        return None if found is None else digest(found.item).hex()

    def _counted(self, item: Item) -> Item:
        if not self._rules.ignored:
            return item
        return {name: value for name, value in item.items() if name not in self._rules.ignored}

    def _line(self, candidate: Candidate, state: State, difference: Difference) -> bytes:
        position = self._tables["source"].keys.order(difference.key).hex()
        outcome = Outcome(difference, candidate if state == "open" else None)
        return f"{state}\t{difference.kind}\t{position}\t".encode("ascii") + _encode(outcome) + b"\n"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Record of an outcome: the difference, and the candidate for the next recheck."""

    difference: Difference
    candidate: Candidate | None


def line_of(position: bytes, difference: Difference) -> bytes:
    """Return a line as `outcomes` yields it, of a difference that was found elsewhere."""
    return position.hex().encode("ascii") + b"\t" + _encode(Outcome(difference, None))


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Outcome).decode


@dataclass(frozen=True, slots=True)
class _Seen:
    """A key as it was read again: from the source, the destination, and the source again."""

    before: Found | None
    there: Found | None
    after: Found | None

    @property
    def still(self) -> bool:
        """Whether the source was unchanged while the destination was read."""
        if self.before is None or self.after is None:
            return self.before is self.after
        return self.before.digests == self.after.digests


def paired(directory: Path) -> Iterator[Candidate]:
    """Yield the candidates in the files of `match.pair`, always in the same order."""
    for path in sorted(directory.iterdir()):
        for row in rows(path):
            partition, sort, source, destination, expires = row.decode().split("\t")
            yield Candidate(partition, sort, source or None, destination or None, expires)


def still_open(path: Path) -> Iterator[Candidate]:
    """Yield the candidates that a generation has left open, from its file."""
    for row in rows(path):
        candidate = _decode(row.split(b"\t")[3]).candidate
        if candidate is not None:
            yield candidate


def outcomes(paths: Sequence[Path], counts: Counter[Kind]) -> Iterator[bytes]:
    """Yield what generations have found: lines of the key's position among all keys, a tab, and the record.

    Parameters
    ----------
    paths
        Their files, in the order of the generations. What the last one has left open also counts.
    counts
        Counts the lines by kind.
    """
    for path in paths:
        for row in rows(path):
            state, kind, line = row.split(b"\t", 2)
            if state == b"standing" or path == paths[-1]:
                counts[kind.decode()] += 1  # type: ignore[index]
                yield line


def recorded(path: Path) -> Iterator[Difference]:
    """Yield the differences in a file of records."""
    for row in rows(path):
        yield _decode(row).difference


def _batches(candidates: Iterator[Candidate]) -> Iterator[list[Candidate]]:
    while batch := list(islice(candidates, BATCH_KEYS)):
        yield batch


def _sum(checkpoints: Sequence[Mapping[str, Any]], name: str) -> int:
    return sum(checkpoint[name] for checkpoint in checkpoints)
