"""What the next step depends on: the run, the comparison and the repair."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from tablecopy.control.status import RunPhase, Status
from tablecopy.journal.run import Phase
from tablecopy_cli.advice.commands import Commands

Verdict: TypeAlias = Literal["equal", "different", "unsettled", "sampled"]


_NAMES: Mapping[RunPhase, str] = {
    "none": "no run yet",
    Phase.PREFLIGHT: "checking both tables",
    Phase.PAUSING: "copying",
    Phase.SLICE: "copying",
    Phase.RESUMING: "copying",
    Phase.DRAINING: "applying changes",
    Phase.READY: "ready for cutover",
    Phase.SEALING: "sealing",
    Phase.SEALED: "sealed",
    Phase.STOPPED: "stopped",
}


def is_only_compared(run: Status | None) -> bool:
    """Whether there is no copy, and so never a run."""
    return run is not None and run.get("comparison_only", False)


def phase_name(run: Status) -> str:
    """Return the phase as people read it: ``copying``, ``in sync``, ``ready for cutover``."""
    if is_only_compared(run):
        return "no copy, only a comparison"
    return "in sync" if run["phase"] == Phase.DRAINING and is_in_sync(run) else _NAMES[run["phase"]]


def phase_text(run: Status) -> str:
    """Return the phase with how much is copied: ``copying (12 of 16 segments)``, ``in sync``."""
    name = phase_name(run)
    if name not in {"copying", "applying changes"}:
        return name
    return f"{name} ({run['segments_done']} of {run['segments']} segments{' copied' * (name != 'copying')})"


def is_in_sync(run: Status | None) -> bool:
    """Whether all segments are copied and changes are being applied."""
    return (
        run is not None
        and run["phase"] in {Phase.DRAINING, Phase.READY}
        and run["segments_done"] >= run["segments"]
    )


def is_proved_soon(run: Status | None) -> bool:
    """Whether both tables were equal in the account, and the keys written since are compared again."""
    found = run.get("verification") if run is not None else None
    if not found or found.get("verdict") != "equal":
        return False
    return found.get("tracking", {}).get("state") == "on"


@dataclass(frozen=True)
class Unlisted:
    """Differences that a comparison in the account has counted and not listed.

    Parameters
    ----------
    differences
        How many there are.
    segments
        In how many segments.
    most
        The segment with the most of them, from 0.
    of
        Segments of the comparison.
    """

    differences: int
    segments: int
    most: int
    of: int


@dataclass(frozen=True)
class Compared:
    """The result of a comparison of both tables.

    Parameters
    ----------
    verdict
        The verdict of `verify.comparison.results.Comparison`.
    writes_stopped
        Whether ``--writes-stopped`` was given.
    sample, segments, filter_expression, ignored
        Restrictions of the comparison; see `restricted`.
    differing
        Number of keys that differ, without expired items.
    severe
        Number of findings about settings that can lose data.
    unread
        Number of settings that could not be read.
    dead_letters
        Number of open dead letters; ``None`` if the control function did not answer.
    lag_seconds
        Seconds between two rechecks.
    plan
        Path of the repair plan that this comparison wrote; ``None`` if it wrote none.
    too_many
        Whether there are too many differences to write a plan without ``--repair-plan``.
    in_account
        Whether the comparison ran in the account.
    unlisted
        Its differences that are not listed; ``None`` if all of them are.
    """

    verdict: Verdict
    writes_stopped: bool = False
    sample: bool = False
    segments: bool = False
    filter_expression: bool = False
    ignored: tuple[str, ...] = ()
    differing: int = 0
    severe: int = 0
    unread: int = 0
    dead_letters: int | None = 0
    lag_seconds: float = 15.0
    plan: str | None = None
    too_many: bool = False
    in_account: bool = False
    unlisted: Unlisted | None = None

    @property
    def restricted(self) -> list[str]:
        """The flags that excluded items or attributes from the comparison."""
        return [
            flag
            for flag, given in (
                ("--segment", self.segments),
                ("--sample", self.sample or (self.verdict == "sampled" and not self.segments)),
                ("--filter-expression", self.filter_expression),
                ("--ignore-attribute", bool(self.ignored)),
            )
            if given
        ]


@dataclass(frozen=True)
class Repaired:
    """The result of a repair, or of its dry run.

    Parameters
    ----------
    plan
        Path of the plan.
    applied
        Whether ``--apply`` was given; ``False`` for a dry run.
    whole
        Whether the repair reached the end of the plan.
    counts
        Number of actions by result: see `verify.repair.apply.RESULTS`.
    unequal
        Keys of the plan that still differed when both sides were read again after the repair; ``None`` if
        they were not read.
    moved
        What changed while the repair ran, in one line; ``None`` if nothing did.
    obstacle
        For a dry run: why ``--apply`` would be refused now, in one line; ``None`` if it would run.
    writes_stopped
        Whether ``--writes-stopped`` was given to the repair.
    rest_equal
        Whether the comparison that wrote the plan proves that all other keys match: it read everything,
        without a restriction, while nothing wrote.
    started
        Start of that comparison in seconds since the epoch.
    severe, unread
        As in `Compared`, of that comparison.
    """

    plan: str
    applied: bool
    whole: bool = True
    counts: Mapping[str, int] = field(default_factory=dict)
    unequal: int | None = None
    moved: str | None = None
    obstacle: str | None = None
    writes_stopped: bool = False
    rest_equal: bool = False
    started: float = 0.0
    severe: int = 0
    unread: int = 0

    def count(self, *results: str) -> int:
        """Return the number of actions with one of these results."""
        return sum(self.counts.get(result, 0) for result in results)


@dataclass(frozen=True)
class Situation:
    """Everything that the next step depends on.

    Parameters
    ----------
    commands
        How the commands of this copy are written.
    run
        The run's status; ``None`` if it is not known.
    compared
        The comparison that has just ended, if there was one.
    repaired
        The repair that has just ended, if there was one.
    """

    commands: Commands = field(default_factory=Commands)
    run: Status | None = None
    compared: Compared | None = None
    repaired: Repaired | None = None
