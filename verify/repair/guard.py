"""When a repair may write: only while nothing else writes to the destination.

A repair reads an item of the source and writes it a moment later. Suppose that the source's item is deleted
in that moment and that the replicator applies the deletion. The repair then brings the item back, and nothing
removes it again. While the replicator is held, it applies such a deletion after the repair. So the phase of
the run decides:

==============  ==============================  ===========================================================
phase           who writes to the destination   a repair
==============  ==============================  ===========================================================
``none``        no one until an operator        with ``--writes-stopped``: a run that begins later does not
                starts the run                  see deletions older than the stream
``preflight``   no one, but the first slice     rejected
                follows automatically
``pausing``     as above                        rejected
``slice``       the backfill                    rejected
``resuming``    the end of the backfill         rejected
``draining``    the replicator                  rejected
``ready``       the replicator, as soon as      with ``--writes-stopped``, if two looks find nothing
                there is a change               unapplied, nothing applied between them, and no redrive
``sealing``     the end of the replicator       rejected
``sealed``      no part of the copy; perhaps    with ``--writes-stopped``
                the application
``stopped``     no one until an operator        allowed once the run has been stopped for longer than any
                starts the run again, which     function runs
                then applies later changes
==============  ==============================  ===========================================================

Without a control function the phase is not known. Then ``--writes-stopped`` is required, and two looks at
every source item of the plan must find it as the comparison saw it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from tablecopy.control.status import Status
from tablecopy.text import count_text
from tablecopy_cli.common.control_function import ControlFunction
from tablecopy_cli.common.errors import UserError

# In `ready` control looks at the stream once a minute, and one look may take a while. Only then does its
# status include a change. Two looks of ours that are this far apart have one of control's between them.
CONTROL_SECONDS = 90.0

# Between two looks at the items themselves.
SOURCE_SECONDS = 10.0

# A function that began before the run stopped may continue to its timeout, which Lambda limits to 15 minutes
# (Lambda quotas), and its last request may take a moment longer.
_LAST_WRITE_SECONDS = 905.0

# An age is that of control's look. Less than this is only the time since.
_QUIET_SECONDS = 5.0

_REJECTED = {
    "preflight": "The run is about to begin, and copies everything itself. Wait until it is ready.",
    "pausing": "The backfill is about to write. Wait until the run is ready.",
    "slice": "The backfill is writing. Wait until the run is ready.",
    "resuming": "The backfill may still be writing. Wait until the run is ready.",
    "draining": "The replicator is applying changes. Stop the writers and wait until the run is ready.",
    "sealing": "The replicator may still be writing. Wait until the run is sealed.",
}

_NEEDS_WRITES_STOPPED = {
    "none": "No run has started.",
    "ready": "The replicator writes every change of the source.",
    "sealed": "The destination may be in use.",
}


class StateChanged(Exception):
    """Something that a repair relies on has changed. The message names it, in one line."""


class Guard(Protocol):
    """Decides whether a repair may write.

    Attributes
    ----------
    run
        The run's status as of the last look; ``None`` without a control function.
    """

    run: Status | None

    def look(self) -> None:
        """Look once. Raises `UserError` or `StateChanged` if a repair must not write."""

    def before(self) -> None:
        """Look as often as needed to be sure. Raises as `look` does."""

    def after(self) -> None:
        """Look again after the repair. Raises `StateChanged` if something has changed since `before`."""


class ControlGuard:
    """Uses the status that the control function returns.

    Parameters
    ----------
    function
        Control function of the copy that the plan's tables belong to.
    writes_stopped
        The operator has confirmed that nothing writes to either table.
    pause
        Waits for a number of seconds.
    """

    def __init__(
        self,
        function: ControlFunction,
        *,
        writes_stopped: bool,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._function = function
        self._writes_stopped = writes_stopped
        self._pause = pause
        self._seen: dict[str, Any] = {}
        self.run: Status | None = None

    def look(self) -> None:
        """Raise `UserError` if the phase forbids a repair."""
        self._seen = self._look()

    def before(self) -> None:
        """Look once, and in ``ready`` a second time after control has looked at the stream again.

        Raises
        ------
        UserError
            The phase forbids a repair, or there are changes to apply.
        StateChanged
            Something was applied between the two looks.
        """
        self.look()
        self._compare()

    def after(self) -> None:
        """Raise `StateChanged` if the phase has changed since, or if the replicator has applied something."""
        try:
            self._compare()
        except UserError as error:
            raise StateChanged(f"after the repair: {error}") from error

    def _compare(self) -> None:
        if self._seen["phase"] == "ready":
            self._pause(CONTROL_SECONDS)
        now = self._look()
        for name, what in (
            ("run", "another run has started"),
            ("phase", f"the run is {now['phase']} now"),
            ("phase_since", f"the run was not {now['phase']} all the time"),
            ("changes", "the replicator has applied changes"),
        ):
            if now[name] != self._seen[name]:
                raise StateChanged(what)

    def _look(self) -> dict[str, Any]:
        self.run = status = self._function.status()
        rejection = _rejection(status, self._writes_stopped)
        if rejection:
            raise UserError(f"The run is in phase {status['phase']}. {rejection}")
        return {name: status.get(name) for name in ("run", "phase", "phase_since", "changes")}


class SourceGuard:
    """Uses the source's items, where no control function is known.

    Parameters
    ----------
    changed
        Reads every source item of the plan and yields, for each, whether it differs from the plan.
    writes_stopped
        The operator has confirmed that nothing writes to either table.
    pause
        Waits for a number of seconds.
    """

    def __init__(
        self,
        changed: Callable[[], Iterable[bool]],
        *,
        writes_stopped: bool,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.run: Status | None = None
        self._changed = changed
        self._writes_stopped = writes_stopped
        self._pause = pause

    def look(self) -> None:
        """Raise `UserError` without the operator's confirmation."""
        if not self._writes_stopped:
            raise UserError(
                "It is not known whether the replicator is held. Pass the copy's --control-function, or stop "
                "all writers and pass --writes-stopped."
            )

    def before(self) -> None:
        """Read the source's items twice. Raises `StateChanged` if one differs from the plan."""
        self.look()
        self._compare()
        self._pause(SOURCE_SECONDS)
        self._compare()

    def after(self) -> None:
        """Read them once more."""
        self._compare()

    def _compare(self) -> None:
        count = sum(self._changed())
        if count:
            items = count_text(count, "source item has", "source items have")
            raise StateChanged(f"{items} changed since the plan was made")


def _rejection(status: Status, writes_stopped: bool) -> str:
    """Return why a repair must not write now; an empty text if it may."""
    phase = status["phase"]
    if phase in _REJECTED:
        return _REJECTED[phase]
    if phase == "stopped":
        left = status["phase_since"] + _LAST_WRITE_SECONDS - status["now"]
        return f"A function may still be writing for {left:.0f} s. Try again after that." if left > 0 else ""
    if phase not in _NEEDS_WRITES_STOPPED:
        return "This version of verify does not know that phase."
    if not writes_stopped:
        return f"{_NEEDS_WRITES_STOPPED[phase]} Stop all writers and pass --writes-stopped."
    if phase == "ready":
        if status["redrive"]:
            return "A redrive was requested, so the backfill is about to write. Wait until it has finished."
        if status["oldest_unapplied_age"] > _QUIET_SECONDS:
            return "Changes are waiting to be applied. Wait a minute and try again."
    return ""
