"""``tablecopy``: the one command, with all its sub-commands. What they need is imported when they run."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tablecopy.clock import Clock
from tablecopy.settings import Prices
from tablecopy_cli.common import options
from tablecopy_cli.common.items import quoted
from tablecopy_cli.common.options import (
    Command,
    CopyOptions,
    Group,
    Number,
    Value,
    copy_options,
    option,
    output_options,
    version_option,
)
from verify.cli import repair, verify

if TYPE_CHECKING:
    from tablecopy_cli.run.preflight import EstimateOptions

F = TypeVar("F", bound=Callable[..., Any])

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_CONTROL = "Name or ARN of the control function."


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``tablecopy``; returns the exit code."""
    return options.main(tablecopy, argv)


@click.group(
    cls=Group,
    help="Copy a DynamoDB table to another AWS account: check, start, follow, verify and seal the copy.",
    notes=[
        "Without --control-function, commands read the Terraform outputs of the current directory.",
        "To complete commands and flags in bash, add the last example to ~/.bashrc. zsh_source and "
        "fish_source are for zsh and fish; _VERIFY_COMPLETE and verify are for the command verify.",
    ],
    examples=[
        "tablecopy watch --from-terraform infra --until ready",
        'eval "$(_TABLECOPY_COMPLETE=bash_source tablecopy)"',
    ],
)
@version_option
def tablecopy() -> None:
    """The group of all sub-commands."""


# Before anything is applied


def _estimate_options(function: F) -> F:
    """Declare the settings and circumstances that decide what a copy takes."""
    prices = Prices()
    settings = "Settings of the copy (default: the applied ones, or those of the module)"
    circumstances = "Circumstances, for the cost"
    declared = [
        copy_options("source", "destination", table=True, control=None),
        option(
            "--segments", "total_segments", type=Number(1, whole=True), metavar="N",
            help="backfill.segments.", group=settings,
        ),
        option(
            "--concurrency", type=Number(1, whole=True), metavar="N",
            help="backfill.concurrency.", group=settings,
        ),
        option(
            "--read-capacity", type=Number(exclusive=True), metavar="UNITS",
            help="backfill.read_capacity, in units per second.", group=settings,
        ),
        option(
            "--write-capacity", type=Number(exclusive=True), metavar="UNITS",
            help="backfill.write_capacity, in units per second.", group=settings,
        ),
        option(
            "--quiet-seconds", "drained_after_seconds", type=Number(1, whole=True), metavar="SECONDS",
            help="control.drained_after_seconds.", group=settings,
        ),
        option(
            "--control-memory-mb", "reconciler_memory_mb", type=Number(128, whole=True), metavar="MB",
            help="control.memory_mb.", group=settings,
        ),
        option(
            "--batching-window-seconds", type=Number(), metavar="SECONDS",
            help="replicator.batching_window_seconds.", group=settings,
        ),
        option(
            "--allow-items", "allow_nonempty_destination", is_flag=True, default=None,
            help="destination_table.allow_items.", group=settings,
        ),
        option(
            "--changes-per-second", type=Number(), metavar="N", show_default="0",
            help="Writes to the source table while the copy runs.", group=circumstances,
        ),
        option(
            "--days", type=Number(exclusive=True), metavar="N", show_default="the backfill, at least 1",
            help="Days until the cutover.", group=circumstances,
        ),
        option(
            "--shards", type=Number(1, whole=True), metavar="N", show_default="one for each partition",
            help="Open shards of the stream.", group=circumstances,
        ),
        option(
            "--nat", is_flag=True, default=None, group=circumstances,
            help="The functions reach DynamoDB from a VPC through a NAT gateway.",
        ),
        *(_price_option(field.name, getattr(prices, field.name)) for field in dataclasses.fields(Prices)),
        output_options,
    ]  # fmt: skip
    for decorate in reversed(declared):
        function = decorate(function)
    return function


def _price_option(field: str, default: Any) -> Callable[[F], F]:
    is_price = isinstance(default, float)
    return option(
        f"--price-{field.replace('_', '-')}" if is_price else "--currency",
        f"price_{field}",
        type=Number() if is_price else str,
        default=default,
        show_default=f"{default:.10g}" if is_price else default,
        metavar="PRICE" if is_price else "CODE",
        help=f"prices.{field}.",
        group="Prices (default: list prices of AWS in us-east-1)",
    )


