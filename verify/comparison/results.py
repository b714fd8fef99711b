"""Types of a comparison's progress and results."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

from tablecopy.text import timestamp
from tablecopy_cli.advice import Compared, Step, Unlisted, is_go_ahead
from tablecopy_cli.common.items import Item
from verify.comparison.differences import PathChange
from verify.settings.findings import Finding, unknown

Kind: TypeAlias = Literal["missing", "changed", "extra", "expired"]
KINDS: tuple[Kind, ...] = ("missing", "changed", "extra", "expired")

Verdict: TypeAlias = Literal["equal", "different", "unsettled", "sampled"]

DeadLetter: TypeAlias = Mapping[str, Any]
"""An open dead letter: see `tablecopy_cli.common.control_function.Letter`."""

Stage: TypeAlias = Literal["scan", "match", "recheck", "wait"]


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a comparison.

    Parameters
    ----------
    stage
        ``"scan"``: reading both tables. ``"match"``: pairing their rows. ``"recheck"``: reading candidates
        again. ``"wait"``: waiting for the next recheck.
    source_items, destination_items
        Items scanned so far, including those of an interrupted run.
    source_total, destination_total
        DynamoDB's item count, which it updates about every six hours; 0 if it has none.
    source_units, destination_units
        Read capacity units consumed so far.
    candidates, rechecked
        Keys to read again, and how many of them this generation has read.
    generation
        Number of the present or next recheck, from 1.
    wait_seconds
        For ``"wait"``: seconds until it ends.
    seconds
        Since the start, by a monotonic clock.
    resumed_items
        Those of `source_items` and `destination_items` that an interrupted run had read.
    """

    stage: Stage
    source_items: int = 0
    destination_items: int = 0
    source_total: int = 0
    destination_total: int = 0
    source_units: float = 0.0
    destination_units: float = 0.0
    candidates: int = 0
    rechecked: int = 0
    generation: int = 0
    wait_seconds: float = 0.0
    seconds: float = 0.0
    resumed_items: int = 0


@dataclass(frozen=True, slots=True)
class Difference:
    """One key on which the two tables differ.

    Parameters
    ----------
    kind
        ``"missing"`` (only the source has the item), ``"changed"``, ``"extra"`` (only the destination), or
        ``"expired"``: only one side has it, and its time to live has passed, so that DynamoDB may delete it
        on either side at any moment. An expired item does not make the tables different.
    key
        Primary key in DynamoDB JSON; binary values are base64 text.
    paths
        What differs, for ``"changed"``.
    standing
        Whether both sides stayed unchanged from one recheck to another, longer apart than the lag. If not, it
        may be a change in progress.
    first_seen, last_seen
        Seconds since the epoch.
    checks
        Number of rechecks; 0 if it is reported as the scan saw it.
    expires
        For ``"expired"``: the value of the time to live attribute, seconds since the epoch.
    source_digest, destination_digest
        `canonical.digest` in hexadecimal of the item as last read; ``None`` if there was none.
    dead_letter
        The open dead letter of this key, if there is one.
    """

    kind: Kind
    key: Item
    paths: tuple[PathChange, ...] = ()
    standing: bool = True
    first_seen: float = 0.0
    last_seen: float = 0.0
    checks: int = 0
    expires: int | None = None
    source_digest: str | None = None
    destination_digest: str | None = None
    dead_letter: DeadLetter | None = None

    def record(self) -> dict[str, Any]:
        """Return the JSON Lines record; see docs/reference.md."""
        record: dict[str, Any] = {"type": "difference", "kind": self.kind, "key": self.key}
        if self.kind == "changed":
            record["paths"] = [path.record() for path in self.paths]
        if self.expires is not None:
            record["expires"] = timestamp(self.expires)
        record["standing"] = self.standing
        record["first_seen"] = timestamp(self.first_seen)
        record["last_seen"] = timestamp(self.last_seen)
        record["checks"] = self.checks
        if self.dead_letter is not None:
            record["dead_letter"] = dict(self.dead_letter)
        return record


@dataclass(frozen=True)
class SideResult:
    """What was read of one table.

    Parameters
    ----------
    arn
        ARN of the table.
    items
        Items scanned.
    units
        Read capacity units consumed by everything read, as DynamoDB reports them.
    segments
        Items of each scanned segment, in the order of the segments.
    """

    arn: str
    items: int
    units: float
    segments: tuple[int, ...] = ()


@dataclass(frozen=True)
class Sample:
    """The part of the tables that was compared.

    Parameters
    ----------
    fraction
        The fraction as requested.
    segments, of
        Number of segments that were read, and of how many.
    seed
        Seed of the random choice of segments.
    chosen
        The segments if they were given, from 0; otherwise empty.
    """

    fraction: float
    segments: int
    of: int
    seed: int
    chosen: tuple[int, ...] = ()

    def record(self) -> dict[str, Any]:
        """Return what is printed as JSON; see docs/reference.md."""
        return {**asdict(self), "chosen": list(self.chosen)}


