"""Comparisons in processes of their own: they must read and find what they are measured with."""

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tools.benchmarks import comparing
from tools.benchmarks.comparing import DEEPDIFF, SCAN, VERIFY, compare
from tools.benchmarks.figures import Bench
from tools.benchmarks.server import ServerOptions
from tools.benchmarks.subject import Measured, Subject, SubjectFailed, diff_tables

MIRRORED = ServerOptions("medium", 60, seed=7, copy="mirrored")
DISJOINT = replace(MIRRORED, copy="disjoint")
EMPTY = replace(MIRRORED, items=0)

EQUAL = {
    "type": "summary",
    "verdict": "equal",
    "source_items": 60,
    "destination_items": 60,
    "missing": 0,
    "changed": 0,
    "extra": 0,
}

# Reads as much as a comparison does, and says what it is told to.
SAYS = """
import json, os, sys
from urllib.request import Request, urlopen
for table in sys.argv[1].split():
    body = json.dumps({"TableName": table}).encode()
    urlopen(Request(os.environ["AWS_ENDPOINT_URL"], body, {"X-Amz-Target": "DynamoDB_20120810.Scan"})).read()
print(sys.argv[2])
"""


def saying(
    monkeypatch: pytest.MonkeyPatch, summary: dict[str, Any], *, tables: str = "source copy", lines: int = 0
) -> None:
    text = '{"type": "difference"}\n' * lines + json.dumps(summary)
    monkeypatch.setattr(comparing, "command", lambda url: [sys.executable, "-c", SAYS, tables, text])


@pytest.mark.parametrize("subject", [SCAN, DEEPDIFF], ids=lambda one: one.name)
def test_a_baseline_is_measured(subject: Subject) -> None:
    measured = compare(subject, MIRRORED)
    assert measured.items == (60 if subject is SCAN else 120)
    assert measured.cpu_s > 0
    assert measured.peak_rss_mb > 10


@pytest.mark.skipif(shutil.which("npm") is None, reason="needs node and npm")
@pytest.mark.parametrize("options", [MIRRORED, DISJOINT], ids=lambda one: str(one.copy))
def test_the_rewritten_diff_tables_compares(options: ServerOptions) -> None:
    subject = diff_tables()
    if isinstance(subject, SubjectFailed):
        pytest.skip(str(subject))
    if options is MIRRORED:
        assert compare(subject, options).items == 120
    else:
        with pytest.raises(SubjectFailed, match="copy has no"):
            compare(subject, options)


def test_tables_that_differ_are_no_figure_of_the_naive_comparison() -> None:
    with pytest.raises(SubjectFailed, match="the tables differ at"):
        compare(DEEPDIFF, DISJOINT)


@pytest.mark.parametrize("options", [MIRRORED, DISJOINT, EMPTY], ids=["mirrored", "disjoint", "empty"])
def test_the_command_is_measured(options: ServerOptions) -> None:
    measured = compare(VERIFY, options)
    assert measured.items == 2 * options.items
    assert measured.cpu_s > 0


def test_the_command_is_measured_with_all_it_has_said(monkeypatch: pytest.MonkeyPatch) -> None:
    saying(monkeypatch, EQUAL)
    measured = compare(VERIFY, MIRRORED)
    assert measured.items == 120
    assert measured.result["summary"] == EQUAL


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("verdict", "unsettled"),
        ("source_items", 59),
        ("destination_items", 61),
        ("missing", 1),
        ("changed", 1),
        ("extra", None),
    ],
)
def test_what_it_says_must_be_so(monkeypatch: pytest.MonkeyPatch, field: str, value: object) -> None:
    saying(monkeypatch, {**EQUAL, field: value})
    with pytest.raises(SubjectFailed, match=f"verify printed {field} {value} instead of {EQUAL[field]}"):
        compare(VERIFY, MIRRORED)


def test_what_it_says_of_tables_it_has_not_read_is_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    saying(monkeypatch, EQUAL, tables="source")
    with pytest.raises(SubjectFailed, match="verify did not read each item once: 60 of 120"):
        compare(VERIFY, MIRRORED)


