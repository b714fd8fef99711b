"""``tablecopy watch`` from its flags to its exit code."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tablecopy_cli.advice import Situation, next_steps
from tablecopy_cli.advice.commands import of_tablecopy
from tablecopy_cli.common.control_function import Status
from tablecopy_cli.common.errors import UserError
from tablecopy_cli.run import cli
from tablecopy_cli.run.watch_command import EPILOG, watch
from tests.unit.cli.run.control import BEGAN, NO_RUN, Control, HandClock, status

DOCUMENTATION = Path(__file__).parents[4] / "docs" / "commands.md"
PLACE = ["--control-function", "copy-control", "--source-region", "eu-west-1"]
HELD = status("draining", segments_done=16, dead_letters=2, blocked=True, reason="2 dead letter(s) are open")


def run(
    answers: list[Status],
    *flags: str,
    place: list[str] = PLACE,
) -> int:
    options = cli.parser().parse_args(["watch", *place, *flags])
    clock = HandClock()
    control = Control(clock, answers)
    return watch(options, control.connect, clock, of_tablecopy(options, None))


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


def test_ready_with_the_next_steps(capsys: pytest.CaptureFixture[str]) -> None:
    run([status("slice"), status("ready")], place=["--from-terraform", "infra/my copy"])
    out, err = capsys.readouterr()
    assert out.startswith("ready: everything is copied and applied; ready for cutover\n")
    assert out.endswith(
        "\nNext:\n"
        "  1. Stop the writers.\n"
        "  2. Wait until the run is ready for cutover.\n"
        "     tablecopy watch --until ready --from-terraform 'infra/my copy'\n"
        "  3. Compare both tables while nothing writes.\n"
        "     verify --writes-stopped --from-terraform 'infra/my copy'\n"
        "  4. Seal the copy.\n"
        "     tablecopy seal --from-terraform 'infra/my copy'\n"
        "  5. Set up the rollback now if you want one. After the switch it is too late.\n"
        "  6. Turn on TTL on the destination table if the source has it. "
        "The command is in the Terraform output commands.time_to_live.\n"
        "  7. Switch the writers to the destination table.\n"
    )
    # What goes on before is no result.
    assert "slice 2" in err
    assert "\x1b" not in out + err


@pytest.mark.parametrize(
    ("answers", "flags"),
    [
        ([status("ready")], []),
        ([status("sealed")], []),
        ([status("sealed", reason="written to since")], []),
        ([status("slice")], ["--until", "slice"]),
        ([status("slice")], ["--timeout", "0"]),
        ([status("stopped", reason="why")], []),
        ([status("stopped", reason="why", resumable=False)], []),
        ([HELD], []),
        ([{**HELD, "dead_letters": 0}], []),
    ],
)
def test_the_next_steps_are_the_advisers(
    answers: list[Status], flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    options = cli.parser().parse_args(["watch", *PLACE])
    steps = next_steps(Situation(of_tablecopy(options, None), run=answers[-1]))
    run(answers, *flags, "--format", "jsonl")
    *_, last = capsys.readouterr().out.splitlines()
    assert json.loads(last)["next"] == [step.record() for step in steps]
    run(answers, *flags)
    out = capsys.readouterr().out.splitlines()
    assert [line for line in out if line.strip() in {step.command for step in steps}] != [] or not any(
        step.command for step in steps
    )
    assert out[-1].endswith(steps[-1].command or steps[-1].text)


def test_time_is_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([status("slice")], "--timeout", "1m") == 3
    assert "  gave up    not ready within 1 min; the run continues\n" in capsys.readouterr().out


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
        "dead_letters": 0,
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
