"""Interleaving, ratios, figures, their tables and what is required of them."""

import json
from collections.abc import Callable

import pytest

from tools.benchmarks.__main__ import FAMILIES, main
from tools.benchmarks.figures import (
    REQUIRED,
    Bench,
    Figure,
    compared,
    markdown_table,
    missed,
    ratio,
    text_table,
)
from tools.benchmarks.subject import Measured, SubjectFailed

KEYS = ["name", "shape", "items", "items_per_cpu_s", "wall_s", "peak_rss_mb", "baseline", "ratio"]


def took(cpu_s: float) -> Measured:
    return Measured(items=100, cpu_s=cpu_s, wall_s=cpu_s * 2, peak_rss_mb=50)


def per_cpu(measured: Measured) -> float:
    return measured.items_per_cpu_s


def test_repetitions_are_interleaved() -> None:
    order: list[str] = []

    def taking(name: str) -> Callable[[], Measured]:
        def take() -> Measured:
            order.append(name)
            return took(1)

        return take

    results = Bench(repetitions=2).interleaved({"a": taking("a"), "b": taking("b")})
    assert order == ["a", "b", "a", "b"]
    assert results == {"a": [took(1)] * 2, "b": [took(1)] * 2}


def test_what_fails_is_not_taken_again_and_holds_up_nothing() -> None:
    tries: list[int] = []

    def fail() -> Measured:
        tries.append(1)
        raise SubjectFailed("no such thing")

    results = Bench(repetitions=3).interleaved({"a": fail, "b": lambda: took(1)})
    assert len(tries) == 1
    assert isinstance(results["a"], SubjectFailed)
    assert results["b"] == [took(1)] * 3


def test_the_ratio_is_the_median_of_what_ran_side_by_side() -> None:
    ours, theirs = [took(1), took(1), took(8)], [took(10), took(20), took(240)]
    assert ratio(ours, theirs, per_cpu) == (20, [10, 20, 30])


def test_a_figure_has_every_key() -> None:
    figure = compared("backfill", "medium", [took(1)], ("them", [took(10)]), per_cpu, delay_ms=5)
    line = json.loads(figure.line(seed=7))
    assert list(line)[: len(KEYS)] == KEYS
    assert line["ratio"] == 10
    assert line["items_per_cpu_s"] == 100
    assert (line["baseline_items_per_cpu_s"], line["delay_ms"], line["seed"]) == (10, 5, 7)


@pytest.mark.parametrize("failing", ["ours", "theirs"])
def test_a_figure_that_could_not_be_measured_says_why_and_has_no_number(failing: str) -> None:
    failed = SubjectFailed("it is not installed")
    figure = compared(
        "backfill",
        "medium",
        failed if failing == "ours" else [took(1)],
        ("them", failed if failing == "theirs" else [took(1)]),
        per_cpu,
    )
    line = json.loads(figure.line())
    assert line["error"] == "it is not installed"
    assert line["ratio"] is line["items"] is line["wall_s"] is None


def figures(ratio_: float | None) -> list[Figure]:
    return [
        Figure("backfill", "medium", "boto3.client", ratio_),
        Figure("backfill", "medium", "article", 35.0),
    ]


def test_what_is_reached_is_not_missed() -> None:
    assert list(missed(figures(10.0), ["backfill"])) == []


@pytest.mark.parametrize(("ratio_", "said"), [(9.99, "it is 9.99"), (None, "it was not measured")])
def test_what_is_missed_is_named(ratio_: float | None, said: str) -> None:
    (sentence,) = missed(figures(ratio_), ["backfill"])
    assert "backfill, medium, against boto3.client: ratio at least 10" in sentence
    assert said in sentence


def test_a_bound_from_above_is_kept_as_well() -> None:
    def memory(above: float) -> list[Figure]:
        more = {"above_baseline_mb": above, "growth_mb": 1.0}
        return [Figure("worker_memory", "medium", "import boto3", 2.0, more=more)]

    assert list(missed(memory(100.0), ["worker_memory"])) == []
    (sentence,) = missed(memory(100.1), ["worker_memory"])
    assert "above_baseline_mb at most 100" in sentence


def test_what_a_figure_says_of_itself_may_be_required() -> None:
    def sizes(peak: float) -> list[Figure]:
        return [
            Figure("verify_memory", "medium", f"a tenth, other {which}", 1.2, peak_rss_mb=peak)
            for which in ("order", "keys")
        ]

    assert list(missed(sizes(500.0), ["verify_memory"])) == []
    assert len(list(missed(sizes(500.1), ["verify_memory"]))) == 2


def test_a_figure_that_is_not_there_at_all_is_missed() -> None:
    assert len(list(missed([], ["backfill", "replicator_cpu"]))) == 3


def test_everything_required_is_measured() -> None:
    assert {requirement.name for requirement in REQUIRED} <= {
        name for family in FAMILIES for name in family.names
    }


def test_an_unknown_figure_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backfil"]) == 2
    assert "no figure is called backfil" in capsys.readouterr().err


def test_the_tables_hold_every_figure() -> None:
    made = [
        compared("backfill", "medium", [took(0.001)], ("them", [took(0.01)]), per_cpu, workers=2),
        Figure("backfill", "large", "others", None, more={"error": "not there"}),
    ]
    text = text_table(made).splitlines()
    assert len(text) == 3
    assert text[1].split()[:4] == ["backfill", "medium", "them", "10"]
    markdown = markdown_table(figure.line(machine="a machine", seed=7) for figure in made).splitlines()
    assert markdown[0] == "a machine; seed 7"
    assert markdown[-2].startswith("| backfill | medium | them | 10 | 100 | 100,000 | 10,000 |")
    assert markdown[-1].endswith("| error not there |")
