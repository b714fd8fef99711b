"""Two tables that are served, and the command line that compares them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tests.unit.verify.service import FakeTable, Item, Served
from verify.cli import main

ROOT = Path(__file__).parents[3]


def item(pk: str, sk: int | str, **attributes: Any) -> Item:
    """An item of such a table."""
    return {"pk": {"S": pk}, "sk": {"N": str(sk)}, **attributes}


class World:
    """Two tables that are served, and the command line that compares them."""

    def __init__(self, source: FakeTable, destination: FakeTable, served: Served, work: Path) -> None:
        self.source = source
        self.destination = destination
        self.served = served
        self.work = work

    def fill(self, same: int = 10, missing: int = 0, changed: int = 0, extra: int = 0) -> None:
        """Have so many items of each kind."""
        for n in range(same):
            self.put_both(item("same", n, s={"S": "x"}))
        for n in range(missing):
            self.source.put(item("missing", n))
        for n in range(changed):
            self.source.put(item("changed", n, name={"S": "secret"}))
            self.destination.put(item("changed", n, name={"S": "other secret"}))
        for n in range(extra):
            self.destination.put(item("extra", n))

    def put_both(self, stored: Item) -> None:
        """Write an item to both tables."""
        for table in (self.source, self.destination):
            table.put(stored)

    def flags(self, *more: str) -> list[str]:
        """The arguments that name the tables, and ``more``."""
        found = ["--work-dir", str(self.work)]
        for side, table in (("source", self.source), ("destination", self.destination)):
            found += [f"--{side}", table.name, f"--{side}-region", "eu-west-1"]
            found += [f"--{side}-endpoint-url", self.served.url]
        return [*found, *more]

    def run(self, *more: str) -> int:
        """Compare in this process; writes have stopped unless a lag is given."""
        settled = [] if "--lag" in more else ["--writes-stopped"]
        return main(self.flags(*settled, *more))

    def start(self, *more: str, **options: Any) -> subprocess.Popen[str]:
        """Compare in a process of its own, the leader of its own group as a shell's job is."""
        return subprocess.Popen(
            [sys.executable, "-m", "verify", *self.flags(*more)],
            cwd=ROOT,
            text=True,
            start_new_session=True,
            **{
                "stdout": subprocess.PIPE,
                "stderr": subprocess.PIPE,
                "env": environment(),
                # A shell's background jobs ignore Ctrl-C, and so does what they start: these tests, perhaps.
                "preexec_fn": partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
                **options,
            },
        )

    def kept(self) -> list[Path]:
        """The work directories there are. Plans stay, as they are results."""
        found = self.work.iterdir() if self.work.exists() else iter(())
        return sorted(path for path in found if path.name != "plans")


def records(text: str) -> list[dict[str, Any]]:
    """The objects in JSON Lines."""
    return [json.loads(line) for line in text.splitlines()]


def keys_of(found: Sequence[dict[str, Any]], kind: str) -> set[tuple[str, str]]:
    """Keys of the differences of one kind among the records."""
    return {(each["key"]["pk"]["S"], each["key"]["sk"]["N"]) for each in found if each.get("kind") == kind}


def environment(**more: str) -> dict[str, str]:
    """This process's environment, and ``more``; stdout is buffered, as it usually is."""
    return {**os.environ, "PYTHONUNBUFFERED": "", **more}
