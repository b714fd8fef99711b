"""The run: which phase a copy is in, and who may write to the destination in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from tablecopy.journal.codec import decode, encode, stored_as
from tablecopy.journal.store import Conflict, Store, Versioned


class Phase(StrEnum):
    """The phases of a run. docs/internals.md says what each allows and what ends it."""

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
"""So many open dead letters are taken for a fault of the destination, not of single items."""


@dataclass(frozen=True)
class Run(Versioned):
    """State of a run. Times are seconds since the epoch.

    Attributes
    ----------
    run_id
        Names the run's executions.
    stream_arn
        The stream whose records this run replays; another one (a re-enabled stream) is refused.
    key_names
        The key attributes of both tables, as preflight has found them.
    total_segments
        ``TotalSegments`` of the scan, fixed for the run: a checkpoint means nothing under another number.
    slice, slice_began, slice_ends
        Number of the latest slice (from 1), when it began, and the moment its workers stop writing.
    scan_began
        When the first slice began; 0 before it. Everything read by the backfill was read after it.
    phase_since
        When this phase began.
    empty_slices
        Slices in a row that copied nothing.
    failed_workers
        Workers of the latest slice that gave up before it ended: each of their segments is unfinished.
    copied_before_slice
        Items copied when the latest slice began, to tell whether it got anywhere.
    rate_measured_since, rate_measured_from
        Since when the pace of the copying is reckoned, pauses included, and how many items had been copied by
        then. 0 before the first slice, and from when a stopped run is started again until its next one.
    seal_requested
        An operator has asked to seal the run once it is, on a fresh look, ready.
    confirmed
        An operator has started the run. One that an apply has begun only writes to an empty destination.
    request
        Id of the request that started the run last, so that repeating it changes nothing; may be empty.
    checked
        When preflight has found problems first; 0 before that, and again for each start.
    problems
        What preflight waits for.
    reason
        Why the run is stopped, or what it waits for.
    blocked
        Everything is copied and applied, and only a person can settle ``reason``. No other phase inherits it.
    resumable
        Whether a stopped run may be continued by ``start``.
    workers
        How many workers share the budgets of read and write capacity at the moment; at least 1.
    read_ceiling
        Read units per second that all workers together must not exceed where no budget is set: half of what
        a provisioned source has. 0 where there is no such limit.
    redrive
        An operator asked for the dead letters to be tried again, and the slice for it has not ended yet.
    redrive_slice
        The slice whose execution settles dead letters; 0 before the first one.
    dead_letter_limit
        The run stops when more dead letters than this are open.
    destination_id
        ``TableId`` of the destination as preflight saw it.
    estimate
        What preflight expects of the run, as JSON text (see control.estimate); empty before it.
    arriving, applying
        Changes per second, as measured in the latest drain: made at the source, and applied by the
        replicator at full speed. ``applying`` is 0 as long as nothing was measured.
    window_since, window_age, window_records
        Where the present measurement of a drain began: when, how old the oldest unapplied change was
        (seconds), and how many changes had been applied by then.
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
    seal_requested: bool = False
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

    def enter(self, phase: Phase, at: float, **changes: object) -> Run:
        """This run in ``phase`` from ``at`` on."""
        return replace(self, **{"blocked": False, **changes}, phase=phase, phase_since=at)  # type: ignore[arg-type]


class RunRecord:
    """The one item that holds the run."""

    _KEY = ("run", "state")

    def __init__(self, store: Store) -> None:
        self._store = store

    def read(self) -> Run | None:
        """The run as of all acknowledged writes, or None before the first start."""
        item = self._store.get(*self._KEY)
        return None if item is None else decode(Run, item)

    def create(self, run: Run) -> bool:
        """Write the first state. False if there is a run already."""
        try:
            self._store.put(*self._KEY, encode(run), condition="attribute_not_exists(pk)")
        except Conflict:
            return False
        return True

    def save(self, run: Run) -> Run | None:
        """Replace the state that ``run`` was derived from; None if somebody else has done so first."""
        return self._store.save(*self._KEY, run)
