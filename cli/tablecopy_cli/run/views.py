"""Where a watched run is shown: live on a terminal, in the log of a pipeline, or as JSON Lines."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TextIO

from tablecopy.text import count_text, duration_text, timestamp
from tablecopy_cli.common.control_function import Status
from tablecopy_cli.common.terminal import Style, is_live, print_json
from tablecopy_cli.common.text import escaped
from tablecopy_cli.run.clock import Clock
from tablecopy_cli.run.figures import changes_text, items_text, left_text, rate_text
from tablecopy_cli.run.live_view import drawing
from tablecopy_cli.run.screen import Screen
from tablecopy_cli.run.status_text import headline, note_of
from tablecopy_cli.run.watch import PATIENCE_SECONDS, Picture, Trouble, View

_LOG_SECONDS = 60.0


@contextmanager
def view_of(format_: str, clock: Clock) -> Iterator[View]:
    """The view for a format and where stderr goes; a live one gives the terminal back at the end."""
    if format_ == "jsonl":
        yield RecordView()
    elif is_live(sys.stderr):
        with Screen(sys.stderr) as screen:
            yield LiveView(screen, sys.stderr, clock)
    else:
        yield LogView(sys.stderr, clock)


class LiveView:
    """Draws the run on a screen, every second, so that a resized terminal is soon filled again."""

    tick_seconds = 1.0

    def __init__(self, screen: Screen, stream: TextIO, clock: Clock) -> None:
        self._screen = screen
        self._style = Style(stream)
        self._encoding = stream.encoding or "ascii"
        self._clock = clock
        self._picture: Picture | None = None
        self._trouble: Trouble | None = None
        self._at = 0.0
        self._seen: list[str] = []

    def show(self, picture: Picture) -> None:
        """Draw what is new."""
        before = self._picture.status if self._picture else None
        if before is None or _stage(before) != _stage(picture.status):
            at = datetime.fromtimestamp(picture.status["now"], UTC)
            self._seen.append(f"{at:%H:%M:%S}   {_stage(picture.status)}")
        self._picture, self._trouble, self._at = picture, None, self._clock.now()
        self.tick()

    def fail(self, trouble: Trouble) -> None:
        """Draw the run as it was, and say since when it is not known."""
        self._trouble = trouble
        self.tick()

    def tick(self) -> None:
        """Draw everything again."""
        if self._picture:
            size = self._screen.size
            self._screen.draw(
                drawing(self._picture, self._seen, self._note(), size, self._style, self._encoding)
            )

    def _note(self) -> str:
        ago = duration_text(self._clock.now() - self._at)
        if self._trouble:
            return f"as of {ago} ago, tried again: {escaped(self._trouble.message)}"
        return f"as of {ago} ago; Ctrl-C ends the watch, not the run"


class LogView:
    """Writes a line for what is new, and one a minute."""

    tick_seconds = math.inf

    def __init__(self, stream: TextIO, clock: Clock) -> None:
        self._stream = stream
        self._clock = clock
        self._told: tuple[object, ...] = ()
        self._at = -math.inf
        self._failing = False

    def show(self, picture: Picture) -> None:
        """Write a line if there is something to tell."""
        status, now = picture.status, self._clock.now()
        news = (_stage(status), status.get("problems"), status.get("reason"), status.get("dead_letters"))
        if news == self._told and now - self._at < _LOG_SECONDS and not self._failing:
            return
        self._told, self._at, self._failing = news, now, False
        self._write(f"{timestamp(status['now'])}  {'; '.join(_parts(picture))}")

    def fail(self, trouble: Trouble) -> None:
        """Write that there is no answer, the first time and once a minute."""
        now = self._clock.now()
        if self._failing and now - self._at < _LOG_SECONDS:
            return
        self._failing, self._at = True, now
        self._write(f"no answer for {duration_text(trouble.since)}, tried again: {escaped(trouble.message)}")

    def tick(self) -> None:
        """Nothing."""

    def _write(self, line: str) -> None:
        self._stream.write(f"{line}\n")
        self._stream.flush()


class RecordView:
    """Writes an object a look to stdout."""

    tick_seconds = math.inf

    def show(self, picture: Picture) -> None:
        """Write what control says, and what follows from it."""
        print_json(
            {
                "type": "status",
                **picture.status,
                **asdict(picture.pace),
                "seconds_left": picture.left.seconds,
            }
        )
        sys.stdout.flush()

    def fail(self, trouble: Trouble) -> None:
        """Write that there is no answer."""
        print_json(
            {
                "type": "trouble",
                "message": trouble.message,
                "seconds_without_answer": trouble.since,
                "gives_up_in_seconds": max(0.0, PATIENCE_SECONDS - trouble.since),
            }
        )
        sys.stdout.flush()

    def tick(self) -> None:
        """Nothing."""


def _stage(status: Status) -> str:
    return f"slice {status['slice']}" if status["phase"] == "slice" else str(status["phase"])


def _parts(picture: Picture) -> Iterator[str]:
    status = picture.status
    if status["phase"] == "none":
        yield headline(status)
        return
    yield f"{_stage(status)}: {status['segments_done']} of {status['segments']} segments"
    yield f"items {items_text(status)}"
    yield f"rate: {rate_text(status, picture.pace)}"
    yield f"left: {left_text(picture.left)}"
    yield f"changes {changes_text(status)}"
    if status["dead_letters"]:
        yield count_text(status["dead_letters"], "dead letter")
    for problem in status["problems"]:
        yield f"waits for: {escaped(problem)}"
    if note_of(status):
        yield escaped(note_of(status))
