"""The committed archive is the sources, byte for byte."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

LAMBDA = Path(__file__).parents[3] / "lambda"


@pytest.fixture(scope="module")
def build() -> ModuleType:
    specification = importlib.util.spec_from_file_location("lambda_build", LAMBDA / "build.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the sources in which files have other dates, modes and company."""
    root = tmp_path / "lambda"
    shutil.copytree(LAMBDA, root, ignore=shutil.ignore_patterns("__pycache__", "dist"))
    for path in (root / "tablecopy").rglob("*.py"):
        path.touch()
        path.chmod(0o600)
    (root / "tablecopy" / "__pycache__").mkdir()
    (root / "tablecopy" / "__pycache__" / "wire.cpython-311.pyc").write_bytes(b"compiled")
    return root


def check(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(root / "build.py"), "--check"], capture_output=True, text=True, check=False
    )


def test_the_committed_archive_is_up_to_date(build: ModuleType) -> None:
    assert (LAMBDA / "dist" / "tablecopy.zip").read_bytes() == build.build(), (
        "stale: run python lambda/build.py and commit the zip"
    )


def test_the_same_sources_make_the_same_bytes(build: ModuleType, copy: Path) -> None:
    assert build.build(copy) == build.build()


def test_entries_are_stored_sorted_and_undated(build: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "tablecopy.zip"
    path.write_bytes(build.build())
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    names = [entry.filename for entry in entries]
    assert names == sorted(names)
    assert "tablecopy/handlers/replicator.py" in names
    assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.external_attr >> 16 for entry in entries} == {0o100644}


def test_check_tells_a_stale_archive_from_a_fresh_one(copy: Path) -> None:
    missing = check(copy)
    assert missing.returncode == 1
    subprocess.run([sys.executable, str(copy / "build.py")], check=True, capture_output=True)
    assert check(copy).returncode == 0
    with (copy / "tablecopy" / "wire.py").open("a") as source:
        source.write("# changed\n")
    stale = check(copy)
    assert stale.returncode == 1
    assert "run: python lambda/build.py" in stale.stderr
