"""The next steps in their order. They depend only on the `Situation`."""

from __future__ import annotations

from tablecopy.control.status import Status, VerificationStatus
from tablecopy.journal.run import Phase
from tablecopy_cli.advice.commands import Commands, Step, tablecopy_step, verify_step
from tablecopy_cli.advice.comparison import after_comparison
from tablecopy_cli.advice.cutover import after_proof, begin_cutover, cutover_steps
from tablecopy_cli.advice.parts import dead_letter_steps, restart, until_sealed, watch
from tablecopy_cli.advice.repair import after_repair
from tablecopy_cli.advice.situation import Situation, is_in_sync, is_only_compared, is_proved_soon
from tablecopy_cli.common.verification_text import is_active

_REPORT = ("--in-account", "--report")


def next_steps(situation: Situation) -> list[Step]:
    """Return what to do now, in this order. Never empty."""
    commands, run = situation.commands, situation.run
    if situation.repaired is not None:
        return after_repair(situation.repaired, run, commands)
    if situation.compared is not None:
        return after_comparison(situation.compared, run, commands)
    return _of_run(run, commands)


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
    if found.get("audit"):
        return _of_audit(found, commands)
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


def _of_audit(found: VerificationStatus, commands: Commands) -> list[Step]:
    if is_active(found):
        if found["running"]:
            return [tablecopy_step(commands, "Follow the audit.", "audit", "--report")]
        text = "The execution of the audit has ended early. Continue the audit."
        return [tablecopy_step(commands, text, "audit")]
    if found["state"] == "failed":
        return [tablecopy_step(commands, "The audit has failed. Fix the reason and repeat it.", "audit")]
    if found["verdict"] == "equal":
        return []
    return [tablecopy_step(commands, "The audit found differences. Show them.", "audit", "--report")]


def _of_phase(run: Status, commands: Commands) -> list[Step]:
    phase = run["phase"]
    if is_only_compared(run):
        active = is_active(run.get("verification", VerificationStatus()))
        return [] if active else [verify_step(commands, "Compare both tables.", "--in-account")]
    if phase == "none":
        return [tablecopy_step(commands, "Start the copy.", "start")]
    if phase == Phase.STOPPED:
        return restart(run, commands)
    if phase == Phase.SEALING:
        return [until_sealed(commands)]
    if phase == Phase.SEALED:
        return _of_sealed(run, commands)
    if run["dead_letters"] and not run["redrive"]:
        return [*dead_letter_steps(run["dead_letters"], run, commands), watch(commands)]
    if phase == Phase.READY and not run["dead_letters"]:
        return begin_cutover(run, commands)
    if run["problems"]:
        text = "Fix the problems of the run. It repeats its checks every minute."
        return [Step(text), watch(commands)]
    if run["blocked"] and not run["redrive"]:
        return [Step("Fix the problem in the note."), watch(commands)]
    if is_in_sync(run) and is_proved_soon(run):
        return begin_cutover(run, commands)
    if is_in_sync(run):
        compare = verify_step(commands, "The copy is in sync. Compare both tables while it runs.")
        return [
            *([] if is_active(run.get("verification", VerificationStatus())) else [compare]),
            Step("Stop the writers when you are ready to cut over."),
            tablecopy_step(commands, "Wait until the run is ready for cutover.", "watch", "--until", "ready"),
        ]
    return [watch(commands)]


def _of_sealed(run: Status, commands: Commands) -> list[Step]:
    if run["reason"]:
        return _of_sealed_too_early(commands)
    if run.get("seal_grade"):
        return after_proof(commands, shown=False)
    return cutover_steps(commands, begin="rollback")


def _of_sealed_too_early(commands: Commands) -> list[Step]:
    return [
        verify_step(
            commands,
            "Do not switch the writers yet. Find the changes that the destination lacks.",
            "--writes-stopped",
        ),
        Step("Repair them with the plan that this comparison writes, or start a new copy."),
    ]
