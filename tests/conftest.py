"""What all layers of tests share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

_END_TO_END = Path(__file__).parent / "e2e"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Split the tests in two halves that can run side by side; without terraform, skip what needs it.

    End-to-end tests mostly wait, for processes that share two accounts: they are one half, in their order.
    The summary counts what is skipped.
    """
    for item in items:
        half = "e2e" if item.path.is_relative_to(_END_TO_END) else "all else"
        item.add_marker(pytest.mark.xdist_group(half))
    if shutil.which("terraform"):
        return
    skip = pytest.mark.skip(reason="terraform is not installed: nothing that Terraform does is tested")
    for item in items:
        if item.get_closest_marker("terraform"):
            item.add_marker(skip)
