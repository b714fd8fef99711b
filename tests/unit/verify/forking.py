"""Runs the command in processes that are forked off one that has imported it: a tenth of the time.

Reads a list of arguments (JSON) from each line of stdin, runs it in a process of its own group, and writes
two lines: the process's id when it starts, and how it ended (as `os.waitstatus_to_exitcode` has it).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import botocore.session
from botocore.loaders import create_loader

from verify.cli import main
from verify.comparison import match, recheck

ROOT = Path(__file__).parents[3]

# Small, so that a recheck is many calls of which few are in hand.
BATCH_KEYS = 5
RECHECK_THREADS = 2

# So few that rows are split, and files of them split again.
MEMORY_BYTES = 500


class Forking:
    """Starts commands that are killed, or not. A context manager.

    Parameters
    ----------
    directory
        Gets what a command prints.
    """

    def __init__(self, directory: Path) -> None:
        self.out = directory / "out"
        self.err = directory / "err"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.unit.verify.forking", str(self.out), str(self.err)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Forking:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=10)

    def run(self, arguments: list[str], started: Callable[[int], None] = lambda pid: None) -> int:
        """Run a command to its end; ``started`` is told its process id."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(arguments) + "\n")
        self._process.stdin.flush()
        started(int(self._process.stdout.readline()))
        return int(self._process.stdout.readline())


def _serve(out: str, err: str) -> None:
    botocore.session.create_loader = cache(create_loader)
    recheck.BATCH_KEYS = BATCH_KEYS  # type: ignore[attr-defined]
    recheck._THREADS = RECHECK_THREADS
    match.MEMORY_BYTES = MEMORY_BYTES

    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            os.setsid()
            for path, number in ((os.devnull, 0), (out, 1), (err, 2)):
                os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | (number and os.O_TRUNC)), number)
            os._exit(main(json.loads(line)))
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    _serve(*sys.argv[1:])
