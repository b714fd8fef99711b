"""``verify`` and ``verify estimate``: connect, compare, print."""

from __future__ import annotations

import errno
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tablecopy.clock import Clock
from tablecopy_cli.advice import Situation, Step, next_steps
from tablecopy_cli.advice.commands import of_verify
from tablecopy_cli.common.control_function import ControlFunction
from tablecopy_cli.common.errors import EXIT_DIFFERENT, EXIT_OK, EXIT_UNSETTLED, UserError
from tablecopy_cli.common.files import check_outputs
from tablecopy_cli.common.options import command_line, complain
from tablecopy_cli.common.targets import Targets, targets_of
from tablecopy_cli.common.terminal import Progress, Style, print_json
from tablecopy_cli.common.text import wrapped
from verify.comparison.dead_letters import DeadLetters, lag_of, read_dead_letters, read_status
from verify.comparison.options import PLAN_LIMIT, Options
from verify.comparison.results import Comparison, Verdict
from verify.comparison.run import check_comparable, compare
from verify.estimate import default_processes, estimated
from verify.flags import CompareFlags
from verify.in_account import follow, result
from verify.repair.plan import Header, default_plan, write_plan
from verify.report.html import write_html
from verify.report.junit import write_junit
from verify.report.text import progress_text, text_report
from verify.scan.table import Filter, Table
from verify.scan.work import WorkDirectory, default_directory

# Flags of a comparison on one machine, with the fields of `CompareFlags` that hold them.
_ON_ONE_MACHINE = {
    "--ignore-attribute": "ignore_attribute",
    "--filter-expression": "filter_expression",
    "--sample": "sample",
    "--segment": "segment",
    "--processes": "processes",
    "--source-read-capacity": "source_read_capacity",
    "--destination-read-capacity": "destination_read_capacity",
    "--resume": "resume",
    "--show-values": "show_values",
}

_EXIT_CODES: dict[Verdict, int] = {
    "equal": EXIT_OK,
    "different": EXIT_DIFFERENT,
    "unsettled": EXIT_UNSETTLED,
    # It says nothing about the rest: a pipeline must not take it for equal.
    "sampled": EXIT_UNSETTLED,
}


def compare_tables(given: CompareFlags) -> int:
    """Compare both tables and print the result; returns the exit code."""
    options = options_of(given)
    check_outputs({"--html": given.html, "--junit": given.junit, "--repair-plan": given.repair_plan})
    if given.in_account:
        return _compare_in_account(given)
    targets, source, destination, options = _connect(given, options)
    dead_letters = read_dead_letters(targets.source, targets.control_function)
    if dead_letters.note:
        complain(dead_letters.note)
    base = given.work_dir or default_directory()
    try:
        work = WorkDirectory(base, options.identity(source, destination), resume=given.resume)
    except OSError as error:
        raise UserError(_disk_trouble(error, base)) from error
    try:
        comparison = _compared(source, destination, options, targets, dead_letters, work)
        steps = _planned(given, base, comparison, targets, source, destination)
        _write_files(given, comparison, steps, command_line())
        with _writing(given, "the result"):
            _print(given, comparison, steps)
            # What was read is kept until the result is delivered.
            sys.stdout.flush()
    except BaseException:
        work.release()
        raise
    work.remove()
    return _EXIT_CODES[comparison.verdict]


