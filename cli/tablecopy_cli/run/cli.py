"""``tablecopy``: the operator's command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from tablecopy_cli.advice import Commands, Situation, next_steps, settle_letters, step_lines
from tablecopy_cli.advice.commands import of_tablecopy
from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.control_function import ControlFunction, Status
from tablecopy_cli.common.errors import EXIT_DIFFERENT, EXIT_OK, UserError, run
from tablecopy_cli.common.options import (
    add_output_options,
    add_side_options,
    add_terraform_option,
    side_from_options,
)
from tablecopy_cli.common.terminal import Style, print_json
from tablecopy_cli.common.terraform import Copy, read_copy
from tablecopy_cli.common.text import wrapped
from tablecopy_cli.run.clock import Clock
from tablecopy_cli.run.dead_letters import letter_lines, records
from tablecopy_cli.run.outcome import lacks_changes
from tablecopy_cli.run.preflight import add_commands
from tablecopy_cli.run.seal import check_answerable, confirmed, sealed
from tablecopy_cli.run.start import started
from tablecopy_cli.run.status_text import lines, redrive_line
from tablecopy_cli.run.watch_command import EPILOG, add_watch_options, watch


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
    if options.command == "seal":
        check_answerable(options.yes, sys.stdin)
    side, name, copy = _place(options)
    copy_commands = of_tablecopy(options, copy.commands if copy else None)
    if options.command == "watch":
        return watch(options, lambda: ControlFunction(side, name), Clock(), copy_commands)
    function = ControlFunction(side, name)
    if options.command == "letters":
        _show_letters(function, options, copy_commands)
        return EXIT_OK
    actions: dict[str, Callable[[], Status]] = {
        "start": lambda: started(function),
        "status": function.status,
        "redrive": function.redrive,
        "seal": lambda: _seal(function, name, copy, options),
    }
    status = actions[options.command]()
    exit_code = EXIT_DIFFERENT if options.command == "seal" and lacks_changes(status) else EXIT_OK
    steps = next_steps(Situation(copy_commands, run=status))
    if options.format == "jsonl":
        print_json({"type": "status", **status, "next": [step.record() for step in steps]})
        return exit_code
    shown = list(lines(status, steps, Style(sys.stdout)))
    if options.command == "redrive":
        shown.insert(0, redrive_line(status))
    print(*wrapped(shown, sys.stdout), sep="\n")
    return exit_code


def _seal(function: ControlFunction, name: str, copy: Copy | None, options: argparse.Namespace) -> Status:
    if not options.yes:
        already = confirmed(function, name, copy.sides() if copy else None)
        if already and already["phase"] == "sealed":
            return already
    return sealed(function)


def _show_letters(function: ControlFunction, options: argparse.Namespace, commands: Commands) -> None:
    count, letters = function.letters(values=options.show_values)
    if options.format == "jsonl":
        for record in records(count, letters):
            print_json(record)
    else:
        style = Style(sys.stdout)
        shown = list(letter_lines(count, letters, style))
        if count:
            shown += ["", *step_lines(settle_letters(commands), style)]
        print(*wrapped(shown, sys.stdout), sep="\n")


def _place(options: argparse.Namespace) -> tuple[Side, str, Copy | None]:
    """The source side, the control function there, and the copy if Terraform's outputs were read for it."""
    if options.control_function and not options.from_terraform:
        if options.copy:
            raise UserError(
                "--copy names a copy in Terraform's outputs. Pass --from-terraform, too, or remove it"
            )
        return side_from_options(options, "source"), options.control_function, None
    copy = read_copy(options.from_terraform or ".", options.copy)
    name = options.control_function or copy.control_function
    source, _ = copy.sides()
    return side_from_options(options, "source", source), name, copy
