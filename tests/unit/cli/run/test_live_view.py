"""The live display, as text."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence

import pytest

from tablecopy_cli.common.control_function import Status
from tablecopy_cli.common.terminal import Style
from tablecopy_cli.run.live_view import drawing
from tablecopy_cli.run.progress import Pace, left
from tablecopy_cli.run.watch import Picture
from tests.unit.cli.run.control import NO_RUN, status

EVIL = "\x1b[2J\u202e\n"
PACE = Pace(123.4, 1_500_000.0, 7.0)


def draw(
    seen: Status,
    columns: int = 79,
    lines: int = 24,
    *,
    before: Sequence[str] = (),
    note: str = "note",
    encoding: str = "utf-8",
) -> list[str]:
    picture = Picture(seen, PACE, left(seen))
    size = os.terminal_size((columns, lines))
    return drawing(picture, before, note, size, Style(io.StringIO()), encoding)


def test_a_slice() -> None:
    assert draw(status("slice"), before=["09:00:00   slice 2"]) == [
        "slice: copying segments, replicator paused",
        "  run        20261123T090000Z-abcdef, since 2026-11-23T09:00:00Z",
        "  segments   [█████░░░░░░░░░░░░░░░] 4 of 16, slice 2 (8 min 20 s left of 10",
        "             min)",
        "  items      [████████░░░░░░░░░░░░] 4,000 of about 10,000, 2.0 MB transferred",
        "  rate       123 items/s, 1.5 MB/s",
        "  left       about 2 min 30 s (copying and drains)",
        "  changes    300 applied, oldest unapplied 3 s ago",
        "",
        "  09:00:00   slice 2",
        "",
        "note",
    ]


def test_forty_columns_take_more_lines_and_none_is_longer() -> None:
    shown = draw(status("slice"), 39, 40)
    assert shown[:5] == [
        "slice: copying segments, replicator",
        "paused",
        "  run        20261123T090000Z-abcdef,",
        "             since 2026-11-23T09:00:00Z",
        "  segments   [██░░░░░░] 4 of 16, slice",
    ]
    assert max(map(len, shown)) <= 39


@pytest.mark.parametrize("columns", range(20, 80, 7))
@pytest.mark.parametrize("lines", [1, 2, 5, 12, 24])
@pytest.mark.parametrize("phase", ["preflight", "slice", "draining", "ready", "stopped"])
def test_it_always_fits_and_ends_with_the_note(columns: int, lines: int, phase: str) -> None:
    told = status(phase, reason="a reason of many words " * 20, problems=["p" * 200], dead_letters=3)
    shown = draw(told, columns, lines, before=["09:00:00   slice 2"] * 30)
    assert len(shown) <= lines
    assert shown[-1] == "note"
    assert max(map(len, shown)) <= max(columns, 25)


def test_the_latest_phases_are_shown_that_there_is_room_for() -> None:
    before = [f"09:00:0{n}   slice {n}" for n in range(9)]
    shown = draw(status("slice"), lines=15, before=before)
    assert shown[-7:] == ["", *(f"  {line}" for line in before[-4:]), "", "note"]
    assert len(shown) == 15


def test_a_drain_shows_the_changes_and_the_lag() -> None:
    shown = draw(status("draining", oldest_unapplied_age=600.0))
    assert "  rate       7 changes/s applied" in shown
    assert "  changes    300 applied, oldest unapplied 10 min ago" in shown


def test_nothing_is_written_between_them() -> None:
    assert "  rate       nothing is written in this phase" in draw(status("pausing"))


def test_letters_problems_and_reasons() -> None:
    shown = draw(status("draining", dead_letters=2, redrive=True, problems=["this"], reason="that"))
    assert "  rejected   2 dead letters, tried again in the next slice" in shown
    assert "  waits for  this" in shown
    assert "  note       that" in shown


def test_before_there_is_a_run() -> None:
    assert draw(NO_RUN) == ["none: no run yet", "", "note"]


def test_more_items_than_estimated_have_no_bar() -> None:
    shown = draw(status("slice", items=10_500))
    assert "  items      10,500, more than the 10,000 estimated, 2.0 MB transferred" in shown
    shown = draw(status("slice", estimate=None))
    assert "  items      4,000, 2.0 MB transferred" in shown


def test_a_terminal_without_blocks_gets_other_bars() -> None:
    assert "  items      [########............] 4,000 of about 10,000, 2.0 MB transferred" in draw(
        status("slice"), encoding="ascii"
    )


def test_nothing_steers_the_terminal() -> None:
    shown = draw(status("preflight", problems=[EVIL], reason=EVIL))
    assert all(line.isprintable() for line in shown)
