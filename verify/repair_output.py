"""What a repair prints: JSON Lines as it goes along, or text in groups at the end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sides.items import key_text
from sides.output import EXIT_OK, EXIT_TROUBLE, EXIT_UNSETTLED, Style, printable
from verify.plan import Header
from verify.repair import RESULTS, Outcome, Result

# What needs attention comes first.
_TITLES: dict[Result, str] = {
    "failed": "Failed",
    "changed_at_source": "Not applied, changed at the source",
    "changed_at_destination": "Not applied, changed at the destination",
    "would": "Would be applied",
    "done": "Applied",
    "already": "Nothing to do, the destination holds it already",
}

_SHORT: dict[Result, str] = {
    "failed": "failed",
    "changed_at_source": "changed at the source",
    "changed_at_destination": "changed at the destination",
    "would": "would be applied",
    "done": "applied",
    "already": "already as it should be",
}


@dataclass
class Summary:
    """What came of a plan.

    Parameters
    ----------
    header
        Of the plan.
    applied
        Whether the repair was to write; ``False`` for a dry run.
    counts
        How many actions ended how.
    moved
        What changed meanwhile that a repair relies upon, in one line; ``None`` if nothing did.
    """

    header: Header
    applied: bool
    counts: dict[Result, int] = field(default_factory=lambda: dict.fromkeys(RESULTS, 0))
    moved: str | None = None

    @property
    def changed(self) -> int:
        """How many actions were left alone because something had changed."""
        return self.counts["changed_at_source"] + self.counts["changed_at_destination"]

    @property
    def exit_code(self) -> int:
        """2 where an action failed, 3 where something had changed, else 0."""
        if self.counts["failed"]:
            return EXIT_TROUBLE
        return EXIT_UNSETTLED if self.changed or self.moved else EXIT_OK

    def record(self) -> dict[str, Any]:
        """Return the JSON Lines record; see docs/verify.md for its schema."""
        return {
            "type": "summary",
            "source": self.header.source,
            "destination": self.header.destination,
            "actions": self.header.total,
            "applied": self.applied,
            **{result: self.counts[result] for result in RESULTS},
            "moved": self.moved,
        }


class TextReport:
    """The report for people. Of each group it keeps as many outcomes as it will show.

    Parameters
    ----------
    limit
        Outcomes to show of each group; 0 for all.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._groups: dict[Result, list[Outcome]] = {result: [] for result in _TITLES}

    def add(self, outcome: Outcome) -> None:
        """Note an outcome."""
        group = self._groups[outcome.result]
        if not self._limit or len(group) < self._limit:
            group.append(outcome)

    def lines(self, summary: Summary, style: Style, *, whole: bool = True) -> Iterator[str]:
        """Yield the lines; ``whole``: whether the plan was gone through to its end."""
        yield _headline(summary, style, whole)
        for result, title in _TITLES.items():
            total = summary.counts[result]
            if total:
                yield ""
                yield style.bold(f"{title} ({total:,})")
                yield from self._group(result, total, style)
        step = _next_step(summary, whole)
        if step:
            yield ""
            yield f"{style.bold('Next:')} {step}"

    def _group(self, result: Result, total: int, style: Style) -> Iterator[str]:
        for outcome in self._groups[result]:
            yield f"  {outcome.action.action:<7}  {key_text(outcome.action.key)}"
            if outcome.reason:
                yield f"           {style.dim(printable(outcome.reason))}"
        left = total - len(self._groups[result])
        if left:
            yield style.dim(f"  ... and {left:,} more (--limit 0 or --format jsonl lists them all)")


def progress_text(summary: Summary) -> str:
    """Say in one line how far a repair is."""
    word = "repairing" if summary.applied else "looking"
    return f"{word}: {sum(summary.counts.values()):,} of {summary.header.total:,} actions"


def _headline(summary: Summary, style: Style, whole: bool) -> str:
    word = "Repair" if summary.applied else "Dry run"
    if not whole:
        word += " ended before its time"
    told = [f"{summary.counts[result]:,} {_SHORT[result]}" for result in _TITLES if summary.counts[result]]
    paint = style.green if whole and summary.exit_code == EXIT_OK else style.yellow
    return f"{paint(word + ':')} {', '.join(told) or 'no action'}."


def _next_step(summary: Summary, whole: bool) -> str:
    if not whole:
        return "apply the plan again; what is done stays done."
    if summary.moved:
        return f"verify again; {printable(summary.moved)}."
    if summary.counts["failed"]:
        return "mend what the reasons say, at the source or the destination, and verify again."
    if summary.changed:
        return "verify again, and apply the plan that is made then."
    if summary.counts["would"]:
        return "give --apply to apply the plan."
    return "verify again; that is the proof." if summary.counts["done"] else ""