_BEFORE: dict[str, Any] = {
    "cls": Command,
    "exit_codes": {0: "Nothing is in the way.", 1: "A problem was found.", 2: "Error.", 130: "Interrupted."},
    "examples": [
        "tablecopy preflight --source orders --source-profile old --destination-profile new",
        "tablecopy estimate --source orders --source-profile old --changes-per-second 50 --days 3",
    ],
}


@tablecopy.command(**_BEFORE, help="Check what prevents a copy, before you apply anything. Reads only.")
@_estimate_options
def preflight(**given: Any) -> int:
    """Check what prevents a copy."""
    from tablecopy_cli.run.preflight import preflight as run

    return run(_expectations(**given))


@tablecopy.command(**_BEFORE, help="Estimate time and cost of a copy, and how long writers stop at cutover.")
@_estimate_options
def estimate(**given: Any) -> int:
    """Estimate time and cost of a copy."""
    from tablecopy_cli.run.preflight import estimate as run

    return run(_expectations(**given))


def _expectations(*, copy: CopyOptions, format_: str, **flags: Any) -> EstimateOptions:
    from tablecopy_cli.run.preflight import EstimateOptions

    prices = {field.name: flags.pop(f"price_{field.name}") for field in dataclasses.fields(Prices)}
    return EstimateOptions(copy=copy, flags={**flags, "prices": Prices(**prices)}, format_=format_)


# A run


def _run_command(
    name: str, help_: str, *, sides: Sequence[str] = ("source",), **settings: Any
) -> Callable[[Callable[..., int]], click.Command]:
    """Declare a sub-command that asks the control function of a copy."""

    def decorate(function: Callable[..., int]) -> click.Command:
        function = copy_options(*sides, table=False, control=_CONTROL)(output_options(function))
        return tablecopy.command(name, cls=Command, help=help_, **settings)(function)

    return decorate


@_run_command("start", "Start the run, or continue one that stopped.")
def start(copy: CopyOptions, format_: str) -> int:
    """Start the run."""
    from tablecopy_cli.run.actions import start as run

    return run(copy, format_, Clock())


@_run_command("status", "Show the state of the run.")
def status(copy: CopyOptions, format_: str) -> int:
    """Show the state of the run."""
    from tablecopy_cli.run.actions import status as run

    return run(copy, format_)


