"""The wheel: built from the sources, installed into an environment of its own, every module imported."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest

from tests.unit.tablecopy.test_handlers import ENVIRONMENT
from tools.docs_tables.__main__ import REPOSITORY

PACKAGES = {"tablecopy": "lambda/tablecopy", "tablecopy_cli": "cli/tablecopy_cli", "verify": "verify"}
SOURCES = ("pyproject.toml", "README.md", "LICENSE", *PACKAGES.values())

IMPORT = """
import importlib, sys
for name in sys.argv[2:]:
    module = importlib.import_module(name)
    assert module.__file__.startswith(sys.argv[1]), (name, module.__file__)
print(len(sys.argv) - 2)
"""


def run(*command: str | Path, **environment: str) -> str:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **environment},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, because setuptools leaves its work beside the sources and takes it up again."""
    copy, target = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        if (REPOSITORY / name).is_dir():
            shutil.copytree(REPOSITORY / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(REPOSITORY / name, copy / name)
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index")
    run(*pip, "--wheel-dir", target, copy)
    [found] = target.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel; its dependencies are those of the tests."""
    environment = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", environment)
    python = environment / "bin" / "python"
    run(
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        wheel,
    )
    [packages] = environment.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return environment


def metadata(installed: Path) -> Distribution:
    [packages] = installed.glob("lib/python*/site-packages")
    [found] = distributions(path=[str(packages)], name="dynamodb-account-copy")
    return found


def files(suffix: str) -> Iterator[str]:
    """The files of the packages as the wheel names them."""
    for package, place in PACKAGES.items():
        for path in (REPOSITORY / place).rglob(f"*{suffix}"):
            yield f"{package}/{path.relative_to(REPOSITORY / place).as_posix()}"


def test_the_wheel_has_every_source_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert sorted(name for name in names if name.endswith(".py")) == sorted(files(".py"))
    assert set(files(".html")) <= set(names)
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == set(PACKAGES)


def test_every_package_is_typed_for_its_users(wheel: Path) -> None:
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(zipfile.ZipFile(wheel).namelist())


def test_every_module_can_be_imported(wheel: Path, installed: Path) -> None:
    names = [name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".py")]
    modules = [name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in names]
    # A program, not a module to import.
    modules = [module for module in modules if not module.endswith(".__main__")]
    python = installed / "bin" / "python"
    assert int(run(python, "-P", "-c", IMPORT, installed, *modules, **ENVIRONMENT)) == len(modules) > 100


@pytest.mark.parametrize("program", ["tablecopy", "verify"])
def test_the_commands_are_installed(installed: Path, program: str) -> None:
    assert f"{program} " in run(installed / "bin" / program, "--help")


def test_the_metadata_name_the_project_and_its_license(installed: Path) -> None:
    found = metadata(installed).metadata
    assert found["License-Expression"] == "Apache-2.0"
    assert found.get_all("License-File") == ["LICENSE"]
    urls = dict(each.split(", ") for each in found.get_all("Project-URL") or [])
    assert {"Homepage", "Documentation", "Changelog", "Issues"} <= urls.keys()
    assert all(url.startswith("https://") for url in urls.values())
