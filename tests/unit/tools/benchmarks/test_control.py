"""Control at size: each figure is reported as soon as it is known, and one that fails hides no other."""

from __future__ import annotations

from dataclasses import replace

from tools.benchmarks.control import measured_figure
from tools.simulation.size import ControlCase, measure

CASE = ControlCase(4, 40.0, memory_mb=256, call_cpu_seconds=0.0, slices=1, steady_seconds=20.0, is_short=True)


def test_each_figure_is_said_as_soon_as_it_is_known() -> None:
    said: list[str] = []
    result = measure(CASE, say=said.append)
    names = [text.split()[0] for text in said]
    assert names == [
        "saved_s",
        "began_s",
        "slice_look_s",
        "slice_age_error_s",
        "overtime_s",
        "look_s",
        "age_error_s",
        "cpu_per_minute",
        "calls_per_minute",
        "ready_s",
    ]
    assert result.ready_s < 120
    assert not result.reason


def test_where_shards_end_as_often_as_four_thousand_a_run_gets_ready() -> None:
    """Each minute, the reconciler continues in another of nine environments."""
    like = replace(CASE, shards=80, changes_per_second=800.0, memory_mb=1_769, like=4_000)
    result = measure(replace(like, steady_seconds=60.0))
    assert result.ready_s <= 120
    assert result.describe_per_s == 1
    assert result.slice_look_s < 10
    assert result.look_s < 10


def test_what_is_not_reached_has_a_reason_and_leaves_the_other_figures() -> None:
    result = measure(replace(CASE, patience_seconds=5.0))
    assert result.ready_s != result.ready_s
    assert result.reason.startswith("draining: ")
    assert result.look_s < 10
    assert result.shard_reads_per_s >= 1


def test_a_case_is_measured_in_a_process_of_its_own() -> None:
    figure = measured_figure("four", CASE, seed=1)
    assert "error" not in figure.more
    assert figure.peak_rss_mb
    assert figure.more["ready_s"] < 120
    # Two slices were not measured.
    assert figure.more["drained_s"] is None


def test_a_case_that_fails_is_a_figure_with_an_error() -> None:
    figure = measured_figure("none", replace(CASE, shards=0), seed=1)
    assert "ZeroDivisionError" in figure.more["error"]
    assert figure.more["memory_mb"] == 256
