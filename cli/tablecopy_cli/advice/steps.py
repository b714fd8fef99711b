"""The next steps in their order. They depend only on the `Situation`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias, get_args

from tablecopy.control.status import RunPhase, Status, VerificationStatus
from tablecopy.journal.run import Phase
from tablecopy.text import count_text
from tablecopy_cli.advice.commands import Commands, Step, tablecopy_step, verify_step
from tablecopy_cli.advice.situation import (
    Compared,
    Repaired,
    Situation,
    is_in_sync,
    is_only_compared,
    is_proved_soon,
    phase_name,
    phase_text,
)
from tablecopy_cli.common.verification_text import is_active

CutoverStep: TypeAlias = Literal["stop", "ready", "verify", "seal", "rollback", "ttl", "switch"]
CUTOVER: tuple[CutoverStep, ...] = get_args(CutoverStep)
"""The steps of the cutover in their order."""
_REPORT = ("--in-account", "--report")
_COPYING = frozenset({Phase.PREFLIGHT, Phase.PAUSING, Phase.SLICE, Phase.RESUMING})


def next_steps(situation: Situation) -> list[Step]:
    """Return what to do now, in this order. Never empty."""
    commands, run = situation.commands, situation.run
    if situation.repaired is not None:
        return _after_repair(situation.repaired, run, commands)
    if situation.compared is not None:
        return _after_comparison(situation.compared, run, commands)
    return _of_run(run, commands)


def is_go_ahead(compared: Compared) -> bool:
    """Whether the comparison allows the cutover to continue.

    It compared everything while nothing wrote, no item differs, no setting can lose data, and no dead letter
    is open. Control decides whether the run may be sealed.
    """
    return (
        compared.verdict == "equal"
        and compared.writes_stopped
        and not compared.restricted
        and not compared.severe
        and not compared.unread
        and compared.dead_letters == 0
    )


def before_apply(*, problems: int, unanswered: bool, applied: str | None) -> list[Step]:
    """Return what to do after ``tablecopy preflight``.

    Parameters
    ----------
    problems
        Number of problems.
    unanswered
        Whether a check has no answer.
    applied
        Directory of the Terraform configuration if it is applied already.
    """
    again = Step("Run this command again.")
    if problems:
        what = "the problem" if problems == 1 else f"the {problems:,} problems"
        return [Step(f"Fix {what}. Each message shows how."), again]
    steps = []
    if unanswered:
        text = "Fix the checks that have no answer, as their messages show, and run this command again."
        steps.append(Step(text))
    if applied is not None:
        status = Commands(("--from-terraform", applied)).tablecopy("status")
        return [*steps, Step("Show the run.", status)]
    text = "Apply Terraform. This also starts the copy if the destination table is empty."
    return [*steps, Step(text, "terraform apply")]


def fix_dead_letters(commands: Commands) -> list[Step]:
    """Return what to do about dead letters that were just listed."""
    return [
        Step("Change the items in the source table, or the settings of the destination table."),
        tablecopy_step(commands, "Retry the dead letters.", "redrive"),
    ]


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


# The run alone


def _of_run(run: Status | None, commands: Commands) -> list[Step]:
    if run is None:
        return [tablecopy_step(commands, "Show the run.", "status")]
    return [*_of_fence(run, commands), *_of_verification(run, commands), *_of_phase(run, commands)]


def _of_fence(run: Status, commands: Commands) -> list[Step]:
    """Return how to allow writes that a cutover has denied, and that it does not need any more."""
    if not run.get("denied") or run.get("cutting_over"):
        return []
    if run["phase"] == Phase.SEALED:
        text = "Allow writes again before you set up the rollback, or when the writers have switched."
    else:
        text = "A cutover has ended without its command. Allow writes again."
    return [tablecopy_step(commands, text, "cutover", "--lift-fence")]


def _of_verification(run: Status, commands: Commands) -> list[Step]:
    """Return what to do about the latest comparison in the account; nothing if it needs nothing."""
    found = run.get("verification", VerificationStatus())
    if is_active(found):
        if found["running"]:
            return [verify_step(commands, "Follow the comparison in the account.", *_REPORT)]
        text = "The execution of the comparison in the account has ended early. Continue the comparison."
        return [verify_step(commands, text, "--in-account")]
    if not found or run["phase"] not in {"none", Phase.DRAINING, Phase.READY}:
        return []
    if found["state"] == "failed":
        stopped = ["--writes-stopped"] if found["writes_stopped"] else []
        text = "The comparison in the account has failed. Fix the reason and compare again."
        return [verify_step(commands, text, "--in-account", *stopped)]
    if found["verdict"] == "equal":
        return []
    what = "differences" if found["verdict"] == "different" else "items that are still changing"
    return [verify_step(commands, f"The latest comparison in the account found {what}. Show them.", *_REPORT)]


def _of_phase(run: Status, commands: Commands) -> list[Step]:
    phase = run["phase"]
    if is_only_compared(run):
        active = is_active(run.get("verification", VerificationStatus()))
        return [] if active else [verify_step(commands, "Compare both tables.", "--in-account")]
    if phase == "none":
        return [tablecopy_step(commands, "Start the copy.", "start")]
    if phase == Phase.STOPPED:
        return _restart(run, commands)
    if phase == Phase.SEALING:
        return [_until_sealed(commands)]
    if phase == Phase.SEALED:
        return _of_sealed_too_early(commands) if run["reason"] else cutover_steps(commands, begin="rollback")
    if run["dead_letters"] and not run["redrive"]:
        return [*_dead_letters(run["dead_letters"], run, commands), _watch(commands)]
    if phase == Phase.READY and not run["dead_letters"]:
        return _cutover(run, commands)
    if run["problems"]:
        text = "Fix the problems of the run. It repeats its checks every minute."
        return [Step(text), _watch(commands)]
    if run["blocked"] and not run["redrive"]:
        return [Step("Fix the problem in the note."), _watch(commands)]
    if is_in_sync(run) and is_proved_soon(run):
        return _cutover(run, commands)
    if is_in_sync(run):
        compare = verify_step(commands, "The copy is in sync. Compare both tables while it runs.")
        return [
            *([] if is_active(run.get("verification", VerificationStatus())) else [compare]),
            Step("Stop the writers when you are ready to cut over."),
            tablecopy_step(commands, "Wait until the run is ready for cutover.", "watch", "--until", "ready"),
        ]
    return [_watch(commands)]


def _of_sealed_too_early(commands: Commands) -> list[Step]:
    return [
        verify_step(
            commands,
            "Do not switch the writers yet. Find the changes that the destination lacks.",
            "--writes-stopped",
        ),
        Step("Repair them with the plan that this comparison writes, or start a new copy."),
    ]


def _restart(run: Status, commands: Commands, text: str = "Fix the problem in the note.") -> list[Step]:
    if not run["resumable"]:
        return [Step("This run cannot continue. Start a new copy (docs/cleanup.md, Start over).")]
    return [Step(text), tablecopy_step(commands, "Continue the run.", "start")]


def _dead_letters(count: int, run: Status | None, commands: Commands) -> list[Step]:
    text = f"The destination rejects {count_text(count, 'item')}. List the dead letters and their errors."
    stopped = [tablecopy_step(commands, "Continue the run.", "start")] if _phase(run) == Phase.STOPPED else []
    return [tablecopy_step(commands, text, "dead-letters"), *stopped, *fix_dead_letters(commands)]


# After a comparison


def _after_comparison(found: Compared, run: Status | None, commands: Commands) -> list[Step]:
    before = []
    if found.dead_letters and _phase(run) not in {Phase.SEALING, Phase.SEALED}:
        before += _dead_letters(found.dead_letters, run, commands)
    before += _settings(found.severe, found.unread)
    if found.verdict in {"different", "unsettled"}:
        following = _different if found.verdict == "different" else _unsettled
        return [*before, *_unlisted(found, commands), *following(found, run, commands)]
    if found.restricted:
        flags = " and ".join(found.restricted)
        text = f"Compare everything before you cut over: run it without {flags}."
        return [*before, verify_step(commands, text, *_as_before(found))]
    if before and found.writes_stopped:
        if not found.dead_letters:
            # Settings are not part of the items, which need no second comparison.
            return before
        return [*before, _again(found, run, commands)]
    return [*before, *_equal(found, run, commands)]


def _unlisted(found: Compared, commands: Commands) -> list[Step]:
    if found.unlisted is None:
        return []
    where = "one segment" if found.unlisted.segments == 1 else f"{found.unlisted.segments:,} segments"
    text = (
        f"{count_text(found.unlisted.differences, 'difference')} in {where} are counted and not listed. "
        "To list those of a segment, compare it on this machine."
    )
    stopped = ["--writes-stopped"] if found.writes_stopped else []
    segment = f"{found.unlisted.most}/{found.unlisted.of}"
    return [verify_step(commands, text, "--segment", segment, *stopped)]


def _settings(severe: int, unread: int) -> list[Step]:
    steps = []
    if severe:
        what = (
            "the setting that can lose data" if severe == 1 else f"the {severe:,} settings that can lose data"
        )
        steps.append(Step(f"Fix {what} before you cut over. Each finding shows how."))
    if unread:
        what = "the setting" if unread == 1 else f"the {unread:,} settings"
        steps.append(Step(f"Compare {what} that verify could not read. Each finding names the permission."))
    return steps


def _equal(found: Compared, run: Status | None, commands: Commands) -> list[Step]:
    if is_only_compared(run):
        switch = Step("Switch the writers to the destination table.")
        return [switch] if found.writes_stopped else [*_while_nothing_writes(found, commands), switch]
    phase = _phase(run)
    if phase == "none":
        text = "No run keeps the tables in sync. Start one if the source is still in use."
        return [tablecopy_step(commands, text, "start")]
    if phase == Phase.STOPPED and run is not None:
        return [*_restart(run, commands, _stopped(run)), *_to_ready(commands)]
    if phase in {Phase.SEALING, Phase.SEALED}:
        wait = [_until_sealed(commands)] if phase == Phase.SEALING else []
        if found.writes_stopped:
            return [*wait, *cutover_steps(commands, begin="rollback")]
        text = "Compare both tables while nothing writes, before you switch the writers."
        return [*wait, verify_step(commands, text, "--writes-stopped")]
    if phase in _COPYING or (phase == Phase.DRAINING and not is_in_sync(run)):
        return [_watch(commands)]
    if not found.writes_stopped:
        return _cutover(run, commands)
    if phase == Phase.DRAINING:
        text = "The run is not ready for cutover yet. Wait until it is."
        return [
            tablecopy_step(commands, text, "watch", "--until", "ready"),
            verify_step(
                commands,
                "Compare again, because changes may have arrived since.",
                "--writes-stopped",
            ),
        ]
    if phase != Phase.READY and commands.tablecopy_flags is not None:
        return [
            tablecopy_step(commands, "Check that the run is ready for cutover.", "status"),
            *cutover_steps(commands, begin="seal"),
        ]
    return cutover_steps(commands, begin="seal")


def _while_nothing_writes(found: Compared, commands: Commands) -> list[Step]:
    where = ["--in-account"] if found.in_account else []
    text = "Compare both tables while nothing writes."
    return [Step("Stop the writers."), verify_step(commands, text, *where, "--writes-stopped")]


def _different(found: Compared, run: Status | None, commands: Commands) -> list[Step]:
    if is_only_compared(run) and found.writes_stopped:
        return _repairs(found, run, commands)
    if is_only_compared(run):
        text = "Compare again in a minute. A difference that remains is not lag."
        again = verify_step(commands, text, *_as_before(found))
        return [again, *_while_nothing_writes(found, commands)]
    phase = _phase(run)
    if phase == "none":
        return [tablecopy_step(commands, "No run has copied the table yet. Start the copy.", "start")]
    if phase == Phase.STOPPED and run is not None and run["resumable"]:
        return [*_restart(run, commands, _stopped(run)), *_to_ready(commands)]
    if phase in _COPYING or (phase == Phase.DRAINING and not is_in_sync(run)):
        text = "The run is still copying, so differences are expected. Wait until it is in sync."
        return [tablecopy_step(commands, text, "watch"), _again(found, run, commands)]
    if phase == Phase.SEALING:
        return [_until_sealed(commands), _again(found, run, commands)]
    if found.writes_stopped and phase != Phase.DRAINING:
        return _repairs(found, run, commands)
    if found.writes_stopped:
        text = "The run is not ready for cutover yet. Wait until it is."
        return [
            tablecopy_step(commands, text, "watch", "--until", "ready"),
            _again(found, run, commands),
        ]
    if phase == Phase.SEALED:
        text = (
            "The copy is sealed, so later changes are not copied. Compare both tables while nothing writes."
        )
        return [verify_step(commands, text, "--writes-stopped")]
    return [
        verify_step(
            commands,
            "Compare again in a minute. A difference that remains is not lag. Do not cut over with it.",
            *_as_before(found),
        ),
        Step("If it still differs, stop the writers to repair it."),
        *_to_ready(commands),
    ]


def _repairs(found: Compared, run: Status | None, commands: Commands) -> list[Step]:
    steps = [Step("Do not cut over. Find out why these items differ.")]
    if _phase(run) == Phase.SEALED:
        steps[0] = Step(
            "Do not repair if your application already writes to the destination, because its changes are "
            "differences. Otherwise find out why these items differ before you switch the writers."
        )
    if found.plan is not None:
        return [*steps, *repair_steps(found.plan, commands)]
    if found.ignored:
        text = "Compare without --ignore-attribute to get a repair plan, because a repair writes whole items."
        return [*steps, verify_step(commands, text, *_as_before(found))]
    if found.too_many:
        text = (
            f"{found.differing:,} items differ, too many for a plan unless you request one. If the copy lost "
            "them, start a new copy. To repair them, pass --repair-plan. "
        )
        text += "It has those that are listed." if found.in_account else "This reads each of them again."
        report = ["--report"] if found.in_account else []
        flags = (*_as_before(found), *report, "--repair-plan", "plan.jsonl")
        return [*steps, verify_step(commands, text, *flags)]
    # With --repair-plan a plan is written in any case.
    flags = (*_as_before(found), "--repair-plan", "plan.jsonl")
    return [*steps, verify_step(commands, "Compare again to get a repair plan.", *flags)]


def repair_steps(plan: str, commands: Commands) -> list[Step]:
    """Return the steps that check a plan and apply it."""
    return [_look_at(plan, commands), _apply(plan, commands)]


def _unsettled(found: Compared, run: Status | None, commands: Commands) -> list[Step]:
    if not found.writes_stopped:
        if found.in_account:
            return [verify_step(commands, "Compare again.", *_as_before(found))]
        lag = f"{2 * found.lag_seconds:g}"
        text = (
            "Compare again. Raise --lag if changes take longer than "
            f"{found.lag_seconds:g} s to arrive in the destination."
        )
        return [verify_step(commands, text, *_as_before(found), "--lag", lag)]
    steps = [Step("Find what still writes to the tables, and stop it.")]
    if _phase(run) not in {None, "none", Phase.SEALING, Phase.SEALED, Phase.STOPPED}:
        text = "Wait until the run is ready for cutover."
        steps.append(tablecopy_step(commands, text, "watch", "--until", "ready"))
    return [*steps, verify_step(commands, "Compare again.", *_as_before(found))]


# After a repair


def _after_repair(found: Repaired, run: Status | None, commands: Commands) -> list[Step]:
    again = verify_step(commands, "Compare again.", "--writes-stopped")
    if not found.whole and not found.applied:
        return [_look_at(found.plan, commands)]
    if not found.whole:
        return [_apply(found.plan, commands, "Apply the plan again. Actions that are done stay done.")]
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
    return _after_comparison(proven, run, commands)


def _after_dry_run(found: Repaired, run: Status | None, commands: Commands) -> list[Step]:
    apply = _apply(found.plan, commands)
    if found.obstacle is None:
        return [apply]
    phase = _phase(run)
    if run is not None and (phase in _COPYING or phase in {Phase.DRAINING, Phase.SEALING}):
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


# The cutover


def cutover_steps(commands: Commands, *, begin: CutoverStep = "stop") -> list[Step]:
    """Return the cutover from ``begin`` on, without TTL if Terraform's outputs show that there is none."""
    steps = (_STEPS[name](commands) for name in CUTOVER[CUTOVER.index(begin) :])
    return [step for step in steps if step is not None]


