"""Steps that are next in several situations."""

from __future__ import annotations

from tablecopy.control.status import RunPhase, Status
from tablecopy.journal.run import Phase
from tablecopy.text import count_text
from tablecopy_cli.advice.commands import Commands, Step, tablecopy_step, verify_step

COPYING = frozenset({Phase.PREFLIGHT, Phase.PAUSING, Phase.SLICE, Phase.RESUMING})
"""Phases in which differences are expected, because the run is still copying."""


def fix_dead_letters(commands: Commands) -> list[Step]:
    """Return what to do about dead letters that were just listed."""
    return [
        Step("Change the items in the source table, or the settings of the destination table."),
        tablecopy_step(commands, "Retry the dead letters.", "redrive"),
    ]


def dead_letter_steps(count: int, run: Status | None, commands: Commands) -> list[Step]:
    """Return what to do about so many open dead letters."""
    text = f"The destination rejects {count_text(count, 'item')}. List the dead letters and their errors."
    stopped = (
        [tablecopy_step(commands, "Continue the run.", "start")] if phase_of(run) == Phase.STOPPED else []
    )
    return [tablecopy_step(commands, text, "dead-letters"), *stopped, *fix_dead_letters(commands)]


def restart(run: Status, commands: Commands, text: str = "Fix the problem in the note.") -> list[Step]:
    """Return how to continue a stopped run. ``text`` is what to do first."""
    if not run["resumable"]:
        return [Step("This run cannot continue. Start a new copy (docs/cleanup.md, Start over).")]
    return [Step(text), tablecopy_step(commands, "Continue the run.", "start")]


def phase_of(run: Status | None) -> RunPhase | None:
    """Return the phase of a run; None without one."""
    return None if run is None else run["phase"]


def stopped_text(run: Status) -> str:
    """Return what to fix before a stopped run continues, if the run itself is not shown."""
    reason = run["reason"]
    return f"Fix what stopped the run: {reason.rstrip('.')}." if reason else "Find out why the run stopped."


def watch(commands: Commands) -> Step:
    """Return the step that follows the run."""
    return tablecopy_step(commands, "Follow the run until it is ready for cutover.", "watch")


def until_sealed(commands: Commands) -> Step:
    """Return the step that waits for the seal."""
    return tablecopy_step(commands, "Wait until the run is sealed.", "watch", "--until", "sealed")


def to_ready(commands: Commands) -> list[Step]:
    """Return the steps that lead from a running copy to a comparison without writers."""
    return [
        tablecopy_step(commands, "Wait until the run is ready for cutover.", "watch", "--until", "ready"),
        verify_step(commands, "Compare both tables while nothing writes.", "--writes-stopped"),
    ]


def repair_steps(plan: str, commands: Commands) -> list[Step]:
    """Return the steps that check a plan and apply it."""
    return [check_plan(plan, commands), apply_plan(plan, commands)]


def check_plan(plan: str, commands: Commands) -> Step:
    """Return the step that shows what a repair plan would change."""
    return verify_step(
        commands, "Check what the repair plan would change.", "repair", plan, "--writes-stopped"
    )


def apply_plan(plan: str, commands: Commands, text: str = "Apply the repair plan.") -> Step:
    """Return the step that applies a repair plan."""
    return verify_step(commands, text, "repair", plan, "--writes-stopped", "--apply")
