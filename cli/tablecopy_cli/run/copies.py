"""The copies that a command is about: one, or all of a Terraform state in a table."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tablecopy.control.status import Status
from tablecopy.text import duration_text
from tablecopy_cli.advice import Commands, Situation, next_steps, phase_name
from tablecopy_cli.advice.commands import of_tablecopy
from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.control_function import ControlFunction
from tablecopy_cli.common.errors import UserError
from tablecopy_cli.common.options import CopyOptions, merge_side
from tablecopy_cli.common.terraform import Copy, choose_copy, read_copies, read_copy
from tablecopy_cli.common.text import columns_of, escaped
from tablecopy_cli.run.status_text import tone

# A table that goes into a file or a pipe is as wide as its texts.
_UNLIMITED = 10_000


@dataclass(frozen=True)
class Target:
    """One copy, and how to reach its control function.

    Parameters
    ----------
    name
        Its name in the Terraform output ``copies``; ``None`` if it has none.
    side
        The source side, in whose account the control function is.
    function
        Name or ARN of the control function; ``None`` if the copy is disabled.
    commands
        How the commands of this copy are written.
    copy
        The copy, if it was read from Terraform's outputs.
    """

    name: str | None
    side: Side
    function: str | None
    commands: Commands
    copy: Copy | None = None

    def connect(self) -> ControlFunction:
        """Make a client of the control function."""
        assert self.function is not None
        return ControlFunction(self.side, self.function)

    def record(self, type_: str, values: dict[str, Any]) -> dict[str, Any]:
        """Return a JSON Lines object about this copy."""
        return {"type": type_, **({"copy": self.name} if self.name is not None else {}), **values}


def target_of(options: CopyOptions) -> Target:
    """Return the one copy that the flags name.

    Raises
    ------
    UserError
        The flags and Terraform's outputs do not name one copy, or it is disabled.
    """
    if options.control_function and not options.from_terraform:
        return _without_terraform(options)
    copy = read_copy(options.from_terraform or ".", options.copy)
    return _target(options, copy, options.control_function or copy.control_function)


def targets_of(options: CopyOptions) -> list[Target]:
    """Return every copy that the flags leave: all of the Terraform state unless one is named.

    Raises
    ------
    UserError
        As `target_of` does, except that some of several copies may be disabled.
    """
    if options.control_function and not options.from_terraform:
        return [_without_terraform(options)]
    copies = read_copies(options.from_terraform or ".")
    if len(copies) == 1 or options.copy is not None or options.control_function:
        copy = choose_copy(copies, options.copy)
        return [_target(options, copy, options.control_function or copy.control_function)]
    return [_target(options, copy, None if copy.is_disabled else copy.control_function) for copy in copies]


def _without_terraform(options: CopyOptions) -> Target:
    if options.copy:
        raise UserError("--copy names a copy in Terraform outputs. Pass --from-terraform or remove --copy")
    source = merge_side(options.source)
    return Target(None, source, options.control_function, of_tablecopy(options, None))


def _target(options: CopyOptions, copy: Copy, function: str | None) -> Target:
    source, _ = copy.sides()
    commands = of_tablecopy(options, copy.commands, copy=copy.name)
    return Target(copy.name, merge_side(options.source, source), function, commands, copy)


@dataclass(frozen=True)
class Row:
    """One copy in a table of several.

    Parameters
    ----------
    copy
        Its name.
    status
        The run; ``None`` if it is not known.
    note
        Why it is not known, or why it is out of date.
    phase
        What stands for the phase of a run that is not known.
    """

    copy: str
    status: Status | None = None
    note: str = ""
    phase: str = "unknown"


def table_of(rows: Iterable[Row]) -> Table:
    """Return a table with the phase, the figures and the next step of each copy."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for label in ("copy", "phase", "segments", "lag", "dead letters"):
        numeric = label in {"segments", "lag", "dead letters"}
        table.add_column(label, justify="right" if numeric else "left", no_wrap=label in {"segments", "lag"})
    table.add_column("next step", overflow="fold")
    for row in rows:
        status = row.status
        if status is None:
            table.add_row(escaped(row.copy), row.phase, "-", "-", "-", Text(escaped(row.note), "yellow"))
            continue
        letters = status["dead_letters"] if status["phase"] != "none" else 0
        table.add_row(
            Text(escaped(row.copy)),
            Text(phase_name(status), tone(status)),
            _segments(status),
            _lag(status),
            Text(f"{letters:,}", "bold yellow" if letters else ""),
            Text(escaped(row.note)) if row.note else Text(next_steps(Situation(run=status))[0].text),
        )
    return table


def console_of(stream: TextIO) -> Console:
    """Return a console that writes tables to ``stream``, without colours if ``NO_COLOR`` is set."""
    return Console(
        file=stream,
        width=columns_of(stream) or _UNLIMITED,
        color_system=None if os.environ.get("NO_COLOR") else "auto",
        highlight=False,
        markup=False,
        emoji=False,
    )


def _segments(status: Status) -> str:
    return f"{status['segments_done']} of {status['segments']}" if status["phase"] != "none" else "-"


def _lag(status: Status) -> str:
    age = status["oldest_unapplied_age"] if status["phase"] != "none" else 0
    return duration_text(age) if age else "-"
