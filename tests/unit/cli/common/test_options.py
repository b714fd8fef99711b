"""Flags: what they come to, how they are grouped and refused, and what the help shows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.errors import UserError
from tablecopy_cli.common.options import (
    Command,
    CopyOptions,
    Group,
    Number,
    copy_options,
    main,
    merge_side,
    option,
    output_options,
)

ROOT = Path(__file__).parents[4]
ROLE = "arn:aws:iam::111122223333:role/path/reader"

SEEN: list[dict[str, Any]] = []


@click.group(cls=Group, help="A tool.", notes=["A note."])
def tool() -> None:
    """A tool with one command."""


@tool.command(cls=Command, help="Run it.", exit_codes={0: "Done.", 7: "Special."}, examples=["tool run -x"])
@option("--count", type=Number(1, 256, whole=True), default=4, show_default=True, help="A count.")
@option("--share", type=Number(0, 1, exclusive=True), show_default="nothing", help="A share.")
@copy_options("source", "destination", table=True, control="A function.")
@output_options
def run(**given: Any) -> int:
    """Keep what it is given."""
    SEEN.append(given)
    return 7


def parse(*arguments: str) -> dict[str, Any]:
    SEEN.clear()
    assert main(tool, ["run", *arguments]) == 7
    return SEEN[0]


def error(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that a wrong command line ends with."""
    assert main(tool, arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("tool: error: ")
    assert err.count("\n") == 1
    return err.removeprefix("tool: error: ").removesuffix("\n")


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(tool, arguments) == 0
    return capsys.readouterr().out


def test_every_flag_reaches_its_field() -> None:
    given = parse(
        *("--source", "orders", "--source-region", "eu-west-1", "--source-profile", "old"),
        *("--source-role-arn", ROLE, "--source-external-id", "id", "--source-endpoint-url", "http://x"),
        *("--from-terraform", "infra", "--copy", "orders", "--control-function", "control"),
    )
    assert given["copy"] == CopyOptions(
        source=Side("source", "orders", "eu-west-1", "old", ROLE, "id", "http://x"),
        destination=Side("destination"),
        control_function="control",
        from_terraform="infra",
        copy="orders",
    )
    assert given["format_"] == "text"
    assert parse("--format", "jsonl", "--debug")["format_"] == "jsonl"


def test_flags_win_over_what_is_known() -> None:
    known = Side("source", "orders", region="eu-west-1", profile="old")
    assert merge_side(Side("source", region="eu-north-1"), known) == Side(
        "source", "orders", region="eu-north-1", profile="old"
    )


@pytest.mark.parametrize("arn", ["reader", "arn:aws:iam::111122223333:user/reader", f" {ROLE}"])
def test_a_role_is_named_by_its_arn(arn: str) -> None:
    with pytest.raises(UserError, match=r"--source-role-arn is .*arn:aws:iam::111122223333:role/name"):
        merge_side(Side("source", role_arn=arn))


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov", "aws-iso-b", "aws-eusc", "aws2"])
def test_a_role_may_be_of_any_partition(partition: str) -> None:
    arn = f"arn:{partition}:iam::111122223333:role/reader"
    assert merge_side(Side("source", role_arn=arn)).role_arn == arn


def test_an_external_id_goes_with_a_role() -> None:
    given = Side("destination", external_id="x")
    with pytest.raises(UserError, match="Pass --destination-role-arn"):
        merge_side(given)
    assert merge_side(given, Side("destination", role_arn=ROLE)).external_id == "x"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["rum"], 'unknown command "rum". Did you mean "run"?'),
        (["other"], 'unknown command "other". See tool --help'),
        (["run", "--cuont", "1"], 'unknown flag "--cuont". Did you mean "--count"?'),
        (["run", "--zzz"], 'unknown flag "--zzz". See tool run --help'),
        (["run", "--coun", "1"], 'unknown flag "--coun". Did you mean "--count"?'),
        (["run", "--source-reg=x"], 'unknown flag "--source-reg". Did you mean "--source-region"?'),
        (["run", "--count", "0"], '--count: "0" is not a whole number from 1 to 256'),
        (["run", "--count", "257"], '--count: "257" is not a whole number from 1 to 256'),
        (["run", "--count", "1.5"], '--count: "1.5" is not a whole number from 1 to 256'),
        (["run", "--share", "1"], '--share: "1" is not a number above 0 and below 1'),
        (["run", "--share", "nan"], '--share: "nan" is not a number above 0 and below 1'),
        (["run", "--source", "--count"], '--source needs a value, not "--count"'),
    ],
)
def test_a_wrong_command_line_is_answered_in_one_line(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert error(capsys, *arguments) == says


@pytest.mark.parametrize("arguments", [["run", "x"], ["run", "--format", "xml"], ["run", "--count"]])
def test_clicks_own_errors_are_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert error(capsys, *arguments)


def test_help_shows_groups_exit_codes_and_examples(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "run", "--help")
    titles = [line for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert titles == [
        "Options:",
        "Copy:",
        "Source account:",
        "Destination account:",
        "General options:",
        "Exit codes:",
        "Examples:",
    ]
    assert "[default: 4]" in text
    assert "[default: nothing]" in text
    assert "  7  Special.\n" in text
    assert "  tool run -x\n" in text


@pytest.mark.parametrize("columns", [60, 120])
def test_help_fits_into_the_terminal(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    widths = [len(line) for line in shown(capsys, "run", "--help").splitlines()]
    assert max(widths) <= columns
    assert max(widths) > columns * 2 / 3


def test_without_arguments_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(tool, []) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Usage: tool ")
    assert "  run  Run it.\n" in err
    assert "A note." in err


@pytest.mark.parametrize("program", ["tablecopy_cli", "verify"])
@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["repair", "--help"], ["--nonsense"]])
def test_what_asks_nothing_of_aws_is_answered_without_it(program: str, arguments: list[str]) -> None:
    script = (
        "import runpy, sys\n"
        f"sys.argv = ['x', *{arguments!r}]\n"
        "try:\n"
        f"    runpy.run_module({program!r}, run_name='__main__')\n"
        "except SystemExit:\n"
        "    pass\n"
        "heavy = {'boto3', 'botocore', 'msgspec', 'deepdiff', 'rich', 'jinja2', 'xxhash'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'cli'}:{ROOT / 'lambda'}"},
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_can_complete_commands(shell: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tablecopy_cli"],
        cwd=ROOT / "cli",
        capture_output=True,
        text=True,
        check=True,
        env={
            "PYTHONPATH": f"{ROOT}:{ROOT / 'cli'}:{ROOT / 'lambda'}",
            "_TABLECOPY_COMPLETE": f"{shell}_complete",
            "COMP_WORDS": "tablecopy st",
            "COMP_CWORD": "1" if shell != "fish" else "st",
        },
    )
    assert "start" in done.stdout
    assert "status" in done.stdout
