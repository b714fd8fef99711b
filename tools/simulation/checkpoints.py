"""What the judge knows of the backfill: which pages were read, and how far each segment has come."""

from __future__ import annotations

from tools.simulation.changes import Changes
from tools.simulation.findings import Findings
from tools.simulation.history import Page


class Checkpoints:
    """Checks that each step of a segment is a page that was read, counted once and written.

    Parameters
    ----------
    findings
        Where broken rules are noted.
    changes
        What was written to the source and the destination.
    """

    def __init__(self, findings: Findings, changes: Changes) -> None:
        self._findings = findings
        self._changes = changes
        self._pages: dict[tuple[int, str, str], list[Page]] = {}
        self._saved: dict[int, tuple[str, int, bool]] = {}

    @property
    def items(self) -> int:
        """Items that all segments count."""
        return sum(items for _, items, _ in self._saved.values())

    def clear(self) -> None:
        """The journal was replaced by an empty one."""
        self._saved.clear()

    def scanned(self, segment: int, start: str, end: str, page: Page) -> None:
        """A worker has read ``page`` from the key ``start`` to the key ``end``; both may be empty."""
        self._pages.setdefault((segment, start, end), []).append(page)

    def save(self, segment: int, checkpoint: str, items: int, *, done: bool) -> None:
        """A worker has recorded its progress: ``checkpoint`` is the key it reaches to, or empty."""
        start, counted, was_done = self._saved.get(segment, ("", 0, False))
        self._saved[segment] = checkpoint, items, done
        if (checkpoint, items, done) == (start, counted, was_done):
            return
        end = "" if done else checkpoint
        pages = [
            page for page in self._pages.get((segment, start, end), ()) if len(page.values) == items - counted
        ]
        if not pages or was_done:
            self._findings.violate(
                "counters",
                f"segment {segment} went from {start or 'its beginning'} to {end or 'its end'} with "
                f"{items - counted} items, and no page had them",
            )
            return
        missing = min(
            ([key for key in page.values if not self._changes.was_written(key, page.at)] for page in pages),
            key=len,
        )
        if missing:
            self._findings.violate("lost", f"segment {segment} passed items that were not written", *missing)
