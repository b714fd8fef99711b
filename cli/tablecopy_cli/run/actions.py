"""What the commands of ``tablecopy`` do with a run: start, show, watch, redrive and seal it."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TextIO

from tablecopy.clock import Clock
from tablecopy.control.status import Status
from tablecopy.journal.run import Phase
from tablecopy.text import duration_text
from tablecopy_cli.advice import Situation, Step, fix_dead_letters, next_steps, phase_text, step_lines
from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.control_function import ControlFunction
from tablecopy_cli.common.errors import EXIT_DIFFERENT, EXIT_ERROR, EXIT_OK, UserError
from tablecopy_cli.common.options import CopyOptions
from tablecopy_cli.common.terminal import Progress, Style, print_json
from tablecopy_cli.common.text import escaped, wrapped
from tablecopy_cli.run.copies import Row, Target, console_of, table_of, target_of, targets_of
from tablecopy_cli.run.live_view import view_of
from tablecopy_cli.run.status_text import (
    Outcome,
    dead_letter_lines,
    dead_letter_records,
    lacks_changes,
    redrive_line,
    state_lines,
    status_lines,
)
from tablecopy_cli.run.watch import RunWatcher, Watched

# Preflight takes a few seconds, and up to a minute longer if the schedule has to call the reconciler.
PREFLIGHT_SECONDS = 90.0
# Sealing waits for the replicator's leases, which live as long as its function may run.
SEAL_SECONDS = 300.0
_POLL_SECONDS = 1.0
_AT_THE_SAME_TIME = 8
_ANSWER = "yes"
_DISABLED = "To copy again, set enabled = true and run terraform apply."


def start(copy: CopyOptions, format_: str, clock: Clock) -> int:
    """Start the run or continue a stopped one, and show it after preflight. Returns the exit code."""
    target = target_of(copy)
    return _shown(target, started(target.connect(), clock), format_)


def redrive(copy: CopyOptions, format_: str) -> int:
    """Request that the dead letters are retried. Returns the exit code."""
    target = target_of(copy)
    status = target.connect().redrive()
    return _shown(target, status, format_, redrive_line(status))


def seal(copy: CopyOptions, yes: bool, format_: str, clock: Clock) -> int:
    """Ask for confirmation, seal, and wait for the end. Returns the exit code."""
    check_answerable(yes, sys.stdin)
    target = target_of(copy)
    function = target.connect()
    status = None if yes else confirmed(function, target)
    if status is None or status["phase"] != Phase.SEALED:
        status = sealed(function, clock)
    code = _shown(target, status, format_)
    return EXIT_DIFFERENT if lacks_changes(status) else code


def dead_letters(copy: CopyOptions, show_values: bool, format_: str) -> int:
    """List the dead letters. Returns the exit code."""
    target = target_of(copy)
    count, found = target.connect().letters(values=show_values)
    if format_ == "jsonl":
        for record in dead_letter_records(count, found):
            print_json(record)
        return EXIT_OK
    style = Style(sys.stdout)
    steps = ["", *step_lines(fix_dead_letters(target.commands), style)] if count else []
    print(*wrapped([*dead_letter_lines(count, found, style), *steps], sys.stdout), sep="\n")
    return EXIT_OK


def status(copy: CopyOptions, format_: str) -> int:
    """Show one run, or all runs of a Terraform state in a table. Returns the exit code."""
    targets = targets_of(copy)
    if len(targets) == 1:
        return _shown(targets[0], targets[0].connect().status(), format_)
    with ThreadPoolExecutor(_AT_THE_SAME_TIME) as pool:
        rows = list(pool.map(_row, targets))
    failed = [row for row, target in zip(rows, targets, strict=True) if not row.status and target.function]
    if format_ == "jsonl":
        for row, target in zip(rows, targets, strict=True):
            print_json(_record(target, row))
    else:
        _print_table(rows, targets)
    return EXIT_ERROR if failed else EXIT_OK


@dataclass(frozen=True)
class WatchOptions:
    """How to watch a run.

    Parameters
    ----------
    until
        Phase to wait for; one of `UNTIL`.
    interval
        Seconds between two status calls.
    timeout
        Seconds to give up after.
    format_
        ``"text"`` or ``"jsonl"``.
    """

    until: str = "ready"
    interval: float = 5.0
    timeout: float = math.inf
    format_: str = "text"


def watch(copy: CopyOptions, options: WatchOptions, clock: Clock) -> int:
    """Watch one run, or all runs of a Terraform state, and print how that ended. Returns the exit code.

    With several runs that is the worst of their exit codes.
    """
    targets = targets_of(copy)
    enabled = {target.name: target for target in targets if target.function}
    if not enabled:
        raise UserError("every copy is disabled, so there is no run to watch")
    began = clock.now()
    with view_of(options.format_, clock, list(enabled)) as view:
        connect = {name: target.connect for name, target in enabled.items()}
        ended = RunWatcher(connect, view, clock, options.interval, options.timeout).until(options.until)
    seconds = round(clock.now() - began, 3)
    code = min((each.outcome for each in ended), key=list(Outcome).index).exit_code
    if options.format_ == "jsonl":
        for each in ended:
            print_json(_summary(enabled[each.copy], each, options, seconds))
    elif len(ended) == 1 == len(targets) and ended[0].snapshot:
        [target] = targets
        print(*wrapped(_end(target, ended[0], options), sys.stdout), sep="\n")
    else:
        found = {each.copy: each for each in ended}
        rows = [_ended_row(target, found.get(target.name)) for target in targets]
        _print_table(rows, targets)
        late = [str(each.copy) for each in ended if each.outcome is Outcome.TIMED_OUT]
        if late:
            waited = duration_text(options.timeout)
            print(f"Not {options.until} within {waited}: {', '.join(late)}. The runs continue.")
    return code


def _shown(target: Target, status: Status, format_: str, first: str = "") -> int:
    steps = next_steps(Situation(target.commands, run=status))
    if format_ == "jsonl":
        print_json(target.record("status", {**status, "next": [step.record() for step in steps]}))
    else:
        lines = [*([first] if first else []), *status_lines(status, steps, Style(sys.stdout))]
        print(*wrapped(lines, sys.stdout), sep="\n")
    return EXIT_OK


# Several copies


def _row(target: Target) -> Row:
    name = target.name or ""
    if target.function is None:
        return Row(name, note=_DISABLED, phase="disabled")
    try:
        return Row(name, target.connect().status())
    except UserError as error:
        return Row(name, note=str(error))


def _ended_row(target: Target, ended: Watched | None) -> Row:
    if ended is None:
        return Row(target.name or "", note=_DISABLED, phase="disabled")
    return Row(target.name or "", ended.snapshot.status if ended.snapshot else None, ended.error)


def _record(target: Target, row: Row) -> dict[str, Any]:
    if row.status is None:
        return target.record("error" if target.function else "disabled", {"message": row.note})
    steps = next_steps(Situation(target.commands, run=row.status))
    return target.record("status", {**row.status, "next": [step.record() for step in steps]})


def _print_table(rows: Sequence[Row], targets: Sequence[Target]) -> None:
    console_of(sys.stdout).print(table_of(rows))
    example = next(target for target in targets if target.name is not None)
    print("\nFor the details of one copy, run:", f"  {example.commands.tablecopy('status')}", sep="\n")


# The end of a watch


def _end(target: Target, ended: Watched, options: WatchOptions) -> Iterator[str]:
    assert ended.snapshot is not None
    run, style = ended.snapshot.status, Style(sys.stdout)
    yield from state_lines(run, style)
    if ended.outcome is Outcome.TIMED_OUT:
        waited = duration_text(options.timeout)
        yield style.yellow("  gave up    ") + f"not {options.until} within {waited}; the run continues"
    yield ""
    yield from step_lines(_next(target, run), style)


def _summary(target: Target, ended: Watched, options: WatchOptions, seconds: float) -> dict[str, Any]:
    run = ended.snapshot.status if ended.snapshot else None
    known = run is not None and run["phase"] != "none"
    return target.record(
        "summary",
        {
            "outcome": ended.outcome.word,
            "exit_code": ended.outcome.exit_code,
            "until": options.until,
            "phase": run["phase"] if run else None,
            "reason": ended.error or (run["reason"] if run and known else ""),
            "dead_letters": run["dead_letters"] if run and known else 0,
            "seconds": seconds,
            "next": [step.record() for step in _next(target, run)],
        },
    )


def _next(target: Target, run: Status | None) -> list[Step]:
    return next_steps(Situation(target.commands, run=run))


# Start and seal


def started(function: ControlFunction, clock: Clock) -> Status:
    """Start the run, and return when preflight has found problems, or that there are none.

    If preflight has no result after `PREFLIGHT_SECONDS`, a line on stderr reports it.

    Raises
    ------
    UserError
        The run cannot be started.
    """
    run = function.start()
    progress = Progress()
    give_up = clock.now() + PREFLIGHT_SECONDS
    while run["phase"] == Phase.PREFLIGHT and not run["checked"]:
        if clock.now() > give_up:
            progress.clear()
            print(
                f"The run has started, but preflight has no result after {PREFLIGHT_SECONDS:.0f} s. "
                "Run tablecopy status in a minute. The reconciler's log group has its errors.",
                file=sys.stderr,
            )
            return run
        progress.update("preflight: checking both tables ...")
        clock.sleep(_POLL_SECONDS)
        run = function.status()
    progress.clear()
    return run


def check_answerable(yes: bool, stream: TextIO) -> None:
    """Raise `UserError` if the seal needs a confirmation and ``stream`` is not a terminal."""
    if not yes and not stream.isatty():
        raise UserError(
            "seal cannot be undone and asks for confirmation, but there is no terminal. "
            "Pass --yes to seal without a question"
        )


def confirmed(function: ControlFunction, target: Target) -> Status | None:
    """Print on stderr what the seal does, and ask for it on stdin.

    Returns
    -------
    dict or None
        The status of a run that is sealing or sealed, which needs no question; otherwise ``None``.

    Raises
    ------
    UserError
        The run cannot be sealed, or the answer is not ``yes``.
    """
    run = function.status()
    if run["phase"] in {Phase.SEALING, Phase.SEALED}:
        return run
    if run["phase"] != Phase.READY:
        raise UserError(_not_yet(run))
    print(*wrapped(question_lines(target), sys.stderr), sep="\n", file=sys.stderr)
    print(f"Type {_ANSWER} to seal: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() != _ANSWER:
        raise UserError(f"not sealed: the answer was not {_ANSWER}")
    return None


def question_lines(target: Target) -> Iterator[str]:
    """Yield what the seal does, for the question."""
    if target.copy is None:
        yield f"This ends the copy of the control function {escaped(target.function or '')}."
    else:
        source, destination = (_location(side) for side in target.copy.sides())
        yield "This ends the copy"
        yield f"  from  {source}"
        yield f"  to    {destination}"
    yield "Later writes to the source table are not copied. A seal cannot be undone."
    yield "Stop the writers and run verify --writes-stopped first."


def sealed(function: ControlFunction, clock: Clock) -> Status:
    """Seal, and return when the copy can write nothing more.

    Raises
    ------
    UserError
        The run cannot be sealed, a change arrived first, or it takes too long.
    """
    run = function.seal()
    progress = Progress()
    give_up = clock.now() + SEAL_SECONDS
    while run["phase"] != Phase.SEALED:
        if run["phase"] not in {Phase.READY, Phase.SEALING}:
            raise UserError(f"not sealed: the run is {phase_text(run)} again: {run['reason']}")
        if clock.now() > give_up:
            raise UserError(
                f"not sealed after {duration_text(SEAL_SECONDS)}, still {phase_text(run)}. "
                "Control continues. Run tablecopy watch --until sealed"
            )
        progress.update(f"{phase_text(run)} ...")
        clock.sleep(_POLL_SECONDS)
        run = function.status()
    progress.clear()
    return run


def _not_yet(run: Status) -> str:
    phase = run["phase"]
    if phase == "none":
        return "cannot seal: there is no run. Run tablecopy start"
    if phase == Phase.STOPPED:
        return f"cannot seal: the run has stopped: {run['reason'] or 'no reason given'}"
    if run["segments_done"] < run["segments"]:
        done = f"{run['segments_done']} of {run['segments']} segments"
        return f"cannot seal yet: still copying ({done}). Run tablecopy watch"
    why = f" ({run['reason']})" if run["reason"] else ""
    return f"cannot seal yet: the run is {phase_text(run)}, not ready for cutover{why}. Run tablecopy watch"


def _location(side: Side) -> str:
    where = ", ".join(
        f"{label} {value}"
        for label, value in (("region", side.region), ("profile", side.profile), ("role", side.role_arn))
        if value
    )
    return escaped(f"{side.table_name}" + (f" ({where})" if where else ""))
