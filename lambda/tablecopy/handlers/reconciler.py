"""Lambda entry point of the reconciler."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial

from tablecopy.clock import Clock
from tablecopy.control.commands import Commands
from tablecopy.control.executions import Executions
from tablecopy.control.mapping import Mapping
from tablecopy.control.metrics import Pulse
from tablecopy.control.pace import Pace
from tablecopy.control.preflight import Check, Preflight, problems
from tablecopy.control.queue import FailureQueue
from tablecopy.control.reach import reached
from tablecopy.control.reconciler import Parts, Reconciler, reconcile
from tablecopy.control.stream.progress import Stream
from tablecopy.control.survey import survey
from tablecopy.control.table_checks import Watch
from tablecopy.control.tables import destination_lost, source_problems
from tablecopy.dynamodb.client import Json
from tablecopy.handlers.context import Aws, Context
from tablecopy.journal.applied_batches import AppliedBatches
from tablecopy.journal.dead_letters import DeadLetters
from tablecopy.journal.leases import Leases, Turn
from tablecopy.journal.run import Run, RunRecord
from tablecopy.journal.segments import Segments
from tablecopy.journal.shards import Shards
from tablecopy.metrics import log
from tablecopy.settings import ReconcilerSettings

# The schedule calls once a minute: looking for most of it lets phases follow one another within seconds.
_LOOK_FOR_SECONDS = 50.0

_CLOCK = Clock()
_SETTINGS = ReconcilerSettings.from_environment(os.environ)
_AWS = Aws()
_STORE = _AWS.journal(_SETTINGS.journal_table)
_SOURCE = _AWS.source()
_DESTINATION = _AWS.destination(_SETTINGS, "reconciler")
_RUN = RunRecord(_STORE)
_SEGMENTS = Segments(_STORE)
_SHARDS = Shards(_STORE)
_LETTERS = DeadLetters(_STORE, _CLOCK)
_LAMBDA = _AWS.lambda_()
_STATES = _AWS.states()
_STREAMS = _AWS.streams()
_QUEUE = FailureQueue(_AWS.queues(), _SETTINGS.failure_queue_url)
_PREFLIGHT = Preflight(
    _SOURCE,
    _SETTINGS.source_table,
    _DESTINATION,
    _SETTINGS.destination_table,
    _LAMBDA,
    _STREAMS,
    _SETTINGS,
    _SETTINGS.stream_arn,
    _SETTINGS.mapping_uuid,
)
_PULSE = Pulse(_CLOCK, _SETTINGS.copy_name)
_COMMANDS = Commands(
    _RUN,
    _SEGMENTS,
    _SHARDS,
    _LETTERS,
    _CLOCK,
    _SETTINGS.stream_arn,
    _SETTINGS.total_segments,
    _SETTINGS.drained_after_seconds,
)


def handle(event: Json, context: Context) -> Json:
    """Look at the run until nothing moves by itself, for most of a minute at the longest.

    ``event`` is not looked at. Returns ``{"status": {...}}`` (see Commands.status), or
    ``{"skipped": text}`` when another invocation is looking.
    """
    turn = Turn(_STORE, _CLOCK, context.aws_request_id)
    if not turn.take():
        log.event("turn_taken")
        return {"skipped": "another invocation of the reconciler is looking at the run"}
    try:
        if _SETTINGS.start_on_apply:
            _COMMANDS.begin()
        reconcile(_reconciler(), _CLOCK, _CLOCK.now() + _LOOK_FOR_SECONDS, turn.take)
    finally:
        turn.give_back()
    status = _COMMANDS.status()
    _PULSE.beat(status)
    return {"status": status}


def _reconciler() -> Reconciler:
    # Made for each invocation: what one has seen of AWS is not to be relied on by the next.
    source_table, destination_table = _SETTINGS.source_table, _SETTINGS.destination_table
    stream_arn = _SETTINGS.stream_arn
    mapping = Mapping(_LAMBDA, _SETTINGS.mapping_uuid, _CLOCK)
    executions = Executions(_STATES, _SETTINGS.state_machine_arn, _CLOCK)
    stream_problems = partial(source_problems, _SOURCE, source_table, stream_arn)

    def preflight(run: Run) -> list[str]:
        checks = replace(_PREFLIGHT, confirmed=run.confirmed).checks(stream_arn)
        # The last two are not needed before a slice, and would fail there if they cannot be reached.
        services: list[Check] = [partial(mapping.problems, stream_arn), *checks]
        services += [executions.problems, _QUEUE.problems]
        return problems([reached(check) for check in services])

    parts = Parts(
        run=_RUN,
        segments=_SEGMENTS,
        leases=Leases(_STORE, _CLOCK),
        letters=_LETTERS,
        mapping=mapping,
        executions=executions,
        stream=Stream(
            _STREAMS,
            stream_arn,
            _SHARDS,
            AppliedBatches(_STORE, _CLOCK),
            _CLOCK,
            _SETTINGS.drained_after_seconds,
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
        preflight=preflight,
        survey=partial(survey, _SOURCE, source_table, _DESTINATION, destination_table, _SETTINGS),
        tell_age=_PULSE.age,
    )
    pace = Pace(_SETTINGS.slice_seconds, _SETTINGS.record_age_fraction)
    return Reconciler(parts, _CLOCK, pace, _SETTINGS.concurrency)
