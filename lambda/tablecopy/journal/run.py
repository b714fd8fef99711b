"""The run: which phase a copy is in, and who may write to the destination in it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from enum import StrEnum

from tablecopy.journal.store import Conflict, Store, number, text
from tablecopy.wire import Json


class Phase(StrEnum):
    """The phases of a run. docs/architecture.md says what each allows and what ends it."""

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


@dataclass(frozen=True)
class Run:
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
    slice, slice_ends
        Number of the latest slice (from 1), and the moment its workers stop writing.
    scan_began
        When the first slice began; 0 before it. Everything read by the backfill was read after it.
    phase_since
        When this phase began.
    barren_slices
        Slices in a row that copied nothing.
    copied_before_slice
        Items copied when the latest slice began, to tell whether it got anywhere.
    seal_requested
        An operator has asked to seal the run once it is, on a fresh look, ready.
    problems
        What preflight waits for.
    reason
        Why the run is stopped, or what it waits for.
    resumable
        Whether a stopped run may be continued by ``start``.
    version
        Raised by every write; a write that does not know the latest one is refused.
    """

    run_id: str
    stream_arn: str
    total_segments: int
    started: float
    phase: Phase
    phase_since: float
    key_names: tuple[str, ...] = ()
    slice: int = 0
    slice_ends: float = 0.0
    scan_began: float = 0.0
    barren_slices: int = 0
    copied_before_slice: int = 0
    seal_requested: bool = False
    problems: tuple[str, ...] = ()
    reason: str = ""
    resumable: bool = True
    version: int = 0

    def enter(self, phase: Phase, at: float, **changes: object) -> Run:
        """This run in ``phase`` from ``at`` on."""
        return replace(self, phase=phase, phase_since=at, **changes)  # type: ignore[arg-type]


class RunRecord:
    """The one item that holds the run."""

    _KEY = ("run", "state")

    def __init__(self, store: Store) -> None:
        self._store = store

    def read(self) -> Run | None:
        """The run as of all acknowledged writes, or None before the first start."""
        item = self._store.get(*self._KEY)
        return None if item is None else _decode(item)

    def create(self, run: Run) -> bool:
        """Write the first state. False if there is a run already."""
        try:
            self._store.put(*self._KEY, _encode(run), condition="attribute_not_exists(pk)")
        except Conflict:
            return False
        return True

    def save(self, run: Run) -> Run | None:
        """Replace the state that ``run`` was derived from; None if somebody else has done so first."""
        following = replace(run, version=run.version + 1)
        try:
            self._store.put(
                *self._KEY,
                _encode(following),
                condition="#version = :known",
                names={"#version": "version"},
                values={":known": number(run.version)},
            )
        except Conflict:
            return None
        return following


def _encode(run: Run) -> Json:
    item: Json = {}
    for name, value in asdict(run).items():
        if isinstance(value, bool):
            item[name] = {"BOOL": value}
        elif isinstance(value, int | float):
            item[name] = number(value)
        elif isinstance(value, tuple):
            item[name] = {"L": [text(element) for element in value]}
        else:
            item[name] = text(str(value))
    return item


def _decode(item: Json) -> Run:
    return Run(
        run_id=item["run_id"]["S"],
        stream_arn=item["stream_arn"]["S"],
        total_segments=int(item["total_segments"]["N"]),
        started=float(item["started"]["N"]),
        phase=Phase(item["phase"]["S"]),
        phase_since=float(item["phase_since"]["N"]),
        key_names=tuple(name["S"] for name in item["key_names"]["L"]),
        slice=int(item["slice"]["N"]),
        slice_ends=float(item["slice_ends"]["N"]),
        scan_began=float(item["scan_began"]["N"]),
        barren_slices=int(item["barren_slices"]["N"]),
        copied_before_slice=int(item["copied_before_slice"]["N"]),
        seal_requested=item["seal_requested"]["BOOL"],
        problems=tuple(problem["S"] for problem in item["problems"]["L"]),
        reason=item["reason"]["S"],
        resumable=item["resumable"]["BOOL"],
        version=int(item["version"]["N"]),
    )
