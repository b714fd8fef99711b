"""``tablecopy preflight`` and ``tablecopy estimate``, which people run before they apply the copy."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from tablecopy.control.cost import Cost, costs, memory_advice, window_advice
from tablecopy.control.estimate import Estimate
from tablecopy.control.estimate import estimate as estimate_copy
from tablecopy.control.tables import described
from tablecopy.control.tracking_cost import tracking_costs
from tablecopy.control.verification_estimate import VerificationEstimate, estimate_verification
from tablecopy.dynamodb.client import Json
from tablecopy.settings import CopySettings
from tablecopy.text import duration_text, size_text
from tablecopy_cli.advice import before_apply, step_lines
from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.aws_errors import user_errors
from tablecopy_cli.common.errors import EXIT_DIFFERENT, EXIT_OK, UserError
from tablecopy_cli.common.options import CopyOptions, merge_side
from tablecopy_cli.common.targets import located
from tablecopy_cli.common.terminal import Style, print_json
from tablecopy_cli.common.terraform import read_copy
from tablecopy_cli.common.text import escaped, wrapped
from tablecopy_cli.run.checks import Checks, Result, SideCaller, Verdict, unanswered
from tablecopy_cli.run.planned import Planned
from verify.comparison.options import DEFAULT_SEGMENTS
from verify.estimate import Estimate as Comparison
from verify.estimate import Plan, available_cores, default_processes
from verify.estimate import estimate as comparison_of
from verify.measure import measure
from verify.scan.table import Table

_SEAL_SECONDS = 15.0
"""Time for control to see the stream empty once more and for the replicator's last lease to end."""

_LABELS: dict[Verdict, str] = {
    "pass": "pass",
    "warning": "warning",
    "problem": "problem",
    "not_checked": "not checked",
}


@dataclass(frozen=True, kw_only=True)
class EstimateOptions:
    """The tables, settings and circumstances of a copy to check or estimate.

    Parameters
    ----------
    copy
        The tables, as the flags name them.
    flags
        What the flags give of the settings and circumstances: see `planned.Planned`.
    format_
        ``"text"`` or ``"jsonl"``.
    """

    copy: CopyOptions
    flags: Mapping[str, Any]
    format_: str = "text"


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


def estimate(options: EstimateOptions) -> int:
    """Show what the copy takes; returns the exit code."""
    # What imports took before this line is nearly all that the process has computed.
    imports = time.process_time()
    source, destination, outputs = _sides(options.copy)
    _show_estimate(options, Planned.of(options.flags, outputs), source, destination, imports)
    return EXIT_OK


def preflight(options: EstimateOptions) -> int:
    """Check what prevents the copy; returns the exit code."""
    imports = time.process_time()
    source, destination, outputs = _sides(options.copy)
    planned = Planned.of(options.flags, outputs)
    checks = Checks(source, destination, planned.settings, outputs.get("event_source_mapping_uuid"))
    count: Counter[Verdict] = Counter()
    unanswered = 0
    style = Style(sys.stdout)
    for result in checks.run():
        count[result.result] += 1
        unanswered += result.is_unanswered
        _show(options, style, result)
    if checks.source_description is not None:
        for result in _expected(planned, checks, source, destination, imports):
            count[result.result] += 1
            _show(options, style, result)
    code = EXIT_DIFFERENT if count["problem"] else EXIT_OK
    steps = before_apply(
        problems=count["problem"], unanswered=bool(unanswered), applied=options.copy.from_terraform
    )
    if options.format_ == "jsonl":
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


def _show(options: EstimateOptions, style: Style, result: Result) -> None:
    if options.format_ == "jsonl":
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
    planned: Planned,
    checks: Checks,
    source: Side,
    destination: Side,
    imports: float,
) -> Iterator[Result]:
    description = checks.source_description
    assert description is not None
    settings = planned.settings
    expected = estimate_copy(description, checks.destination_description or _like(description), settings)
    bill = costs(expected, settings, planned.circumstances)
    yield Result("cost", "pass", f"{_money(sum(cost.cost for cost in bill), settings)} in total; {_HOW}")
    yield Result(
        "time", "pass", f"{duration_text(expected.seconds)} of copying; the limit is {expected.limit_reason}"
    )
    for check, advice in _advice(expected, planned):
        yield Result(check, "warning", advice)
    try:
        stop = _cutover(source, destination, description, checks.destination_description, settings, imports)
    except UserError as error:
        yield unanswered("cutover", error)
        return
    yield Result("cutover", "pass", _stop_text(stop))


