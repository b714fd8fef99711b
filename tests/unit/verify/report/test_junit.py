"""JUnit XML: well-formed whatever the keys hold, its sums right, red exactly where the exit code is not 0."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from tablecopy_cli.advice import Step
from tests.unit.verify.report.comparisons import (
    EQUAL,
    EVIL,
    NO_RECOVERY,
    PATHS,
    PROVISIONED,
    SAMPLE,
    VALUES,
    Streamed,
    expired,
    hostile,
    in_account,
    key,
    letter,
    with_differences,
)
from verify.comparison.differences import PathChange
from verify.comparison.results import Comparison, Difference, InAccount
from verify.report.junit import junit_report, write_junit

MISSING = Difference("missing", key(1))
MOVING = Difference("extra", key(2), standing=False)

# What junit-10.xsd of Jenkins' xUnit plugin allows: attributes and children of each element.
ALLOWED: dict[str, tuple[set[str], set[str]]] = {
    "testsuites": ({"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": (
        {"name", "time", "tests", "failures", "errors", "skipped", "timestamp"},
        {"properties", "testcase", "system-out"},
    ),
    "properties": (set(), {"property"}),
    "property": ({"name", "value"}, set()),
    "testcase": ({"name", "classname", "time"}, {"failure", "skipped"}),
    "failure": ({"message", "type"}, set()),
    "skipped": ({"message"}, set()),
    "system-out": (set(), set()),
}


def parsed(comparison: Comparison) -> Element:
    """The suite, once everything that holds for every report is seen to hold."""
    root = ElementTree.fromstring(junit_report(comparison, [Step("Stop the writers.")]).encode())
    (suite,) = root
    for element in root.iter():
        attributes, children = ALLOWED[element.tag]
        assert set(element.attrib) == attributes
        assert {child.tag for child in element} <= children
    cases = suite.findall("testcase")
    names = [case.get("name") for case in cases]
    assert len(set(names)) == len(names)
    sums = {
        "tests": len(cases),
        "failures": len(suite.findall("testcase/failure")),
        "errors": 0,
    }
    for name, value in sums.items():
        assert root.get(name) == suite.get(name) == str(value)
    assert suite.get("skipped") == str(len(suite.findall("testcase/skipped")))
    assert bool(sums["failures"]) == (comparison.verdict in ("different", "unsettled"))
    assert re.fullmatch(r"\d+\.\d{3}", str(suite.get("time")))
    return suite


def failures(suite: Element) -> dict[str, str]:
    return {str(case.get("name")): str(failure.text) for case in suite for failure in case.findall("failure")}


def skipped(suite: Element) -> dict[str, str]:
    return {str(case.get("name")): str(found.text) for case in suite for found in case.findall("skipped")}


def test_what_is_only_counted_has_a_case() -> None:
    suite = parsed(in_account())
    failed = failures(suite)["every difference is listed"].splitlines()
    assert failed[0].startswith("4,000 differences are counted and not listed.")
    assert failed[1:] == ["--segment 7/16: 3,000 differences", "--segment 3/16: 1,000 differences"]
    properties = {one.get("name"): one.get("value") for one in suite.iter("property")}
    assert (properties["segments_by_key"], properties["unlisted"]) == ("3", "4000")
    assert "read the others by key" in str(suite.findtext("system-out"))


def test_expired_items_that_are_only_counted_fail_nothing() -> None:
    only_expired = in_account(
        differences=(expired(1),), counts={"expired": 3}, in_account=InAccount("v", 16, 0, {3: 2})
    )
    assert set(skipped(parsed(only_expired))) == {"every difference is listed"}


def test_equal_tables_pass_every_case() -> None:
    suite = parsed(dataclasses.replace(EQUAL, generations=1))
    assert suite.get("name") == "verify cities"
    assert suite.get("timestamp") == "2026-11-23T12:00:00"
    assert [case.get("name") for case in suite.findall("testcase")] == [
        "no item is missing",
        "no item is changed",
        "no item is extra",
        "no item is still changing",
        "every item is compared",
        "every attribute is compared",
    ]
    assert failures(suite) == skipped(suite) == {}
    properties = {one.get("name"): one.get("value") for one in suite.iter("property")}
    assert properties == {
        "verdict": "equal",
        "go_ahead": "false",
        "source": EQUAL.source.arn,
        "destination": EQUAL.destination.arn,
        "source_items": "33421",
        "destination_items": "33421",
        "expired": "0",
        "writes_stopped": "false",
    }
    said = suite.findtext("system-out")
    assert said is not None
    assert said == "Equal: all 33,421 items match.\nNext: Stop the writers."


def test_each_kind_fails_its_case_with_its_keys() -> None:
    suite = parsed(
        with_differences(
            Difference("missing", key(1), dead_letter=letter()),
            Difference("changed", key(2), PATHS[:1]),
            Difference("extra", key(3)),
            expired(4),
        )
    )
    assert failures(suite) == {
        "no item is missing": '1 item missing from the destination\ncountry="DE"  id=1\n'
        "    dead letter: ValidationException: Type mismatch for Index Key "
        "(put rejected 3 times since 2026-11-23T11:59:00Z)",
        "no item is changed": '1 item changed\ncountry="DE"  id=2\n    address.zip: value changed',
        "no item is extra": '1 item extra in the destination\ncountry="DE"  id=3',
    }
    messages = [failure.get("message") for failure in suite.iter("failure")]
    assert messages == [
        "1 item missing from the destination",
        "1 item changed",
        "1 item extra in the destination",
    ]


def test_what_still_changes_is_unsettled_unless_writes_have_stopped() -> None:
    moving = failures(parsed(with_differences(MISSING, MOVING)))
    assert moving == {
        "no item is missing": '1 item missing from the destination\ncountry="DE"  id=1',
        "no item is still changing": '1 item still changing\ncountry="DE"  id=2',
    }
    stopped = failures(parsed(with_differences(MISSING, MOVING, writes_stopped=True)))
    assert list(stopped) == ["no item is missing", "no item is extra"]


def test_what_settled_after_writes_stopped_is_unsettled() -> None:
    assert failures(parsed(dataclasses.replace(EQUAL, writes_stopped=True, settled=2))) == {
        "no item is still changing": "2 items changed after you declared that writes had stopped"
    }
    assert failures(parsed(dataclasses.replace(EQUAL, settled=2))) == {}


def test_what_was_left_out_is_skipped_and_the_sample_named_in_the_suite() -> None:
    restricted = dataclasses.replace(EQUAL, sample=SAMPLE, filter_expression="a = :a", ignored=("b", "c"))
    suite = parsed(restricted)
    assert suite.get("name") == "verify cities, sample of 10% (51 of 512 segments)"
    assert {case.get("classname") for case in suite.findall("testcase")} == {suite.get("name")}
    assert skipped(suite) == {
        "every item is compared": "sample: 10% (51 of 512 segments), seed 7; filter: a = :a",
        "every attribute is compared": "ignored: b, c",
    }


def test_findings_are_skipped() -> None:
    suite = parsed(dataclasses.replace(EQUAL, findings=(NO_RECOVERY, PROVISIONED)))
    assert skipped(suite) == {
        "setting: point_in_time_recovery": "can lose data: The source can be restored to any second, "
        "the destination cannot.\nfix: aws dynamodb update-continuous-backups --table-name cities-new",
        "setting: billing_mode": "can cost money: The destination is provisioned.",
    }


def test_other_dead_letters_are_told() -> None:
    said = parsed(dataclasses.replace(EQUAL, dead_letters=(letter(),))).findtext("system-out")
    assert said is not None
    assert 'Dead letter: country="DE"  id=77  ValidationException: ' in said


def test_a_failure_lists_a_hundred_keys_and_says_how_many_more() -> None:
    made = Streamed(2_000, lambda number: Difference("missing", key(number)))
    suite = parsed(dataclasses.replace(EQUAL, differences=made, counts={"missing": 2_000}))
    assert made.passes == 1
    lines = failures(suite)["no item is missing"].splitlines()
    assert lines[0] == "2,000 items missing from the destination"
    assert sum(line.startswith("country=") for line in lines) == 100
    assert lines[-1] == "... and 1,900 more (to list all, use --format jsonl)"


def test_an_item_lists_twenty_attributes() -> None:
    paths = tuple(PathChange((f"a{number}",), "removed", "S", None) for number in range(50))
    lines = failures(parsed(with_differences(Difference("changed", key(1), paths))))["no item is changed"]
    assert lines.count("only in the source") == 20
    assert lines.endswith("    ... and 30 more attributes")


def test_values_only_where_the_paths_hold_them() -> None:
    text = failures(parsed(with_differences(Difference("changed", key(1), VALUES))))["no item is changed"]
    assert '    a: value changed: "x\\u001b" -> "y"' in text.splitlines()


@pytest.mark.parametrize("evil", EVIL)
def test_it_is_well_formed_whatever_the_keys_hold(evil: str) -> None:
    suite = parsed(hostile(evil))
    assert len(suite.findall("testcase")) == 7
    texts = [text for element in suite.iter() for text in (element.text or "", *element.attrib.values())]
    lines = [line for text in texts for line in text.split("\n")]
    assert all(line.isprintable() for line in lines)


def test_written_as_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "verify.xml"
    comparison = with_differences(Difference("missing", {"id": {"S": "Köln"}}))
    write_junit(path, comparison)
    assert path.read_bytes().decode("utf-8") == junit_report(comparison)
    assert "Köln" in str(failures(ElementTree.parse(path).getroot()[0]))
