"""An invocation frozen at each of its steps and woken in a later phase writes nothing, and one that was
killed is made up for.

Lambda ends an invocation at its deadline, and the local AWS does the same, so that few of the frozen ones
could ever wake. Here they do: their handlers run in processes that nobody ends (see
`tests.e2e.faults.host`), as if the fence were all there is. Each is stopped by a signal when the proxy
sees the call of its step, control waits for its lease and moves on, and then it is woken.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

import pytest

from tests.e2e.faults.faults import Catch, Freeze, Hold
from tests.e2e.faults.hosts import Host
from tests.e2e.faults.rules import Rule
from tests.e2e.faults.runs import EQUAL, note
from tests.e2e.faults.scenarios import (
    AFTER_THE_SEAL,
    IN_A_DRAIN,
    IN_A_SLICE,
    IN_THE_DRAIN,
    late_replicator_freezes,
    replicator_freezes,
    replicator_kills,
    worker_freezes,
    worker_kills,
)
from tests.e2e.faults.stand import BATCH_SIZE, SEGMENTS, Stand
from tests.e2e.faults.stream import Event, position, records_after
from tests.e2e.faults.table import FaultTable
from tools.local.demo.cities import TABLE_NAME, Item, key_of

pytestmark = pytest.mark.terraform

# A writer sends nothing in the last 15 seconds; the others are for getting to its step on a crowded machine.
SECONDS = 25.0
BATCH = 10
SPARE_SEGMENTS = 6


class Invocations:
    """Invocations of one function in a host, each of which another rule stops or ends."""

    def __init__(self, faults: Stand, host: Host, who: str, rules: Sequence[Rule]) -> None:
        self._faults, self._host, self._who = faults, host, who
        self._rules = rules
        self._frozen: dict[str, Freeze] = {}

    def begin(self, events: Sequence[Event], *others: Rule) -> None:
        """One invocation for each rule, with ``others`` in force; back when every rule has had its own.

        They begin one after another: some calls are made at the same time, and two rules would meet in one
        invocation. One that never gets to its rule's step, as a segment without items has no write, makes
        room for the next.
        """
        rest = iter(events)
        for rule in self._rules:
            self._faults.set_rules([rule, *others])
            while not _has_happened(rule):
                event = next(rest, None)
                assert event is not None, f"no invocation got to the step of: {rule.name}"
                name = self._host.invoke(event, SECONDS)
                self._faults.wait_until(rule.name, partial(self._has_met, rule, name))
            if isinstance(rule.fault, Freeze):
                self._frozen[name] = rule.fault

    def _has_met(self, rule: Rule, name: str) -> bool:
        return _has_happened(rule) or self._host.has_ended(name)

    def wake(self, *others: Rule) -> None:
        """Let all that are frozen go on to their ends, with ``others`` in force: nothing is written."""
        catch = Catch()
        self._faults.set_rules([Rule("late write", catch, f"{self._who} host", "write"), *others])
        for freeze in self._frozen.values():
            freeze.wake()
        self._faults.wait_until("the ends of the woken", lambda: all(map(self._host.has_ended, self._frozen)))
        late = [
            rule.name
            for rule in self._rules
            if isinstance(rule.fault, Freeze) and rule.fault.process in catch.callers
        ]
        assert not catch.callers, f"late writes: {late}"


def _has_happened(rule: Rule) -> bool:
    # A frozen call is completed only when it is woken.
    return rule.fault.frozen.is_set() if isinstance(rule.fault, Freeze) else rule.completed > 0


def hold_before(phase: str) -> tuple[Rule, Hold]:
    """Keeps the reconciler from entering ``phase`` until it is let go."""
    hold = Hold()
    rule = Rule(
        f"held before {phase}",
        hold,
        "reconciler",
        "run put",
        where=lambda call: call.assigns("phase", {"S": phase}),
    )
    return rule, hold


def change(faults: Stand, items: Sequence[Item], text: str) -> None:
    """Change items at the source and delete each tenth; what any reader has seen before is old now."""
    for place, item in enumerate(items):
        if place % 10 == 9:
            faults.source.delete_item(TableName=TABLE_NAME, Key=key_of(item))
        else:
            faults.source.put_item(TableName=TABLE_NAME, Item={**item, "note": {"S": text}})


def set_batch_size(faults: Stand, records: int) -> None:
    """How many records the mapping delivers at most."""
    uuid = faults.copy.outputs["event_source_mapping_uuid"]
    faults.client("lambda").update_event_source_mapping(UUID=uuid, BatchSize=records)


def pending_batches(faults: Stand) -> list[Event]:
    """The stream's unapplied records in batches."""
    records = records_after(faults, position(faults))
    return [{"Records": records[at : at + BATCH]} for at in range(0, len(records) - BATCH + 1, BATCH)]


