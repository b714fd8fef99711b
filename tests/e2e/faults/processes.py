"""The process at the other end of a connection, to be killed or frozen (Linux: it is found in /proc)."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

_INODE = 9


class NoProcess(Exception):
    """Nobody holds the other end of the connection any more."""


def process_of(port: int, server_port: int) -> int:
    """Id of the process whose end of a connection to ``server_port`` on this machine has ``port``.

    Raises
    ------
    NoProcess
        The connection is gone.
    """
    link = f"socket:[{_inode(port, server_port)}]"
    for process in Path("/proc").iterdir():
        if not process.name.isdigit() or int(process.name) == os.getpid():
            continue
        with suppress(OSError):
            for descriptor in (process / "fd").iterdir():
                if os.readlink(descriptor) == link:
                    return int(process.name)
    raise NoProcess(f"no process has port {port}")


def kill(process: int) -> None:
    """End it at once, as a crash would, and wait until it is gone or only waits to be reaped."""
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
    while _state(process) not in {"", "Z", "X"}:
        time.sleep(0.001)


def freeze(process: int) -> None:
    """Stop it where it is."""
    os.kill(process, signal.SIGSTOP)


def thaw(process: int) -> None:
    """Let it go on, if it is still there."""
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGCONT)


def _inode(port: int, server_port: int) -> str:
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        ends = [int(address.rpartition(":")[2], 16) for address in fields[1:3]]
        if ends == [port, server_port] and fields[_INODE] != "0":
            return fields[_INODE]
    raise NoProcess(f"no connection from port {port}")


def _state(process: int) -> str:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""
