"""What all layers of tests share."""

from __future__ import annotations

import shutil

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Only where terraform is not installed, skip what needs it; the summary counts it."""
    if shutil.which("terraform"):
        return
    skip = pytest.mark.skip(reason="terraform is not installed: nothing that Terraform does is tested")
    for item in items:
        if item.get_closest_marker("terraform"):
            item.add_marker(skip)
