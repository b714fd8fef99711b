"""``tablecopy seal``: says what it does, asks, and waits until nothing can be written any more."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from typing import TextIO

from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.control_function import ControlFunction, Status
from tablecopy_cli.common.errors import UserError
from tablecopy_cli.common.terminal import Progress
from tablecopy_cli.common.text import escaped, wrapped

# Sealing waits for the replicator's leases, which live as long as its function may run.
_SEAL_SECONDS = 300.0
_LOOK_AGAIN_SECONDS = 1.0

_ANSWER = "yes"


def check_answerable(yes: bool, stream: TextIO) -> None:
    """Raise `UserError` if somebody has to confirm the seal, and nobody can be asked."""
    if not yes and not stream.isatty():
        raise UserError(
            "seal cannot be undone and asks for confirmation, but there is no terminal. "
            "Pass --yes to seal without a question"
        )


def confirmed(function: ControlFunction, name: str, tables: tuple[Side, Side] | None) -> Status | None:
    """Say on stderr what the seal does, and ask for it on stdin.

    Parameters
    ----------
    function
        The control function.
    name
        Its name, for the question.
    tables
        Source and destination, where they are known.

    Returns
    -------
    dict or None
        The status of a run that is sealed already, so that there is nothing to ask; otherwise ``None``.

    Raises
    ------
    UserError
        The run cannot be sealed, or the answer is not ``yes``.
    """
    status = function.status()
    if status["phase"] in {"sealing", "sealed"}:
        return status
    if status["phase"] != "ready":
        raise UserError(_not_yet(status))
    print(*wrapped(question_lines(name, tables), sys.stderr), sep="\n", file=sys.stderr)
    print(f"Type {_ANSWER} to seal: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() != _ANSWER:
        raise UserError(f"not sealed: the answer was not {_ANSWER}")
    return None


def question_lines(name: str, tables: tuple[Side, Side] | None) -> Iterator[str]:
    """What the seal does, before it is asked for."""
    if tables is None:
        yield f"This ends the copy of the control function {escaped(name)}."
    else:
        source, destination = (_place(side) for side in tables)
        yield "This ends the copy"
        yield f"  from  {source}"
        yield f"  to    {destination}"
    yield "Later writes to the source table are not copied. A seal cannot be undone."
    yield "Stop the writers and run verify --writes-stopped first."


def sealed(function: ControlFunction, *, sleep: Callable[[float], None] = time.sleep) -> Status:
    """Seal, and come back once nothing can be written any more.

    Raises
    ------
    UserError
        The run cannot be sealed, a change came first, or it takes too long.
    """
    status = function.seal()
    progress = Progress()
    give_up = time.monotonic() + _SEAL_SECONDS
    while status["phase"] != "sealed":
        if status["phase"] not in {"ready", "sealing"}:
            raise UserError(f"not sealed: the run is {status['phase']} again: {status['reason']}")
        if time.monotonic() > give_up:
            raise UserError(
                f"not sealed after {_SEAL_SECONDS:.0f} s, still {status['phase']}. Control continues. "
                "Run tablecopy watch --until sealed"
            )
        progress.update(f"{status['phase']} ...")
        sleep(_LOOK_AGAIN_SECONDS)
        status = function.status()
    progress.clear()
    return status


def _not_yet(status: Status) -> str:
    phase = status["phase"]
    if phase == "none":
        return "cannot seal: there is no run. Run tablecopy start"
    if phase == "stopped":
        return f"cannot seal: the run has stopped: {status.get('reason') or 'no reason given'}"
    if status["segments_done"] < status["segments"]:
        done = f"{status['segments_done']} of {status['segments']} segments"
        return f"cannot seal yet: still copying ({done}). Run tablecopy watch"
    why = f" ({status['reason']})" if status.get("reason") else ""
    return f"cannot seal yet: the run is {phase}, not ready for cutover{why}. Run tablecopy watch"


def _place(side: Side) -> str:
    where = ", ".join(
        f"{label} {value}"
        for label, value in (("region", side.region), ("profile", side.profile), ("role", side.role_arn))
        if value
    )
    return escaped(f"{side.table_name}" + (f" ({where})" if where else ""))
