"""Every fault, injected into a real run: it ends ready and equal, or stops and says why.

One applied copy serves all runs (see `Stand.reset`). The tests stand in this order because the last ones
take away what the others need.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from operate.function import Status
from tests.e2e.faults.rules import Rule
from tests.e2e.faults.scenarios import SCENARIOS, Scenario, control_kills, replicator_kills, worker_kills
from tests.e2e.faults.stand import Stand
from tests.e2e.faults.table import FaultTable

pytestmark = pytest.mark.terraform

EQUAL = "ready, equal"


def all_copied(status: Status) -> bool:
    return bool(status.get("segments")) and status["segments_done"] == status["segments"]


def is_ready(status: Status) -> bool:
    return bool(status["phase"] == "ready")


def run_to_ready(faults: Stand, rules: Sequence[Rule], seconds: float, **patience: float) -> Status:
    """A run under these faults, with writes until every one of them is spent or ``seconds`` are over."""
    faults.set_rules(rules)
    faults.start()
    with faults.writing():
        faults.wait_for("the backfill", all_copied, **patience)
        give_up = time.monotonic() + seconds
        while any(rule.times and not rule.is_spent for rule in rules) and time.monotonic() < give_up:
            faults.status()
            time.sleep(0.2)
    ready = faults.wait_for("ready for cutover", is_ready, **patience)
    faults.assert_equal()
    return ready


def note(table: FaultTable, faults: Stand, rules: Sequence[Rule], outcome: str) -> None:
    for rule in rules:
        table.add(rule.name, rule.injected, outcome)
    unused = [rule.name for rule in rules if not rule.injected]
    assert not unused, f"never injected (seed {faults.seed}): {unused}"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_calls_that_fail(faults: Stand, table: FaultTable, scenario: Scenario) -> None:
    rules = scenario.rules()
    run_to_ready(faults, rules, scenario.seconds)
    note(table, faults, rules, EQUAL)


def test_functions_killed_at_every_step(faults: Stand, table: FaultTable) -> None:
    rules = [*worker_kills(), *replicator_kills(), *control_kills()]
    ready = run_to_ready(faults, rules, seconds=90)
    note(table, faults, rules, f"{EQUAL}, {ready['slice']} slices")
