"""What all layers of tests share: which tests run one after the other, and which need Terraform."""

from __future__ import annotations

import os
import secrets
import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

# Tests of a lane run in one process, in their order: they share what takes long to make. The lanes that take
# longest come first. Any other file is a lane of its own.
LANES = {
    "tests/e2e/faults/test_processes.py": "processes",
    "tests/e2e/faults/test_taken_away.py": "processes",
    "tests/e2e/faults": "faults",
    "tests/terraform/test_changes.py": "changes",
    "tests/e2e/permissions": "permissions",
    "tests/e2e/test_run.py": "run",
    "tests/e2e/test_examples.py": "examples",
    "tests/terraform/test_root.py": "root",
    "tests/e2e/test_verify_live.py": "verify",
}
_FIRST = tuple(dict.fromkeys(LANES.values()))


def lane(nodeid: str) -> str:
    """The lane of a test, given its id: the path of its file, relative to the repository, and its name."""
    path = nodeid.partition("::")[0]
    if path == "tests/simulation/test_seeds.py":
        return nodeid
    if path.startswith("tests/model"):
        return nodeid.partition("[")[0]
    if path.startswith("tests/simulation"):
        return nodeid
    return next((name for start, name in LANES.items() if path.startswith(start)), path)


def pytest_configure(config: pytest.Config) -> None:
    """Draw the seed of the random faults once, for all processes."""
    os.environ.setdefault("FAULTS_SEED", str(secrets.randbelow(10**6)))


def pytest_report_header(config: pytest.Config) -> str:
    """Show the seed that repeats this run."""
    return f"random faults: FAULTS_SEED={os.environ['FAULTS_SEED']}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put long lanes first. Skip what needs Terraform if it is not installed; the summary counts it."""
    order = {name: place for place, name in enumerate(_FIRST)}
    items.sort(key=lambda item: order.get(lane(item.nodeid), len(order)))
    if shutil.which("terraform"):
        return
    skip = pytest.mark.skip(reason="terraform is not installed: nothing that Terraform does is tested")
    for item in items:
        if item.get_closest_marker("terraform"):
            item.add_marker(skip)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling:
    """Hand out lanes instead of single tests."""
    from xdist.scheduler import LoadScopeScheduling

    class Lanes(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return lane(nodeid)

    return Lanes(config, log)  # type: ignore[arg-type]
