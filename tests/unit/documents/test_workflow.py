"""The workflow, the hooks and .ci/run do the same, on the versions that are promised."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.documents.makefile import TARGETS
from tools.docs_tables.__main__ import REPOSITORY
from tools.local.terraform import OLDEST_PROVIDER, OLDEST_TERRAFORM

WORKFLOWS = sorted(REPOSITORY.glob(".github/workflows/*.yml"))


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


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_a_commit_with_its_version_and_every_job_ends(path: Path) -> None:
    actions = re.findall(r"uses: (.*)", path.read_text())
    pinned = re.compile(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    assert [action for action in actions if not pinned.fullmatch(action)] == []
    jobs = yaml.safe_load(path.read_text())["jobs"].values()
    assert max(job["timeout-minutes"] for job in jobs) <= 90


def test_one_commit_for_each_action() -> None:
    actions = {action for path in WORKFLOWS for action in re.findall(r"uses: (\S+)", path.read_text())}
    assert len(actions) == len({action.partition("@")[0] for action in actions})


def test_dependabot_covers_every_ecosystem() -> None:
    updates = yaml.safe_load((REPOSITORY / ".github/dependabot.yml").read_text())["updates"]
    ecosystems = {update["package-ecosystem"]: update for update in updates}
    assert set(ecosystems) == {"pip", "npm", "github-actions", "terraform"}
    packages = {
        path.parent for path in REPOSITORY.glob("tools/**/package.json") if "node_modules" not in path.parts
    }
    assert {REPOSITORY / name.lstrip("/") for name in ecosystems["npm"]["directories"]} == packages


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
