"""What all layers of tests share: which tests run one after the other, and which need Terraform."""

from __future__ import annotations

import os
import secrets
import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

# Tests of a lane run in one process, in their order: they share what takes long to make. Any other file is a
# lane of its own, and each test of _APART. The lanes that take longest come first. They mostly wait.
LANES = {
    "tests/e2e/faults/test_processes.py": "processes",
    "tests/e2e/faults/test_taken_away.py": "processes",
    "tests/e2e/faults": "faults",
    "tests/terraform/test_changes.py": "changes",
    "tests/e2e/permissions": "permissions",
    "tests/e2e/test_run.py": "run",
    "tests/e2e/test_examples.py": "examples",
    "tests/terraform/test_root.py": "root",
    "tests/terraform/test_examples.py": "plans",
    "tests/terraform/test_deferred.py": "deferred",
    "tests/e2e/test_verify_live.py": "verify",
    "tests/unit/tablecopy/test_oldest_botocore.py": "oldest botocore",
    "tests/unit/tablecopy/test_pace_simulated.py": "pace",
    "tests/unit/cli/run/test_preflight.py": "preflight",
}
_APART = ("tests/terraform/test_native.py", "tests/simulation", "tests/model")
_FIRST = tuple(dict.fromkeys(LANES.values()))

# Terraform and its provider are written in Go. To collect garbage less often saves a sixth of their CPU time.
_GO_GARBAGE_PERCENT = "300"


def lane(nodeid: str) -> str:
    """The lane of a test, given its id: the path of its file, relative to the repository, and its name."""
    path = nodeid.partition("::")[0]
    if path.startswith("tests/model"):
        # What one parameter explores, the next one may need.
        return nodeid.partition("[")[0]
    if path.startswith(_APART):
        return nodeid
    return next((name for start, name in LANES.items() if path.startswith(start)), path)


def place(nodeid: str) -> int:
    """The place of a test's lane among all: long ones, then those apart, then the others."""
    name = lane(nodeid)
    if name in _FIRST:
        return _FIRST.index(name)
    apart = [number for number, path in enumerate(_APART) if nodeid.startswith(path)]
    return len(_FIRST) + (apart or [len(_APART)])[0]


def pytest_configure(config: pytest.Config) -> None:
    """Set the environment of all processes: the seed of the random faults, drawn once, among others."""
    os.environ.setdefault("GOGC", _GO_GARBAGE_PERCENT)
    os.environ.setdefault("FAULTS_SEED", str(secrets.randbelow(10**6)))


def pytest_report_header(config: pytest.Config) -> str:
    """Show the seed that repeats this run."""
    return f"random faults: FAULTS_SEED={os.environ['FAULTS_SEED']}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put long lanes first. Skip what needs Terraform if it is not installed; the summary counts it."""
    items.sort(key=lambda item: place(item.nodeid))
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
