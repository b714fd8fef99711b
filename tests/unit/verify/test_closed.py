"""The commands in real processes whose stdout or stderr is closed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.unit.verify.world import ROOT, World, environment

LOST = "error: standard output is closed, so the result would be lost. Nothing was done."


def shell(redirections: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m`` in a shell with these redirections."""
    return subprocess.run(
        ["sh", "-c", f'exec "$0" -m "$@" {redirections}', sys.executable, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=environment(PYTHONPATH=f"{ROOT}:{ROOT / 'lambda'}"),
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(("redirections", "processes"), [("2>&-", "1"), ("<&- 2>&-", "2")])
def test_equal_tables_are_equal_with_stderr_closed(world: World, redirections: str, processes: str) -> None:
    world.fill(same=50)
    done = shell(redirections, "verify", *world.flags("--writes-stopped", "--processes", processes))
    assert done.returncode == 0
    assert done.stdout.startswith("Equal: all 50 items")


def test_a_repair_says_its_result_with_stderr_closed(world: World) -> None:
    world.fill(same=5)
    plan = str(world.work.parent / "plan.jsonl")
    assert world.run("--repair-plan", plan) == 0
    # The tables' flags without the work directory.
    done = shell("2>&-", "verify", "repair", plan, *world.flags()[2:])
    assert done.returncode == 0
    assert done.stdout.startswith("Dry run: no action.")


def test_an_error_does_not_go_to_stdout_with_stderr_closed(world: World) -> None:
    flags = ("--source-region", "eu-west-1", "--source-endpoint-url", world.served.url)
    for arguments in (
        ("verify", *world.flags("--destination", "none")),
        ("verify", "repair", "/nope/plan.jsonl", *world.flags()[2:]),
        ("tablecopy_cli", "status", "--control-function", "none", *flags),
    ):
        done = shell("2>&-", *arguments)
        assert (done.returncode, done.stdout, done.stderr) == (2, "", "")


def test_nothing_is_done_with_stdout_closed(world: World) -> None:
    world.fill(same=5)
    flags = ("--source-region", "eu-west-1", "--source-endpoint-url", world.served.url)
    for program, arguments in (
        ("verify", ("verify", *world.flags("--writes-stopped"))),
        ("verify", ("verify", "repair", "plan.jsonl", "--apply", *world.flags()[2:])),
        ("tablecopy", ("tablecopy_cli", "seal", "--control-function", "none", *flags)),
    ):
        done = shell(">&-", *arguments)
        assert done.returncode == 2
        assert done.stderr.startswith(f"{program}: {LOST}")
        assert done.stderr.count("\n") == 1
    assert not world.served.operations
