"""Where a watched run is shown: the log of a pipeline, JSON Lines, the live display."""

from __future__ import annotations

import io
import json
import math
from typing import Any

import pytest

from tablecopy_cli.run.progress import Pace, left
from tablecopy_cli.run.screen import Screen
from tablecopy_cli.run.views import LiveView, LogView, RecordView
from tablecopy_cli.run.watch import Picture, Trouble
from tests.unit.cli.run.control import BEGAN, NO_RUN, HandClock, status


def picture(phase: str = "slice", **changes: Any) -> Picture:
    seen = NO_RUN if phase == "none" else status(phase, **changes)
    return Picture(seen, Pace(10.0, 1e6, 2.0), left(seen))


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

    def test_a_line(self, view: LogView, stream: io.StringIO) -> None:
        view.show(picture())
        assert stream.getvalue() == (
            "2026-11-23T09:01:40Z  slice 2: 4 of 16 segments; items 4,000 of about 10,000, "
            "2.0 MB transferred; "
            "rate: 10 items/s, 1.0 MB/s; left: about 2 min 30 s (copying and drains); "
            "changes 300 applied, oldest unapplied 3 s ago\n"
        )

    def test_a_line_a_minute_while_nothing_is_new(
        self, view: LogView, stream: io.StringIO, clock: HandClock
    ) -> None:
        for second in range(130):
            view.show(picture(items=4_000 + second))
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
    def test_news_are_told_at_once(self, view: LogView, stream: io.StringIO, news: dict[str, Any]) -> None:
        view.show(picture())
        view.show(picture(**news))
        view.show(picture(**news))
        assert stream.getvalue().count("\n") == 2

    def test_that_there_is_no_answer_is_told_once_a_minute_and_when_it_is_over(
        self, view: LogView, stream: io.StringIO, clock: HandClock
    ) -> None:
        view.show(picture())
        for second in range(61):
            view.fail(Trouble("throttled", 5.0 + second))
            clock.sleep(1)
        view.show(picture())
        lines = stream.getvalue().splitlines()
        assert lines[1:3] == [
            "no answer for 5 s, tried again: throttled",
            "no answer for 1 min 5 s, tried again: throttled",
        ]
        assert len(lines) == 4

    def test_everything_that_it_waits_for(self, view: LogView, stream: io.StringIO) -> None:
        view.show(picture("draining", dead_letters=1, problems=["p\x1b"], reason="r\x1b"))
        assert stream.getvalue().endswith("; 1 dead letter; waits for: p\\x1b; r\\x1b\n")

    def test_before_there_is_a_run(self, view: LogView, stream: io.StringIO) -> None:
        view.show(picture("none"))
        assert stream.getvalue() == "2026-11-23T09:00:00Z  none: no run yet\n"


class TestRecords:
    def test_a_look(self, capsys: pytest.CaptureFixture[str]) -> None:
        shown = picture()
        RecordView().show(shown)
        assert json.loads(capsys.readouterr().out) == {
            "type": "status",
            **shown.status,
            "items_per_second": 10.0,
            "bytes_per_second": 1e6,
            "changes_per_second": 2.0,
            "seconds_left": 150.0,
        }

    def test_what_is_not_known_is_null(self, capsys: pytest.CaptureFixture[str]) -> None:
        RecordView().show(Picture(NO_RUN, Pace(), left(NO_RUN)))
        found = json.loads(capsys.readouterr().out)
        assert {found[name] for name in found if name.endswith(("second", "left"))} == {None}

    def test_no_answer(self, capsys: pytest.CaptureFixture[str]) -> None:
        RecordView().fail(Trouble("throttled", 15.0))
        assert json.loads(capsys.readouterr().out) == {
            "type": "trouble",
            "message": "throttled",
            "seconds_without_answer": 15.0,
            "gives_up_in_seconds": 585.0,
        }


class TestLive:
    @pytest.fixture
    def stream(self) -> io.StringIO:
        return io.StringIO()

    def view(self, stream: io.StringIO, clock: HandClock) -> LiveView:
        return LiveView(Screen(stream), stream, clock)

    def drawn(self, stream: io.StringIO) -> str:
        """What is drawn since the last time."""
        text = stream.getvalue()
        stream.seek(0)
        stream.truncate()
        return text

    def test_it_draws_over_and_clears_nothing_before(self, stream: io.StringIO) -> None:
        self.view(stream, HandClock()).show(picture())
        drawn = self.drawn(stream)
        assert drawn.startswith("\x1b[?2026h\x1b[Hslice: copying segments, replicator paused\x1b[K\r\n")
        assert drawn.endswith("as of 0 s ago; Ctrl-C ends the watch, not the run\x1b[K\x1b[J\x1b[?2026l")
        assert "\x1b[2J" not in drawn

    def test_a_tick_tells_how_old_the_picture_is(self, stream: io.StringIO) -> None:
        clock = HandClock()
        view = self.view(stream, clock)
        view.tick()
        assert self.drawn(stream) == ""
        view.show(picture())
        clock.sleep(4)
        view.tick()
        assert "as of 4 s ago" in self.drawn(stream).rpartition("\x1b[?2026h")[2]

    def test_trouble_is_shown_until_there_is_an_answer(self, stream: io.StringIO) -> None:
        clock = HandClock()
        view = self.view(stream, clock)
        view.show(picture())
        clock.sleep(5)
        self.drawn(stream)
        view.fail(Trouble("throttled\x1b", 5.0))
        assert "as of 5 s ago, tried again: throttled\\x1b\x1b[K" in self.drawn(stream)
        view.show(picture())
        assert "throttled" not in self.drawn(stream)

    def test_phases_are_listed_as_they_are_seen(self, stream: io.StringIO) -> None:
        view = self.view(stream, HandClock())
        for phase in ("ready", "ready", "draining", "slice"):
            self.drawn(stream)
            view.show(picture(phase, now=BEGAN))
        drawn = self.drawn(stream)
        places = [drawn.index(f"09:00:00   {phase}") for phase in ("ready", "draining", "slice 2")]
        assert places == sorted(places)
        assert drawn.count("09:00:00   ready") == 1

    def test_it_wants_to_be_drawn_every_second(self) -> None:
        assert LiveView.tick_seconds == 1.0
        assert LogView.tick_seconds == RecordView.tick_seconds == math.inf
