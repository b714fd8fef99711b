"""What the figures must reach. `make bench` fails, and says which, when one does not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tools.benchmarks.figure import Figure


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
        """Whether ``value`` is what is required; None, which says that nothing was measured, never is."""
        if not isinstance(value, int | float):
            return False
        return (self.at_least is None or value >= self.at_least) and (
            self.at_most is None or value <= self.at_most
        )

    def __str__(self) -> str:
        bound = f"at least {self.at_least}" if self.at_least is not None else f"at most {self.at_most}"
        return f"{self.name}, {self.shape}, against {self.baseline}: {self.field} {bound}"


REQUIRED = (
    Requirement("backfill", "medium", "boto3.client", "ratio", at_least=10),
    Requirement("backfill", "medium", "article", "ratio", at_least=35),
    Requirement("backfill_overlap", "medium", "no delay", "ratio", at_least=0.8),
    Requirement("replicator_wall", "medium", "article", "ratio", at_least=30),
    Requirement("replicator_cpu", "medium", "article", "ratio", at_least=10),
    Requirement("replicator_hot_key", "medium", "one write", "hot_key_writes", at_most=1),
    Requirement("worker_memory", "medium", "import boto3", "above_baseline_mb", at_most=100),
    Requirement("worker_memory", "medium", "import boto3", "growth_mb", at_most=20),
    Requirement("verify", "medium", "boto3.resource scan", "ratio", at_least=15),
    Requirement("verify_memory", "medium", "a tenth, other order", "peak_rss_mb", at_most=500),
    Requirement("verify_memory", "medium", "a tenth, other keys", "peak_rss_mb", at_most=500),
    Requirement("verify_scaling", "medium", "a tenth, other order", "ratio", at_most=11),
    Requirement("verify_scaling", "medium", "a tenth, other keys", "ratio", at_most=11),
)


def missed(figures: Sequence[Figure], measured: Sequence[str]) -> Iterator[str]:
    """What is required of figures in the families ``measured`` and not reached, a sentence each."""
    found = {(figure.name, figure.shape, figure.baseline): figure for figure in figures}
    for requirement in REQUIRED:
        if requirement.name not in measured:
            continue
        figure = found.get((requirement.name, requirement.shape, requirement.baseline))
        value: Any = None
        if figure is not None:
            value = {**vars(figure), **figure.more}.get(requirement.field)
        if not requirement.holds(value):
            said = "it was not measured" if value is None else f"it is {value:.4g}"
            yield f"{requirement}; {said}"
