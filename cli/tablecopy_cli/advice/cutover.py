"""The cutover, step by step: the same list for every command and for the runbook."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias, get_args

from tablecopy_cli.advice.commands import Commands
from tablecopy_cli.advice.situation import Step

CutoverStep: TypeAlias = Literal["stop", "ready", "verify", "seal", "rollback", "ttl", "switch"]
CUTOVER: tuple[CutoverStep, ...] = get_args(CutoverStep)
"""The steps of the cutover in their order."""


def verify_step(commands: Commands, text: str, *flags: str) -> Step:
    """Compare the tables; says where the command is if the flags do not name the tables."""
    command = commands.verify(*flags)
    if command is None:
        also = f"; add {' '.join(flags)}" if flags else ""
        return Step(f"{text} The command is in the Terraform output commands.verify{also}.")
    return Step(text, command)


def tablecopy_step(commands: Commands, text: str, *words: str) -> Step:
    """Use ``tablecopy``; names the subcommand if the control function is not known."""
    command = commands.tablecopy(*words)
    if command is None:
        return Step(f"{text} Use tablecopy {' '.join(words)} with the copy's --control-function.")
    return Step(text, command)


def cutover_steps(commands: Commands, *, begin: CutoverStep = "stop") -> list[Step]:
    """The steps of the cutover from ``begin`` on. TTL is left out if Terraform knows that there is none."""
    steps = (_STEPS[name](commands) for name in CUTOVER[CUTOVER.index(begin) :])
    return [step for step in steps if step is not None]


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
