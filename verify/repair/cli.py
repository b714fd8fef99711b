"""``verify repair``: the command line of the repair."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence

from tablecopy_cli.advice import Commands, Situation, Step, next_steps, proof_text
from tablecopy_cli.advice.commands import of_verify
from tablecopy_cli.common.control_function import ControlFunction
from tablecopy_cli.common.errors import EXIT_UNSETTLED, UserError, run
from tablecopy_cli.common.options import add_output_options
from tablecopy_cli.common.terminal import Progress, Style, print_json
from tablecopy_cli.common.text import escaped, wrapped
from verify.flags import add_limit_option
from verify.repair.apply import THREADS, Outcome, Repair
from verify.repair.guard import ControlGuard, Guard, SourceGuard, StateChanged
from verify.repair.live_table import LiveTable, check_repairable
from verify.repair.output import Summary, TextReport, progress_text
from verify.repair.plan import Plan, read_plan
from verify.targets import Places, add_place_options, places_of

PROGRAM = "verify repair"

_EPILOG = """\
Without --apply nothing is written. With neither --source nor --destination, both tables and the control
function are read from the Terraform outputs of --from-terraform DIR or, without it, of the current directory.

exit codes: 0 every action is done (or would be), 2 trouble, 3 something has changed (verify again),
130 interrupted

example:
  verify repair plan.jsonl --from-terraform infra --writes-stopped --apply
"""


def main(argv: Sequence[str] | None = None, *, pause: Callable[[float], None] = time.sleep) -> int:
    """Run ``verify repair``.

    Parameters
    ----------
    argv
        Arguments after the word ``repair``.
    pause
        Waits that many seconds.

    Returns
    -------
    int
        0 done, 2 trouble, 3 something has changed, 130 interrupted.
    """
    return run(PROGRAM, lambda arguments: _repair(arguments, pause), argv)


def parser() -> argparse.ArgumentParser:
    """Build the parser of the command line."""
    result = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Apply a plan that verify wrote: make the destination equal to the source.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        # An abbreviation that works today could mean two flags tomorrow.
        allow_abbrev=False,
    )
    result.add_argument("plan", metavar="FILE", help="the plan")
    result.add_argument("--apply", action="store_true", help="write; without it, show what would be done")
    result.add_argument(
        "--writes-stopped",
        action="store_true",
        help="nothing but repairs has written to either table since the comparison, or does so now",
    )
    add_limit_option(result)
    add_output_options(result)
    add_place_options(result, "which says whether the replicator is held")
    return result


def _repair(arguments: Sequence[str], pause: Callable[[float], None]) -> int:
    flags = parser()
    options = flags.parse_args(arguments)
    with read_plan(options.plan) as plan:
        places = places_of(flags, options)
        source = LiveTable.connect(places.source, connections=THREADS)
        destination = LiveTable.connect(places.destination, connections=THREADS)
        _check_tables(plan, source, destination)
        repair = Repair(source, destination, write=options.apply)
        guard = _guard(places, plan, repair, options.writes_stopped, pause)
        if options.apply:
            print(f"{PROGRAM}: making sure that nothing else writes (up to two minutes) ...", file=sys.stderr)
            try:
                guard.before()
            except StateChanged as moved:
                reason = escaped(str(moved))
                print(f"{PROGRAM}: nothing was written: {reason}; verify again", file=sys.stderr)
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
        commands = of_verify(options, places.control_function, places.commands)
        return _go(plan, repair, guard, summary, commands, options)


def _go(
    plan: Plan,
    repair: Repair,
    guard: Guard,
    summary: Summary,
    commands: Commands,
    options: argparse.Namespace,
) -> int:
    report = None if options.format == "jsonl" else TextReport(options.limit)
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
        print(f"{PROGRAM}: note: --apply would be refused now: {escaped(str(error))}", file=sys.stderr)
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
            raise UserError(f"{side}: the plan is for {arn}, not for {table.identity.arn}", side)
        if table.identity.table_id != table_id:
            raise UserError(
                f"{side}: {arn} was deleted and made again since the plan was written; verify again", side
            )


def _guard(
    places: Places, plan: Plan, repair: Repair, writes_stopped: bool, pause: Callable[[float], None]
) -> Guard:
    if places.control_function:
        function = ControlFunction(places.source, places.control_function)
        return ControlGuard(function, writes_stopped=writes_stopped, pause=pause)
    return SourceGuard(
        lambda: repair.changed_at_source(plan.actions()), writes_stopped=writes_stopped, pause=pause
    )
