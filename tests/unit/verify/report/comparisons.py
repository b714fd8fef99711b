"""Results to report, of every kind."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator
from typing import Any

from verify.comparison.differences import PathChange
from verify.comparison.results import (
    KINDS,
    Comparison,
    DeadLetter,
    Difference,
    InAccount,
    Sample,
    SideResult,
)
from verify.settings.findings import Finding

NOON = 1_795_435_200.0
"""2026-11-23T12:00:00Z."""

EQUAL = Comparison(
    source=SideResult("arn:aws:dynamodb:eu-west-1:111111111111:table/cities", 33_421, 1024.5),
    destination=SideResult("arn:aws:dynamodb:eu-central-1:222222222222:table/cities-new", 33_421, 1024.5),
    lag_seconds=5.0,
    started=NOON,
    seconds=12.34,
    differences=(),
)
SAMPLE = Sample(fraction=0.1, segments=51, of=512, seed=7)

NO_RECOVERY = Finding(
    aspect="point_in_time_recovery",
    severity="data",
    source=True,
    destination=None,
    text="The source can be restored to any second, the destination cannot.",
    fix="aws dynamodb update-continuous-backups --table-name cities-new",
)
PROVISIONED = Finding(
    "billing_mode", "cost", "PAY_PER_REQUEST", "PROVISIONED", "The destination is provisioned.", None
)
UNTAGGED = Finding("tags", "cosmetic", {"team": "geo"}, {}, "The destination lacks the tag team.", None)

PATHS = (
    PathChange(("address", "zip"), "value_changed", "S", "S"),
    PathChange(("lines", 3), "added", None, "S"),
    PathChange(("n",), "type_changed", "N", "S"),
    PathChange(("old",), "removed", "S", None),
    PathChange(("tags",), "value_changed", "SS", "SS", elements_added=1, elements_removed=2),
)
VALUES = (
    PathChange(("a",), "value_changed", "S", "S", {"S": "x\x1b"}, {"S": "y"}),
    PathChange(("b",), "added", None, "L", None, {"L": [{"N": "1"}, {"B": "MQ=="}]}),
    PathChange(("c",), "removed", "N", None, {"N": "1"}, None),
)

EVIL = (
    "</script><img src=x onerror=alert(1)>",
    "<!--<script>",
    "]]>&amp;'\"",
    "{{data}}",
    "\x1b[2J",
    "\x00\x07\x0b",
    "\x9b31m",
    "\u202egnp.exe",
    "a\nb",
    "\x7f",
    "\u2028\u2029",
    "\ud800",
    "\ufffe\uffff",
    "k" * 3_072,
)
"""What a key, a name or a message may hold to break out of the report it is put into."""


def key(number: int) -> dict[str, Any]:
    return {"country": {"S": "DE"}, "id": {"N": str(number)}}


def letter(**changes: Any) -> DeadLetter:
    return {
        "key": key(77),
        "sequence_number": "100",
        "origin": "stream",
        "action": "put",
        "code": "ValidationException",
        "message": "Type mismatch for Index Key",
        "first_seen": NOON - 60,
        "attempts": 3,
        **changes,
    }


def expired(number: int, **changes: Any) -> Difference:
    return Difference("expired", key(number), expires=int(NOON) - 3_600, source_digest="00", **changes)


def hostile(evil: str) -> Comparison:
    """A comparison that holds `evil` wherever text of others can be."""
    path = PathChange((evil, 0, evil), "value_changed", "S", "S", {"S": evil}, {"M": {evil: {"S": evil}}})
    refused = letter(key={evil: {"S": evil}}, code=evil, message=evil, action=evil)
    return with_differences(
        Difference("changed", {evil: {"S": evil}}, (path,), dead_letter=refused),
        findings=(Finding(evil, "data", {evil: evil}, evil, evil, evil),),
        dead_letters=(refused,),
        filter_expression=evil,
        ignored=(evil,),
        source=dataclasses.replace(EQUAL.source, arn=f"arn:aws:dynamodb:eu-west-1:111111111111:table/{evil}"),
    )


def with_differences(*differences: Difference, **changes: Any) -> Comparison:
    """`EQUAL`, but with these differences, counted."""
    counts = {kind: sum(difference.kind == kind for difference in differences) for kind in KINDS}
    unsettled = sum(not difference.standing and difference.kind != "expired" for difference in differences)
    found = {"differences": differences, "counts": counts, "unsettled": unsettled, **changes}
    return dataclasses.replace(EQUAL, **found)


def in_account(**changes: Any) -> Comparison:
    """A comparison in the account that lists one of 4,001 missing items."""
    listed = with_differences(Difference("missing", key(1)), writes_stopped=True)
    found = {
        "counts": {"missing": 4_001},
        "in_account": InAccount("20261123T120000Z-1", 16, 3, {3: 1_000, 7: 3_000}),
        **changes,
    }
    return dataclasses.replace(listed, **found)


class Streamed(Collection[Difference]):
    """Differences that are made as they are iterated over, and count how often that is begun."""

    def __init__(self, count: int, make: Callable[[int], Difference]) -> None:
        self._count = count
        self._make = make
        self.passes = 0
        self.made = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Difference]:
        self.passes += 1
        for number in range(self._count):
            self.made += 1
            yield self._make(number)

    def __contains__(self, wanted: object) -> bool:
        return any(difference == wanted for difference in self)
