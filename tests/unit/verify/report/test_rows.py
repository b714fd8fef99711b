"""Which differences a page holds: few enough for a browser, some of every kind, none that breaks out."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from typing import Any

import pytest

from tests.unit.verify.report.comparisons import (
    EQUAL,
    EVIL,
    NOON,
    PATHS,
    VALUES,
    Streamed,
    expired,
    hostile,
    key,
    letter,
    with_differences,
)
from verify.comparison.differences import PathChange
from verify.comparison.results import Comparison, Difference, Kind
from verify.report import rows
from verify.report.rows import rows_of


def told(comparison: Comparison) -> list[dict[str, Any]]:
    return [json.loads(text) for text in rows_of(comparison).texts]


def test_a_row() -> None:
    difference = Difference(
        "changed",
        key(1),
        PATHS[:2],
        standing=False,
        first_seen=NOON,
        last_seen=NOON + 12,
        checks=2,
        source_digest="aa",
        destination_digest="bb",
        dead_letter=letter(),
    )
    assert told(with_differences(difference)) == [
        {
            "kind": "changed",
            "key": 'country="DE"  id=1',
            "json": '{"country": {"S": "DE"}, "id": {"N": "1"}}',
            "what": "address.zip, lines[3]",
            "standing": False,
            "first": "2026-11-23T12:00:00Z",
            "last": "2026-11-23T12:00:12Z",
            "checks": 2,
            "paths": [
                {"path": "address.zip", "change": "value changed"},
                {"path": "lines[3]", "change": "only at the destination"},
            ],
            "source_digest": "aa",
            "destination_digest": "bb",
            "letter": "ValidationException: Type mismatch for Index Key "
            "(put refused 3 times since 2026-11-23T11:59:00Z)",
        }
    ]


def test_what_differs_in_short() -> None:
    many = with_differences(
        Difference("missing", key(1)),
        Difference("extra", key(2)),
        Difference("changed", key(3), PATHS[:4]),
        Difference("changed", key(4), PATHS),
        expired(5, standing=False),
    )
    assert [row["what"] for row in told(many)] == [
        "only at the source",
        "only at the destination",
        "address.zip, lines[3], n, old",
        "address.zip, lines[3], n and 2 more",
        "only at the source, expired 2026-11-23T11:00:00Z",
    ]
    assert told(many)[-1]["standing"] is True


def test_values_where_the_paths_hold_them() -> None:
    (row,) = told(with_differences(Difference("changed", key(1), VALUES)))
    assert [(path["source"], path["destination"]) for path in row["paths"]] == [
        ('"x\\u001b"', '"y"'),
        ("absent", '{"L": [{"N": "1"}, {"B": "MQ=="}]}'),
        ("1", "absent"),
    ]


def test_long_values_and_many_paths_are_cut_and_say_so() -> None:
    long = PathChange(("a",), "value_changed", "S", "S", {"S": "x" * 5_000}, {"S": "y"})
    gone = (PathChange((f"b{number}",), "removed", "S", None) for number in range(500))
    (row,) = told(with_differences(Difference("changed", key(1), (long, *gone))))
    assert row["paths"][0]["source"] == '"' + "x" * 1_999 + "... 3,002 more characters"
    assert len(row["paths"]) == 200
    assert row["more"] == "and 301 more attributes"


@pytest.mark.parametrize(
    ("counts", "shown"),
    [
        ({"missing": 10}, {"missing": 10}),
        ({"missing": 20_000}, {"missing": 5_000}),
        ({"missing": 20_000, "changed": 3}, {"missing": 4_997, "changed": 3}),
        (
            {"missing": 9_000, "changed": 3_000, "extra": 3_000, "expired": 100},
            {"missing": 1_634, "changed": 1_633, "extra": 1_633, "expired": 100},
        ),
    ],
)
def test_every_kind_gets_its_share(counts: dict[Kind, int], shown: dict[Kind, int]) -> None:
    # The rare kinds last, where a page that took the first 5,000 would not get to.
    kinds = [kind for kind, count in counts.items() for _ in range(count)]
    made = Streamed(
        len(kinds), lambda number: Difference(kinds[number], key(number), expires=0, dead_letter=letter())
    )
    comparison = dataclasses.replace(EQUAL, differences=made, counts=counts)
    found = rows_of(comparison)
    assert Counter(json.loads(text)["kind"] for text in found.texts) == shown
    assert found.refused == len(kinds)
    assert made.passes == 1


def test_a_page_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_CHARACTERS", 10_000)
    texts = rows_of(with_differences(*(Difference("missing", key(number)) for number in range(100)))).texts
    assert 10_000 < sum(len(text) for text in texts) < 10_500


@pytest.mark.parametrize("evil", EVIL)
def test_nothing_breaks_out_of_the_script_element(evil: str) -> None:
    (text,) = rows_of(hostile(evil)).texts
    assert text.isascii()
    assert not set("<>&\n\r") & set(text)

    def strings(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [string for content in value.values() for string in strings(content)]
        return (
            [string for element in value for string in strings(element)]
            if isinstance(value, list)
            else [value]
        )

    row = json.loads(text)
    assert all(string.isprintable() for string in strings(row) if isinstance(string, str))
