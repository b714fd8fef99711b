"""The command line, against tables served over HTTP: what it prints where, what it writes, how it ends."""

from __future__ import annotations

import errno
import json
import os
import re
import resource
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from botocore.exceptions import ClientError

import verify.command
from tests.unit.cli.run.control import status
from tests.unit.verify.service import FakeTable
from tests.unit.verify.world import ROOT, World, environment, item, keys_of, records
from verify.cli import main
from verify.repair.plan import read_plan

Captured = pytest.CaptureFixture[str]

EVIL = 'x\x1b[31m\n\u202e"<script>&'


@pytest.fixture
def different(world: World) -> World:
    world.fill(same=10, missing=1, extra=1)
    world.source.put(item("b", 1, deep={"M": {"zip": {"S": "secret"}}}))
    world.destination.put(item("b", 1, deep={"M": {"zip": {"S": "other secret"}}}))
    return world


def refusing(code: str, *operations: str, message: str = "no", status: int = 400) -> Callable[[str], None]:
    """For ``before``: these operations are refused."""

    def before(operation: str) -> None:
        if operation in operations:
            error: Any = {
                "Error": {"Code": code, "Message": message},
                "ResponseMetadata": {"HTTPStatusCode": status},
            }
            raise ClientError(error, operation)

    return before


def trouble(world: World, capsys: Captured, *more: str) -> str:
    """The one line that a run ends with that comes to nothing."""
    assert world.run(*more) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("verify: error: ")
    assert err.count("\n") == 1
    return err


# How it ends


def test_equal_tables_exit_0(world: World, capsys: Captured) -> None:
    world.fill(same=5)
    assert world.run() == 0
    out, err = capsys.readouterr()
    assert out.startswith("Equal: all 5 items match.\n")
    assert err == ""
    assert world.kept() == []


def test_different_tables_exit_1_and_name_the_keys(different: World, capsys: Captured) -> None:
    assert different.run("--segments", "3") == 1
    out, err = capsys.readouterr()
    assert out.startswith("Different: 1 missing, 1 changed, 1 extra.\n")
    assert "      deep.zip  value changed\n" in out
    assert "secret" not in out
    assert err == ""
    assert different.kept() == []
    scans = [request for operation, request in different.source.calls if operation == "Scan"]
    assert {request["TotalSegments"] for request in scans} == {3}


def test_what_keeps_changing_exits_3(world: World, capsys: Captured) -> None:
    world.fill(missing=1)
    changes = iter(range(100))
    world.source.before = lambda operation: world.source.put(
        item("missing", 0, version={"N": str(next(changes))})
    )
    assert world.run("--lag", "0") == 3
    out, err = capsys.readouterr()
    assert out.startswith("Still changing: 1 missing")
    assert err == ""
    assert world.kept() == []


