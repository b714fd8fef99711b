"""The stand at its beginning for each test of faults, and the table they fill."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.e2e.faults.stand import Stand
from tests.e2e.faults.table import DOCUMENT, FaultTable, replaced


@pytest.fixture
def faults(the_stand: Stand) -> Iterator[Stand]:
    """The stand at its beginning; a run that a test leaves behind is cleared away."""
    the_stand.reset()
    yield the_stand
    the_stand.set_rules([])


@pytest.fixture(scope="package")
def table(seed: int, pytestconfig: pytest.Config) -> Iterator[FaultTable]:
    """Printed at the end, and with ``FAULTS_TABLE=write`` put into docs/faults.md."""
    made = FaultTable()
    yield made
    reporter = pytestconfig.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.write_line("")
        for line in [f"Faults, seed {seed} (FAULTS_SEED={seed} repeats it):", *made.lines()]:
            reporter.write_line(line)
    if os.environ.get("FAULTS_TABLE") == "write":
        DOCUMENT.write_text(replaced(DOCUMENT.read_text(), made))
