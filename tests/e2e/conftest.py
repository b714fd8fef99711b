"""Real processes: two local accounts for all runs, and a stand for each lane of faults and permissions."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.conftest import lane
from tests.e2e.faults.stand import Stand, close_stand, stand_of
from tools.local.accounts import LocalAws


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """Two accounts on a free port; tests tell their resources apart by name."""
    with LocalAws(tmp_path_factory.mktemp("accounts")) as accounts:
        yield accounts


@pytest.fixture(scope="session")
def seed() -> int:
    """The seed that the header of the run shows."""
    return int(os.environ["FAULTS_SEED"])


@pytest.fixture(scope="module")
def the_stand(request: pytest.FixtureRequest, seed: int, tmp_path_factory: pytest.TempPathFactory) -> Stand:
    """The stand of the file's lane; it ends with the lane."""
    name = lane(request.node.nodeid)
    return stand_of(name, lambda: tmp_path_factory.mktemp(name), seed)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """End a lane's stand, and the environment it sets, before the process turns to another lane."""
    yield
    if nextitem is None or lane(nextitem.nodeid) != lane(item.nodeid):
        close_stand(lane(item.nodeid))
