"""``tablecopy start``: starts the run and waits until preflight has looked at both tables."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from tablecopy_cli.common.control_function import ControlFunction, Status
from tablecopy_cli.common.terminal import Progress

# Preflight takes a few seconds, and up to a minute longer if the reconciler has to be called by its schedule.
_PREFLIGHT_SECONDS = 90.0
_LOOK_AGAIN_SECONDS = 1.0


def started(
    function: ControlFunction,
    *,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.monotonic,
) -> Status:
    """Start the run, and return once preflight has found problems, or that there are none.

    If it has not after 90 s, a line on stderr says so.

    Raises
    ------
    UserError
        The run cannot be started.
    """
    status = function.start()
    progress = Progress()
    give_up = now() + _PREFLIGHT_SECONDS
    while status["phase"] == "preflight" and not status["checked"]:
        if now() > give_up:
            progress.clear()
            print(
                f"The run has started, but preflight has not answered within {_PREFLIGHT_SECONDS:.0f} s. "
                "Run tablecopy status in a minute. The reconciler's log group shows its errors.",
                file=sys.stderr,
            )
            return status
        progress.update("preflight: looking at both tables ...")
        sleep(_LOOK_AGAIN_SECONDS)
        status = function.status()
    progress.clear()
    return status
