"""The fault table: what was injected, how often, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "faults.md"
BEGIN, END = "<!-- fault table: begin -->", "<!-- fault table: end -->"


@dataclass
class FaultTable:
    """Rows in the order they were added."""

    rows: dict[str, tuple[int, str]] = field(default_factory=dict)

    def add(self, fault: str, times: int, outcome: str) -> None:
        """A fault that was injected ``times`` times, and how its run ended."""
        self.rows[fault] = (times, outcome)

    def lines(self) -> list[str]:
        """The table in Markdown."""
        rows = [f"| {fault} | {times} | {outcome} |" for fault, (times, outcome) in self.rows.items()]
        return ["| fault | times injected | outcome |", "|---|---:|---|", *rows]


def documented(text: str) -> set[str]:
    """The faults in the table of a document."""
    rows = _between(text).strip().splitlines()[2:]
    return {row.split("|")[1].strip() for row in rows}


def replaced(text: str, table: FaultTable) -> str:
    """The document with another table."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return "\n".join([f"{head}{BEGIN}", "", *table.lines(), "", f"{END}{tail}"])


def _between(text: str) -> str:
    return text.partition(BEGIN)[2].partition(END)[0]
