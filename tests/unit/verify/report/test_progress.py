"""One line of progress: a bar, the speed, what is left, and nothing that cannot be known."""

from __future__ import annotations

import dataclasses

import pytest

from verify.comparison.results import Progress
from verify.report.progress import progress_text

SCAN = Progress(
    "scan",
    source_items=12_000,
    destination_items=10_000,
    source_total=50_000,
    destination_total=50_000,
    source_units=1_500.4,
    destination_units=500.0,
    seconds=20.0,
)


def text(progress: Progress, **changes: object) -> str:
    return progress_text(dataclasses.replace(progress, **changes), "utf-8")  # type: ignore[arg-type]


def test_a_scan() -> None:
    assert text(SCAN) == (
        "scanning [████░░░░░░░░░░░░░░░░] 22%, 1 min 11 s left, 22,000 items, 1,100 items/s, 2,000 read units"
    )


def test_a_stream_without_blocks_gets_ascii() -> None:
    assert progress_text(SCAN, "latin-1").startswith("scanning [####................] 22%")
    assert progress_text(SCAN, "ascii").isascii()


def test_no_time_left_before_the_speed_is_known() -> None:
    assert " left" not in text(SCAN, seconds=2.9)
    assert " left" not in text(SCAN, source_items=0, destination_items=0)


def test_unknown_totals_have_no_bar() -> None:
    assert text(SCAN, source_total=0, destination_total=0) == (
        "scanning, 22,000 items, 1,100 items/s, 2,000 read units"
    )


def test_one_known_side_stands_for_both() -> None:
    # DynamoDB has yet to count the table that has just been filled.
    assert text(SCAN, destination_total=0) == (
        "scanning [████░░░░░░░░░░░░░░░░] 24%, 1 min 3 s left, 22,000 items, 1,100 items/s, 2,000 read units"
    )


@pytest.mark.parametrize("destination", [10_000, 60_000])
def test_a_total_that_is_exceeded_is_not_believed(destination: int) -> None:
    shown = text(SCAN, source_items=70_000, destination_items=destination)
    if destination == 10_000:
        assert shown.startswith("scanning [████░░░░░░░░░░░░░░░░] 20%, 1 min 20 s left, 80,000 items, 4,000")
    else:
        assert shown.startswith("scanning, 130,000 items, more than the 100,000 estimated, 6,500 items/s")


def test_done_is_said_only_of_what_is_done() -> None:
    assert "[███████████████████░] 99%" in text(SCAN, source_items=50_000, destination_items=49_999)
    whole = text(SCAN, source_items=50_000, destination_items=50_000)
    assert "[████████████████████] 100%, 0 s left" in whole


def test_items_of_an_earlier_run_do_not_count_for_the_speed() -> None:
    shown = text(SCAN, resumed_items=20_000)
    assert shown == (
        "scanning [████░░░░░░░░░░░░░░░░] 22%, 13 min left, 22,000 items (20,000 by an earlier run), "
        "100 items/s, 2,000 read units"
    )
    assert "items/s" not in text(SCAN, resumed_items=22_000)


def test_matching() -> None:
    assert text(SCAN, stage="match", candidates=1) == (
        "matching what was read, 22,000 items, 1 candidate so far, 2,000 read units"
    )


def test_a_recheck() -> None:
    recheck = dataclasses.replace(SCAN, stage="recheck", generation=2, candidates=300, rechecked=100)
    assert text(recheck) == ("recheck 2 [██████░░░░░░░░░░░░░░] 33%, 100 of 300 candidates, 2,000 read units")
    assert "100%, 300 of 300" in text(recheck, rechecked=301)
    assert text(recheck, candidates=0, rechecked=0).startswith("rechecking, 0 of 0 candidates")


def test_waiting() -> None:
    waiting = Progress("wait", generation=2, candidates=3, wait_seconds=4.0)
    assert text(waiting) == "recheck 2 in 4 s, 3 candidates may be changes underway"


def test_the_encoding_is_that_of_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    class Latin:
        encoding = "latin-1"

    monkeypatch.setattr("sys.stderr", Latin())
    assert "[####....." in progress_text(SCAN)