def _compare_in_account(given: CompareFlags) -> int:
    """Let the tables be compared in the source account, and print the result; returns the exit code."""
    targets = targets_of(given.copy)
    if targets.control_function is None:
        raise UserError("--in-account needs the copy's control function. Pass --control-function")
    source, destination = Table.connect(targets.source), Table.connect(targets.destination)
    check_comparable(source, destination)
    control = ControlFunction(targets.source, targets.control_function)
    if not given.report:
        status = control.verify(writes_stopped=given.writes_stopped)
        if given.detach:
            print(f"Verification {status['id']} runs in the account. To see its result: {_report_command()}")
            return EXIT_OK
    progress = Progress()
    try:
        status = follow(control, progress.update, Clock())
    except KeyboardInterrupt:
        progress.clear()
        complain(f"the comparison continues in the account. To see its result: {_report_command()}")
        raise
    finally:
        progress.clear()
    if status.get("audit"):
        raise UserError("the latest comparison in the account is an audit. Run tablecopy audit --report")
    dead_letters = read_dead_letters(targets.source, targets.control_function)
    if dead_letters.note:
        complain(dead_letters.note)
    with _writing(given, "the differences"):
        comparison = result(control, status, source, destination, dead_letters)
    steps = _planned(given, given.work_dir or default_directory(), comparison, targets, source, destination)
    _write_files(given, comparison, steps, command_line())
    _print(given, comparison, steps)
    return _EXIT_CODES[comparison.verdict]


def _report_command() -> str:
    """This command with --report, as it was called."""
    words = [word for word in command_line() if word != "--detach"]
    return shlex.join(words if "--report" in words else [*words, "--report"])


def estimate_comparison(given: CompareFlags) -> int:
    """Estimate what comparing both tables takes and print it; returns the exit code."""
    # What imports took before this line is nearly all that the process has computed.
    began = time.perf_counter() - time.process_time()
    _, source, destination, options = _connect(given, options_of(given))
    found = estimated(
        source,
        destination,
        options,
        price_per_million=given.price_per_million,
        start_up_seconds=time.perf_counter() - began,
    )
    if given.format_ == "jsonl":
        print_json(found.record())
    else:
        print(*wrapped(found.lines(), sys.stdout), sep="\n")
    return EXIT_OK


def options_of(given: CompareFlags) -> Options:
    """How to compare, as the flags say.

    Raises
    ------
    UserError
        Two flags exclude each other.
    """
    names, values = given.expression_attribute_names, given.expression_attribute_values
    if given.filter_expression is None and (names, values) != (None, None):
        raise UserError(
            "--expression-attribute-names and --expression-attribute-values need a --filter-expression"
        )
    if given.repair_plan and given.no_repair_plan:
        raise UserError("--repair-plan and --no-repair-plan exclude each other. Remove one of them")
    if given.repair_plan and given.ignore_attribute:
        raise UserError(
            "--repair-plan writes whole items, so it excludes --ignore-attribute. Remove one of them"
        )
    if not given.in_account and (given.detach or given.report):
        raise UserError("--detach and --report need --in-account")
    for flag, value in _ON_ONE_MACHINE.items():
        if given.in_account and getattr(given, value):
            raise UserError(
                f"{flag} is for a comparison on this machine, so it excludes --in-account. Remove it"
            )
    if given.sample is not None and given.segment:
        raise UserError("--segment and --sample exclude each other. Remove one of them")
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
        ignored=given.ignore_attribute,
        filter=restriction,
        sample=given.sample,
        chosen=_chosen(given.segment),
        for_repair=given.repair_plan is not None,
    )


def _chosen(given: Sequence[tuple[int, int]]) -> tuple[tuple[int, ...], int] | None:
    if not given:
        return None
    totals = {of for _, of in given}
    if len(totals) > 1:
        raise UserError(
            f"--segment names segments of {' and of '.join(str(of) for of in sorted(totals))}. All must have "
            "the same total"
        )
    return tuple(sorted({segment for segment, _ in given})), totals.pop()


def _connect(given: CompareFlags, options: Options) -> tuple[Targets, Table, Table, Options]:
    targets = targets_of(given.copy)
    source, destination = Table.connect(targets.source), Table.connect(targets.destination)
    check_comparable(source, destination)
    processes = given.processes or default_processes(source.size + destination.size)
    return targets, source, destination, options.over(processes)


