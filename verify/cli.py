"""The command line: parse, compare, print."""

from __future__ import annotations

import argparse
import errno
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tablecopy_cli.advice import Situation, Step, next_steps
from tablecopy_cli.advice.commands import of_verify
from tablecopy_cli.common.errors import EXIT_DIFFERENT, EXIT_OK, EXIT_UNSETTLED, UserError, run
from tablecopy_cli.common.files import check_outputs
from tablecopy_cli.common.terminal import Progress, Style, print_json
from tablecopy_cli.common.text import escaped, wrapped
from verify.comparison.dead_letters import DeadLetters, lag_of, read_dead_letters, read_status
from verify.comparison.options import Options
from verify.comparison.results import Comparison, Verdict
from verify.comparison.run import check_comparable, compare
from verify.estimate import default_processes, estimated
from verify.flags import options_of, parser
from verify.repair import cli as repair_cli
from verify.repair.plan import UNASKED, Header, default_plan, write_plan
from verify.report.html import write_html
from verify.report.junit import write_junit
from verify.report.text import progress_text, text_report
from verify.scan.table import Table
from verify.scan.work import WorkDirectory, default_directory
from verify.targets import Places, places_of

_EXIT_CODES: dict[Verdict, int] = {
    "equal": EXIT_OK,
    "different": EXIT_DIFFERENT,
    "unsettled": EXIT_UNSETTLED,
    # It says nothing about the rest: a pipeline must not take it for equal.
    "sampled": EXIT_UNSETTLED,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; see ``verify --help``.

    Returns
    -------
    int
        0 equal, 1 different, 2 trouble, 3 not settled, 130 interrupted.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["repair"]:
        return repair_cli.main(arguments[1:])
    return run("verify", _verify, arguments)


def _verify(arguments: Sequence[str]) -> int:
    # What imports took before this line is nearly all that the process has computed.
    began = time.perf_counter() - time.process_time()
    flags = parser()
    # Not an argument of the parser: it would take what follows a misspelled flag for it.
    estimating = arguments[:1] == ["estimate"]
    given = flags.parse_args(arguments[1:] if estimating else arguments)
    options = options_of(flags, given)
    check_outputs({"--html": given.html, "--junit": given.junit, "--repair-plan": given.repair_plan})
    places = places_of(flags, given)
    source, destination = Table.connect(places.source), Table.connect(places.destination)
    check_comparable(source, destination)
    processes = given.processes or default_processes(source.size + destination.size)
    if estimating:
        return _estimate(source, destination, options.over(processes), given, time.perf_counter() - began)
    dead_letters = read_dead_letters(places.source, places.control_function)
    if dead_letters.note:
        print(f"verify: {escaped(dead_letters.note)}", file=sys.stderr)
    base = given.work_dir or default_directory()
    try:
        work = WorkDirectory(base, options.identity(source, destination), resume=given.resume)
    except OSError as error:
        raise UserError(_disk_trouble(error, base)) from error
    try:
        comparison = _compared(source, destination, options.over(processes), places, dead_letters, work)
        steps = _planned(given, base, comparison, places, source, destination)
        _write_files(given, comparison, steps, ["verify", *arguments])
        with _writing("the result"):
            _print(given, comparison, steps)
            # Not before it has been delivered is what it was made of given up.
            sys.stdout.flush()
    except BaseException:
        work.release()
        raise
    work.remove()
    return _EXIT_CODES[comparison.verdict]


def _compared(
    source: Table,
    destination: Table,
    options: Options,
    places: Places,
    dead_letters: DeadLetters,
    work: WorkDirectory,
) -> Comparison:
    progress = Progress()
    try:
        return compare(
            source,
            destination,
            options,
            dead_letters=dead_letters,
            lag=lag_of(places.source, places.control_function),
            work=work,
            on_progress=lambda state: progress.update(progress_text(state)),
        )
    except KeyboardInterrupt:
        progress.clear()
        print("verify: what was read is kept; the same command with --resume goes on", file=sys.stderr)
        raise
    except UserError as error:
        if not error.resumable:
            raise
        raise UserError(
            f"{str(error).rstrip('.')}. What was read is kept: fix this and run it again with --resume.",
            error.side,
        ) from error
    except OSError as error:
        raise UserError(_disk_trouble(error, work.path)) from error
    finally:
        progress.clear()


def _next_steps(
    given: argparse.Namespace, comparison: Comparison, places: Places, plan: Path | None
) -> list[Step]:
    too_many = plan is None and not given.no_repair_plan and comparison.differing > UNASKED
    compared = comparison.compared(plan=str(plan) if plan else None, too_many=too_many)
    # What did not answer for the letters is not waited for again.
    run = None if compared.dead_letters is None else read_status(places.source, places.control_function)
    commands = of_verify(given, places.control_function, places.commands)
    return next_steps(Situation(commands, run=run, compared=compared))


def _print(given: argparse.Namespace, comparison: Comparison, steps: Sequence[Step]) -> None:
    if given.format == "jsonl":
        for record in comparison.records(steps):
            print_json(record)
    else:
        report = text_report(comparison, Style(sys.stdout), given.limit, steps)
        for line in wrapped(report, sys.stdout):
            print(line)


def _write_files(
    given: argparse.Namespace, comparison: Comparison, steps: Sequence[Step], command: Sequence[str]
) -> None:
    if given.html:
        with _writing(f"{given.html} (--html)"):
            write_html(given.html, comparison, steps, command)
    if given.junit:
        with _writing(f"{given.junit} (--junit)"):
            write_junit(given.junit, comparison, steps)


def _planned(
    given: argparse.Namespace,
    base: Path,
    comparison: Comparison,
    places: Places,
    source: Table,
    destination: Table,
) -> list[Step]:
    """Write the repair plan if it was asked for, or if a next step uses it; returns the next steps."""
    if given.repair_plan is not None:
        header = _write_plan(given.repair_plan, comparison, source, destination)
        return _next_steps(given, comparison, places, given.repair_plan if header.total else None)
    plan = None if given.no_repair_plan else default_plan(base, comparison)
    steps = _next_steps(given, comparison, places, plan)
    if plan is not None and any(str(plan) in shlex.split(step.command or "") for step in steps):
        with _writing(f"{plan.parent} (--work-dir)"):
            plan.parent.mkdir(mode=0o700, exist_ok=True)
        _write_plan(plan, comparison, source, destination)
    return steps


def _write_plan(path: Path, comparison: Comparison, source: Table, destination: Table) -> Header:
    with _writing(f"{path} (--repair-plan)"):
        return write_plan(
            path,
            comparison,
            source_table_id=source.identity.table_id,
            destination_table_id=destination.identity.table_id,
        )


@contextmanager
def _writing(what: str) -> Iterator[None]:
    hint = "nothing has to be read again: fix it, or name another file, and continue with --resume"
    try:
        yield
    except BrokenPipeError:
        # Whoever reads has gone, and knows.
        raise
    except OSError as error:
        raise UserError(f"cannot write {what}: {error.strerror or error}; {hint}") from error
    except UserError as error:
        raise UserError(f"{error}; {hint}") from error


def _estimate(
    source: Table, destination: Table, options: Options, given: argparse.Namespace, start_up: float
) -> int:
    found = estimated(
        source, destination, options, price_per_million=given.price_per_million, start_up_seconds=start_up
    )
    if given.format == "jsonl":
        print_json(found.record())
    else:
        print(*wrapped(found.lines(), sys.stdout), sep="\n")
    return EXIT_OK


def _disk_trouble(error: OSError, directory: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return (
            f"no space left in {directory} ({error.strerror}); free some and go on with --resume, "
            "or begin again in another directory with --work-dir"
        )
    return f"cannot work in {directory}: {error.strerror or error}; name another directory with --work-dir"
