"""What the model of the cutover is made of: the protocol's options, a configuration's bounds, and the state.

There is one key. The source's value is the number of writes to it, and record n of its stream has the image
n + 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

Phase = Literal[
    "sync",
    "stopping",
    "drained",
    "sealing",
    "fenced",
    "early",
    "noted",
    "listed",
    "sealed",
    "refused",
    "resumed",
]

SPOILT = -1
"""A value that the source never had."""
NOTHING = -9


@dataclass(frozen=True)
class Protocol:
    """The protocol, with a switch for each thing that can be got wrong. The defaults are the right one."""

    notes_before_baseline: bool = True
    """The positions of both streams are noted before the baseline reads anything."""
    consistent: bool = True
    """Reads are strongly consistent."""
    covers_destination: bool = True
    """The keys of the destination's stream are noted as well."""
    reads_source_to_end: bool = True
    """The verdict waits until the source's stream was read to its end, and all of it is applied."""
    reads_destination_to_end: bool = True
    """The verdict waits until the destination's stream was read to its end."""
    waits_for_quiet: bool = True
    """The end of a stream is where nothing was found for the time in which a stream shows a record."""
    fences_first: bool = True
    """The destination's stream is read to its end after no function can write any more."""
    lists_last: bool = True
    """The list of touched keys is read after the destination's stream was read to its end."""
    lists_after_source: bool = True
    """It is read after the source's stream was read to its end as well."""
    looks_last: bool = True
    """The source's stream is looked at once more before the seal."""
    looks_at: Literal["new", "unapplied"] = "new"
    """What that look must not find: a record that is new, or only one that is not applied."""
    saves_after_notes: bool = True
    """A reader saves its place after its notes are in the journal."""
    removes_read_version: bool = True
    """A key leaves the list only if nothing was noted for it since the recheck read the list."""
    proves_again: bool = True
    """Another attempt proves everything again."""
    wants_baseline: bool = True
    """The verdict needs a baseline that found the key equal."""


@dataclass(frozen=True)
class Bounds:
    """How much may happen in a configuration."""

    writes: int = 1
    """Writes before the writers are told to stop."""
    stragglers: int = 0
    """Writes after that."""
    lost: int = 0
    """Changes that the replicator acknowledges without writing them."""
    invented: int = 0
    """Values that something writes to the destination before the fence."""
    late: int = 0
    """Writes of the replicator that land after it has given them up."""
    kills: int = 0
    """Deaths of control and of the tracker."""
    attempts: int = 1
    """How often the cutover is requested."""
    spoilt: bool = False
    """The destination may differ from the beginning."""


class Reader(NamedTuple):
    """How far control or the tracker has read a stream."""

    at: int = 0
    """The next record to read."""
    saved: int = 0
    """The place from which another environment continues."""
    owes: bool = False
    """It has saved its place and not yet noted the key."""
    notes: bool = False
    """It notes every record that it reads."""


class Recheck(NamedTuple):
    """A recheck, or the baseline: which side was read, and what was there."""

    side: Literal["", "begun", "source", "destination"] = ""
    value: int = NOTHING
    stale: bool = False
    """The key was noted since it began."""
    calm: bool = False
    """It began when everything was applied and noted."""


class State(NamedTuple):
    """Everything at one moment."""

    made: int = 0
    shown: int = 0
    """Records of the source's stream that can be read."""
    applied: int = 0
    """Records that the replicator has acknowledged. It may see one before control does."""
    pending: int = NOTHING
    """A write of the replicator that may still land."""
    destination: int = 0
    before: int = 0
    """The destination's value before its latest write."""
    written: int = 0
    """Records of the destination's stream, and how many can be read."""
    written_shown: int = 0
    control: Reader = Reader()
    tracker: Reader = Reader()
    baseline: Literal["none", "reading", "equal", "open"] = "none"
    scan: Recheck = Recheck()
    touched: bool = False
    recheck: Recheck = Recheck()
    phase: Phase = "sync"
    quiet_from: int = 0
    """Records that the source's stream had when the writers had stopped."""
    fenced_from: int = 0
    """Records that the destination's stream had when nothing could write to it any more."""
    proved_at: int = NOTHING
    """Records of the source's stream that were read when it was proved to be quiet, after the fence."""
    proved: bool = False
    """An earlier attempt has read the destination's stream to its end."""
    stragglers: int = 0
    lost: int = 0
    invented: int = 0
    late: int = 0
    kills: int = 0
    attempts: int = 0

    def __str__(self) -> str:
        """Return the state in a line."""
        baseline = f" baseline {self.baseline}"
        return (
            f"{self.phase} source {self.made} (shown {self.shown}, applied {self.applied}) "
            f"destination {self.destination} (records {self.written}, shown {self.written_shown})"
            f"{'' if self.pending == NOTHING else f' pending {self.pending}'} control {self.control.at} "
            f"tracker {self.tracker.at}{baseline}{' touched' * self.touched}"
        )
