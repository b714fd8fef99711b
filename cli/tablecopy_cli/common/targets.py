"""The two tables and the control function of their copy, from the flags or from Terraform's outputs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tablecopy_cli.common.accounts import Side, is_arn
from tablecopy_cli.common.errors import UserError
from tablecopy_cli.common.items import quoted
from tablecopy_cli.common.options import CopyOptions, merge_side
from tablecopy_cli.common.terraform import Copy, read_copy

_TABLE_ARN = re.compile(r"arn:[^:]+:dynamodb:([^:]+):[^:]+:table/[^/:]+")


@dataclass(frozen=True)
class Targets:
    """Where the tables are, the control function of their copy if there is one, and what Terraform knows.

    ``commands`` is the Terraform output of that name, where it was read.
    """

    source: Side
    destination: Side
    control_function: str | None
    commands: Mapping[str, Any] | None = None


def targets_of(given: CopyOptions) -> Targets:
    """Find the tables that the flags name, or that Terraform's outputs name.

    Raises
    ------
    UserError
        The flags name one table only, nothing names the tables, or an ARN is not a table ARN or is of
        another Region than was given.
    """
    names = [given.source.table_name, given.destination.table_name]
    if given.from_terraform is None and given.copy is None and any(names):
        if not all(names):
            raise UserError(
                "pass both --source and --destination, or neither to read them from Terraform outputs"
            )
        return Targets(
            located(merge_side(given.source)), located(merge_side(given.destination)), given.control_function
        )
    copy = _copy(given.from_terraform, given.copy)
    source, destination = copy.sides()
    return Targets(
        located(merge_side(given.source, source)),
        located(merge_side(given.destination, destination)),
        given.control_function or copy.outputs.get("control_function_name"),
        copy.commands,
    )


def located(side: Side) -> Side:
    """Return the side, in the Region of its table ARN if it has one.

    Raises
    ------
    UserError
        The ARN is not a table ARN, or it is of another Region than was given.
    """
    if not is_arn(side.table_name):
        return side
    match = _TABLE_ARN.fullmatch(side.table_name or "")
    if match is None:
        raise UserError(
            f"--{side.name} is {quoted(side.table_name or '')}, which is not a table ARN. Use a table name "
            "or an ARN such as arn:aws:dynamodb:eu-west-1:111122223333:table/orders",
            side.name,
        )
    if side.region not in (None, match[1]):
        raise UserError(
            f"--{side.name}-region is {quoted(side.region or '')}, but the ARN of --{side.name} is in "
            f"{quoted(match[1])}. Remove one of them",
            side.name,
        )
    return replace(side, region=match[1])


def _copy(directory: str | None, name: str | None) -> Copy:
    if directory is not None or name is not None:
        return read_copy(directory or ".", name)
    try:
        copy = read_copy(".", None)
        copy.sides()
    except UserError as error:
        raise UserError(f"no tables given (--source and --destination), and {error}") from error
    return copy
