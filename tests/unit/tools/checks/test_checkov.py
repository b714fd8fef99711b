"""checkov's findings fail the lint, and so does what it has not looked at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tools.checks.checkov import REPOSITORY, Report, main, missed

REASON = "There is one."


def check(path: str, name: str = "CKV_AWS_1", reason: str | None = None) -> dict[str, Any]:
    result = {"result": "SKIPPED", "suppress_comment": reason} if reason else {"result": "ANY"}
    return {
        "check_id": name,
        "check_name": "Ensure something",
        "check_result": result,
        "file_path": f"/{path}",
        "file_line_range": [3, 9],
    }


def written(
    passed: list[Any] | None = None,
    failed: list[Any] | None = None,
    skipped: list[Any] | None = None,
    unparsed: list[str] | None = None,
) -> str:
    results = {"passed": passed or [], "failed": failed or [], "skipped": skipped or []}
    return json.dumps(
        {
            "results": {f"{kind}_checks": found for kind, found in results.items()}
            | {"parsing_errors": unparsed or []},
            "summary": {"resource_count": 7},
        }
    )


def test_what_passed_or_has_a_reason_is_summed_up() -> None:
    report = Report.parse(written(passed=[check("a.tf")], skipped=[check("b/b.tf", reason=REASON)]))
    assert report.found == []
    assert report.looked_at == {"a.tf", "b/b.tf"}
    assert report.summary == ("checkov: 1 checks of 7 resources passed, 1 are answered by a reason, 0 failed")


def test_a_failed_check_is_told_once_for_all_instances_of_a_module() -> None:
    assert Report.parse(written(failed=[check("a.tf"), check("a.tf")])).found == [
        "a.tf:3: CKV_AWS_1: Ensure something"
    ]


@pytest.mark.parametrize("reason", [None, "No comment provided"])
def test_a_skip_wants_a_reason(reason: str | None) -> None:
    [found] = Report.parse(written(skipped=[check("a.tf", reason=reason)])).found
    assert found == "a.tf:3: CKV_AWS_1: is skipped without a reason"


def test_a_file_that_is_not_parsed_is_found() -> None:
    [found] = Report.parse(written(unparsed=[str(REPOSITORY / "modules/copy/variables.tf")])).found
    assert found.startswith("modules/copy/variables.tf: checkov cannot parse it")


def test_a_file_with_a_resource_must_have_been_looked_at(tmp_path: Path) -> None:
    texts = {
        "resource.tf": 'resource "aws_sqs_queue" "this" {}\n',
        "policy.tf": 'data "aws_iam_policy_document" "this" {}\n',
        "nothing.tf": 'output "x" {}\nresource "terraform_data" "this" {}\n',
        "dashboard.tf": 'resource "aws_cloudwatch_dashboard" "this" {}\n',
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    files = sorted(tmp_path.iterdir())
    assert missed(files, {"resource.tf", "policy.tf"}, tmp_path) == []
    assert missed(files, {"policy.tf"}, tmp_path) == ["resource.tf: checkov has not looked at it"]
    assert missed(files, {"resource.tf"}, tmp_path) == ["policy.tf: checkov has not looked at it"]


def test_nothing_looked_at_is_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["checkov"], lambda _: written()) == 1
    assert "modules/function/main.tf: checkov has not looked at it" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "[]", '{"results": {}}'])
def test_what_is_no_report_is_an_error_of_one_line(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["checkov"], lambda _: text) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("tools.checks.checkov: error: ")


def test_a_missing_checkov_is_an_error_of_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["/nowhere/checkov"]) == 2
    assert "/nowhere/checkov" in capsys.readouterr().err
