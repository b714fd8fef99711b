"""The faults of the proxy, by the run they share. Each rule is a row of the fault table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.e2e.faults.call import Call
from tests.e2e.faults.faults import (
    CutAfter,
    CutBefore,
    Expire,
    FailAfterEffect,
    Freeze,
    Kill,
    Refuse,
    Slow,
    Truncate,
    Unprocessed,
    throttle,
)
from tests.e2e.faults.rules import Rule

WRITERS = "backfill|replicator"
JOURNAL = "(run|segment|lease|batch|shard|letter|letter-image) .*"

# Rows of what is done to a run by hand.
STATE_MACHINE_STOPPED = "state machine's execution stopped by hand"
TWO_STARTS = "two runs started at the same time"
DELIVERED_AGAIN = "old batches delivered again, as they were and recut"
DESTINATION_DELETED = "destination table deleted under a run"
STREAM_SWITCHED = "stream switched off and on under a run"
ITEM_REFUSED = "item of the backfill permanently rejected"
RECORD_REFUSED = "record of the stream permanently rejected"
LETTERS_REDRIVEN = "dead letters redriven after the table accepts them"
BY_HAND = (
    STATE_MACHINE_STOPPED,
    TWO_STARTS,
    DELIVERED_AGAIN,
    ITEM_REFUSED,
    RECORD_REFUSED,
    LETTERS_REDRIVEN,
    DESTINATION_DELETED,
    STREAM_SWITCHED,
)

# Longer than a writer waits for an answer.
NO_ANSWER_SECONDS = 9.0


@dataclass(frozen=True)
class Scenario:
    """Faults that do not hide each other, injected into one run.

    ``seconds`` is for how long the writers go on after the backfill, waiting for every rule to be spent.
    """

    name: str
    rules: Callable[[], list[Rule]]
    seconds: float = 15.0


def _throttles() -> list[Rule]:
    return [
        Rule("write throttled (ProvisionedThroughputExceededException)", throttle(), WRITERS, "write",
             chance=0.2, times=8),
        Rule("write throttled (ThrottlingException)", throttle("ThrottlingException"), WRITERS, "write",
             chance=0.2, times=5),
        Rule("write throttled (RequestLimitExceeded)", throttle("RequestLimitExceeded"), WRITERS, "write",
             chance=0.2, times=3),
        Rule("scan throttled", throttle(), "backfill", "scan", chance=0.5, times=4),
        Rule("stream throttled for the reconciler", throttle("LimitExceededException"), "reconciler",
             "GetRecords", chance=0.4, times=5),
        # Of these there are few calls, and chance might spoil none.
        Rule("Lambda's API throttled for the reconciler", Refuse("TooManyRequestsException", 429),
             "reconciler", "(GET|PUT) .*event-source-mappings.*", skip=1, times=2),
        Rule("Step Functions throttled for the reconciler", throttle("ThrottlingException"), "reconciler",
             "StartExecution|DescribeExecution", times=2),
        Rule("some items unprocessed", Unprocessed(0.4), WRITERS, "write", chance=0.3, times=10),
        Rule("all items unprocessed", Unprocessed(1.0), WRITERS, "write", chance=0.3, times=6),
    ]  # fmt: skip


def _errors() -> list[Rule]:
    return [
        Rule("write answered with 500", Refuse("InternalServerError", 500), WRITERS, "write",
             chance=0.2, times=8),
        Rule("write answered with 503", Refuse("ServiceUnavailable", 503), WRITERS, "write",
             chance=0.1, times=4),
        Rule("write took effect, answered with 500", FailAfterEffect(), WRITERS, "write",
             chance=0.2, times=8),
        Rule("scan answered with 500", Refuse("InternalServerError", 500), "backfill", "scan",
             chance=0.4, times=4),
        Rule("journal answered with 500", Refuse("InternalServerError", 500), step=JOURNAL,
             chance=0.1, times=12),
        Rule("the reconciler's other services answered with 500", Refuse("InternalServerError", 500),
             "reconciler",
             "GetRecords|DescribeStream|DescribeTable|GetQueueAttributes|.*Execution|(GET|PUT) .*",
             chance=0.15, times=8),
        Rule("assuming the destination's role answered with 500", Refuse("ServiceUnavailable", 500),
             step="AssumeRole", times=2),
    ]  # fmt: skip


def _journal() -> list[Rule]:
    return [
        Rule("journal throttled", throttle(), step=JOURNAL, chance=0.15, times=40),
        # botocore gives up after five attempts, so that the function fails.
        Rule("journal throttled until the worker fails", throttle(), "backfill", "segment put",
             skip=2, times=6),
        Rule("journal throttled until the replicator fails", throttle(), "replicator", "batch put",
             skip=1, times=6),
        Rule("journal throttled until the reconciler fails", throttle(), "reconciler", "run put",
             skip=2, times=6),
        Rule("journal's answer lost after a put", CutAfter(),
             step="(run|segment|lease|batch|shard) put", chance=0.4, times=8),
        Rule("journal's answer lost after a delete", CutAfter(), step="lease delete", chance=0.3, times=3),
        Rule("journal's answer cut short", Truncate(), step="(run|segment|batch) read|lease query",
             chance=0.2, times=5),
    ]  # fmt: skip


def _connections() -> list[Rule]:
    return [
        Rule("write cut before it took effect", CutBefore(), WRITERS, "write", chance=0.2, times=4),
        Rule("write cut after it took effect", CutAfter(), WRITERS, "write", chance=0.2, times=4),
        Rule("write's answer cut short", Truncate(), WRITERS, "write", chance=0.2, times=4),
        Rule("write's answer slow", Slow(1.0), WRITERS, "write", chance=0.3, times=6),
        Rule("write's answer slower than the timeout", Slow(NO_ANSWER_SECONDS), WRITERS, "write",
             skip=10, times=1),
        Rule("scan cut", CutBefore(), "backfill", "scan", chance=0.3, times=2),
        Rule("scan's answer cut short", Truncate(), "backfill", "scan", chance=0.3, times=2),
        Rule("the reconciler's calls cut after they took effect", CutAfter(), "reconciler",
             "StartExecution|PUT .*event-source-mappings.*", times=2),
    ]  # fmt: skip


def _reconciler() -> list[Rule]:
    return _kills("reconciler", "reconciler", _RECONCILER_STEPS)


def _sessions() -> list[Rule]:
    return [
        Rule("worker's session in the destination account expired", Expire(4), "backfill", "write"),
        Rule("replicator's session in the destination account expired", Expire(1), "replicator", "write"),
        Rule("the reconciler's session in the destination account expired", Expire(1), "reconciler",
             "scan|Describe.*", where=_in_destination),
    ]  # fmt: skip


def _in_destination(call: Call) -> bool:
    return call.table == "cities-copy"


SCENARIOS = (
    Scenario("errors", lambda: [*_throttles(), *_errors()]),
    Scenario("journal", _journal),
    Scenario("connections", _connections),
    Scenario("sessions", lambda: [*_sessions(), *_reconciler()]),
)

_WORKER_STEPS = (
    ("lease put", (False, True)),
    ("run read", (False,)),
    ("segment read", (False,)),
    ("scan", (False,)),
    ("write", (False, True)),
    ("segment put", (False, True)),
    ("lease delete", (False, True)),
)
_REPLICATOR_STEPS = (
    ("lease put", (False,)),
    ("run read", (False,)),
    ("batch read", (False,)),
    ("write", (False, True)),
    ("batch put", (False, True)),
    ("lease delete", (False, True)),
)
_RECONCILER_STEPS = (("run put", (False, True)), ("StartExecution", (False, True)), ("shard put", (True,)))


def worker_kills() -> list[Rule]:
    """The worker's process killed once at each step of its loop."""
    return _kills("worker", "worker host", _WORKER_STEPS)


