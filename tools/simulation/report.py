"""A readable trace of one run: what happened to some keys, and around them."""

from __future__ import annotations

from collections.abc import Callable, Collection

from tools.simulation.scheduler import START

_MOST_LINES = 400


class Report:
    """Collects the lines of a run.

    Parameters
    ----------
    keys
        Keys whose story is told; empty for what concerns no key.
    """

    def __init__(self, keys: Collection[str]) -> None:
        self._keys = frozenset(keys)
        self._lines: list[str] = []
        self.now: Callable[[], float] = lambda: START

    def happened(self, what: str, *keys: str) -> None:
        """Add a line, if it concerns one of the keys or no key at all."""
        if not keys:
            self._add(what)
            return
        concerned = [key for key in keys if key in self._keys]
        if concerned:
            self._add(f"{what}: {' '.join(dict.fromkeys(concerned))}")

    def logged(self, text: str) -> None:
        """Add what a function has printed, except its metrics."""
        if text.strip() and not text.startswith('{"_aws"'):
            self._add(f"log {text.strip()[:300]}")

    def text(self) -> str:
        """Return the lines, the last ones if there are many."""
        omitted = len(self._lines) - _MOST_LINES
        first = [f"  ... {omitted} lines before"] if omitted > 0 else []
        return "\n".join([*first, *self._lines[-_MOST_LINES:]])

    def _add(self, what: str) -> None:
        self._lines.append(f"  {self.now() - START:10.3f}  {what}")
