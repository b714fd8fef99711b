"""copy-dynamodb-table from npm: installed where node and npm are there, pinned by package-lock.json."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from benchmarks.subject import Subject, SubjectFailed

_NAME = "copy-dynamodb-table"
_DIRECTORY = Path(__file__).resolve().parent / "subjects" / "npm"


def copy_dynamodb_table() -> Subject | SubjectFailed:
    """The subject, or why there is none."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return SubjectFailed("node and npm are not installed")
    if not (_DIRECTORY / "node_modules" / _NAME).is_dir():
        done = subprocess.run(
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=_DIRECTORY,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            return SubjectFailed(f"npm ci failed in {_DIRECTORY.name}: it ended with {done.returncode}")
    return Subject(_NAME, [node, str(_DIRECTORY / "copy.js")])
