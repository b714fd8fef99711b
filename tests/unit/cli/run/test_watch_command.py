"""``tablecopy watch`` from its flags to its exit code."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tablecopy.clock import Clock
from tablecopy.control.status import Status
from tablecopy_cli import app
from tablecopy_cli.advice import Situation, next_steps, step_lines
from tablecopy_cli.advice.commands import of_tablecopy
from tablecopy_cli.common import terraform
from tablecopy_cli.common.errors import UserError
from tablecopy_cli.common.options import CopyOptions
from tablecopy_cli.common.terminal import Style
from tablecopy_cli.run import actions, copies
from tablecopy_cli.run.actions import WatchOptions
from tests.unit.cli.run.control import BEGAN, NO_RUN, Control, HandClock, status

DOCUMENTATION = Path(__file__).parents[4] / "docs" / "commands.md"
RECORDED = Path(__file__).parent / "many_tables.json"
PLACE = ["--control-function", "copy-control", "--source-region", "eu-west-1"]
HELD = status("draining", segments_done=16, dead_letters=2, blocked=True, reason="2 dead letter(s) are open")


def parse(*arguments: str) -> tuple[CopyOptions, WatchOptions]:
    """What the command line makes of the flags of watch."""
    found: list[tuple[CopyOptions, WatchOptions]] = []

    def watch(copy: CopyOptions, options: WatchOptions, clock: Clock) -> int:
        found.append((copy, options))
        return 0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(actions, "watch", watch)
        assert app.main(["watch", *arguments]) == 0
    return found[0]


class Watching:
    """``tablecopy watch`` with control functions that answer by a script."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def __call__(self, answers: list[Any], *flags: str, place: list[str] = PLACE) -> int:
        return self.several({"copy-control": answers}, *flags, place=place)

    def several(self, answers: dict[str, list[Any]], *flags: str, place: list[str]) -> int:
        """Watch copies whose control functions have these names."""
        clock = HandClock()
        controls = {name: Control(clock, each) for name, each in answers.items()}
        self._monkeypatch.setattr(copies, "ControlFunction", lambda side, name: controls[name])
        return actions.watch(*parse(*place, *flags), clock)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Watching:
    return Watching(monkeypatch)


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
def test_the_exit_code_is_how_it_ended(
    run: Watching, answers: list[Status], flags: list[str], code: int, format_: str
) -> None:
    assert run(answers, *flags, "--format", format_) == code


def test_ready_with_the_next_steps(run: Watching, capsys: pytest.CaptureFixture[str]) -> None:
    run([status("slice"), status("ready")])
    out, err = capsys.readouterr()
    assert out.startswith("ready for cutover")
    steps = next_steps(Situation(of_tablecopy(parse(*PLACE)[0], None), run=status("ready")))
    assert out.endswith("\n".join(["", *step_lines(steps, Style(io.StringIO())), ""]))
    # What is shown before is not the result.
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
    run: Watching, answers: list[Status], flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    options = parse(*PLACE)[0]
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


def test_time_is_up(run: Watching, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([status("slice")], "--timeout", "1m") == 3
    assert "not ready within 1 min; the run continues\n" in capsys.readouterr().out


def test_json_lines(run: Watching, capsys: pytest.CaptureFixture[str]) -> None:
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


def test_each_json_line_is_flushed(run: Watching, monkeypatch: pytest.MonkeyPatch) -> None:
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
    assert [line.count("\n") for line in pipe.lines if line][:2] == [1, 1]


def test_an_error_leaves_the_summary_out(run: Watching, capsys: pytest.CaptureFixture[str]) -> None:
    answers: list[Any] = [status("slice"), UserError("Invoke is not allowed")]
    with pytest.raises(UserError, match="not allowed"):
        run(answers, "--format", "jsonl")
    assert [json.loads(line)["type"] for line in capsys.readouterr().out.splitlines()] == ["status"]


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("1.5m", 90), ("6h", 21_600), ("2d", 172_800), ("0", 0)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse("--timeout", text)[1].timeout == seconds


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
        ("--until", "draining", "'draining' is not one of"),
    ],
)
def test_bad_input_is_trouble(flag: str, text: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main(["watch", f"{flag}={text}"]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"tablecopy: error: {flag}: ")
    assert says in err
    assert err.count("\n") == 1


def test_the_exit_codes_of_the_help_are_those_of_the_documentation() -> None:
    helped = {str(code) for code in app.watch.exit_codes}
    section = DOCUMENTATION.read_text().partition("\n## watch\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| (\d+) \|", section, re.MULTILINE)) == helped
    assert helped == {"0", "1", "2", "3", "4", "130"}


