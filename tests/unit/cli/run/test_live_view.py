"""Where watched runs are shown: the live display, the log of a pipeline, JSON Lines."""

from __future__ import annotations

import io
import json
import math
from typing import Any

import pytest
from rich.console import Console
from rich.live import Live

from tablecopy.control.status import Status
from tablecopy_cli.run.live_view import LiveTable, LiveView, LogView, RecordView
from tablecopy_cli.run.progress import Rates, time_left
from tablecopy_cli.run.watch import FailedPoll, Snapshot
from tests.unit.cli.run.control import BEGAN, NO_RUN, HandClock, status, verification

EVIL = "\x1b[2J\u202e\n"


def snapshot(phase: str = "slice", **changes: Any) -> Snapshot:
    seen = NO_RUN if phase == "none" else status(phase, **changes)
    return Snapshot(seen, Rates(10.0, 1e6, 2.0), time_left(seen))


class Screen:
    """A terminal of a size, and what is drawn on it."""

    def __init__(self, columns: int = 80, lines: int = 24, encoding: str = "utf-8") -> None:
        self.raw = io.BytesIO()
        stream = io.TextIOWrapper(self.raw, encoding=encoding, errors="backslashreplace")
        console = Console(file=stream, width=columns, height=lines, force_terminal=True, color_system=None)
        self.encoding = encoding
        self.clock = HandClock()
        self.live = Live(console=console, screen=True, auto_refresh=False)
        self.live.start()

    def drawn(self) -> list[str]:
        """The lines of the latest drawing, without the spaces at their ends."""
        self.live.console.file.flush()
        text = self.raw.getvalue().decode(self.encoding)
        return [line.rstrip() for line in text.rpartition("\x1b[H")[2].split("\n")]


