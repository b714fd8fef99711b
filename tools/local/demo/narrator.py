"""Says what the demo is doing and how long each step took."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tablecopy_cli.common.terminal import Progress, Style


class Narrator:
    """Prints the demo's steps to stdout; what moves goes to stderr."""

    def __init__(self) -> None:
        self.style = Style(sys.stdout)
        self.progress = Progress()
        self.took: list[tuple[str, float]] = []
        self._began = time.monotonic()

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Announce a step, and say afterwards how long it took."""
        began = time.monotonic()
        print(self.style.bold(f"\n{len(self.took) + 1}. {title}"), flush=True)
        yield
        self.progress.clear()
        seconds = time.monotonic() - began
        self.took.append((title, seconds))
        print(self.style.dim(f"   {seconds:.1f} s"), flush=True)

    def say(self, text: str) -> None:
        """One line within a step."""
        self.progress.clear()
        for line in text.splitlines() or [""]:
            print(f"   {line}", flush=True)

    def summary(self, facts: dict[str, str]) -> None:
        """The whole demo in a few lines."""
        width = max(len(title) for title, _ in self.took) + 2
        print(self.style.bold("\nSummary"))
        for number, (title, seconds) in enumerate(self.took, start=1):
            print(f"   {number:2}. {title.ljust(width)} {seconds:6.1f} s")
        print(f"       {'all'.ljust(width)} {time.monotonic() - self._began:6.1f} s\n")
        for name, value in facts.items():
            print(f"   {name.ljust(18)} {value}")
        sys.stdout.flush()
