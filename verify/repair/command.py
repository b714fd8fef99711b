"""``verify repair``: check the plan, apply it, print what was done."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from tablecopy_cli.advice import Commands, Situation, Step, next_steps, proof_text
from tablecopy_cli.advice.commands import of_verify
from tablecopy_cli.common.control_function import ControlFunction
from tablecopy_cli.common.errors import EXIT_UNSETTLED, UserError
from tablecopy_cli.common.options import CopyOptions, complain
from tablecopy_cli.common.targets import Targets, targets_of
from tablecopy_cli.common.terminal import Progress, Style, print_json
from tablecopy_cli.common.text import wrapped
from verify.repair.apply import THREADS, Outcome, Repair
from verify.repair.guard import ControlGuard, Guard, SourceGuard, StateChanged
from verify.repair.live_table import LiveTable, check_repairable
from verify.repair.output import Summary, TextReport, progress_text
from verify.repair.plan import Plan, read_plan


@dataclass(frozen=True, kw_only=True)
class RepairOptions:
    """What to repair, and how.

    Parameters
    ----------
    plan
        Path of the plan.
    apply
        Whether to write; otherwise only what would be done is shown.
    writes_stopped
        Whether only repairs write to either table.
    limit
        Items to list in each group, 0 for all.
    copy
        The tables and the control function.
    format_
        ``"text"`` or ``"jsonl"``.
    """

    plan: str
    apply: bool = False
    writes_stopped: bool = False
    limit: int = 20
    copy: CopyOptions
    format_: str = "text"


def repair(options: RepairOptions, *, pause: Callable[[float], None] = time.sleep) -> int:
    """Apply a plan, or show what it would do; returns the exit code.

    Parameters
    ----------
    options
        What to repair, and how.
    pause
        Waits that many seconds.
    """
    with read_plan(options.plan) as plan:
        targets = targets_of(options.copy)
        source = LiveTable.connect(targets.source, connections=THREADS)
        destination = LiveTable.connect(targets.destination, connections=THREADS)
        _check_tables(plan, source, destination)
        repair = Repair(source, destination, write=options.apply)
        guard = _guard(targets, plan, repair, options.writes_stopped, pause)
        if options.apply:
            complain("checking that nothing else writes (up to two minutes) ...")
            try:
                guard.before()
            except StateChanged as moved:
                complain(f"nothing was written: {moved}. Verify again")
                return EXIT_UNSETTLED
            # Making sure takes minutes, in which a table can be replaced.
            source.check_identity()
            destination.check_identity()
        obstacle = None if options.apply else _obstacle(guard)
        summary = Summary(
            plan.header,
            applied=options.apply,
            plan=options.plan,
            writes_stopped=options.writes_stopped,
            obstacle=obstacle,
        )
        commands = of_verify(options.copy, targets.control_function, targets.commands)
        return _go(plan, repair, guard, summary, commands, options)


def _go(
    plan: Plan,
    repair: Repair,
    guard: Guard,
    summary: Summary,
    commands: Commands,
    options: RepairOptions,
) -> int:
    report = None if options.format_ == "jsonl" else TextReport(options.limit)
    progress = Progress()
    try:
        for outcome in repair.outcomes(plan.actions()):
            summary.counts[outcome.result] += 1
            _tell(outcome, report)
            progress.update(progress_text(summary))
        if options.apply:
            summary.unequal = 0
        if summary.counts["done"]:
            progress.update("checking the repaired items")
            summary.unequal = sum(repair.unequal(plan.actions()))
            progress.update("checking that nothing else has written")
            try:
                guard.after()
            except StateChanged as moved:
                summary.moved = str(moved)
    except BaseException:
        # What was written so far is worth knowing, all the more when something went wrong.
        progress.clear()
        summary.whole = False
        if report:
            _print_report(report, summary, guard, commands)
        raise
    progress.clear()
    if report:
        _print_report(report, summary, guard, commands)
    else:
        print_json({**summary.record(), "next": [step.record() for step in _steps(summary, guard, commands)]})
    return summary.exit_code


def _steps(summary: Summary, guard: Guard, commands: Commands) -> list[Step]:
    return next_steps(Situation(commands, run=guard.run, repaired=summary.repaired()))


def _tell(outcome: Outcome, report: TextReport | None) -> None:
    if report:
        report.add(outcome)
    else:
        print_json(outcome.record())
        # What was written has to be on record even if this process is killed next.
        sys.stdout.flush()


def _print_report(report: TextReport, summary: Summary, guard: Guard, commands: Commands) -> None:
    proof = proof_text(summary.repaired(), guard.run)
    lines = report.lines(summary, Style(sys.stdout), _steps(summary, guard, commands), proof)
    for line in wrapped(lines, sys.stdout):
        print(line)


def _obstacle(guard: Guard) -> str | None:
    """Why ``--apply`` would be refused now; also a note on stderr. ``None`` if it would not be."""
    try:
        guard.look()
    except (UserError, StateChanged) as error:
        complain(f"note: --apply would be refused now: {error}")
        return str(error)
    return None


def _check_tables(plan: Plan, source: LiveTable, destination: LiveTable) -> None:
    header = plan.header
    check_repairable(source, destination)
    for table, arn, table_id in (
        (source, header.source, header.source_table_id),
        (destination, header.destination, header.destination_table_id),
    ):
        side = table.side.name
        if table.identity.arn != arn:
            raise UserError(
                f"{side}: the plan is for {arn}, not for {table.identity.arn}. Correct --{side}", side
            )
        if table.identity.table_id != table_id:
            raise UserError(
                f"{side}: {arn} was deleted and created again since the plan was written. Verify again", side
            )


def _guard(
    targets: Targets, plan: Plan, repair: Repair, writes_stopped: bool, pause: Callable[[float], None]
) -> Guard:
    if targets.control_function:
        function = ControlFunction(targets.source, targets.control_function)
        return ControlGuard(function, writes_stopped=writes_stopped, pause=pause)
    return SourceGuard(
        lambda: repair.changed_at_source(plan.actions()), writes_stopped=writes_stopped, pause=pause
    )
