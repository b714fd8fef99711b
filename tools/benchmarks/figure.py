"""A figure: one line of JSON on standard output."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from tools.benchmarks.subject import Measured


@dataclass(frozen=True)
class Figure:
    """One figure. What does not apply to it, or could not be measured, is None.

    Attributes
    ----------
    name, shape, baseline
        What is measured, on which items, and against what.
    items
        How many items (or records) ours did in one repetition.
    items_per_cpu_s, wall_s, peak_rss_mb
        Ours: per CPU second of the process, seconds, MB. Medians over the repetitions.
    ratio
        Ours over the baseline's, of what the figure is about: larger is better, but for memory and time.
    others_busy
        The share of the cores that other programs took meanwhile.
    more
        What else is worth knowing, such as the baseline's own numbers, or ``error``.
    """

    name: str
    shape: str | None
    baseline: str
    ratio: float | None
    items: int | None = None
    items_per_cpu_s: float | None = None
    wall_s: float | None = None
    peak_rss_mb: float | None = None
    others_busy: float | None = None
    more: dict[str, Any] = field(default_factory=dict)

    def line(self, **circumstances: Any) -> str:
        """The figure as a line of JSON, with the ``circumstances`` it was measured in."""
        return json.dumps(
            {
                "name": self.name,
                "shape": self.shape,
                "items": self.items,
                "items_per_cpu_s": rounded(self.items_per_cpu_s),
                "wall_s": rounded(self.wall_s),
                "peak_rss_mb": rounded(self.peak_rss_mb),
                "baseline": self.baseline,
                "ratio": rounded(self.ratio),
                "others_busy": rounded(self.others_busy),
                **{name: rounded(value) for name, value in self.more.items()},
                **circumstances,
            },
            ensure_ascii=False,
        )


def rounded(value: Any) -> Any:
    """``value`` with four digits that count, if it is a fraction."""
    if isinstance(value, list):
        return [rounded(element) for element in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def ours(repetitions: Sequence[Measured]) -> dict[str, Any]:
    """The fields of a figure that say what ours took."""
    return {
        "items": repetitions[0].items,
        "items_per_cpu_s": median(one.items_per_cpu_s for one in repetitions),
        "wall_s": median(one.wall_s for one in repetitions),
        "peak_rss_mb": median(one.peak_rss_mb for one in repetitions),
        "others_busy": median(one.others_busy for one in repetitions),
    }


def theirs(repetitions: Sequence[Measured]) -> dict[str, Any]:
    """The fields of a figure that say what the baseline took."""
    return {f"baseline_{name}": value for name, value in ours(repetitions).items()}
