"""The process at the other end of a connection, to be killed or frozen (Linux: it is found in /proc)."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

_INODE = 9

# A process that never rests is frozen after so long.
_RESTLESS_SECONDS = 3.0

# Long enough for a thread that may run to be given a processor, and so to be counted.
_REST_SECONDS = 0.03


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
    """Stop it where it is, as soon as all of its threads wait.

    A thread that is stopped between reading the clock and sending a request sends it when it is woken,
    however late.
    """
    gives_up, before = time.monotonic() + _RESTLESS_SECONDS, None
    while time.monotonic() < gives_up:
        now = _runs(process)
        if now is not None and now == before:
            break
        before = now
        time.sleep(_REST_SECONDS)
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


def _runs(process: int) -> int | None:
    """How often its threads have run so far; None while one of them runs or wants to."""
    runs = 0
    with suppress(OSError):
        for task in Path(f"/proc/{process}/task").iterdir():
            fields = dict(line.split(":", 1) for line in (task / "status").read_text().splitlines())
            if fields["State"].split()[0] == "R":
                return None
            runs += int(fields["voluntary_ctxt_switches"]) + int(fields["nonvoluntary_ctxt_switches"])
        return runs
    return None


def _state(process: int) -> str:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""
