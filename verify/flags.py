"""The flags of ``verify`` and ``verify estimate``, and what they come to."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from tablecopy_cli.common.options import add_output_options
from verify.comparison.options import DEFAULT_LAG_SECONDS, DEFAULT_SEGMENTS, Options
from verify.estimate import DEFAULT_PRICE_PER_MILLION
from verify.repair.plan import UNASKED
from verify.scan.table import Filter
from verify.targets import add_place_options

_MAX_SEGMENTS = 256
_DEFAULT_LIMIT = 20

_DESCRIPTION = "Compare two DynamoDB tables item by item and report what is missing, different or extra."
_EPILOG = """\
With neither --source nor --destination, both tables are read from the Terraform outputs of
--from-terraform DIR or, without it, of the current directory.

verify estimate ...     estimate read units, cost and time from a small sample of both tables
verify repair FILE ...  apply the plan that verify writes when tables differ; see verify repair --help

exit codes: 0 equal, 1 different, 2 trouble, 3 not settled (verify again) or a sample, 130 interrupted
0 is about what was compared: with --ignore-attribute or --filter-expression it is no go-ahead for a cutover.

examples:
  verify --source orders --source-profile old --destination orders --destination-profile new
  verify --writes-stopped --html report.html
"""


def parser() -> argparse.ArgumentParser:
    """Build the parser of the command line, but for its first word where that is a command."""
    result = argparse.ArgumentParser(
        prog="verify",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        # An abbreviation that works today could mean two flags tomorrow.
        allow_abbrev=False,
    )
    _add_comparing(result)
    _add_restricting(result)
    _add_working(result)
    _add_reporting(result)
    add_place_options(result, "for dead letters and the lag")
    for side in ("source", "destination"):
        result.add_argument(
            f"--{side}-read-capacity",
            type=_units,
            metavar="UNITS",
            help=f"read capacity units per second to keep to at the {side}",
        )
    return result


def options_of(flags: argparse.ArgumentParser, given: argparse.Namespace) -> Options:
    """How to compare, as the flags say."""
    names, values = given.expression_attribute_names, given.expression_attribute_values
    if given.filter_expression is None and (names, values) != (None, None):
        flags.error("--expression-attribute-names and -values belong to a --filter-expression")
    if given.repair_plan and given.no_repair_plan:
        flags.error("--repair-plan and --no-repair-plan exclude each other")
    if given.repair_plan and given.ignore_attribute:
        flags.error("--repair-plan writes whole items, it does not go with --ignore-attribute")
    restriction = None
    if given.filter_expression is not None:
        restriction = Filter(given.filter_expression, names, values)
    return Options(
        writes_stopped=given.writes_stopped,
        segments=given.segments,
        lag_seconds=given.lag,
        read_capacity={
            "source": given.source_read_capacity,
            "destination": given.destination_read_capacity,
        },
        values=given.show_values,
        ignored=tuple(given.ignore_attribute),
        filter=restriction,
        sample=given.sample,
        for_repair=given.repair_plan is not None,
    )


def add_limit_option(result: argparse.ArgumentParser) -> None:
    """Add ``--limit``: how many items to list, 0 for all."""
    result.add_argument(
        "--limit",
        type=_limit,
        default=_DEFAULT_LIMIT,
        metavar="N",
        help=f"items to list in each group of the text, 0 for all (default: {_DEFAULT_LIMIT})",
    )


def _add_comparing(result: argparse.ArgumentParser) -> None:
    result.add_argument(
        "--writes-stopped",
        action="store_true",
        help="nothing writes to either table: read consistently (twice the units), every difference counts",
    )
    result.add_argument(
        "--lag",
        type=_seconds,
        default=DEFAULT_LAG_SECONDS,
        metavar="SECONDS",
        help="longer than a change takes to arrive: what differs is read again after that "
        f"(default: {DEFAULT_LAG_SECONDS:g})",
    )


def _add_restricting(result: argparse.ArgumentParser) -> None:
    result.add_argument(
        "--ignore-attribute",
        action="append",
        default=[],
        metavar="NAME",
        help="leave a top-level attribute out of the comparison; may be given several times",
    )
    result.add_argument(
        "--filter-expression", metavar="TEXT", help="compare only items that this holds for on either side"
    )
    result.add_argument(
        "--expression-attribute-names", type=_object, metavar="JSON", help="names in the filter expression"
    )
    result.add_argument(
        "--expression-attribute-values", type=_object, metavar="JSON", help="values in the filter expression"
    )
    result.add_argument(
        "--sample",
        type=_fraction,
        metavar="FRACTION",
        help="compare only this part of the tables, such as 0.05; never says equal",
    )


def _add_working(result: argparse.ArgumentParser) -> None:
    result.add_argument(
        "--segments",
        type=_segments,
        default=DEFAULT_SEGMENTS,
        metavar="N",
        help="segments of the parallel scan, each side, read at the same time, "
        f"1 to {_MAX_SEGMENTS} (default: {DEFAULT_SEGMENTS})",
    )
    result.add_argument(
        "--processes",
        type=_segments,
        metavar="N",
        help="processes that scan (default: the cores, or 1 for small tables)",
    )
    result.add_argument(
        "--resume", action="store_true", help="go on with a comparison that was interrupted or failed"
    )
    result.add_argument(
        "--work-dir",
        type=Path,
        metavar="DIR",
        help="where to keep digests while comparing (default: verify in the user's cache directory)",
    )


def _add_reporting(result: argparse.ArgumentParser) -> None:
    result.add_argument(
        "--show-values", action="store_true", help="print the values of attributes that differ, too"
    )
    add_limit_option(result)
    result.add_argument("--html", type=Path, metavar="FILE", help="write a page to read and to drill into")
    result.add_argument("--junit", type=Path, metavar="FILE", help="write JUnit XML for a pipeline")
    result.add_argument(
        "--repair-plan",
        type=Path,
        metavar="FILE",
        help="write the plan for verify repair here (default: plans in the work directory, up to "
        f"{UNASKED:,} differences)",
    )
    result.add_argument("--no-repair-plan", action="store_true", help="write no plan for verify repair")
    result.add_argument(
        "--price-per-million",
        type=_seconds,
        default=DEFAULT_PRICE_PER_MILLION,
        metavar="USD",
        help=f"price of a million read request units, for estimate (default: {DEFAULT_PRICE_PER_MILLION:g})",
    )
    add_output_options(result)


def _segments(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MAX_SEGMENTS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {_MAX_SEGMENTS}")
    return int(text)


def _limit(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0")
    return int(text)


def _seconds(text: str) -> float:
    number = _number(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0")
    return number


def _units(text: str) -> float:
    number = _number(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1")
    return number


def _fraction(text: str) -> float:
    number = _number(text)
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a fraction above 0 and below 1, such as 0.05")
    return number


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return number


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from None
    if not isinstance(found, dict):
        raise argparse.ArgumentTypeError("not a JSON object")
    return found
