"""The steps of the cutover in their order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias, get_args

from tablecopy.control.status import Status
from tablecopy_cli.advice.commands import Commands, Step, tablecopy_step, verify_step
from tablecopy_cli.advice.situation import is_proved_soon

CutoverStep: TypeAlias = Literal["stop", "ready", "verify", "seal", "rollback", "ttl", "switch"]
CUTOVER: tuple[CutoverStep, ...] = get_args(CutoverStep)
"""The steps of the cutover in their order."""


def cutover_steps(commands: Commands, *, begin: CutoverStep = "stop") -> list[Step]:
    """Return the cutover from ``begin`` on, without TTL if Terraform's outputs show that there is none."""
    steps = (_STEPS[name](commands) for name in CUTOVER[CUTOVER.index(begin) :])
    return [step for step in steps if step is not None]


def begin_cutover(run: Status | None, commands: Commands) -> list[Step]:
    """Return the cutover with the command that proves and seals, if the copy can be proved without a scan."""
    if not is_proved_soon(run):
        return cutover_steps(commands)
    text = "Cut over when you are ready. The command asks you to stop the writers, and seals within seconds."
    return [tablecopy_step(commands, text, "cutover"), *after_proof(commands, shown=False)]


def after_proof(commands: Commands, *, shown: bool) -> list[Step]:
    """Return what follows a seal with a proof: the rollback begins at the seal, so no one waits for it.

    ``shown`` is whether its configuration is shown with the steps.
    """
    text = "Set up the rollback if you want one, within 12 hours of the seal"
    rollback = Step(f"{text}, with the configuration below.")
    if not shown:
        rollback = tablecopy_step(commands, f"{text}. The command prints its configuration.", "cutover")
    return [*cutover_steps(commands, begin="ttl"), rollback]


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
