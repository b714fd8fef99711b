"""``verify --in-account``: it is followed to its end, and its result is that of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tablecopy.comparison.differences import Difference, Kind
from tablecopy.comparison.paths import ChangedPath
from tablecopy.control.status import VerificationStatus
from tablecopy_cli.advice import Unlisted
from tablecopy_cli.common.control_function import ControlFunction, Found, FoundPage
from tablecopy_cli.common.errors import UserError
from tests.unit.cli.run.control import verification
from tests.unit.tablecopy.fakes import FakeClock
from verify.comparison.dead_letters import DeadLetters
from verify.comparison.results import Comparison, InAccount
from verify.in_account import follow, result
from verify.scan.identity import KeySchema
from verify.scan.table import Table

SCANNING = verification(writes_stopped=True)
DONE = verification("done", writes_stopped=True)


class Control:
    """Answers with these statuses, one after another, and with differences by segment."""

    def __init__(
        self,
        *answers: VerificationStatus | UserError,
        found: Sequence[list[Found]] = (),
        unlisted: dict[int, int] | None = None,
    ) -> None:
        self._answers = list(answers)
        self._found = found or [[]]
        self._unlisted = unlisted or {}

    def verification(self) -> VerificationStatus:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, UserError):
            raise answer
        return answer

    def differences(self, begin: tuple[int, int] = (0, 0)) -> FoundPage:
        at, text = begin
        following = (at + 1, 7) if at + 1 < len(self._found) else None
        assert text == (7 if at else 0)
        return FoundPage(self._found[at], {} if at else self._unlisted, following)


def following(control: Control) -> tuple[VerificationStatus, list[str]]:
    lines: list[str] = []
    status = follow(cast(ControlFunction, control), lines.append, FakeClock())
    return status, lines


def reported(
    status: VerificationStatus,
    *found: list[Found],
    unlisted: dict[int, int] | None = None,
    dead_letters: DeadLetters | None = None,
) -> Comparison:
    keys = KeySchema((("pk", "S"),))
    tables = [
        cast(
            Table,
            SimpleNamespace(arn=f"arn:aws:dynamodb:eu-west-1:{account}:table/t", definition=None, keys=keys),
        )
        for account in ("1" * 12, "2" * 12)
    ]
    control = cast(ControlFunction, Control(status, found=found, unlisted=unlisted))
    return result(control, status, *tables, dead_letters or DeadLetters())


def difference(kind: Kind, key: str, **changes: Any) -> Difference:
    values: dict[str, Any] = {"source": "aa", "destination": "bb", "paths": (), **changes}
    return Difference(kind=kind, key={"pk": {"S": key}}, first_seen=1.0, last_seen=2.0, checks=1, **values)


def test_it_is_followed_until_it_ends() -> None:
    rechecking = verification("rechecking", generation=2, undecided=3, missing=1)
    status, lines = following(Control(verification("requested"), SCANNING, rechecking, DONE))
    assert status == DONE
    assert lines == [
        "in the account, starting",
        "in the account, 4 of 16 segments, 1 min 40 s left, 0 differences so far, 40 items/s, "
        "4,000 items read, 500 read units",
        "in the account, recheck 2, 3 keys may be changes in progress, 1 difference so far",
    ]


def test_the_rate_is_that_of_the_last_minute() -> None:
    # It was slow, and continued after an hour.
    began = verification(now=5_000.0)
    later = [
        verification(now=5_000.0 + seconds, source_items=2_000 + 100 * seconds) for seconds in (20, 40, 80)
    ]
    _, lines = following(Control(began, *later, DONE))
    rates = [part for line in lines for part in line.split(", ") if part.endswith("items/s")]
    assert rates == ["1 items/s", "1 items/s", "100 items/s", "100 items/s"]


def test_a_failed_one_says_why() -> None:
    with pytest.raises(UserError, match="has failed: table t does not exist"):
        following(Control(verification("failed", reason="table t does not exist")))
    with pytest.raises(UserError, match="no comparison was started"):
        following(Control(VerificationStatus()))


def test_an_interrupted_one_is_not_waited_for() -> None:
    with pytest.raises(UserError, match="To continue it, run verify --in-account"):
        following(Control(SCANNING, verification(running=False)))


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
    assert comparison.in_account == InAccount("v1", 16)


def test_differences_are_those_of_a_comparison() -> None:
    paths = (
        ChangedPath(("a",), "N", "S"),
        ChangedPath(("b", 0), "S", "S"),
        ChangedPath(("c",), "S", None),
        ChangedPath(("d",), None, "S"),
        ChangedPath(("e",), "SS", "SS", 2, 1),
    )
    comparison = reported(
        verification("done", changed=1, extra=1, expired=1),
        [(difference(Kind.EXTRA, "y", source=None), True)],
        [],
        [
            (difference(Kind.CHANGED, "x", paths=paths), True),
            (difference(Kind.EXPIRED, "z", expires=77), True),
        ],
    )
    assert comparison.verdict == "different"
    # Twice, and in the order of their keys.
    for _ in range(2):
        assert [each.key["pk"]["S"] for each in comparison.differences] == ["x", "y", "z"]
    first, second, third = comparison.differences
    assert [path.change for path in first.paths] == [
        "type_changed",
        "value_changed",
        "removed",
        "added",
        "value_changed",
    ]
    assert (first.paths[4].elements_removed, first.paths[4].elements_added) == (2, 1)
    assert (second.kind, second.source_digest, second.destination_digest) == ("extra", None, "bb")
    assert third.expires == 77


def test_dead_letters_are_beside_their_items() -> None:
    letters = [{"key": {"pk": {"S": key}}} for key in ("x", "other")]
    comparison = reported(
        verification("done", missing=1),
        [(difference(Kind.MISSING, "x", destination=None), True)],
        dead_letters=DeadLetters(letters, count=2),
    )
    assert [each.dead_letter for each in comparison.differences] == [letters[0]]
    assert list(comparison.dead_letters) == [letters[1]]


def test_keys_that_still_change_decide_nothing() -> None:
    comparison = reported(
        verification("done", undecided=1, generation=4),
        [(difference(Kind.MISSING, "x", destination=None), False)],
    )
    assert (comparison.verdict, comparison.count("missing"), comparison.unsettled) == ("unsettled", 1, 1)


def test_what_is_not_listed_is_counted_by_segment() -> None:
    comparison = reported(
        verification("done", missing=1_001, undecided=6),
        [(difference(Kind.MISSING, "x", destination=None), True)],
        [(difference(Kind.EXTRA, "y", source=None), False)],
        unlisted={3: 1_000, 5: 5},
    )
    assert (comparison.count("missing"), comparison.count("extra"), comparison.unlisted) == (1_001, 1, 1_005)
    assert sum(comparison.counts.values()) == len(comparison.differences) + comparison.unlisted
    found = comparison.compared()
    assert found.unlisted == Unlisted(1_005, 2, 3, 16)
    assert found.in_account


def test_reads_by_key_are_kept() -> None:
    assert reported(verification("done", segments_by_key=3)).in_account == InAccount("v1", 16, 3)