def _interval(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = float("nan")
    if not 1 <= seconds < float("inf"):
        raise ValueError(f"{quoted(text)} is not a number of seconds from 1")
    return seconds


def _duration(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text, re.ASCII)
    if not found:
        raise ValueError(f"{quoted(text)} is not a duration such as 90, 90s, 30m, 6h or 2d")
    return float(found[1]) * _UNITS[found[2]]


@_run_command(
    "watch",
    "Show the run live until it is ready for cutover.",
    exit_codes={
        0: "The run reached the phase, or a later one.",
        1: "The run stopped and does not continue by itself, or was sealed before all changes arrived.",
        2: "Error: bad input, access denied, unknown function, or no answer for ten minutes.",
        3: "Timed out. The run continues.",
        4: "Blocked: everything is copied and applied except dead letters or batches in the failure queue.",
        130: "Interrupted. The run continues.",
    },
)
@option(
    "--until",
    type=click.Choice(["slice", "ready", "sealed"]),
    default="ready",
    show_default=True,
    help="Phase to wait for; a later one counts: slice (copying has begun), ready (for cutover), or sealed.",
)
@option(
    "--interval",
    type=Value(_interval),
    default=5.0,
    show_default="5",
    metavar="SECONDS",
    help="Time between two status calls, at least 1. Each call invokes the control function.",
)
@option(
    "--timeout",
    type=Value(_duration),
    default=float("inf"),
    show_default="never",
    metavar="DURATION",
    help="Time to give up after: seconds, or a number with s, m, h or d such as 6h. 0 checks once.",
)
def watch(copy: CopyOptions, until: str, interval: float, timeout: float, format_: str) -> int:
    """Show the run live."""
    from tablecopy_cli.run.actions import WatchOptions
    from tablecopy_cli.run.actions import watch as run

    return run(copy, WatchOptions(until, interval, timeout, format_), Clock())


_show_values = option("--show-values", is_flag=True, help="Also print the values of the items.")


@_run_command("dead-letters", "List the dead letters: items that the destination permanently rejects.")
@_show_values
def dead_letters(copy: CopyOptions, show_values: bool, format_: str) -> int:
    """List the dead letters."""
    from tablecopy_cli.run.actions import dead_letters as run

    return run(copy, show_values, format_)


@_run_command("letters", "List the dead letters (the same as dead-letters).", hidden=True)
@_show_values
def letters(copy: CopyOptions, show_values: bool, format_: str) -> int:
    """List the dead letters."""
    from tablecopy_cli.run.actions import dead_letters as run

    return run(copy, show_values, format_)


@_run_command("redrive", "Retry the dead letters with the current items of the source table.")
def redrive(copy: CopyOptions, format_: str) -> int:
    """Retry the dead letters."""
    from tablecopy_cli.run.actions import redrive as run

    return run(copy, format_)


tablecopy.add_command(verify)
tablecopy.add_command(repair)


@_run_command(
    "cutover",
    "Cut over: seal the copy as soon as both tables are proved equal, within seconds.",
    exit_codes={
        0: "The copy is sealed, and the tables are equal (seen).",
        1: "Not sealed: the tables differ, or the run has stopped.",
        2: "Error: bad input, access denied, unknown function, or no answer.",
        3: "Not sealed: something wrote, it was not proved in time, or it was cancelled. The copy continues.",
        4: "Not begun: the stop would be longer than --max-stop, or the run is not in sync and verified.",
        130: "Interrupted. The request was cancelled, and the copy continues.",
    },
    examples=["tablecopy cutover --max-stop 30s"],
    sides=("source", "destination"),
)
@option(
    "--max-stop",
    type=Value(_duration),
    default="30s",
    show_default="30s",
    metavar="DURATION",
    help="Longest time for which the writers may stop: seconds, or a number with s, m or h; at most 1h.",
)
@option(
    "--quiet",
    type=Value(_duration),
    default="5s",
    show_default="5s",
    metavar="DURATION",
    help="Time for which both streams must show no change. The proof rests on it.",
)
@option("--yes", is_flag=True, help="Begin without asking for confirmation. The writers must have stopped.")
@option(
    "--fence",
    is_flag=True,
    help="Deny writes in both tables' resource policies with your own credentials, until the copy is sealed.",
)
@option("--lift-fence", is_flag=True, help="Only allow writes again that a fence denies.")
def cutover(copy: CopyOptions, format_: str, **given: Any) -> int:
    """Cut over."""
    from tablecopy_cli.cutover.command import CutoverOptions
    from tablecopy_cli.cutover.command import cutover as run

    return run(copy, CutoverOptions(**given, format_=format_), Clock())


@_run_command(
    "audit",
    "Audit a cutover: scan both tables after it, while the new writers work.",
    exit_codes={
        0: "At the seal, the tables were equal (audited).",
        1: "At the seal, the tables were different.",
        2: "Error: not sealed with a proof, too late, the audit has failed, access denied, or no answer.",
        130: "Interrupted. The audit continues in the account.",
    },
)
@option("--detach", is_flag=True, help="Start it and do not wait for the end.")
@option("--report", is_flag=True, help="Start nothing: report on the latest audit.")
@option(
    "--limit",
    type=Number(whole=True),
    default=20,
    show_default=True,
    metavar="N",
    help="Differences to list in the text output, 0 for all.",
)
def audit(copy: CopyOptions, format_: str, **given: Any) -> int:
    """Audit a cutover."""
    from tablecopy_cli.cutover.audit import AuditOptions
    from tablecopy_cli.cutover.audit import audit as run

    return run(copy, AuditOptions(**given, format_=format_), Clock())


@_run_command("seal", "End the copy. Later changes in the source table are not copied.")
@option("--yes", is_flag=True, help="Seal without asking for confirmation.")
def seal(copy: CopyOptions, yes: bool, format_: str) -> int:
    """End the copy."""
    from tablecopy_cli.run.actions import seal as run

    return run(copy, yes, format_, Clock())
