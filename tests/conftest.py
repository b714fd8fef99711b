"""What all layers of tests share: which tests run one after the other, and which need Terraform."""

from __future__ import annotations

import gc
import os
import secrets
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

import botocore.session
import pytest
from botocore.loaders import create_loader

from tools.simulation.seeds import SEEDS

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling
    from xdist.workermanage import WorkerController

# Tests of a lane run in one process, in their order: they share what takes long to make. Any other file is a
# lane of its own, and each test of _APART. These mostly wait: for Terraform, and for functions to run. The
# longest come first.
LANES = {
    "tests/e2e/faults/test_processes.py": "processes",
    "tests/e2e/faults/test_taken_away.py": "processes",
    "tests/e2e/faults": "faults",
    "tests/terraform/test_changes.py": "changes",
    "tests/e2e/permissions": "permissions",
    "tests/e2e/test_run.py": "run",
    "tests/e2e/test_examples.py": "examples",
    "tests/e2e/test_verify_only.py": "verify only",
    "tests/terraform/test_root.py": "root",
    "tests/terraform/test_examples.py": "plans",
    "tests/terraform/test_deferred.py": "deferred",
    "tests/e2e/test_verify_live.py": "verify",
    "tests/e2e/test_local_aws.py": "local",
    "tests/terraform/test_metric_names.py": "metric names",
}
_APART = ("tests/terraform/test_native.py", "tests/simulation")
_BY_FUNCTION = "tests/model"

# Of the others, which compute: those that take longest come first.
_LONG = (
    "tests/terraform/test_native.py",
    "tests/model",
    "tests/unit/tablecopy/test_pace_simulated.py",
    "tests/unit/cli/run/test_preflight.py",
    "tests/unit/tools/benchmarks",
    "tests/simulation",
)
_WAITING = tuple(dict.fromkeys(LANES.values()))

# One of the processes takes lanes that compute while there are any, and the others take those that wait. So
# that functions are in time for their step, it gives way to the others.
_COMPUTES = "gw0"
_NICER = 5

# Terraform and its provider are written in Go, and hold hundreds of megabytes of schema. To look for garbage
# less often saves a third of their CPU time, and the limit keeps them as small as they are otherwise.
_GO = {"GOGC": "1000", "GOMEMLIMIT": "700MiB"}

# With it, each process would compile all that it imports again: the tests in each process that collects them,
# and the commands that tests start.
_NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"

# So many of the longest lanes are shown after a run.
_SHOWN = 20


def lane(nodeid: str) -> str:
    """The lane of a test, given its id: the path of its file, relative to the repository, and its name."""
    path = nodeid.partition("::")[0]
    if path.startswith(_BY_FUNCTION):
        # What one parameter explores, the next one may need.
        return nodeid.partition("[")[0]
    if path.startswith(_APART):
        return nodeid
    return next((name for start, name in LANES.items() if path.startswith(start)), path)


def waits(name: str) -> bool:
    """Whether a lane mostly waits."""
    return name in _WAITING


def place(nodeid: str) -> int:
    """The place of a test's lane among all: those that wait, then those that compute, long ones first."""
    name = lane(nodeid)
    if waits(name):
        return _WAITING.index(name)
    long = [number for number, path in enumerate(_LONG) if nodeid.startswith(path)]
    return len(_WAITING) + (long or [len(_LONG)])[0]


def pytest_configure(config: pytest.Config) -> None:
    """Set the environment of all processes: the seed of the random faults, drawn once, among others."""
    for name, value in _GO.items():
        os.environ.setdefault(name, value)
    os.environ.pop(_NO_BYTECODE, None)
    sys.dont_write_bytecode = False
    os.environ.setdefault("FAULTS_SEED", str(secrets.randbelow(10**6)))
    if os.environ.get("PYTEST_XDIST_WORKER") == _COMPUTES:
        os.nice(_NICER)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Show the seeds that repeat this run."""
    return [
        f"random faults: FAULTS_SEED={os.environ['FAULTS_SEED']}",
        f"simulation: seeds {SEEDS.start} to {SEEDS.stop - 1}, and the corpus",
    ]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Look for no garbage among modules and tests, which all stay: a third less time to collect them."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put long lanes first. Skip what needs Terraform if it is not installed; the summary counts it."""
    items.sort(key=lambda item: place(item.nodeid))
    if shutil.which("terraform"):
        return
    skip = pytest.mark.skip(reason="terraform is not installed: nothing that Terraform does is tested")
    for item in items:
        if item.get_closest_marker("terraform"):
            item.add_marker(skip)


@pytest.fixture(scope="session", autouse=True)
def one_loader() -> Iterator[None]:
    """Read the descriptions of AWS's services once, not for each session: that takes 0.1 s of CPU time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", cache(create_loader))
        yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how long the longest lanes took."""
    seconds: Counter[str] = Counter()
    for outcome in ("passed", "failed", "skipped", "error", ""):
        for report in terminalreporter.getreports(outcome):
            if isinstance(report, pytest.TestReport):
                seconds[lane(report.nodeid)] += report.duration
    if len(seconds) > 1:
        terminalreporter.write_sep("-", "longest lanes")
        for name, taken in seconds.most_common(_SHOWN):
            terminalreporter.write_line(f"{taken:8.1f} s  {name}")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling:
    """Hand out lanes instead of single tests, to each process of its kind while there are any."""
    from xdist.scheduler import LoadScopeScheduling

    class Lanes(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return lane(nodeid)

        def _assign_work_unit(self, node: WorkerController) -> None:
            fitting = (name for name in self.workqueue if waits(name) != (node.gateway.id == _COMPUTES))
            if name := next(fitting, ""):
                self.workqueue.move_to_end(name, last=False)
            super()._assign_work_unit(node)

    return Lanes(config, log)  # type: ignore[arg-type]
