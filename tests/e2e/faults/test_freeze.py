"""An invocation frozen at each of its steps and woken in a later phase writes nothing.

Lambda ends an invocation at its deadline, and the local AWS does the same, so that few of these could ever
wake. Here they do: their handlers run in processes that nobody ends (see `tests.e2e.faults.host`), as if
the fence were all there is. Each is stopped by a signal when the proxy sees the call of its step, control
waits for its lease and moves on, and then it is woken.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import pytest

from local.demo.cities import TABLE_NAME, Item, key_of
from tests.e2e.faults.call import Call
from tests.e2e.faults.faults import Freeze, Hold
from tests.e2e.faults.hosts import Host
from tests.e2e.faults.rules import Rule
from tests.e2e.faults.stand import SEGMENTS, Stand
from tests.e2e.faults.stream import Event, position, records_after
from tests.e2e.faults.table import FaultTable

pytestmark = pytest.mark.terraform

# A writer sends nothing in the last 15 seconds.
SECONDS = 18.0
BATCH = 10
WORKER_STEPS = (
    ("lease put", False),
    ("lease put", True),
    ("run read", False),
    ("segment read", False),
    ("scan", False),
    ("write", False),
    ("write", True),
    ("segment put", False),
    ("segment put", True),
    ("lease delete", False),
)
REPLICATOR_STEPS = (
    ("lease put", False),
    ("lease put", True),
    ("run read", False),
    ("mark (read|query)", False),
    ("write", False),
    ("write", True),
    ("mark put", False),
    ("mark put", True),
    ("lease delete", False),
)


def freezes(who: str, steps: Sequence[tuple[str, bool]], woken: str) -> list[Rule]:
    """A rule for each step: the first invocation that gets there is frozen."""
    assert len(steps) <= SEGMENTS
    return [
        Rule(
            f"{who} frozen {'after' if after else 'before'} {_spoken(step)}, woken {woken}",
            Freeze(after_effect=after),
            f"{who} host",
            step,
            times=1,
        )
        for step, after in steps
    ]


def _spoken(step: str) -> str:
    return {"segment put": "checkpoint", "mark (read|query)": "mark read"}.get(step, step)


def hold_before(phase: str) -> Rule:
    """Keeps control from entering ``phase`` until it is let go."""

    def enters(call: Call) -> bool:
        item: Item = call.body["Item"]
        return bool(item["phase"]["S"] == phase)

    return Rule(f"held before {phase}", Hold(), "control", "run put", where=enters)


class Frozen:
    """Invocations that were stopped, each at another step."""

    def __init__(self, faults: Stand, host: Host, who: str, rules: Sequence[Rule], count: int) -> None:
        self._faults, self._host, self._who, self._rules = faults, host, who, rules
        self._count = count

    def wait(self) -> None:
        """Until every one of them is stopped."""
        for rule in self._rules:
            assert isinstance(rule.fault, Freeze)
            assert rule.fault.frozen.wait(30), f"{rule.name}: nobody got there"

    def wake(self) -> list[dict[str, Any]]:
        """Let all of them go on to their ends. Nothing is written on the way."""
        writes = self._faults.proxy.calls[f"{self._who} host", "write"]
        for rule in self._rules:
            assert isinstance(rule.fault, Freeze)
            rule.fault.wake()
        answers = [self._host.answer() for _ in range(self._count)]
        late = self._faults.proxy.calls[f"{self._who} host", "write"] - writes
        assert late == 0, f"{late} late writes: {answers}"
        return answers


def change_everything(faults: Stand, note: str) -> list[Item]:
    """Change every item at the source and delete each tenth; what any reader has seen before is old now."""
    items = faults.source_items()
    for place, item in enumerate(items):
        if place % 10 == 9:
            faults.source.delete_item(TableName=TABLE_NAME, Key=key_of(item))
        else:
            faults.source.put_item(TableName=TABLE_NAME, Item={**item, "note": {"S": note}})
    return items


def pending_batches(faults: Stand) -> Iterator[Event]:
    """The stream's unapplied records in batches."""
    records = records_after(faults, position(faults))
    for start in range(0, len(records) - BATCH + 1, BATCH):
        yield {"Records": records[start : start + BATCH]}


def in_phase(faults: Stand, *phases: str, **patience: float) -> None:
    faults.wait_for(" or ".join(phases), lambda status: status["phase"] in phases, **patience)


def test_frozen_invocations_write_nothing_when_they_wake(faults: Stand, table: FaultTable) -> None:
    with ExitStack() as stack:
        worker = stack.enter_context(Host(faults, "backfill", "worker host"))
        replicator = stack.enter_context(Host(faults, "replicator", "replicator host"))
        # All changes of earlier runs are applied and marked, so that the batches begin where the marks end.
        faults.start()
        in_phase(faults, "ready")
        faults.reset()

        # Slice 1: nobody but frozen workers.
        faults.let_run("backfill", allowed=False)
        faults.let_run("replicator", allowed=False)
        workers = freezes("worker", WORKER_STEPS, "in a drain")
        pausing, resuming = hold_before("pausing"), hold_before("resuming")
        replicators = freezes("replicator", REPLICATOR_STEPS, "in a slice")
        faults.set_rules([*workers])
        faults.start()
        in_phase(faults, "slice")
        for segment in range(len(workers)):
            worker.invoke({"slice": 1, "segment": segment}, SECONDS)
        frozen = Frozen(faults, worker, "worker", workers, len(workers))
        frozen.wait()
        change_everything(faults, "changed in slice 1")

        # Its leases end, and control drains; held there, with the workers awake and replicators frozen.
        in_phase(faults, "resuming", "draining")
        faults.set_rules([*workers, *replicators, pausing])
        in_phase(faults, "draining")
        frozen.wake()
        batches = pending_batches(faults)
        for _ in replicators:
            replicator.invoke(next(batches), SECONDS)
        frozen = Frozen(faults, replicator, "replicator", replicators, len(replicators))
        frozen.wait()
        change_everything(faults, "changed in the drain")
        faults.let_run("replicator", allowed=True)
        assert isinstance(pausing.fault, Hold)
        assert isinstance(resuming.fault, Hold)
        pausing.fault.held.wait(60)

        # Slice 2: real workers copy, held at its end, with the replicators awake.
        faults.let_run("backfill", allowed=True)
        faults.set_rules([resuming])
        pausing.fault.release()
        in_phase(faults, "slice")
        resuming.fault.held.wait(60)
        assert faults.phase() == "slice"
        frozen.wake()
        resuming.fault.release()
        faults.set_rules([])
        in_phase(faults, "ready")
        faults.assert_equal()
        for rule in [*workers, *replicators]:
            table.add(rule.name, rule.injected, "wrote nothing; ready, equal")

        # Sealed with replicators frozen.
        replicators = freezes("replicator", REPLICATOR_STEPS, "after the seal")
        faults.set_rules(replicators)
        faults.let_run("replicator", allowed=False)
        change_everything(faults, "changed before the seal")
        faults.reconcile()
        in_phase(faults, "draining")
        batches = pending_batches(faults)
        for _ in replicators:
            replicator.invoke(next(batches), SECONDS)
        frozen = Frozen(faults, replicator, "replicator", replicators, len(replicators))
        frozen.wait()
        change_everything(faults, "changed again before the seal")
        faults.let_run("replicator", allowed=True)
        in_phase(faults, "ready")
        faults.copy.function.seal()
        in_phase(faults, "sealed")
        frozen.wake()
        faults.assert_equal()
        for rule in replicators:
            table.add(rule.name, rule.injected, "wrote nothing; sealed, equal")