class TestLive:
    def draw(self, seen: Status, columns: int = 80, lines: int = 24, encoding: str = "utf-8") -> list[str]:
        screen = Screen(columns, lines, encoding)
        shown = Snapshot(seen, Rates(123.4, 1_500_000.0, 7.0), time_left(seen))
        LiveView(screen.live, screen.clock).show(None, shown)
        return screen.drawn()

    @pytest.mark.parametrize("columns", [40, 80])
    def test_a_comparison_in_the_account_has_a_row(self, columns: int) -> None:
        seen = status("ready", verification=verification(missing=2))
        row = self.row("verify", seen, columns=columns)
        assert "4 of 16 segments, 1 min 40 s left, 2 differences so far" in row
        assert not any(line.startswith("  verify") for line in self.draw(status("ready")))

    def row(self, label: str, *args: Any, **changes: Any) -> str:
        """What is shown beside a label, on one line however it was broken."""
        shown = self.draw(*args, **changes)
        [at] = [number for number, line in enumerate(shown) if line.startswith(f"  {label} ")]
        more = []
        for line in shown[at + 1 :]:
            if not line.startswith(" " * 6):
                break
            more.append(line)
        return " ".join(" ".join([shown[at], *more]).split())

    @pytest.mark.parametrize("columns", [20, 40, 60, 120])
    @pytest.mark.parametrize("lines", [1, 5, 24])
    @pytest.mark.parametrize("phase", ["preflight", "slice", "draining", "ready", "stopped"])
    def test_it_always_fits(self, columns: int, lines: int, phase: str) -> None:
        told = status(phase, reason="a reason of many words " * 20, problems=["p" * 200], dead_letters=3)
        shown = self.draw(told, columns, lines)
        assert len(shown) == lines
        assert max(map(len, shown)) <= columns

    @pytest.mark.parametrize("columns", [40, 60, 120])
    def test_the_figures_are_there_at_every_width(self, columns: int) -> None:
        assert "4 of 16, slice 2 (8 min 20 s left" in self.row("segments", status("slice"), columns)
        assert "4,000 of about 10,000" in self.row("items", status("slice"), columns)
        assert "123 items/s, 1.5 MB/s" in self.row("rate", status("slice"), columns)
        assert "2 min 30 s" in self.row("left", status("slice"), columns)
        assert "300 applied" in self.row("changes", status("slice"), columns)

    def test_bars_are_drawn_on_a_wide_terminal(self) -> None:
        assert "━━━━━ 4 of 16" in self.row("segments", status("slice"))
        assert "━" not in self.row("segments", status("slice"), 59)
        assert "----- 4 of 16" in self.row("segments", status("slice"), encoding="ascii")

    def test_more_items_than_estimated_have_no_bar(self) -> None:
        assert "━" not in self.row("items", status("slice", items=10_500))
        assert "━" not in self.row("items", status("slice", estimate=None))

    def test_a_drain_shows_the_changes_and_the_lag(self) -> None:
        drain = status("draining", oldest_unapplied_age=600.0)
        assert "7 changes/s" in self.row("rate", drain)
        assert "10 min ago" in self.row("changes", drain)

    def test_dead_letters_problems_and_reasons(self) -> None:
        seen = status("draining", dead_letters=2, redrive=True, problems=["this"], reason="that")
        assert "2 dead letters, retried in the next slice" in self.row("rejected", seen)
        assert self.row("problem", seen) == "problem this"
        assert self.row("note", seen) == "note that"

    def test_before_there_is_a_run(self) -> None:
        assert self.draw(NO_RUN)[0] == "no run yet"

    def test_nothing_steers_the_terminal(self) -> None:
        shown = self.draw(status("preflight", problems=[EVIL, "[red]no markup[/red]"], reason=EVIL))
        assert "\x1b[2J" not in "".join(shown)
        assert any("[red]no markup[/red]" in line for line in shown)

    def test_a_tick_shows_how_old_the_figures_are(self) -> None:
        screen = Screen()
        view = LiveView(screen.live, screen.clock)
        view.show(None, snapshot())
        screen.clock.sleep(4)
        view.tick()
        assert "4 s ago" in screen.drawn()[1]

    def test_a_failed_poll_is_shown_until_there_is_an_answer(self) -> None:
        screen = Screen()
        view = LiveView(screen.live, screen.clock)
        view.fail(None, FailedPoll("too early", 0.0))
        view.show(None, snapshot())
        screen.clock.sleep(5)
        view.fail(None, FailedPoll("throttled\x1b", 5.0))
        assert "5 s ago" in screen.drawn()[1]
        assert "throttled\\x1b" in screen.drawn()[1]
        view.show(None, snapshot())
        assert "throttled" not in "".join(screen.drawn())

    def test_phases_are_listed_the_latest_first(self) -> None:
        screen = Screen()
        view = LiveView(screen.live, screen.clock)
        for phase in ("ready", "ready", "draining", "slice"):
            view.show(None, snapshot(phase, now=BEGAN))
        history = [line for line in screen.drawn() if line.startswith("  09:00:00Z")]
        assert [line.split(maxsplit=1)[1] for line in history] == [
            "copying (slice 2)",
            "applying changes (slice 2)",
            "ready for cutover (slice 2)",
        ]

    def test_it_is_drawn_every_second(self) -> None:
        assert LiveView.tick_seconds == LiveTable.tick_seconds == 1.0
        assert LogView.tick_seconds == RecordView.tick_seconds == math.inf


class TestTable:
    def test_each_copy_has_a_row(self) -> None:
        screen = Screen(120)
        view = LiveTable(screen.live, screen.clock, ["carts", "orders", "users"])
        view.show("carts", snapshot("slice", dead_letters=2))
        view.show("orders", snapshot("ready"))
        view.fail("users", FailedPoll("throttled", 5.0))
        rows = {line.split()[0]: line for line in screen.drawn() if line}
        assert all(fact in rows["carts"] for fact in ("copying", "4 of 16", "3 s", " 2 "))
        assert all(fact in rows["orders"] for fact in ("ready for cutover", "16 of 16", "Stop the writers"))
        assert "throttled" in rows["users"]

    @pytest.mark.parametrize("columns", [60, 80, 120])
    def test_it_fits(self, columns: int) -> None:
        screen = Screen(columns)
        view = LiveTable(screen.live, screen.clock, ["carts"])
        view.show("carts", snapshot("draining", segments_done=16))
        assert max(map(len, screen.drawn())) <= columns
        assert any("16 of 16" in line for line in screen.drawn())