def is_applied(faults: Stand, items: Sequence[Item]) -> bool:
    """Whether the destination has these items as the source has them now."""
    keys = [key_of(item) for item in items]
    source, destination = (
        [item for item in found if key_of(item) in keys]
        for found in (faults.source_items(), faults.destination_items())
    )
    return len(source) == len(destination) and all(item in destination for item in source)


def in_phase(faults: Stand, *phases: str) -> None:
    faults.wait_for(" or ".join(phases), lambda status: status["phase"] in phases)


def test_invocations_frozen_and_killed_at_every_step(faults: Stand, table: FaultTable) -> None:
    worker_rules = [*worker_freezes(IN_A_DRAIN), *worker_kills()]
    replicator_rules = [*replicator_freezes(IN_A_SLICE), *replicator_kills()]
    late_rules = late_replicator_freezes(IN_THE_DRAIN)
    sealed_rules = replicator_freezes(AFTER_THE_SEAL)
    segments = len(worker_rules) + SPARE_SEGMENTS
    with ExitStack() as stack:
        worker_host = stack.enter_context(Host(faults, "backfill", "worker host"))
        replicator_host = stack.enter_context(Host(faults, "replicator", "replicator host"))
        workers = Invocations(faults, worker_host, "worker", worker_rules)
        replicators = Invocations(faults, replicator_host, "replicator", replicator_rules)
        late = Invocations(faults, replicator_host, "replicator", late_rules)
        sealed = Invocations(faults, replicator_host, "replicator", sealed_rules)
        faults.configure("control", TOTAL_SEGMENTS=str(segments))
        stack.callback(faults.configure, "control", TOTAL_SEGMENTS=str(SEGMENTS))
        # A mapping's deliveries begin where another ended: those of the host have to as well.
        set_batch_size(faults, BATCH)
        stack.callback(set_batch_size, faults, BATCH_SIZE)
        items = faults.source_items()
        batched = items[: BATCH * (len(replicator_rules) + len(late_rules))]

        # Slice 1: nobody copies but the workers in the host.
        faults.let_run("backfill", allowed=False)
        faults.let_run("replicator", allowed=False)
        faults.start()
        in_phase(faults, "slice")
        run_id = faults.status()["run"]
        workers.begin([{"run": run_id, "slice": 1, "segment": segment} for segment in range(segments)])
        change(faults, items, "changed in slice 1")

        # Their leases end and the run drains; held there, the workers wake and replicators are stopped.
        pausing, hold_pausing = hold_before("pausing")
        faults.set_rules([pausing])
        in_phase(faults, "draining")
        workers.wake(pausing)
        batches = pending_batches(faults)
        replicators.begin(batches, pausing)
        late.begin(batches[len(replicator_rules) :], pausing)
        change(faults, batched, "changed in the drain")
        faults.let_run("replicator", allowed=True)
        faults.wait_until("the drain", lambda: hold_pausing.held.is_set() and is_applied(faults, batched))
        assert faults.phase() == "draining"
        late.wake(pausing)

        # Slice 2: real workers copy; held at its end, the replicators wake.
        resuming, hold_resuming = hold_before("resuming")
        faults.let_run("backfill", allowed=True)
        faults.set_rules([resuming])
        hold_pausing.release()
        faults.wait_until("the end of slice 2", hold_resuming.held.is_set)
        assert faults.phase() == "slice"
        replicators.wake(resuming)
        faults.set_rules([])
        hold_resuming.release()
        in_phase(faults, "ready")
        faults.assert_equal()
        note(table, faults, freezes_of(worker_rules), f"wrote nothing; {EQUAL}")
        note(table, faults, kills_of(worker_rules), f"done by others; {EQUAL}")
        note(table, faults, [*late_rules, *freezes_of(replicator_rules)], f"wrote nothing; {EQUAL}")
        note(table, faults, kills_of(replicator_rules), f"delivered again; {EQUAL}")

        # Sealed with replicators frozen.
        faults.let_run("replicator", allowed=False)
        change(faults, batched, "changed before the seal")
        faults.reconcile()
        in_phase(faults, "draining")
        sealed.begin(pending_batches(faults))
        change(faults, batched, "changed again before the seal")
        faults.let_run("replicator", allowed=True)
        in_phase(faults, "ready")
        faults.copy.function.seal()
        in_phase(faults, "sealed")
        sealed.wake()
        faults.assert_equal()
        note(table, faults, sealed_rules, "wrote nothing; sealed, equal")


def freezes_of(rules: Sequence[Rule]) -> list[Rule]:
    return [rule for rule in rules if isinstance(rule.fault, Freeze)]


def kills_of(rules: Sequence[Rule]) -> list[Rule]:
    return [rule for rule in rules if not isinstance(rule.fault, Freeze)]
