"""The text for people: a headline, groups, the next step; nothing in a key steers a terminal."""

from __future__ import annotations

import dataclasses
import io
from typing import Any

import pytest

from sides.output import Style
from verify import Comparison, Difference, PathChange, Progress
from verify.report import path_text, progress_text, text_report

EQUAL = Comparison(
    source="arn:aws:dynamodb:eu-west-1:111111111111:table/cities",
    destination="arn:aws:dynamodb:eu-central-1:222222222222:table/cities-new",
    differences=(),
    source_items=33_421,
    destination_items=33_421,
    settled=0,
    writes_stopped=False,
    seconds=12.34,
    source_units=1024.5,
    destination_units=1024.5,
)


def key(number: int) -> dict[str, Any]:
    return {"country": {"S": "DE"}, "id": {"N": str(number)}}


def report(comparison: Comparison, limit: int = 20) -> list[str]:
    return list(text_report(comparison, Style(io.StringIO()), limit))


def with_differences(*differences: Difference, **changes: Any) -> Comparison:
    return dataclasses.replace(EQUAL, differences=differences, **changes)


def test_equal() -> None:
    assert report(EQUAL) == [
        "Equal: 33,421 items compared, none differs.",
        "",
        "  source       cities      111111111111 eu-west-1     33,421 items, 1,024 read units",
        "  destination  cities-new  222222222222 eu-central-1  33,421 items, 1,024 read units",
        "  12.3 s",
        "",
        "Next: before the cutover, stop the writers, let the copy drain, verify with --writes-stopped.",
    ]


def test_differences_come_in_groups() -> None:
    paths = (
        PathChange(("address", "zip"), "value_changed", "S", "S"),
        PathChange(("lines", 3), "added", None, "S"),
        PathChange(("n",), "type_changed", "N", "S"),
        PathChange(("old",), "removed", "S", None),
        PathChange(("tags",), "value_changed", "SS", "SS", elements_added=1, elements_removed=2),
    )
    lines = report(
        with_differences(
            Difference("missing", key(1)),
            Difference("different", key(2), paths),
            Difference("extra", key(3), moving=True),
            settled=1,
        )
    )
    assert lines[0] == "Different: 1 missing, 1 different, 1 extra."
    assert lines[4] == (
        "  12.3 s; 1 item differed in the scan and no longer did when read again (changes underway)"
    )
    assert lines[6:] == [
        "Missing at the destination (1)",
        '  country="DE"  id=1',
        "",
        "Different (1)",
        '  country="DE"  id=2',
        "      address.zip  value changed",
        "      lines[3]     only at the destination",
        "      n            type changed (N at the source, S at the destination)",
        "      old          only at the source",
        "      tags         set changed (2 only at the source, 1 only at the destination)",
        "",
        "Extra at the destination (1)",
        '  country="DE"  id=3  (changed during the comparison)',
        "",
        "Next: if the copy was still catching up, let it drain and verify again; what stands then is real.",
    ]


def test_values_where_they_were_asked_for() -> None:
    paths = (
        PathChange(("a",), "value_changed", "S", "S", {"S": "x\x1b"}, {"S": "y"}),
        PathChange(("b",), "added", None, "L", None, {"L": [{"N": "1"}, {"B": b"1"}]}),
        PathChange(("c",), "removed", "N", None, {"N": "1"}, None),
    )
    lines = report(with_differences(Difference("different", key(1), paths)))
    assert '      a  value changed: "x\\u001b" -> "y"' in lines
    assert '      b  only at the destination: {"L": [{"N": "1"}, {"B": "MQ=="}]}' in lines
    assert "      c  only at the source: 1" in lines


def test_long_groups_are_cut_and_say_so() -> None:
    many = with_differences(*(Difference("missing", key(n)) for n in range(30)))
    lines = report(many, limit=2)
    assert "Missing at the destination (30)" in lines
    assert "  ... and 28 more (--limit 0 or --format jsonl lists them all)" in lines
    assert sum(line.startswith("  country") for line in lines) == 2
    assert sum(line.startswith("  country") for line in report(many, limit=0)) == 30


@pytest.mark.parametrize(
    ("comparison", "headline", "step"),
    [
        (
            dataclasses.replace(EQUAL, writes_stopped=True),
            "Equal: 33,421 items compared, none differs.",
            "seal the copy, then move the writers",
        ),
        (
            with_differences(Difference("extra", key(1), moving=True)),
            "Unsettled: 1 extra, each on an item that changed during the comparison.",
            "verify again in a moment",
        ),
        (
            dataclasses.replace(EQUAL, writes_stopped=True, settled=2),
            "Unsettled: no difference is left, but 2 items changed during the comparison, "
            "although writes should have stopped.",
            "find what still writes",
        ),
        (
            with_differences(Difference("extra", key(1)), writes_stopped=True),
            "Different: 1 extra.",
            "do not move the writers",
        ),
    ],
)
def test_every_verdict_has_its_headline_and_next_step(
    comparison: Comparison, headline: str, step: str
) -> None:
    lines = report(comparison)
    assert lines[0] == headline
    assert step in lines[-1]


@pytest.mark.parametrize("evil", ["\x1b[2J", "\x07", "\x9b31m", "\u202egnp.exe", "a\nb", "\x7f", "\u2028"])
def test_a_key_cannot_steer_the_terminal(evil: str) -> None:
    changes = (
        PathChange((evil, 0, evil), "value_changed", "S", "S", {"S": evil}, {"M": {evil: {"S": evil}}}),
    )
    lines = report(with_differences(Difference("different", {evil: {"S": evil}}, changes)))
    assert all(line.isprintable() for line in lines)
    assert evil not in "".join(lines)


def test_paths_are_unambiguous() -> None:
    assert path_text(("a", "b", 0, "c.d", 'e"f')) == 'a.b[0]["c.d"]["e\\"f"]'
    assert path_text(("a.b",)) != path_text(("a", "b"))


def test_progress_says_what_is_underway() -> None:
    scan = Progress("scan", 12_000, 11_000, 0, 0, 2.0)
    assert (
        progress_text(scan)
        == "scanning: 12,000 items of the source, 11,000 of the destination, 11,500 items/s"
    )
    assert progress_text(dataclasses.replace(scan, stage="recheck", candidates=300, rechecked=100)) == (
        "rechecking: 100 of 300 candidates (12,000 items of the source, 11,000 of the destination)"
    )
