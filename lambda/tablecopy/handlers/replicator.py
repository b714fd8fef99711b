"""Lambda entry point of the replicator."""

from __future__ import annotations

import gc

from tablecopy.clock import Clock
from tablecopy.data.pool import WRITERS
from tablecopy.data.replicator import Replicator
from tablecopy.dynamodb.client import Json
from tablecopy.handlers.context import Context, deadline, journal, settings, writer_factory
from tablecopy.journal.applied_batches import Marks
from tablecopy.journal.dead_letters import Letters
from tablecopy.journal.leases import Leases
from tablecopy.journal.run import RunRecord
from tablecopy.metrics.log import MetricsBuffer
from tablecopy.throughput.rate import Unlimited

_CLOCK = Clock()
_SETTINGS = settings()
_STORE = journal(_SETTINGS, connections=WRITERS)
_METRICS = MetricsBuffer(_CLOCK, _SETTINGS.copy_name)
_REPLICATOR = Replicator(
    RunRecord(_STORE),
    Leases(_STORE, _CLOCK),
    Marks(_STORE, _CLOCK),
    Letters(_STORE, _CLOCK),
    # Changes are not held back: what they wait for, they wait for in a stream that keeps them for a day.
    writer_factory(_SETTINGS, _CLOCK, "replicator", Unlimited(_CLOCK), _METRICS),
    _METRICS,
)

# What was loaded until now stays. Looking through all of it again and again took a twentieth of the time.
gc.freeze()


def handle(event: Json, context: Context) -> Json:
    """Apply a batch of stream records; answers with ``batchItemFailures``."""
    try:
        return _REPLICATOR.apply(event["Records"], context.aws_request_id, deadline(context, _CLOCK))
    finally:
        # What was done was done, however this ends.
        _METRICS.publish()
