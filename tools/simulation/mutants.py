"""Breaks the product in many ways, one at a time, and shows which the simulation finds: ``make mutants``.

The judge is judged by this: a rule that no mutant breaks, or a mutant that breaks no rule, shows what the
simulation does not see. Each mutant is a copy of the package with one change (see `mutations` and
`verification.mutations`), and runs the seeds that ``make test`` runs until one of them breaks a rule.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import click

from tools.simulation.mutations import ANSWERED, MUTATIONS, Mutation
from tools.simulation.seeds import Seed, tested, verified
from tools.simulation.verification.mutations import ANSWERED as VERIFICATION_ANSWERED
from tools.simulation.verification.mutations import VERIFICATION

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "lambda" / "tablecopy"


ALL = (*MUTATIONS, *VERIFICATION)
"""The mutations of the copy and those of the comparison in the account."""

ALL_ANSWERED = {**ANSWERED, **VERIFICATION_ANSWERED}
"""Mutants that no seed finds, each with the tests that do."""


class DoesNotApply(Exception):
    """The text that a mutation replaces is not in the file exactly once."""


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant: the seed and the rule that found it after how many runs, if any did."""

    name: str
    runs: int
    seed: Seed | None = None
    rule: str = ""

    @property
    def is_found(self) -> bool:
        """Whether a seed broke a rule."""
        return self.seed is not None

    def line(self) -> str:
        """Return the outcome as a line of text."""
        if self.seed is None:
            answer = f", found by {ALL_ANSWERED[self.name]}" if self.name in ALL_ANSWERED else ""
            return f"{self.name}: SURVIVED {self.runs} runs{answer}"
        seed, scenario = self.seed
        return (
            f"{self.name}: {self.rule}, by seed {seed}{f' {scenario}' if scenario else ''}, run {self.runs}"
        )


def apply(mutation: Mutation, package: Path) -> None:
    """Change the copy of the product in ``package``. Raises DoesNotApply."""
    path = package / mutation.file
    text = path.read_text()
    for old, new in mutation.changes:
        if text.count(old) != 1:
            raise DoesNotApply(f"{mutation.name}: {mutation.file} has {text.count(old)} times: {old!r}")
        text = text.replace(old, new)
    path.write_text(text)


def check(mutations: Sequence[Mutation]) -> None:
    """Raise DoesNotApply if a mutation no longer fits the product, or ValueError if names repeat."""
    if len({mutation.name for mutation in mutations}) != len(mutations):
        raise ValueError("two mutations have the same name")
    for mutation in mutations:
        with tempfile.TemporaryDirectory() as directory:
            package = Path(directory, "tablecopy")
            path = package / mutation.file
            path.parent.mkdir(parents=True)
            shutil.copy(PACKAGE / mutation.file, path)
            apply(mutation, package)
            compile(path.read_text(), str(path), "exec")


class Hunt:
    """Runs mutants. A seed that has found one comes first for the next, because it may find more.

    Parameters
    ----------
    seeds
        What each mutant runs.
    """

    def __init__(self, seeds: Sequence[Seed]) -> None:
        self._seeds = list(seeds)

    def run(self, mutation: Mutation) -> Outcome:
        """Run a mutant until a seed breaks a rule."""
        with tempfile.TemporaryDirectory() as directory:
            package = Path(directory, "tablecopy")
            shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
            apply(mutation, package)
            # The first tablecopy on the path is the one that is imported.
            path = os.pathsep.join([directory, *filter(None, [os.environ.get("PYTHONPATH")])])
            done = subprocess.run(
                [sys.executable, "-m", "tools.simulation.hunt"],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
                input=json.dumps(self._seeds),
                capture_output=True,
                text=True,
                check=False,
            )
        if done.returncode:
            raise RuntimeError(f"{mutation.name}: the simulation failed:\n{done.stderr[-4000:]}")
        answer = json.loads(done.stdout)
        if not answer["rule"]:
            return Outcome(mutation.name, answer["runs"])
        seed = answer["seed"], answer["scenario"]
        self._seeds.remove(seed)
        self._seeds.insert(0, seed)
        return Outcome(mutation.name, answer["runs"], seed, answer["rule"])

    def run_all(self, mutations: Sequence[Mutation], processes: int) -> Iterator[Outcome]:
        """Run several mutants at the same time."""
        with ThreadPoolExecutor(processes) as pool:
            yield from pool.map(self.run, mutations)


@click.command()
@click.option("--only", default="", help="Only the mutants whose names contain this.")
@click.option("--processes", type=int, help="Mutants at the same time. The default is the number of cores.")
def main(only: str, processes: int | None) -> None:
    """Break the product in many ways, and show which of them the simulation finds."""
    chosen = [mutation for mutation in ALL if only in mutation.name]
    check(chosen)
    survived = []
    for mutations, seeds in ((MUTATIONS, tested()), (VERIFICATION, verified())):
        of_these = [mutation for mutation in mutations if mutation in chosen]
        for outcome in Hunt(seeds).run_all(of_these, processes or os.cpu_count() or 1):
            click.echo(outcome.line())
            if not outcome.is_found:
                survived.append(outcome.name)
    found = len(chosen) - len(survived)
    click.echo(json.dumps({"name": "mutants", "mutants": len(chosen), "found": found, "survived": survived}))
    sys.exit(1 if set(survived) - set(ALL_ANSWERED) else 0)


if __name__ == "__main__":
    main()
