"""Simulates many runs of the copy: ``python -m tools.simulation --runs 1000``."""

from __future__ import annotations

import json
import sys

import click

from tools.simulation.cutover.scenario import NAME as CUTOVER
from tools.simulation.runner import Options, Result, Summary, run, run_many
from tools.simulation.scenario import SCENARIOS
from tools.simulation.verification.scenario import NAME as VERIFICATION


@click.command()
@click.option("--runs", default=1_000, show_default=True, help="Number of runs.")
@click.option(
    "--seed", default=1, show_default=True, help="Seed of the first run. The next one has the next."
)
@click.option("--seconds", type=float, help="Length of the busy time in each run.")
@click.option("--shards", type=int, help="Open shards of the stream at the beginning.")
@click.option(
    "--scenario",
    type=click.Choice(["", *SCENARIOS, VERIFICATION, CUTOVER]),
    default="",
    help="Scenario of all runs. Without it, the seed draws one.",
)
@click.option("--processes", type=int, help="Number of processes. The default is the number of cores.")
@click.option("--first", is_flag=True, help="Stop after the first run that breaks a rule.")
@click.option("--trace", "keys", multiple=True, help="Key whose story is printed, for a single run.")
def main(
    runs: int,
    seed: int,
    seconds: float | None,
    shards: int | None,
    scenario: str,
    processes: int | None,
    first: bool,
    keys: tuple[str, ...],
) -> None:
    """Run the functions in a simulated AWS, and judge what they do."""
    options = Options(scenario, shards, seconds)
    summary = Summary(seed)
    seeds = range(seed, seed + runs)
    results = (
        (run(each, options, keys=keys) for each in seeds) if keys else run_many(seeds, options, processes)
    )
    for result in results:
        summary.add(result)
        if result.violations or keys:
            show(result, options)
        if result.violations and first:
            break
    click.echo(json.dumps(summary.line()))
    sys.exit(1 if summary.violations else 0)


def show(result: Result, options: Options) -> None:
    """Print a run's violations, the command that repeats it, and the story of the keys concerned."""
    for violation in result.violations[:5]:
        click.echo(f"VIOLATION {violation.rule}: seed {result.seed}, {result.scenario}: {violation.what}")
        if violation.keys:
            click.echo(f"  keys {' '.join(violation.keys[:10])}")
    if len(result.violations) > 5:
        click.echo(f"  and {len(result.violations) - 5} more")
    click.echo(f"  repeat: {command(result.seed, options)}")
    click.echo(result.report)


def command(seed: int, options: Options) -> str:
    """Return the command that repeats a run."""
    given = {"SCENARIO": options.scenario, "SHARDS": options.shards, "SECONDS": options.seconds}
    return " ".join(
        [
            "make simulate RUNS=1",
            f"SEED={seed}",
            *(f"{name}={value}" for name, value in given.items() if value),
        ]
    )


if __name__ == "__main__":
    main()
