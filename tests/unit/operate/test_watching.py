"""``tablecopy watch`` from its flags to its exit code."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from operate import cli
from operate.function import Status
from operate.steps import Steps
from operate.watching import EPILOG, watch
from sides import UserError
from tests.unit.operate.control import BEGAN, NO_RUN, Control, HandClock, status

DOCUMENTATION = Path(__file__).parents[3] / "docs" / "tablecopy.md"
PLACE = ["--control-function", "copy-control", "--source-region", "eu-west-1"]
HELD = status("draining", segments_done=16, letters=2, held=True, reason="2 dead letter(s) are open")


def run(
    answers: list[Status],
    *flags: str,
    place: list[str] = PLACE,
    commands: dict[str, str | None] | None = None,
) -> int:
    options = cli.parser().parse_args(["watch", *place, *flags])
    clock = HandClock()
    control = Control(clock, answers)
    return watch(options, control.connect, clock, Steps(options, commands))


THE_WAY_BACK = "set up the way back, if there is to be one: once the writers have moved it is too late"
TIME_TO_LIVE = "turn time to live on if the source has it: the Terraform output commands.time_to_live"


@pytest.mark.parametrize(
    ("answers", "flags", "code"),
    [
        ([status("slice"), status("ready")], [], 0),
        ([status("pausing", slice=0), status("slice")], ["--until", "slice"], 0),
        ([status("ready"), status("draining"), status("sealed")], ["--until", "sealed"], 0),
        ([status("slice"), status("stopped", reason="why")], [], 1),
        ([status("slice")], ["--timeout", "1m"], 3),
        ([NO_RUN], ["--timeout", "0"], 3),
        ([HELD], [], 4),
    ],
)
@pytest.mark.parametrize("format_", ["text", "jsonl"])
def test_the_exit_code_tells_how_it_ended(
    answers: list[Status], flags: list[str], code: int, format_: str
) -> None:
    assert run(answers, *flags, "--format", format_) == code


def test_ready_with_what_comes_next(capsys: pytest.CaptureFixture[str]) -> None:
    run([status("slice"), status("ready")], place=["--from-terraform", "infra/my copy"])
    out, err = capsys.readouterr()
    assert out.startswith("ready: everything is copied and applied; ready for cutover\n")
    assert out.endswith(
        "  next       1. stop the writers; if they wrote since, wait for ready once more\n"
        "             2. verify --writes-stopped --from-terraform 'infra/my copy'\n"
        "             3. tablecopy seal --from-terraform 'infra/my copy'\n"
        f"             4. {THE_WAY_BACK}\n"
        f"             5. {TIME_TO_LIVE}\n"
        "             6. move the writers to the destination\n"
    )
    # What goes on before is no result.
    assert "slice 2" in err
    assert "\x1b" not in out + err


@pytest.mark.parametrize(
    ("answers", "flags", "steps"),
    [
        (
            [status("ready")],
            [],
            [
                "stop the writers; if they wrote since, wait for ready once more",
                "the command in the Terraform output commands.verify, with --writes-stopped",
                "tablecopy seal --control-function copy-control --source-region eu-west-1",
                THE_WAY_BACK,
                TIME_TO_LIVE,
                "move the writers to the destination",
            ],
        ),
        ([status("sealed")], [], [THE_WAY_BACK, TIME_TO_LIVE, "move the writers to the destination"]),
        (
            [status("sealed", reason="written to since")],
            [],
            [
                "the command in the Terraform output commands.verify, with --writes-stopped",
                "mend what it finds, or begin anew, before the writers move to the destination",
            ],
        ),
        (
            [status("slice")],
            ["--until", "slice"],
            ["tablecopy watch --control-function copy-control --source-region eu-west-1"],
        ),
        (
            [status("slice")],
            ["--timeout", "0"],
            ["tablecopy watch --control-function copy-control --source-region eu-west-1"],
        ),
        (
            [status("stopped", reason="why")],
            [],
            [
                "mend what the note says",
                "tablecopy start --control-function copy-control --source-region eu-west-1",
            ],
        ),
        ([status("stopped", reason="why", resumable=False)], [], []),
        (
            [HELD],
            [],
            [
                "tablecopy letters --control-function copy-control --source-region eu-west-1",
                "change the items at the source or the table at the destination",
                "tablecopy redrive --control-function copy-control --source-region eu-west-1",
            ],
        ),
        ([{**HELD, "letters": 0}], [], []),
    ],
)
def test_the_next_steps(
    answers: list[Status], flags: list[str], steps: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    run(answers, *flags, "--format", "jsonl")
    *_, last = capsys.readouterr().out.splitlines()
    assert json.loads(last)["next"] == steps
    run(answers, *flags)
    out = capsys.readouterr().out
    assert all(step in out for step in steps)
    assert ("  next  " in out) == bool(steps)


def test_without_flags_the_next_commands_need_none(capsys: pytest.CaptureFixture[str]) -> None:
    run([status("ready")], place=[])
    assert "2. verify --writes-stopped\n             3. tablecopy seal\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("time_to_live", "steps"), [(None, []), ("aws dynamodb x", ["             5. aws dynamodb x"])]
)
def test_time_to_live_as_terraform_knows_it(
    time_to_live: str | None, steps: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    run([status("ready")], place=[], commands={"time_to_live": time_to_live})
    shown = capsys.readouterr().out.splitlines()
    after = shown[shown.index("             3. tablecopy seal") + 1 :]
    assert after == [
        f"             4. {THE_WAY_BACK}",
        *steps,
        f"             {5 + len(steps)}. move the writers to the destination",
    ]


def test_every_flag_of_the_source_is_passed_on(capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--source-profile", "old", "--source-role-arn", "arn:r", "--source-external-id", "x y"]
    run([status("ready")], place=[*PLACE, *flags, "--source-endpoint-url", "http://a"])
    assert (
        "tablecopy seal --control-function copy-control --source-region eu-west-1 --source-profile old "
        "--source-role-arn arn:r --source-external-id 'x y' --source-endpoint-url http://a\n"
    ) in capsys.readouterr().out


def test_time_is_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([status("slice")], "--timeout", "1m") == 3
    assert "  gave up    not ready within 60 s; the run goes on\n" in capsys.readouterr().out


def test_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    answers = [status("slice"), status("slice", items=4_500), status("ready", items=10_000)]
    assert run(answers, "--format", "jsonl", "--interval", "10") == 0
    out, err = capsys.readouterr()
    assert err == ""
    first, second, third, summary = map(json.loads, out.splitlines())
    assert [each["type"] for each in (first, second, third)] == ["status"] * 3
    assert first["items_per_second"] is None
    assert second["items_per_second"] == 50
    assert third["now"] == BEGAN + 120
    assert summary == {
        "type": "summary",
        "outcome": "reached",
        "exit_code": 0,
        "until": "ready",
        "phase": "ready",
        "reason": "",
        "letters": 0,
        "seconds": 20.0,
        "next": summary["next"],
    }


def test_each_json_line_is_flushed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Pipe:
        def __init__(self) -> None:
            self.lines: list[str] = []
            self.pending = ""

        def write(self, text: str) -> None:
            self.pending += text

        def flush(self) -> None:
            self.lines.append(self.pending)
            self.pending = ""

    pipe = Pipe()
    monkeypatch.setattr("sys.stdout", pipe)
    run([status("slice"), status("ready")], "--format", "jsonl")
    assert [line.count("\n") for line in pipe.lines[:2]] == [1, 1]


def test_an_error_leaves_the_summary_out(capsys: pytest.CaptureFixture[str]) -> None:
    answers: list[Any] = [status("slice"), UserError("Invoke is not allowed")]
    with pytest.raises(UserError, match="not allowed"):
        run(answers, "--format", "jsonl")
    assert [json.loads(line)["type"] for line in capsys.readouterr().out.splitlines()] == ["status"]


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("1.5m", 90), ("6h", 21_600), ("2d", 172_800), ("0", 0)]
)
def test_durations(text: str, seconds: float) -> None:
    assert cli.parser().parse_args(["watch", "--timeout", text]).timeout == seconds


@pytest.mark.parametrize(
    ("flag", "text", "says"),
    [
        ("--timeout", "6 h", "is not a duration such as 90, 90s, 30m, 6h or 2d"),
        ("--timeout", "-1", "is not a duration such as"),
        ("--timeout", "inf", "is not a duration such as"),
        ("--timeout", "6H", "is not a duration such as"),
        ("--interval", "0.9", "is not a number of seconds from 1"),
        ("--interval", "nan", "is not a number of seconds from 1"),
        ("--interval", "inf", "is not a number of seconds from 1"),
        ("--interval", "1m", "is not a number of seconds from 1"),
        ("--until", "draining", "invalid choice: 'draining'"),
    ],
)
def test_bad_input_is_trouble(flag: str, text: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["watch", f"{flag}={text}"])
    assert ended.value.code == 2
    assert says in capsys.readouterr().err


def test_the_exit_codes_of_the_help_are_those_of_the_documentation() -> None:
    helped = set(re.findall(r"^  (\d+) ", EPILOG, re.MULTILINE))
    section = DOCUMENTATION.read_text().partition("\n## watch\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| (\d+) \|", section, re.MULTILINE)) == helped
    assert helped == {"0", "1", "2", "3", "4", "130"}
