"""``verify``: its sub-commands and flags. What they need is imported when they run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
from click.core import ParameterSource

from tablecopy_cli.common import options
from tablecopy_cli.common.options import (
    Command,
    CopyOptions,
    Group,
    copy_options,
    option,
    output_options,
    version_option,
)
from verify.flags import compare_options, limit_option


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``verify``; returns the exit code.

    Returns
    -------
    int
        0 equal, 1 different, 2 error, 3 still changing or a sample, 130 interrupted.
    """
    return options.main(verify, argv)


@click.group(
    cls=Group,
    invoke_without_command=True,
    subcommand_metavar="[COMMAND [ARGS]...]",
    help="Compare two DynamoDB tables item by item and report what is missing, changed or extra.",
    notes=[
        "Without --source and --destination, both tables are read from the Terraform outputs of "
        "--from-terraform DIR or of the current directory.",
        "Exit code 0 covers only what was compared. With --ignore-attribute or --filter-expression it is not "
        "a go-ahead for a cutover.",
    ],
    exit_codes={
        0: "The tables are equal.",
        1: "The tables are different.",
        2: "Error.",
        3: "Items are still changing (verify again), or only a sample was compared.",
        130: "Interrupted.",
    },
    examples=[
        "verify --source orders --source-profile old --destination orders --destination-profile new",
        "verify --writes-stopped --html report.html",
        "verify --in-account --writes-stopped",
    ],
)
@compare_options
@version_option
@click.pass_context
def verify(context: click.Context, /, **given: Any) -> int:
    """Compare, unless a sub-command was given."""
    if context.invoked_subcommand is None:
        from verify.command import compare_tables
        from verify.flags import CompareFlags

        return compare_tables(CompareFlags(**given))
    for flag in context.command.params:
        if context.get_parameter_source(flag.name or "") is ParameterSource.COMMANDLINE:
            words = f"{context.command_path} {context.invoked_subcommand} {flag.opts[0]}"
            raise click.UsageError(f"{flag.opts[0]} belongs after the command: {words}", context)
    return 0


@verify.command(
    cls=Command,
    help="Estimate read units, cost and time of a comparison from a small sample of both tables.",
    exit_codes={0: "Estimated.", 2: "Error.", 130: "Interrupted."},
)
@compare_options
def estimate(**given: Any) -> int:
    """Estimate what a comparison takes."""
    from verify.command import estimate_comparison
    from verify.flags import CompareFlags

    return estimate_comparison(CompareFlags(**given))


@verify.command(
    cls=Command,
    help="Apply a repair plan that verify wrote: make the destination table equal to the source table.",
    notes=[
        "Without --apply, nothing is written. Without --source and --destination, the tables and the control "
        "function are read from the Terraform outputs of --from-terraform DIR or of the current directory."
    ],
    exit_codes={
        0: "Every action is done, or would be.",
        2: "Error.",
        3: "Something has changed since the comparison. Verify again.",
        130: "Interrupted.",
    },
    examples=["verify repair plan.jsonl --from-terraform infra --writes-stopped --apply"],
)
@click.argument("plan", metavar="FILE")
@option("--apply", is_flag=True, help="Write. Without it, only show what would be done.")
@option(
    "--writes-stopped",
    is_flag=True,
    help="Confirm that only repairs write to either table, and that only repairs have since the comparison.",
)
@limit_option
@copy_options(
    "source",
    "destination",
    table=True,
    control="Name or ARN of the control function, which shows whether the replicator is paused.",
)
@output_options
def repair(plan: str, apply: bool, writes_stopped: bool, limit: int, copy: CopyOptions, format_: str) -> int:
    """Apply a repair plan."""
    from verify.repair.command import RepairOptions
    from verify.repair.command import repair as run

    return run(
        RepairOptions(
            plan=plan, apply=apply, writes_stopped=writes_stopped, limit=limit, copy=copy, format_=format_
        )
    )
