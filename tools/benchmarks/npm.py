"""Baselines with packages from npm: installed where node and npm are there, pinned by package-lock.json."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tools.benchmarks.subject import Subject, SubjectFailed

_DIRECTORY = Path(__file__).resolve().parent / "subjects" / "npm"

_PACKAGES = ("aws-sdk", "copy-dynamodb-table")

COPY_DYNAMODB_TABLE = "copy-dynamodb-table"
DIFF_TABLES = "diff-tables (rewritten)"


def copy_dynamodb_table() -> Subject | SubjectFailed:
    """The subject that copies, or why there is none."""
    return _subject(COPY_DYNAMODB_TABLE, "copy.js")


def diff_tables() -> Subject | SubjectFailed:
    """The subject that compares, or why there is none."""
    return _subject(DIFF_TABLES, "diff_tables.js")


def _subject(name: str, script: str) -> Subject | SubjectFailed:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return SubjectFailed("node and npm are not installed")
    if not all((_DIRECTORY / "node_modules" / package).is_dir() for package in _PACKAGES):
        done = subprocess.run(
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=_DIRECTORY,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            return SubjectFailed(f"npm ci failed in {_DIRECTORY.name}: it ended with {done.returncode}")
    return Subject(name, [node, str(_DIRECTORY / script)])
