"""The native tests, and that the configuration is formatted and valid."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tools.checks import values
from tools.checks.rendered import documents
from tools.local.terraform import PROVIDER, trust_installed_providers

from .conftest import REPOSITORY

pytestmark = pytest.mark.terraform

# Those whose plans have documents, and values of every resource but tables: plans of those take minutes.
NATIVE = ("policies", "alarms", "state_machine")

_CONFIGURATION = re.compile(r'^provider "aws" \{$.*?^\}$', re.MULTILINE | re.DOTALL)


def run(directory: Path, environment: dict[str, str], *command: str) -> str:
    done = subprocess.run(
        ["terraform", *command], cwd=directory, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def initialize(directory: Path, environment: dict[str, str]) -> None:
    run(directory, environment, "init", "-input=false", "-no-color")
    trust_installed_providers(directory)


@contextmanager
def one_provider(directory: Path, environment: dict[str, str]) -> Iterator[dict[str, str]]:
    """The environment in which Terraform asks one process of the provider instead of starting many.

    Such a process has the configuration that it was given last. So each file of tests mocks the provider, or
    configures it as all others do. ``-debug`` and ``TF_REATTACH_PROVIDERS`` are described in HashiCorp's
    "Debugger Based Debugging" of plugins.
    """
    texts = [path.read_text() for path in directory.glob("tests/*.tftest.hcl")]
    assert all('mock_provider "aws"' in text or _CONFIGURATION.search(text) for text in texts)
    assert len({found for text in texts for found in _CONFIGURATION.findall(text)}) <= 1
    [provider] = directory.glob(f".terraform/providers/{PROVIDER}/*/*/terraform-provider-aws*")
    with subprocess.Popen(
        [provider, "-debug"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            told = (re.search(r"TF_REATTACH_PROVIDERS='(.*)'", line) for line in process.stdout)
            address = next((found[1] for found in told if found), None)
            assert address is not None, f"{provider} -debug ended with {process.wait()}"
            yield {**environment, "TF_REATTACH_PROVIDERS": address}
        finally:
            process.send_signal(signal.SIGINT)


def test_formatted(make_tree: Callable[[], Path], offline_environment: dict[str, str]) -> None:
    run(make_tree(), offline_environment, "fmt", "-check", "-recursive", "-diff")


def filters(names: Iterable[str]) -> list[str]:
    return [f"-filter=tests/{name}.tftest.hcl" for name in names]


def test_native(make_tree: Callable[[], Path], offline_environment: dict[str, str]) -> None:
    """All but those of `test_planned`, which run once."""
    tree = make_tree()
    initialize(tree, offline_environment)
    names = {path.name.removesuffix(".tftest.hcl") for path in tree.glob("tests/*.tftest.hcl")}
    assert names > set(NATIVE)
    with one_provider(tree, offline_environment) as environment:
        run(tree, environment, "validate", "-no-color")
        run(tree, environment, "test", "-no-color", *filters(sorted(names - set(NATIVE))))


@pytest.mark.parametrize("module", ["copy", "verify"])
def test_modules(module: str, make_tree: Callable[[], Path], offline_environment: dict[str, str]) -> None:
    """By themselves: `validate` above checks no module that gets its providers from a caller."""
    tree = make_tree() / "modules" / module
    initialize(tree, offline_environment)
    with one_provider(tree, offline_environment) as environment:
        run(tree, environment, "test", "-no-color")


def test_planned(make_tree: Callable[[], Path], offline_environment: dict[str, str]) -> None:
    """Documents and values; also what no example has: with a key, with a VPC, with a topic."""
    tree = make_tree()
    initialize(tree, offline_environment)
    with one_provider(tree, offline_environment) as environment:
        written = run(tree, environment, "test", "-json", "-verbose", *filters(NATIVE))
    plans = [event["test_plan"] for event in map(json.loads, written.splitlines()) if "test_plan" in event]
    # The policies of a mocked provider are empty.
    found = [document for plan in plans for document in documents(plan) if document.content]
    assert any(document.is_machine for document in found)
    assert len(found) > 20
    assert [problem for document in found for problem in document.problems()] == []
    planned = {change["type"] for plan in plans for change in plan.get("resource_changes", [])}
    assert planned >= values.TYPES - {"aws_dynamodb_table"}
    assert sorted({problem for plan in plans for problem in values.problems(plan)}) == []


@pytest.mark.parametrize(("tests", "tested"), [("rules", "variables.tf"), ("names", "names.tf")])
def test_by_itself(tests: str, tested: str, tmp_path: Path, offline_environment: dict[str, str]) -> None:
    """One file of modules/copy and nothing else: no provider has to be started for each run."""
    for file in (REPOSITORY / "tests" / tests).iterdir():
        shutil.copy(file, tmp_path)
    shutil.copy(REPOSITORY / "modules" / "copy" / tested, tmp_path)
    initialize(tmp_path, offline_environment)
    run(tmp_path, offline_environment, "test", "-no-color")
