"""Measures everything, or the figures named.

    python -m tools.benchmarks                          every figure
    python -m tools.benchmarks backfill worker_memory   these
    BENCH=full python -m tools.benchmarks               longer, on larger tables

Standard output has one JSON object for each figure, standard error what is going on and a table. Exits 1 when
something required was not reached.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tools.benchmarks.bench import Bench
from tools.benchmarks.figure import Figure
from tools.benchmarks.figures import (
    backfill,
    cold_start,
    memory,
    overlap,
    replicator,
    scaling,
    verify,
    verify_engine,
    verify_size,
)
from tools.benchmarks.machine import machine
from tools.benchmarks.required import missed
from tools.benchmarks.table import text_table


@dataclass(frozen=True)
class Family:
    """Figures that are measured together."""

    names: Sequence[str]
    measure: Callable[[Bench], Iterator[Figure]]


FAMILIES = (
    Family(["backfill"], backfill.measure),
    Family(["backfill_overlap"], overlap.measure),
    Family(["replicator_wall", "replicator_cpu", "replicator_hot_key"], replicator.measure),
    Family(["worker_memory"], memory.measure),
    Family(["segments_scaling"], scaling.measure),
    Family(["cold_start"], cold_start.measure),
    Family(["verify"], verify.measure),
    Family(["verify_memory", "verify_scaling"], verify_size.measure),
    Family(["verify_engine"], verify_engine.measure),
)

# The share of the cores that other programs may take before seconds mean little.
_QUIET = 0.1

_NORMAL = Bench()
_FULL = Bench(repetitions=5, scale=4)


def main(wanted: Sequence[str]) -> int:
    """Measure the families that have a figure among ``wanted``, or all; returns the exit code."""
    known = [name for family in FAMILIES for name in family.names]
    unknown = [name for name in wanted if name not in known]
    if unknown:
        print(f"no figure is called {unknown[0]}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    bench = _FULL if os.environ.get("BENCH") == "full" else _NORMAL
    families = [family for family in FAMILIES if not wanted or set(wanted) & set(family.names)]
    print(f"{machine()}; seed {bench.seed}", file=sys.stderr)
    figures: list[Figure] = []
    for family in families:
        print(f"{', '.join(family.names)}:", file=sys.stderr, flush=True)
        for figure in family.measure(bench):
            figures.append(figure)
            print(figure.line(machine=machine(), seed=bench.seed), flush=True)
    print(f"\n{text_table(figures)}", file=sys.stderr)
    failures = list(missed(figures, [name for family in families for name in family.names]))
    busiest = max((figure.others_busy or 0.0 for figure in figures), default=0.0)
    if busiest > _QUIET:
        print(
            f"other programs took up to {busiest:.0%} of the cores meanwhile (others_busy): "
            "measure again when the machine is quiet",
            file=sys.stderr,
        )
    for failure in failures:
        print(f"missed: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    # Ended like that, too, it takes along what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(main(sys.argv[1:]))
