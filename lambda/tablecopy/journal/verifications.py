"""Verifications: comparisons of both tables in the account, how far each segment is, and what differs.

Differences are listed with their keys and never with values. They are recorded in the same transaction as the
progress of their segment, so that a worker that is killed, or two at the same time, list nothing twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from tablecopy.clock import Machine
from tablecopy.comparison.differences import Difference, read, texts
from tablecopy.dynamodb.client import Json
from tablecopy.journal.audits import AuditNotes
from tablecopy.journal.codec import decode, number, text
from tablecopy.journal.store import MOST_KEYS, Store, Versioned

KEEP_SECONDS = 30 * 86_400
"""How long results are kept."""

_PROGRESS, _PROBLEM = "progress", "problem"

# An item holds 400 KB (DynamoDB limits), its other attributes included.
_CHUNK_CHARACTERS = 90_000


class State(StrEnum):
    """States of a verification."""

    REQUESTED = "requested"
    SCANNING = "scanning"
    RECHECKING = "rechecking"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Verification(Versioned):
    """A comparison of both tables. Times are seconds since the epoch.

    Attributes
    ----------
    verification_id
        Names its execution.
    total_segments, workers
        ``TotalSegments`` of the scans, and how many segments are compared at the same time.
    writes_stopped
        Nothing writes, so what differs once is a difference.
    request
        Id of the request that began it, or continued it last.
    execution
        Number of its execution. Each one continues from the journal.
    executed
        When its execution was started.
    key_names, expiry, source_ceiling, destination_ceiling, identities, estimated_items
        As `verifier.tables.Described`; not known while it is only requested.
    generation
        Number of times that open keys were read again.
    reached, futile
        Number of times that the segments were saved when the state machine asked last what is next, and how
        often it was no more than the time before.
    failed_workers
        Segments that the workers of the latest round left before their end.
    began, stepped, ended
        When it was requested, when the state machine asked last what is next, and when it ended; 0 before.
    reason
        Why it has failed.
    audited_run
        Id of the sealed run that it audits; empty if it is another verification.
    tracking_id, since
        Of an audit: the tracking that has proved the seal, and `Run.new_writers_since`.
    scanned
        When all segments of an audit were scanned; 0 before that.
    """

    verification_id: str
    total_segments: int
    workers: int
    began: float
    writes_stopped: bool = False
    state: State = State.REQUESTED
    request: str = ""
    execution: int = 1
    executed: float = 0.0
    key_names: tuple[str, ...] = ()
    expiry: str | None = None
    source_ceiling: float = 0.0
    destination_ceiling: float = 0.0
    identities: str = ""
    estimated_items: int = 0
    generation: int = 0
    reached: int = 0
    futile: int = 0
    failed_workers: int = 0
    stepped: float = 0.0
    ended: float = 0.0
    reason: str = ""
    audited_run: str = ""
    tracking_id: str = ""
    since: float = 0.0
    scanned: float = 0.0

    @property
    def counts_at_once(self) -> bool:
        """Whether what differs once counts: nothing writes, or an audit judges what was written."""
        return self.writes_stopped or bool(self.audited_run)

    @property
    def has_ended(self) -> bool:
        """Whether it is done or has failed."""
        return self.state in {State.DONE, State.FAILED}


@dataclass(frozen=True)
class Compared(Versioned):
    """How far the comparison of one segment is, and its exact counts up to there.

    Attributes
    ----------
    number
        Number of the segment, from 0.
    source_key, destination_key
        Keys in DynamoDB JSON after which the scans continue; None at the beginning.
    source_items, destination_items, source_units, destination_units
        Items read and read units used.
    equal, missing, changed, extra, expired
        Keys by verdict.
    open
        Keys that differ, perhaps because of a change on its way, and are read again.
    undecided
        Such keys that are too many to be kept.
    differing
        Keys that differed in the scans of an audit, to be judged.
    judged_to
        Up to which key an audit has judged, as `journal.audits.order_of`; empty before the first one.
    listed
        Differences that are listed. If there are more, the others are only counted.
    standing_chunks, open_chunks, next_chunks
        Number of items of the journal that list differences, open keys, and keys that the generation of
        rechecks that is not complete yet has left open.
    rechecked
        Open keys, from the first one on, that this generation has read again.
    by_key
        The scans do not meet, so every key is read at the other table.
    scanned
        Both scans are at their end.
    generation
        The generation of rechecks that is complete.
    saved
        When it was saved last, in seconds since the epoch; 0 before.
    """

    number: int
    source_key: Json | None = None
    destination_key: Json | None = None
    source_items: int = 0
    destination_items: int = 0
    source_units: float = 0.0
    destination_units: float = 0.0
    equal: int = 0
    missing: int = 0
    changed: int = 0
    extra: int = 0
    expired: int = 0
    open: int = 0
    undecided: int = 0
    differing: int = 0
    judged_to: str = ""
    listed: int = 0
    standing_chunks: int = 0
    open_chunks: int = 0
    next_chunks: int = 0
    rechecked: int = 0
    by_key: bool = False
    scanned: bool = False
    generation: int = 0
    saved: float = 0.0

    @property
    def unlisted(self) -> int:
        """Differences, undecided keys included, that are only counted."""
        counted = self.missing + self.changed + self.extra + self.expired
        return counted - self.listed + self.undecided


class Verifications:
    """The verifications in the journal. Only the latest one is read and written."""

    _PK, _SK = "verification", "latest"

    def __init__(self, store: Store, clock: Machine) -> None:
        self._store = store
        self._clock = clock

    def read(self) -> Verification | None:
        """Return the latest verification, or None."""
        item = self._store.get(self._PK, self._SK)
        return None if item is None else decode(Verification, item)

    def save(self, verification: Verification, *, is_new: bool = False) -> Verification | None:
        """Write the verification. Returns None if another writer was first."""
        return self._store.save(self._PK, self._SK, verification, is_new=is_new)

    def notes(self, audit: Verification) -> AuditNotes:
        """Return the notes of an audit."""
        return AuditNotes(self._store, self._clock, audit.verification_id)

    def segment(self, verification_id: str, segment: int) -> Compared:
        """Return how far a segment is; one that was never saved is at its beginning."""
        item = self._store.get(_pk(verification_id, segment), _PROGRESS)
        return Compared(segment) if item is None else decode(Compared, item, number=segment)

    def segments(self, verification: Verification) -> list[Compared]:
        """Return how far each segment is."""
        return self.some(verification, range(verification.total_segments))

    def some(self, verification: Verification, numbers: Sequence[int]) -> list[Compared]:
        """Return how far some segments are, by their ``numbers``."""
        names = [(_pk(verification.verification_id, number), _PROGRESS) for number in numbers]
        found: dict[str, Json] = {}
        for start in range(0, len(names), MOST_KEYS):
            for item in self._store.get_many(
                names[start : start + MOST_KEYS], self._clock, self._clock.random()
            ):
                found[item["pk"]["S"]] = item
        return [
            decode(Compared, found[pk], number=number) if pk in found else Compared(number)
            for number, (pk, _) in zip(numbers, names, strict=True)
        ]

    def save_segment(
        self,
        verification_id: str,
        compared: Compared,
        standing: Sequence[Difference] = (),
        still_open: Sequence[Difference] = (),
        *,
        rechecking: bool = False,
    ) -> Compared | None:
        """Write how far a segment is together with what was found since the last time: all or nothing.

        Parameters
        ----------
        still_open
            Keys to read again, in the next generation of rechecks.
        rechecking
            A generation is being read.

        Returns
        -------
        Compared or None
            As written; None if another worker was first.
        """
        pk = _pk(verification_id, compared.number)
        lists = []
        first = compared.standing_chunks
        for at, chunk in enumerate(texts(standing, _CHUNK_CHARACTERS), first):
            lists.append((_standing_name(at), chunk))
        compared = replace(compared, standing_chunks=first + len(lists))
        generation = compared.generation + rechecking
        first = compared.next_chunks if rechecking else compared.open_chunks
        opened = list(enumerate(texts(still_open, _CHUNK_CHARACTERS), first))
        lists += [(_open_name(generation, at), chunk) for at, chunk in opened]
        chunks = first + len(opened)
        compared = (
            replace(compared, next_chunks=chunks) if rechecking else replace(compared, open_chunks=chunks)
        )
        now = self._clock.now()
        expires = number(int(now) + KEEP_SECONDS)
        return self._store.save_with(
            (pk, _PROGRESS),
            replace(compared, saved=now),
            [(pk, name, {"listed": text(chunk), "expires_at": expires}) for name, chunk in lists],
            without={"number"},
            extra={"expires_at": expires},
        )

    def end_generation(self, verification_id: str, compared: Compared) -> Compared | None:
        """Write that all open keys of a segment were read again. Returns None if another worker was first."""
        complete = replace(
            compared,
            generation=compared.generation + 1,
            open_chunks=compared.next_chunks,
            next_chunks=0,
            rechecked=0,
        )
        return self.save_segment(verification_id, complete)

    def note_problem(self, verification_id: str, segment: int, problem: str) -> None:
        """Write what ended a segment's worker, for `problem`."""
        expires = number(int(self._clock.now()) + KEEP_SECONDS)
        self._store.put(
            _pk(verification_id, segment), _PROBLEM, {"problem": text(problem), "expires_at": expires}
        )

    def problem(self, verification_id: str, segment: int) -> str:
        """Return what has ended a segment's worker last; empty if nothing has."""
        item = self._store.get(_pk(verification_id, segment), _PROBLEM)
        found: str = "" if item is None else item["problem"]["S"]
        return found

    def standing(self, verification_id: str, compared: Compared) -> Iterator[Difference]:
        """Yield the listed differences of a segment."""
        for at in range(compared.standing_chunks):
            yield from read(self._text(verification_id, compared, _standing_name(at)))

    def still_open(self, verification_id: str, compared: Compared) -> Iterator[Difference]:
        """Yield the listed keys of a segment that are open."""
        for at in range(compared.open_chunks):
            yield from read(self._text(verification_id, compared, _open_name(compared.generation, at)))

    def listed(self, verification: Verification, compared: Compared, at: int) -> tuple[str, bool]:
        """Return a text that lists differences of a segment, and whether it lists open keys.

        ``at`` counts the ``standing_chunks`` first and the ``open_chunks`` after them. See
        `comparison.differences.texts`.
        """
        is_open = at >= compared.standing_chunks
        name = (
            _open_name(compared.generation, at - compared.standing_chunks) if is_open else _standing_name(at)
        )
        return self._text(verification.verification_id, compared, name), is_open

    def _text(self, verification_id: str, compared: Compared, name: str) -> str:
        item = self._store.get(_pk(verification_id, compared.number), name)
        assert item is not None, f"{name} of segment {compared.number} is missing in the journal"
        listed: str = item["listed"]["S"]
        return listed


def _pk(verification_id: str, segment: int) -> str:
    # A partition for each segment: all workers write at the same time.
    return f"verification#{verification_id}#{segment:07d}"


def _standing_name(at: int) -> str:
    return f"standing#{at:06d}"


def _open_name(generation: int, at: int) -> str:
    return f"open#{generation:03d}#{at:06d}"
