"""What the model is made of: the protocol's options, the bounds of a configuration, and the state.

Everything is about one key of one table, and one shard of its stream holds that key's records. Batches
hold only records of this key, since records of others do not touch it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

Phase = Literal["pausing", "slice", "resuming", "draining", "ready", "sealing", "sealed", "stopped"]
Place = Literal[
    "called",  # nothing done yet
    "leased",  # has its lease, has not looked at the phase
    "looked",  # (wrong order) has seen the right phase, has no lease yet
    "scanning",  # may read the item (workers)
    "writing",  # its write may land any time now
    "written",  # its write is acknowledged
    "finished",  # has marked its batch as applied (replicators; in the wrong order: has cleared its lease)
    "doomed",  # executes no more, but the write it sent may still land
    "unsettled",  # executes no more, but the mark it sent may still land
    "dead",  # gone, only its lease is left
]
ABSENT = 0


@dataclass(frozen=True)
class Protocol:
    """The protocol, with a switch for each thing that can be got wrong. The defaults are the right one."""

    alternates: bool = True
    """Replicator and backfill write in phases of their own."""
    backfill_overwrites: bool = True
    """A worker's write is unconditional, otherwise it is a put-if-absent."""
    orders_by_second: bool = False
    """Writes are ordered by the whole second of the change, kept beside the item, not by the stream."""
    leases: bool = True
    """Writers put a lease in the journal."""
    lease_first: bool = True
    """They put it before they look at the phase."""
    lease_outlives_writes: bool = True
    """A lease expires only when no write of its invocation can land any more."""
    one_lease_per_batch: bool = True
    """A replicator's lease is named by its batch and put only if free, otherwise each call has its own."""
    segment_lease: Literal["kept", "replaced"] = "kept"
    """A worker puts its segment's lease only if it is free, otherwise it replaces that of a living one."""
    leases_expire: bool = True
    skips_applied: Literal["first", "last", "never"] = "first"
    """A replicator that has its lease looks for a mark of its batch, and writes nothing if there is one.

    It looks by the batch's first record, as the lease is named; "last" looks for a batch with the same end.
    """
    splits_marks: bool = True
    """The rest of a mark gets a mark of its own when a batch is found applied that ends before it."""
    marks_before_clearing: bool = True
    """A replicator marks its batch while it has the lease."""
    settles_marks: bool = True
    """A replicator whose mark was not answered keeps its lease until the mark can no longer land."""
    waits_at_pause: bool = True
    waits_at_resume: bool = True
    waits_at_seal: bool = True
    checks_slice_number: bool = True
    """A worker acts only in the slice it was started for, not in any."""
    checkpoints_after_write: bool = True
    """The segment's checkpoint passes the key after the write was acknowledged, not when the key was read."""
    redrives_in_slice: bool = True
    """A redrive acts in a slice only, otherwise also while draining."""
    ready_when_drained: bool = True
    """Control calls the table ready, and seals it, when marks cover the stream, not just after a while."""
    letters_last: bool = True
    """Control looks for open dead letters after it saw the stream applied, not before."""
    letters_until_seal: bool = True
    """It looks for them again before it seals, not only before it says ready."""
    letter_condition: Literal["put", "record", ""] = "put"
    """A dead letter is removed only if it was not put again since it was seen.

    "record": also if it was put again for the same record; "": whatever it is.
    """
    stop_clears_seal: bool = True
    """A request to seal does not outlive a stop of the run."""
    versioned_phases: bool = True
    """Control writes a phase only if nobody has written one since it read."""
    disables_mapping: bool = True


@dataclass(frozen=True)
class Bounds:
    """How much may happen in a configuration."""

    changes: int = 2
    """Writes and deletes at the source."""
    deletes: bool = True
    """Without deletes each change has a value of its own: what a replicator does is the same for both."""
    replicators: int = 1
    """Invocations of the replicator at once, dead ones whose lease lives included."""
    workers: int = 1
    """The same for workers of the key's segment and redrives together."""
    controls: int = 1
    slices: int = 1
    """From this slice on, a slice ends only when its work is done; earlier ones may also run out of time."""
    batch: int = 2
    """Records in a batch, at most."""
    deaths: bool = True
    late_writes: bool = False
    """The write of a dead invocation may land later."""
    gives_up: bool = False
    """The mapping may give up on an invocation that is still running, and deliver again."""
    falls_back: bool = False
    """The mapping may begin again at an earlier batch, as after the failure of its poller."""
    refused: tuple[int, ...] = ()
    """The put of each of these records is refused by the destination until it was redriven."""
    partial: bool = False
    """A replicator may leave another key unwritten, so that only a part of its batch is applied."""
    late_marks: bool = False
    """The mark of a replicator may go unanswered, and land later."""
    late_settling: bool = False
    """The request to remove a dead letter may be sent twice, and the first one may land later."""
    stops: int = 0
    """How often operators may stop the run, and start it again. If ever, they also request the seal."""
    stragglers: bool = False
    """A writer at the source may go on after the writers were said to have stopped."""
    executions_end: bool = False
    """An execution may be over before its work is."""


