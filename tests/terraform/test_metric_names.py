"""Alarms, dashboard, documentation and code name the same metrics."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tablecopy.journal.run import Phase
from tablecopy.metrics.definitions import METRICS, NAMESPACE

REPOSITORY = Path(__file__).parents[2]
LOCATION = {"partition": "aws", "account_id": "111111111111", "region": "eu-west-1"}
NAMES = {
    "copy": "move",
    "failure_queue": "failures",
    "state_machine": "machine",
    "replicator": "r",
    "backfill": "b",
    "reconciler": "k",
    "control": "c",
    "verifier": "v",
    "tracker": "t",
}
DASHBOARD = {
    "names": {**NAMES, "dashboard": "dashboard"},
    "verification": True,
    "source_table": {**LOCATION, "table_name": "orders"},
    "destination_table": {**LOCATION, "table_name": "copied"},
    "status_command": "tablecopy status",
    "unapplied_change_age_seconds": 21600,
}
ALARMS = {
    "names": {**NAMES, "alarm_topic": "topic"},
    "verification": True,
    "location": LOCATION,
    "unapplied_change_age_seconds": 21600,
}

Shown = set[tuple[str, tuple[str, ...]]]
"""Metrics of this project, each with the names of its dimensions."""

EMITTED: Shown = {(metric.name, dimensions) for metric in METRICS for dimensions in metric.dimensions}
TABLES = {"ConsumedReadUnits": "orders", "ReadThrottles": "orders"}


@pytest.fixture(scope="module")
def evaluate(
    make_tree: Callable[[], Path], offline_environment: dict[str, str]
) -> Callable[[str, str, dict[str, Any]], Any]:
    """The value of an expression in a module with these variables."""
    tree = make_tree()

    def run(directory: Path, *command: str, text: str = "") -> str:
        done = subprocess.run(
            ["terraform", *command],
            cwd=directory,
            env=offline_environment,
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def value(module: str, expression: str, variables: dict[str, Any]) -> Any:
        directory = tree / "modules" / module
        (directory / "terraform.tfvars.json").write_text(json.dumps(variables))
        run(directory, "init", "-input=false", "-backend=false")
        # The console quotes the text that jsonencode returns.
        return json.loads(json.loads(run(directory, "console", text=f"jsonencode({expression})")))

    return value


@pytest.mark.terraform
def test_alarms_look_at_metrics_that_there_are(evaluate: Callable[..., Any]) -> None:
    alarms = evaluate("alarms", "local.alarms", ALARMS)
    own = {name: alarm for name, alarm in alarms.items() if not alarm["namespace"].startswith("AWS/")}
    assert {alarm["namespace"] for alarm in own.values()} == {NAMESPACE}
    assert {alarm["dimensions"]["Copy"] for alarm in own.values()} == {"move"}
    looked_at = {(alarm["metric_name"], tuple(alarm["dimensions"])) for alarm in own.values()}
    assert looked_at <= EMITTED
    assert len(looked_at) == len(own) == 10
    assert _documented("## Alarms") == set(alarms)


@pytest.mark.terraform
def test_the_dashboard_shows_all_metrics_that_there_are(evaluate: Callable[..., Any]) -> None:
    body = evaluate("dashboard", "local.body", DASHBOARD)
    graphs = [widget["properties"] for widget in body["widgets"] if widget["type"] == "metric"]
    assert {shown for graph in graphs for shown in _shown(graph)} == EMITTED
    phases = {row[5] for graph in graphs for row in graph["metrics"] if row[1:2] == ["RunPhase"]}
    assert phases == {"none", *Phase}


def test_the_documentation_names_all_metrics_that_there_are() -> None:
    rows = {
        cells[0]: (cells[1], cells[2])
        for cells in _rows("## Metrics")
        if not cells[0].startswith(("metric", "-"))
    }
    assert rows == {
        f"`{metric.name}`": (
            metric.unit,
            "; ".join(", ".join(f"`{name}`" for name in names) for names in metric.dimensions),
        )
        for metric in METRICS
    }
    assert NAMESPACE in (REPOSITORY / "docs" / "reference.md").read_text()


def _shown(graph: dict[str, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for row in graph["metrics"]:
        if isinstance(row[0], dict):
            yield _searched(row[0]["expression"])
        elif not row[0].startswith("AWS/"):
            *path, _ = row
            namespace, name, *pairs = path
            dimensions = dict(zip(pairs[::2], pairs[1::2], strict=True))
            assert namespace == NAMESPACE
            assert dimensions["Copy"] == "move"
            if "Table" in dimensions:
                assert dimensions["Table"] == TABLES.get(name, "copied")
            yield name, tuple(dimensions)


def _searched(expression: str) -> tuple[str, tuple[str, ...]]:
    found = re.fullmatch(r"""SEARCH\('\{([^}]+)\} Copy="move" MetricName="(\w+)"', 'Sum', 60\)""", expression)
    assert found is not None, expression
    namespace, *dimensions = found[1].split(",")
    assert namespace == NAMESPACE
    [known] = [names for name, names in EMITTED if name == found[2] and set(names) == set(dimensions)]
    return found[2], known


def _documented(heading: str) -> set[str]:
    """The names in the first column of the table below ``heading``."""
    return {cells[0].strip("`") for cells in _rows(heading) if cells[0].startswith("`")}


def _rows(heading: str) -> list[list[str]]:
    text = (REPOSITORY / "docs" / "reference.md").read_text()
    section = text.split(f"\n{heading}\n")[1].split("\n## ")[0]
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in section.splitlines()
        if line.startswith("|")
    ]
