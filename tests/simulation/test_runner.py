"""A seed gives the same run everywhere, and a broken rule is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.simulation.changes import Changes
from tools.simulation.runner import Options, Summary, run, run_many
from tools.simulation.scenario import MIX, SCENARIOS, plan

ROOT = Path(__file__).parents[2]


def simulate(*arguments: str, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "tools.simulation", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=False,
    )


def last_line(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    """Return the object in the last line of the output."""
    line: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return line


def test_same_runs_in_any_process() -> None:
    """In several, whose texts have other hashes than here, and in this one, where other runs have been."""
    there = last_line(simulate("--runs", "12", "--seed", "40", "--processes", "2", hash_seed="2"))
    here = Summary(40)
    for result in run_many(range(40, 52), processes=1):
        here.add(result)
    assert here.line()["trace"] == there["trace"]
    assert here.line()["simulated_s"] == there["simulated_s"]


def test_other_seeds_give_other_runs() -> None:
    assert run(40).digest != run(41).digest


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name != "size"])
def test_each_scenario(name: str) -> None:
    result = run(5, Options(name))
    assert result.scenario == name
    assert result.seconds > 0


def test_plan_is_drawn_from_the_seed() -> None:
    assert plan(3) == plan(3)
    assert plan(3) != plan(4)
    assert plan(3, shards=9).stream.shards == 9
    assert {plan(seed).name for seed in range(300)} == set(MIX)


def test_seconds_keep_the_rate_of_writes() -> None:
    short = plan(8, "calm")
    long = plan(8, "calm", seconds=10 * short.busy_seconds)
    assert long.busy_seconds == 10 * short.busy_seconds
    assert long.traffic.changes == 10 * short.traffic.changes


def test_violation_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Changes, "_is_applied", lambda *_: False)
    seed = next(seed for seed in range(1, 50) if plan(seed).traffic.changes)
    result = run(seed)
    assert result.violations[0].rule == "lost"
    key = result.violations[0].keys[0]
    assert f": {key}" in result.report
    assert "VIOLATION lost" in result.report
