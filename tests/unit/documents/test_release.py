"""One version, wherever it is named."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.documents.pages import PAGES
from tools.docs_tables.__main__ import REPOSITORY

VERSION = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]


def test_the_changelog_begins_with_what_is_unreleased_and_this_version() -> None:
    sections = re.findall(r"^## \[(.*?)\](.*)$", (REPOSITORY / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert sections[0] == ("Unreleased", "")
    assert sections[1][0] == VERSION
    assert all(re.fullmatch(r" - \d{4}-\d\d-\d\d", date) for _, date in sections[1:])


def test_terraform_code_names_this_version() -> None:
    named = {ref for page in PAGES for ref in re.findall(r"\?ref=v([\w.]+)", page.read_text())}
    assert named == {VERSION}


@pytest.fixture(scope="module")
def jobs() -> dict[str, Any]:
    workflow = yaml.safe_load((REPOSITORY / ".github/workflows/release.yml").read_text())
    assert workflow["permissions"] == {}
    found: dict[str, Any] = workflow["jobs"]
    return found


def run_step(job: dict[str, Any], name: str, tag: str, directory: Path) -> int:
    [step] = [step for step in job["steps"] if step.get("name") == name]
    shell = ["bash", "-eo", "pipefail", "-c", step["run"]]
    return subprocess.run(
        shell, cwd=directory, env={**os.environ, "GITHUB_REF_NAME": tag}, check=False
    ).returncode


@pytest.mark.parametrize(("tag", "code"), [(f"v{VERSION}", 0), (VERSION, 1), (f"v{VERSION}.1", 1)])
def test_a_tag_that_does_not_name_the_version_ends_the_release(
    jobs: dict[str, Any], tag: str, code: int
) -> None:
    assert run_step(jobs["build"], "Check that the tag names the version", tag, REPOSITORY) == code


@pytest.mark.parametrize(("tag", "code"), [(f"v{VERSION}", 0), ("v99.0.0", 1)])
def test_the_notes_are_the_section_of_the_changelog(
    jobs: dict[str, Any], tag: str, code: int, tmp_path: Path
) -> None:
    text = (REPOSITORY / "CHANGELOG.md").read_text()
    (tmp_path / "CHANGELOG.md").write_text(text)
    assert run_step(jobs["build"], "Take the notes from the changelog", tag, tmp_path) == code
    section = text.partition(f"\n## [{tag[1:]}]")[2].partition("\n")[2].partition("\n## ")[0]
    assert (tmp_path / "notes.md").read_text().strip() == section.strip()


def test_the_job_that_runs_code_of_the_repository_may_write_nothing(jobs: dict[str, Any]) -> None:
    assert jobs["build"]["permissions"] == {"contents": "read"}
    assert jobs["publish"]["permissions"] == {
        "contents": "write",
        "attestations": "write",
        "id-token": "write",
    }
    assert [step["uses"] for step in jobs["publish"]["steps"] if "checkout" in step.get("uses", "")] == []
    [publish] = [step["run"] for step in jobs["publish"]["steps"] if "run" in step]
    assert publish.startswith("gh release create ")
    assert "--verify-tag" in publish
