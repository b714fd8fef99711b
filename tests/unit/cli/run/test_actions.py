"""The operator's command: what it asks of control, what it prints, how it ends."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tablecopy.control.status import DeadLetterStatus, Status
from tablecopy_cli import app
from tablecopy_cli.common import terraform
from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.control_function import ControlFunction, Throttled
from tablecopy_cli.common.errors import UserError
from tablecopy_cli.run import copies
from tests.unit.cli.run.control import NO_RUN, HandClock, status

RUNNING = status(
    "draining",
    segments_done=7,
    items=12_345,
    bytes=6_000_000,
    changes=321,
    puts=300,
    oldest_unapplied_age=3.2,
    slice_ends=0.0,
)

FOLLOW = [
    {
        "text": "Follow the run until it is ready for cutover.",
        "command": "tablecopy watch --control-function control --source-region eu-west-1",
    }
]

LETTER: DeadLetterStatus = {
    "key": {"id": {"S": "a"}},
    "sequence_number": "100",
    "origin": "stream",
    "action": "put",
    "code": "ValidationException",
    "message": "Type mismatch for Index Key",
    "first_seen": 1_795_424_400.0,
    "attempts": 1,
}


class FakeBody:
    def __init__(self, answer: object) -> None:
        self._answer = answer

    def read(self) -> bytes:
        return json.dumps(self._answer).encode()


class FakeLambda:
    """Answers invocations in order and keeps what was asked."""

    def __init__(self, *answers: object, function_error: str | None = None) -> None:
        self._answers: Iterator[object] = iter(answers)
        self._function_error = function_error
        self.asked: list[tuple[str, str]] = []
        self.payloads: list[dict[str, object]] = []

    def invoke(self, **request: Any) -> dict[str, Any]:
        kind = request.get("InvocationType", "RequestResponse")
        payload = json.loads(request["Payload"])
        self.asked.append((kind, payload["action"]))
        self.payloads.append(payload)
        if kind == "Event":
            return {}
        response: dict[str, Any] = {"Payload": FakeBody(next(self._answers))}
        if self._function_error:
            response["FunctionError"] = self._function_error
        return response


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes the control function answer as given; returns the fake that keeps what was asked."""

    def make(*answers: object, function_error: str | None = None) -> FakeLambda:
        fake = FakeLambda(*answers, function_error=function_error)
        monkeypatch.setattr(Side, "client", lambda *_, **__: fake)
        return fake

    clock = HandClock()
    monkeypatch.setattr(app, "Clock", lambda: clock)
    return make


def run(*arguments: str) -> int:
    return app.main([*arguments, "--control-function", "control", "--source-region", "eu-west-1"])


def test_status_as_text(answer: Any, capsys: pytest.CaptureFixture[str]) -> None:
    fake = answer({"status": RUNNING})
    assert run("status") == 0
    shown = capsys.readouterr().out
    assert shown.startswith("applying changes (7 of 16 segments copied)")
    assert all(fact in shown for fact in ("12,345 items", "6.0 MB", "321", "300 puts", "10 deletes"))
    assert fake.asked == [("RequestResponse", "status")]


def test_status_as_json_lines(answer: Any, capsys: pytest.CaptureFixture[str]) -> None:
    answer({"status": RUNNING})
    assert run("status", "--format", "jsonl") == 0
    assert json.loads(capsys.readouterr().out) == {"type": "status", **RUNNING, "next": FOLLOW}


def test_no_run_yet(answer: Any, capsys: pytest.CaptureFixture[str]) -> None:
    answer({"status": NO_RUN})
    assert run("status") == 0
    assert "tablecopy start" in capsys.readouterr().out


def test_the_estimate_has_money_time_and_the_limit(answer: Any, capsys: pytest.CaptureFixture[str]) -> None:
    answer({"status": RUNNING})
    run("status")
    shown = capsys.readouterr().out
    assert all(fact in shown for fact in ("10,000 items", "0.03 EUR", "4 min 10 s", "4 worker(s)"))


