"""What control answers: the run as operators and the commands see it. Times are seconds since the epoch."""

from __future__ import annotations

from typing import Literal, NotRequired, Required, TypeAlias, TypedDict

from tablecopy.dynamodb.client import Json
from tablecopy.journal.run import Phase

RunPhase: TypeAlias = Phase | Literal["none"]
"""The phase of a run; ``none`` before the first start."""


VerificationVerdict: TypeAlias = Literal["", "equal", "different", "unsettled"]
"""The verdict of a verification; empty until it is done."""


class RecommendationStatus(TypedDict):
    """The fields of `control.sizing.Recommendation`."""

    segments: int
    concurrency: int
    seconds: float
    text: str


class EstimateStatus(TypedDict):
    """The fields of `control.estimate.Estimate`."""

    items: int
    bytes: int
    read_units: int
    write_units: int
    units_per_item: float
    cost: float
    currency: str
    seconds: float
    limit: str
    limit_reason: str
    recommendation: NotRequired[RecommendationStatus | None]
    shards: NotRequired[int]


class PartStatus(TypedDict):
    """A part of the time for which writers stop: ``seconds`` is ``None`` if it is not known."""

    what: str
    seconds: float | None
    advice: str


class CutoverStatus(TypedDict, total=False):
    """A cutover with a proof. Before the first start only ``refused`` is present.

    Attributes
    ----------
    request
        Id of the latest request; empty before the first one.
    active
        It is in progress.
    by
        When it lapses; 0 if none is in progress.
    grade
        Grade of a sealed run's proof: ``seen``, ``audited`` or ``different``; empty without a proof.
    outcome, reason
        How the latest request has ended without a seal, and why; see journal.run.Run.
    quiet
        Seconds for which the streams must show nothing new.
    denied
        ARNs of tables whose resource policy denies writes for a cutover, or may do so.
    refused
        Why a cutover cannot begin now; empty if it can.
    passing
        Whether that passes by itself within a minute or two.
    seconds
        How long writers would stop now; ``None`` if it is not known.
    parts
        The parts of this time.
    compared
        When the baseline has ended; 0 before that.
    """

    request: str
    active: bool
    by: float
    grade: str
    outcome: str
    reason: str
    quiet: float
    denied: list[str]
    refused: Required[str]
    passing: bool
    seconds: float | None
    parts: list[PartStatus]
    compared: float


class Status(TypedDict, total=False):
    """The run as the journal has it. Before the first start only ``phase`` and ``now`` are present.

    Attributes
    ----------
    phase
        Phase of the run.
    now
        Time of the answer.
    run
        Id of the run.
    started, phase_since
        When the run and its present phase began.
    slice, slice_ends
        Number of the latest slice, 0 before the first one, and when its workers stop writing.
    segments, segments_done
        Segments of the scan, and how many of them are copied.
    items, bytes
        What the backfill has copied. Bytes are those of the requests, more than DynamoDB's table size.
    changes, puts, deletes
        Changes that the replicator has applied, and the writes that they led to.
    oldest_unapplied_age
        Age of the oldest unapplied change in seconds, as control saw it last; 0 if there is none.
    arriving, applying
        Changes per second, as measured in the latest drain; ``applying`` is 0 before the first one.
    quiet_for, quiet_needed
        Seconds for which all shards have been empty, ``None`` while one is not; and how many the run must be
        quiet for before it is ready.
    dead_letters
        Open dead letters.
    empty_slices
        Latest slices in a row that copied nothing.
    failed_workers
        Workers of the latest slice that gave up.
    redrive
        The next slice retries the dead letters.
    workers
        Workers that share the read and write capacity now.
    estimate
        What preflight expects of the run; ``None`` before preflight has passed.
    rate_measured_since, rate_measured_from
        When the measurement of the copy rate began, and how many items were copied by then.
    seal_requested
        An operator has requested the seal.
    seal_grade
        Grade of the proof of a sealed run: ``seen``, ``audited`` or ``different``; empty without a proof.
    cutting_over
        A cutover is in progress.
    denied
        ARNs of tables whose resource policy denies writes for a cutover, or may do so.
    checked
        When preflight found problems first; 0 before its first look.
    problems
        What preflight waits for, one text for each problem.
    reason
        Why the run is stopped or what it waits for; may be empty.
    blocked
        Everything is copied and applied, but an operator must act on ``reason``.
    resumable
        ``start`` can continue the run if it is stopped.
    verification
        The latest verification in the account, if there is one.
    comparison_only
        There is no copy, and so never a run: the tables are only compared.
    """

    phase: Required[RunPhase]
    now: Required[float]
    run: str
    started: float
    phase_since: float
    slice: int
    slice_ends: float
    segments: int
    segments_done: int
    items: int
    bytes: int
    changes: int
    puts: int
    deletes: int
    oldest_unapplied_age: float
    arriving: float
    applying: float
    quiet_for: float | None
    quiet_needed: float
    dead_letters: int
    empty_slices: int
    failed_workers: int
    redrive: bool
    workers: int
    estimate: EstimateStatus | None
    rate_measured_since: float
    rate_measured_from: int
    seal_requested: bool
    seal_grade: str
    cutting_over: bool
    denied: list[str]
    checked: float
    problems: list[str]
    reason: str
    blocked: bool
    resumable: bool
    verification: NotRequired[VerificationStatus]
    comparison_only: NotRequired[bool]


