"""Figures: how they are measured side by side, what they must reach, and how they are printed.

    python -m tools.benchmarks.figures < lines.jsonl

prints the lines of a run as a Markdown table, for docs/benchmarks.md.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, TypeVar

from tools.benchmarks.subject import Measured, SubjectFailed


@dataclass(frozen=True)
class Figure:
    """One figure. A field that does not apply or could not be measured is None.

    Attributes
    ----------
    name, shape, baseline
        What is measured, with which items, and against which baseline.
    items
        Items (or records) of one repetition on our side.
    items_per_cpu_s, wall_s, peak_rss_mb
        Our side: items per CPU second, seconds, MB. Medians over the repetitions.
    ratio
        Ours divided by the baseline's. Larger is better, except for memory and time.
    others_busy
        Share of the cores that other programs used.
    more
        Other numbers, such as the baseline's own, or ``error``.
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
        """Return the figure as a line of JSON, with the ``circumstances`` of the run."""
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
    """Return ``value`` with four significant digits if it is a fraction."""
    if isinstance(value, list):
        return [rounded(element) for element in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def ours(repetitions: Sequence[Measured]) -> dict[str, Any]:
    """Return the fields of a figure for our side."""
    return {
        "items": repetitions[0].items,
        "items_per_cpu_s": median(one.items_per_cpu_s for one in repetitions),
        "wall_s": median(one.wall_s for one in repetitions),
        "peak_rss_mb": median(one.peak_rss_mb for one in repetitions),
        "others_busy": median(one.others_busy for one in repetitions),
    }


def theirs(repetitions: Sequence[Measured]) -> dict[str, Any]:
    """Return the fields of a figure for the baseline."""
    return {f"baseline_{name}": value for name, value in ours(repetitions).items()}


_Name = TypeVar("_Name")


@dataclass(frozen=True)
class Bench:
    """The size of one run of the benchmarks.

    Attributes
    ----------
    seed
        Of the items.
    repetitions
        How often each subject runs.
    scale
        Multiple of the usual number of items: 1 in `make bench`, more with BENCH=full.
    """

    seed: int = 1
    repetitions: int = 3
    scale: int = 1

    def interleaved(
        self, measurements: Mapping[_Name, Callable[[], Measured]]
    ) -> dict[_Name, list[Measured] | SubjectFailed]:
        """Take each measurement once, then each again, and so on; one that fails is not repeated."""
        results: dict[_Name, list[Measured] | SubjectFailed] = {name: [] for name in measurements}
        for repetition in range(self.repetitions):
            for name, measurement in measurements.items():
                taken = results[name]
                if isinstance(taken, SubjectFailed):
                    continue
                print(f"  {name} ({repetition + 1} of {self.repetitions})", file=sys.stderr, flush=True)
                try:
                    taken.append(measurement())
                except SubjectFailed as failed:
                    results[name] = failed
        return results


def ratio(
    ours: Sequence[Measured], theirs: Sequence[Measured], of: Callable[[Measured], float]
) -> tuple[float, list[float]]:
    """Return the median of the ratios of neighbouring runs, ours over the baseline's, and all of them."""
    ratios = [of(one) / of(other) for one, other in zip(ours, theirs, strict=True)]
    return median(ratios), ratios


def compared(
    name: str,
    shape: str | None,
    mine: list[Measured] | SubjectFailed,
    baseline: tuple[str, list[Measured] | SubjectFailed],
    of: Callable[[Measured], float],
    **more: Any,
) -> Figure:
    """Return the figure of ``mine`` against the named ``baseline``, or one with an error if a side failed.

    The ratio is of the values that ``of`` returns.
    """
    against, others = baseline
    for taken in (mine, others):
        if isinstance(taken, SubjectFailed):
            return Figure(name, shape, against, None, more={"error": str(taken), **more})
    assert not isinstance(mine, SubjectFailed)
    assert not isinstance(others, SubjectFailed)
    middle, ratios = ratio(mine, others, of)
    return Figure(
        name, shape, against, middle, **ours(mine), more={**more, "ratios": ratios, **theirs(others)}
    )


@dataclass(frozen=True)
class Requirement:
    """``field`` of the figure ``name`` on ``shape`` against ``baseline``: at least, or at most, ``bound``."""

    name: str
    shape: str
    baseline: str
    field: str
    at_least: float | None = None
    at_most: float | None = None

    def holds(self, value: Any) -> bool:
        """Whether ``value`` is within the bound; None, for what was not measured, never is."""
        if not isinstance(value, int | float):
            return False
        return (self.at_least is None or value >= self.at_least) and (
            self.at_most is None or value <= self.at_most
        )

    def __str__(self) -> str:
        bound = f"at least {self.at_least}" if self.at_least is not None else f"at most {self.at_most}"
        return f"{self.name}, {self.shape}, against {self.baseline}: {self.field} {bound}"


# Goals of control at each size. In seconds on the virtual clock: looks at all shards, how long a slice goes
# on after its end, ready after the last write, and how wrong the published age is. Then the most calls of
# APIs that others share, and the function's memory.
_CONTROL = tuple(
    Requirement("control", shape, "goal", goal, at_most=bound)
    for shape, memory_mb in (
        ("1,000 shards, 10,000 changes/s", 512),
        ("4,000 shards, 40,000 changes/s", 1_769),
    )
    for goal, bound in (
        ("look_s", 10),
        ("slice_look_s", 10),
        ("overtime_s", 10),
        ("ready_s", 120),
        ("age_error_s", 10),
        ("describe_per_s", 1),
        ("shard_reads_per_s", 2),
        ("lambda_per_minute", 10),
        ("executions_per_minute", 6),
        ("peak_rss_mb", memory_mb),
    )
)

# At 40,000 changes a second, a partition key of the journal gets half of what it may, and open dead letters
# slow no batch.
_JOURNAL = tuple(
    Requirement("journal_load", f"10 changes a batch, {letters} dead letters", "goal", goal, at_most=bound)
    for letters in ("0", "1,000")
    for goal, bound in (("busiest_key_units_per_s", 500), ("units_per_batch", 3.1), ("reads_per_batch", 2.1))
)

_SIZES = ("10,000 items", "100,000 items", "1,000,000 items", "10,000,000 items")

# Seconds from the moment at which the writers have stopped to the verdict, whatever the size.
_CUTOVER = (
    *(Requirement("cutover", shape, "goal", "stop_s", at_most=15) for shape in _SIZES),
    *(Requirement("cutover", shape, "goal", "sealed", at_least=1) for shape in _SIZES),
    *(Requirement("cutover", shape, "goal", "backfill_units", at_most=0) for shape in _SIZES),
    Requirement("cutover_slope", "a tenfold", "goal", "slope_s", at_most=0.5),
)

REQUIRED = (
    Requirement("backfill", "medium", "boto3.client", "ratio", at_least=10),
    Requirement("backfill", "medium", "article", "ratio", at_least=35),
    Requirement("backfill_overlap", "medium", "no delay", "ratio", at_least=0.8),
    Requirement("replicator_wall", "medium", "article", "ratio", at_least=30),
    Requirement("replicator_cpu", "medium", "article", "ratio", at_least=10),
    Requirement("replicator_hot_key", "medium", "one write", "hot_key_writes", at_most=1),
    Requirement("worker_memory", "medium", "import boto3", "above_baseline_mb", at_most=100),
    Requirement("worker_memory", "medium", "import boto3", "growth_mb", at_most=20),
    *_CONTROL,
    *_JOURNAL,
    *_CUTOVER,
    Requirement("verify", "medium", "boto3.resource scan", "ratio", at_least=15),
    Requirement(
        "verify_account", "medium, equal bytes", "boto3.resource scan", "items_per_cpu_s", at_least=100_000
    ),
    Requirement(
        "verify_account",
        "medium, other order of attributes",
        "boto3.resource scan",
        "items_per_cpu_s",
        at_least=40_000,
    ),
    Requirement("verify_account_memory", "1,000,000 items", "fewest", "peak_rss_mb", at_most=256),
    Requirement("verify_account_memory", "1,000,000 items", "fewest", "ratio", at_most=1.1),
    Requirement("verify_account_workers", "8 workers", "one", "ratio", at_least=6),
    Requirement("verify_memory", "medium", "a tenth, other order", "peak_rss_mb", at_most=500),
    Requirement("verify_memory", "medium", "a tenth, other keys", "peak_rss_mb", at_most=500),
    Requirement("verify_scaling", "medium", "a tenth, other order", "ratio", at_most=11),
    Requirement("verify_scaling", "medium", "a tenth, other keys", "ratio", at_most=11),
)


def missed(figures: Sequence[Figure], measured: Sequence[str]) -> Iterator[str]:
    """Yield a sentence for each requirement of the families ``measured`` that is missed."""
    found = {(figure.name, figure.shape, figure.baseline): figure for figure in figures}
    for requirement in REQUIRED:
        if requirement.name not in measured:
            continue
        figure = found.get((requirement.name, requirement.shape, requirement.baseline))
        value: Any = None
        if figure is not None:
            value = {**vars(figure), **figure.more}.get(requirement.field)
        if not requirement.holds(value):
            found_value = "it was not measured" if value is None else f"it is {value:.4g}"
            yield f"{requirement}; {found_value}"


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

# These have columns of their own, or are useful to programs only.
_OWN_COLUMNS = frozenset(
    {"name", "shape", "baseline", "ratio", "items", "items_per_cpu_s", "wall_s", "peak_rss_mb"}
    | {"machine", "seed", "ratios", "others_busy", "baseline_others_busy"}
    | {"baseline_items", "baseline_items_per_cpu_s", "baseline_wall_s", "baseline_peak_rss_mb"}
)


def text_table(figures: Iterable[Figure]) -> str:
    """Return the figures in aligned columns, for a terminal."""
    rows = [_HEADINGS, *(_row(json.loads(figure.line())) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def markdown_table(lines: Iterable[str]) -> str:
    """Return the figures in ``lines``, JSON objects, as a Markdown table below the machine's description."""
    figures = [json.loads(line) for line in lines if line.strip()]
    described = sorted({f"{figure['machine']}; seed {figure['seed']}" for figure in figures})
    rows = [_HEADINGS, ["---"] * len(_HEADINGS), *map(_row, figures)]
    return "\n".join([*described, "", *(f"| {' | '.join(row)} |" for row in rows)])


def _row(figure: dict[str, Any]) -> Sequence[str]:
    more = [f"{name} {_cell(value)}" for name, value in figure.items() if name not in _OWN_COLUMNS]
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
        ", ".join(more),
    ]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


if __name__ == "__main__":
    print(markdown_table(sys.stdin))
