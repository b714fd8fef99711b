"""Real processes: two local accounts for all end-to-end tests of a run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.accounts import LocalAws


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """Two accounts on a free port; tests tell their resources apart by name."""
    with LocalAws(tmp_path_factory.mktemp("accounts")) as accounts:
        yield accounts
