"""The processes in which the local Lambda functions run: to be ended in mid-work, or looked at."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tools.local.accounts import LocalAws

_GONE_SECONDS = 30.0


def kill_function(aws: LocalAws, name: str) -> int:
    """End every process of the function ``name`` at once, as a crash would; says how many there were.

    They are gone when this returns: an invocation given to one that is dying would end with it.
    """
    killed = set()
    for process in _processes(aws, name):
        with suppress(OSError):
            os.kill(int(process.name), signal.SIGKILL)
            killed.add(process)
    give_up = time.monotonic() + _GONE_SECONDS
    while killed & set(_processes(aws, name)):
        assert time.monotonic() < give_up, f"processes of {name} survive a kill"
        time.sleep(0.005)
    return len(killed)


def environment_of(aws: LocalAws, name: str) -> dict[str, str]:
    """The environment that the function ``name`` runs in, the credentials of its role included.

    Empty when no process of it is there: it was never invoked, or was ended.
    """
    for process in _processes(aws, name):
        with suppress(OSError):
            settings = (process / "environ").read_bytes().decode().split("\0")
            return dict(setting.split("=", 1) for setting in settings if "=" in setting)
    return {}


def _processes(aws: LocalAws, name: str) -> Iterator[Path]:
    # Functions of one name may run in other accounts on this machine, each in a directory of its own.
    directory = f"{aws.directory}/tmp/ministack-lambda-{name}-"
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        with suppress(OSError):
            if directory.encode() in (process / "cmdline").read_bytes():
                yield process
