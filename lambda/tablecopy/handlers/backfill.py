"""Lambda entry point of the backfill."""

from __future__ import annotations

from tablecopy.backfill import Worker
from tablecopy.clock import Clock
from tablecopy.handlers.context import Context, deadline, journal, settings, writer_factory
from tablecopy.journal.leases import Leases
from tablecopy.journal.run import RunRecord
from tablecopy.journal.segments import Segments
from tablecopy.sessions import own_session
from tablecopy.wire import Json, Wire

_CLOCK = Clock()
_SETTINGS = settings()
_STORE = journal(_SETTINGS)
_WORKER = Worker(
    RunRecord(_STORE),
    Leases(_STORE, _CLOCK),
    Segments(_STORE),
    Wire(own_session()),
    _SETTINGS.source_table,
    writer_factory(_SETTINGS, _CLOCK, "backfill"),
    _CLOCK,
)


def handle(event: Json, context: Context) -> Json:
    """Copy a stretch of the segment in ``{"slice": n, "segment": n}``; answers with ``{"next": ...}``."""
    following = _WORKER.copy(
        event["segment"], event["slice"], context.aws_request_id, deadline(context, _CLOCK)
    )
    return {"next": following.value}
