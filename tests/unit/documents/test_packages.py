"""What is installed: every package there is, so that every module can be imported from it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.unit.tablecopy.functions import ENVIRONMENT
from tools.docs_tables.__main__ import REPOSITORY

TOOL = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["setuptools"]
INSTALLED = ("tablecopy", "tablecopy_cli", "verify")

IMPORT = """
import importlib, sys
for name in sys.argv[2:]:
    module = importlib.import_module(name)
    assert module.__file__.startswith(sys.argv[1]), (name, module.__file__)
print(len(sys.argv) - 2)
"""


def place(package: str) -> Path:
    """Where the files of a package are in the repository."""
    top, *below = package.split(".")
    return REPOSITORY.joinpath(TOOL["package-dir"].get(top, top), *below)


def test_every_package_is_declared() -> None:
    found = {
        ".".join((top, *module.parent.relative_to(place(top)).parts))
        for top in INSTALLED
        for module in place(top).rglob("*.py")
    }
    assert sorted(TOOL["packages"]) == sorted(found)


def test_every_module_can_be_imported_from_what_is_declared(tmp_path: Path) -> None:
    """A tree as setuptools installs it: the modules of the declared packages, and nothing below them."""
    modules = []
    for package in TOOL["packages"]:
        to = tmp_path.joinpath(*package.split("."))
        to.mkdir(parents=True, exist_ok=True)
        for module in place(package).glob("*.py"):
            shutil.copy(module, to)
            modules.append(package if module.stem == "__init__" else f"{package}.{module.stem}")
    for package, patterns in TOOL["package-data"].items():
        for pattern in patterns:
            for data in place(package).glob(pattern):
                shutil.copy(data, tmp_path.joinpath(*package.split(".")))
    # A program, not a module to import.
    modules = [module for module in modules if not module.endswith(".__main__")]
    done = subprocess.run(
        [sys.executable, "-P", "-c", IMPORT, str(tmp_path), *modules],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**ENVIRONMENT, "PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path), "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == len(modules) > 100
