"""What the copy's control function knows, for a comparison while the copy runs."""

from __future__ import annotations

from collections.abc import Callable

from tablecopy_cli.common import Side, UserError
from tablecopy_cli.run.control_function import ControlFunction, Status

# An age is of the moment of control's last look, at most a minute ago.
_LOOK_SECONDS = 60.0


def status_of(side: Side, control_function: str | None) -> Status | None:
    """The run's status, for the next step; ``None`` if there is no one to ask, or no answer.

    A comparison needs no run: that it cannot be asked changes the advice and nothing else.

    Parameters
    ----------
    side
        The source side, in whose account the function is.
    control_function
        Its name or ARN; ``None`` if the tables belong to no known copy.
    """
    if control_function is None:
        return None
    try:
        status = ControlFunction(side, control_function).status()
        return status if isinstance(status.get("phase"), str) else None
    except (UserError, ValueError, LookupError, TypeError, AttributeError):
        return None


def lag_of(side: Side, control_function: str | None) -> Callable[[], float]:
    """How to ask how far behind the source the destination is.

    Parameters
    ----------
    side
        The source side, in whose account the function is.
    control_function
        Its name or ARN; ``None`` where the tables belong to no copy that is known.

    Returns
    -------
    callable
        Returns seconds: 0 while there is nothing to apply, or nobody to ask.
    """
    if control_function is None:
        return lambda: 0.0
    name = control_function

    def lag() -> float:
        try:
            age = float(ControlFunction(side, name).status().get("oldest_unapplied_age", 0.0))
        except (UserError, ValueError, LookupError, TypeError, AttributeError):
            return 0.0
        return age + _LOOK_SECONDS if age else 0.0

    return lag
