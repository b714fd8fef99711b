"""The report and the progress line on a terminal: no key steers it, and no unknown number is shown."""

from __future__ import annotations

import dataclasses
import io
from typing import Any

import pytest

from tablecopy_cli.advice import Step
from tablecopy_cli.common.terminal import Style
from tests.unit.verify.report.comparisons import (
    EQUAL,
    EVIL,
    NO_RECOVERY,
    NOON,
    PATHS,
    PROVISIONED,
    SAMPLE,
    UNTAGGED,
    VALUES,
    Streamed,
    expired,
    hostile,
    in_account,
    key,
    letter,
    with_differences,
)
from verify.comparison.results import KINDS, Comparison, Difference, InAccount, Progress, Sample
from verify.report.text import progress_text, text_report

STEPS = [Step("Stop the writers."), Step("Compare again.", "verify --writes-stopped")]
ALL_LISTED = InAccount("v", 16)
NEXT = ["Next:", "  1. Stop the writers.", "  2. Compare again.", "     verify --writes-stopped"]


def report(comparison: Comparison, limit: int = 20) -> list[str]:
    return list(text_report(comparison, Style(io.StringIO()), limit, STEPS))


def test_equal() -> None:
    assert report(EQUAL) == [
        "Equal: all 33,421 items match.",
        "",
        "  source       cities      111111111111 eu-west-1     33,421 items, 1,024 read units",
        "  destination  cities-new  222222222222 eu-central-1  33,421 items, 1,024 read units",
        "  Started 2026-11-23T12:00:00Z, took 12 s.",
        "",
        *NEXT,
    ]


def test_differences_are_grouped() -> None:
    lines = report(
        with_differences(
            Difference("missing", key(1)),
            Difference("changed", key(2), PATHS),
            Difference("extra", key(3), standing=False),
        )
    )
    assert lines[0] == "Different: 1 missing, 1 changed, 1 extra (1 still changing)."
    assert lines[6:] == [
        "Missing from the destination (1)",
        '  country="DE"  id=1',
        "",
        "Changed (1)",
        '  country="DE"  id=2',
        "      address.zip  value changed",
        "      lines[3]     only in the destination",
        "      n            type changed (N in the source, S in the destination)",
        "      old          only in the source",
        "      tags         set changed (2 only in the source, 1 only in the destination)",
        "",
        "Extra in the destination (1)",
        '  country="DE"  id=3  still changing',
        "",
        *NEXT,
    ]


def test_values_where_they_were_asked_for() -> None:
    lines = report(with_differences(Difference("changed", key(1), VALUES)))
    assert '      a  value changed: "x\\u001b" -> "y"' in lines
    assert '      b  only in the destination: {"L": [{"N": "1"}, {"B": "MQ=="}]}' in lines
    assert "      c  only in the source: 1" in lines


def test_a_difference_that_was_read_again_says_when() -> None:
    seen: dict[str, Any] = {"first_seen": NOON, "last_seen": NOON + 12}
    lines = report(
        with_differences(
            Difference("missing", key(1), **seen, checks=2),
            Difference("missing", key(2), **seen, checks=2, standing=False),
            Difference("missing", key(3), **seen),
        )
    )
    when = "(seen 2026-11-23T12:00:00Z to 2026-11-23T12:00:12Z, read again 2 times)"
    assert lines[7:10] == [
        f'  country="DE"  id=1  {when}',
        f'  country="DE"  id=2  still changing  {when}',
        '  country="DE"  id=3',
    ]


def test_expired_items_are_no_difference() -> None:
    lines = report(with_differences(expired(1), expired(2, standing=False)))
    assert lines[0].startswith("Equal: ")
    assert lines[6:9] == [
        "Expired (2)  TTL has passed, so DynamoDB may delete these items at any time. They do not count.",
        '  country="DE"  id=1  (expired 2026-11-23T11:00:00Z, only in the source)',
        '  country="DE"  id=2  (expired 2026-11-23T11:00:00Z, only in the source)',
    ]


def test_a_sample_is_never_called_equal() -> None:
    lines = report(dataclasses.replace(EQUAL, sample=SAMPLE))
    assert lines[0].startswith("Sample: 10% (51 of 512 segments)")
    assert "equal" not in "\n".join(lines).lower()
    assert "  sample       10% (51 of 512 segments), seed 7" in lines
    assert "10% (51 of 512 segments)" in report(with_differences(expired(1), sample=SAMPLE))[0]
    assert (
        "10% (51 of 512 segments)"
        in report(with_differences(Difference("missing", key(1)), sample=SAMPLE))[0]
    )


