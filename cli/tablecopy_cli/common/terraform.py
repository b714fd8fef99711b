"""The copies that the outputs of an applied Terraform configuration describe."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tablecopy_cli.common.accounts import Side, side_of
from tablecopy_cli.common.errors import UserError
from tablecopy_cli.common.items import quoted

_HINT = "run `terraform apply` or name another directory with --from-terraform"


def read_outputs(directory: str | Path) -> dict[str, Any]:
    """Read the outputs of the Terraform state in `directory`.

    Parameters
    ----------
    directory
        Root of an applied configuration.

    Returns
    -------
    dict
        Output name to plain value.

    Raises
    ------
    UserError
        There is no such directory, no terraform, or no applied state.
    """
    if not Path(directory).is_dir():
        raise UserError(f"there is no directory {directory} (--from-terraform)")
    command = ["terraform", f"-chdir={directory}", "output", "-no-color", "-json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    except OSError as error:
        raise UserError(
            f"cannot run terraform ({error.strerror}); install it or pass the flags instead"
        ) from error
    if done.returncode != 0:
        raise UserError(
            f"terraform cannot read the outputs of {directory}: {_first_line(done.stderr)}; {_HINT}"
        )
    try:
        outputs = json.loads(done.stdout)
        values = {name: output["value"] for name, output in outputs.items()}
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise UserError(
            f"`terraform output -json` in {directory} printed something else than outputs"
        ) from error
    if not values:
        raise UserError(f"{_named(directory)} has no applied Terraform state; {_HINT}")
    return values


@dataclass(frozen=True)
class Copy:
    """One copy, as the Terraform outputs of a directory describe it.

    Parameters
    ----------
    directory
        Root of the configuration; named in errors.
    name
        Key of the copy in the output ``copies``; ``None`` if the directory has one copy and no such output.
    outputs
        The outputs of modules/copy: name to plain value.
    """

    directory: str
    name: str | None
    outputs: Mapping[str, Any]

    @property
    def is_disabled(self) -> bool:
        """Whether the copy has ``enabled = false``: it has commands, but none for a run."""
        commands = self.commands
        return isinstance(commands, Mapping) and "status" in commands and commands["status"] is None

    @property
    def writer_role_arn(self) -> str:
        """ARN of the role with which the copy writes to the destination table.

        Raises
        ------
        UserError
            The output ``tables`` does not have it.
        """
        tables = self.outputs.get("tables")
        destination = tables.get("destination") if isinstance(tables, Mapping) else None
        role = destination.get("writer_role_arn") if isinstance(destination, Mapping) else None
        if not role:
            raise UserError(
                "the Terraform output tables has no destination.writer_role_arn, which a fence needs. Run "
                "terraform apply with this version of the module"
            )
        return str(role)

    @property
    def commands(self) -> Mapping[str, Any] | None:
        """The output ``commands``; ``None`` if it is not re-exported."""
        return self.outputs.get("commands")

    @property
    def control_function(self) -> str:
        """Name of the control function.

        Raises
        ------
        UserError
            The copy is disabled, or the output is missing.
        """
        name: str | None = self.outputs.get("control_function_name")
        if name:
            return name
        if self.is_disabled:
            raise UserError(
                f"{self} is disabled: its functions and journal do not exist. "
                "To start a new run, set enabled = true, run terraform apply, then tablecopy start"
            )
        raise UserError(
            f"the Terraform outputs of {self} have no control_function_name; pass --control-function"
        )

    def sides(self) -> tuple[Side, Side]:
        """Return source and destination from the output ``tables``.

        Raises
        ------
        UserError
            The output is missing or does not name both tables.
        """
        tables = self.outputs.get("tables")
        try:
            source = side_of("source", tables["source"])  # type: ignore[index]
            destination = side_of("destination", tables["destination"])  # type: ignore[index]
        except (KeyError, TypeError, AttributeError):
            raise UserError(
                f"the Terraform outputs of {self} have no `tables` with a source and a destination; "
                "re-export that output from the module, or pass --source and --destination"
            ) from None
        for side in (source, destination):
            if side.table_name is None:
                raise UserError(f"the output `tables` of {self} does not name the {side.name} table")
        return source, destination

    def __str__(self) -> str:
        copy = "the copy" if self.name is None else f"copy {quoted(self.name)}"
        return f"{copy} in {_named(self.directory)}"


def read_copies(directory: str | Path) -> list[Copy]:
    """Read every copy of the Terraform state in a directory, sorted by name.

    The output ``copies`` maps names to the outputs of modules/copy. Without it the outputs themselves are
    those of one copy.

    Raises
    ------
    UserError
        The outputs cannot be read, or ``copies`` does not have that form.
    """
    outputs, where = read_outputs(directory), str(directory)
    if "copies" not in outputs:
        return [Copy(where, None, outputs)]
    named = outputs["copies"]
    if not isinstance(named, Mapping) or not all(isinstance(each, Mapping) for each in named.values()):
        raise UserError(
            f"the output `copies` of {directory} is not a map of copies. "
            "Set its value to a module with for_each, as examples/many-tables does"
        )
    if not named:
        raise UserError(f"the output `copies` of {directory} is empty; add a table and run terraform apply")
    return [Copy(where, name, named[name]) for name in sorted(named)]


def read_copy(directory: str | Path, name: str | None) -> Copy:
    """Read one copy of the Terraform state in a directory.

    Parameters
    ----------
    directory
        Root of an applied configuration.
    name
        Value of ``--copy``; ``None`` for the only copy.

    Raises
    ------
    UserError
        The outputs cannot be read, no copy has that name, or there are several copies and no name.
    """
    return choose_copy(read_copies(directory), name)


def choose_copy(copies: Sequence[Copy], name: str | None) -> Copy:
    """Return the copy of that name, or the only one; see `read_copy`."""
    if name is None and len(copies) == 1:
        return copies[0]
    where, names = _named(copies[0].directory), [copy.name for copy in copies if copy.name is not None]
    if name is None:
        raise UserError(f"{where} has {len(names)} copies. Pass --copy with one of {', '.join(names)}")
    for copy in copies:
        if copy.name == name:
            return copy
    if not names:
        raise UserError(
            f"{where} has one copy without a name (no output `copies`). Remove --copy {quoted(name)}"
        )
    raise UserError(f"{where} has no copy {quoted(name)}. Pass --copy with one of {', '.join(names)}")


def _named(directory: str | Path) -> str:
    return "this directory" if str(directory) == "." else str(directory)


def _first_line(stderr: str) -> str:
    # Terraform frames its errors with box-drawing characters; the line that matters starts with Error.
    lines = [line.strip("│╷╵ \t") for line in stderr.splitlines()]
    lines = [line for line in lines if line]
    for line in lines:
        if line.startswith("Error:"):
            return line.removeprefix("Error:").strip()
    return lines[0] if lines else "no reason given"
