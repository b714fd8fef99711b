"""Lambda entry point of control, which answers operators."""

from __future__ import annotations

import os

from botocore.exceptions import BotoCoreError, ClientError

from tablecopy.clock import Clock
from tablecopy.control.commands import Commands, NotPossible
from tablecopy.control.status import Status
from tablecopy.dynamodb.client import Json
from tablecopy.handlers.context import Aws, Context
from tablecopy.journal.dead_letters import DeadLetters
from tablecopy.journal.run import RunRecord
from tablecopy.journal.segments import Segments
from tablecopy.journal.shards import Shards
from tablecopy.metrics import log
from tablecopy.settings import CommandSettings

_CLOCK = Clock()
_SETTINGS = CommandSettings.from_environment(os.environ)
_AWS = Aws()
_STORE = _AWS.journal(_SETTINGS.journal_table)
_LAMBDA = _AWS.lambda_()
_ACTIONS = ("start", "status", "seal", "redrive", "dead-letters")
_COMMANDS = Commands(
    RunRecord(_STORE),
    Segments(_STORE),
    Shards(_STORE),
    DeadLetters(_STORE, _CLOCK),
    _CLOCK,
    _SETTINGS.stream_arn,
    _SETTINGS.total_segments,
    _SETTINGS.drained_after_seconds,
)


def handle(event: Json, context: Context) -> Json:
    """Do what ``{"action": ...}`` says: start, status, seal, redrive or letters.

    Commands are written to the journal, and the reconciler is called to carry them out; none is waited for.
    A start may come with a ``"request"`` of its own, so that sending it again is no second start. DeadLetters
    come with the items' images only if the event says ``"values": true`` as well.

    Returns ``{"status": {...}}`` (see Commands.status), for letters ``{"letters": [...], "count": n}`` (see
    Commands.letters), or ``{"error": text}`` when it cannot be done.
    """
    action = event.get("action")
    try:
        match action:
            case "start":
                return _nudged(_COMMANDS.start(str(event.get("request", ""))))
            case "status":
                return {"status": _COMMANDS.status()}
            case "seal":
                return _nudged(_COMMANDS.seal())
            case "redrive":
                return _nudged(_COMMANDS.redrive())
            case "dead-letters":
                return dict(_COMMANDS.dead_letters(values=event.get("values") is True))
    except NotPossible as impossible:
        return {"error": str(impossible)}
    return {"error": f"unknown action {action!r}; known are {', '.join(_ACTIONS)}"}


def _nudged(status: Status) -> Json:
    """``status``, with the reconciler called; without, its schedule calls it within a minute."""
    try:
        _LAMBDA.invoke(FunctionName=_SETTINGS.reconciler_function, InvocationType="Event", Payload=b"{}")
    except (BotoCoreError, ClientError) as error:
        log.event("nudge_failed", error=str(error))
    return {"status": status}
