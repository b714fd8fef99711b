"""``tablecopy audit``: its verdict, what it lists, its exit codes, and how its progress is shown."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tablecopy.comparison.differences import Difference, Kind
from tablecopy.control.status import VerificationStatus
from tablecopy_cli.advice import Commands, Situation, next_steps
from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.control_function import ControlFunction, FoundPage
from tablecopy_cli.common.errors import UserError
from tablecopy_cli.common.options import CopyOptions
from tablecopy_cli.common.verification_text import state_text
from tablecopy_cli.cutover import audit as module
from tablecopy_cli.cutover.audit import AuditOptions, audit
from tablecopy_cli.run.copies import Target
from tablecopy_cli.run.status_text import headline
from tests.unit.cli.run.control import HandClock, status, verification

COPY = CopyOptions(source=Side("source"), destination=Side("destination"))
AUDIT: Any = {"since": 900.0, "scanned": 0.0, "noted_to": 0.0, "waits_for": ""}


def audited(state: str = "done", **changes: Any) -> VerificationStatus:
    return verification(state, **{"audit": AUDIT, "differing": 7, **changes})


def difference(name: str, kind: Kind = Kind.CHANGED) -> Difference:
    return Difference(kind, {"pk": {"S": name}}, (), "a", "b", 1.0, 2.0, 1)


class FakeControl(ControlFunction):
    """Answers with these statuses, and lists these differences in two parts."""

    def __init__(self, *answers: VerificationStatus, found: tuple[Difference, ...] = ()) -> None:
        self.answers = list(answers)
        self.found = [(each, True) for each in found]
        self.begun = 0

    def audit(self) -> VerificationStatus:
        self.begun += 1
        return self.answers[0]

    def verification(self) -> VerificationStatus:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def differences(self, begin: tuple[int, int] = (0, 0)) -> FoundPage:
        half = len(self.found) // 2
        if begin == (0, 0):
            return FoundPage(self.found[:half], {}, (1, 0))
        return FoundPage(self.found[half:], {}, None)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    def run(control: FakeControl, **options: Any) -> int:
        target = Target(None, Side("source"), "control", Commands((), (), {}), None)
        monkeypatch.setattr(Target, "connect", lambda self: control)
        monkeypatch.setattr(module, "target_of", lambda copy: target)
        given = {"detach": False, "report": False, "limit": 20, "format_": "text", **options}
        return audit(COPY, AuditOptions(**given), HandClock())

    return run


def test_the_tables_were_equal(run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    control = FakeControl(audited("scanning"), audited("rechecking"), audited())
    assert run(control) == 0
    assert control.begun == 1
    shown = capsys.readouterr().out
    assert "Equal (audited): at the seal, all 2,000 items matched." in shown
    assert "7 keys differed in the scans" in shown.replace("\n", " ")


def test_the_tables_were_different(run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    found = tuple(difference(name) for name in "abc")
    control = FakeControl(audited(verdict="different", changed=3), found=found)
    assert run(control, limit=2) == 1
    shown = capsys.readouterr().out
    assert "Different (audited): at the seal, 3 changed." in shown
    assert 'changed   pk="a"' in shown
    assert 'pk="b"' in shown
    assert 'pk="c"' not in shown
    assert "... and 1 more" in shown
    assert "tablecopy audit --report --limit 0" in shown


def test_the_report_for_programs(run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    control = FakeControl(audited(verdict="different", changed=1), found=(difference("a"),))
    assert run(control, report=True, format_="jsonl") == 1
    assert control.begun == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["type"] for line in lines] == ["difference", "summary"]
    assert lines[0]["key"] == {"pk": {"S": "a"}}
    assert (lines[1]["verdict"], lines[1]["exit_code"], lines[1]["differing"]) == ("different", 1, 7)


def test_it_is_only_started(run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(FakeControl(audited("requested")), detach=True) == 0
    assert "To see its result: tablecopy audit --report" in capsys.readouterr().out


def test_a_failed_audit_is_an_error(run: Any) -> None:
    with pytest.raises(UserError, match="the audit in the account has failed: trimmed"):
        run(FakeControl(audited("failed", reason="trimmed")))


def test_there_is_no_audit_to_report_on(run: Any) -> None:
    with pytest.raises(UserError, match="is not an audit"):
        run(FakeControl(verification("done")), report=True)
    with pytest.raises(UserError, match="exclude each other"):
        run(FakeControl(audited()), report=True, detach=True)


def test_an_interrupted_command_leaves_it_running(
    run: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(self: HandClock, seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(HandClock, "sleep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(FakeControl(audited("scanning")))
    assert "The audit continues in the account" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (
            audited("scanning", audit={**AUDIT, "scanned": 1_000.0, "noted_to": 990.0}),
            "auditing in the account: reading the destination's stream, through 1970-01-01T00:16:30Z",
        ),
        (
            audited("scanning", audit={**AUDIT, "scanned": 1_000.0, "waits_for": "a shard"}),
            "auditing in the account: reading the destination's stream, through an unknown time, a shard",
        ),
        (
            audited("rechecking", missing=2),
            "auditing in the account: judging what was written since the seal, 2 differences so far",
        ),
        (audited(), "equal: 1,990 items match, audited, in the account, ended 1970-01-01T00:20:00Z"),
    ],
)
def test_how_far_it_is(found: VerificationStatus, text: str) -> None:
    assert state_text(found) == text


@pytest.mark.parametrize(
    ("found", "command"),
    [
        (audited("scanning"), "tablecopy audit --report"),
        (audited("scanning", running=False), "tablecopy audit"),
        (audited("failed"), "tablecopy audit"),
        (audited(verdict="different", missing=1), "tablecopy audit --report"),
        (audited(), None),
    ],
)
def test_what_is_next(found: VerificationStatus, command: str | None) -> None:
    steps = next_steps(Situation(Commands((), (), {}), run=status("sealed", verification=found)))
    found_steps = {step.command for step in steps} & {"tablecopy audit", "tablecopy audit --report"}
    assert found_steps == ({command} if command else set())


def test_the_grade_of_the_seal() -> None:
    assert "different (audited)" in headline(status("sealed", seal_grade="different"))
