"""``tablecopy watch``: its flags, and what it prints at the end."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Sequence

from tablecopy.text import duration_text
from tablecopy_cli.advice import Commands, Situation, Step, next_steps, step_lines
from tablecopy_cli.common.control_function import ControlFunction, Status
from tablecopy_cli.common.terminal import Style, print_json
from tablecopy_cli.common.text import wrapped
from tablecopy_cli.run.clock import Clock
from tablecopy_cli.run.outcome import UNTIL, Outcome
from tablecopy_cli.run.status_text import state_lines
from tablecopy_cli.run.views import view_of
from tablecopy_cli.run.watch import Watch

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


def watch(
    options: argparse.Namespace, connect: Callable[[], ControlFunction], clock: Clock, commands: Commands
) -> int:
    """Watch the run as the flags say, print how it ended and the next steps; returns the exit code."""
    began = clock.now()
    with view_of(options.format, clock) as view:
        watch_ = Watch(connect, view, clock, options.interval, options.timeout)
        outcome, picture = watch_.until(options.until)
    status = picture.status
    steps = next_steps(Situation(commands, run=status))
    if options.format == "jsonl":
        print_json(
            {
                "type": "summary",
                "outcome": outcome.word,
                "exit_code": outcome.exit_code,
                "until": options.until,
                "phase": status["phase"],
                "reason": status.get("reason", ""),
                "dead_letters": status.get("dead_letters", 0),
                "seconds": round(clock.now() - began, 3),
                "next": [step.record() for step in steps],
            }
        )
    else:
        print(*wrapped(_end(outcome, status, steps, options), sys.stdout), sep="\n")
    return outcome.exit_code


def _end(
    outcome: Outcome, status: Status, steps: Sequence[Step], options: argparse.Namespace
) -> Iterator[str]:
    style = Style(sys.stdout)
    yield from state_lines(status, style)
    if outcome is Outcome.TIMED_OUT:
        waited = duration_text(options.timeout)
        yield style.yellow("  gave up    ") + f"not {options.until} within {waited}; the run continues"
    yield ""
    yield from step_lines(steps, style)


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
