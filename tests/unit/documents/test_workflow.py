"""The workflow, the hooks and .ci/run do the same, on the versions that are promised."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
import yaml

from tests.unit.documents.makefile import TARGETS
from tools.docs_tables.__main__ import REPOSITORY
from tools.local.terraform import OLDEST_PROVIDER, OLDEST_TERRAFORM


@pytest.fixture(scope="module")
def job() -> dict[str, Any]:
    workflow = yaml.safe_load((REPOSITORY / ".github/workflows/ci.yml").read_text())
    assert workflow["permissions"] == {"contents": "read"}
    (job,) = workflow["jobs"].values()
    found: dict[str, Any] = job
    return found


def test_the_workflow_runs_what_ci_runs(job: dict[str, Any]) -> None:
    commands = [step["run"] for step in job["steps"] if "run" in step]
    script = (REPOSITORY / ".ci/run").read_text()
    assert commands == re.findall(r"^make .*$", script, re.MULTILINE)
    assert {command.split()[1] for command in commands} <= TARGETS


def test_every_action_has_a_version_and_the_job_an_end(job: dict[str, Any]) -> None:
    actions = [step["uses"] for step in job["steps"] if "uses" in step]
    assert [
        action for action in actions if not re.fullmatch(r"[\w-]+/[\w-]+@(v\d+|[0-9a-f]{40})", action)
    ] == []
    assert job["timeout-minutes"] <= 90


def test_lowest_and_highest_python(job: dict[str, Any]) -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    chosen = re.findall(r"for python in (.*);", (REPOSITORY / "Makefile").read_text())[0].split()
    versions = [row["python"] for row in job["strategy"]["matrix"]["include"]]
    assert f">={versions[0]}" == project["requires-python"]
    assert f"python{versions[-1]}" == chosen[0]
    assert f"python{versions[0]}" in chosen


def test_lowest_and_highest_terraform(job: dict[str, Any]) -> None:
    versions = [row["terraform"] for row in job["strategy"]["matrix"]["include"]]
    lowest = ".".join(map(str, OLDEST_TERRAFORM))
    assert versions == [f"{lowest}.0", "<2.0.0"]
    files = [
        REPOSITORY / "versions.tf",
        *REPOSITORY.glob("modules/*/*.tf"),
        *REPOSITORY.glob("examples/*/*.tf"),
    ]
    asked = {asks for file in files for asks in re.findall(r'required_version = "(.*)"', file.read_text())}
    assert asked == {f">= {lowest}"}


def test_one_range_of_providers() -> None:
    files = [
        REPOSITORY / "versions.tf",
        *REPOSITORY.glob("modules/*/*.tf"),
        *REPOSITORY.glob("examples/*/*.tf"),
    ]
    ranges = {asks for file in files for asks in re.findall(r' version = "(.*)"', file.read_text())}
    assert len(ranges) == 1
    assert ranges.pop().startswith(f">= {'.'.join(map(str, OLDEST_PROVIDER))},")


def test_hooks_run_what_is_here() -> None:
    hooks = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text())
    assert [repository["repo"] for repository in hooks["repos"]] == ["local"]
    entries = [hook["entry"].split() for hook in hooks["repos"][0]["hooks"]]
    assert {entry[1] for entry in entries if entry[0] == "make"} <= TARGETS
    assert {"ruff", "terraform", "docs"} <= {word.rpartition("/")[2] for entry in entries for word in entry}