@dataclass(frozen=True)
class InAccount:
    """How a comparison in the source account was done.

    Parameters
    ----------
    verification_id
        Id of the verification.
    segments
        Segments that the tables were read in.
    segments_by_key
        Segments whose scans did not meet, so that their keys were read at the other table.
    unlisted
        Differences that are counted and not listed, by segment.
    """

    verification_id: str
    segments: int
    segments_by_key: int = 0
    unlisted: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Comparison:
    """The result of a comparison.

    Parameters
    ----------
    source, destination
        What was read.
    differences
        In the order of their keys, on disk because there may be millions. Can be iterated repeatedly.
    counts
        Number of differences of each kind.
    unsettled
        How many of them are not `Difference.standing`.
    settled
        Keys that differed in the scan and were equal, or deleted on both sides, in a recheck.
    findings
        What differs between the tables' definitions.
    dead_letters
        Open dead letters of keys that are not among the differences.
    open_dead_letters
        Number of all open dead letters; ``None`` if the control function did not answer.
    generations
        Number of rechecks.
    lag_seconds
        The shortest time between two of these rechecks.
    writes_stopped
        Whether the comparison ran with ``--writes-stopped``.
    sample, filter_expression, ignored
        Restrictions of the comparison.
    in_account
        How it was done in the source account; ``None`` if it ran on this machine.
    started, seconds
        When it began (seconds since the epoch), and how long it took.
    """

    source: SideResult
    destination: SideResult
    differences: Collection[Difference]
    counts: Mapping[Kind, int] = field(default_factory=dict)
    unsettled: int = 0
    settled: int = 0
    findings: Sequence[Finding] = ()
    dead_letters: Sequence[DeadLetter] = ()
    open_dead_letters: int | None = 0
    generations: int = 0
    lag_seconds: float = 0.0
    writes_stopped: bool = False
    sample: Sample | None = None
    filter_expression: str | None = None
    ignored: tuple[str, ...] = ()
    in_account: InAccount | None = None
    started: float = 0.0
    seconds: float = 0.0

    @property
    def verdict(self) -> Verdict:
        """``"equal"``, ``"different"``, ``"unsettled"`` or ``"sampled"``.

        Under writes, one standing difference makes the tables different. If all differences are still
        changing, the result is unsettled. With writes stopped every difference counts, and a settled one
        shows that something still writes. A sample without a difference proves nothing about the rest.
        """
        total = self.differing
        if total > self.unsettled or (total and self.writes_stopped):
            return "different"
        if total or (self.writes_stopped and self.settled):
            return "unsettled"
        return "sampled" if self.sample else "equal"

    def count(self, kind: Kind) -> int:
        """Return the number of differences of one kind."""
        return self.counts.get(kind, 0)

    @property
    def unlisted(self) -> int:
        """Number of differences that are counted and not among ``differences``."""
        return sum(self.in_account.unlisted.values()) if self.in_account else 0

    @property
    def differing(self) -> int:
        """Number of keys that differ. Expired items do not count."""
        return sum(self.count(kind) for kind in KINDS if kind != "expired")

    def compared(self, *, plan: str | None = None, too_many: bool = False) -> Compared:
        """Return what the next step depends on.

        Parameters
        ----------
        plan
            Path of the repair plan that was written, if one was.
        too_many
            No plan was written because there are too many differences for a default plan.
        """
        return Compared(
            self.verdict,
            writes_stopped=self.writes_stopped,
            sample=self.sample is not None and not self.sample.chosen,
            segments=self.sample is not None and bool(self.sample.chosen),
            filter_expression=self.filter_expression is not None,
            ignored=tuple(self.ignored),
            differing=self.differing,
            severe=sum(finding.severity == "data" for finding in self.findings),
            unread=sum(unknown(finding) for finding in self.findings),
            dead_letters=self.open_dead_letters,
            lag_seconds=self.lag_seconds,
            plan=plan,
            too_many=too_many,
            in_account=self.in_account is not None,
            unlisted=self._unlisted(),
        )

    def _unlisted(self) -> Unlisted | None:
        if not self.in_account or not self.in_account.unlisted:
            return None
        counts = self.in_account.unlisted
        return Unlisted(
            self.unlisted, len(counts), max(counts, key=counts.__getitem__), self.in_account.segments
        )

    def records(self, steps: Sequence[Step] = ()) -> Iterator[dict[str, Any]]:
        """Yield the JSON Lines records: findings, differences, dead letters, and last the summary."""
        for finding in self.findings:
            yield finding.record()
        for difference in self.differences:
            yield difference.record()
        for letter in self.dead_letters:
            yield {"type": "dead_letter", **letter}
        if self.in_account:
            for segment, count in sorted(self.in_account.unlisted.items()):
                of = self.in_account.segments
                yield {"type": "unlisted", "segment": segment, "of": of, "differences": count}
        yield self.summary(steps)

    def summary(self, steps: Sequence[Step] = ()) -> dict[str, Any]:
        """Return the summary record; see docs/reference.md."""
        return {
            "type": "summary",
            "verdict": self.verdict,
            "go_ahead": is_go_ahead(self.compared()),
            "source": self.source.arn,
            "destination": self.destination.arn,
            "source_items": self.source.items,
            "destination_items": self.destination.items,
            **{kind: self.count(kind) for kind in KINDS},
            "unsettled": self.unsettled,
            "settled": self.settled,
            "findings": len(self.findings),
            "dead_letters": len(self.dead_letters),
            "generations": self.generations,
            "lag_seconds": self.lag_seconds,
            "writes_stopped": self.writes_stopped,
            "sample": None if self.sample is None else self.sample.record(),
            "filter_expression": self.filter_expression,
            "ignored_attributes": list(self.ignored),
            "unlisted": self.unlisted,
            "in_account": self.in_account is not None,
            "segments_by_key": self.in_account.segments_by_key if self.in_account else 0,
            "started": timestamp(self.started),
            "seconds": round(self.seconds, 3),
            "consumed_capacity": {"source": self.source.units, "destination": self.destination.units},
            "next": [step.record() for step in steps],
        }
