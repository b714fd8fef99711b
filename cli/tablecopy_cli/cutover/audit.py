"""``tablecopy audit``: has both tables scanned after a cutover, while the new writers work."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tablecopy.clock import Clock
from tablecopy.comparison.differences import Difference
from tablecopy.control.status import VerificationStatus
from tablecopy.text import count_text, duration_text, timestamp
from tablecopy_cli.advice import step_lines
from tablecopy_cli.advice.commands import Step, tablecopy_step
from tablecopy_cli.common.control_function import ControlFunction
from tablecopy_cli.common.errors import EXIT_DIFFERENT, EXIT_OK, UserError
from tablecopy_cli.common.items import key_text
from tablecopy_cli.common.options import CopyOptions
from tablecopy_cli.common.terminal import Progress, Style, print_json
from tablecopy_cli.common.text import wrapped
from tablecopy_cli.run.copies import Target, target_of
from verify.in_account import follow

_SHOW = "audit", "--report"


@dataclass(frozen=True)
class AuditOptions:
    """How to audit.

    Parameters
    ----------
    detach
        Whether to only start it.
    report
        Whether to start nothing, and report on the latest audit.
    limit
        Differences to list in the text output; 0 for all.
    """

    detach: bool
    report: bool
    limit: int
    format_: str


def audit(copy: CopyOptions, options: AuditOptions, clock: Clock) -> int:
    """Audit the sealed copy. Returns the exit code (docs/commands.md).

    Raises
    ------
    UserError
        The run cannot be audited, the audit has failed, or control does not answer.
    """
    if options.detach and options.report:
        raise UserError("--detach and --report exclude each other. Remove one of them")
    target = target_of(copy)
    function = target.connect()
    show = target.commands.tablecopy(*_SHOW) or "tablecopy audit --report"
    if not options.report:
        begun = function.audit()
        if options.detach:
            print(f"Audit {begun['id']} runs in the account. To see its result: {show}")
            return EXIT_OK
    elif not function.verification().get("audit"):
        raise UserError("the latest comparison in the account is not an audit. Run tablecopy audit")
    status = _followed(function, clock, show)
    return _end(target, function, status, options)


def _followed(function: ControlFunction, clock: Clock, show: str) -> VerificationStatus:
    progress = Progress()
    try:
        return follow(function, progress.update, clock, what="audit", command="tablecopy audit")
    except KeyboardInterrupt:
        progress.clear()
        print(f"The audit continues in the account. To see its result: {show}", file=sys.stderr)
        raise
    finally:
        progress.clear()


def _end(target: Target, function: ControlFunction, status: VerificationStatus, options: AuditOptions) -> int:
    """Print the verdict and what differs, and return the exit code."""
    if not status.get("audit"):
        raise UserError("another comparison was started in the account. Run tablecopy audit again")
    code = EXIT_OK if status["verdict"] == "equal" else EXIT_DIFFERENT
    differences = _listed(function)
    steps = list(_next(target, code))
    if options.format_ == "jsonl":
        for each in differences:
            print_json(target.record("difference", each.record()))
        next_ = [step.record() for step in steps]
        print_json(target.record("summary", {**status, "exit_code": code, "next": next_}))
        return code
    style = Style(sys.stdout)
    lines = [*_verdict(status, style), *_differing(status, differences, options.limit)]
    print(*wrapped([*lines, *(["", *step_lines(steps, style)] if steps else [])], sys.stdout), sep="\n")
    return code


def _listed(function: ControlFunction) -> Iterator[Difference]:
    page = function.differences()
    while True:
        yield from (difference for difference, _ in page.found)
        if page.following is None:
            return
        page = function.differences(page.following)


def _verdict(status: VerificationStatus, style: Style) -> Iterator[str]:
    seconds = duration_text(status["ended"] - status["began"])
    if status["verdict"] == "equal":
        yield style.green("Equal (audited)") + f": at the seal, all {status['source_items']:,} items matched."
    else:
        kinds = {kind: status[kind] for kind in ("missing", "changed", "extra")}
        found = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items() if count)
        yield style.red("Different (audited)") + f": at the seal, {found}."
    yield (
        f"Scanned both tables and read the destination's stream since {timestamp(status['audit']['since'])}, "
        f"in {seconds}. {count_text(status['differing'], 'key')} differed in the scans and were judged by "
        "what the destination held at the seal."
    )
    if status["expired"]:
        yield f"Not counted: {count_text(status['expired'], 'expired item')} on one side only."


def _differing(status: VerificationStatus, differences: Iterable[Difference], limit: int) -> Iterator[str]:
    shown = 0
    for each in differences:
        if limit and shown == limit:
            break
        shown += 1
        yield f"  {each.kind.value:<8}  {key_text(each.key)}"
    counted = status["missing"] + status["changed"] + status["extra"] + status["expired"]
    if counted > shown:
        yield f"  ... and {counted - shown:,} more"


def _next(target: Target, code: int) -> Iterator[Step]:
    if code == EXIT_OK:
        return
    yield Step(
        "Correct these items in the destination yourself. The source table still has what they were. A "
        "repair plan would overwrite what the new writers have written."
    )
    yield tablecopy_step(target.commands, "List all of them.", *_SHOW, "--limit", "0")
