"""``verify --in-account``: it is followed to its end, and its result is that of a comparison."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from tablecopy.comparison.differences import Difference, Kind
from tablecopy.comparison.paths import ChangedPath
from tablecopy.control.status import VerificationStatus
from tablecopy_cli.common.control_function import ControlFunction, Found
from tablecopy_cli.common.errors import UserError
from tests.unit.tablecopy.fakes import FakeClock
from verify.comparison.dead_letters import DeadLetters
from verify.comparison.results import Comparison
from verify.in_account import follow, result
from verify.report.wording import how_read, unlisted
from verify.scan.table import Table

SCANNING = VerificationStatus(
    id="v1",
    state="scanning",
    reason="",
    writes_stopped=True,
    began=1000.0,
    ended=0.0,
    now=1100.0,
    generation=0,
    segments=16,
    segments_done=4,
    source_items=2_000,
    destination_items=2_000,
    source_units=300.0,
    destination_units=200.0,
    equal=1_990,
    missing=0,
    changed=0,
    extra=0,
    expired=0,
    undecided=0,
    listed=0,
    segments_by_key=0,
)
DONE = cast(VerificationStatus, {**SCANNING, "state": "done", "ended": 1200.0})


class Control:
    """Answers with these statuses, one after another, and with differences by segment."""

    def __init__(self, *answers: VerificationStatus | UserError, found: dict[int, list[Found]] | None = None):
        self._answers = list(answers)
        self._found = found or {}

    def verification(self) -> VerificationStatus:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, UserError):
            raise answer
        return answer

    def differences(self, segment: int) -> tuple[list[Found], int | None]:
        for number in sorted(self._found):
            if number >= segment:
                return self._found[number], number + 1
        return [], None


def following(control: Control, total: int = 0) -> tuple[VerificationStatus, list[str]]:
    lines: list[str] = []
    status = follow(cast(ControlFunction, control), lines.append, total, FakeClock())
    return status, lines


def reported(status: VerificationStatus, found: dict[int, list[Found]] | None = None) -> Comparison:
    tables = [
        cast(Table, SimpleNamespace(arn=f"arn:aws:dynamodb:eu-west-1:{account}:table/t", definition=None))
        for account in ("1" * 12, "2" * 12)
    ]
    control = cast(ControlFunction, Control(status, found=found))
    return result(control, status, *tables, DeadLetters())


def difference(kind: Kind, key: str, **changes: Any) -> Difference:
    values: dict[str, Any] = {"source": "aa", "destination": "bb", "paths": (), **changes}
    return Difference(kind=kind, key={"pk": {"S": key}}, first_seen=1.0, last_seen=2.0, checks=1, **values)


def test_it_is_followed_until_it_ends() -> None:
    requested = cast(VerificationStatus, {**SCANNING, "state": "requested"})
    rechecking = cast(
        VerificationStatus, {**SCANNING, "state": "rechecking", "generation": 2, "undecided": 3}
    )
    status, lines = following(Control(requested, SCANNING, rechecking, DONE), total=8_000)
    assert status == DONE
    assert lines == [
        "starting in the account",
        "comparing in the account: 4 of 16 segments, 1 min 40 s left, 4,000 items, 40 items/s, "
        "500 read units, 0 differences so far",
        "recheck 2, 3 keys may be changes in progress",
    ]


def test_a_failed_one_says_why() -> None:
    failed = cast(VerificationStatus, {**SCANNING, "state": "failed", "reason": "table t does not exist"})
    with pytest.raises(UserError, match="has failed: table t does not exist"):
        following(Control(failed))
    with pytest.raises(UserError, match="no comparison was started"):
        following(Control(cast(VerificationStatus, {})))


def test_control_may_be_silent_for_a_while() -> None:
    silent = UserError("Lambda throttles", transient=True)
    assert following(Control(silent, silent, DONE))[0] == DONE
    with pytest.raises(UserError, match="Lambda throttles"):
        following(Control(silent))
    with pytest.raises(UserError, match="access denied"):
        following(Control(UserError("access denied"), DONE))


def test_equal_tables() -> None:
    comparison = reported(DONE)
    assert (comparison.verdict, comparison.seconds, comparison.unlisted) == ("equal", 200.0, 0)
    assert (comparison.source.items, comparison.source.units) == (2_000, 300.0)
    assert "in the account" in how_read(comparison)


def test_differences_are_those_of_a_comparison() -> None:
    paths = (
        ChangedPath(("a",), "N", "S"),
        ChangedPath(("b", 0), "S", "S"),
        ChangedPath(("c",), "S", None),
        ChangedPath(("d",), None, "S"),
    )
    found = {
        2: [(difference(Kind.CHANGED, "x", paths=paths), True)],
        7: [(difference(Kind.EXTRA, "y", source=None), True)],
    }
    status = cast(VerificationStatus, {**DONE, "changed": 1, "extra": 1})
    comparison = reported(status, found)
    assert comparison.verdict == "different"
    first, second = comparison.differences
    assert [path.change for path in first.paths] == ["type_changed", "value_changed", "removed", "added"]
    assert (second.kind, second.source_digest, second.destination_digest) == ("extra", None, "bb")


def test_keys_that_still_change_decide_nothing() -> None:
    found = {0: [(difference(Kind.MISSING, "x", destination=None), False)]}
    status = cast(VerificationStatus, {**DONE, "writes_stopped": False, "undecided": 1, "generation": 4})
    comparison = reported(status, found)
    assert (comparison.verdict, comparison.count("missing"), comparison.unsettled) == ("unsettled", 1, 1)


def test_what_is_not_listed_is_counted_and_said() -> None:
    found = {0: [(difference(Kind.MISSING, "x", destination=None), True)]}
    comparison = reported(cast(VerificationStatus, {**DONE, "missing": 1_001}), found)
    assert (comparison.count("missing"), comparison.unlisted) == (1_001, 1_000)
    assert unlisted(comparison).startswith("1,000 differences are counted and not listed")


def test_reads_by_key_are_said() -> None:
    comparison = reported(cast(VerificationStatus, {**DONE, "segments_by_key": 3}))
    assert "read by their keys" in how_read(comparison)
