"""The commands that come next, spelt as they have to be given."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from operate.function import Status
from operate.outcome import Outcome

_SOURCE_FLAGS = ("region", "profile", "role_arn", "external_id", "endpoint_url")


class Steps:
    """Names the next steps with the flags of the present command.

    Parameters
    ----------
    options
        What the parser of ``tablecopy`` returned.
    commands
        The Terraform output ``commands`` where it was read, for what only Terraform knows.
    """

    def __init__(self, options: argparse.Namespace, commands: Mapping[str, Any] | None = None) -> None:
        self._commands = commands
        self._flags = list(_flags(options))
        # What knows the control function need not know the tables.
        self._knows_tables = bool(options.from_terraform or not options.control_function)

    def after(self, outcome: Outcome, status: Status) -> list[str]:
        """What to do now, in the order of doing it; commands as they can be pasted."""
        return list(self._after(outcome, status))

    def _after(self, outcome: Outcome, status: Status) -> Iterator[str]:
        if outcome is Outcome.STOPPED:
            if status.get("resumable", True):
                yield "mend what the note says"
                yield self._tablecopy("start")
        elif outcome is Outcome.HELD:
            if status["letters"]:
                yield self._tablecopy("letters")
                yield "change the items at the source or the table at the destination"
                yield self._tablecopy("redrive")
        elif outcome is Outcome.LATE:
            yield self._verify()
            yield "mend what it finds, or begin anew, before the writers move to the destination"
        elif outcome is Outcome.TIMED_OUT or status["phase"] not in {"ready", "sealing", "sealed"}:
            yield self._tablecopy("watch")
        else:
            yield from self._cutover(status["phase"])

    def _cutover(self, phase: str) -> Iterator[str]:
        if phase == "ready":
            yield "stop the writers; if they wrote since, wait for ready once more"
            yield self._verify()
            yield self._tablecopy("seal")
        yield "set up the way back, if there is to be one: once the writers have moved it is too late"
        yield from self._time_to_live()
        yield "move the writers to the destination"

    def _time_to_live(self) -> Iterator[str]:
        if self._commands is None:
            yield "turn time to live on if the source has it: the Terraform output commands.time_to_live"
        elif self._commands.get("time_to_live"):
            yield self._commands["time_to_live"]

    def _tablecopy(self, action: str) -> str:
        return shlex.join(["tablecopy", action, *self._flags])

    def _verify(self) -> str:
        if self._knows_tables:
            return shlex.join(["verify", "--writes-stopped", *self._flags])
        return "the command in the Terraform output commands.verify, with --writes-stopped"


def _flags(options: argparse.Namespace) -> Iterator[str]:
    if options.from_terraform:
        yield from ("--from-terraform", options.from_terraform)
    if options.control_function:
        yield from ("--control-function", options.control_function)
    for name in _SOURCE_FLAGS:
        value = getattr(options, f"source_{name}")
        if value:
            yield from (f"--source-{name.replace('_', '-')}", value)