def replicator_kills() -> list[Rule]:
    """The replicator's process killed once at each step of a batch."""
    return _kills("replicator", "replicator host", _REPLICATOR_STEPS)


def _kills(name: str, function: str, steps: Sequence[tuple[str, Sequence[bool]]]) -> list[Rule]:
    return [
        Rule(
            f"{name} killed {'after' if after else 'before'} {_spoken(step)}",
            Kill(after_effect=after),
            function,
            step,
            skip=_skipped(step),
            times=1,
        )
        for step, moments in steps
        for after in moments
    ]


def _skipped(step: str) -> int:
    """How many calls come before the one that is meant: a segment's first worker writes its item first."""
    return 1 if step == "segment put" else 0


def _spoken(step: str) -> str:
    """A step as the table calls it."""
    spoken = {
        "segment put": "checkpoint",
        "StartExecution": "start of the execution",
    }
    return spoken.get(step, step)


IN_A_DRAIN = "in a drain"
IN_THE_DRAIN = "in the same drain, its records and newer ones applied"
IN_A_SLICE = "in a slice"
AFTER_THE_SEAL = "after the seal"

_FROZEN_WORKER_STEPS = (
    ("lease put", (False, True)),
    ("run read", (False,)),
    ("segment read", (False,)),
    ("scan", (False,)),
    ("write", (False, True)),
    ("segment put", (False, True)),
    ("lease delete", (False,)),
)
_FROZEN_REPLICATOR_STEPS = (
    ("lease put", (False, True)),
    ("run read", (False,)),
    ("batch read", (False,)),
    ("write", (False, True)),
    ("batch put", (False, True)),
    ("lease delete", (False,)),
)
_BEFORE_WRITING = ("lease put", "run read", "batch read")


def worker_freezes(woken: str) -> list[Rule]:
    """One invocation of a worker frozen at each step of its loop."""
    return _freezes("worker", _FROZEN_WORKER_STEPS, woken)


def replicator_freezes(woken: str) -> list[Rule]:
    """One invocation of the replicator frozen at each step of a batch."""
    return _freezes("replicator", _FROZEN_REPLICATOR_STEPS, woken)


def late_replicator_freezes(woken: str) -> list[Rule]:
    """Invocations of the replicator that have written nothing yet and, when woken, still may by the phase."""
    return _freezes("replicator", [(step, (False,)) for step in _BEFORE_WRITING], woken)


def _freezes(who: str, steps: Sequence[tuple[str, Sequence[bool]]], woken: str) -> list[Rule]:
    return [
        Rule(
            f"{who} frozen {'after' if after else 'before'} {_spoken(step)}, woken {woken}",
            Freeze(after_effect=after),
            f"{who} host",
            step,
            skip=_skipped(step),
            times=1,
        )
        for step, moments in steps
        for after in moments
    ]


def all_faults() -> list[str]:
    """Every row of the fault table but the soak's."""
    rules = [rule for scenario in SCENARIOS for rule in scenario.rules()]
    rules += [*worker_kills(), *replicator_kills(), *worker_freezes(IN_A_DRAIN)]
    rules += [
        *late_replicator_freezes(IN_THE_DRAIN),
        *replicator_freezes(IN_A_SLICE),
        *replicator_freezes(AFTER_THE_SEAL),
    ]
    return [*(rule.name for rule in rules), *BY_HAND]
