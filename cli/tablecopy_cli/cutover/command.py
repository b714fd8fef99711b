"""``tablecopy cutover``: from the prediction to the verdict, with everything that may go wrong in between."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TextIO

from tablecopy.clock import Clock
from tablecopy.journal.run import Phase
from tablecopy_cli.advice import after_proof, step_lines
from tablecopy_cli.advice.commands import Step, tablecopy_step
from tablecopy_cli.common.control_function import ControlFunction
from tablecopy_cli.common.errors import (
    EXIT_DIFFERENT,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_UNSETTLED,
    UserError,
)
from tablecopy_cli.common.options import CopyOptions, merge_side
from tablecopy_cli.common.terminal import Progress, Style, print_json
from tablecopy_cli.common.text import wrapped
from tablecopy_cli.cutover.fence import Fence
from tablecopy_cli.cutover.follow import Answer, ended
from tablecopy_cli.cutover.text import (
    failure_lines,
    fenced,
    prediction_lines,
    question_lines,
    seconds_text,
    shorter_lines,
    tables_text,
    verdict_lines,
)
from tablecopy_cli.cutover.way_back import way_back_lines
from tablecopy_cli.run.copies import Target, target_of

EXIT_REFUSED = 4
"""Nothing was begun: the stop would be too long, or the run is not in sync."""

# The reconciler looks again within so long. It is called every minute, and looks for most of it.
_PREDICTION_SECONDS = 10.0

# After a comparison has ended, the tracker lists the keys that it has left open. It is called every minute.
_PASSING_SECONDS = 150.0

_CODES = {"different": EXIT_DIFFERENT, "stopped": EXIT_DIFFERENT}
_ANSWER = "yes"


class OutcomeUnknown(UserError):
    """A request was made, and no one knows how it ends: the source must not be written to."""


@dataclass(frozen=True)
class CutoverOptions:
    """How to cut over.

    Parameters
    ----------
    max_stop
        Longest time in seconds for which the writers may stop.
    quiet
        Seconds for which both streams must show nothing new.
    yes
        Whether to ask nothing.
    fence
        Whether to deny writes in the tables' resource policies.
    lift_fence
        Whether to only allow writes again that a fence denies.
    """

    max_stop: float
    quiet: float
    yes: bool
    fence: bool
    lift_fence: bool
    format_: str


def cutover(copy: CopyOptions, options: CutoverOptions, clock: Clock) -> int:
    """Cut over. Returns the exit code (docs/commands.md).

    Raises
    ------
    UserError
        Control does not answer, or the fence cannot be put or lifted.
    """
    if not options.yes and not options.lift_fence and not sys.stdin.isatty():
        raise UserError(
            "a cutover asks for confirmation, but there is no terminal. Pass --yes when the writers have "
            "stopped"
        )
    target = target_of(copy)
    return Cutover(target, target.connect(), options, clock, fences_of(target, copy)).run()


def fences_of(target: Target, options: CopyOptions) -> Callable[[ControlFunction, Clock], list[Fence]]:
    """Return how to make the fences of both tables, the source's first."""

    def fences(function: ControlFunction, clock: Clock) -> list[Fence]:
        if target.copy is None:
            raise UserError("a fence needs both tables. Pass --from-terraform instead of --control-function")
        role = target.copy.writer_role_arn
        source, destination = target.copy.sides()

        def record(table_arn: str, denied: bool) -> None:
            function.deny(table_arn, denied=denied)

        return [
            Fence(merge_side(options.source, source), record, clock),
            Fence(merge_side(options.destination, destination), record, clock, except_role=role),
        ]

    return fences