def test_advice_about_the_settings_stays_while_items_are_copied(
    answer: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    advice = "set backfill.concurrency = 40. Copying then takes 1 h instead of 2 h"
    found = {"segments": 80, "concurrency": 40, "seconds": 3_600.0, "text": advice}
    status = {**RUNNING, "estimate": {**RUNNING["estimate"], "recommendation": found}}
    for segments_done, is_shown in ((7, True), (16, False)):
        answer({"status": {**status, "segments_done": segments_done}})
        assert run("status") == 0
        assert (f"\n  advice     {advice}\n" in capsys.readouterr().out) == is_shown
    answer({"status": {**RUNNING, "estimate": {**RUNNING["estimate"], "recommendation": None}}})
    assert run("status") == 0
    assert "  advice " not in capsys.readouterr().out


def test_next_to_nothing_is_not_free(answer: Any, capsys: pytest.CaptureFixture[str]) -> None:
    answer({"status": {**RUNNING, "estimate": {**RUNNING["estimate"], "cost": 0.0004}}})
    run("status")
    assert "less than 0.01 EUR" in capsys.readouterr().out


def test_a_slice_shows_its_length_and_what_is_left(answer: Any, capsys: pytest.CaptureFixture[str]) -> None:
    began = RUNNING["now"] - 600
    answer(
        {"status": {**RUNNING, "phase": "slice", "phase_since": began, "slice_ends": began + 3 * 3600}},
    )
    run("status")
    assert "slice 2 (2 h 50 min left of 3 h)" in capsys.readouterr().out


def test_dead_letters_are_counted(answer: Any, capsys: pytest.CaptureFixture[str]) -> None:
    answer(
        {"status": {**RUNNING, "dead_letters": 1}},
        {"status": {**RUNNING, "dead_letters": 2, "redrive": True}},
    )
    run("status")
    assert "1 dead letter\n" in capsys.readouterr().out
    run("status")
    assert "2 dead letters, retried in the next slice\n" in capsys.readouterr().out


def test_nobody_is_sent_to_cut_over_with_dead_letters(
    answer: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(
        {"status": {**RUNNING, "phase": "ready"}},
        {"status": {**RUNNING, "phase": "ready", "dead_letters": 1}},
    )
    run("status")
    assert "tablecopy seal" in capsys.readouterr().out
    run("status")
    assert "tablecopy seal" not in capsys.readouterr().out


def test_what_it_waits_for_is_told_and_cannot_steer_the_terminal(
    answer: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    answer({"status": {**RUNNING, "phase": "preflight", "problems": ["a problem\x1b[2J"], "reason": "why"}})
    run("status")
    shown = capsys.readouterr().out
    assert "problem    a problem\\x1b[2J" in shown
    assert "note       why" in shown


def test_start_waits_for_preflight_and_shows_the_estimate(
    answer: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = status("preflight", estimate=None)
    fake = answer({"status": begun}, {"status": begun}, {"status": status("pausing")})
    assert run("start") == 0
    assert [action for _, action in fake.asked] == ["start", "status", "status"]
    shown = capsys.readouterr().out
    assert shown.startswith("copying (4 of 16 segments)")
    assert "about 0.03 EUR" in shown


def test_start_shows_what_is_in_the_way(answer: Any, capsys: pytest.CaptureFixture[str]) -> None:
    begun = status("preflight", estimate=None)
    problems = ["the destination holds items"]
    answer({"status": begun}, {"status": {**begun, "problems": problems, "checked": 1.0}})
    assert run("start") == 0
    assert "problem    the destination holds items" in capsys.readouterr().out


def test_start_does_not_wait_for_ever(answer: Any, capsys: pytest.CaptureFixture[str]) -> None:
    answer(*[{"status": status("preflight", estimate=None)}] * 100)
    assert run("start") == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("checking both tables")
    assert "tablecopy status in a minute" in printed.err


def test_each_start_bears_an_id_by_which_control_knows_a_repetition(answer: Any) -> None:
    fake = answer(*[{"status": status("pausing")}] * 2)
    assert run("start") == run("start") == 0
    first, second = (payload["request"] for payload in fake.payloads)
    assert first
    assert first != second


def test_start_of_a_run_under_way_is_refused(answer: Any, capsys: pytest.CaptureFixture[str]) -> None:
    fake = answer({"error": "run 2026 is under way; tablecopy status shows how it is doing"})
    assert run("start") == 2
    assert capsys.readouterr().err == (
        "tablecopy: error: run 2026 is under way; tablecopy status shows how it is doing\n"
    )
    assert fake.asked == [("RequestResponse", "start")]


def test_redrive_says_what_will_happen(answer: Any, capsys: pytest.CaptureFixture[str]) -> None:
    fake = answer({"status": {**RUNNING, "dead_letters": 2}})
    assert run("redrive") == 0
    assert fake.asked == [("RequestResponse", "redrive")]
    assert "2 dead letters" in capsys.readouterr().out.splitlines()[0]


def test_redrive_as_json_lines_is_the_status_alone(answer: Any, capsys: pytest.CaptureFixture[str]) -> None:
    answer({"status": RUNNING})
    assert run("redrive", "--format", "jsonl") == 0
    assert json.loads(capsys.readouterr().out) == {"type": "status", **RUNNING, "next": FOLLOW}


def test_letters_are_listed(answer: Any, capsys: pytest.CaptureFixture[str]) -> None:
    fake = answer({"count": 1, "dead_letters": [LETTER]})
    assert run("dead-letters") == 0
    assert fake.asked == [("RequestResponse", "dead-letters")]
    assert 'id="a"' in capsys.readouterr().out


@pytest.mark.parametrize(("flags", "values"), [([], False), (["--show-values"], True)])
def test_values_leave_control_on_request_only(answer: Any, flags: list[str], values: bool) -> None:
    fake = answer({"count": 0, "dead_letters": []})
    assert run("dead-letters", *flags) == 0
    assert fake.payloads == [{"action": "dead-letters", "values": values}]


def test_letters_with_values(answer: Any, capsys: pytest.CaptureFixture[str]) -> None:
    answer({"count": 1, "dead_letters": [{**LETTER, "image": {"id": {"S": "a"}, "n": {"N": "1"}}}]})
    assert run("dead-letters", "--show-values") == 0
    assert '{"id": {"S": "a"}, "n": {"N": "1"}}' in capsys.readouterr().out


def test_letters_as_json_lines(answer: Any, capsys: pytest.CaptureFixture[str]) -> None:
    answer({"count": 3, "dead_letters": [LETTER]})
    assert run("dead-letters", "--format", "jsonl") == 0
    letter, summary = map(json.loads, capsys.readouterr().out.splitlines())
    assert letter == {"type": "dead_letter", **LETTER}
    assert summary == {"type": "summary", "dead_letters": 3, "listed": 1}


def test_seal_waits_until_nothing_can_be_written(answer: Any, capsys: pytest.CaptureFixture[str]) -> None:
    fake = answer(
        {"status": {**RUNNING, "phase": "ready"}},
        {"status": {**RUNNING, "phase": "sealing"}},
        {"status": {**RUNNING, "phase": "sealed"}},
    )
    assert run("seal", "--yes") == 0
    assert [action for _, action in fake.asked] == ["seal", "status", "status"]
    assert "Switch the writers to the destination" in capsys.readouterr().out


@pytest.mark.parametrize("form", ["text", "jsonl"])
def test_a_seal_that_came_too_early_is_no_success(
    answer: Any, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    answer({"status": {**RUNNING, "phase": "sealed", "reason": "the source was written to"}})
    assert run("seal", "--yes", "--format", form) == 1
    printed = capsys.readouterr().out
    assert "Switch the writers to the destination" not in printed
    assert "commands.verify; add --writes-stopped" in printed


def test_a_seal_that_is_taken_back_is_trouble(answer: Any, capsys: pytest.CaptureFixture[str]) -> None:
    answer(
        {"status": {**RUNNING, "phase": "ready"}},
        {"status": {**RUNNING, "phase": "draining", "reason": "changes are still being applied"}},
    )
    assert run("seal", "--yes") == 2
    assert capsys.readouterr().err == (
        "tablecopy: error: not sealed: the run is applying changes (7 of 16 segments copied) again: "
        "changes are still being applied\n"
    )


class Terminal(io.StringIO):
    """A terminal at which somebody types."""

    def isatty(self) -> bool:
        return True


READY = status("ready")
SEALED = status("sealed")


def test_a_seal_says_what_it_does_and_asks(
    answer: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    side = {"table_name": "orders", "region": "eu-west-1", "profile": "old"}
    outputs = {
        "control_function_name": "control",
        "tables": {"source": side, "destination": {"table_name": "orders-new", "region": "eu-west-1"}},
    }
    monkeypatch.setattr(terraform, "read_outputs", lambda directory: outputs)
    fake = answer({"status": READY}, {"status": {**READY, "phase": "sealing"}}, {"status": SEALED})
    monkeypatch.setattr("sys.stdin", Terminal("yes\n"))
    assert app.main(["seal"]) == 0
    assert [action for _, action in fake.asked][:2] == ["status", "seal"]
    asked = capsys.readouterr().err
    assert all(fact in asked for fact in ("orders (region eu-west-1, profile old)", "orders-new", "Type yes"))


@pytest.mark.parametrize("typed", ["", "\n", "y\n", "no\n", "yes please\n"])
def test_only_yes_seals(
    answer: Any, monkeypatch: pytest.MonkeyPatch, typed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = answer({"status": READY})
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    assert run("seal") == 2
    assert fake.asked == [("RequestResponse", "status")]
    err = capsys.readouterr().err
    assert err.startswith("This ends the copy of the control function control.\n")
    assert err.endswith("tablecopy: error: not sealed: the answer was not yes\n")


def test_without_a_terminal_a_seal_needs_the_flag(
    answer: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = answer({"status": READY})
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    assert run("seal") == 2
    assert fake.asked == []
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "--yes" in err


@pytest.mark.parametrize(
    ("now", "says"),
    [
        (NO_RUN, ("no run", "tablecopy start")),
        (status("slice"), ("copying (4 of 16 segments)", "tablecopy watch")),
        (
            status("draining", segments_done=16, reason="2 dead letter(s) are open"),
            ("in sync", "2 dead letter(s) are open", "tablecopy watch"),
        ),
        (status("stopped", reason="why"), ("has stopped: why",)),
    ],
)
def test_a_run_that_cannot_be_sealed_is_not_asked_about(
    answer: Any,
    monkeypatch: pytest.MonkeyPatch,
    now: Status,
    says: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer({"status": now})
    monkeypatch.setattr("sys.stdin", Terminal("yes\n"))
    assert run("seal") == 2
    error = capsys.readouterr().err
    assert error.startswith("tablecopy: error: cannot seal")
    assert all(fact in error for fact in says)


def test_a_run_that_is_sealed_is_not_asked_about(answer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = answer({"status": SEALED})
    monkeypatch.setattr("sys.stdin", Terminal(""))
    assert run("seal") == 0
    assert fake.asked == [("RequestResponse", "status")]


APPLYING = "changes are still being applied. The run becomes ready for cutover when writes stop"


@pytest.mark.parametrize(
    ("reason", "quiet_for", "note"),
    [
        (APPLYING, 22.4, "no changes for 22 s; ready for cutover after 60 s"),
        (APPLYING, 75.0, "no changes for 60 s; ready for cutover after 60 s"),
        (APPLYING, None, APPLYING),
        ("Lambda hands no changes to the replicator", 22.4, "Lambda hands no changes to the replicator"),
    ],
)
def test_the_quiet_minute_is_counted(
    answer: Any, reason: str, quiet_for: float | None, note: str, capsys: pytest.CaptureFixture[str]
) -> None:
    quiet = {"quiet_for": quiet_for, "quiet_needed": 60.0}
    answer({"status": {**RUNNING, "segments_done": 16, "reason": reason, **quiet}})
    assert run("status") == 0
    shown = capsys.readouterr().out
    assert shown.startswith("in sync")
    assert f"  note       {note}\n" in shown


def test_controls_reason_begins_as_it_is_known_here() -> None:
    source = (Path(__file__).parents[4] / "lambda/tablecopy/control/reconciler.py").read_text()
    assert f'"{APPLYING}"' in source


def test_on_a_narrow_terminal_lines_are_broken(
    answer: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reason = "two dead letters are open, " * 6
    answer({"status": {**RUNNING, "reason": reason}}, {"status": {**RUNNING, "reason": reason}})
    assert run("status") == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) > 100
    screen = Terminal()
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "60")
    assert run("status") == 0
    shown = screen.getvalue()
    assert max(len(line) for line in shown.splitlines() if "tablecopy" not in line) <= 60
    assert "  note       two dead letters are open, two dead letters are\n             open, two" in shown


def test_what_control_refuses_is_one_line(answer: Any, capsys: pytest.CaptureFixture[str]) -> None:
    answer({"error": "the run is sealed"})
    assert run("start") == 2
    assert capsys.readouterr().err == "tablecopy: error: the run is sealed\n"


def test_a_failed_function_is_one_line(answer: Any, capsys: pytest.CaptureFixture[str]) -> None:
    answer({"errorMessage": "boom"}, function_error="Unhandled")
    assert run("status") == 2
    assert "control function control failed: boom" in capsys.readouterr().err


def test_a_failed_function_may_succeed_later(answer: Any) -> None:
    answer({"errorMessage": "Task timed out"}, function_error="Unhandled")
    with pytest.raises(UserError) as caught:
        ControlFunction(Side("source"), "control").status()
    assert caught.value.transient


def test_a_throttled_call_says_what_lambda_is_short_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(**request: Any) -> None:
        raise ClientError({"Error": {"Code": "TooManyRequestsException", "Message": "Rate"}}, "Invoke")

    monkeypatch.setattr(Side, "client", lambda *_, **__: SimpleNamespace(invoke=refuse))
    assert run("status") == 2
    assert "Lambda throttles the control function control" in capsys.readouterr().err
    with pytest.raises(Throttled) as caught:
        ControlFunction(Side("source"), "control").status()
    assert caught.value.transient


def test_terraform_outputs_name_the_copy(
    answer: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = {
        "control_function_name": "from-terraform",
        "tables": {
            "source": {"table_name": "orders", "region": "eu-west-1", "profile": "old"},
            "destination": {"table_name": "orders", "region": "eu-west-1"},
        },
    }
    monkeypatch.setattr(terraform, "read_outputs", lambda directory: outputs)
    made: list[tuple[Side, str]] = []
    monkeypatch.setattr(
        copies, "ControlFunction", lambda side, name: made.append((side, name)) or FakeControl()
    )
    assert app.main(["status", "--source-profile", "other"]) == 0
    assert made == [
        (Side("source", table_name="orders", region="eu-west-1", profile="other"), "from-terraform")
    ]


def test_a_watch_from_terraform_knows_its_commands(
    answer: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    side = {"table_name": "orders", "region": "eu-west-1"}
    outputs = {
        "control_function_name": "from-terraform",
        "tables": {"source": side, "destination": side},
        "commands": {"time_to_live": "aws dynamodb update-time-to-live"},
    }
    monkeypatch.setattr(terraform, "read_outputs", lambda directory: outputs)
    fake = answer({"status": {**RUNNING, "phase": "ready"}})
    assert app.main(["watch"]) == 0
    assert (
        "  6. Turn on TTL on the destination table.\n     aws dynamodb update-time-to-live\n"
        in capsys.readouterr().out
    )
    assert fake.asked == [("RequestResponse", "status")]


def test_outputs_of_a_disabled_copy_are_no_copy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Terraform keeps no output that is null, but a null inside one.
    disabled = {"tables": {}, "commands": {"status": None, "verify": "verify"}}
    monkeypatch.setattr(terraform, "read_outputs", lambda directory: disabled)
    assert app.main(["status"]) == 2
    assert "the copy in this directory is disabled" in capsys.readouterr().err


def test_outputs_without_the_function_ask_for_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(terraform, "read_outputs", lambda directory: {"tables": {}})
    assert app.main(["status"]) == 2
    assert "--control-function" in capsys.readouterr().err


class TestSeveral:
    """All copies of one Terraform state, as its outputs were recorded: one of three is disabled."""

    @pytest.fixture(autouse=True)
    def recorded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        outputs = json.loads((Path(__file__).parent / "many_tables.json").read_text())
        values = {name: output["value"] for name, output in outputs.items()}
        monkeypatch.setattr(terraform, "read_outputs", lambda directory: values)

    @pytest.fixture
    def connected(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, Status | UserError]:
        """What the control functions answer, by their names."""
        answers: dict[str, Status | UserError] = {
            "carts-control": status("ready"),
            "orders-control": status("slice", dead_letters=2),
        }

        def connect(side: Side, name: str) -> Any:
            def answer() -> Status:
                found = answers[name]
                if isinstance(found, UserError):
                    raise found
                return found

            return SimpleNamespace(status=answer)

        monkeypatch.setattr(copies, "ControlFunction", connect)
        return answers

    @pytest.mark.usefixtures("connected")
    def test_status_shows_each_in_a_row(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert app.main(["status"]) == 0
        shown = capsys.readouterr().out
        rows = {line.split()[0]: line for line in shown.splitlines() if line}
        assert all(fact in rows["carts"] for fact in ("ready for cutover", "16 of 16", "3 s", " 0 "))
        assert all(fact in rows["orders"] for fact in ("copying", "4 of 16", " 2 ", "rejects 2 items"))
        assert "disabled" in rows["users"]
        assert "tablecopy status --copy carts" in shown
        assert "\x1b" not in shown

    def test_one_that_does_not_answer_is_an_error_beside_the_others(
        self, connected: dict[str, Status | UserError], capsys: pytest.CaptureFixture[str]
    ) -> None:
        connected["carts-control"] = UserError("no such function\x1b")
        assert app.main(["status"]) == 2
        shown = capsys.readouterr().out
        assert "no such function\\x1b" in shown
        assert "copying" in shown

    def test_json_lines_have_an_object_for_each(
        self, connected: dict[str, Status | UserError], capsys: pytest.CaptureFixture[str]
    ) -> None:
        connected["carts-control"] = UserError("no such function")
        assert app.main(["status", "--format", "jsonl"]) == 2
        carts, orders, users = map(json.loads, capsys.readouterr().out.splitlines())
        assert carts == {"type": "error", "copy": "carts", "message": "no such function"}
        assert (orders["type"], orders["copy"], orders["phase"]) == ("status", "orders", "slice")
        assert orders["next"][0]["command"].endswith("--copy orders")
        assert (users["type"], users["copy"]) == ("disabled", "users")

    @pytest.mark.usefixtures("connected")
    def test_one_is_shown_by_name(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert app.main(["status", "--copy", "orders"]) == 0
        assert capsys.readouterr().out.startswith("copying (4 of 16 segments)")

    @pytest.mark.parametrize(
        ("arguments", "facts"),
        [
            (["status", "--copy", "basket"], ['"basket"', "carts, orders, users"]),
            (["watch", "--copy", "users"], ['"users"', "disabled"]),
            (["start"], ["--copy", "carts, orders, users"]),
            (["redrive"], ["--copy", "carts, orders, users"]),
            (["seal", "--yes"], ["--copy", "carts, orders, users"]),
            (["preflight", "--from-terraform", "."], ["--copy", "carts, orders, users"]),
        ],
    )
    def test_a_copy_that_is_not_named_is_one_line(
        self, arguments: list[str], facts: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert app.main(arguments) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert all(fact in error for fact in facts)


class FakeControl:
    def status(self) -> Status:
        return RUNNING

    start = redrive = seal = status


def test_letters_is_a_hidden_name_of_dead_letters(answer: Any) -> None:
    fake = answer({"count": 0, "dead_letters": []})
    assert run("letters") == 0
    assert fake.asked == [("RequestResponse", "dead-letters")]
    assert app.tablecopy.commands["letters"].hidden
