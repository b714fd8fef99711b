"""Runs scenarios: one, or many on all cores, always with the same result for the same seed."""

from __future__ import annotations

import gc
import hashlib
import io
import json
import os
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context

from tablecopy.metrics.definitions import OLDEST_UNAPPLIED_CHANGE_AGE
from tools.simulation.cutover import scenario as cutover
from tools.simulation.cutover.stage import Stage as CutoverStage
from tools.simulation.findings import Violation
from tools.simulation.judge import Judge
from tools.simulation.report import Report
from tools.simulation.scenario import plan
from tools.simulation.stage import Stage
from tools.simulation.verification import scenario as verification
from tools.simulation.verification.stage import Stage as VerificationStage


@dataclass(frozen=True)
class Options:
    """What seeds are drawn for: a named scenario or a mix, its shards, and the length of its busy time."""

    scenario: str = ""
    shards: int | None = None
    seconds: float | None = None

    def stage(self, seed: int, report: Report | None) -> Stage | VerificationStage | CutoverStage:
        """Return the run of a seed, before anything has happened."""
        if self.scenario == cutover.NAME:
            return CutoverStage(cutover.plan(seed), report)
        if self.scenario == verification.NAME:
            return VerificationStage(verification.plan(seed), report)
        return Stage(plan(seed, self.scenario, self.shards, self.seconds), report)


@dataclass(frozen=True)
class Result:
    """What one run has shown.

    Attributes
    ----------
    seconds
        Seconds of virtual time.
    digest
        Hash of the run's trace.
    report
        A readable trace for the first violation, if there is one.
    """

    seed: int
    scenario: str
    seconds: float
    digest: str
    violations: list[Violation] = field(default_factory=list)
    report: str = ""


_AGE = f'"{OLDEST_UNAPPLIED_CHANGE_AGE.name}":'


class _Log(io.TextIOBase):
    """Takes what the functions print, which Lambda would send to CloudWatch.

    Attributes
    ----------
    judge
        Sees the metrics, once there is a run.
    """

    def __init__(self, report: Report | None) -> None:
        self.judge: Judge | None = None
        self._report = report

    def write(self, text: str) -> int:
        if _AGE in text and self.judge is not None:
            self.judge.age_published(json.loads(text)[OLDEST_UNAPPLIED_CHANGE_AGE.name])
        if self._report is not None:
            self._report.logged(text)
        return len(text)


def run(seed: int, options: Options = Options(), *, keys: Sequence[str] = (), tells: bool = True) -> Result:
    """Run the scenario of a seed. After a violation, it runs again to tell the story of the keys concerned.

    Parameters
    ----------
    keys
        Keys to report on even without a violation.
    tells
        Whether a violation has its story.
    """
    result = _run(seed, options, Report(keys) if keys else None)
    if result.violations and tells and not keys:
        again = _run(seed, options, Report(result.violations[0].keys))
        if again.digest != result.digest:
            raise AssertionError(f"seed {seed} gave two different runs")
        return again
    return result


def _run(seed: int, options: Options, report: Report | None) -> Result:
    log = _Log(report)
    with redirect_stdout(log):
        stage = options.stage(seed, report)
        if isinstance(stage, Stage):
            log.judge = stage.judge
        try:
            stage.play()
        except Exception as error:
            # What a service cannot carry out is a fault of the product, or of the simulation.
            stage.judge.violate("simulation", "".join(traceback.format_exception(error)[-3:]))
    return Result(
        seed,
        stage.plan.name,
        stage.seconds,
        stage.world.digest,
        stage.judge.violations,
        report.text() if report is not None else "",
    )


def run_many(
    seeds: Sequence[int], options: Options = Options(), processes: int | None = None
) -> Iterator[Result]:
    """Run many seeds on several cores. Yields the results in the order of the seeds."""
    processes = processes or os.cpu_count() or 1
    # A run leaves many objects in circles. To search them all the time would take a fifth of it.
    if processes == 1 or len(seeds) == 1:
        yield from map(partial(_one_of_many, options=options), seeds)
        return
    # A fork would share the parent's greenlets.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=gc.freeze) as pool:
        size = max(1, min(20, len(seeds) // (4 * processes)))
        yield from pool.map(partial(_one_of_many, options=options), seeds, chunksize=size)


def _one_of_many(seed: int, options: Options) -> Result:
    gc.disable()
    try:
        return run(seed, options)
    finally:
        gc.enable()
        if seed % 20 == 0:
            gc.collect()


@dataclass
class Summary:
    """The last line of the output: what all runs have shown."""

    seed: int
    began: float = field(default_factory=time.perf_counter)
    runs: int = 0
    simulated: float = 0.0
    violations: int = 0

    def __post_init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, result: Result) -> None:
        """Count a run. The order of the runs matters to the hash."""
        self.runs += 1
        self.simulated += result.seconds
        self.violations += len(result.violations)
        self._hash.update(result.digest.encode())

    def line(self) -> dict[str, object]:
        """Return the line as an object."""
        return {
            "name": "simulate",
            "seed": self.seed,
            "runs": self.runs,
            "simulated_s": round(self.simulated, 1),
            "wall_s": round(time.perf_counter() - self.began, 1),
            "violations": self.violations,
            "trace": self._hash.hexdigest(),
        }
