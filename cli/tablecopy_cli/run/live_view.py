"""Where watched runs are shown: live on a terminal, as lines in the log of a pipeline, or as JSON Lines."""

from __future__ import annotations

import math
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tablecopy.clock import Clock
from tablecopy.control.status import Status
from tablecopy.text import duration_text, timestamp
from tablecopy_cli.advice import phase_name
from tablecopy_cli.common.terminal import is_live, print_json
from tablecopy_cli.common.text import escaped
from tablecopy_cli.common.verification_text import is_active, state_text, tracking_text
from tablecopy_cli.run.copies import Row, table_of
from tablecopy_cli.run.status_text import (
    changes_text,
    headline,
    items_text,
    left_text,
    rate_text,
    slice_text,
    tone,
    warnings,
)
from tablecopy_cli.run.watch import PATIENCE_SECONDS, FailedPoll, Snapshot, View

_LOG_SECONDS = 60.0
_BAR_COLUMNS = 20
# On a narrower terminal the bars would leave hardly any room for the figures.
_WIDE = 60


@contextmanager
def view_of(format_: str, clock: Clock, copies: Sequence[str | None]) -> Iterator[View]:
    """Yield the view for a format, for where stderr goes, and for one copy or several."""
    if format_ == "jsonl":
        yield RecordView()
    elif not is_live(sys.stderr):
        yield LogView(sys.stderr, clock)
    else:
        with _screen(sys.stderr) as live:
            yield LiveView(live, clock) if len(copies) == 1 else LiveTable(live, clock, copies)


@contextmanager
def _screen(stream: TextIO) -> Iterator[Live]:
    """Take the terminal over, and leave it as it was however the block ends."""
    console = Console(
        file=stream,
        force_terminal=True,
        color_system=None if os.environ.get("NO_COLOR") else "auto",
        highlight=False,
    )
    # Python does not clean up when it is terminated by a signal.
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    live = Live(
        console=console,
        screen=True,
        auto_refresh=False,
        redirect_stdout=False,
        redirect_stderr=False,
        vertical_overflow="crop",
    )
    try:
        with live:
            yield live
    finally:
        signal.signal(signal.SIGTERM, before)


class _OnScreen:
    """Draws every second, so that a resized terminal is soon filled again. What does not fit is cut."""

    tick_seconds = 1.0

    def __init__(self, live: Live, clock: Clock) -> None:
        self._live = live
        self._clock = clock
        self._answered = clock.now()

    def _note(self, failed: FailedPoll | None = None) -> Text:
        ago = duration_text(round(self._clock.now() - self._answered))
        if failed:
            return Text(f"as of {ago} ago, retrying: {escaped(failed.message)}", "yellow")
        return Text(f"as of {ago} ago. Ctrl-C ends the watch, not the run.", "dim")


class LiveView(_OnScreen):
    """Shows one run with all its figures."""

    def __init__(self, live: Live, clock: Clock) -> None:
        super().__init__(live, clock)
        self._snapshot: Snapshot | None = None
        self._failed: FailedPoll | None = None
        self._seen: list[str] = []

    def show(self, copy: str | None, snapshot: Snapshot) -> None:
        """Draw an answer of control."""
        before = self._snapshot.status if self._snapshot else None
        if before is None or _stage(before) != _stage(snapshot.status):
            at = datetime.fromtimestamp(snapshot.status["now"], UTC)
            self._seen.insert(0, f"{at:%H:%M:%SZ}  {_stage(snapshot.status)}")
        self._snapshot, self._failed, self._answered = snapshot, None, self._clock.now()
        self.tick()

    def fail(self, copy: str | None, failed: FailedPoll) -> None:
        """Draw the run as it was, and how old that is."""
        self._failed = failed
        self.tick()

    def tick(self) -> None:
        """Draw everything again."""
        if self._snapshot:
            note, columns = self._note(self._failed), self._live.console.width
            self._live.update(run_view(self._snapshot, note, self._seen, columns), refresh=True)


class LiveTable(_OnScreen):
    """Shows several runs in a table, a row for each."""

    def __init__(self, live: Live, clock: Clock, copies: Sequence[str | None]) -> None:
        super().__init__(live, clock)
        self._rows = {copy: Row(copy or "") for copy in copies}

    def show(self, copy: str | None, snapshot: Snapshot) -> None:
        """Draw an answer of control."""
        self._rows[copy] = Row(copy or "", snapshot.status)
        self._answered = self._clock.now()
        self.tick()

    def fail(self, copy: str | None, failed: FailedPoll) -> None:
        """Draw that a copy did not answer."""
        self._rows[copy] = replace(self._rows[copy], note=failed.message)
        self.tick()

    def tick(self) -> None:
        """Draw everything again."""
        self._live.update(Group(self._note(), "", table_of(list(self._rows.values()))), refresh=True)


