"""``tablecopy``: the operator's command."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from operate.clock import Clock
from operate.function import ControlFunction, Status
from operate.letters import letter_lines, records
from operate.outcome import lacks_changes
from operate.steps import Steps
from operate.text import lines, redrive_line
from operate.watching import EPILOG, add_watch_options, watch
from sides import Side, UserError
from sides.options import add_output_options, add_side_options, add_terraform_option, side_from_options
from sides.output import EXIT_DIFFERENT, EXIT_OK, Progress, Style, emit, run
from sides.terraform import read_outputs, tables_of

# Sealing waits for the replicator's leases, which live as long as its function may run.
_SEAL_SECONDS = 300.0
_LOOK_AGAIN_SECONDS = 1.0

# Who waits at a terminal is told of a failed call before long; a watch tries again by itself.
_ATTEMPTS = 3


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
        ("start", "begin the run, or carry on with one that stopped"),
        ("status", "show how the run is doing"),
        ("watch", "show the run live, until it is ready for cutover"),
        ("letters", "list the dead letters: what the destination refuses for good"),
        ("redrive", "try the dead letters again with what the source holds now"),
        ("seal", "end the copy for good: later changes at the source no longer arrive"),
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
            command.add_argument("--show-values", action="store_true", help="print the items' values, too")
        if name == "watch":
            add_watch_options(command)
        add_side_options(command, "source")
        add_terraform_option(command)
        add_output_options(command)
    return top


def _command(argv: Sequence[str]) -> int:
    options = parser().parse_args(argv)
    side, name, outputs = _place(options)
    if options.command == "watch":
        steps = Steps(options, outputs.get("commands"))
        return watch(options, lambda: ControlFunction(side, name, attempts=_ATTEMPTS), Clock(), steps)
    function = ControlFunction(side, name, attempts=_ATTEMPTS)
    if options.command == "letters":
        _show_letters(function, options)
        return EXIT_OK
    actions: dict[str, Callable[[], Status]] = {
        "start": function.start,
        "status": function.status,
        "redrive": function.redrive,
        "seal": lambda: _sealed(function),
    }
    status = actions[options.command]()
    exit_code = EXIT_DIFFERENT if options.command == "seal" and lacks_changes(status) else EXIT_OK
    if options.format == "jsonl":
        emit({"type": "status", **status})
        return exit_code
    if options.command == "redrive":
        print(redrive_line(status))
    print(*lines(status, Style(sys.stdout)), sep="\n")
    return exit_code


def _show_letters(function: ControlFunction, options: argparse.Namespace) -> None:
    count, letters = function.letters(values=options.show_values)
    if options.format == "jsonl":
        for record in records(count, letters):
            emit(record)
    else:
        print(*letter_lines(count, letters, Style(sys.stdout)), sep="\n")


def _place(options: argparse.Namespace) -> tuple[Side, str, dict[str, Any]]:
    """The source side, the control function there, and the Terraform outputs that were read for it."""
    if options.control_function and not options.from_terraform:
        return side_from_options(options, "source"), options.control_function, {}
    directory = options.from_terraform or "."
    outputs = read_outputs(directory)
    name = options.control_function or outputs.get("control_function_name")
    if not name:
        raise UserError(
            f"the Terraform outputs of {directory} have no control_function_name; give --control-function"
        )
    source, _ = tables_of(outputs, directory)
    return side_from_options(options, "source", source), name, outputs


def _sealed(function: ControlFunction) -> Status:
    """Seal, and come back once nothing can be written any more."""
    status = function.seal()
    progress = Progress()
    give_up = time.monotonic() + _SEAL_SECONDS
    while status["phase"] != "sealed":
        if status["phase"] not in {"ready", "sealing"}:
            raise UserError(f"not sealed: the run is {status['phase']} again: {status['reason']}")
        if time.monotonic() > give_up:
            raise UserError(
                f"not sealed after {_SEAL_SECONDS:.0f} s, still {status['phase']}; control carries on, "
                "tablecopy status tells when it is done"
            )
        progress.update(f"{status['phase']} ...")
        time.sleep(_LOOK_AGAIN_SECONDS)
        status = function.status()
    progress.clear()
    return status
