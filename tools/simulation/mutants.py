"""Breaks the product in many ways, one at a time, and shows which the simulation finds: ``make mutants``.

The judge is judged by this: a rule that no mutant breaks, or a mutant that breaks no rule, shows what the
simulation does not see. Each mutant is a copy of the package with one change (see `mutations` and
`verification.mutations`), and runs the seeds that ``make test`` runs until one of them breaks a rule, first
the one that found it last. A mutant that no seed finds runs the unit tests that are named for it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from tools.simulation.cutover.mutations import ANSWERED as CUTOVER_ANSWERED
from tools.simulation.cutover.mutations import CUTOVER
from tools.simulation.mutations import ANSWERED, MUTATIONS, Mutation
from tools.simulation.seeds import Seed, cut_over, found, note_found, tested, verified
from tools.simulation.verification.mutations import ANSWERED as VERIFICATION_ANSWERED
from tools.simulation.verification.mutations import VERIFICATION

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "lambda" / "tablecopy"


ALL = (*MUTATIONS, *VERIFICATION, *CUTOVER)
"""The mutations of the copy, of the comparison in the account, and of cutovers."""

ALL_ANSWERED = {**ANSWERED, **VERIFICATION_ANSWERED, **CUTOVER_ANSWERED}
"""Mutants that no seed finds, each with the tests that do."""


class DoesNotApply(Exception):
    """The text that a mutation replaces is not in the file exactly once."""


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant.

    Attributes
    ----------
    runs
        Runs of seeds until one broke a rule.
    seed, rule
        The seed that found it, if one did, and the rule.
    tests
        The unit tests that found it, if they did.
    """

    name: str
    runs: int = 0
    seed: Seed | None = None
    rule: str = ""
    tests: str = ""

    @property
    def is_found(self) -> bool:
        """Whether a seed broke a rule, or a test failed."""
        return self.seed is not None or bool(self.tests)

    def line(self) -> str:
        """Return the outcome as a line of text."""
        if self.tests:
            return f"{self.name}: {self.tests}"
        if self.seed is None:
            return f"{self.name}: SURVIVED {self.runs} runs"
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
    first
        The seed that each mutant runs before these, by its name.
    answered
        Tests that find mutants, by their names. These mutants run them instead of seeds.
    """

    def __init__(
        self,
        seeds: Sequence[Seed],
        first: Mapping[str, Seed] | None = None,
        answered: Mapping[str, str] | None = None,
    ) -> None:
        self._seeds = list(seeds)
        self._first = first or {}
        self._answered = answered or {}

    def run(self, mutation: Mutation) -> Outcome:
        """Run a mutant until a seed breaks a rule, or the tests that are named for it."""
        with tempfile.TemporaryDirectory() as directory:
            package = Path(directory, "tablecopy")
            shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
            apply(mutation, package)
            tests = self._answered.get(mutation.name)
            return _test(mutation.name, tests, directory) if tests else self._hunt(mutation.name, directory)

    def _hunt(self, name: str, directory: str) -> Outcome:
        first = self._first.get(name)
        seeds = [first, *self._seeds] if first in self._seeds else self._seeds
        # The first tablecopy on the path is the one that is imported.
        path = os.pathsep.join([directory, *filter(None, [os.environ.get("PYTHONPATH")])])
        done = _python(["-m", "tools.simulation.hunt"], input=json.dumps(seeds), PYTHONPATH=path)
        if done.returncode:
            raise RuntimeError(f"{name}: the simulation failed:\n{done.stderr[-4000:]}")
        answer = json.loads(done.stdout)
        if not answer["rule"]:
            return Outcome(name, answer["runs"])
        seed = answer["seed"], answer["scenario"]
        self._seeds.remove(seed)
        self._seeds.insert(0, seed)
        return Outcome(name, answer["runs"], seed, answer["rule"])

    def run_all(self, mutations: Sequence[Mutation], processes: int) -> Iterator[Outcome]:
        """Run several mutants at the same time."""
        with ThreadPoolExecutor(processes) as pool:
            yield from pool.map(self.run, mutations)


def _test(name: str, tests: str, directory: str) -> Outcome:
    """Run tests with the package in ``directory``."""
    pythonpath = f"pythonpath=. {directory} cli"
    done = _python(["-m", "pytest", "-qx", "-n", "0", "-p", "no:cacheprovider", "-o", pythonpath, tests])
    if done.returncode not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
        raise RuntimeError(f"{name}: the tests cannot run:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return Outcome(name, tests=tests if done.returncode else "")


def _python(
    arguments: Sequence[str], input: str | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment},
        input=input,
        capture_output=True,
        text=True,
        check=False,
    )


@click.command()
@click.option("--only", default="", help="Only the mutants whose names contain this.")
@click.option("--processes", type=int, help="Mutants at the same time. The default is the number of cores.")
@click.option("--all-seeds", is_flag=True, help="Run seeds also where unit tests find the mutant.")
def main(only: str, processes: int | None, all_seeds: bool) -> None:
    """Break the product in many ways, and show which of them the simulation finds."""
    chosen = [mutation for mutation in ALL if only in mutation.name]
    check(chosen)
    known = found()
    answered = {} if all_seeds else ALL_ANSWERED
    outcomes = []
    for mutations, seeds in ((MUTATIONS, tested()), (VERIFICATION, verified()), (CUTOVER, cut_over())):
        of_these = [mutation for mutation in mutations if mutation in chosen]
        for outcome in Hunt(seeds, known, answered).run_all(of_these, processes or os.cpu_count() or 1):
            click.echo(outcome.line())
            outcomes.append(outcome)
            if outcome.seed is not None:
                known[outcome.name] = outcome.seed
    note_found({mutation.name: known[mutation.name] for mutation in ALL if mutation.name in known})
    survived = [outcome.name for outcome in outcomes if not outcome.is_found]
    line = {
        "name": "mutants",
        "mutants": len(outcomes),
        "found": len(outcomes) - len(survived),
        "by_tests": sum(bool(outcome.tests) for outcome in outcomes),
        "survived": survived,
    }
    click.echo(json.dumps(line))
    sys.exit(1 if set(survived) - set(ALL_ANSWERED if all_seeds else ()) else 0)


if __name__ == "__main__":
    main()
