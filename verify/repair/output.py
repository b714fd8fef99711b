"""What a repair prints: JSON Lines while it runs, or text in groups at the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tablecopy.text import count_text
from tablecopy_cli.advice import Repaired, Step, step_lines
from tablecopy_cli.common.errors import EXIT_ERROR, EXIT_OK, EXIT_UNSETTLED
from tablecopy_cli.common.items import key_text
from tablecopy_cli.common.terminal import Style
from tablecopy_cli.common.text import escaped
from verify.repair.apply import RESULTS, Outcome, Result
from verify.repair.plan import Header

# What needs attention comes first.
_TITLES: dict[Result, str] = {
    "failed": "Failed",
    "changed_at_source": "Not applied, changed in the source",
    "changed_at_destination": "Not applied, changed in the destination",
    "would": "Would be applied",
    "done": "Applied",
    "already": "Nothing to do, already equal",
}

_SHORT: dict[Result, str] = {
    "failed": "failed",
    "changed_at_source": "changed in the source",
    "changed_at_destination": "changed in the destination",
    "would": "would be applied",
    "done": "applied",
    "already": "already equal",
}


@dataclass
class Summary:
    """The outcome of a plan.

    Parameters
    ----------
    header
        Of the plan.
    applied
        Whether the repair writes; ``False`` for a dry run.
    plan
        Its path.
    writes_stopped
        Whether the flag was given.
    obstacle
        For a dry run: why ``--apply`` would be rejected now; ``None`` if it would not be.
    whole
        Whether the whole plan was processed.
    unequal
        Keys of the plan that still differed when both sides were read again after the repair; ``None`` if
        they were not.
    counts
        How many actions ended how.
    moved
        What a repair relies on and has changed during it, in one line; ``None`` if nothing did.
    """

    header: Header
    applied: bool
    plan: str = ""
    writes_stopped: bool = False
    obstacle: str | None = None
    whole: bool = True
    unequal: int | None = None
    counts: dict[Result, int] = field(default_factory=lambda: dict.fromkeys(RESULTS, 0))
    moved: str | None = None

    @property
    def changed(self) -> int:
        """Number of actions that were not applied because something had changed."""
        return self.counts["changed_at_source"] + self.counts["changed_at_destination"]

    @property
    def exit_code(self) -> int:
        """2 where an action failed, 3 where something had changed, else 0."""
        if self.counts["failed"]:
            return EXIT_ERROR
        return EXIT_UNSETTLED if self.changed or self.moved or self.unequal else EXIT_OK

    def repaired(self) -> Repaired:
        """What the next step depends on."""
        return Repaired(
            self.plan,
            applied=self.applied,
            whole=self.whole,
            counts={str(result): count for result, count in self.counts.items()},
            unequal=self.unequal,
            moved=self.moved,
            obstacle=self.obstacle,
            writes_stopped=self.writes_stopped,
            rest_equal=self.header.rest_equal,
            started=self.header.started,
            severe=self.header.severe,
            unread=self.header.unread,
        )

    def record(self) -> dict[str, Any]:
        """Return the JSON Lines record; see docs/reference.md."""
        return {
            "type": "summary",
            "source": self.header.source,
            "destination": self.header.destination,
            "actions": self.header.total,
            "applied": self.applied,
            **{result: self.counts[result] for result in RESULTS},
            "unequal": self.unequal,
            "moved": self.moved,
        }


class TextReport:
    """The text report. It keeps only as many outcomes of each group as it will show.

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

    def lines(self, summary: Summary, style: Style, steps: Sequence[Step], proof: str = "") -> Iterator[str]:
        """Yield the lines: the headline, the outcomes in groups, the proof, and the next ``steps``."""
        yield _headline(summary, style)
        for result, title in _TITLES.items():
            total = summary.counts[result]
            if total:
                yield ""
                yield style.bold(f"{title} ({total:,})")
                yield from self._group(result, total, style)
        if summary.unequal:
            count = summary.unequal
            yield ""
            yield style.red(count_text(count, "item still differs", "items still differ"))
        if proof:
            yield ""
            yield f"{style.green('Equal:')} {escaped(proof)}"
        yield ""
        yield from step_lines(steps, style)

    def _group(self, result: Result, total: int, style: Style) -> Iterator[str]:
        for outcome in self._groups[result]:
            yield f"  {outcome.action.action:<7}  {key_text(outcome.action.key)}"
            if outcome.reason:
                yield f"           {style.dim(escaped(outcome.reason))}"
        left = total - len(self._groups[result])
        if left:
            yield style.dim(f"  ... and {left:,} more (--limit 0 or --format jsonl lists them all)")


def progress_text(summary: Summary) -> str:
    """Return the progress of a repair in one line."""
    word = "repairing" if summary.applied else "looking"
    return f"{word}: {sum(summary.counts.values()):,} of {summary.header.total:,} actions"


def _headline(summary: Summary, style: Style) -> str:
    word = "Repair" if summary.applied else "Dry run"
    if not summary.whole:
        word += " ended early"
    told = [f"{summary.counts[result]:,} {_SHORT[result]}" for result in _TITLES if summary.counts[result]]
    paint = style.green if summary.whole and summary.exit_code == EXIT_OK else style.yellow
    return f"{paint(word + ':')} {', '.join(told) or 'no action'}."
