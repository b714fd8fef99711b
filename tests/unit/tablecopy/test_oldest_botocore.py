"""The transport works on the oldest botocore that is supported; all other tests run on the newest."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
OLDEST = ROOT / ".venv-botocore"
TESTS = (
    "test_transport_settings.py",
    "dynamodb/test_client.py",
    "dynamodb/test_sessions.py",
    "journal/test_store.py",
)


def test_the_oldest_is_the_one_that_the_package_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    [asked] = [each for each in project["dependencies"] if each.startswith("boto3")]
    oldest = re.match(r"boto3>=([\d.]+),", asked)
    assert oldest is not None
    assert f"boto3=={oldest[1]}.0" in (ROOT / "requirements-botocore.txt").read_text().splitlines()


@pytest.mark.skipif(not (OLDEST / "ready").exists(), reason="make .venv-botocore/ready installs the oldest")
def test_the_transport_works_on_the_oldest() -> None:
    environment = {**os.environ, "PYTHONPATH": str(OLDEST)}
    version = subprocess.run(
        [sys.executable, "-c", "import boto3, botocore; print(boto3.__version__, botocore.__version__)"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert version.stdout.split() == ["1.40.0", "1.40.0"]
    paths = [str(Path(__file__).parent / name) for name in TESTS]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *paths],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
