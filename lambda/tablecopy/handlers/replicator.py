"""Lambda entry point of the replicator."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Mapping

from tablecopy.clock import Machine
from tablecopy.data.replicator import Replicator
from tablecopy.data.writer import WRITERS
from tablecopy.dynamodb.client import Json
from tablecopy.handlers.context import Aws, Context, deadline, writer_factory
from tablecopy.journal.applied_batches import AppliedBatches
from tablecopy.journal.dead_letters import DeadLetters
from tablecopy.journal.leases import Leases
from tablecopy.journal.run import RunRecord
from tablecopy.metrics.log import MetricsBuffer
from tablecopy.settings import DestinationSettings
from tablecopy.throughput.rate import Unlimited


def build(
    environ: Mapping[str, str], clock: Machine, aws: Aws | None = None, writers: int = WRITERS
) -> Callable[[Json, Context], Json]:
    """Return the handler of the function with this environment, with ``writers`` writes at the same time."""
    settings = DestinationSettings.from_environment(environ)
    aws = aws or Aws()
    store = aws.journal(settings.journal_table)
    metrics = MetricsBuffer(clock, settings.copy_name)
    replicator = Replicator(
        RunRecord(store),
        Leases(store, clock),
        AppliedBatches(store, clock),
        DeadLetters(store, clock),
        # Changes are not limited. What they wait for, they wait for in a stream that keeps them for a day.
        writer_factory(
            aws.destination(settings, "replicator"),
            settings.destination_table,
            Unlimited(clock),
            metrics,
            clock,
        ),
        metrics,
        clock,
        writers,
    )

    def handle(event: Json, context: Context) -> Json:
        """Apply a batch of stream records; return ``batchItemFailures``."""
        try:
            return replicator.apply(event["Records"], context.aws_request_id, deadline(context, clock))
        finally:
            # Publish metrics even if the invocation fails.
            metrics.publish()

    return handle


handle = build(os.environ, Machine())

# Everything loaded so far stays. Searching it again and again took a twentieth of the time.
gc.freeze()
