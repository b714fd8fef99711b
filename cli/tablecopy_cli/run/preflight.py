"""``tablecopy preflight`` and ``tablecopy estimate``, which people run before they apply the copy."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from tablecopy.control.estimate import Circumstances, Cost, Estimate, costs, estimate
from tablecopy.control.tables import described
from tablecopy.dynamodb.client import Json
from tablecopy.settings import CONTROL_FUNCTIONS, CopySettings, Prices
from tablecopy.text import duration_text, size_text
from tablecopy_cli.advice import before_apply, step_lines
from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.aws_errors import user_errors
from tablecopy_cli.common.errors import EXIT_DIFFERENT, EXIT_OK, UserError
from tablecopy_cli.common.options import (
    add_output_options,
    add_side_options,
    add_terraform_option,
    side_from_options,
)
from tablecopy_cli.common.terminal import Style, print_json
from tablecopy_cli.common.terraform import read_copy
from tablecopy_cli.common.text import escaped, wrapped
from tablecopy_cli.run.checks import Checks, Result, SideCaller, Verdict, unanswered
from verify.comparison.options import DEFAULT_SEGMENTS
from verify.estimate import Estimate as Comparison
from verify.estimate import Plan, available_cores, default_processes
from verify.estimate import estimate as comparison_of
from verify.measure import measure
from verify.scan.table import Table
from verify.targets import located

_SEAL_SECONDS = 10.0
"""Time for control to see the stream empty once more and for the replicator's last lease to end."""

_LABELS: dict[Verdict, str] = {
    "pass": "pass",
    "warning": "warning",
    "problem": "problem",
    "not_checked": "not checked",
}

DESCRIPTIONS = {
    "preflight": "Check both accounts before you apply the copy. Reads only.",
    "estimate": "Estimate how long a copy takes, what it costs, and how long writers stop at the cutover.",
}
HELP = {
    "preflight": "check both accounts before you apply the copy",
    "estimate": "estimate time and cost before you apply the copy",
}
EPILOG = """\
exit codes: 0 no problem was found, 1 a problem was found, 2 error, 130 interrupted

examples:
  tablecopy preflight --source orders --source-profile old --destination-profile new
  tablecopy estimate --source orders --source-profile old --changes-per-second 50 --days 3
"""


@dataclass(frozen=True)
class Cutover:
    """How long writers stop at the cutover if no item differs.

    Parameters
    ----------
    seconds
        Sum of the wait until the run is ready, the comparison and the seal.
    quiet_seconds
        Seconds for which the stream must stay empty.
    verify_seconds
        Duration of ``verify --writes-stopped`` on this machine.
    verify_limit
        What limits the speed of verify.
    """

    seconds: float
    quiet_seconds: float
    verify_seconds: float
    verify_limit: str


