"""The flags of ``verify`` and ``verify estimate``."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from tablecopy.settings import Prices
from tablecopy_cli.common.items import quoted
from tablecopy_cli.common.options import CopyOptions, Number, Value, copy_options, option, output_options
from verify.comparison.options import DEFAULT_LAG_SECONDS, DEFAULT_SEGMENTS, PLAN_LIMIT

F = TypeVar("F", bound=Callable[..., Any])

_MAX_SEGMENTS = 256

# The highest TotalSegments of a scan (API reference, Scan).
_ALL_SEGMENTS = 1_000_000
_PATH = click.Path(path_type=Path)

_comparison = functools.partial(option, group="Comparison")
_reading = functools.partial(option, group="Reading")
_in_account = functools.partial(option, group="In the account")
_report = functools.partial(option, group="Report")


@dataclass(frozen=True, kw_only=True)
class CompareFlags:
    """What the command line gives; each field has the name of its flag, and ``None`` if that is not given.

    Parameters
    ----------
    copy
        The tables and the control function.
    source_read_capacity, destination_read_capacity
        Read capacity units per second.
    lag
        Seconds.
    sample
        Fraction of the tables.
    segment
        Segments to compare, each with their total number.
    price_per_million
        Price of a million read request units.
    """

    copy: CopyOptions
    writes_stopped: bool
    lag: float
    ignore_attribute: tuple[str, ...]
    filter_expression: str | None
    expression_attribute_names: dict[str, str] | None
    expression_attribute_values: dict[str, Any] | None
    sample: float | None
    segment: tuple[tuple[int, int], ...]
    segments: int
    processes: int | None
    source_read_capacity: float | None
    destination_read_capacity: float | None
    resume: bool
    in_account: bool
    detach: bool
    report: bool
    work_dir: Path | None
    show_values: bool
    limit: int
    html: Path | None
    junit: Path | None
    repair_plan: Path | None
    no_repair_plan: bool
    price_per_million: float
    format_: str


def _segment(text: str) -> tuple[int, int]:
    number, slash, of = text.partition("/")
    if not (slash and number.isdecimal() and of.isdecimal() and int(number) < int(of) <= _ALL_SEGMENTS):
        raise ValueError(f"{quoted(text)} is not a segment such as 3/16, from 0/16 to 15/16")
    return int(number), int(of)


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from None
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    return found


limit_option = _report(
    "--limit",
    type=Number(whole=True),
    default=20,
    show_default=True,
    metavar="N",
    help="Items to list in each group of the text output, 0 for all.",
)

_COMPARISON = [
    _comparison(
        "--writes-stopped",
        is_flag=True,
        help="Confirm that nothing writes to either table. Reads are then strongly consistent, at twice the "
        "units, and every difference counts.",
    ),
    _comparison(
        "--lag",
        type=Number(),
        default=DEFAULT_LAG_SECONDS,
        show_default=f"{DEFAULT_LAG_SECONDS:g}",
        metavar="SECONDS",
        help="Seconds to wait before rechecking a difference; longer than a change takes to arrive.",
    ),
    _comparison(
        "--ignore-attribute",
        multiple=True,
        metavar="NAME",
        help="Top-level attribute to leave out of the comparison. May be given several times.",
    ),
    _comparison(
        "--filter-expression",
        metavar="TEXT",
        help="Filter expression. Only items that match it on at least one side are compared.",
    ),
    _comparison(
        "--expression-attribute-names",
        type=Value(_object),
        metavar="JSON",
        help="Attribute names in the filter expression.",
    ),
    _comparison(
        "--expression-attribute-values",
        type=Value(_object),
        metavar="JSON",
        help="Attribute values in the filter expression, in DynamoDB JSON.",
    ),
    _comparison(
        "--sample",
        type=Number(0, 1, exclusive=True),
        metavar="FRACTION",
        help="Part of the tables to compare, such as 0.05. The result is then never equal.",
    ),
    _comparison(
        "--segment",
        type=Value(_segment),
        multiple=True,
        metavar="N/TOTAL",
        help="Segment of the tables to compare, such as 3/16, counted from 0. May be given several times.",
    ),
]

_READING = [
    _reading(
        "--segments",
        type=Number(1, _MAX_SEGMENTS, whole=True),
        default=DEFAULT_SEGMENTS,
        show_default=True,
        metavar="N",
        help=f"Segments of the parallel scan, read at the same time on each side, 1 to {_MAX_SEGMENTS}.",
    ),
    _reading(
        "--processes",
        type=Number(1, _MAX_SEGMENTS, whole=True),
        metavar="N",
        show_default="the number of cores, or 1 for small tables",
        help="Processes that scan.",
    ),
    *(
        _reading(
            f"--{side}-read-capacity",
            type=Number(1),
            metavar="UNITS",
            help=f"Read capacity units per second to stay below on the {side} table.",
        )
        for side in ("source", "destination")
    ),
    _reading("--resume", is_flag=True, help="Continue a comparison that was interrupted or failed."),
    _reading(
        "--work-dir",
        type=_PATH,
        metavar="DIR",
        show_default="verify in your cache directory",
        help="Directory for digests of items while comparing. It takes about 60 bytes and one and a half "
        "times the key for each item of both tables.",
    ),
]

_IN_ACCOUNT = [
    _in_account(
        "--in-account",
        is_flag=True,
        help="Compare in the source account with Step Functions and Lambda, for tables of any size. Needs "
        "verification.enabled in Terraform.",
    ),
    _in_account("--detach", is_flag=True, help="Start it and do not wait for the end."),
    _in_account("--report", is_flag=True, help="Start nothing: report on the latest one."),
]

_REPORT = [
    _report("--show-values", is_flag=True, help="Also print the values of attributes that differ."),
    limit_option,
    _report("--html", type=_PATH, metavar="FILE", help="File for a report in HTML."),
    _report("--junit", type=_PATH, metavar="FILE", help="File for a report in JUnit XML, for a pipeline."),
    _report(
        "--repair-plan",
        type=_PATH,
        metavar="FILE",
        show_default=f"plans in the work directory, up to {PLAN_LIMIT:,} differences",
        help="File for the plan that verify repair applies.",
    ),
    _report("--no-repair-plan", is_flag=True, help="Do not write a repair plan."),
    _report(
        "--price-per-million",
        type=Number(),
        default=Prices().read_per_million,
        show_default=f"{Prices().read_per_million:g}",
        metavar="USD",
        help="Price of a million read request units, for verify estimate.",
    ),
]


def compare_options(function: F) -> F:
    """Declare the flags of `CompareFlags`."""
    declared: list[Callable[[Any], Any]] = [
        *_COMPARISON,
        *_READING,
        *_IN_ACCOUNT,
        *_REPORT,
        copy_options(
            "source",
            "destination",
            table=True,
            control="Name or ARN of the copy's control function, for dead letters and the lag.",
        ),
        output_options,
    ]
    for decorate in reversed(declared):
        function = decorate(function)
    return function