class TestLog:
    @pytest.fixture
    def clock(self) -> HandClock:
        return HandClock()

    @pytest.fixture
    def stream(self) -> io.StringIO:
        return io.StringIO()

    @pytest.fixture
    def view(self, stream: io.StringIO, clock: HandClock) -> LogView:
        return LogView(stream, clock)

    def test_a_line_a_minute_while_nothing_is_new(
        self, view: LogView, stream: io.StringIO, clock: HandClock
    ) -> None:
        for second in range(130):
            view.show(None, snapshot(items=4_000 + second))
            clock.sleep(1)
        assert stream.getvalue().count("\n") == 3

    @pytest.mark.parametrize(
        "news",
        [
            {"phase": "draining"},
            {"slice": 3},
            {"dead_letters": 1},
            {"problems": ["p"]},
            {"reason": "why"},
        ],
    )
    def test_news_are_written_immediately(
        self, view: LogView, stream: io.StringIO, news: dict[str, Any]
    ) -> None:
        view.show(None, snapshot())
        view.show(None, snapshot(**news))
        view.show(None, snapshot(**news))
        assert stream.getvalue().count("\n") == 2

    def test_that_there_is_no_answer_is_written_once_a_minute_and_when_it_is_over(
        self, view: LogView, stream: io.StringIO, clock: HandClock
    ) -> None:
        view.show(None, snapshot())
        for second in range(61):
            view.fail(None, FailedPoll("throttled", 5.0 + second))
            clock.sleep(1)
        view.show(None, snapshot())
        lines = stream.getvalue().splitlines()
        assert ["throttled" in line for line in lines] == [False, True, True, False]
        assert ("5 s" in lines[1], "1 min 5 s" in lines[2]) == (True, True)

    def test_everything_that_needs_attention_is_on_the_line(self, view: LogView, stream: io.StringIO) -> None:
        view.show(None, snapshot("draining", dead_letters=1, problems=["p\x1b"], reason="r\x1b"))
        assert all(fact in stream.getvalue() for fact in ("1 dead letter", "p\\x1b", "r\\x1b"))

    def test_each_of_several_copies_has_its_own_lines(self, view: LogView, stream: io.StringIO) -> None:
        for _ in range(2):
            for copy in ("carts", "orders"):
                view.show(copy, snapshot())
        first, second = stream.getvalue().splitlines()
        assert (first[:7], second[:8]) == ("carts: ", "orders: ")


class TestRecords:
    def test_a_poll(self, capsys: pytest.CaptureFixture[str]) -> None:
        shown = snapshot()
        RecordView().show(None, shown)
        assert json.loads(capsys.readouterr().out) == {
            "type": "status",
            **shown.status,
            "items_per_second": 10.0,
            "bytes_per_second": 1e6,
            "changes_per_second": 2.0,
            "seconds_left": 150.0,
        }

    def test_what_is_not_known_is_null(self, capsys: pytest.CaptureFixture[str]) -> None:
        RecordView().show(None, Snapshot(NO_RUN, Rates(), time_left(NO_RUN)))
        found = json.loads(capsys.readouterr().out)
        assert {found[name] for name in found if name.endswith(("second", "left"))} == {None}

    def test_no_answer(self, capsys: pytest.CaptureFixture[str]) -> None:
        RecordView().fail("carts", FailedPoll("throttled", 15.0))
        assert json.loads(capsys.readouterr().out) == {
            "type": "failed_poll",
            "copy": "carts",
            "message": "throttled",
            "seconds_without_answer": 15.0,
            "gives_up_in_seconds": 585.0,
        }
