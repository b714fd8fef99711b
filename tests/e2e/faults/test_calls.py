"""Calls that fail in every way, and control killed in the middle of a move: each run ends ready and equal."""

from __future__ import annotations

import pytest

from tests.e2e.faults.runs import EQUAL, note, run_to_ready
from tests.e2e.faults.scenarios import SCENARIOS, Scenario
from tests.e2e.faults.stand import Stand
from tests.e2e.faults.table import FaultTable

pytestmark = pytest.mark.terraform


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_calls_that_fail(faults: Stand, table: FaultTable, scenario: Scenario) -> None:
    rules = scenario.rules()
    run_to_ready(faults, rules, scenario.seconds)
    note(table, faults, rules, EQUAL)
