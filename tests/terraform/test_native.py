"""The native tests, and that the configuration is formatted and valid."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import REPOSITORY

pytestmark = pytest.mark.terraform


def run(directory: Path, environment: dict[str, str], *command: str) -> None:
    done = subprocess.run(
        ["terraform", *command], cwd=directory, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_formatted(make_tree: Callable[[], Path], offline_environment: dict[str, str]) -> None:
    run(make_tree(), offline_environment, "fmt", "-check", "-recursive", "-diff")


# modules/copy has tests of its own: `terraform validate` checks the modules that tests run, and not one that
# wants its providers from a caller.
@pytest.mark.parametrize("directory", [".", "modules/copy"])
def test_native(directory: str, make_tree: Callable[[], Path], offline_environment: dict[str, str]) -> None:
    tree = make_tree() / directory
    run(tree, offline_environment, "init", "-input=false", "-no-color")
    if directory == ".":
        run(tree, offline_environment, "validate", "-no-color")
    run(tree, offline_environment, "test", "-no-color")


@pytest.mark.parametrize(("tests", "tested"), [("rules", "variables.tf"), ("names", "names.tf")])
def test_by_itself(tests: str, tested: str, tmp_path: Path, offline_environment: dict[str, str]) -> None:
    """One file of modules/copy and nothing else: no provider has to be started for each run."""
    for file in (REPOSITORY / "tests" / tests).iterdir():
        shutil.copy(file, tmp_path)
    shutil.copy(REPOSITORY / "modules" / "copy" / tested, tmp_path)
    run(tmp_path, offline_environment, "init", "-input=false", "-no-color")
    run(tmp_path, offline_environment, "test", "-no-color")
