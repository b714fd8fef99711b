"""The seeds that ``make test`` runs, and those that once found a fault."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

SEEDS = range(1, 201)
"""Seeds of the mix of scenarios."""

OPEN = {
    52: "a destination with five write units: three slices copy nothing, and the run stops",
}
"""Seeds that break a rule today, with what is wrong."""

HUNTING = range(53, 201)
"""The longest row of seeds of which none is open. `mutants` shows what they find."""

CORPUS = Path(__file__).parents[2] / "tests" / "simulation" / "corpus.txt"
"""Seeds that once broke a rule: one a line, with the scenario's name if it was not drawn."""


def corpus() -> Iterator[tuple[int, str]]:
    """Yield the seeds of the corpus, each with the scenario's name or an empty text."""
    for line in CORPUS.read_text().splitlines():
        seed, _, rest = line.partition("#")[0].strip().partition(" ")
        if seed:
            yield int(seed), rest.strip()
