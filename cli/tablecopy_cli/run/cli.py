"""``tablecopy``: the command line."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence

from tablecopy.clock import Clock
from tablecopy_cli.common.errors import run
from tablecopy_cli.common.options import add_output_options, add_side_options, add_terraform_option
from tablecopy_cli.run.actions import letters, redrive, seal, start, status, watch
from tablecopy_cli.run.preflight import add_commands
from tablecopy_cli.run.status_text import UNTIL

EPILOG = """\
exit codes:
  0    the phase was reached, or a later one
  1    the run has stopped and does not go on by itself, or was sealed before all changes had come
  2    trouble: bad input, access denied, no such function, no answer for ten minutes
  3    timed out: the run goes on
  4    held up: all is copied and applied but for dead letters, or batches in the failure queue
  130  interrupted: the run goes on
"""

_DEFAULT_INTERVAL = 5.0
_SHORTEST_INTERVAL = 1.0
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``tablecopy``; returns the exit code."""
    return run("tablecopy", _command, argv)


def parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    top = argparse.ArgumentParser(
        prog="tablecopy",
        description="Start, follow and seal the copy of a DynamoDB table to another AWS account.",
        epilog="Without --control-function, the Terraform outputs of the current directory say which copy.",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in (
        ("start", "start the run, or continue one that stopped"),
        ("status", "show how the run is doing"),
        ("watch", "show the run live, until it is ready for cutover"),
        ("letters", "list the dead letters: items that the destination permanently rejects"),
        ("redrive", "try the dead letters again with the items that the source holds now"),
        ("seal", "end the copy: later changes in the source table are not copied"),
    ):
        command = commands.add_parser(
            name,
            help=text,
            description=text[0].upper() + text[1:] + ".",
            epilog=EPILOG if name == "watch" else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_argument("--control-function", metavar="NAME", help="name or ARN of the control function")
        if name == "letters":
            command.add_argument("--show-values", action="store_true", help="also print the items' values")
        if name == "watch":
            add_watch_options(command)
        if name == "seal":
            command.add_argument("--yes", action="store_true", help="seal without asking for confirmation")
        add_side_options(command, "source")
        add_terraform_option(command)
        add_output_options(command)
    add_commands(commands)
    return top


def _command(argv: Sequence[str]) -> int:
    options = parser().parse_args(argv)
    if "run" in options:
        code: int = options.run(options)
        return code
    actions: dict[str, Callable[[argparse.Namespace, Clock], int]] = {
        "start": start,
        "status": status,
        "watch": watch,
        "letters": letters,
        "redrive": redrive,
        "seal": seal,
    }
    return actions[options.command](options, Clock())


def add_watch_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--until``, ``--interval`` and ``--timeout``."""
    parser.add_argument(
        "--until",
        choices=UNTIL,
        default="ready",
        help="phase to wait for; a later one counts: slice (copying has begun), ready (for cutover), sealed "
        "(default: ready)",
    )
    parser.add_argument(
        "--interval",
        type=_interval,
        default=_DEFAULT_INTERVAL,
        metavar="SECONDS",
        help=f"between two looks, each of which invokes the control function; at least "
        f"{_SHORTEST_INTERVAL:g} (default: {_DEFAULT_INTERVAL:g})",
    )
    parser.add_argument(
        "--timeout",
        type=_duration,
        default=float("inf"),
        metavar="DURATION",
        help="give up after this long: seconds, or a number with s, m, h or d such as 6h; 0 looks once "
        "(default: never)",
    )


def _interval(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = float("nan")
    if not _SHORTEST_INTERVAL <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from {_SHORTEST_INTERVAL:g}")
    return seconds


def _duration(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text, re.ASCII)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration such as 90, 90s, 30m, 6h or 2d")
    return float(found[1]) * _UNITS[found[2]]
