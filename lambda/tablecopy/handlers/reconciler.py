"""Lambda entry point of the reconciler."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial

from tablecopy.clock import Machine
from tablecopy.control.audit import Audits
from tablecopy.control.commands import Commands
from tablecopy.control.estimate import inspect_tables
from tablecopy.control.metrics import RunMetrics, VerificationMetrics
from tablecopy.control.pace import SliceLimits
from tablecopy.control.preflight import Check, Preflight, problems
from tablecopy.control.proof import Proof
from tablecopy.control.reconciler import Reconciler, reconcile
from tablecopy.control.services import Executions, FailureQueue, SourceMapping
from tablecopy.control.steps import Dependencies
from tablecopy.control.stream.notes import SourceNotes
from tablecopy.control.stream.parts import PartReader, Parts, ReaderFailed
from tablecopy.control.stream.progress import RECORDS_KEPT_PER_MB, Stream
from tablecopy.control.tables import TableChecks, destination_lost, source_problems
from tablecopy.dynamodb.client import Json
from tablecopy.dynamodb.streams import StreamClient
from tablecopy.handlers.context import Aws, Context
from tablecopy.journal.applied_batches import AppliedBatches
from tablecopy.journal.dead_letters import DeadLetters
from tablecopy.journal.leases import Leases, Turn
from tablecopy.journal.run import Run, RunRecord
from tablecopy.journal.segments import Segments
from tablecopy.journal.shards import Shards
from tablecopy.journal.touched import TrackingRecord
from tablecopy.journal.verifications import Verifications
from tablecopy.metrics import log
from tablecopy.settings import ReconcilerSettings
from tablecopy.text import epoch

# The schedule calls once a minute. Reconciling for most of it lets phases follow each other within seconds.
_RECONCILE_SECONDS = 55.0

# A cutover is not interrupted. The function may run for two minutes (modules/control).
_CUTOVER_SECONDS = 105.0


def build(
    environ: Mapping[str, str], clock: Machine, aws: Aws | None = None
) -> Callable[[Json, Context], Json]:
    """Return the handler of the function with this environment."""
    settings = ReconcilerSettings.from_environment(environ)
    aws = aws or Aws()
    store = aws.journal(settings.journal_table)
    run, segments, shards = RunRecord(store), Segments(store), Shards(store)
    letters, leases = DeadLetters(store, clock), Leases(store, clock)
    source, destination = aws.source(), aws.destination(settings, "reconciler")
    source_table, destination_table = settings.source_table, settings.destination_table
    lambda_, stream_arn = aws.lambda_(), settings.stream_arn
    # These live as long as the execution environment. What they know of AWS ages, and what they know of the
    # journal is compared with its versions.
    streams = aws.streams()
    records_kept = settings.aws_lambda_function_memory_size * RECORDS_KEPT_PER_MB
    # Few copies need this client.
    invocations = cache(aws.invocations)

    def invoke(event: Json) -> Json:
        """Invoke this function to read a part of the shards, and return what it returns."""
        answer = invocations().invoke(
            FunctionName=settings.aws_lambda_function_name,
            InvocationType="RequestResponse",
            Payload=json.dumps(event).encode(),
        )
        payload: Json = json.loads(answer["Payload"].read())
        if answer.get("FunctionError"):
            raise ReaderFailed(f"a reader of the reconciler has failed: {payload.get('errorType')}")
        return payload

    part_reader = PartReader(streams, stream_arn, store, clock, records_kept)
    parts = Parts(invoke, clock, settings.shards_per_reader)
    stream = Stream(
        StreamClient(streams, stream_arn, clock),
        shards,
        AppliedBatches(store, clock),
        SourceNotes(store, clock),
        clock,
        settings.drained_after_seconds,
        records_kept,
        parts if settings.aws_lambda_function_name else None,
    )
    mapping = SourceMapping(lambda_, settings.mapping_uuid, clock)
    executions = Executions(aws.states(), settings.state_machine_arn, clock)
    queue = FailureQueue(aws.queues(), settings.failure_queue_url)
    preflight = Preflight(
        source,
        source_table,
        destination,
        destination_table,
        lambda_,
        lambda: stream.open_shards,
        settings,
        stream_arn,
        settings.mapping_uuid,
    )
    stream_problems = partial(source_problems, source, source_table, stream_arn)
    proof = Proof(store, clock)
    audits = Audits(run, Verifications(store, clock), TrackingRecord(store), clock)
    begin_at = epoch(settings.begin_at_seal) if settings.begin_at_seal else 0.0
    metrics = RunMetrics(clock, settings.copy_name)
    verification_metrics = VerificationMetrics(Verifications(store, clock), clock, settings.copy_name)
    commands = Commands(
        run,
        segments,
        shards,
        letters,
        clock,
        stream_arn,
        settings.total_segments,
        settings.drained_after_seconds,
    )

    def reconciler() -> Reconciler:
        stream.begin()

        def preflight_problems(run: Run) -> list[str]:
            checks: list[Check] = [partial(mapping.problems, stream_arn)]
            # A copy that begins at a seal expects the items that both tables hold.
            confirmed = run.confirmed or bool(begin_at)
            checks += replace(preflight, confirmed=confirmed).checks(stream_arn)
            # Only a slice needs the last two, and would fail if they cannot be reached.
            checks += [executions.problems, queue.problems]
            return problems(checks, clock)

        dependencies = Dependencies(
            run=run,
            segments=segments,
            leases=leases,
            dead_letters=letters,
            mapping=mapping,
            executions=executions,
            stream=stream,
            queue=queue,
            tables=TableChecks(
                clock,
                [
                    lambda run: stream_problems(),
                    lambda run: destination_lost(destination, destination_table, run.destination_id),
                    lambda run: mapping.lost(),
                ],
                letters,
            ),
            preflight=preflight_problems,
            inspect_tables=partial(
                inspect_tables, source, source_table, destination, destination_table, settings
            ),
            publish_age=metrics.publish_age,
            proof=proof,
        )
        limits = SliceLimits(settings.slice_seconds, settings.record_age_fraction)
        return Reconciler(dependencies, clock, limits, settings.concurrency, begin_at)

    def handle(event: Json, context: Context) -> Json:
        """Move the run until nothing moves by itself, for most of a minute at most.

        If another invocation reconciles, this one waits for it, unless ``event`` has ``"wait": false``.
        Returns ``{"status": {...}}`` (see control.status.Status), or ``{"skipped": text}`` if the other one
        does not end in time. With ``{"read": text}``, it only reads shards for another invocation, and
        returns ``{"read": text}`` (see control.stream.parts). Nothing else of ``event`` is used.
        """
        if "read" in event:
            return {"read": part_reader.read(event["read"])}
        began = clock.now()
        turn = Turn(store, clock, context.aws_request_id)
        if not turn.wait(began + _RECONCILE_SECONDS if event.get("wait", True) else began):
            log.event("turn_taken")
            return {"skipped": "another invocation of the reconciler is running"}
        try:
            if settings.start_on_apply:
                commands.begin()
            until, cutover_until = began + _RECONCILE_SECONDS, began + _CUTOVER_SECONDS
            reconcile(reconciler(), clock, until, cutover_until, turn.take)
        finally:
            turn.give_back()
        audits.settle()
        status = commands.status()
        metrics.publish(status)
        verification_metrics.publish()
        return {"status": status}

    return handle


handle = build(os.environ, Machine())
