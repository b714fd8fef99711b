"""A next step, and its command with the flags that the current command was given."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.options import CopyOptions
from tablecopy_cli.common.terminal import Style
from tablecopy_cli.common.text import Verbatim, escaped

_SIDE_FLAGS = ("region", "profile", "role_arn", "external_id", "endpoint_url")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do.

    Parameters
    ----------
    text
        One or two sentences.
    command
        The command for a POSIX shell; ``None`` if no single command does it.
    """

    text: str
    command: str | None = None

    def record(self) -> dict[str, str | None]:
        """Return the step as an object of JSON Lines."""
        return {"text": self.text, "command": self.command}


@dataclass(frozen=True)
class Commands:
    """Writes commands for a POSIX shell.

    Parameters
    ----------
    tablecopy_flags
        Flags that name the control function; ``None`` if no control function is known.
    verify_flags
        Flags that name both tables; ``None`` if they are not known.
    outputs
        The Terraform output ``commands``; ``None`` if it was not read.
    """

    tablecopy_flags: tuple[str, ...] | None = ()
    verify_flags: tuple[str, ...] | None = ()
    outputs: Mapping[str, Any] | None = None

    def tablecopy(self, *words: str) -> str | None:
        """Return ``tablecopy WORDS``; ``None`` if the control function is not known."""
        if self.tablecopy_flags is None:
            return None
        return shlex.join(["tablecopy", *words, *self.tablecopy_flags])

    def verify(self, *words: str) -> str | None:
        """Return ``verify WORDS``; ``None`` if the tables are not known."""
        if self.verify_flags is None:
            return None
        return shlex.join(["verify", *words, *self.verify_flags])


def verify_step(commands: Commands, text: str, *flags: str) -> Step:
    """Return the step that runs ``verify``; it names the Terraform output if the tables are not known."""
    command = commands.verify(*flags)
    if command is None:
        also = f"; add {' '.join(flags)}" if flags else ""
        return Step(f"{text} The command is in the Terraform output commands.verify{also}.")
    return Step(text, command)


def tablecopy_step(commands: Commands, text: str, *words: str) -> Step:
    """Return the step that runs ``tablecopy``; its text has the command if the function is not known."""
    command = commands.tablecopy(*words)
    if command is None:
        return Step(f"{text} Use tablecopy {' '.join(words)} with the copy's --control-function.")
    return Step(text, command)


def of_tablecopy(
    options: CopyOptions, outputs: Mapping[str, Any] | None, copy: str | None = None
) -> Commands:
    """Return how commands are written after ``tablecopy``.

    Parameters
    ----------
    options
        The parsed flags.
    outputs
        The Terraform output ``commands`` if it was read.
    copy
        Value of ``--copy`` if there are several copies.
    """
    flags = tuple(_flags(options, [options.source], copy=copy))
    # With a control function the tables may be unknown.
    knows_tables = bool(options.from_terraform or not options.control_function)
    return Commands(flags, flags if knows_tables else None, outputs)


def of_verify(
    options: CopyOptions, control_function: str | None, outputs: Mapping[str, Any] | None
) -> Commands:
    """Return how commands are written after ``verify`` or ``verify repair``.

    Parameters
    ----------
    options
        The parsed flags.
    control_function
        The copy's control function; ``None`` if it is not known.
    outputs
        The Terraform output ``commands`` where it was read.
    """
    verify = tuple(_flags(options, [options.source, options.destination]))
    if control_function is None:
        return Commands(None, verify, outputs)
    return Commands(tuple(_flags(options, [options.source], table=False)), verify, outputs)


def _flags(
    options: CopyOptions, sides: Sequence[Side], *, table: bool = True, copy: str | None = None
) -> Iterator[str]:
    if options.from_terraform:
        yield from ("--from-terraform", options.from_terraform)
    if name := copy or options.copy:
        yield from ("--copy", name)
    if options.control_function:
        yield from ("--control-function", options.control_function)
    for side in sides:
        if side.table_name and table:
            yield from (f"--{side.name}", side.table_name)
        for field in _SIDE_FLAGS:
            value = getattr(side, field)
            if value:
                yield from (f"--{side.name}-{field.replace('_', '-')}", value)


def step_lines(steps: Sequence[Step], style: Style) -> Iterator[str]:
    """Yield the lines that list ``steps``, numbered if there are several, each command on its own line.

    Parameters
    ----------
    steps
        What `advice.next_steps` returned.
    style
        Colours of the stream.
    """
    if not steps:
        return
    yield style.bold("Next:")
    for number, step in enumerate(steps, start=1):
        margin = f"  {number}. " if len(steps) > 1 else "  "
        yield margin + escaped(step.text)
        if step.command is not None:
            yield Verbatim(" " * len(margin) + escaped(step.command))
