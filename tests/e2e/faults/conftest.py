"""One stand for all tests of faults, and the table they fill."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator

import pytest

from tests.e2e.faults.stand import Stand, stand
from tests.e2e.faults.table import DOCUMENT, FaultTable, replaced


@pytest.fixture(scope="session")
def seed() -> int:
    """``FAULTS_SEED``, or one that was never used before."""
    return int(os.environ.get("FAULTS_SEED") or secrets.randbelow(10**6))


@pytest.fixture(scope="package")
def the_stand(seed: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with (
        pytest.MonkeyPatch.context() as patch,
        stand(tmp_path_factory.mktemp("faults"), seed, patch.setenv) as made,
    ):
        yield made


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
