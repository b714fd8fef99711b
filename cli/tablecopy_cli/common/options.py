"""The flags of a side and of the output, the same for every command."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import replace

from tablecopy_cli.common.accounts import Side, side_of
from tablecopy_cli.common.errors import UserError
from tablecopy_cli.common.items import quoted

_ROLE_ARN = r"arn:[^:]+:iam::[^:]+:role/.+"

_FIELDS = ("table_name", "region", "profile", "role_arn", "external_id", "endpoint_url")


def add_side_options(parser: argparse.ArgumentParser, side: str, *, table: bool = False) -> None:
    """Add the flags of one side: ``--source-profile``, ``--source-region`` and so on.

    Parameters
    ----------
    parser
        Parser of the command.
    side
        ``"source"`` or ``"destination"``.
    table
        Whether the command also takes the table's name (``--source TABLE``).
    """
    group = parser.add_argument_group(f"{side} account (unset: the ordinary AWS configuration)")

    def add(suffix: str, metavar: str, text: str) -> None:
        field = "table_name" if not suffix else suffix.lstrip("-").replace("-", "_")
        group.add_argument(f"--{side}{suffix}", dest=f"{side}_{field}", metavar=metavar, help=text)

    if table:
        add("", "TABLE", f"name or ARN of the {side} table")
    add("-region", "REGION", f"AWS region of the {side}")
    add("-profile", "PROFILE", f"profile of the AWS configuration for the {side}")
    add("-role-arn", "ARN", f"role to assume for the {side}")
    add("-external-id", "ID", "external id that role asks for")
    add("-endpoint-url", "URL", f"endpoint of the {side}'s AWS, for every service: for a local AWS")


def side_from_options(options: argparse.Namespace, side: str, base: Side | None = None) -> Side:
    """Read the flags of one side back.

    Parameters
    ----------
    options
        What the parser returned.
    side
        ``"source"`` or ``"destination"``.
    base
        A side from elsewhere (Terraform outputs); flags that are set win over it.

    Raises
    ------
    UserError
        The role is none, or there is an external id without a role to ask for it.
    """
    given = {field: getattr(options, f"{side}_{field}", None) for field in _FIELDS}
    made = (
        side_of(side, given)
        if base is None
        else replace(base, **{field: value for field, value in given.items() if value})
    )
    if made.role_arn and not re.fullmatch(_ROLE_ARN, made.role_arn):
        raise UserError(
            f"--{side}-role-arn is {quoted(made.role_arn)}, which is no ARN of a role; "
            "one is like arn:aws:iam::111122223333:role/name"
        )
    if made.external_id and not made.role_arn:
        raise UserError(f"--{side}-external-id goes with a role; give --{side}-role-arn, too")
    return made


def add_terraform_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--from-terraform DIR`` and ``--copy NAME``."""
    parser.add_argument(
        "--from-terraform",
        metavar="DIR",
        help="read what is not given from the Terraform outputs of this directory",
    )
    parser.add_argument(
        "--copy", metavar="NAME", help="name of the copy in the Terraform output copies, if there are several"
    )


def add_output_options(parser: argparse.ArgumentParser, formats: Sequence[str] = ("text", "jsonl")) -> None:
    """Add ``--format`` and ``--debug``; `tablecopy_cli.common.terminal.run` knows the latter."""
    parser.add_argument(
        "--format", choices=formats, default=formats[0], help=f"form of the output (default: {formats[0]})"
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
