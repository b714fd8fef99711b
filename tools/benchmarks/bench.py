"""How much is measured, and the interleaving that keeps a noisy machine out of the ratios."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, TypeVar

from tools.benchmarks.figure import Figure, ours, theirs
from tools.benchmarks.subject import Measured, SubjectFailed

_Name = TypeVar("_Name")


@dataclass(frozen=True)
class Bench:
    """What one run of the benchmarks does.

    Attributes
    ----------
    seed
        Of the items.
    repetitions
        How often each subject runs.
    scale
        How many times the usual number of items is copied; 1 in `make bench`, more in BENCH=full.
    """

    seed: int = 1
    repetitions: int = 3
    scale: int = 1

    def interleaved(
        self, measurements: Mapping[_Name, Callable[[], Measured]]
    ) -> dict[_Name, list[Measured] | SubjectFailed]:
        """Take each measurement once, then each once more, and so on; one that fails is not taken again."""
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
    """The median of the ratios (ours over the baseline's that ran beside it), and all of them."""
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
    """The figure of ``mine`` against the ``baseline`` of that name, or one that says which of them failed.

    The ratio is that of ``of``, ours over the baseline's.
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
