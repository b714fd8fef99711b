"""Lambda entry point of the replicator."""

from __future__ import annotations

from tablecopy.clock import Clock
from tablecopy.handlers.context import Context, deadline, journal, settings, writer_factory
from tablecopy.journal.leases import Leases
from tablecopy.journal.marks import Marks
from tablecopy.journal.run import RunRecord
from tablecopy.replicator import Replicator
from tablecopy.wire import Json

_CLOCK = Clock()
_SETTINGS = settings()
_STORE = journal(_SETTINGS)
_REPLICATOR = Replicator(
    RunRecord(_STORE),
    Leases(_STORE, _CLOCK),
    Marks(_STORE, _CLOCK),
    writer_factory(_SETTINGS, _CLOCK, "replicator"),
)


def handle(event: Json, context: Context) -> Json:
    """Apply a batch of stream records; answers with ``batchItemFailures``."""
    return _REPLICATOR.apply(event["Records"], context.aws_request_id, deadline(context, _CLOCK))