class Replicator(NamedTuple):
    """An invocation with the records first to last (counted from 1)."""

    first: int
    last: int
    at: Place
    leased: bool
    awaited: bool
    """The mapping still waits for its answer; otherwise nobody hears it."""


class Worker(NamedTuple):
    """An invocation of the backfill for the key's segment, or a redrive of the key."""

    kind: Literal["backfill", "redrive"]
    slice: int
    at: Place
    value: int
    leased: bool


class Control(NamedTuple):
    """An invocation of control: what it has read, how far it is, what it will write."""

    phase: Phase
    slice: int
    acted: bool
    """The side effect of the phase is behind it."""
    then: Phase | Literal[""]
    """The phase it has found reason to write."""
    no_letter: bool
    """It has looked, and there was no open dead letter."""
    end: int
    """The stream's end it has seen applied, or -1."""
    current: bool
    """No phase was written since it read, so that a conditional write succeeds."""


class State(NamedTuple):
    """Everything at one moment."""

    history: tuple[int, ...]
    """The source item's values: the first before the stream began, each later one a record of the stream."""
    stopped: bool
    """The writers are said to have stopped."""
    destination: int
    second: int
    """The second kept beside the destination's item (or its absence) when ordering by seconds."""
    mapping: Literal["off", "on", "stopping"]
    checkpoint: int
    """How many records the mapping takes as settled."""
    marks: tuple[int, ...]
    """By a batch's first record (less 1), the last record of it known as applied, or 0."""
    replicators: tuple[Replicator, ...]
    phase: Phase
    slice: int
    executions: tuple[int, ...]
    """Slices whose executions run."""
    passed: bool
    """The segment's checkpoint is behind the key."""
    letter: int
    """The record whose put the open dead letter has, or 0."""
    redriven: int
    """The last record whose dead letter was redriven, or 0; it and those before are refused no more."""
    settling: int
    """The record whose dead letter a late request removes, or 0."""
    workers: tuple[Worker, ...]
    controls: tuple[Control, ...]
    drained: int
    """The stream's end that control saw applied when it last declared the table drained."""
    seal: bool
    """The seal is requested, by the journal."""
    wanted: bool
    """Operators want the seal."""
    stops: int
    """How often the run was stopped."""

    @property
    def source(self) -> int:
        """Return what a consistent read of the source gives."""
        return self.history[-1]

    @property
    def end(self) -> int:
        """Return the number of the stream's last record."""
        return len(self.history) - 1

    @property
    def applied(self) -> int:
        """Return how far marks without a gap cover the stream."""
        cursor = 0
        while cursor < len(self.marks) and self.marks[cursor]:
            cursor = self.marks[cursor]
        return cursor

    def __str__(self) -> str:
        """Return the state in a line, leaving out what is empty."""

        def value(version: int) -> str:
            return f"v{version}" if version else "-"

        parts = [
            f"{self.phase} {self.slice}",
            f"source {'>'.join(map(value, self.history))}",
            f"destination {value(self.destination)}",
            f"mapping {self.mapping}@{self.checkpoint} applied {self.applied}",
        ]
        for replicator in self.replicators:
            lease = " lease" if replicator.leased else ""
            zombie = "" if replicator.awaited or replicator.at == "dead" else " zombie"
            parts.append(f"replicator[{replicator.first}-{replicator.last}]{zombie} {replicator.at}{lease}")
        for worker in self.workers:
            held = f" {value(worker.value)}" if worker.at in ("writing", "doomed") else ""
            parts.append(f"{worker.kind}/{worker.slice} {worker.at}{held}{' lease' if worker.leased else ''}")
        for control in self.controls:
            parts.append(
                f"control saw {control.phase} {control.slice}{'' if control.current else ' (stale)'}"
            )
        if self.letter:
            parts.append(f"dead letter of record {self.letter}")
        if self.settling:
            parts.append(f"late removal of dead letter {self.settling}")
        if self.seal:
            parts.append("seal requested" if self.wanted else "seal requested once")
        return " | ".join(parts)
