"""Real processes: two local accounts for all runs, and one stand for faults and permissions."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.e2e.faults.stand import Stand, stand
from tools.local.accounts import LocalAws

# What it leaves behind is of no use to a test of the stand.
_LAST = "test_taken_away.py"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that takes the stand's stream away comes after all others that use the stand."""
    last = [item for item in items if item.path.name == _LAST]
    others = [item for item in items if item not in last]
    users = [place for place, item in enumerate(others) if "the_stand" in getattr(item, "fixturenames", ())]
    behind = max(users, default=-1) + 1
    items[:] = [*others[:behind], *last, *others[behind:]]


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """Two accounts on a free port; tests tell their resources apart by name."""
    with LocalAws(tmp_path_factory.mktemp("accounts")) as accounts:
        yield accounts


@pytest.fixture(scope="session")
def seed() -> int:
    """The seed that the header of the run shows."""
    return int(os.environ["FAULTS_SEED"])


@pytest.fixture(scope="session")
def the_stand(seed: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with (
        pytest.MonkeyPatch.context() as patch,
        stand(tmp_path_factory.mktemp("faults"), seed, patch.setenv) as made,
    ):
        yield made
