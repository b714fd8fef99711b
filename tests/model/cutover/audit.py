"""The audit after a seal, as a model to explore: one key, the destination's stream, a scan, and new writers.

The source holds 0 and is quiet. The destination held 0 or something else at the seal. The verdict must say
which, whatever the new writers do before, during and after the scan.

Modelled: records that are shown late; the last write of the copy, whose record is shown only after the seal;
a reader that dies and reads again; later writes that make both items equal.

Assumed, as by the verdict `equal (audited)`: a record is shown before the audit ends that waits for it, and
its time shows whether it is from before the seal.

Abstracted away: shards, whose ranks put the records of a key into their order, and more than one key.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

Step = tuple[str, "Audit", str]

FALSE_EQUAL = "called equal, and the tables differed at the seal"
FALSE_DIFFERENCE = "called different, and the tables were equal at the seal"

SOURCE, SPOILT, NEW = 0, -1, 1
"""Values: what the source holds, what the copy has spoilt, and what new writers write."""
UNKNOWN = -9


@dataclass(frozen=True)
class Rules:
    """How the audit judges, with a switch for each thing that can be got wrong. The defaults are right."""

    first: bool = True
    """Of several old images the first one counts, not the last."""
    consistent: bool = True
    """The scan is strongly consistent."""
    reads_beyond_scan: bool = True
    """The stream is read until it shows everything from before the end of the scan."""
    from_the_seal: bool = True
    """The stream is read from the seal on, not from the beginning of the audit."""
    divides: bool = True
    """A record from before the seal does not count."""
    judges_all: bool = True
    """Each key that was written is judged by its old image, not only if the scan finds a difference."""


class Record(NamedTuple):
    """A change of the destination: what was there before, and whether the copy made it."""

    before: int
    of_copy: bool


class Audit(NamedTuple):
    """Everything at one moment."""

    destination: int
    older: int
    """What the destination held before its latest write."""
    at_seal: int
    records: tuple[Record, ...] = ()
    shown: int = 0
    read: int = -1
    """The next record to read; -1 before the audit begins."""
    begun_at: int = 0
    noted: int = UNKNOWN
    """The old image that counts."""
    scanned: int = UNKNOWN
    made: int = 0
    """Records that were made before the end of the scan."""
    writes: int = 0
    kills: int = 0
    verdict: str = ""

    def __str__(self) -> str:
        """Return the state in a line."""
        return (
            f"destination {self.destination} (at the seal {self.at_seal}) records {len(self.records)} shown "
            f"{self.shown} read {self.read} noted {self.noted} scanned {self.scanned} {self.verdict}"
        )


class AuditModel:
    """An audit within bounds.

    Parameters
    ----------
    writes, kills
        How often new writers write, and how often the reader dies.
    """

    def __init__(self, rules: Rules, writes: int = 3, kills: int = 1) -> None:
        self.rules = rules
        self.writes = writes
        self.kills = kills

    def initial(self) -> Iterator[Audit]:
        """Return seals of equal tables, of a difference, and of one whose record the stream has not shown."""
        yield Audit(SOURCE, SPOILT, SOURCE)
        yield Audit(SPOILT, SOURCE, SPOILT)
        yield Audit(SPOILT, SOURCE, SPOILT, records=(Record(SOURCE, of_copy=True),))

    def fault(self, state: Audit) -> str:
        """Return nothing: what is wrong is wrong with a step."""
        return ""

    def steps(self, state: Audit) -> Iterator[Step]:
        """Return everything that may happen next."""
        if over(state):
            return
        if state.writes < self.writes:
            for value in (SOURCE, NEW, NEW + state.writes):
                if value != state.destination:
                    yield f"writer: writes {value}", _written(state, value), ""
        if state.shown < len(state.records):
            yield "stream: shows a record", state._replace(shown=state.shown + 1), ""
        if state.read < 0:
            at = 0 if self.rules.from_the_seal else state.shown
            yield "audit: begins", state._replace(read=at, begun_at=at), ""
            return
        yield from self._reader(state)
        if state.scanned == UNKNOWN:
            for value in {state.destination} if self.rules.consistent else {state.destination, state.older}:
                scanned = state._replace(scanned=value, made=len(state.records))
                yield f"audit: scans {value}", scanned, ""
        elif state.read >= state.made or not self.rules.reads_beyond_scan:
            yield self._verdict(state)

    def _reader(self, state: Audit) -> Iterator[Step]:
        if state.read < state.shown:
            record = state.records[state.read]
            counts = not (record.of_copy and self.rules.divides)
            keeps = state.noted != UNKNOWN and self.rules.first
            noted = record.before if counts and not keeps else state.noted
            yield "reader: reads a record", state._replace(read=state.read + 1, noted=noted), ""
        if state.kills < self.kills and state.read > state.begun_at:
            yield "reader: dies", state._replace(read=state.begun_at, kills=state.kills + 1), ""

    def _verdict(self, state: Audit) -> Step:
        by_image = state.noted != UNKNOWN and (self.rules.judges_all or state.scanned != SOURCE)
        found = state.noted if by_image else state.scanned
        if found == SOURCE:
            wrong = "" if state.at_seal == SOURCE else FALSE_EQUAL
            return "audit: equal", state._replace(verdict="equal"), wrong
        wrong = FALSE_DIFFERENCE if state.at_seal == SOURCE else ""
        return "audit: different", state._replace(verdict="different"), wrong


def _written(state: Audit, value: int) -> Audit:
    record = Record(state.destination, of_copy=False)
    return state._replace(
        destination=value,
        older=state.destination,
        records=(*state.records, record),
        writes=state.writes + 1,
    )


def over(state: Audit) -> bool:
    """Return whether there is a verdict."""
    return bool(state.verdict)


def helps(label: str) -> bool:
    """Return whether a step is one that a way to the end may rely on."""
    return not label.startswith("writer: ") and "dies" not in label