class TestSeveral:
    """All copies of one Terraform state, as its outputs were recorded."""

    OUTPUTS: ClassVar[dict[str, Any]] = json.loads(RECORDED.read_text())

    @pytest.fixture
    def outputs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        values = {name: output["value"] for name, output in self.OUTPUTS.items()}
        monkeypatch.setattr(terraform, "read_outputs", lambda directory: values)

    @pytest.mark.parametrize(
        ("carts", "orders", "code"),
        [
            ([status("ready")], [status("slice"), status("ready")], 0),
            ([status("ready")], [status("stopped")], 1),
            ([HELD], [status("slice")], 4),
            ([HELD], [status("stopped")], 1),
            ([status("ready")], [UserError("no such function")], 2),
            ([status("stopped")], [UserError("no such function")], 2),
            ([status("ready")], [status("slice")], 3),
        ],
    )
    @pytest.mark.usefixtures("outputs")
    def test_the_exit_code_is_the_worst(self, run: Watching, carts: Any, orders: Any, code: int) -> None:
        answers = {"carts-control": carts, "orders-control": orders}
        assert run.several(answers, "--timeout", "1m", place=[]) == code

    @pytest.mark.usefixtures("outputs")
    def test_all_are_shown_at_the_end(self, run: Watching, capsys: pytest.CaptureFixture[str]) -> None:
        answers = {"carts-control": [status("ready", dead_letters=2)], "orders-control": [status("slice")]}
        run.several(answers, "--timeout", "1m", place=[])
        out, err = capsys.readouterr()
        rows = {line.split()[0]: line for line in out.splitlines() if line}
        assert all(fact in rows["carts"] for fact in ("ready for cutover", "16 of 16", "3 s", " 2 "))
        assert all(fact in rows["orders"] for fact in ("copying", "4 of 16"))
        assert "disabled" in rows["users"]
        assert "tablecopy status --copy carts" in out
        assert err.startswith("carts: ")

    @pytest.mark.usefixtures("outputs")
    def test_each_has_a_summary_with_its_name(
        self, run: Watching, capsys: pytest.CaptureFixture[str]
    ) -> None:
        answers = {"carts-control": [status("ready")], "orders-control": [status("stopped", reason="why")]}
        run.several(answers, "--format", "jsonl", place=[])
        records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [(each["type"], each["copy"]) for each in records] == [
            ("status", "carts"),
            ("status", "orders"),
            ("summary", "carts"),
            ("summary", "orders"),
        ]
        assert [each["exit_code"] for each in records[2:]] == [0, 1]
        assert records[3]["next"][-1]["command"] == "tablecopy start --copy orders"

    @pytest.mark.usefixtures("outputs")
    def test_one_is_watched_by_name(self, run: Watching, capsys: pytest.CaptureFixture[str]) -> None:
        assert run.several({"orders-control": [status("ready")]}, "--copy", "orders", place=[]) == 0
        assert "tablecopy seal --copy orders" in capsys.readouterr().out

    @pytest.mark.usefixtures("outputs")
    def test_a_disabled_one_cannot_be_watched(self, run: Watching) -> None:
        with pytest.raises(UserError, match=r'copy "users" .* is disabled'):
            run.several({}, "--copy", "users", place=[])