def run_view(snapshot: Snapshot, note: Text, seen: Sequence[str], columns: int) -> RenderableType:
    """Return what the live display shows of one run.

    Parameters
    ----------
    snapshot
        The run, as of the latest answer.
    note
        How old that is.
    seen
        The phases so far, the latest first.
    columns
        Width of the terminal.
    """
    status = snapshot.status
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for label, text, done, total in _rows(snapshot):
        grid.add_row(f"  {label}", _with_bar(text, done, total) if total and columns >= _WIDE else Text(text))
    for label, text in warnings(status):
        grid.add_row(Text(f"  {label}", "bold yellow"), Text(text))
    style = {"bold": "bold"}.get(tone(status), f"bold {tone(status)}")
    history = [Text(f"  {line}", "dim", no_wrap=True, overflow="crop") for line in seen]
    return Group(Text(headline(status), style), note, "", grid, "", *history)


def _rows(snapshot: Snapshot) -> Iterator[tuple[str, str, int, int]]:
    """Yield label, text, and how much is done of how much; 0 of 0 has no bar."""
    status = snapshot.status
    if status["phase"] == "none":
        return
    yield "run", f"{status['run']}, since {timestamp(status['started'])}", 0, 0
    done, segments = status["segments_done"], status["segments"]
    yield "segments", f"{done} of {segments}{slice_text(status)}", done, segments
    total = status["estimate"]["items"] if status["estimate"] else 0
    yield "items", items_text(status), status["items"], total if total >= status["items"] > 0 else 0
    yield "rate", rate_text(status, snapshot.rates), 0, 0
    yield "left", left_text(snapshot.left), 0, 0
    yield "changes", changes_text(status), 0, 0
    if "verification" in status:
        found = status["verification"]
        done, segments = (found["segments_done"], found["segments"]) if is_active(found) else (0, 0)
        yield "verify", state_text(found), done, segments
        if written := tracking_text(found):
            yield "written", written, 0, 0


def _with_bar(text: str, done: int, total: int) -> Table:
    row = Table.grid(padding=(0, 1, 0, 0))
    row.add_column(width=_BAR_COLUMNS)
    row.add_column(overflow="fold")
    row.add_row(ProgressBar(total, done, _BAR_COLUMNS), Text(text))
    return row


class LogView:
    """Writes a line when something is new, and one a minute."""

    tick_seconds = math.inf

    def __init__(self, stream: TextIO, clock: Clock) -> None:
        self._stream = stream
        self._clock = clock
        self._last: dict[str | None, tuple[object, float]] = {}

    def show(self, copy: str | None, snapshot: Snapshot) -> None:
        """Write a line if there is something new."""
        status = snapshot.status
        news = (_stage(status), status.get("verification", {}).get("state"), *warnings(status))
        if self._is_new(copy, news):
            self._write(copy, f"{timestamp(status['now'])}  {'; '.join(_parts(snapshot))}")

    def fail(self, copy: str | None, failed: FailedPoll) -> None:
        """Write that there is no answer, the first time and once a minute."""
        if self._is_new(copy, "no answer"):
            self._write(
                copy, f"no answer for {duration_text(failed.since)}, retrying: {escaped(failed.message)}"
            )

    def tick(self) -> None:
        """Do nothing."""

    def _is_new(self, copy: str | None, news: object) -> bool:
        now = self._clock.now()
        last, at = self._last.get(copy, (None, -math.inf))
        if news == last and now - at < _LOG_SECONDS:
            return False
        self._last[copy] = news, now
        return True

    def _write(self, copy: str | None, line: str) -> None:
        self._stream.write(f"{escaped(copy)}: {line}\n" if copy else f"{line}\n")
        self._stream.flush()


class RecordView:
    """Writes one JSON object per poll to stdout."""

    tick_seconds = math.inf

    def show(self, copy: str | None, snapshot: Snapshot) -> None:
        """Write the status with the rates and the time left."""
        self._write(
            "status",
            copy,
            {**snapshot.status, **asdict(snapshot.rates), "seconds_left": snapshot.left.seconds},
        )

    def fail(self, copy: str | None, failed: FailedPoll) -> None:
        """Write that there is no answer."""
        self._write(
            "failed_poll",
            copy,
            {
                "message": failed.message,
                "seconds_without_answer": failed.since,
                "gives_up_in_seconds": max(0.0, PATIENCE_SECONDS - failed.since),
            },
        )

    def tick(self) -> None:
        """Do nothing."""

    def _write(self, type_: str, copy: str | None, values: dict[str, Any]) -> None:
        print_json({"type": type_, **({"copy": copy} if copy else {}), **values})
        sys.stdout.flush()


def _stage(status: Status) -> str:
    """Return the phase, without the figures that grow within it."""
    return f"{phase_name(status)} (slice {status['slice']})" if status.get("slice") else phase_name(status)


def _parts(snapshot: Snapshot) -> Iterator[str]:
    status = snapshot.status
    yield headline(status)
    if status["phase"] == "none":
        return
    yield f"segments {status['segments_done']} of {status['segments']}{slice_text(status)}"
    yield f"items {items_text(status)}"
    yield f"rate: {rate_text(status, snapshot.rates)}"
    yield f"left: {left_text(snapshot.left)}"
    yield f"changes {changes_text(status)}"
    if "verification" in status:
        yield f"verify: {state_text(status['verification'])}"
        if written := tracking_text(status["verification"]):
            yield f"written: {written}"
    for label, text in warnings(status):
        yield f"{label}: {text}"
