"""Lambda entry point of the verifier, which compares both tables."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Mapping

from tablecopy.clock import Machine
from tablecopy.dynamodb.client import Json
from tablecopy.handlers.context import Aws, Context, deadline
from tablecopy.journal.run import RunRecord
from tablecopy.journal.shards import Shards
from tablecopy.journal.touched import TrackingRecord
from tablecopy.journal.verifications import Verifications
from tablecopy.metrics.log import MetricsBuffer
from tablecopy.settings import VerifierSettings
from tablecopy.throughput.limits import destination_read_usage, read_limit, read_usage
from tablecopy.verifier.lag import Lag
from tablecopy.verifier.part import Table
from tablecopy.verifier.progress import Progress
from tablecopy.verifier.tables import Tables
from tablecopy.verifier.worker import Worker


def build(
    environ: Mapping[str, str], clock: Machine, aws: Aws | None = None
) -> Callable[[Json, Context], Json]:
    """Return the handler of the function with this environment."""
    settings = VerifierSettings.from_environment(environ)
    aws = aws or Aws()
    store = aws.journal(settings.journal_table)
    verifications = Verifications(store, clock)
    metrics = MetricsBuffer(clock, settings.copy_name)
    budgets = (settings.read_capacity, settings.destination_read_capacity)
    clients = (aws.source(), aws.destination(settings, "verifier"))
    names = (settings.source_table, settings.destination_table)
    usages = (read_usage(metrics, names[0]), destination_read_usage(metrics, names[1]))
    source, destination = (
        Table(client, name, read_limit(clock, budget), usage)
        for client, name, budget, usage in zip(clients, names, budgets, usages, strict=True)
    )
    lag = Lag(RunRecord(store), Shards(store), clock)
    worker = Worker(verifications, (source, destination), budgets, lag, clock)
    progress = Progress(verifications, Tables(clients, names), lag, TrackingRecord(store), clock)

    def handle(event: Json, context: Context) -> Json:
        """Do a step of the verification ``{"verification": id}``.

        With ``"segment": n`` compare a segment, or, with ``"generation": n`` as well, read its open keys
        again; both return ``{"next": ...}`` (worker.Result). Otherwise return what is next
        (progress.Step): ``{"next": ..., "seconds": n, "generation": n}``.
        """
        name, until = event["verification"], deadline(context, clock)
        # Decoded items have no cycles, and looking for some in them took most of the time.
        gc.disable()
        try:
            if "segment" not in event:
                step = progress.advance(name)
                return {"next": step.next.value, "seconds": step.seconds, "generation": step.generation}
            if "generation" in event:
                result = worker.recheck(name, event["segment"], event["generation"], until)
            else:
                result = worker.scan(name, event["segment"], until)
            return {"next": result.value}
        finally:
            # Publish metrics even if the invocation fails.
            metrics.publish()
            gc.enable()

    return handle


handle = build(os.environ, Machine())
