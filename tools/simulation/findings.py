"""What the judge reads of the run, what it has found, and the story that it tells of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tablecopy.journal.run import Phase

Tell = Callable[..., None]
"""Takes a text, and the keys that it is about."""


@dataclass(frozen=True)
class Violation:
    """A broken rule: which one, when, what happened, and the keys concerned."""

    rule: str
    at: float
    what: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunState:
    """What the judge reads of the run in the journal."""

    phase: Phase
    run_id: str = ""
    version: int = 0
    slice: int = 0
    scan_began: float = 0.0
    seal_requested: bool = False
    reason: str = ""
    resumable: bool = True


class Findings:
    """The violations of a run.

    Attributes
    ----------
    now
        Returns the moment, in seconds since the epoch.
    tell
        Called with what happens and the keys concerned, for a readable trace; None to save the time.

    Attributes
    ----------
    news
        Counts what may end a wait: each violation, and what the judge adds.
    """

    def __init__(self, now: Callable[[], float], tell: Tell | None = None) -> None:
        self.violations: list[Violation] = []
        self.news = 0
        self.now = now
        self.tell = tell

    def violate(self, rule: str, what: str, *keys: str) -> None:
        """Record that a rule is broken."""
        self.news += 1
        self.violations.append(Violation(rule, self.now(), what, keys))
        if self.tell:
            self.tell(f"VIOLATION {rule}: {what}")
