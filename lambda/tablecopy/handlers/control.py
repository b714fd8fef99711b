"""Lambda entry point of control."""

from __future__ import annotations

import os
from functools import partial

import boto3

from tablecopy.clock import Clock
from tablecopy.control.commands import Commands, NotPossible
from tablecopy.control.executions import Executions
from tablecopy.control.mapping import Mapping
from tablecopy.control.metrics import Metrics
from tablecopy.control.preflight import problems
from tablecopy.control.queue import FailureQueue
from tablecopy.control.reconciler import Parts, Reconciler, reconcile
from tablecopy.control.stream import Stream
from tablecopy.control.tables import destination_problems, key_definition, source_problems
from tablecopy.handlers.context import Context, journal, settings
from tablecopy.journal.leases import Leases
from tablecopy.journal.marks import Marks
from tablecopy.journal.run import RunRecord
from tablecopy.journal.segments import Segments
from tablecopy.journal.shards import Shards
from tablecopy.sessions import RoleSession, own_session
from tablecopy.settings import ControlSettings
from tablecopy.wire import Json, Wire

# The schedule calls once a minute: looking for most of it lets phases follow one another within seconds.
_LOOK_FOR_SECONDS = 50.0

_CLOCK = Clock()
_COMMON = settings()
_SETTINGS = ControlSettings.from_environment(os.environ)
_STORE = journal(_COMMON)
_SOURCE = Wire(own_session())
_DESTINATION = Wire(
    RoleSession(_COMMON.destination_role_arn, _COMMON.destination_external_id, "tablecopy-control"),
    _COMMON.destination_region,
)
_RUN = RunRecord(_STORE)
_SEGMENTS = Segments(_STORE)
_SHARDS = Shards(_STORE)
_MAPPING = Mapping(boto3.client("lambda"), _SETTINGS.mapping_uuid)
_EXECUTIONS = Executions(boto3.client("stepfunctions"), _SETTINGS.state_machine_arn)
_STREAMS = boto3.client("dynamodbstreams")
_QUEUE = FailureQueue(boto3.client("sqs"), _SETTINGS.failure_queue_url)
_COMMANDS = Commands(_RUN, _SEGMENTS, _SHARDS, _CLOCK, _SETTINGS.stream_arn, _SETTINGS.total_segments)


def handle(event: Json, context: Context) -> Json:
    """Do what ``{"action": ...}`` says: reconcile, start, status or seal.

    Returns ``{"status": {...}}`` (see Commands.status), or ``{"error": text}`` when it cannot be done.
    """
    action = event.get("action")
    try:
        match action:
            case "reconcile":
                return _reconcile()
            case "start":
                return {"status": _COMMANDS.start()}
            case "status":
                return {"status": _COMMANDS.status()}
            case "seal":
                return {"status": _COMMANDS.seal()}
    except NotPossible as impossible:
        return {"error": str(impossible)}
    return {"error": f"unknown action {action!r}; known are reconcile, start, status, seal"}


def _reconcile() -> Json:
    if _SETTINGS.start_on_apply:
        _COMMANDS.begin()
    reconcile(_reconciler(), _CLOCK, _CLOCK.now() + _LOOK_FOR_SECONDS)
    return {"status": _COMMANDS.status()}


def _reconciler() -> Reconciler:
    source_table, stream_arn = _COMMON.source_table, _SETTINGS.stream_arn
    stream_problems = partial(source_problems, _SOURCE, source_table, stream_arn)
    parts = Parts(
        run=_RUN,
        segments=_SEGMENTS,
        leases=Leases(_STORE, _CLOCK),
        mapping=_MAPPING,
        executions=_EXECUTIONS,
        stream=Stream(
            _STREAMS, stream_arn, _SHARDS, Marks(_STORE, _CLOCK), _CLOCK, _SETTINGS.drained_after_seconds
        ),
        queue=_QUEUE,
        preflight=partial(
            problems,
            [
                stream_problems,
                partial(_MAPPING.problems, stream_arn),
                partial(
                    destination_problems,
                    _SOURCE,
                    source_table,
                    _DESTINATION,
                    _COMMON.destination_table,
                    allow_items=_SETTINGS.allow_items,
                ),
            ],
        ),
        stream_problems=stream_problems,
        key_names=_key_names,
        publish=Metrics(_CLOCK, _SETTINGS.copy_name).publish,
    )
    return Reconciler(parts, _CLOCK, _SETTINGS.slice_seconds)


def _key_names() -> list[str]:
    description = _SOURCE.call("describe_table", {"TableName": _COMMON.source_table})["Table"]
    return [name for name, _, _ in key_definition(description)]
