"""The command line: parse, compare, print."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from sides import Side, UserError
from sides.options import add_output_options, add_side_options, add_terraform_option, side_from_options
from sides.output import EXIT_DIFFERENT, EXIT_OK, EXIT_UNSETTLED, Progress, Style, emit, run
from sides.terraform import read_outputs, tables_of
from verify.compare import DEFAULT_SEGMENTS, Verdict, compare
from verify.report import progress_text, text_report
from verify.scan import Table

_EXIT_CODES: dict[Verdict, int] = {
    "equal": EXIT_OK,
    "different": EXIT_DIFFERENT,
    "unsettled": EXIT_UNSETTLED,
}
_MAX_SEGMENTS = 256
_DEFAULT_LIMIT = 20

_DESCRIPTION = "Compare two DynamoDB tables item by item and report what is missing, different or extra."
_EPILOG = """\
With neither --source nor --destination, both tables are read from the Terraform outputs of
--from-terraform DIR or, without it, of the current directory.

exit codes: 0 equal, 1 different, 2 trouble, 3 not settled (verify again), 130 interrupted

example:
  verify --source orders --source-profile old --destination orders --destination-profile new
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; see ``verify --help``.

    Returns
    -------
    int
        0 equal, 1 different, 2 trouble, 3 not settled, 130 interrupted.
    """
    return run("verify", _verify, argv)


def parser() -> argparse.ArgumentParser:
    """Build the parser of the command line."""
    result = argparse.ArgumentParser(
        prog="verify",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        # An abbreviation that works today could mean two flags tomorrow.
        allow_abbrev=False,
    )
    result.add_argument(
        "--writes-stopped",
        action="store_true",
        help="nothing writes to either table: read consistently (twice the units), every difference counts",
    )
    result.add_argument(
        "--segments",
        type=_segments,
        default=DEFAULT_SEGMENTS,
        metavar="N",
        help=f"segments of the parallel scan, each side, 1 to {_MAX_SEGMENTS} (default: {DEFAULT_SEGMENTS})",
    )
    result.add_argument(
        "--show-values", action="store_true", help="print the values of attributes that differ, too"
    )
    result.add_argument(
        "--limit",
        type=_limit,
        default=_DEFAULT_LIMIT,
        metavar="N",
        help=f"items to list in each group of the text, 0 for all (default: {_DEFAULT_LIMIT})",
    )
    add_output_options(result)
    add_terraform_option(result)
    add_side_options(result, "source", table=True)
    add_side_options(result, "destination", table=True)
    return result


def _verify(arguments: Sequence[str]) -> int:
    flags = parser()
    options = flags.parse_args(arguments)
    source, destination = _sides(flags, options)
    progress = Progress()
    try:
        comparison = compare(
            Table.connect(source, connections=options.segments),
            Table.connect(destination, connections=options.segments),
            segments=options.segments,
            writes_stopped=options.writes_stopped,
            values=options.show_values,
            on_progress=lambda state: progress.update(progress_text(state)),
        )
    finally:
        progress.clear()
    if options.format == "jsonl":
        for record in comparison.records():
            emit(record)
    else:
        for line in text_report(comparison, Style(sys.stdout), options.limit):
            print(line)
    return _EXIT_CODES[comparison.verdict]


def _sides(flags: argparse.ArgumentParser, options: argparse.Namespace) -> tuple[Side, Side]:
    given = [options.source_table_name, options.destination_table_name]
    directory = options.from_terraform
    if directory is None and any(given):
        if not all(given):
            flags.error(
                "give both --source and --destination, or neither (then Terraform's outputs name them)"
            )
        return side_from_options(options, "source"), side_from_options(options, "destination")
    if directory is None:
        try:
            source, destination = tables_of(read_outputs("."), "this directory")
        except UserError as error:
            raise UserError(f"no tables given (--source and --destination), and {error}") from error
    else:
        source, destination = tables_of(read_outputs(directory), directory)
    return side_from_options(options, "source", source), side_from_options(
        options, "destination", destination
    )


def _segments(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MAX_SEGMENTS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {_MAX_SEGMENTS}")
    return int(text)


def _limit(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0")
    return int(text)
