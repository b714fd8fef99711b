"""The texts that people read of a run, word for word."""

from __future__ import annotations

import io

import pytest

from tablecopy.control.status import Status
from tablecopy_cli.common.terminal import Style
from tablecopy_cli.run.live_view import LogView
from tablecopy_cli.run.progress import Rates, time_left
from tablecopy_cli.run.status_text import dead_letter_lines, headline, redrive_line, state_lines
from tablecopy_cli.run.watch import FailedPoll, Snapshot
from tests.unit.cli.run.control import NO_RUN, HandClock, status
from tests.unit.cli.run.test_status_text import letter

PLAIN = Style(io.StringIO())


@pytest.mark.parametrize(
    ("seen", "text"),
    [
        (NO_RUN, "no run yet"),
        (status("preflight"), "checking both tables: copying starts when every check passes"),
        (status("pausing"), "copying (4 of 16 segments): the replicator is being paused"),
        (status("slice"), "copying (4 of 16 segments): the replicator is paused"),
        (status("resuming"), "copying (4 of 16 segments): waiting for the workers' last writes"),
        (
            status("draining"),
            "applying changes (4 of 16 segments copied): copying continues when the replicator has caught up",
        ),
        (status("draining", segments_done=16), "in sync: changes are applied as they arrive"),
        (status("ready"), "ready for cutover: everything is copied and applied"),
        (status("sealing"), "sealing: waiting for the replicator's last writes"),
        (status("sealed"), "sealed: later changes in the source table are not copied"),
        (status("stopped"), "stopped: the run does not continue by itself"),
    ],
)
def test_headlines(seen: Status, text: str) -> None:
    assert headline(seen) == text


def test_a_status() -> None:
    seen = status("slice", dead_letters=2, redrive=True, problems=["this"], reason="that")
    assert list(state_lines(seen, PLAIN)) == [
        "copying (4 of 16 segments): the replicator is paused",
        "  run        20261123T090000Z-abcdef, since 2026-11-23T09:00:00Z",
        "  estimate   10,000 items, table size 5.0 MB: 1,300 read units, 10,000 write units, about 0.03 EUR",
        "             4 min 10 s of copying; the limit is 4 worker(s) at the same time",
        "  backfill   4 of 16 segments, slice 2 (8 min 20 s left of 10 min), 4,000 items, 2.0 MB transferred",
        "  changes    300 applied as 280 puts and 10 deletes, oldest unapplied 3 s ago",
        "  rejected   2 dead letters, retried in the next slice",
        "  problem    this",
        "  note       that",
    ]


def test_dead_letters() -> None:
    assert list(dead_letter_lines(0, [], PLAIN)) == ["no dead letters"]
    assert list(dead_letter_lines(2, [letter()], PLAIN)) == [
        "2 dead letters: the destination rejects these items",
        '  country="DE"  id=1',
        "      put from the stream, sequence number 100, rejected 3 times since 2026-11-23T09:00:00Z",
        "      ValidationException: Type mismatch for Index Key",
        "  ... and 1 more. Fix these first.",
    ]


def test_a_redrive() -> None:
    assert redrive_line(status(dead_letters=2)) == (
        "The next slice retries 2 dead letters: the replicator pauses, each key is read from the source "
        "again, and a dead letter whose item the destination accepts is closed."
    )


def test_a_line_of_a_log() -> None:
    stream = io.StringIO()
    view, seen = LogView(stream, HandClock()), status("slice")
    view.show(None, Snapshot(seen, Rates(10.0, 1e6, 2.0), time_left(seen)))
    view.fail(None, FailedPoll("throttled", 5.0))
    assert stream.getvalue().splitlines() == [
        "2026-11-23T09:01:40Z  copying (4 of 16 segments): the replicator is paused; "
        "segments 4 of 16, slice 2 (8 min 20 s left of 10 min); "
        "items 4,000 of about 10,000, 2.0 MB transferred; "
        "rate: 10 items/s, 1.0 MB/s; left: about 2 min 30 s (copying and applying changes); "
        "changes 300 applied, oldest unapplied 3 s ago",
        "no answer for 5 s, retrying: throttled",
    ]