def _cutover(run: Status | None, commands: Commands) -> list[Step]:
    """Return the cutover with the command that proves and seals, if the copy can be proved without a scan."""
    if not is_proved_soon(run):
        return cutover_steps(commands)
    text = "Cut over when you are ready. The command asks you to stop the writers, and seals within seconds."
    return [tablecopy_step(commands, text, "cutover"), *cutover_steps(commands, begin="rollback")]


def _ttl(commands: Commands) -> Step | None:
    text = "Turn on TTL on the destination table"
    if commands.outputs is None:
        return Step(
            f"{text} if the source has it. The command is in the Terraform output commands.time_to_live."
        )
    command = commands.outputs.get("time_to_live")
    return Step(f"{text}.", command) if command else None


_STEPS: Mapping[CutoverStep, Callable[[Commands], Step | None]] = {
    "stop": lambda commands: Step("Stop the writers."),
    "ready": lambda commands: tablecopy_step(
        commands, "Wait until the run is ready for cutover.", "watch", "--until", "ready"
    ),
    "verify": lambda commands: verify_step(
        commands, "Compare both tables while nothing writes.", "--writes-stopped"
    ),
    "seal": lambda commands: tablecopy_step(commands, "Seal the copy.", "seal"),
    "rollback": lambda commands: Step(
        "Set up the rollback now if you want one. After the switch it is too late."
    ),
    "ttl": _ttl,
    "switch": lambda commands: Step("Switch the writers to the destination table."),
}