def add_commands(commands: Any) -> None:
    """Add both commands to the parser of ``tablecopy``."""
    for name, description in DESCRIPTIONS.items():
        command = commands.add_parser(
            name,
            help=HELP[name],
            description=description,
            epilog=EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.set_defaults(run=run)
        for side in ("source", "destination"):
            add_side_options(command, side, table=True)
        add_terraform_option(command)
        _add_settings(command)
        add_output_options(command)


def run(options: argparse.Namespace) -> int:
    """Run one of the commands; returns the exit code."""
    # What imports took before this line is nearly all that the process has computed.
    imports = time.process_time()
    source, destination, own_mapping = _places(options)
    settings, given = _settings(options), _circumstances(options)
    if options.command == "estimate":
        _show_estimate(options, source, destination, settings, given, imports)
        return EXIT_OK
    checks = Checks(source, destination, settings, own_mapping)
    count: Counter[Verdict] = Counter()
    unanswered = 0
    style = Style(sys.stdout)
    for result in checks.run():
        count[result.result] += 1
        unanswered += result.is_unanswered
        _show(options, style, result)
    if checks.source_description is not None:
        for result in _expected(options, checks, source, destination, settings, given, imports):
            count[result.result] += 1
            _show(options, style, result)
    code = EXIT_DIFFERENT if count["problem"] else EXIT_OK
    steps = before_apply(
        problems=count["problem"], unanswered=bool(unanswered), applied=options.from_terraform
    )
    if options.format == "jsonl":
        print_json(
            {
                "type": "summary",
                **{name: count[name] for name in _LABELS},
                "exit_code": code,
                "next": [step.record() for step in steps],
            }
        )
    else:
        shown = [_summary(count, whole=not unanswered), *step_lines(steps, style)]
        print(*wrapped(shown, sys.stdout), sep="\n")
    return code


def _summary(count: Mapping[Verdict, int], *, whole: bool) -> str:
    parts = [f"{count[name]} {label}" for name, label in _LABELS.items() if name != "pass" and count[name]]
    found = ", ".join(parts) if parts else "no warnings"
    if count["problem"]:
        return f"Cannot start yet: {found}."
    if not whole:
        return f"No problem found, but some checks have no answer: {found}."
    return f"No problem found: {found}."


def _show(options: argparse.Namespace, style: Style, result: Result) -> None:
    if options.format == "jsonl":
        print_json(result.record())
        return
    paint = {
        "pass": style.green,
        "warning": style.yellow,
        "problem": style.red,
        "not_checked": style.yellow,
    }[result.result]
    head = paint(f"{_LABELS[result.result]:<12}")
    print(
        *wrapped([f"  {head}{result.check:<12} {escaped(result.message)}"], sys.stdout),
        sep="\n",
        flush=True,
    )


# Expectations


def _expected(
    options: argparse.Namespace,
    checks: Checks,
    source: Side,
    destination: Side,
    settings: CopySettings,
    given: Circumstances,
    imports: float,
) -> Iterator[Result]:
    description = checks.source_description
    assert description is not None
    expected = estimate(description, checks.destination_description or _like(description), settings)
    bill = costs(expected, settings, given)
    yield Result("cost", "pass", f"{_money(sum(cost.cost for cost in bill), settings)} in total; {_HOW}")
    yield Result(
        "time", "pass", f"{duration_text(expected.seconds)} of copying; the limit is {expected.limit_reason}"
    )
    try:
        stop = _cutover(source, destination, description, checks.destination_description, settings, imports)
    except UserError as error:
        yield unanswered("cutover", error)
        return
    yield Result("cutover", "pass", _stop_text(stop))


_HOW = "tablecopy estimate lists each part"


def _show_estimate(
    options: argparse.Namespace,
    source: Side,
    destination: Side,
    settings: CopySettings,
    given: Circumstances,
    imports: float,
) -> None:
    description = _described(source)
    if description is None:
        raise UserError(
            f"there is no table {source.table_name}. Check --source, --source-region and --source-profile",
            "source",
        )
    written = _destination_if_any(source, destination)
    expected = estimate(description, written or _like(description), settings)
    bill = costs(expected, settings, given)
    try:
        stop: Cutover | None = _cutover(source, destination, description, written, settings, imports)
        unknown = ""
    except UserError as error:
        stop, unknown = None, unanswered("cutover", error).message
    if options.format == "jsonl":
        print_json(
            {
                "type": "estimate",
                **expected.as_json(),
                "costs": [cost.as_json() for cost in bill],
                "total_cost": round(sum(cost.cost for cost in bill), 4),
                "cutover": asdict(stop) if stop else None,
            }
        )
        return
    last = _stop_text(stop) if stop else f"not estimated: {escaped(unknown)}"
    shown = [*_lines(expected, bill, settings), f"  cutover    {last}"]
    print(*wrapped(shown, sys.stdout), sep="\n")


def _lines(expected: Estimate, bill: list[Cost], settings: CopySettings) -> Iterator[str]:
    yield (
        f"  table      {expected.items:,} items, {size_text(expected.bytes)} (DynamoDB's ItemCount and "
        "TableSizeBytes, up to six hours old)"
    )
    if not expected.items:
        yield "             DynamoDB has not counted the table yet. The figures are those of an empty table."
    yield (
        f"  copy       {duration_text(expected.seconds)} of copying, without the pauses between slices; "
        f"the limit is {escaped(expected.limit_reason)}"
    )
    yield f"  cost       {_money(sum(cost.cost for cost in bill), settings)} in total"
    width = max((len(f"{cost.cost:,.2f}") for cost in bill), default=0)
    for cost in bill:
        amount = f"{cost.units:,.0f}" if cost.units >= 10 or not cost.units else f"{cost.units:,.2f}"
        yield f"             {cost.cost:>{width},.2f}  {cost.what}: {amount} {cost.unit}"


def _stop_text(stop: Cutover) -> str:
    return (
        f"writers stop for about {duration_text(stop.seconds)} if no item differs: "
        f"{duration_text(stop.quiet_seconds)} until the run is ready, "
        f"{duration_text(stop.verify_seconds)} of verify "
        f"(the limit is {escaped(stop.verify_limit)}), {duration_text(_SEAL_SECONDS)} for the seal"
    )


def _money(amount: float, settings: CopySettings) -> str:
    currency = escaped(settings.prices.currency)
    return f"about {amount:,.2f} {currency}" if amount >= 0.01 else f"less than 0.01 {currency}"


def _cutover(
    source: Side,
    destination: Side,
    description: Json,
    written: Json | None,
    settings: CopySettings,
    imports: float,
) -> Cutover:
    """Estimate the stop of the writers from a sample of the source table.

    At the cutover the destination holds the same items. Until then the estimate takes it to be as fast.

    Raises
    ------
    UserError
        The source table cannot be read.
    """
    began = time.perf_counter()
    table = Table.connect(source)
    connecting = time.perf_counter() - began
    other = table
    if written is not None and int(written.get("ItemCount", 0)):
        other = Table.connect(destination)
    counts = {name: description.get(name, 0) for name in ("ItemCount", "TableSizeBytes")}
    processes = default_processes(2 * table.size)
    rates = measure(
        {"source": table, "destination": other},
        segments=DEFAULT_SEGMENTS,
        consistent=True,
        capacity={
            "source": _provisioned(description),
            "destination": _provisioned(written or {}) if other is not table else _provisioned(description),
        },
    )
    if other is table:
        rates = replace(rates, sides={**rates.sides, "destination": rates.sides["source"]})
    found: Comparison = comparison_of(
        {"source": description, "destination": {**(written or _like(description)), **counts}},
        Plan(
            writes_stopped=True,
            segments=DEFAULT_SEGMENTS,
            of=DEFAULT_SEGMENTS,
            processes=processes,
            lag_seconds=0.0,
            read_capacity={},
        ),
        rates,
        price_per_million=settings.prices.read_per_million,
        currency=settings.prices.currency,
        # As verify starts: imports, then one side after the other.
        start_up_seconds=imports + 2 * connecting,
        cores=available_cores(),
    )
    quiet = float(settings.drained_after_seconds)
    return Cutover(round(quiet + found.seconds + _SEAL_SECONDS, 1), quiet, found.seconds, found.limit_reason)


def _provisioned(description: Json) -> float | None:
    return float((description.get("ProvisionedThroughput") or {}).get("ReadCapacityUnits") or 0) or None


def _like(description: Json) -> Json:
    """Return the destination that Terraform creates: a new table with the same indexes and capacity."""
    copied = ("GlobalSecondaryIndexes", "LocalSecondaryIndexes", "ProvisionedThroughput")
    return {name: description[name] for name in copied if name in description}


def _described(side: Side) -> Json | None:
    assert side.table_name is not None
    with user_errors(side):
        return described(SideCaller(side), side.table_name)


def _destination_if_any(source: Side, destination: Side) -> Json | None:
    """Return the destination table if it can be described; an estimate does without it."""
    if replace(destination, name=source.name) == source:
        return None
    try:
        return _described(destination)
    except UserError:
        return None


# Flags


def _add_settings(command: argparse.ArgumentParser) -> None:
    defaults, given, prices = CopySettings(), Circumstances(), Prices()
    group = command.add_argument_group("settings of the copy (unset: the module's defaults)")
    group.add_argument(
        "--segments", type=_count, default=defaults.total_segments, metavar="N", help="backfill.segments"
    )
    group.add_argument(
        "--concurrency", type=_count, default=defaults.concurrency, metavar="N", help="backfill.concurrency"
    )
    group.add_argument(
        "--read-capacity", type=_positive, metavar="UNITS", help="backfill.read_capacity, units per second"
    )
    group.add_argument(
        "--write-capacity", type=_positive, metavar="UNITS", help="backfill.write_capacity, units per second"
    )
    group.add_argument(
        "--quiet-seconds",
        type=_count,
        default=defaults.drained_after_seconds,
        metavar="SECONDS",
        help=f"control.drained_after_seconds (default: {defaults.drained_after_seconds})",
    )
    group.add_argument("--allow-items", action="store_true", help="destination_table.allow_items")
    group = command.add_argument_group("circumstances, for the cost")
    group.add_argument(
        "--changes-per-second",
        type=_number,
        default=given.changes_per_second,
        metavar="N",
        help="writes to the source table while the copy runs (default: 0)",
    )
    group.add_argument(
        "--days",
        type=_positive,
        metavar="N",
        help="days until the cutover (default: the backfill, at least 1)",
    )
    group.add_argument(
        "--shards",
        type=_count,
        default=given.shards,
        metavar="N",
        help="open shards of the stream (default: 1)",
    )
    group.add_argument(
        "--nat", action="store_true", help="the functions are in a VPC with a NAT gateway to DynamoDB"
    )
    group = command.add_argument_group("prices (unset: AWS's list prices in us-east-1)")
    for field in fields(Prices):
        value = getattr(prices, field.name)
        name = "--currency" if field.name == "currency" else f"--price-{field.name.replace('_', '-')}"
        group.add_argument(
            name,
            dest=f"price_{field.name}",
            type=str if field.name == "currency" else _number,
            default=value,
            metavar="CODE" if field.name == "currency" else "PRICE",
            help=f"default: {value:.10g}" if isinstance(value, float) else f"default: {value}",
        )


def _settings(options: argparse.Namespace) -> CopySettings:
    return CopySettings(
        total_segments=options.segments,
        concurrency=options.concurrency,
        unreserved_concurrency=options.concurrency + 1 + CONTROL_FUNCTIONS,
        drained_after_seconds=options.quiet_seconds,
        allow_nonempty_destination=options.allow_items,
        prices=Prices(**{field.name: getattr(options, f"price_{field.name}") for field in fields(Prices)}),
        read_capacity=options.read_capacity,
        write_capacity=options.write_capacity,
    )


def _circumstances(options: argparse.Namespace) -> Circumstances:
    return Circumstances(
        changes_per_second=options.changes_per_second,
        shards=options.shards,
        days=options.days,
        nat=options.nat,
    )


def _places(options: argparse.Namespace) -> tuple[Side, Side, str | None]:
    """Return both sides, and the UUID of the copy's own mapping if it is applied already."""
    outputs: Mapping[str, Any] = {}
    source = destination = None
    if options.from_terraform:
        copy = read_copy(options.from_terraform, options.copy)
        outputs, (source, destination) = copy.outputs, copy.sides()
    elif not options.source_table_name:
        raise UserError(
            "no table given. Pass --source TABLE, or --from-terraform DIR for a copy that is applied"
        )
    source = side_from_options(options, "source", source)
    destination = side_from_options(options, "destination", destination)
    if not destination.table_name:
        # As Terraform does without destination_table.name.
        assert source.table_name is not None
        destination = replace(destination, table_name=source.table_name.rpartition("/")[2])
    source, destination = located(source), located(destination)
    if not destination.region and not destination.profile:
        destination = replace(destination, region=source.region)
    return source, destination, outputs.get("event_source_mapping_uuid")


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def _positive(text: str) -> float:
    number = _number(text)
    if not number:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0")
    return number
