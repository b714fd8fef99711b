"""Follows a request for a cutover to its end. Control keeps the request, so that a command may die."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tablecopy.clock import Clock
from tablecopy.control.status import CutoverStatus, Status
from tablecopy_cli.common.control_function import ControlFunction
from tablecopy_cli.common.errors import UserError

_POLL_SECONDS = 0.5

# After the request has lapsed, the reconciler ends it within a minute, even if its schedule has to call it.
_PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class Answer:
    """The run, and its latest request for a cutover.

    Control reads the run for each of them, so the run may have moved in between. How the request has ended is
    only in ``cutover``.
    """

    run: Status
    cutover: CutoverStatus

    @property
    def is_sealed(self) -> bool:
        """Whether the run was sealed with a proof."""
        return bool(self.cutover.get("grade"))

    @property
    def has_ended(self) -> bool:
        """Whether nothing more happens with the request."""
        return self.is_sealed or (not self.cutover["active"] and bool(self.cutover["outcome"]))


def ended(
    function: ControlFunction, quiet: float, clock: Clock, on_progress: Callable[[Answer], None]
) -> Answer:
    """Wait until the request has ended, and return how.

    Raises
    ------
    UserError
        Control does not answer, or the reconciler does not work on the request.
    """
    give_up = clock.now() + _PATIENCE_SECONDS
    while True:
        try:
            answer = Answer(*function.cutover(quiet))
        except UserError as error:
            if not error.transient or clock.now() > give_up:
                raise
        else:
            if answer.has_ended:
                return answer
            left = answer.cutover["by"] - answer.run["now"]
            if left > 0:
                give_up = clock.now() + left + _PATIENCE_SECONDS
            elif clock.now() > give_up:
                raise UserError(
                    "the reconciler does not end the request for a cutover. The run is not sealed now, and "
                    "may be later. Do not start writers before tablecopy status shows it; see the "
                    "reconciler's log group"
                )
            on_progress(answer)
        clock.sleep(_POLL_SECONDS)