def test_filter_and_ignored_attributes_are_named() -> None:
    lines = report(dataclasses.replace(EQUAL, filter_expression="a = :a", ignored=("b", "c")))
    assert lines[4:6] == ["  filter       a = :a", "  ignored      b, c"]


def test_a_dead_letter_stands_beside_its_item() -> None:
    lines = report(with_differences(Difference("missing", key(77), dead_letter=letter())))
    assert lines[7:9] == [
        '  country="DE"  id=77',
        "      dead letter  ValidationException: Type mismatch for Index Key "
        "(put rejected 3 times since 2026-11-23T11:59:00Z)",
    ]


def test_other_dead_letters_have_a_group() -> None:
    lines = report(dataclasses.replace(EQUAL, dead_letters=(letter(), letter(key=key(78)))), limit=1)
    assert lines[6:10] == [
        "Dead letters of other items (2)",
        '  country="DE"  id=77',
        "      ValidationException: Type mismatch for Index Key "
        "(put rejected 3 times since 2026-11-23T11:59:00Z)",
        "  ... and 1 more (to list all, use --limit 0 or --format jsonl)",
    ]


def test_findings_come_worst_first_and_say_how_to_fix_them() -> None:
    comparison = dataclasses.replace(EQUAL, findings=(UNTAGGED, PROVISIONED, NO_RECOVERY))
    assert report(comparison)[6:11] == [
        "Findings in the table settings (3)",
        "  can lose data   point_in_time_recovery: "
        "The source can be restored to any second, the destination cannot.",
        "                  fix: aws dynamodb update-continuous-backups --table-name cities-new",
        "  can cost money  billing_mode: The destination is provisioned.",
        "  cosmetic        tags: The destination lacks the tag team.",
    ]
    assert "  ... and 2 more (to list all, use --limit 0 or --format jsonl)" in report(comparison, limit=1)


@pytest.mark.parametrize("limit", [2, 1_500])
def test_long_groups_are_cut_and_say_so(limit: int) -> None:
    many = with_differences(*(Difference("missing", key(n)) for n in range(2_000)))
    lines = report(many, limit)
    assert "Missing from the destination (2,000)" in lines
    assert f"  ... and {2_000 - limit:,} more (to list all, use --limit 0 or --format jsonl)" in lines
    assert sum(line.startswith("  country") for line in lines) == limit
    assert sum(line.startswith("  country") for line in report(many, limit=0)) == 2_000


def test_what_is_only_counted_has_a_section() -> None:
    lines = report(in_account())
    at = lines.index("Counted and not listed (4,000)")
    assert lines[at + 2 : at + 5] == [
        "  --segment 7/16  3,000 differences",
        "  --segment 3/16  1,000 differences",
        "",
    ]
    assert "Missing from the destination (4,001)" in lines
    assert not any("not listed" in line for line in report(in_account(in_account=ALL_LISTED)))


@pytest.mark.parametrize(
    ("by_key", "text"),
    [
        (0, "Merged the scans of 16 segments."),
        (3, "Merged the scans of 13 of 16 segments, and read the others by key"),
        (16, "Read 16 segments by key"),
    ],
)
def test_a_report_from_the_account_says_how_it_was_read(by_key: int, text: str) -> None:
    found = dataclasses.replace(ALL_LISTED, segments_by_key=by_key)
    assert any(text in line for line in report(in_account(in_account=found)))


def test_chosen_segments_are_a_part() -> None:
    chosen = Sample(2 / 16, 2, 16, 0, chosen=(3, 7))
    lines = report(dataclasses.replace(EQUAL, sample=chosen))
    assert lines[0] == (
        "Part: segments 3 and 7 of 16 were read and all 33,421 items match. The rest was not read."
    )
    assert "  segments     segments 3 and 7 of 16" in lines


def test_differences_are_streamed() -> None:
    made = Streamed(8_000, lambda number: Difference(KINDS[number % 4], key(number), expires=0))
    comparison = dataclasses.replace(EQUAL, differences=made, counts=dict.fromkeys(KINDS, 2_000))
    report(comparison, limit=20)
    assert made.passes == 1
    lines = text_report(comparison, Style(io.StringIO()), 0)
    made.made = 0
    while not next(lines).startswith("  country"):
        pass
    assert made.made == 1


