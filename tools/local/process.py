"""A child process that cannot be left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tools.local.watchdog import FLAG

TERMINATE_SECONDS = 5.0
POLL_SECONDS = 0.02


class ChildProcess:
    """A program in a process group of its own, with its output in a log file.

    The group is what ends: a function's worker that ministack started goes with it.

    Parameters
    ----------
    name : str
        What messages call it.
    command : sequence of str
        Program and arguments.
    environment : mapping
        The whole environment of the program.
    log : Path
        File that takes both outputs; appended to.
    keep : bool
        Whether the program outlives this process. If not, it ends with it, however this process ends.
    """

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path, keep: bool = False
    ) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*command, *([] if keep else [FLAG])],
                env=dict(environment),
                # The watchdog in the child reads this pipe, which closes when this process dies.
                stdin=subprocess.DEVNULL if keep else subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                # A group of its own also keeps Ctrl-C away from it: the parent takes it down in order.
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def is_running(self) -> bool:
        return self._process.poll() is None

    def last_line(self) -> str:
        """The last line the program wrote, for an error message."""
        lines = self.log.read_text(errors="replace").strip().splitlines() if self.log.exists() else []
        return lines[-1].strip() if lines else "it wrote nothing"

    def stop(self) -> None:
        """End the program and everything it started; does nothing the second time."""
        if self._process.stdin is not None and self._process.stdin.closed:
            return
        stop_group(self._process.pid, lambda: self._process.poll() is None)
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()


def stop_group(pid: int, is_running: Callable[[], bool]) -> None:
    """End a process group: politely first, and after a few seconds for good.

    Parameters
    ----------
    pid : int
        Leader of the group.
    is_running : callable
        Whether the leader still runs.
    """
    if is_running():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + TERMINATE_SECONDS
        while is_running() and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
    # Also after an orderly end of the leader: its children may be busy in a function.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
