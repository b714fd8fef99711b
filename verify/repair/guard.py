"""When a repair may write: only where nothing else writes to the destination.

A repair reads the source and writes what it read a moment later. If in that moment the source's item is
deleted and the replicator applies the deletion, the repair brings the item back, and nothing takes it away
again. Where the replicator is held, it applies such a deletion after the repair, and all is well. So the
phase of the run decides:

==============  ==============================  ===========================================================
phase           who writes to the destination   a repair
==============  ==============================  ===========================================================
``none``        nobody, until a person starts   with ``--writes-stopped``: the run that begins later does not
                the run                         learn of deletions older than the stream
``preflight``   nobody, but the first slice     refused
                follows by itself
``pausing``     as above                        refused
``slice``       the backfill                    refused
``resuming``    the last of the backfill        refused
``draining``    the replicator                  refused
``ready``       the replicator, as soon as      with ``--writes-stopped``, if two looks find nothing
                there is a change               unapplied, nothing applied between them, and no redrive
``sealing``     the last of the replicator      refused
``sealed``      nobody of the copy; the         with ``--writes-stopped``
                application, perhaps
``stopped``     nobody, until a person starts   allowed once the phase is older than any function that began
                the run again; it then          before it could be
                applies what has changed since
==============  ==============================  ===========================================================

Without a control function nothing tells who writes. ``--writes-stopped`` has to be given, and two looks at
every source item of the plan have to find it as the comparison saw it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from tablecopy_cli.common.control_function import ControlFunction, Status
from tablecopy_cli.common.errors import UserError

# In `ready` control looks at the stream once a minute and its look may take a while; only then does its
# status know of a change. Two looks that are further apart have one of control's between them.
CONTROL_SECONDS = 90.0

# Between two looks at the items themselves.
SOURCE_SECONDS = 10.0

# A function that began before the run stopped may go on to its timeout, which Lambda limits to 15 minutes
# (Lambda quotas), and a request it sent last may take a moment longer.
_LAST_WRITE_SECONDS = 905.0

# An age is of the moment of control's look; less than this is only the time since.
_QUIET_SECONDS = 5.0

_REFUSED = {
    "preflight": "the run is about to begin, and copies everything itself; wait until it is ready",
    "pausing": "the backfill is about to write; wait until the run is ready",
    "slice": "the backfill writes; wait until the run is ready",
    "resuming": "the backfill may still be writing; wait until the run is ready",
    "draining": "the replicator is applying changes; stop the writers and wait until the run is ready",
    "sealing": "the replicator may still be writing; wait until the run is sealed",
}

_NEEDS_WRITES_STOPPED = {
    "none": "no run has begun",
    "ready": "the replicator writes whatever happens at the source",
    "sealed": "the destination may be in use",
}


class Moved(Exception):
    """What a repair relies upon has changed. The message says what, in one line."""


class Guard(Protocol):
    """Says whether a repair may write.

    Attributes
    ----------
    run
        The run's status as of the last look; ``None`` if there is no control function to ask.
    """

    run: Status | None

    def look(self) -> None:
        """Look once. Raises `UserError` or `Moved` where a repair must not write."""

    def before(self) -> None:
        """Look as often as it takes to be sure. Raises what `look` raises."""

    def after(self) -> None:
        """Look again after the repair. Raises `Moved` where something has changed since `before`."""


class ControlGuard:
    """Goes by the status that the control function tells.

    Parameters
    ----------
    function
        Of the copy that the plan's tables belong to.
    writes_stopped
        The operator's word that nothing writes to either table.
    pause
        Waits that many seconds.
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
        """Raise `UserError` where the phase forbids a repair."""
        self._seen = self._look()

    def before(self) -> None:
        """Look once, and in `ready` again when control has looked at the stream anew.

        Raises
        ------
        UserError
            The phase forbids a repair, or there are changes to apply.
        Moved
            Something was applied between the two looks.
        """
        self.look()
        self._compare()

    def after(self) -> None:
        """Raise `Moved` where the phase has changed since, or the replicator has applied something."""
        try:
            self._compare()
        except UserError as error:
            raise Moved(f"after the repair: {error}") from error

    def _compare(self) -> None:
        if self._seen["phase"] == "ready":
            self._pause(CONTROL_SECONDS)
        now = self._look()
        for name, what in (
            ("run", "another run has begun"),
            ("phase", f"the run is {now['phase']} now"),
            ("phase_since", f"the run was not {now['phase']} all the time"),
            ("changes", "the replicator has applied changes meanwhile"),
        ):
            if now[name] != self._seen[name]:
                raise Moved(what)

    def _look(self) -> dict[str, Any]:
        try:
            status = self._function.status()
            self.run = status
            seen = {name: status.get(name) for name in ("run", "phase", "phase_since", "changes")}
            refusal = _refusal(status, self._writes_stopped)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise UserError(
                "what --control-function names does not answer as a control function; check the name"
            ) from error
        if refusal:
            raise UserError(f"the run is {seen['phase']}: {refusal}")
        return seen


class SourceGuard:
    """Goes by the source's items, where no control function is known.

    Parameters
    ----------
    changed
        Reads every source item of the plan and yields, for each, whether it is another than in the plan.
    writes_stopped
        The operator's word that nothing writes to either table.
    pause
        Waits that many seconds.
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
        """Raise `UserError` without the operator's word."""
        if not self._writes_stopped:
            raise UserError(
                "nothing says that the replicator is held: name the --control-function of the copy, "
                "or stop all writers and give --writes-stopped"
            )

    def before(self) -> None:
        """Read the source's items twice. Raises `Moved` where one is another than in the plan."""
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
            items = "1 item has" if count == 1 else f"{count:,} items have"
            raise Moved(f"{items} changed at the source since the plan was made")


def _refusal(status: Status, writes_stopped: bool) -> str:
    """Why a repair must not write now; empty where it may."""
    phase = status["phase"]
    if phase in _REFUSED:
        return _REFUSED[phase]
    if phase == "stopped":
        left = status["phase_since"] + _LAST_WRITE_SECONDS - status["now"]
        return f"a function may still be writing for {left:.0f} s; try again then" if left > 0 else ""
    if phase not in _NEEDS_WRITES_STOPPED:
        return "this verify does not know that phase"
    if not writes_stopped:
        return f"{_NEEDS_WRITES_STOPPED[phase]}; stop all writers and give --writes-stopped"
    if phase == "ready":
        if status["redrive"]:
            return "a redrive was asked for, so that the backfill is about to write; wait until it is over"
        if status["oldest_unapplied_age"] > _QUIET_SECONDS:
            return "changes are waiting to be applied; wait a minute and try again"
    return ""
