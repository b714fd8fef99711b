"""Lambda entry point of control, which answers operators."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from botocore.exceptions import BotoCoreError, ClientError

from tablecopy.clock import Machine
from tablecopy.control.audit import Audits
from tablecopy.control.commands import Commands, NotPossible
from tablecopy.control.cutover import CutoverCommands
from tablecopy.control.proof import QUIET_SECONDS
from tablecopy.control.status import Status
from tablecopy.control.tracking import TrackingCommands
from tablecopy.control.verification import VerificationCommands
from tablecopy.dynamodb.client import Json
from tablecopy.handlers.context import Aws, Context
from tablecopy.journal.dead_letters import DeadLetters
from tablecopy.journal.run import RunRecord
from tablecopy.journal.segments import Segments
from tablecopy.journal.shards import Shards
from tablecopy.journal.touched import TrackingRecord
from tablecopy.journal.verifications import Verifications
from tablecopy.metrics import log
from tablecopy.settings import CommandSettings
from tablecopy.text import list_text

_ACTIONS = (
    "start",
    "status",
    "seal",
    "redrive",
    "dead-letters",
    "verify",
    "audit",
    "verification",
    "differences",
    "cutover",
    "cancel_cutover",
    "deny",
)

_NUDGE_SECONDS = 4.0

# If another invocation is running, it sees the command.
_NUDGE = b'{"wait":false}'

_OF_A_RUN = frozenset({"start", "seal", "redrive", "audit", "cutover", "cancel_cutover", "deny"})


def build(
    environ: Mapping[str, str], clock: Machine, aws: Aws | None = None
) -> Callable[[Json, Context], Json]:
    """Return the handler of the function with this environment."""
    settings = CommandSettings.from_environment(environ)
    aws = aws or Aws()
    store = aws.journal(settings.journal_table)
    lambda_ = aws.lambda_()
    commands = Commands(
        RunRecord(store),
        Segments(store),
        Shards(store),
        DeadLetters(store, clock),
        clock,
        settings.stream_arn,
        settings.total_segments,
        settings.drained_after_seconds,
    )
    verifications = VerificationCommands(
        RunRecord(store),
        Segments(store),
        Verifications(store, clock),
        TrackingCommands(store, clock),
        Audits(RunRecord(store), Verifications(store, clock), TrackingRecord(store), clock),
        aws.states,
        settings,
        clock,
    )

    cutovers = CutoverCommands(RunRecord(store), Segments(store), DeadLetters(store, clock), store, clock)

    def cutover(event: Json) -> Json:
        """Carry out one of the actions of a cutover, and return the run with its cutover."""
        quiet = float(event.get("quiet_seconds", QUIET_SECONDS))
        request = str(event.get("request", ""))
        if event["action"] == "deny":
            cutovers.deny(str(event["table"]), denied=event.get("denied") is True)
        elif event["action"] == "cancel_cutover":
            cutovers.cancel(str(event.get("reason", "")))
        elif request:
            cutovers.begin(request, float(event["max_stop"]), quiet)
        # In this order: a run that is sealed in the first answer is sealed in the second one.
        found = cutovers.status(quiet)
        status = commands.status()
        if request or event["action"] == "cancel_cutover":
            invoke(settings.reconciler_function)
            invoke(settings.tracker_function)
        elif event["action"] == "cutover":
            keep_going()
        return {"status": status, "cutover": found}

    # When a function was invoked last because it stood still.
    nudged: dict[str, float] = {}

    def keep_going() -> None:
        """Invoke the functions that stand still although a cutover waits for them, every few seconds."""
        functions = (settings.reconciler_function, settings.tracker_function)
        for function, stands_still in zip(functions, cutovers.stands_still(), strict=True):
            if stands_still and clock.now() - nudged.get(function, 0.0) >= _NUDGE_SECONDS:
                nudged[function] = clock.now()
                invoke(function)

    def invoke(function: str) -> None:
        """Invoke a function, if there is one. If that fails, its schedule does so in a minute."""
        if not function:
            return
        try:
            lambda_.invoke(FunctionName=function, InvocationType="Event", Payload=_NUDGE)
        except (BotoCoreError, ClientError) as error:
            log.event("nudge_failed", error=str(error))

    def invoke_reconciler(status: Status) -> Json:
        """Invoke the reconciler and return ``status``."""
        invoke(settings.reconciler_function)
        return {"status": status}

    def handle(event: Json, context: Context) -> Json:
        """Carry out ``{"action": ...}``: start, status, seal, redrive, dead-letters or one of a verification.

        Commands are written to the journal, and the reconciler is invoked to carry them out; the answer does
        not wait for it. A start may have a ``"request"`` id, so that sending it again is not another start.
        Dead letters have their items' images only with ``"values": true``.

        verify begins a verification, ``"writes_stopped": true`` if nothing writes, and audit begins one of a
        sealed run whose destination is written to; verification returns how far the latest is; differences
        returns what differs, from ``"segment"`` and ``"text"`` on.

        cutover requests one, with the id ``"request"``, the seconds ``"max_stop"`` after which the request
        lapses, and ``"quiet_seconds"``; without an id it only shows what it would take. cancel_cutover
        cancels it. deny records with ``"denied"`` whether the policy of a ``"table"`` (ARN) denies writes.

        Returns ``{"status": {...}}`` (see control.status.Status), with ``"cutover": {...}`` for these three
        (see control.status.CutoverStatus), for dead-letters a
        control.status.DeadLetterList, for verify, audit and verification ``{"verification": {...}}`` (see
        control.verification.VerificationStatus), for differences what
        `control.verification.VerificationCommands.differences` does, or ``{"error": text}`` if the command is
        not possible.
        """
        action = event.get("action")
        try:
            if not settings.stream_arn and action in _OF_A_RUN:
                raise NotPossible(
                    "these tables are only compared: there is no copy, so there is no run. Run "
                    "verify --in-account"
                )
            match action:
                case "start":
                    return invoke_reconciler(commands.start(str(event.get("request", ""))))
                case "status":
                    # First, because it writes the result of an audit to the run.
                    verification = verifications.status()
                    status = commands.status()
                    if not settings.stream_arn:
                        status["comparison_only"] = True
                    if verification:
                        status["verification"] = verification
                    return {"status": status}
                case "seal":
                    return invoke_reconciler(commands.seal())
                case "redrive":
                    return invoke_reconciler(commands.redrive())
                case "dead-letters":
                    return dict(commands.dead_letters(values=event.get("values") is True))
                case "verify":
                    stopped = event.get("writes_stopped") is True
                    request = str(event.get("request", ""))
                    begun = verifications.begin(writes_stopped=stopped, request=request)
                    if settings.stream_arn:
                        # The scans wait until both of them note the keys of changes.
                        invoke_reconciler(commands.status())
                        invoke(settings.tracker_function)
                    return {"verification": begun}
                case "audit":
                    return {"verification": verifications.audit(request=str(event.get("request", "")))}
                case "verification":
                    return {"verification": verifications.status()}
                case "cutover" | "cancel_cutover" | "deny":
                    return cutover(event)
                case "differences":
                    begin = (int(event.get(name, 0)) for name in ("segment", "text"))
                    return verifications.differences(*begin)
        except NotPossible as impossible:
            return {"error": str(impossible)}
        return {"error": f"unknown action {action!r}. Use {list_text(_ACTIONS, 'or')}"}

    return handle


handle = build(os.environ, Machine())
