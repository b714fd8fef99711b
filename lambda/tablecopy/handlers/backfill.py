"""Lambda entry point of the backfill."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Mapping

from tablecopy.clock import Machine
from tablecopy.data.backfill import Worker
from tablecopy.data.dead_letters import Redrive
from tablecopy.data.slices import SliceGuard, SliceId
from tablecopy.data.writer import WRITERS
from tablecopy.dynamodb.client import Json
from tablecopy.handlers.context import Aws, Context, deadline, writer_factory
from tablecopy.journal.dead_letters import DEAD_LETTER_SEGMENT, DeadLetters
from tablecopy.journal.leases import Leases
from tablecopy.journal.run import RunRecord
from tablecopy.journal.segments import Segments
from tablecopy.metrics.log import MetricsBuffer
from tablecopy.settings import BackfillSettings
from tablecopy.throughput.limits import WorkerLimits


def build(
    environ: Mapping[str, str], clock: Machine, aws: Aws | None = None, writers: int = WRITERS
) -> Callable[[Json, Context], Json]:
    """Return the handler of the function with this environment, with ``writers`` writes at the same time."""
    settings = BackfillSettings.from_environment(environ)
    aws = aws or Aws()
    store, source, table = aws.journal(settings.journal_table), aws.source(), settings.source_table
    letters = DeadLetters(store, clock)
    metrics = MetricsBuffer(clock, settings.copy_name)
    limits = WorkerLimits(clock, settings.read_capacity, settings.write_capacity)
    writer_for = writer_factory(
        aws.destination(settings, "backfill"), settings.destination_table, limits.write, metrics, clock
    )
    guard = SliceGuard(RunRecord(store), Leases(store, clock), limits, writer_for, clock)
    worker = Worker(guard, Segments(store), letters, source, table, metrics, clock, writers)
    redrive = Redrive(guard, letters, source, table, metrics)

    def handle(event: Json, context: Context) -> Json:
        """Copy a part of a segment, or redrive dead letters; return ``{"next": ...}`` (slices.WorkerResult).

        ``event`` is ``{"run": id, "slice": n, "segment": n}``, for dead letters with DEAD_LETTER_SEGMENT.
        """
        slice_id = SliceId(event["run"], event["slice"])
        until = deadline(context, clock)
        try:
            if event["segment"] == DEAD_LETTER_SEGMENT:
                result = redrive.settle(slice_id, context.aws_request_id, until)
            else:
                result = worker.copy(event["segment"], slice_id, context.aws_request_id, until)
        finally:
            # Publish metrics even if the invocation fails.
            metrics.publish()
        return {"next": result.value}

    return handle


handle = build(os.environ, Machine())

# Everything loaded so far stays. Searching it again and again took a twentieth of the time.
gc.freeze()