def test_every_difference_must_be_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    summary = {**EQUAL, "verdict": "different", "missing": 60, "extra": 60}
    saying(monkeypatch, summary, lines=119)
    with pytest.raises(SubjectFailed, match="verify listed 119 of 120 differences"):
        compare(VERIFY, DISJOINT)
    saying(monkeypatch, summary, lines=120)
    assert compare(VERIFY, DISJOINT).items == 120


def test_a_command_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        comparing, "command", lambda url: [sys.executable, "-c", "raise SystemExit('verify: no table')"]
    )
    with pytest.raises(SubjectFailed, match="verify failed: verify: no table"):
        compare(VERIFY, MIRRORED)


def taking(
    cpu_s: Callable[[Subject, ServerOptions], float], seen: list[tuple[str, ServerOptions]]
) -> Callable[[Subject, ServerOptions], Measured]:
    """Stands in for `compare`: wall clock is twice the CPU seconds, and a tenth of the items is MB."""

    def take(subject: Subject, options: ServerOptions) -> Measured:
        seen.append((subject.name, options))
        seconds = cpu_s(subject, options)
        return Measured(2 * options.items, seconds, 2 * seconds, 50 + options.items / 1e5)

    return take


def test_the_start_of_the_command_is_not_part_of_its_work(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, ServerOptions]] = []
    monkeypatch.setattr(comparing, "compare", taking(lambda _, options: 0.5 + options.items * 1e-5, seen))
    monkeypatch.setattr(comparing, "diff_tables", lambda: SubjectFailed("node and npm are not installed"))
    figures = list(comparing.measure_verify(Bench(repetitions=1)))
    assert [(figure.shape, figure.baseline) for figure in figures] == [
        (shape, baseline)
        for shape in ("small", "medium", "large")
        for baseline in ("boto3.resource scan", "boto3 and DeepDiff", "diff-tables (rewritten)")
    ]
    assert {options.copy for _, options in seen} == {"mirrored"}
    medium = json.loads(figures[3].line())
    assert medium["items"] == 400_000
    assert medium["items_per_cpu_s"] == 200_000
    assert medium["start_up_cpu_s"] == 0.5
    assert medium["items_per_cpu_s_with_start_up"] == 160_000
    assert medium["ratio"] == pytest.approx(200_000 / medium["baseline_items_per_cpu_s"], rel=1e-3)
    assert json.loads(figures[5].line())["error"] == "node and npm are not installed"


def test_growth_is_measured_in_memory_and_time(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, ServerOptions]] = []
    monkeypatch.setattr(comparing, "compare", taking(lambda _, options: 1 + options.items * 1e-5, seen))
    figures = [json.loads(figure.line()) for figure in comparing.measure_size(Bench(repetitions=3))]
    assert [(figure["name"], figure["baseline"]) for figure in figures] == [
        ("verify_memory", "a tenth, other order"),
        ("verify_scaling", "a tenth, other order"),
        ("verify_memory", "a tenth, other keys"),
        ("verify_scaling", "a tenth, other keys"),
    ]
    assert [(options.items, options.copy) for _, options in seen] == [
        (items, copy) for copy in ("mirrored", "disjoint") for items in (0, 100_000, 1_000_000)
    ]
    memory, scaling = figures[:2]
    assert (memory["items"], memory["peak_rss_mb"], memory["baseline_peak_rss_mb"]) == (2_000_000, 60, 51)
    assert scaling["ratio"] == 5.5
    assert (scaling["start_up_wall_s"], scaling["ratio_without_start_up"]) == (2, 10)


def test_the_full_run_compares_ten_times_as_many(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, ServerOptions]] = []
    monkeypatch.setattr(comparing, "compare", taking(lambda _, options: 1 + options.items * 1e-5, seen))
    list(comparing.measure_size(Bench(scale=4)))
    assert max(options.items for _, options in seen) == 10_000_000


def test_memory_that_was_not_seen_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "compare", lambda *_: Measured(2, 1.0, 1.0, peak_rss_mb=0.0))
    first = json.loads(next(comparing.measure_size(Bench())).line())
    assert first["peak_rss_mb"] is None
    assert "does not show" in first["error"]