class DeadLetterStatus(TypedDict):
    """An open dead letter: ``key`` and ``image`` in DynamoDB JSON, the rest as in `journal.dead_letters`."""

    key: Json
    code: str
    message: str
    origin: str
    action: str
    sequence_number: str
    first_seen: float
    attempts: int
    image: NotRequired[Json]


class DeadLetterList(TypedDict):
    """Open dead letters: how many there are, and as many of them as fit into the answer."""

    count: int
    dead_letters: list[DeadLetterStatus]


class TrackingStatus(TypedDict, total=False):
    """The tracking of touched keys, empty without one. Times are seconds since the epoch.

    Attributes
    ----------
    state, reason, since
        See journal.touched.Tracking.
    verified_through
        Changes made before this moment are verified on both sides; 0 as long as that is not known.
    left
        Keys that must be read again.
    standing
        Keys that differ although every change is applied.
    predicted_stop_s
        For how many seconds writers would stop for a cutover now; ``None`` as long as that is not known.
    waits_for
        What keeps keys from being noted or rechecked; may be empty.
    """

    state: str
    reason: str
    since: float
    verified_through: float
    left: int
    standing: int
    predicted_stop_s: float | None
    waits_for: str


class AuditStatus(TypedDict, total=False):
    """How far an audit has read the destination's stream, empty for another verification.

    Times are seconds since the epoch.

    Attributes
    ----------
    since
        What was written to the destination after this moment was written by the new writers.
    scanned
        When both tables were scanned; 0 before that.
    noted_to
        Changes since the seal that were made before this moment are noted; 0 as long as that is not known.
    waits_for
        What keeps the stream from being read; may be empty.
    """

    since: float
    scanned: float
    noted_to: float
    waits_for: str


class VerificationStatus(TypedDict, total=False):
    """A verification as the journal has it, empty before the first one. Times are seconds since the epoch.

    Attributes
    ----------
    id, state, reason, writes_stopped, began, ended, generation
        See journal.verifications.Verification.
    verdict
        As of ``verify``; empty until it is done.
    running
        Its execution runs. If it does not, and the verification has not ended, ``begin`` continues it.
    now
        Time of the answer.
    segments, segments_done
        Segments of the scans, and how many are compared.
    source_items, destination_items, source_units, destination_units
        Items read and read units used.
    equal, missing, changed, extra, expired
        Keys by verdict.
    undecided
        Keys that differ and may be changes on their way.
    listed
        Differences that are listed.
    segments_by_key
        Segments whose scans do not meet, so that their keys are read at the other table.
    estimated_items
        Items of both tables, as DynamoDB counted them; 0 until the scans begin.
    tracking
        What was written since the scans began.
    audit
        How far an audit is; empty if it is another verification.
    differing
        Keys that differed in the scans of an audit, and are judged after them.
    """

    id: str
    state: str
    verdict: VerificationVerdict
    running: bool
    reason: str
    writes_stopped: bool
    began: float
    ended: float
    now: float
    generation: int
    segments: int
    segments_done: int
    source_items: int
    destination_items: int
    source_units: float
    destination_units: float
    equal: int
    missing: int
    changed: int
    extra: int
    expired: int
    undecided: int
    listed: int
    segments_by_key: int
    estimated_items: int
    tracking: TrackingStatus
    audit: AuditStatus
    differing: int
