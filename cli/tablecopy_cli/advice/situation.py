"""What is known when somebody asks for the next step."""

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


def phase_name(run: Status) -> str:
    """Return the phase as people read it: ``copying``, ``in sync``, ``ready for cutover``."""
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


@dataclass(frozen=True)
class Compared:
    """What a comparison of the tables found.

    Parameters
    ----------
    verdict
        Of `verify.comparison.results.Comparison`.
    writes_stopped
        Whether ``--writes-stopped`` was given.
    sample, filter_expression, ignored
        What the comparison was restricted to; see `restricted`.
    differing
        How many keys differ, without the expired ones.
    severe
        Findings on the tables' settings that can lose data.
    unread
        Settings that could not be read, so that nothing is known about them.
    letters
        Open dead letters; ``None`` if the control function was asked and did not answer.
    lag_seconds
        Seconds between two rechecks.
    plan
        Path of the repair plan that this comparison has written, if it has.
    too_many
        No plan was written because there are too many differences to write one unasked.
    """

    verdict: Verdict
    writes_stopped: bool = False
    sample: bool = False
    filter_expression: bool = False
    ignored: tuple[str, ...] = ()
    differing: int = 0
    severe: int = 0
    unread: int = 0
    letters: int | None = 0
    lag_seconds: float = 15.0
    plan: str | None = None
    too_many: bool = False

    @property
    def restricted(self) -> list[str]:
        """The flags that left something out of the comparison."""
        return [
            flag
            for flag, given in (
                ("--sample", self.sample or self.verdict == "sampled"),
                ("--filter-expression", self.filter_expression),
                ("--ignore-attribute", bool(self.ignored)),
            )
            if given
        ]


@dataclass(frozen=True)
class Repaired:
    """What came of a repair plan.

    Parameters
    ----------
    plan
        Path of the plan.
    applied
        Whether the repair was to write; ``False`` for a dry run.
    whole
        Whether all of the plan was gone through.
    counts
        How many actions ended how: see `verify.repair.apply.RESULTS`.
    unequal
        Keys of the plan that still differed when both sides were read again after the repair; ``None`` if
        they were not read.
    moved
        What has changed while the repair ran, in one line; ``None`` if nothing has.
    obstacle
        For a dry run: why ``--apply`` would be refused now, in one line; ``None`` if it would not.
    writes_stopped
        Whether ``--writes-stopped`` was given to the repair.
    rest_equal
        The comparison that made the plan shows that all other keys are equal: it read everything, without
        a restriction, while nothing wrote.
    started
        When that comparison began, in seconds since the epoch.
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
        """How many actions ended in one of these ways."""
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
