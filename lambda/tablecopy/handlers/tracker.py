"""Lambda entry point of the tracker, which notes and rechecks keys that are written."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Mapping

from tablecopy.clock import Machine
from tablecopy.dynamodb.client import DynamoDB, Json
from tablecopy.handlers.context import Aws, Context
from tablecopy.journal.leases import TRACKER, Turn
from tablecopy.metrics import log
from tablecopy.metrics.definitions import (
    COPY,
    TOUCHED_DIFFERENCES,
    TOUCHED_KEYS_LEFT,
    VERIFIED_THROUGH_AGE,
)
from tablecopy.metrics.log import PUBLISH_EVERY_SECONDS, MetricsBuffer
from tablecopy.settings import VerifierSettings
from tablecopy.throughput.limits import read_limit, read_usage
from tablecopy.tracker.auditor import Auditor
from tablecopy.tracker.tracker import Found, Tracker
from tablecopy.verifier.part import Table

# The schedule calls once a minute. Keys are rechecked for most of it.
_TRACK_SECONDS = 55.0

# A cutover is not interrupted. The function may run for two minutes (modules/tracker), and a step takes up to
# 13 seconds.
_CUTOVER_SECONDS = 100.0

# From one step to the next, and the same while writers wait.
_EVERY_SECONDS, _CUTOVER_EVERY_SECONDS = 1.0, 0.5


Handler = Callable[[Json, Context], Json]


def build(environ: Mapping[str, str], clock: Machine, aws: Aws | None = None) -> Handler:
    """Return the handler of the function with this environment."""
    settings = VerifierSettings.from_environment(environ)
    aws = aws or Aws()
    store = aws.journal(settings.journal_table)
    metrics = MetricsBuffer(clock, settings.copy_name)
    budgets = (settings.read_capacity, settings.destination_read_capacity)
    clients = (aws.source(), aws.destination(settings, "tracker"))
    names = (settings.source_table, settings.destination_table)
    source, destination = (
        Table(client, name, read_limit(clock, budget), read_usage(metrics, name))
        for client, name, budget in zip(clients, names, budgets, strict=True)
    )

    def streams() -> DynamoDB:
        return aws.destination_streams(settings, "tracker")

    # They live as long as the execution environment, and compare what they know with the journal's versions.
    auditor = Auditor(store, streams, clock)
    tracker = Tracker(store, (source, destination), budgets, streams, clock)

    def publish(found: Found) -> None:
        values = {
            TOUCHED_KEYS_LEFT: found.left,
            TOUCHED_DIFFERENCES: found.standing,
            VERIFIED_THROUGH_AGE: found.verified_age,
        }
        log.metrics({COPY: settings.copy_name}, values, clock.now())
        metrics.publish()

    def track(turn: Turn, began: float) -> Json:
        published = 0.0
        found = None

        def ends() -> float:
            return began + (_CUTOVER_SECONDS if tracker.is_cutting_over else _TRACK_SECONDS)

        def is_over() -> bool:
            now = clock.now()
            # A request since the latest step is not left to another environment, which knows less.
            return now >= ends() and (now >= began + _CUTOVER_SECONDS or not tracker.finds_cutover())

        while not is_over() and turn.take():
            step_began = clock.now()
            latest = tracker.step()
            # Keys are tracked before the seal, and audits are after it.
            if latest is None and not auditor.step():
                break
            found = latest or found
            if found is not None and clock.now() - published >= PUBLISH_EVERY_SECONDS:
                published = clock.now()
                publish(found)
            every = _CUTOVER_EVERY_SECONDS if tracker.is_cutting_over else _EVERY_SECONDS
            clock.sleep(max(0.0, step_began + every - clock.now()))
        return {} if found is None else {"left": found.left, "standing": found.standing}

    def handle(event: Json, context: Context) -> Json:
        """Note and recheck keys for most of a minute, while they are tracked, or read for an audit.

        If another invocation tracks, this one waits for it, unless ``event`` has ``"wait": false``. Returns
        the keys left and the differences that stand, ``{"left": n, "standing": n}``; ``{}`` if nothing is
        tracked, or ``{"skipped": text}`` if the other one does not end in time.
        """
        began = clock.now()
        turn = Turn(store, clock, context.aws_request_id, TRACKER)
        if not turn.wait(began + _TRACK_SECONDS if event.get("wait", True) else began):
            log.event("turn_taken")
            return {"skipped": "another invocation of the tracker is running"}
        # Decoded items have no cycles, and looking for some in them took most of the time.
        gc.disable()
        try:
            return track(turn, began)
        finally:
            turn.give_back()
            # Publish metrics even if the invocation fails.
            metrics.publish()
            gc.enable()

    return handle


handle = build(os.environ, Machine())
