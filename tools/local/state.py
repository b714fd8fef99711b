"""Remembers running accounts for another process."""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from tools.local.process import stop_group

# A process id is used again some day; a process with none of these in its command line is not ours.
OUR_COMMANDS = ("tools/local/launcher.py", "tools.local.mapping")


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
