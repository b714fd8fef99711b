"""Lambda entry point of the backfill."""

from __future__ import annotations

import gc

from tablecopy.clock import Clock
from tablecopy.data.backfill import Worker
from tablecopy.data.pool import WRITERS
from tablecopy.data.redrive import Redrive
from tablecopy.dynamodb.client import DynamoDBClient, Json
from tablecopy.dynamodb.sessions import own_session
from tablecopy.handlers.context import Context, budgets, deadline, journal, settings, writer_factory
from tablecopy.journal.dead_letters import LETTERS, Letters
from tablecopy.journal.leases import Leases
from tablecopy.journal.run import RunRecord
from tablecopy.journal.segments import Segments
from tablecopy.metrics.log import MetricsBuffer
from tablecopy.throughput.limits import WorkerLimits

_CLOCK = Clock()
_SETTINGS = settings()
_STORE = journal(_SETTINGS, connections=WRITERS)
_RUN = RunRecord(_STORE)
_LEASES = Leases(_STORE, _CLOCK)
_LETTERS = Letters(_STORE, _CLOCK)
_SOURCE = DynamoDBClient(own_session())
_METRICS = MetricsBuffer(_CLOCK, _SETTINGS.copy_name)
_LIMITS = WorkerLimits(_CLOCK, *budgets())
_WRITER_FOR = writer_factory(_SETTINGS, _CLOCK, "backfill", _LIMITS.write, _METRICS)
_WORKER = Worker(
    _RUN,
    _LEASES,
    Segments(_STORE),
    _LETTERS,
    _SOURCE,
    _SETTINGS.source_table,
    _LIMITS,
    _WRITER_FOR,
    _METRICS,
    _CLOCK,
)
_REDRIVE = Redrive(
    _RUN, _LEASES, _LETTERS, _SOURCE, _SETTINGS.source_table, _LIMITS, _WRITER_FOR, _METRICS, _CLOCK
)

# What was loaded until now stays. Looking through all of it again and again took a twentieth of the time.
gc.freeze()


def handle(event: Json, context: Context) -> Json:
    """Copy a stretch of a segment, or settle dead letters; answers with ``{"next": ...}`` (backfill.Next).

    ``event`` is ``{"slice": n, "segment": n}``, or ``{"slice": n, "segment": "letters"}``.
    """
    until = deadline(context, _CLOCK)
    try:
        if event["segment"] == LETTERS:
            following = _REDRIVE.settle(event["slice"], context.aws_request_id, until)
        else:
            following = _WORKER.copy(event["segment"], event["slice"], context.aws_request_id, until)
    finally:
        # What was done was done, however this ends.
        _METRICS.publish()
    return {"next": following.value}
