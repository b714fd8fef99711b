"""Measures all figures, or those that are named.

    python -m tools.benchmarks                          every figure
    python -m tools.benchmarks backfill worker_memory   these
    BENCH=full python -m tools.benchmarks               longer, on larger tables

Standard output has one JSON object for each figure, standard error progress and a table. The exit code is 1
if a figure misses what is required of it.
"""

from __future__ import annotations

import os
import platform
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from tools.benchmarks.account import (
    measure_account_memory,
    measure_account_workers,
    measure_verify_account,
)
from tools.benchmarks.comparing import measure_size, measure_verify
from tools.benchmarks.control import measure_control
from tools.benchmarks.copying import measure_backfill, measure_memory, measure_overlap
from tools.benchmarks.cutover import measure_cutover
from tools.benchmarks.figures import Bench, Figure, missed, text_table
from tools.benchmarks.handlers import measure_cold_start, measure_replicator
from tools.benchmarks.meter import CORES


@dataclass(frozen=True)
class Family:
    """Figures that are measured together."""

    names: Sequence[str]
    measure: Callable[[Bench], Iterator[Figure]]


FAMILIES = (
    Family(["backfill"], measure_backfill),
    Family(["backfill_overlap"], measure_overlap),
    Family(["replicator_wall", "replicator_cpu", "replicator_hot_key"], measure_replicator),
    Family(["worker_memory"], measure_memory),
    Family(["cold_start"], measure_cold_start),
    Family(["control", "journal_load"], measure_control),
    Family(["cutover", "cutover_slope"], measure_cutover),
    Family(["verify"], measure_verify),
    Family(["verify_account"], measure_verify_account),
    Family(["verify_account_memory"], measure_account_memory),
    Family(["verify_account_workers"], measure_account_workers),
    Family(["verify_memory", "verify_scaling"], measure_size),
)

# Above this share of the cores for other programs, seconds mean little.
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
            f"other programs used up to {busiest:.0%} of the cores (others_busy). "
            "Measure again when the machine is quiet.",
            file=sys.stderr,
        )
    for failure in failures:
        print(f"missed: {failure}", file=sys.stderr)
    return 1 if failures else 0


def machine() -> str:
    """CPU, cores and versions; nothing that names the machine's owner."""
    return (
        f"{_cpu()}, {CORES} cores, {platform.system()}, Python {platform.python_version()}, "
        f"boto3 {version('boto3')}, botocore {version('botocore')}"
    )


def _cpu() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        lines = (line.split(":", 1) for line in information.read_text().splitlines() if ":" in line)
        fields = {name.strip(): value.strip() for name, value in lines}
        name = fields.get("model name", platform.machine())
        speed = f" {float(fields['cpu MHz']) / 1000:.1f} GHz" if "cpu MHz" in fields else ""
        return f"{name}{speed}"
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    # Ends the processes that it has started as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(main(sys.argv[1:]))
