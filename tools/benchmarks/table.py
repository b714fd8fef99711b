"""Figures as a table.

    python -m tools.benchmarks.table < lines.jsonl

prints the lines of a run as Markdown, for docs/benchmarks.md.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from tools.benchmarks.figure import Figure

_HEADINGS = (
    "figure",
    "shape",
    "against",
    "ratio",
    "items",
    "items per CPU s",
    "the baseline's",
    "wall s",
    "peak MB",
    "more",
)

# Said in columns of their own, or only of use to a program.
_NOT_BESIDES = frozenset(
    {"name", "shape", "baseline", "ratio", "items", "items_per_cpu_s", "wall_s", "peak_rss_mb"}
    | {"machine", "seed", "ratios", "others_busy", "baseline_others_busy"}
    | {"baseline_items", "baseline_items_per_cpu_s", "baseline_wall_s", "baseline_peak_rss_mb"}
)


def text_table(figures: Iterable[Figure]) -> str:
    """The figures in aligned columns, for a terminal."""
    rows = [_HEADINGS, *(_row(json.loads(figure.line())) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def markdown_table(lines: Iterable[str]) -> str:
    """The figures in ``lines``, each a JSON object, as a Markdown table under the machine's description."""
    figures = [json.loads(line) for line in lines if line.strip()]
    described = sorted({f"{figure['machine']}; seed {figure['seed']}" for figure in figures})
    rows = [_HEADINGS, ["---"] * len(_HEADINGS), *map(_row, figures)]
    return "\n".join([*described, "", *(f"| {' | '.join(row)} |" for row in rows)])


def _row(figure: dict[str, Any]) -> Sequence[str]:
    besides = [f"{name} {_cell(value)}" for name, value in figure.items() if name not in _NOT_BESIDES]
    return [
        figure["name"],
        figure["shape"] or "",
        figure["baseline"],
        _cell(figure["ratio"]),
        _cell(figure["items"]),
        _cell(figure["items_per_cpu_s"]),
        _cell(figure.get("baseline_items_per_cpu_s")),
        _cell(figure["wall_s"]),
        _cell(figure["peak_rss_mb"]),
        ", ".join(besides),
    ]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


if __name__ == "__main__":
    print(markdown_table(sys.stdin))
