"""docs/verify.schema.json: every record of the JSON Lines is valid, and no other field is."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.unit.verify.report.comparisons import (
    EQUAL,
    EVIL,
    NO_RECOVERY,
    PATHS,
    PROVISIONED,
    SAMPLE,
    UNTAGGED,
    VALUES,
    expired,
    hostile,
    in_account,
    key,
    letter,
    with_differences,
)
from verify.comparison.results import Comparison, Difference

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "verify.schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)

IMAGE = {
    "a": {
        "L": [{"M": {"b": {"NULL": True}}}, {"BOOL": False}, {"BS": ["MQ=="]}, {"NS": ["1"]}, {"SS": ["x"]}]
    }
}
EVERYTHING = with_differences(
    Difference("missing", key(1), dead_letter=letter(image=IMAGE)),
    Difference("changed", {"id": {"B": "MQ=="}}, PATHS + VALUES, standing=False, dead_letter=letter()),
    Difference("changed", key(2)),
    Difference("extra", key(3)),
    expired(4),
    findings=(NO_RECOVERY, PROVISIONED, UNTAGGED),
    dead_letters=(letter(origin="backfill", sequence_number="", action="delete"), letter(image=IMAGE)),
    sample=SAMPLE,
    filter_expression="a = :a",
    ignored=("b",),
)


def records(comparison: Comparison) -> list[Any]:
    return [json.loads(json.dumps(record)) for record in comparison.records()]


def one(kind: str) -> dict[str, Any]:
    """A record of each type that has every field it can have."""
    found: list[dict[str, Any]] = [record for record in records(EVERYTHING) if record["type"] == kind]
    return max(found, key=len)


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    "comparison", [EQUAL, EVERYTHING, in_account(), *(hostile(evil) for evil in EVIL[:3])]
)
def test_every_record_is_valid(comparison: Comparison) -> None:
    told = records(comparison)
    # The only place where a letter of a test is not as control tells it.
    for record in told:
        for refused in (record, record.get("dead_letter", {})):
            if "action" in refused:
                refused["action"] = "put"
    assert [error.message for record in told for error in VALIDATOR.iter_errors(record)] == []


@pytest.mark.parametrize("verdict", ["equal", "different", "unsettled", "sampled"])
def test_every_verdict_is_valid(verdict: str) -> None:
    assert VALIDATOR.is_valid({**one("summary"), "verdict": verdict})


@pytest.mark.parametrize("kind", ["finding", "difference", "dead_letter", "summary"])
def test_no_field_is_missing_and_none_is_unknown(kind: str) -> None:
    record = one(kind)
    assert VALIDATOR.is_valid(record)
    assert not VALIDATOR.is_valid({**record, "moving": False})
    optional = {"difference": {"dead_letter"}, "dead_letter": {"image"}}.get(kind, set())
    for field in record:
        without = {name: value for name, value in record.items() if name != field}
        assert VALIDATOR.is_valid(without) == (field in optional), field


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("finding", {"severity": "severe"}),
        ("difference", {"kind": "moved"}),
        ("difference", {"kind": "missing"}),
        ("difference", {"kind": "expired"}),
        ("difference", {"expires": "2026-11-23T12:00:00Z"}),
        ("difference", {"first_seen": 1_795_435_200}),
        ("difference", {"key": {"id": {"NULL": True}}}),
        ("difference", {"key": {"id": {"S": "a", "N": "1"}}}),
        ("difference", {"paths": [{"path": [], "change": "added"}]}),
        ("difference", {"paths": [{"path": ["a"], "change": "added", "value": 1}]}),
        ("difference", {"paths": [{"path": ["a"], "change": "type_changed", "source_type": "S"}]}),
        ("difference", {"dead_letter": {**letter(), "more": 1}}),
        ("difference", {"dead_letter": {"key": key(1)}}),
        ("dead_letter", {"attempts": 0}),
        ("dead_letter", {"image": {"a": "b"}}),
        ("summary", {"verdict": "same"}),
        ("summary", {"sample": {"fraction": 0.1}}),
        ("summary", {"missing": -1}),
        ("summary", {"consumed_capacity": {"source": 1}}),
    ],
)
def test_what_is_not_documented_is_not_valid(kind: str, changes: dict[str, Any]) -> None:
    assert not VALIDATOR.is_valid({**one(kind), **changes})


def test_a_comparison_of_everything_is_of_every_kind() -> None:
    assert {record["type"] for record in records(EVERYTHING)} == {
        "finding",
        "difference",
        "dead_letter",
        "summary",
    }
    assert dataclasses.replace(EQUAL, sample=SAMPLE).verdict == "sampled"