class Cutover:
    """One cutover.

    Parameters
    ----------
    fences
        Makes the fences when they are needed.
    """

    def __init__(
        self,
        target: Target,
        function: ControlFunction,
        options: CutoverOptions,
        clock: Clock,
        fences: Callable[[ControlFunction, Clock], list[Fence]],
        stdin: TextIO | None = None,
    ) -> None:
        self._target = target
        self._function = function
        self._options = options
        self._clock = clock
        self._make_fences = fences
        self._stdin = stdin or sys.stdin
        self._progress = Progress()
        self._lifted: set[str] = set()
        self._stopped: float | None = None

    def run(self) -> int:
        """Cut over, or carry on where an earlier command was. Returns the exit code."""
        if self._options.lift_fence:
            return self._lift_left_over()
        answer = Answer(*self._function.cutover(self._options.quiet))
        if answer.is_sealed:
            return self._end(answer)
        if answer.run["phase"] == "none":
            return self._refuse(_refused_lines(answer), answer)
        if answer.cutover["denied"] and not self._options.fence:
            raise UserError(
                f"the resource policy of {tables_text(answer.cutover['denied'])} denies writes since an "
                "earlier cutover. Pass --fence to cut over with it, or --lift-fence to allow writes again"
            )
        if not answer.cutover["active"]:
            answer = self._predicted(answer)
            if answer.cutover["refused"]:
                return self._refuse(_refused_lines(answer), answer)
            if not self._is_short(answer):
                return self._refuse(shorter_lines(answer.cutover, self._options.max_stop), answer)
        # What a fence lacks must show before the writers stop.
        fences = self._make_fences(self._function, self._clock) if self._options.fence else []
        if not answer.cutover["active"]:
            self._confirm(answer)
            self._stopped = self._clock.now()
        code = None
        with self._fenced(fences) as lift:
            try:
                answer = self._followed(answer)
            except UserError as error:
                answer = self._cancelled("the command that requested it has failed", str(error))
                if not answer.is_sealed:
                    raise
            except KeyboardInterrupt:
                answer = self._cancelled("the command was interrupted", "interrupted")
                code = None if answer.is_sealed else EXIT_INTERRUPTED
            stop = None if self._stopped is None else self._clock.now() - self._stopped
            if not answer.is_sealed:
                lift()
        left = [arn for arn in answer.cutover["denied"] if arn not in self._lifted]
        return self._end(replace(answer, cutover={**answer.cutover, "denied": left}), code, stop)

    # Before the writers stop

    def _predicted(self, answer: Answer) -> Answer:
        """Return the prediction. One that is too long may be from before the latest look at the stream.

        What a cutover is refused for may pass by itself, and is waited for before the writers stop.
        """
        asked = passed = self._clock.now()
        while True:
            if self._options.fence:
                answer = replace(answer, cutover=fenced(answer.cutover))
            refused, now = answer.cutover["refused"], self._clock.now()
            if refused and answer.cutover.get("passing") and now < asked + _PASSING_SECONDS:
                passed = now
                self._progress.update(f"waiting until writers may stop: {refused} ...")
            elif refused or self._is_short(answer) or now >= passed + _PREDICTION_SECONDS:
                self._progress.clear()
                return answer
            else:
                self._progress.update("predicting how long writers would stop ...")
            self._clock.sleep(1)
            answer = Answer(*self._function.cutover(self._options.quiet))

    def _is_short(self, answer: Answer) -> bool:
        seconds = answer.cutover["seconds"]
        return seconds is not None and seconds <= self._options.max_stop

    def _confirm(self, answer: Answer) -> None:
        """Show the prediction, and ask unless --yes was given.

        Raises
        ------
        UserError
            The answer is not ``yes``.
        """
        self._say(prediction_lines(answer.cutover))
        if self._options.yes:
            return
        copy = self._target.copy
        source, destination = copy.sides() if copy else (None, None)
        self._say(question_lines(source, destination, fenced=self._options.fence))
        when = "to begin" if self._options.fence else "when the writers have stopped"
        print(f"Type {_ANSWER} {when}: ", end="", file=sys.stderr, flush=True)
        if self._stdin.readline().strip().lower() != _ANSWER:
            raise UserError(f"not begun: the answer was not {_ANSWER}")

    # While the writers are stopped

    @contextmanager
    def _fenced(self, fences: list[Fence]) -> Iterator[Callable[[], None]]:
        """Deny writes in the block if requested, and yield what allows all of them again.

        At the end of the block, only the destination's writes are allowed again: the copy is sealed, and the
        old writers must not write to the source table any more. An error allows all of them, unless the run
        may be sealed.
        """

        def lift() -> None:
            self._lift(fences)

        try:
            for fence in fences:
                self._progress.update(f"denying writes to {tables_text([fence.arn])} ...")
                fence.put()
            yield lift
        except OutcomeUnknown:
            raise
        except BaseException:
            self._progress.clear()
            lift()
            raise
        self._progress.clear()
        try:
            self._lift(fences[1:], "sealed; ")
        except UserError as error:
            # The verdict counts, and the next steps name the table.
            self._say([f"warning: {error}"])

    def _lift(self, fences: Iterable[Fence], state: str = "") -> None:
        """Allow writes to all tables again, also if one of them fails.

        Raises
        ------
        UserError
            One of them failed; the message names what is left.
        """
        failed: list[str] = []
        for fence in fences:
            # DynamoDB refuses a change of a policy for so long after the change before.
            text = f"{state}allowing writes to {tables_text([fence.arn])} again (up to 15 s) ..."
            self._progress.update(text)
            try:
                fence.lift()
                self._lifted.add(fence.arn)
            except UserError as error:
                failed.append(str(error))
            except KeyboardInterrupt:
                failed.append("interrupted")
        self._progress.clear()
        if failed:
            raise UserError(f"{failed[0]}. A table may still deny writes: run tablecopy cutover --lift-fence")

    def _followed(self, answer: Answer) -> Answer:
        if not answer.cutover["active"]:
            self._function.begin_cutover(uuid.uuid4().hex, self._options.max_stop, self._options.quiet)
        answer = ended(self._function, self._options.quiet, self._clock, self._show)
        self._progress.clear()
        return answer

    def _cancelled(self, reason: str, problem: str) -> Answer:
        """Cancel the request, and return how it has ended: it may have sealed the run before.

        Raises
        ------
        OutcomeUnknown
            Control does not answer, or this was interrupted also.
        """
        self._progress.clear()
        print("Cancelling the cutover ...", file=sys.stderr)
        try:
            try:
                self._function.cancel_cutover(reason)
            except UserError:
                # The run is sealed, or control does not answer this either.
                answer = Answer(*self._function.cutover(self._options.quiet))
                if not answer.is_sealed:
                    raise
            else:
                answer = ended(self._function, self._options.quiet, self._clock, self._show)
        except (UserError, KeyboardInterrupt) as error:
            raise OutcomeUnknown(
                f"{problem}. The run may be sealed, or become so. Do not start writers, and run this command "
                "again: it shows how the cutover has ended"
                + (". The fence stays until then" if self._options.fence else "")
            ) from error
        self._progress.clear()
        return answer

    def _show(self, answer: Answer) -> None:
        left = max(0.0, answer.cutover["by"] - answer.run["now"])
        waits_for = answer.run["reason"] or "looking at both streams"
        self._progress.update(f"{seconds_text(left)} left: {waits_for}")

    # Afterwards

    def _end(self, answer: Answer, code: int | None = None, stop: float | None = None) -> int:
        """Print how it has ended, and return the exit code.

        ``stop`` are the seconds from the request to its end, if this command has made it.
        """
        if code is None:
            code = EXIT_OK if answer.is_sealed else _CODES.get(answer.cutover["outcome"], EXIT_UNSETTLED)
        steps = list(self._next(answer))
        if self._options.format_ == "jsonl":
            next_ = [step.record() for step in steps]
            own: dict[str, Any] = {
                "phase": answer.run["phase"],
                "stop_seconds": stop,
                "exit_code": code,
                "next": next_,
            }
            print_json(self._target.record("cutover", {**answer.cutover, **own}))
            return code
        style = Style(sys.stdout)
        shown = (
            verdict_lines(answer.cutover, answer.run, stop, style)
            if answer.is_sealed
            else failure_lines(answer.cutover, style)
        )
        print(*wrapped([*shown, "", *step_lines(steps, style)], sys.stdout), sep="\n")
        if answer.is_sealed and self._target.copy:
            lines = way_back_lines(self._target.copy, answer.run["phase_since"])
            print("", *wrapped(lines, sys.stdout), sep="\n")
        return code

    def _next(self, answer: Answer) -> Iterator[Step]:
        commands = self._target.commands
        if not answer.is_sealed:
            if answer.cutover["outcome"] == "different":
                yield tablecopy_step(
                    commands, "List the differences, and repair them.", "verify", "--in-account", "--report"
                )
            elif answer.run["phase"] == Phase.STOPPED:
                yield tablecopy_step(commands, "Show why the run has stopped.", "status")
            else:
                yield tablecopy_step(commands, "Cut over again.", "cutover")
            return
        if denied := answer.cutover["denied"]:
            # A command that died right after the seal leaves the destination's also.
            yield tablecopy_step(
                commands,
                f"Allow writes again to {tables_text(denied)}: before you "
                + ("switch the writers." if len(denied) > 1 else "set up the rollback, or at the end."),
                "cutover",
                "--lift-fence",
            )
        yield from after_proof(commands, shown=self._target.copy is not None)

    def _refuse(self, lines: Iterable[str], answer: Answer) -> int:
        if self._options.format_ == "jsonl":
            own: dict[str, Any] = {
                "phase": answer.run["phase"],
                "stop_seconds": None,
                "exit_code": EXIT_REFUSED,
                "next": [],
            }
            print_json(self._target.record("cutover", {**answer.cutover, **own}))
        else:
            self._say(lines)
        return EXIT_REFUSED

    def _lift_left_over(self) -> int:
        answer = Answer(*self._function.cutover(self._options.quiet))
        if answer.cutover.get("active"):
            raise UserError("a cutover is in progress, which needs its fence. Wait for its end first")
        self._lift(self._make_fences(self._function, self._clock))
        print("Both tables' resource policies allow writes as before.")
        return EXIT_OK

    def _say(self, lines: Iterable[str]) -> None:
        print(*wrapped(list(lines), sys.stderr), sep="\n", file=sys.stderr)


def _refused_lines(answer: Answer) -> list[str]:
    return [f"Cannot cut over: {answer.cutover['refused'].rstrip('.')}."]