def _compared(
    source: Table,
    destination: Table,
    options: Options,
    targets: Targets,
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
            lag=lag_of(targets.source, targets.control_function),
            work=work,
            on_progress=lambda state: progress.update(progress_text(state)),
        )
    except KeyboardInterrupt:
        progress.clear()
        complain("what was read is kept. To continue, run the same command with --resume")
        raise
    except UserError as error:
        if not error.resumable:
            raise
        raise UserError(
            f"{str(error).rstrip('.')}. What was read is kept: fix this and run the command again with "
            "--resume.",
            error.side,
        ) from error
    except OSError as error:
        raise UserError(_disk_trouble(error, work.path)) from error
    finally:
        progress.clear()


def _next_steps(
    given: CompareFlags, comparison: Comparison, targets: Targets, plan: Path | None
) -> list[Step]:
    too_many = plan is None and not given.no_repair_plan and comparison.differing > PLAN_LIMIT
    compared = comparison.compared(plan=str(plan) if plan else None, too_many=too_many)
    # What did not answer for the letters is not waited for again.
    run = None if compared.dead_letters is None else read_status(targets.source, targets.control_function)
    commands = of_verify(given.copy, targets.control_function, targets.commands)
    return next_steps(Situation(commands, run=run, compared=compared))


def _print(given: CompareFlags, comparison: Comparison, steps: Sequence[Step]) -> None:
    if given.format_ == "jsonl":
        for record in comparison.records(steps):
            print_json(record)
    else:
        report = text_report(comparison, Style(sys.stdout), given.limit, steps)
        for line in wrapped(report, sys.stdout):
            print(line)


def _write_files(
    given: CompareFlags, comparison: Comparison, steps: Sequence[Step], command: Sequence[str]
) -> None:
    if given.html:
        with _writing(given, f"{given.html} (--html)"):
            write_html(given.html, comparison, steps, command)
    if given.junit:
        with _writing(given, f"{given.junit} (--junit)"):
            write_junit(given.junit, comparison, steps)


def _planned(
    given: CompareFlags,
    base: Path,
    comparison: Comparison,
    targets: Targets,
    source: Table,
    destination: Table,
) -> list[Step]:
    """Write the repair plan if a flag or a next step names it; returns the next steps."""
    if given.repair_plan is not None:
        header = _write_plan(given, given.repair_plan, comparison, source, destination)
        return _next_steps(given, comparison, targets, given.repair_plan if header.total else None)
    plan = None if given.no_repair_plan else default_plan(base, comparison)
    steps = _next_steps(given, comparison, targets, plan)
    if plan is not None and any(str(plan) in shlex.split(step.command or "") for step in steps):
        with _writing(given, f"{plan.parent} (--work-dir)"):
            plan.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_plan(given, plan, comparison, source, destination)
    return steps


def _write_plan(
    given: CompareFlags, path: Path, comparison: Comparison, source: Table, destination: Table
) -> Header:
    with _writing(given, f"{path} (--repair-plan)"):
        return write_plan(
            path,
            comparison,
            source_table_id=source.identity.table_id,
            destination_table_id=destination.identity.table_id,
        )


@contextmanager
def _writing(given: CompareFlags, what: str) -> Iterator[None]:
    flag = "--report" if given.in_account else "--resume"
    hint = f"Nothing has to be read again: fix it or name another file, and continue with {flag}"
    try:
        yield
    except BrokenPipeError:
        # The reader closed the pipe.
        raise
    except OSError as error:
        raise UserError(f"cannot write {what}: {error.strerror or error}. {hint}") from error
    except UserError as error:
        raise UserError(f"{str(error).rstrip('.')}. {hint}") from error


def _disk_trouble(error: OSError, directory: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return (
            f"no space left in {directory} ({error.strerror}). Free some space and continue with --resume, "
            "or start again in another directory with --work-dir"
        )
    return f"cannot work in {directory}: {error.strerror or error}. Name another directory with --work-dir"
