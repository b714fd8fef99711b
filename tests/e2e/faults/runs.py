"""A run under faults, from its start to its end."""

from __future__ import annotations

import time
from collections.abc import Sequence

from tablecopy.control.status import Status
from tests.e2e.faults.rules import Rule
from tests.e2e.faults.stand import Stand, all_copied, is_ready
from tests.e2e.faults.table import FaultTable

EQUAL = "ready, equal"


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
