"""The native tests, and that the configuration is formatted and valid."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.terraform


def run(directory: Path, environment: dict[str, str], *command: str) -> None:
    done = subprocess.run(
        ["terraform", *command], cwd=directory, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_formatted(make_tree: Callable[[], Path], offline_environment: dict[str, str]) -> None:
    run(make_tree(), offline_environment, "fmt", "-check", "-recursive", "-diff")


# modules/copy has its own: see modules/copy/tests/validation.tftest.hcl.
@pytest.mark.parametrize("directory", [".", "modules/copy"])
def test_native(directory: str, make_tree: Callable[[], Path], offline_environment: dict[str, str]) -> None:
    tree = make_tree() / directory
    run(tree, offline_environment, "init", "-input=false", "-no-color")
    if directory == ".":
        run(tree, offline_environment, "validate", "-no-color")
    run(tree, offline_environment, "test", "-no-color")