@pytest.mark.parametrize("evil", EVIL)
def test_nothing_steers_the_terminal(evil: str) -> None:
    lines = report(hostile(evil))
    assert all(line.isprintable() for line in lines)
    if not evil.isprintable():
        assert evil not in "".join(lines)


def test_colours_say_the_verdict() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    def first(comparison: Comparison) -> str:
        return next(text_report(comparison, Style(Terminal()), 20))

    assert first(EQUAL).startswith("\x1b[1;32mEqual:")
    assert first(with_differences(Difference("missing", key(1)))).startswith("\x1b[1;31mDifferent:")
    assert first(dataclasses.replace(EQUAL, sample=SAMPLE)).startswith("\x1b[1;33mSample:")


SCAN = Progress(
    "scan",
    source_items=12_000,
    destination_items=10_000,
    source_total=50_000,
    destination_total=50_000,
    source_units=1_500.4,
    destination_units=500.0,
    seconds=20.0,
)


def line(progress: Progress, **changes: object) -> str:
    return progress_text(dataclasses.replace(progress, **changes), "utf-8")  # type: ignore[arg-type]


def test_a_scan() -> None:
    assert line(SCAN) == (
        "scanning [━━━━                ] 22%, 1 min 11 s left, 22,000 items, 1,100 items/s, 2,000 read units"
    )


def test_a_stream_without_blocks_gets_ascii() -> None:
    assert progress_text(SCAN, "latin-1").startswith("scanning [----                ] 22%")
    assert progress_text(SCAN, "ascii").isascii()


def test_no_time_left_before_the_speed_is_known() -> None:
    assert " left" not in line(SCAN, seconds=2.9)
    assert " left" not in line(SCAN, source_items=0, destination_items=0)


def test_unknown_totals_have_no_bar() -> None:
    assert line(SCAN, source_total=0, destination_total=0) == (
        "scanning, 22,000 items, 1,100 items/s, 2,000 read units"
    )


def test_one_known_side_stands_for_both() -> None:
    # DynamoDB has yet to count the table that has just been filled.
    assert line(SCAN, destination_total=0) == (
        "scanning [━━━━╸               ] 24%, 1 min 3 s left, 22,000 items, 1,100 items/s, 2,000 read units"
    )


@pytest.mark.parametrize("destination", [10_000, 60_000])
def test_a_total_that_is_exceeded_is_not_believed(destination: int) -> None:
    shown = line(SCAN, source_items=70_000, destination_items=destination)
    if destination == 10_000:
        assert shown.startswith("scanning [━━━━                ] 20%, 1 min 20 s left, 80,000 items, 4,000")
    else:
        assert shown.startswith("scanning, 130,000 items, more than the estimated 100,000, 6,500 items/s")


def test_only_what_is_done_looks_done() -> None:
    assert "[━━━━━━━━━━━━━━━━━━━╸] 99%" in line(SCAN, source_items=50_000, destination_items=49_999)
    whole = line(SCAN, source_items=50_000, destination_items=50_000)
    assert "[━━━━━━━━━━━━━━━━━━━━] 100%, 0 s left" in whole


def test_items_of_an_earlier_run_do_not_count_for_the_speed() -> None:
    shown = line(SCAN, resumed_items=20_000)
    assert shown == (
        "scanning [━━━━                ] 22%, 13 min left, 22,000 items (20,000 from an earlier run), "
        "100 items/s, 2,000 read units"
    )
    assert "items/s" not in line(SCAN, resumed_items=22_000)


def test_matching() -> None:
    assert line(SCAN, stage="match", candidates=1) == (
        "matching items, 22,000 items, 1 candidate so far, 2,000 read units"
    )


def test_a_recheck() -> None:
    recheck = dataclasses.replace(SCAN, stage="recheck", generation=2, candidates=300, rechecked=100)
    assert line(recheck) == ("recheck 2 [━━━━━━╸             ] 33%, 100 of 300 candidates, 2,000 read units")
    assert "100%, 300 of 300" in line(recheck, rechecked=301)
    assert line(recheck, candidates=0, rechecked=0).startswith("rechecking, 0 of 0 candidates")


def test_waiting() -> None:
    waiting = Progress("wait", generation=2, candidates=3, wait_seconds=4.0)
    assert line(waiting) == "recheck 2 in 4 s, 3 candidates may be changes in progress"


def test_the_encoding_is_that_of_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    class Latin:
        encoding = "latin-1"

    monkeypatch.setattr("sys.stderr", Latin())
    assert "[----  " in progress_text(SCAN)