# Parts of several steps


def _phase(run: Status | None) -> RunPhase | None:
    return None if run is None else run["phase"]


def _stopped(run: Status) -> str:
    """Return what to fix before a stopped run continues, if the run itself is not shown."""
    reason = run["reason"]
    return f"Fix what stopped the run: {reason.rstrip('.')}." if reason else "Find out why the run stopped."


def _as_before(found: Compared) -> list[str]:
    where = ["--in-account"] if found.in_account else []
    return [*where, "--writes-stopped"] if found.writes_stopped else where


def _again(found: Compared, run: Status | None, commands: Commands) -> Step:
    return verify_step(commands, "Compare again.", *_as_before(found))


def _watch(commands: Commands) -> Step:
    return tablecopy_step(commands, "Follow the run until it is ready for cutover.", "watch")


def _until_sealed(commands: Commands) -> Step:
    return tablecopy_step(commands, "Wait until the run is sealed.", "watch", "--until", "sealed")


def _to_ready(commands: Commands) -> list[Step]:
    return [
        tablecopy_step(commands, "Wait until the run is ready for cutover.", "watch", "--until", "ready"),
        verify_step(commands, "Compare both tables while nothing writes.", "--writes-stopped"),
    ]


def _look_at(plan: str, commands: Commands) -> Step:
    return verify_step(
        commands, "Check what the repair plan would change.", "repair", plan, "--writes-stopped"
    )


def _apply(plan: str, commands: Commands, text: str = "Apply the repair plan.") -> Step:
    return verify_step(commands, text, "repair", plan, "--writes-stopped", "--apply")
