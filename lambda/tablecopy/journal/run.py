"""The run: the phase of a copy, and who may write to the destination in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from tablecopy.journal.codec import decode, encode, number, stored_as, text
from tablecopy.journal.store import Conflict, Store, Versioned


class Phase(StrEnum):
    """The phases of a run. docs/internals.md describes what each allows and what ends it."""

    PREFLIGHT = "preflight"
    PAUSING = "pausing"
    SLICE = "slice"
    RESUMING = "resuming"
    DRAINING = "draining"
    READY = "ready"
    SEALING = "sealing"
    SEALED = "sealed"
    STOPPED = "stopped"


REPLICATING = frozenset({Phase.DRAINING, Phase.READY})
"""The phases in which the replicator may write to the destination."""

DEAD_LETTER_LIMIT = 1_000
"""More open dead letters than this point to an error of the destination, not of single items."""


CUTOVER_OUTCOMES = ("cancelled", "different", "late", "stopped", "timeout")
"""How a request for a cutover ends without a seal.

``late``: something wrote to the source table after the writers were said to be stopped. ``stopped``: the run
has stopped.
"""


@dataclass(frozen=True)
class Run(Versioned):
    """State of a run. Times are seconds since the epoch.

    Attributes
    ----------
    run_id
        Id of the run, which also names its executions.
    stream_arn
        The stream whose records this run replays. The run rejects another one (a re-enabled stream).
    key_names
        Key attributes of both tables, as preflight found them.
    total_segments
        ``TotalSegments`` of the scan, fixed for the run, since a checkpoint is only valid with this number.
    segments_id
        Names the run's segments in the journal: ``run_id``. Empty for a run that an earlier version has
        begun, whose segments are those without a name.
    slice, slice_began, slice_ends
        Number of the latest slice (from 1), when it began, and when its workers stop writing.
    scan_began
        When the first slice began; 0 before it. The backfill reads everything after this moment.
    covered_to
        Changes made before this moment are from before the copy: the backfill has read what they led to. It
        is earlier than ``scan_began``, because clocks differ. 0 before the first slice.
    mapping_uuid
        UUID of the event source mapping that delivers the stream; empty until the reconciler has seen it. The
        run rejects another mapping, which would begin at another place in the stream.
    noted_at
        When the reconciler had noted its place in every shard of the stream; 0 before that.
    letters
        Raised before and after each dead letter is recorded, so 0 as long as there was none. As long as it
        does not change, no new dead letter is there. Only ``RunRecord.note_dead_letter`` writes it.
    phase_since
        When this phase began.
    empty_slices
        Latest slices in a row that copied nothing.
    failed_workers
        Workers of the latest slice that gave up before it ended and left a segment unfinished.
    copied_before_slice
        Items copied when the latest slice began, which shows whether the slice copied any.
    rate_measured_since, rate_measured_from
        When the measurement of the copy rate began, pauses included, and how many items were copied by then.
        0 before the first slice, and from the restart of a stopped run until its next slice.
    seal_requested_at
        When an operator has requested the seal; 0 if none has. A run that is still ready is sealed when all
        changes made before this moment are applied.
    cutover
        Id of the latest request for a cutover: a seal that needs a proof. Empty before the first one.
    seal_by
        When that request lapses; 0 if none is in progress.
    seal_grade
        What the proof of the request, or of a sealed run, rests on: ``seen`` if the tables are equal as far
        as the streams have shown, ``audited`` if an audit after the seal has found them equal, ``different``
        if it has not. Empty without a proof.
    audit
        The audit that the grade is of; empty if there was none.
    quiet_seconds
        For how long the streams must show nothing new for the proof.
    fence
        Names the moment since which no function can write for the request that is being sealed. Empty before
        it.
    fenced_at
        When that was.
    proved_records
        Records of the source's stream that were applied when the source was proved to be quiet; -1 before it.
    cutover_outcome, cutover_reason
        How the latest request has ended without a seal, one of `CUTOVER_OUTCOMES`, and why. Empty otherwise.
    denied
        Tables whose resource policy denies writes for a cutover, or may do so: see `control.cutover`.
    confirmed
        An operator has started the run. A run that an apply has begun only writes to an empty destination.
    request
        Id of the latest start request, so that repeating it changes nothing; may be empty.
    checked
        When preflight found problems first; 0 before its first look and after each start.
    problems
        What preflight waits for.
    reason
        Why the run is stopped or what it waits for.
    blocked
        Everything is copied and applied, but an operator must act on ``reason``. Every new phase clears it.
    resumable
        Whether ``start`` can continue a stopped run.
    workers
        Workers that share the read and write capacity now; at least 1.
    read_ceiling
        Read units per second that all workers together must not exceed if no read capacity is set: half of
        the source's provisioned capacity. 0 if there is no such limit.
    redrive
        An operator has requested a redrive, and its slice has not ended.
    redrive_slice
        The slice whose execution retries the dead letters; 0 before the first one.
    dead_letter_limit
        The run stops if more dead letters than this are open.
    destination_id
        ``TableId`` of the destination, as preflight found it.
    estimate
        What preflight expects of the run, as JSON text (see control.estimate); empty before it.
    arriving, applying
        Changes per second, as measured in the latest drain: made in the source table, and applied by the
        replicator at full speed. ``applying`` is 0 until it is measured.
    window_since, window_age, window_records
        The beginning of the present measurement window of a drain: when, the age of the oldest unapplied
        change in seconds, and how many changes were applied by then.
    """

    run_id: str
    stream_arn: str
    total_segments: int
    started: float
    phase: Phase
    phase_since: float
    key_names: tuple[str, ...] = ()
    slice: int = 0
    slice_began: float = 0.0
    slice_ends: float = 0.0
    scan_began: float = 0.0
    empty_slices: int = stored_as("empty_slices", 0)
    failed_workers: int = 0
    copied_before_slice: int = 0
    seal_requested_at: float = 0.0
    confirmed: bool = False
    request: str = ""
    checked: float = 0.0
    problems: tuple[str, ...] = ()
    reason: str = ""
    resumable: bool = True
    workers: int = 1
    read_ceiling: float = 0.0
    redrive: bool = False
    redrive_slice: int = 0
    dead_letter_limit: int = stored_as("dead_letter_limit", DEAD_LETTER_LIMIT)
    destination_id: str = ""
    estimate: str = ""
    arriving: float = 0.0
    applying: float = 0.0
    window_since: float = stored_as("window_since", 0.0)
    window_age: float = stored_as("window_age", 0.0)
    window_records: int = stored_as("window_records", 0)
    blocked: bool = stored_as("held", False)
    rate_measured_since: float = stored_as("rate_measured_since", 0.0)
    rate_measured_from: int = stored_as("rate_measured_from", 0)
    covered_to: float = 0.0
    mapping_uuid: str = ""
    noted_at: float = 0.0
    letters: int = 0
    cutover: str = ""
    seal_by: float = 0.0
    seal_grade: str = ""
    audit: str = ""
    quiet_seconds: float = 0.0
    fence: str = ""
    fenced_at: float = 0.0
    proved_records: int = -1
    cutover_outcome: str = ""
    cutover_reason: str = ""
    denied: tuple[str, ...] = ()
    segments_id: str = ""

    @property
    def is_cutting_over(self) -> bool:
        """Whether a request for a cutover is in progress."""
        return self.seal_by > 0

    @property
    def new_writers_since(self) -> float:
        """A moment that divides the copy's writes to the destination from those of the new writers.

        Nothing wrote between the fence and the seal. This is the middle of that time, because clocks differ,
        and records have their times in whole seconds. 0 without a seal that has a proof.
        """
        if self.phase is not Phase.SEALED or not self.seal_grade or not self.fenced_at:
            return 0.0
        return (self.fenced_at + self.phase_since) / 2

    def without_cutover(self, outcome: str, reason: str) -> Run:
        """Return this run without the request for a cutover, which has ended."""
        return replace(
            self,
            seal_by=0.0,
            seal_grade="",
            fence="",
            cutover_outcome=outcome,
            cutover_reason=reason,
        )

    def enter(self, phase: Phase, at: float, **changes: object) -> Run:
        """Return this run in ``phase`` since ``at``."""
        return replace(self, **{"blocked": False, "reason": "", **changes}, phase=phase, phase_since=at)  # type: ignore[arg-type]


class RunRecord:
    """The journal item of the run."""

    _KEY = ("run", "state")

    def __init__(self, store: Store) -> None:
        self._store = store

    def read(self) -> Run | None:
        """Return the run after all acknowledged writes, or None before the first start."""
        item = self._store.get(*self._KEY)
        return None if item is None else decode(Run, item)

    def create(self, run: Run) -> bool:
        """Write the first state. Returns False if there is a run already."""
        try:
            self._store.put(*self._KEY, encode(run), condition="attribute_not_exists(pk)")
        except Conflict:
            return False
        return True

    def save(self, run: Run, *, without_new_letter: bool = False) -> Run | None:
        """Replace the state that ``run`` was derived from. Returns None if another writer was first.

        ``without_new_letter`` also returns None if a dead letter was recorded since that state was read: a
        call that is repeated after a timeout is carried out many seconds later.

        The version alone does not show that: a new journal has another run, which may have the same one.

        ``letters`` stays as it is in the journal: functions that record dead letters must not keep the
        reconciler from moving the run.
        """
        updated = replace(run, version=run.version + 1)
        condition = "#version = :known AND run_id = :run"
        names = {"#version": "version"}
        values = {":known": number(run.version), ":run": text(run.run_id)}
        if without_new_letter:
            # A run that an earlier version has begun may have no number yet.
            condition = f"{condition} AND #noted = :noted OR {condition} AND attribute_not_exists(#noted)"
            names["#noted"] = "letters"
            values[":noted"] = number(run.letters)
        try:
            self._store.update(
                *self._KEY,
                assign=encode(updated, without={"letters"}),
                condition=condition,
                names=names,
                values=values,
            )
        except Conflict:
            return None
        return updated

    def note_dead_letter(self) -> int:
        """Raise ``letters`` and return it: a number that no other call has returned.

        Raises Conflict if there is no run.
        """
        raised = self._store.update(*self._KEY, add={"letters": number(1)}, condition="attribute_exists(pk)")
        return int(raised["letters"]["N"])
