"""What several layers of tests share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from local.accounts import LocalAws


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Only where terraform is not installed, skip what needs it; the summary counts it."""
    if shutil.which("terraform"):
        return
    skip = pytest.mark.skip(reason="terraform is not installed: nothing that Terraform does is tested")
    for item in items:
        if item.get_closest_marker("terraform"):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """Two accounts on a free port; tests tell their resources apart by name."""
    with LocalAws(tmp_path_factory.mktemp("accounts")) as accounts:
        yield accounts
