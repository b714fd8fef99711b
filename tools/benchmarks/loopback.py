"""Starts the loopback server on a core of its own, and asks it what went through."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from tools.benchmarks.cores import SERVER_CORES, pin
from tools.benchmarks.server import STATS, ServerOptions


class ServerFailed(Exception):
    """The loopback server did not start."""


@dataclass(frozen=True)
class Loopback:
    """A running server."""

    url: str

    def stats(self) -> dict[str, Any]:
        """See Service.stats; besides ``cpu_s``, the CPU seconds of the server so far."""
        with urllib.request.urlopen(self.url + STATS) as answer:
            stats: dict[str, Any] = json.load(answer)
        return stats


@contextmanager
def loopback(options: ServerOptions) -> Iterator[Loopback]:
    """Run a server while the body runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tools.benchmarks.server", json.dumps(asdict(options))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=pin(SERVER_CORES),
    )
    try:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        if not port:
            raise ServerFailed("the loopback server did not start; its error is above")
        yield Loopback(f"http://127.0.0.1:{port}")
    finally:
        process.communicate()
