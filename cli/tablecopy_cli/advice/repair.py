"""What to do after a repair."""

from __future__ import annotations

from tablecopy.control.status import Status
from tablecopy.journal.run import Phase
from tablecopy_cli.advice.commands import Commands, Step, tablecopy_step, verify_step
from tablecopy_cli.advice.comparison import after_comparison
from tablecopy_cli.advice.parts import COPYING, apply_plan, check_plan, phase_of
from tablecopy_cli.advice.situation import Compared, Repaired, phase_name, phase_text


def proof_text(found: Repaired, run: Status | None) -> str:
    """Return why both tables match after a repair; empty if that is not proven."""
    complete = found.applied and found.whole and found.unequal == 0 and not found.moved
    if not complete or found.count("failed", "changed_at_source", "changed_at_destination"):
        return ""
    if not _is_proof(found, run):
        return ""
    since = (
        "You passed --writes-stopped, so nothing has written since."
        if run is None
        else f"The run was {phase_name(run)} before that and has applied nothing since."
    )
    return f"each repaired item was read again, and the comparison found that all others match. {since}"


def after_repair(found: Repaired, run: Status | None, commands: Commands) -> list[Step]:
    """Return what to do after a repair, in this order."""
    again = verify_step(commands, "Compare again.", "--writes-stopped")
    if not found.whole and not found.applied:
        return [check_plan(found.plan, commands)]
    if not found.whole:
        return [apply_plan(found.plan, commands, "Apply the plan again. Actions that are done stay done.")]
    if found.moved:
        text = f"Compare again: {found.moved.rstrip('.')}."
        return [verify_step(commands, text, "--writes-stopped")]
    if found.count("failed"):
        text = "Fix the reasons of the failed actions, in the source or the destination table."
        return [Step(text), again]
    if found.count("changed_at_source", "changed_at_destination"):
        text = "Compare again to get a new plan, because items have changed since this plan was written."
        return [verify_step(commands, text, "--writes-stopped")]
    if found.count("would"):
        return _after_dry_run(found, run, commands)
    if not found.applied or found.unequal is None or found.unequal:
        return [again]
    if not _is_proof(found, run):
        text = "Compare both tables again, because the plan does not prove that all other items match."
        return [verify_step(commands, text, "--writes-stopped")]
    proven = Compared(
        "equal",
        writes_stopped=True,
        severe=found.severe,
        unread=found.unread,
        dead_letters=run.get("dead_letters", 0) if run else 0,
    )
    return after_comparison(proven, run, commands)


def _after_dry_run(found: Repaired, run: Status | None, commands: Commands) -> list[Step]:
    apply = apply_plan(found.plan, commands)
    if found.obstacle is None:
        return [apply]
    phase = phase_of(run)
    if run is not None and (phase in COPYING or phase in {Phase.DRAINING, Phase.SEALING}):
        target = "sealed" if phase == Phase.SEALING else "ready"
        text = f"--apply is refused now, because the run is {phase_text(run)}. Wait until it is {target}."
        return [
            *([] if phase == Phase.SEALING else [Step("Stop the writers.")]),
            tablecopy_step(commands, text, "watch", "--until", target),
            verify_step(commands, "Compare again to get a new plan.", "--writes-stopped"),
        ]
    if not found.writes_stopped and phase != Phase.STOPPED:
        return [Step("Stop the writers. Without --writes-stopped, --apply is refused."), apply]
    return [Step(f"--apply is refused now: {found.obstacle.rstrip('.')}."), apply]


def _is_proof(found: Repaired, run: Status | None) -> bool:
    """Whether the plan's comparison and the check of the repaired keys together cover both tables.

    All keys without an action matched while the comparison ran. They still match if nothing wrote since: a
    run that was ready or sealed before the comparison began has applied nothing since, because a change in
    the source takes a ready run back to draining. Without a run the operator confirms it.
    """
    if not (found.rest_equal and found.writes_stopped):
        return False
    if run is None:
        return True
    return run["phase"] in {Phase.READY, Phase.SEALED} and run["phase_since"] <= found.started
