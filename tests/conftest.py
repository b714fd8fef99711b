"""What all layers of tests share."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling


class Halves(LoadScopeScheduling):
    """Two halves that run side by side, each in its order.

    End-to-end tests mostly wait, for processes that share two accounts. They are one half, all else is the
    other.
    """

    def _split_scope(self, nodeid: str) -> str:
        return "e2e" if nodeid.startswith("tests/e2e/") else "all else"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Halves:
    """Of ``-n 2``, which ``make test`` asks for."""
    return Halves(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Only where terraform is not installed, skip what needs it; the summary counts it."""
    if shutil.which("terraform"):
        return
    skip = pytest.mark.skip(reason="terraform is not installed: nothing that Terraform does is tested")
    for item in items:
        if item.get_closest_marker("terraform"):
            item.add_marker(skip)
