"""The seeds that ``make test`` runs, and those that once found a fault."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from tools.simulation.cutover.scenario import NAME as CUTOVER
from tools.simulation.verification.scenario import NAME as VERIFICATION

Seed = tuple[int, str]
"""A seed and the name of its scenario, which is empty if the seed draws it."""

SEEDS = range(1, 2001)
"""Seeds of the mix of scenarios."""

READERS = "readers"
READERS_SEEDS = range(1, 121)
"""Seeds of the scenario in which other invocations read the shards for the reconciler."""

VERIFICATION_SEEDS = range(1, 1_001)
"""Seeds of the scenario `verification`, which has a list of its own."""

CUTOVER_SEEDS = range(1, 25)
"""Seeds of the scenario `cutover`, which has a list of its own. A run takes about a second."""

CUTOVER_OPEN: dict[int, str] = {}
"""Seeds of cutovers that break a rule today, with what is wrong."""

OPEN: dict[int, str] = {}
"""Seeds that break a rule today, with what is wrong."""

CORPUS = Path(__file__).parents[2] / "tests" / "simulation" / "corpus.txt"
"""Seeds that once broke a rule: one a line, with the scenario's name if it was not drawn."""


FOUND = CORPUS.with_name("found.txt")
"""The seed that found each mutant last: its name, the seed, and the scenario's name if it was not drawn."""


def corpus() -> Iterator[Seed]:
    """Yield the seeds of the corpus."""
    for line in CORPUS.read_text().splitlines():
        seed, _, rest = line.partition("#")[0].strip().partition(" ")
        if seed:
            yield int(seed), rest.strip()


def tested() -> list[Seed]:
    """Return all seeds that ``make test`` runs and that break no rule today."""
    return [
        *corpus(),
        *((seed, "") for seed in SEEDS if seed not in OPEN),
        *((seed, READERS) for seed in READERS_SEEDS),
    ]


def found() -> dict[str, Seed]:
    """Return the seed that found each mutant last, by the mutant's name."""
    lines = (line.rpartition(": ") for line in FOUND.read_text().splitlines())
    return {
        name: (int(number), scenario)
        for name, _, seed in lines
        for number, _, scenario in [seed.partition(" ")]
    }


def note_found(seeds: Mapping[str, Seed]) -> None:
    """Write down which seed found each mutant, so that the next hunt begins with it."""
    FOUND.write_text(
        "".join(f"{name}: {seed} {scenario}".rstrip() + "\n" for name, (seed, scenario) in seeds.items())
    )


def verified() -> list[Seed]:
    """Return the seeds of comparisons that ``make test`` runs."""
    return [(seed, VERIFICATION) for seed in VERIFICATION_SEEDS]


def cut_over() -> list[Seed]:
    """Return the seeds of cutovers that ``make test`` runs."""
    kept = [each for each in corpus() if each[1] == CUTOVER]
    return [*kept, *((seed, CUTOVER) for seed in CUTOVER_SEEDS if seed not in CUTOVER_OPEN)]