def test_interrupted_exits_130(world: World, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    def interrupted(*args: Any, **options: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(verify.command, "compare", interrupted)
        assert world.run() == 130
    assert capsys.readouterr() == (
        "",
        "verify: what was read is kept. To continue, run the same command with --resume\n"
        "verify: interrupted\n",
    )
    monkeypatch.setattr("verify.command.Table.connect", interrupted)
    assert main(world.flags()) == 130
    assert capsys.readouterr() == ("", "verify: interrupted\n")


@pytest.mark.parametrize("kind", [ZeroDivisionError, MemoryError, RecursionError, AssertionError])
def test_an_unexpected_error_never_exits_1(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: Captured, kind: type[Exception]
) -> None:
    def broken(*args: Any, **options: Any) -> Any:
        raise kind("a bug\nin two lines")

    monkeypatch.setattr(verify.command, "compare", broken)
    assert trouble(world, capsys) == (
        f"verify: error: {kind.__name__}: a bug in two lines "
        "(unexpected; run again with --debug for the traceback)\n"
    )
    assert world.run("--debug") == 2
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_an_unexpected_error_in_a_thread_never_exits_1(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    def broken(*args: Any) -> Any:
        raise ValueError("DynamoDB has no attribute type 'X'")

    monkeypatch.setattr("verify.scan.table.Reader.page", broken)
    assert "no attribute type 'X'" in trouble(world, capsys)


def test_a_reader_that_has_gone_ends_it_without_a_word(different: World) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = different.start("--writes-stopped", stdout=writing)
    os.close(writing)
    assert done.communicate(timeout=30)[1] == ""
    assert done.returncode == 2


# What it prints


def test_json_lines(different: World, capsys: Captured) -> None:
    assert different.run("--format", "jsonl") == 1
    found = records(capsys.readouterr().out)
    assert [each["type"] for each in found] == ["difference"] * 3 + ["summary"]
    assert [(each["kind"], each["key"]) for each in found[:3]] == [
        ("changed", {"pk": {"S": "b"}, "sk": {"N": "1"}}),
        ("extra", {"pk": {"S": "extra"}, "sk": {"N": "0"}}),
        ("missing", {"pk": {"S": "missing"}, "sk": {"N": "0"}}),
    ]
    assert found[0]["paths"] == [{"path": ["deep", "zip"], "change": "value_changed"}]
    summary = found[3]
    assert summary["verdict"] == "different"
    assert (summary["source_items"], summary["destination_items"]) == (12, 12)
    assert (summary["missing"], summary["changed"], summary["extra"]) == (1, 1, 1)
    assert (summary["source"], summary["destination"]) == (different.source.arn, different.destination.arn)
    assert summary["consumed_capacity"]["source"] > 0


def test_values_only_with_show_values(different: World, capsys: Captured, tmp_path: Path) -> None:
    page, junit = tmp_path / "page.html", tmp_path / "junit.xml"
    files = ["--html", str(page), "--junit", str(junit)]
    for more in (files, [*files, "--format", "jsonl"]):
        assert different.run(*more) == 1
        shown = capsys.readouterr().out + page.read_text() + junit.read_text()
        assert "secret" not in shown
    assert different.run("--show-values", *files) == 1
    assert '"secret" -> "other secret"' in capsys.readouterr().out
    assert different.run("--show-values", "--format", "jsonl") == 1
    (path,) = records(capsys.readouterr().out)[0]["paths"]
    assert (path["source"], path["destination"]) == ({"S": "secret"}, {"S": "other secret"})


def test_the_limit_is_for_each_group_of_the_text(world: World, capsys: Captured) -> None:
    world.fill(missing=30, extra=5)
    listed = re.compile(r'^  pk="(\w+)"', re.MULTILINE)
    for more, missing, extra in (([], 20, 5), (["--limit", "3"], 3, 3), (["--limit", "0"], 30, 5)):
        assert world.run(*more) == 1
        found = listed.findall(capsys.readouterr().out)
        assert (found.count("missing"), found.count("extra")) == (missing, extra)
    assert world.run("--limit", "3", "--format", "jsonl") == 1
    assert len(records(capsys.readouterr().out)) == 36


def test_the_html_page_is_written(different: World, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("of yesterday")
    assert different.run("--html", str(page)) == 1
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert "1 missing, 1 changed, 1 extra" in page.read_text()


def test_the_junit_report_is_written(different: World, tmp_path: Path) -> None:
    report = tmp_path / "junit.xml"
    assert different.run("--junit", str(report)) == 1
    suite = next(ElementTree.parse(report).getroot().iter("testsuite"))
    assert suite.get("failures") == "3"


def test_the_repair_plan_is_written_and_can_be_read(different: World, tmp_path: Path) -> None:
    path = tmp_path / "plan.jsonl"
    assert different.run("--repair-plan", str(path)) == 1
    plan = records(path.read_text())
    assert [line["type"] for line in plan] == ["plan", "action", "action", "action", "end"]
    assert {line["action"] for line in plan[1:4]} == {"put", "replace", "delete"}
    assert plan[0]["source_table_id"] == f"id-of-{different.source.arn}"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_plan_is_written_where_tables_differ_and_the_next_step_names_it(
    different: World, capsys: Captured
) -> None:
    assert different.run() == 1
    (path,) = (different.work / "plans").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with read_plan(path) as plan:
        assert plan.header.total == 3
        assert plan.header.rest_equal
    shown = capsys.readouterr().out
    assert f"     verify repair {path} --writes-stopped --source " in shown
    assert f"     verify repair {path} --writes-stopped --apply --source " in shown


def test_no_plan_is_written_that_no_next_step_names(different: World, capsys: Captured) -> None:
    """Under writes the next comparison makes the plan, once they have stopped."""
    assert different.run("--lag", "0.01") == 1
    assert "verify repair" not in capsys.readouterr().out
    assert not (different.work / "plans").exists()


@pytest.mark.parametrize("more", [["--no-repair-plan"], ["--ignore-attribute", "x"]])
def test_no_plan_that_is_not_wanted(different: World, capsys: Captured, more: list[str]) -> None:
    assert different.run(*more) == 1
    assert not (different.work / "plans").exists()
    assert "verify repair" not in capsys.readouterr().out


def test_equal_tables_need_no_plan(world: World) -> None:
    world.fill(same=3)
    assert world.run() == 0
    assert world.kept() == []
    assert not (world.work / "plans").exists()


def test_a_plan_is_wanted_or_not(world: World, capsys: Captured) -> None:
    assert world.run("--repair-plan", "plan.jsonl", "--no-repair-plan") == 2
    assert "exclude each other" in capsys.readouterr().err


READY = status("ready", oldest_unapplied_age=0.0)


@pytest.mark.parametrize(
    ("phase", "command"),
    [
        ("ready", "tablecopy seal"),
        ("sealed", None),
        ("slice", "tablecopy watch"),
        ("stopped", "tablecopy start"),
        (None, "tablecopy status"),
    ],
)
def test_the_next_step_is_that_of_the_run(
    world: World, capsys: Captured, phase: str | None, command: str | None
) -> None:
    world.fill(same=3)

    def control(event: Any) -> Any:
        if phase is None:
            raise ConnectionError("no answer")
        if event["action"] == "dead-letters":
            return {"count": 0, "dead_letters": []}
        return {"status": {**READY, "phase": phase}}

    world.served.functions["control"] = control
    assert world.run("--control-function", "control", "--format", "jsonl") == 0
    summary = records(capsys.readouterr().out)[-1]
    first = next((step["command"] for step in summary["next"] if step["command"]), None)
    assert (first is None) == (command is None)
    assert (first or "").startswith(command or "")
    assert summary["go_ahead"] is (phase is not None)


def test_a_restricted_comparison_is_no_go_ahead(different: World, capsys: Captured, tmp_path: Path) -> None:
    different.source.delete(item("missing", 0))
    different.destination.delete(item("extra", 0))
    page, junit = tmp_path / "page.html", tmp_path / "junit.xml"
    files = ["--html", str(page), "--junit", str(junit)]
    assert different.run("--ignore-attribute", "deep", *files) == 0
    text = capsys.readouterr().out
    assert different.run("--ignore-attribute", "deep", "--format", "jsonl") == 0
    summary = records(capsys.readouterr().out)[-1]
    assert text.startswith('Equal except "deep": all 11 items match.\n')
    assert summary["verdict"] == "equal"
    assert summary["go_ahead"] is False
    assert summary["ignored_attributes"] == ["deep"]
    assert 'name="go_ahead" value="false"' in junit.read_text()
    assert "<h1>Equal except &#34;deep&#34;</h1>" in page.read_text()
    for output in (text, page.read_text(), junit.read_text(), json.dumps(summary)):
        assert "without --ignore-attribute" in output
        assert "Switch the writers" not in output
        assert "Seal" not in output


def test_repair_is_the_command_of_that_name(capsys: Captured) -> None:
    assert main(["repair", "--help"]) == 0
    assert capsys.readouterr().out.startswith("Usage: verify repair ")


def test_hostile_keys_and_names_are_escaped_in_every_output(
    world: World, capsys: Captured, tmp_path: Path
) -> None:
    world.put_both(item("same", 1))
    world.source.put(item(EVIL, 1))
    world.source.put(item(EVIL, 2, **{EVIL: {"S": EVIL}}))
    world.destination.put(item(EVIL, 2, **{EVIL: {"S": "harmless"}}))
    page, junit, plan = tmp_path / "page.html", tmp_path / "junit.xml", tmp_path / "plan.jsonl"
    files = ["--html", str(page), "--junit", str(junit), "--repair-plan", str(plan), "--show-values"]
    assert world.run(*files) == 1
    text = capsys.readouterr().out
    assert world.run("--format", "jsonl", "--show-values") == 1
    lines = capsys.readouterr().out
    outputs = [text, lines, page.read_text(), junit.read_text(), plan.read_text()]
    for output in outputs:
        assert "\x1b" not in output
        assert "\u202e" not in output
    assert "<script>&" not in page.read_text()
    assert keys_of(records(lines), "missing") == {(EVIL, "1")}
    assert keys_of(records(lines), "changed") == {(EVIL, "2")}
    assert [line["key"]["pk"]["S"] for line in records(plan.read_text())[1:3]] == [EVIL, EVIL]
    ElementTree.parse(junit)
    assert r"\x1b[31m\n\u202e" in text.replace("\\\\", "\\").replace("\\u001b", "\\x1b")


@pytest.mark.parametrize(("kind", "content"), [("B", "AP8="), ("N", "-12.5"), ("S", "Z\u00fcrich")])
def test_keys_of_every_type_are_found_again(world: World, capsys: Captured, kind: str, content: str) -> None:
    keys = (("pk", "S"), ("id", kind))
    for side in ("source", "destination"):
        table = FakeTable(name=f"keyed-{side}", account="1" if side == "source" else "2", keys=keys)
        world.served.tables[table.name] = table
        setattr(world, side, table)
    world.source.put({"pk": {"S": "a"}, "id": {kind: content}})
    assert world.run("--format", "jsonl") == 1
    found = records(capsys.readouterr().out)[0]
    assert (found["kind"], found["key"]["id"]) == ("missing", {kind: content})


def test_progress_and_remarks_go_to_stderr(different: World) -> None:
    # A terminal gets a line that renews itself, the file gets the result alone.
    leader, follower = os.openpty()
    done = different.start("--writes-stopped", "--format", "jsonl", stderr=follower)
    os.close(follower)
    out = done.communicate(timeout=30)[0]
    shown = os.read(leader, 65_536).decode()
    os.close(leader)
    assert done.returncode == 1
    assert records(out)[-1]["verdict"] == "different"
    assert shown.startswith("\r\x1b[K")
    assert shown.endswith("\r\x1b[K")


@pytest.mark.parametrize(("no_color", "painted"), [("", True), ("1", False)])
def test_no_color_takes_the_colours_away(different: World, no_color: str, painted: bool) -> None:
    leader, follower = os.openpty()
    done = different.start(
        "--writes-stopped", stdout=follower, env=environment(NO_COLOR=no_color, TERM="xterm")
    )
    os.close(follower)
    shown = os.read(leader, 65_536).decode()
    assert done.communicate(timeout=30)[1] == ""
    os.close(leader)
    assert ("\x1b[" in shown) is painted


# What is compared


def test_ignored_attributes_do_not_count(different: World, capsys: Captured) -> None:
    different.source.delete(item("missing", 0))
    different.destination.delete(item("extra", 0))
    assert different.run("--ignore-attribute", "other", "--ignore-attribute", "deep") == 0
    assert "deep" in capsys.readouterr().out


def test_a_filter_goes_to_both_sides_as_it_is(different: World, capsys: Captured) -> None:
    different.source.matches = different.destination.matches = lambda stored: stored["pk"]["S"] == "b"
    given = ["--filter-expression", "#p = :b", "--format", "jsonl"]
    given += ["--expression-attribute-names", '{"#p": "pk"}']
    given += ["--expression-attribute-values", '{":b": {"S": "b"}}']
    assert different.run(*given) == 1
    found = records(capsys.readouterr().out)
    assert [each["type"] for each in found] == ["difference", "summary"]
    assert found[1]["filter_expression"] == "#p = :b"
    for table in (different.source, different.destination):
        for operation, request in table.calls:
            if operation == "Scan":
                assert request["FilterExpression"] == "#p = :b"
                assert request["ExpressionAttributeNames"] == {"#p": "pk"}
                assert request["ExpressionAttributeValues"] == {":b": {"S": "b"}}


def test_a_filter_that_dynamodb_refuses(different: World, capsys: Captured) -> None:
    different.source.before = refusing(
        "ValidationException", "Scan", message="Invalid FilterExpression: Syntax error"
    )
    err = trouble(different, capsys, "--filter-expression", "((")
    assert err == (
        "verify: error: source: DynamoDB rejects the filter (ValidationException: Invalid FilterExpression: "
        "Syntax error). Correct --filter-expression, --expression-attribute-names or "
        "--expression-attribute-values, and run the command again.\n"
    )
    # What was read would not be of use to another filter. The same from a process.
    assert trouble(different, capsys, "--filter-expression", "((", "--processes", "2") == err


@pytest.mark.parametrize("same", [0, 200])
def test_a_sample_exits_3_and_never_says_equal(
    world: World, capsys: Captured, tmp_path: Path, same: int
) -> None:
    world.fill(same=same)
    page, junit = tmp_path / "page.html", tmp_path / "junit.xml"
    sample = ["--sample", "0.25"]
    assert world.run(*sample, "--html", str(page), "--junit", str(junit)) == 3
    text = capsys.readouterr().out
    assert world.run(*sample, "--format", "jsonl") == 3
    lines = capsys.readouterr().out
    assert records(lines)[-1]["verdict"] == "sampled"
    assert records(lines)[-1]["sample"]["of"] == 16
    visible = re.sub(r"<(style|script)\b.*?</\1>", "", page.read_text(), flags=re.DOTALL)
    for output in (text, lines, visible, junit.read_text()):
        said = re.findall(r".{30}\bequal\b.{30}", output, flags=re.IGNORECASE | re.DOTALL)
        assert not [each for each in said if "not" not in each], output


def test_segments_that_were_chosen_are_a_part(world: World, capsys: Captured) -> None:
    world.fill(same=40)
    assert world.run("--segment", "1/4") == 3
    assert capsys.readouterr().out.startswith("Part: segment 1 of 4 was read and all")
    assert world.run("--segment", "2/4", "--segment", "1/4", "--format", "jsonl") == 3
    summary = records(capsys.readouterr().out)[-1]
    assert (summary["verdict"], summary["sample"]["chosen"]) == ("sampled", [1, 2])
    assert 0 < summary["source_items"] < 40


def test_all_segments_together_find_every_difference(world: World, capsys: Captured) -> None:
    world.fill(same=20, missing=8, changed=9, extra=7)
    found = []
    for number in range(3):
        world.run("--segment", f"{number}/3", "--format", "jsonl")
        found.append(records(capsys.readouterr().out))
    for kind, count in (("missing", 8), ("changed", 9), ("extra", 7)):
        keys = [keys_of(each, kind) for each in found]
        assert sum(map(len, keys)) == len(set().union(*keys)) == count


def test_a_sample_with_a_difference_exits_1(world: World) -> None:
    world.fill(missing=300)
    assert world.run("--sample", "0.5", "--limit", "1") == 1


def test_the_read_capacity_makes_the_pages_small(world: World) -> None:
    world.fill(same=60)
    for table in (world.source, world.destination):
        table.item_bytes = 4096
    assert world.run("--source-read-capacity", "50", "--segments", "1") == 0
    limits = {
        side: {request.get("Limit") for operation, request in table.calls if operation == "Scan"}
        for side, table in (("source", world.source), ("destination", world.destination))
    }
    # A tenth of a second's units, each an item of 4 KB that is read consistently.
    assert limits == {"source": {5}, "destination": {None}}


# What it costs


def test_the_estimate_reads_a_sample_and_keeps_nothing(world: World, capsys: Captured) -> None:
    world.fill(same=10)
    world.source.item_count, world.source.item_bytes = 1_000_000, 4096
    assert main(["estimate", *world.flags()]) == 0
    text, err = capsys.readouterr()
    assert "read" in text
    assert err == ""
    # A page of each of four segments on either side, and a call that opens its connection.
    assert world.served.operations["Scan"] == 16
    assert main(["estimate", *world.flags("--format", "jsonl", "--writes-stopped")]) == 0
    (found,) = records(capsys.readouterr().out)
    assert found["type"] == "estimate"
    assert set(world.served.operations) <= {
        "DescribeTable",
        "DescribeContributorInsights",
        "DescribeKinesisStreamingDestination",
        "GetResourcePolicy",
        "DescribeTimeToLive",
        "DescribeContinuousBackups",
        "ListTagsOfResource",
        "Scan",
    }
    assert world.kept() == []


def test_the_estimate_goes_by_the_flags(world: World, capsys: Captured) -> None:
    for table in (world.source, world.destination):
        table.item_count, table.item_bytes = 1_000_000, 4096

    def estimated(*more: str) -> dict[str, Any]:
        assert main(["estimate", *world.flags("--format", "jsonl", *more)]) == 0
        (found,) = records(capsys.readouterr().out)
        return found

    plain = estimated()
    assert estimated("--writes-stopped") != plain
    assert estimated("--price-per-million", "99") != plain
    assert estimated("--source-read-capacity", "10") != plain


# The copy's control function

LETTER = {
    "key": item("missing", 0),
    "origin": "stream",
    "action": "put",
    "code": "ValidationException",
    "message": f"too large {EVIL}",
    "first_seen": 1_790_000_000.0,
    "last_seen": 1_790_000_000.0,
    "attempts": 3,
}


def test_dead_letters_stand_beside_their_items(world: World, capsys: Captured) -> None:
    world.fill(missing=1)
    world.served.functions["control"] = lambda event: {"count": 1, "dead_letters": [LETTER]}
    assert world.run("--control-function", "control", "--format", "jsonl") == 1
    out, err = capsys.readouterr()
    assert records(out)[0]["dead_letter"]["code"] == "ValidationException"
    assert err == ""
    assert world.run("--control-function", "control") == 1
    out = capsys.readouterr().out
    assert "dead letter" in out
    assert "\x1b" not in out


def test_a_recheck_waits_for_longer_than_the_copy_lags(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    world.fill(missing=1)
    asked = []

    def control(event: Any) -> Any:
        asked.append(event["action"])
        return {"count": 0, "dead_letters": []} if event["action"] == "dead-letters" else {"status": STATUS}

    slept: list[float] = []
    monkeypatch.setattr("tablecopy.clock.Clock.sleep", lambda self, seconds: slept.append(seconds))
    monkeypatch.setattr("tablecopy.clock.Clock.now", lambda self: 1_790_000_000.0 + sum(slept))
    world.served.functions["control"] = control
    assert world.run("--control-function", "control", "--lag", "15") == 1
    # Once when the wait begins, and again when it is over.
    assert asked[:3] == ["dead-letters", "status", "status"]
    # For the next step.
    assert asked[3:] == ["status"]
    # The age, which control may have seen a minute ago.
    assert sum(slept) == pytest.approx(100.0, abs=1)
    slept.clear()
    assert world.run("--lag", "15") == 1
    assert sum(slept) == pytest.approx(15.0, abs=1)


STATUS = status("draining", oldest_unapplied_age=40.0)


@pytest.mark.parametrize(
    ("answer", "note"),
    [
        (None, "source: Invoke failed (ResourceNotFoundException"),
        ({}, "does not answer as control does"),
        ({"status": {}}, "does not answer as control does"),
        ({"status": None}, "does not answer as control does"),
        ([], "does not answer as control does"),
        ({"error": f"no run {EVIL}"}, "open dead letters: no run x"),
    ],
)
def test_without_the_control_functions_word_tables_are_compared_all_the_same(
    world: World, capsys: Captured, answer: Any, note: str
) -> None:
    world.fill(missing=1)
    if answer is not None:
        world.served.functions["control"] = lambda event: answer
    assert world.run("--control-function", "control", "--lag", "0") == 1
    out, err = capsys.readouterr()
    assert out.startswith("Different: 1 missing")
    assert note in err
    assert err.count("\n") == 1
    assert "\x1b" not in err


# Terraform


@pytest.fixture
def terraform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """A `terraform` on PATH that prints what it is told, and a directory to run it in."""

    def prepare(outputs: Any) -> Path:
        program = tmp_path / "bin" / "terraform"
        program.parent.mkdir()
        text = json.dumps({name: {"value": value} for name, value in outputs.items()})
        program.write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
        directory = tmp_path / "infra"
        directory.mkdir()
        return directory

    return prepare


OUTPUTS = {
    "tables": {
        "source": {"table_name": "cities", "region": "eu-west-1", "profile": None, "role_arn": None},
        "destination": {"table_name": "cities-copy", "region": "eu-central-1", "external_id": None},
    }
}


def test_tables_from_the_terraform_outputs(
    different: World, terraform: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", different.served.url)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    directory = terraform(OUTPUTS)
    assert main(["--from-terraform", str(directory), "--writes-stopped"]) == 1
    monkeypatch.chdir(directory)
    assert main(["--writes-stopped"]) == 1
    (plans,) = (tmp_path / "cache" / "dynamodb-account-copy" / "verify").iterdir()
    assert plans.name == "plans"


def test_the_control_function_from_the_terraform_outputs(
    different: World, terraform: Any, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", different.served.url)
    different.served.functions["the-copys"] = lambda event: {"count": 1, "dead_letters": [LETTER]}
    directory = terraform({**OUTPUTS, "control_function_name": "the-copys"})
    given = ["--from-terraform", str(directory), "--work-dir", str(different.work), "--writes-stopped"]
    assert main(given) == 1
    assert "dead letter" in capsys.readouterr().out
    assert main([*given, "--control-function", "another"]) == 1
    assert "Cannot read the open dead letters" in capsys.readouterr().err


def test_flags_win_over_the_terraform_outputs(
    different: World, terraform: Any, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", different.served.url)
    directory = terraform(OUTPUTS)
    given = ["--destination", "nowhere", "--destination-region", "eu-north-1"]
    assert main(["--from-terraform", str(directory), *given]) == 2
    assert "destination: there is no table nowhere in eu-north-1" in capsys.readouterr().err


def test_one_of_several_copies_is_compared_by_name(
    different: World, terraform: Any, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", different.served.url)
    monkeypatch.chdir(terraform({"copies": {"cities": OUTPUTS, "carts": {"tables": None}}}))
    given = ["--work-dir", str(different.work), "--writes-stopped", "--no-repair-plan"]
    assert main(["--copy", "cities", *given]) == 1
    assert "--copy cities" in capsys.readouterr().out
    for unknown in (["--copy", "towns"], []):
        assert main([*unknown, *given]) == 2
        assert "carts, cities" in capsys.readouterr().err


def test_no_arguments_and_no_state_exits_2(
    terraform: Any, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.chdir(terraform({}))
    assert main([]) == 2
    assert capsys.readouterr().err == (
        "verify: error: no tables given (--source and --destination), and this directory has no applied "
        "Terraform state; run `terraform apply` or name another directory with --from-terraform\n"
    )


# Wrong flags

TABLES = ["--source", "a", "--destination", "b"]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--source", "a"], "pass both --source and --destination"),
        ([*TABLES, "--segments", "0"], '"0" is not a whole number from 1 to 256'),
        ([*TABLES, "--segments", "257"], '"257" is not a whole number from 1 to 256'),
        ([*TABLES, "--segments", "many"], '"many" is not a whole number'),
        ([*TABLES, "--processes", "0"], '"0" is not a whole number from 1 to 256'),
        ([*TABLES, "--limit", "-1"], '"-1" is not a'),
        ([*TABLES, "--format", "xml"], "'xml' is not one of"),
        ([*TABLES, "--sour", "a"], 'unknown flag "--sour". Did you mean "--source"?'),
        ([*TABLES, "--lag", "-1"], '"-1" is not a'),
        ([*TABLES, "--lag", "nan"], '"nan" is not a number'),
        ([*TABLES, "--lag", "inf"], '"inf" is not a number'),
        ([*TABLES, "--lag", "soon"], '"soon" is not a number'),
        ([*TABLES, "--segment", "4/4"], '"4/4" is not a segment such as 3/16'),
        ([*TABLES, "--segment", "-1/4"], '"-1/4" is not a segment such as 3/16'),
        ([*TABLES, "--segment", "3"], '"3" is not a segment such as 3/16'),
        ([*TABLES, "--segment", "0/4", "--segment", "0/5"], "segments of 4 and of 5"),
        ([*TABLES, "--segment", "0/4", "--sample", "0.1"], "--segment and --sample exclude each other"),
        ([*TABLES, "--segment", "0/4", "--in-account"], "--segment is for a comparison on this machine"),
        ([*TABLES, "--sample", "0"], '"0" is not a number above 0 and below 1'),
        ([*TABLES, "--sample", "1"], '"1" is not a number above 0 and below 1'),
        ([*TABLES, "--sample", "5%"], '"5%" is not a number'),
        ([*TABLES, "--source-read-capacity", "0.5"], '"0.5" is not a number from 1'),
        ([*TABLES, "--destination-read-capacity", "x"], '"x" is not a number'),
        ([*TABLES, "--price-per-million", "-2"], '"-2" is not a number from 0'),
        ([*TABLES, "--expression-attribute-names", "{"], "not JSON"),
        ([*TABLES, "--expression-attribute-values", "[]"], "not a JSON object"),
        ([*TABLES, "--expression-attribute-values", "{}"], "need a --filter-expression"),
        ([*TABLES, "--expression-attribute-names", '{"#a": "a"}'], "need a --filter-expression"),
        ([*TABLES, "--repair-plan", "x", "--ignore-attribute", "a"], "excludes --ignore-attribute"),
        (["compare", *TABLES], 'unknown command "compare"'),
    ],
)
def test_wrong_flags_exit_2(arguments: list[str], error: str, capsys: Captured) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert error in err
    assert err.startswith("verify: error: ")
    assert err.count("\n") == 1


# What can be in the way


def test_no_such_table(world: World, capsys: Captured) -> None:
    assert trouble(world, capsys, "--destination", "nowhere") == (
        "verify: error: destination: there is no table nowhere in eu-west-1 in this account. "
        "Check --destination, --destination-region and --destination-profile.\n"
    )


def test_another_key_schema(world: World, capsys: Captured) -> None:
    world.served.tables["cities-copy"] = FakeTable(name="cities-copy", keys=(("pk", "S"), ("sk", "S")))
    err = trouble(world, capsys)
    for fact in ("primary keys differ", "pk (S), sk (N) in the source", "pk (S), sk (S) in the destination"):
        assert fact in err
    assert world.kept() == []


def test_the_same_table(world: World, capsys: Captured) -> None:
    err = trouble(world, capsys, "--destination", "cities")
    assert err == (
        "verify: error: source and destination are the same table, "
        "arn:aws:dynamodb:eu-west-1:111111111111:table/cities. "
        "Check the table names, profiles and regions of both sides\n"
    )


def test_no_region(capsys: Captured) -> None:
    assert main(TABLES) == 2
    assert "source: no AWS Region. Pass --source-region" in capsys.readouterr().err


def test_no_credentials(world: World, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"):
        monkeypatch.delenv(name)
    assert "source: no AWS credentials found. Pass --source-profile" in trouble(world, capsys)


def test_no_such_profile(world: World, capsys: Captured) -> None:
    assert "--source-profile" in trouble(world, capsys, "--source-profile", "nobody")


def test_nobody_at_the_endpoint(world: World, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *args: 0.0)
    err = trouble(world, capsys, "--destination-endpoint-url", "http://127.0.0.1:9")
    assert "destination: Could not connect" in err
    assert "Check the network, --destination-region and --destination-endpoint-url" in err


def test_the_endpoint_is_no_url(world: World, capsys: Captured) -> None:
    assert "--source-endpoint-url" in trouble(world, capsys, "--source-endpoint-url", "localhost:8000")


def test_something_else_at_the_endpoint(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setattr("tablecopy.dynamodb.errors.Backoff.next", lambda self: 0.0)
    world.served.instead = lambda operation, body: (200, b"<html>") if operation == "Scan" else None
    err = trouble(world, capsys)
    assert "the answer of Scan is not DynamoDB's" in err
    assert re.search("Check --(source|destination)-endpoint-url", err)


def test_a_scan_that_does_not_get_anywhere_ends(world: World, capsys: Captured) -> None:
    page = {
        "Items": [{"pk": {"S": "a"}, "sk": {"N": "1"}}],
        "Count": 1,
        "ScannedCount": 1,
        "LastEvaluatedKey": {"pk": {"S": "a"}, "sk": {"N": "1"}},
        "ConsumedCapacity": {"TableName": "orders", "CapacityUnits": 1.0},
    }
    answer = json.dumps(page).encode()
    world.served.instead = lambda operation, body: (200, answer) if operation == "Scan" else None
    assert "a page of the scan ends where it began" in trouble(world, capsys)


@pytest.mark.parametrize("operation", ["DescribeTable", "Scan", "BatchGetItem"])
@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("AccessDeniedException", "{} is not allowed (AccessDeniedException: no)"),
        ("ExpiredTokenException", "the credentials have expired (ExpiredTokenException). Sign in again"),
        ("UnrecognizedClientException", "AWS rejects the credentials"),
    ],
)
def test_a_refused_call_says_what_to_do(
    world: World, capsys: Captured, code: str, said: str, operation: str
) -> None:
    world.fill(missing=1)
    world.destination.before = refusing(code, operation)
    err = trouble(world, capsys)
    assert f"destination: {said.format(operation)}" in err
    assert ("--resume" in err) is (operation != "DescribeTable")
    # Nobody waits for a refusal to become something else.
    assert world.served.operations[operation] <= 12


def test_after_the_error_is_fixed_it_continues(world: World, capsys: Captured) -> None:
    world.fill(missing=1)
    world.destination.before = refusing("ExpiredTokenException", "BatchGetItem")
    assert "What was read is kept: fix this and run the command again with --resume." in trouble(
        world, capsys
    )
    world.destination.before = lambda operation: None
    scans = world.served.operations["Scan"]
    assert world.run("--resume") == 1
    assert world.served.operations["Scan"] == scans
    assert world.kept() == []


# Disks


@pytest.mark.parametrize("name", ["--html", "--junit", "--repair-plan"])
def test_a_file_that_cannot_be_written_costs_no_second_scan(
    different: World, capsys: Captured, tmp_path: Path, name: str
) -> None:
    """Where it could be written at the start, and no longer can at the end."""
    path = tmp_path / "directory" / "file"
    path.parent.mkdir()

    def removed(operation: str) -> None:
        # Several scans begin at the same time, and only one of them finds the directory.
        if operation == "Scan":
            with suppress(FileNotFoundError):
                path.parent.rmdir()

    different.source.before = removed
    err = trouble(different, capsys, name, str(path))
    assert str(path) in err
    assert "No such file or directory" in err
    assert "--resume" in err
    scans = different.served.operations["Scan"]
    path.parent.mkdir()
    assert different.run(name, str(path), "--resume") == 1
    assert path.exists()
    assert different.served.operations["Scan"] == scans


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_result_that_could_not_be_printed_is_not_lost(different: World, capsys: Captured) -> None:
    with open("/dev/full", "w") as full:
        done = different.start("--writes-stopped", stdout=full)
        err = done.communicate(timeout=30)[1]
    assert done.returncode == 2
    assert err == (
        "verify: error: cannot write the result: No space left on device. Nothing has to be read again: "
        "fix it or name another file, and continue with --resume\n"
    )
    scans = different.served.operations["Scan"]
    assert different.run("--resume") == 1
    assert capsys.readouterr().out.startswith("Different: ")
    assert different.served.operations["Scan"] == scans


@pytest.mark.parametrize(
    "where",
    [
        "verify.scan.work.BlockFile.append",
        "verify.comparison.match.pair",
        "verify.comparison.sorting.write_run",
    ],
)
def test_a_full_disk_is_named(
    different: World, monkeypatch: pytest.MonkeyPatch, capsys: Captured, where: str
) -> None:
    def full(*args: Any, **options: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(where, full)
        err = trouble(different, capsys)
    (kept,) = different.kept()
    assert err == (
        f"verify: error: no space left in {kept} (No space left on device). Free some space and continue "
        "with --resume, or start again in another directory with --work-dir\n"
    )
    assert different.run("--resume") == 1


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_file_system_that_is_full(world: World, tmp_path: Path, processes: str) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = ["unshare", "--mount", "--map-root-user", "sh", "-c"]
    probe = f"mount -t tmpfs -o size=64k none {small}"
    if not shutil.which("unshare") or subprocess.run([*mount, probe], capture_output=True).returncode:
        pytest.skip("no file system of 64 KB can be made here")
    world.fill(same=1_500)
    world.work = small
    command = [sys.executable, "-m", "verify", *world.flags("--writes-stopped", "--processes", processes)]
    done = subprocess.run(
        [*mount, f'{probe} && exec "$@"', "-", *command], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert f"verify: error: no space left in {small}" in done.stderr


def test_a_file_that_may_not_become_larger(world: World) -> None:
    world.fill(same=500)
    limit = 10_000
    done = world.start(
        "--writes-stopped",
        "--segments",
        "1",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    out, err = done.communicate(timeout=30)
    assert (done.returncode, out) == (2, "")
    (kept,) = world.kept()
    assert err.startswith(f"verify: error: no space left in {kept} (File too large). ")
    assert err.count("\n") == 1
    scans = world.served.operations["Scan"]
    assert world.run("--resume", "--segments", "1") == 0
    # Whole pages from before are not read again.
    assert world.served.operations["Scan"] - scans < 20


def test_a_work_directory_that_cannot_be(world: World, capsys: Captured) -> None:
    world.work.write_text("a file")
    err = trouble(world, capsys)
    assert err.startswith(f"verify: error: cannot work in {world.work}: ")
    assert "Name another directory with --work-dir" in err


def test_a_user_without_a_home(world: World, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)

    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    arguments = world.flags()
    del arguments[:2]
    assert main(arguments) == 2
    assert "no home directory" in capsys.readouterr().err


# The rest


def test_python_dash_m_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "verify", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("Usage: verify ")


@pytest.mark.parametrize("flag", ["--html", "--junit", "--repair-plan"])
def test_an_output_that_cannot_be_written_is_noticed_before_anything_is_read(
    world: World, capsys: Captured, flag: str
) -> None:
    assert world.run(flag, "/nope/x") == 2
    assert capsys.readouterr().err == (
        f"verify: error: {flag}: there is no directory /nope. Create it, or name another file\n"
    )
    assert not world.served.operations


def test_a_plan_goes_through_a_pipe(world: World, tmp_path: Path) -> None:
    world.fill(1, missing=2)
    path = tmp_path / "pipe"
    os.mkfifo(path)
    found: list[str] = []
    reader = threading.Thread(target=lambda: found.append(path.read_text()), daemon=True)
    reader.start()
    assert world.run("--repair-plan", str(path)) == 1
    reader.join(timeout=10)
    assert [line["type"] for line in records(found[0])] == ["plan", "action", "action", "end"]
    assert path.is_fifo()
