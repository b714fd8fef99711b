"""A comparison in the account, in one line."""

from __future__ import annotations

from typing import Any

import pytest

from tablecopy.control.status import TrackingStatus, VerificationStatus
from tablecopy_cli.common.verification_text import (
    is_active,
    items_per_second,
    progress_parts,
    state_text,
    tracking_text,
)
from tests.unit.cli.run.control import verification

ENDED = "in the account, ended 1970-01-01T00:20:00Z"


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (verification("requested"), "comparing in the account: starting"),
        (
            verification(missing=2, undecided=1, expired=5),
            "comparing in the account: 4 of 16 segments, 1 min 40 s left, 3 differences so far, 40 items/s, "
            "4,000 items read, 500 read units",
        ),
        (
            verification("rechecking", generation=2, undecided=1),
            "comparing in the account: recheck 2, 1 key may be changes in progress, 0 differences so far",
        ),
        (
            verification("rechecking", generation=1, running=False),
            "interrupted in the account: recheck 1, 0 keys may be changes in progress, 0 differences so far",
        ),
        (verification("done"), f"equal: 1,990 items match, {ENDED}"),
        (
            verification("done", verdict="different", missing=1_002, extra=1, undecided=3),
            f"different: 1,002 missing, 1 extra, 3 still changing, {ENDED}",
        ),
        (verification("done", writes_stopped=True), f"equal: 1,990 items match, writes stopped, {ENDED}"),
        (
            verification("done", verdict="unsettled", undecided=3),
            f"still changing: 3 still changing, {ENDED}",
        ),
        (verification("failed", reason="no\x1btable"), f"failed {ENDED}: no\\x1btable"),
    ],
)
def test_every_state(status: VerificationStatus, text: str) -> None:
    assert state_text(status) == text


def tracking(state: str = "on", **changes: Any) -> TrackingStatus:
    status: Any = {
        "state": state,
        "reason": "",
        "since": 1_000.0,
        "verified_through": 1_200.0,
        "left": 7,
        "standing": 0,
        "predicted_stop_s": 12.5,
        "waits_for": "",
        **changes,
    }
    found: TrackingStatus = status
    return found


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ({}, ""),
        (tracking("off"), ""),
        (tracking("off", reason="no\x1bstream"), "not verified any more: no\\x1bstream"),
        (tracking(), "verified through 1970-01-01T00:20:00Z, 7 keys left, writers would stop for 12 s"),
        (
            tracking(
                "requested", verified_through=0.0, left=0, predicted_stop_s=None, waits_for="the reconciler"
            ),
            "not verified yet, 0 keys left, the reconciler",
        ),
        (
            tracking(standing=2, predicted_stop_s=None),
            "verified through 1970-01-01T00:20:00Z, 7 keys left, 2 differences",
        ),
    ],
)
def test_what_was_written_is_verified_up_to_a_moment(found: TrackingStatus, text: str) -> None:
    assert tracking_text(verification("done", tracking=found)) == text


def test_without_writers_nothing_written_is_tracked() -> None:
    assert not tracking_text(verification("done", writes_stopped=True, tracking=tracking("off", reason="x")))
    assert not tracking_text(verification("done"))


@pytest.mark.parametrize(
    "changes", [{"now": 1_005.0}, {"source_items": 0, "destination_items": 0}, {"estimated_items": 0}]
)
def test_the_time_left_is_shown_once_it_is_known(changes: dict[str, Any]) -> None:
    status = verification(**changes)
    assert not any("left" in part for part in progress_parts(status, items_per_second(status)))


def test_the_most_important_part_is_first() -> None:
    line = ", ".join(progress_parts(verification(), 40.0))
    assert line[:40].startswith("4 of 16 segments, 1 min 40 s left")
    assert "0 differences so far, 40 items/s" in line[:80]


def test_what_has_ended_is_not_active() -> None:
    active = [verification(state) for state in ("requested", "scanning", "rechecking")]
    assert all(map(is_active, active))
    assert not any(map(is_active, (verification("done"), verification("failed"), VerificationStatus())))
