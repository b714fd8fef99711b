"""What a directory with applied Terraform state says about the copy."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tablecopy_cli.common.accounts import Side, side_of
from tablecopy_cli.common.errors import UserError

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
            f"cannot run terraform ({error.strerror}); install it or give the flags instead"
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
        where = "this directory" if str(directory) == "." else directory
        raise UserError(f"{where} has no applied Terraform state; {_HINT}")
    return values


def tables_of(outputs: Mapping[str, Any], directory: str | Path) -> tuple[Side, Side]:
    """Take the two sides from the root module's output ``tables``.

    Parameters
    ----------
    outputs
        What `read_outputs` returned.
    directory
        Where they are from; named in errors.

    Returns
    -------
    tuple of Side
        Source and destination.

    Raises
    ------
    UserError
        The output is missing or names no tables.
    """
    tables = outputs.get("tables")
    try:
        source = side_of("source", tables["source"])  # type: ignore[index]
        destination = side_of("destination", tables["destination"])  # type: ignore[index]
    except (KeyError, TypeError, AttributeError):
        raise UserError(
            f"the Terraform outputs of {directory} have no `tables` with a source and a destination; "
            "re-export that output from the module, or give --source and --destination"
        ) from None
    for side in (source, destination):
        if side.table_name is None:
            raise UserError(f"the output `tables` of {directory} names no {side.name} table")
    return source, destination


def _first_line(stderr: str) -> str:
    # Terraform frames its errors with box-drawing characters; the line that matters starts with Error.
    lines = [line.strip("│╷╵ \t") for line in stderr.splitlines()]
    lines = [line for line in lines if line]
    for line in lines:
        if line.startswith("Error:"):
            return line.removeprefix("Error:").strip()
    return lines[0] if lines else "no reason given"