_HOW = "tablecopy estimate lists each part"


def _show_estimate(
    options: EstimateOptions,
    planned: Planned,
    source: Side,
    destination: Side,
    imports: float,
) -> None:
    description, settings = _described(source), planned.settings
    if description is None:
        raise UserError(
            f"there is no table {source.table_name}. Check --source, --source-region and --source-profile",
            "source",
        )
    written = _destination_if_any(source, destination)
    expected = estimate_copy(description, written or _like(description), settings)
    bill = costs(expected, settings, planned.circumstances)
    in_account = estimate_verification(
        description,
        written or _like(description),
        planned.verification,
        settings.prices,
        nat=planned.circumstances.nat,
    )
    tracking = tracking_costs(
        replace(planned.circumstances, shards=planned.circumstances.shards or expected.shards),
        planned.verification.memory_mb,
        expected.bytes / max(1, expected.items),
        settings.prices,
    )
    advice = [text for _, text in _advice(expected, planned)]
    try:
        stop: Cutover | None = _cutover(source, destination, description, written, settings, imports)
        unknown = ""
    except UserError as error:
        stop, unknown = None, unanswered("cutover", error).message
    if options.format_ == "jsonl":
        print_json(
            {
                "type": "estimate",
                **expected.as_json(),
                "costs": [cost.as_json() for cost in bill],
                "total_cost": round(sum(cost.cost for cost in bill), 4),
                "advice": advice,
                "cutover": asdict(stop) if stop else None,
                "verification": in_account.as_json(),
                "tracking": [cost.as_json() for cost in tracking],
            }
        )
        return
    last = _stop_text(stop) if stop else f"not estimated: {escaped(unknown)}"
    shown = [
        *_lines(expected, bill, settings, advice),
        f"  cutover    {last}",
        *_verification_lines(in_account, settings),
        f"  tracking   {_money(sum(cost.cost for cost in tracking), settings)} a day from "
        "verify --in-account to the cutover",
    ]
    print(*wrapped(shown, sys.stdout), sep="\n")


def _advice(expected: Estimate, planned: Planned) -> Iterator[tuple[str, str]]:
    """Yield what the settings could do better: a check of preflight, and the text."""
    if expected.recommendation:
        yield "time", expected.recommendation.text
    window = window_advice(expected, planned.settings, planned.circumstances)
    if window:
        yield "cost", window
    memory = memory_advice(expected, planned.circumstances)
    if memory:
        yield "time", memory


def _lines(
    expected: Estimate, bill: list[Cost], settings: CopySettings, advice: Sequence[str]
) -> Iterator[str]:
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
    for text in advice:
        yield f"  advice     {escaped(text)}"
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


def _verification_lines(found: VerificationEstimate, settings: CopySettings) -> Iterator[str]:
    yield (
        f"  in account {duration_text(found.seconds)} and {_money(found.total_cost, settings)} for each "
        f"verify --in-account; the limit is {escaped(found.limit_reason)}"
    )
    if found.advice:
        yield f"  advice     {escaped(found.advice)}"


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
    copied = ("LocalSecondaryIndexes", "ProvisionedThroughput", "OnDemandThroughput")
    indexes = [
        # The new index has not grown with the source's traffic.
        {name: value for name, value in index.items() if name != "WarmThroughput"}
        for index in description.get("GlobalSecondaryIndexes") or []
    ]
    return {
        **{name: description[name] for name in copied if name in description},
        "GlobalSecondaryIndexes": indexes,
    }


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


def _sides(options: CopyOptions) -> tuple[Side, Side, Mapping[str, Any]]:
    """Return both sides, and Terraform's outputs if the copy is applied already."""
    outputs: Mapping[str, Any] = {}
    source = destination = None
    if options.from_terraform:
        copy = read_copy(options.from_terraform, options.copy)
        outputs, (source, destination) = copy.outputs, copy.sides()
    elif not options.source.table_name:
        raise UserError(
            "no table given. Pass --source TABLE, or --from-terraform DIR for a copy that is applied"
        )
    source = merge_side(options.source, source)
    destination = merge_side(options.destination, destination)
    if not destination.table_name:
        # As Terraform does without destination_table.name.
        assert source.table_name is not None
        destination = replace(destination, table_name=source.table_name.rpartition("/")[2])
    source, destination = located(source), located(destination)
    if not destination.region and not destination.profile:
        destination = replace(destination, region=source.region)
    return source, destination, outputs
