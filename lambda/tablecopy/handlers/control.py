"""Lambda entry point of control."""

from __future__ import annotations

import os
from functools import partial

import boto3
from botocore.config import Config

from tablecopy.clock import Clock
from tablecopy.control.commands import Commands, NotPossible
from tablecopy.control.executions import Executions
from tablecopy.control.mapping import Mapping
from tablecopy.control.pace import Pace
from tablecopy.control.preflight import Preflight, problems
from tablecopy.control.pulse import Pulse
from tablecopy.control.queue import FailureQueue
from tablecopy.control.reconciler import Parts, Reconciler, reconcile
from tablecopy.control.stream import Stream
from tablecopy.control.survey import survey
from tablecopy.control.tables import destination_lost, source_problems
from tablecopy.control.watch import Watch
from tablecopy.handlers.context import Context, journal, settings
from tablecopy.journal.leases import Leases
from tablecopy.journal.letters import Letters
from tablecopy.journal.marks import Marks
from tablecopy.journal.run import Phase, RunRecord
from tablecopy.journal.segments import Segments
from tablecopy.journal.shards import Shards
from tablecopy.sessions import RoleSession, own_session
from tablecopy.settings import ControlSettings
from tablecopy.wire import Json, Wire

# The schedule calls once a minute: looking for most of it lets phases follow one another within seconds.
_LOOK_FOR_SECONDS = 50.0

# Streams answers LimitExceededException to more than a few calls a second; standard retries wait for that.
_RETRYING = Config(retries={"mode": "standard", "total_max_attempts": 6})

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
_LETTERS = Letters(_STORE, _CLOCK)
_LAMBDA = boto3.client("lambda", config=_RETRYING)
_MAPPING = Mapping(_LAMBDA, _SETTINGS.mapping_uuid)
_EXECUTIONS = Executions(boto3.client("stepfunctions", config=_RETRYING), _SETTINGS.state_machine_arn)
_STREAMS = boto3.client("dynamodbstreams", config=_RETRYING)
_QUEUE = FailureQueue(boto3.client("sqs", config=_RETRYING), _SETTINGS.failure_queue_url)
_PREFLIGHT = Preflight(
    _SOURCE,
    _COMMON.source_table,
    _DESTINATION,
    _COMMON.destination_table,
    _LAMBDA,
    _STREAMS,
    _SETTINGS,
    _SETTINGS.stream_arn,
    _SETTINGS.mapping_uuid,
)
_PULSE = Pulse(_CLOCK, _COMMON.copy_name)
_ACTIONS = ("reconcile", "start", "status", "seal", "redrive", "letters")
_COMMANDS = Commands(
    _RUN, _SEGMENTS, _SHARDS, _LETTERS, _CLOCK, _SETTINGS.stream_arn, _SETTINGS.total_segments
)


def handle(event: Json, context: Context) -> Json:
    """Do what ``{"action": ...}`` says: reconcile, start, status, seal, redrive or letters.

    Letters come with the items' images only if the event says ``"values": true`` as well.

    Returns ``{"status": {...}}`` (see Commands.status), for letters ``{"letters": [...], "count": n}`` (see
    Commands.letters), or ``{"error": text}`` when it cannot be done.
    """
    action = event.get("action")
    try:
        match action:
            case "reconcile":
                return _reconcile()
            case "start":
                return _start()
            case "status":
                return {"status": _COMMANDS.status()}
            case "seal":
                return {"status": _COMMANDS.seal()}
            case "redrive":
                return {"status": _COMMANDS.redrive()}
            case "letters":
                return _COMMANDS.letters(values=event.get("values") is True)
    except NotPossible as impossible:
        return {"error": str(impossible)}
    return {"error": f"unknown action {action!r}; known are {', '.join(_ACTIONS)}"}


def _start() -> Json:
    status = _COMMANDS.start()
    if status["phase"] != Phase.PREFLIGHT:
        return {"status": status}
    # The first answer tells already what is in the way, or what the run will take.
    _reconciler().step()
    return {"status": _COMMANDS.status()}


def _reconcile() -> Json:
    if _SETTINGS.start_on_apply:
        _COMMANDS.begin()
    reconcile(_reconciler(), _CLOCK, _CLOCK.now() + _LOOK_FOR_SECONDS)
    status = _COMMANDS.status()
    _PULSE.beat(status)
    return {"status": status}


def _reconciler() -> Reconciler:
    source_table, destination_table = _COMMON.source_table, _COMMON.destination_table
    stream_arn = _SETTINGS.stream_arn
    stream_problems = partial(source_problems, _SOURCE, source_table, stream_arn)
    parts = Parts(
        run=_RUN,
        segments=_SEGMENTS,
        leases=Leases(_STORE, _CLOCK),
        letters=_LETTERS,
        mapping=_MAPPING,
        executions=_EXECUTIONS,
        stream=Stream(
            _STREAMS, stream_arn, _SHARDS, Marks(_STORE, _CLOCK), _CLOCK, _SETTINGS.drained_after_seconds
        ),
        queue=_QUEUE,
        watch=Watch(
            _CLOCK,
            [
                lambda run: stream_problems(),
                lambda run: destination_lost(_DESTINATION, destination_table, run.destination_id),
            ],
            _LETTERS,
        ),
        preflight=partial(problems, [partial(_MAPPING.problems, stream_arn), *_PREFLIGHT.checks(stream_arn)]),
        survey=partial(survey, _SOURCE, source_table, _DESTINATION, destination_table, _SETTINGS),
        tell_age=_PULSE.age,
    )
    pace = Pace(_SETTINGS.slice_seconds, _SETTINGS.record_age_fraction)
    return Reconciler(parts, _CLOCK, pace, _SETTINGS.concurrency)
