"""Processes of the local accounts: none is left behind, and those that are kept are remembered.

The launcher imports this in ministack's own environment, so it needs nothing but the standard library.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

TERMINATE_SECONDS = 5.0
POLL_SECONDS = 0.02
FLAG = "--die-with-parent"
# A process id is used again some day; a process with none of these in its command line is not ours.
OUR_COMMANDS = ("tools/local/launcher.py", "tools.local.mapping")


class LocalError(Exception):
    """An error of the local accounts whose text is one clear line."""


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


def die_with_parent(descriptor: int = 0) -> None:
    """End this process, and everything it started, as soon as its parent is gone.

    The parent holds the write end of a pipe and never writes to it. The operating system closes that end
    however the parent dies, ``kill -9`` included, which ends the read here.

    Parameters
    ----------
    descriptor : int
        Read end of the parent's pipe, standard input by default.
    """
    threading.Thread(target=_wait_for_the_end, args=(descriptor,), daemon=True, name="watchdog").start()


def _wait_for_the_end(descriptor: int) -> None:
    while os.read(descriptor, 1):
        pass
    if os.getpgrp() == os.getpid():
        # The group is this process's own, so it holds the children and nobody else.
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(1)


@dataclass(frozen=True, slots=True)
class State:
    """What is running, as kept in a file of the accounts' directory.

    Attributes
    ----------
    port : int
        Where the accounts answer.
    pids : list of int
        Leaders of the process groups, in the order they were started.
    """

    port: int
    pids: list[int]

    def write(self, directory: Path) -> None:
        """Keep it."""
        _file(directory).write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, directory: Path) -> Self | None:
        """What is kept, if it still runs."""
        try:
            state = cls(**json.loads(_file(directory).read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return state if any(is_ours(pid) for pid in state.pids) else None

    @staticmethod
    def forget(directory: Path) -> None:
        """Keep nothing."""
        _file(directory).unlink(missing_ok=True)

    def stop(self) -> None:
        """End everything that still runs."""
        for pid in reversed(self.pids):
            if is_ours(pid):
                stop_group(pid, lambda pid=pid: is_ours(pid))  # type: ignore[misc]


def is_ours(pid: int) -> bool:
    """Whether a process runs that this package has started."""
    command = _command_of(pid)
    return any(ours in command for ours in OUR_COMMANDS)


def _command_of(pid: int) -> str:
    if Path("/proc/self").exists():
        # Where there is no `ps`, in a slim container for one, there is this.
        try:
            return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")
        except OSError:
            return ""
    command = ["ps", "-o", "args=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _file(directory: Path) -> Path:
    return directory / "state.json"
