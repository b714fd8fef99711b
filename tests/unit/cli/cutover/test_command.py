"""``tablecopy cutover``: each way it may end, its exit code, and that no fence stays behind silently."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from tablecopy.control.status import CutoverStatus, Status
from tablecopy_cli.advice import Commands
from tablecopy_cli.app import tablecopy
from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.control_function import ControlFunction
from tablecopy_cli.common.errors import UserError
from tablecopy_cli.common.terraform import Copy
from tablecopy_cli.cutover.command import Cutover, CutoverOptions, fences_of
from tablecopy_cli.run.copies import Target
from tests.unit.cli.run.control import BEGAN, HandClock, status

SOURCE = "arn:source"
DESTINATION = "arn:destination"
PARTS = [
    {"what": "apply the last changes", "seconds": 1.0, "advice": "wait"},
    {"what": "compare 300 written keys again", "seconds": 9.0, "advice": "raise the read budgets"},
]


class FakeControl(ControlFunction):
    """Keeps a request as control does. ``script`` are what happens at the polls while it is in progress."""

    def __init__(self, clock: HandClock, *script: Callable[[FakeControl], object], **found: Any) -> None:
        self.clock = clock
        self.script = list(script)
        self.phase = "ready"
        self.reason = ""
        self.requests: list[tuple[str, float, float]] = []
        self.cancelled: list[str] = []
        self.events: list[tuple[str, bool]] = []
        self.found: dict[str, Any] = {
            "request": "",
            "active": False,
            "by": 0.0,
            "grade": "",
            "outcome": "",
            "reason": "",
            "quiet": 5.0,
            "denied": [],
            "refused": "",
            "seconds": 10.0,
            "parts": PARTS,
            "compared": BEGAN,
            **found,
        }

    def cutover(self, quiet: float) -> tuple[Status, CutoverStatus]:
        if self.found["active"] and self.script:
            self.script.pop(0)(self)
        return self._answer()

    def begin_cutover(self, request: str, max_stop: float, quiet: float) -> tuple[Status, CutoverStatus]:
        self.requests.append((request, max_stop, quiet))
        self.found |= {"active": True, "request": request, "by": self._now() + max_stop}
        return self._answer()

    def cancel_cutover(self, reason: str) -> tuple[Status, CutoverStatus]:
        if self.phase == "sealed":
            raise UserError("cannot cancel the cutover: the run is sealed")
        self.cancelled.append(reason)
        self.end("cancelled", reason)
        return self._answer()

    def deny(self, table_arn: str, *, denied: bool) -> tuple[Status, CutoverStatus]:
        self.events.append((table_arn, denied))
        tables = set(self.found["denied"]) - {table_arn} | ({table_arn} if denied else set())
        self.found["denied"] = sorted(tables)
        return self._answer()

    def end(self, outcome: str, reason: str = "why") -> None:
        self.found |= {"active": False, "by": 0.0, "outcome": outcome, "reason": reason}

    def seal(self) -> Status:
        self.phase = "sealed"
        self.found |= {"active": False, "by": 0.0, "grade": "seen"}
        return self._answer()[0]

    def _now(self) -> float:
        return BEGAN + 100 + self.clock.now()

    def _answer(self) -> tuple[Status, CutoverStatus]:
        run = status(self.phase, reason=self.reason, now=self._now())
        return run, CutoverStatus(**self.found)  # type: ignore[typeddict-item]


class FakeFence:
    """Records in control what it would do to a policy; raises ``error`` when it is put."""

    def __init__(self, control: FakeControl, arn: str, error: BaseException | None = None) -> None:
        self.control, self.arn, self.error = control, arn, error

    def put(self) -> None:
        self.control.deny(self.arn, denied=True)
        if self.error:
            raise self.error

    def lift(self) -> None:
        self.control.deny(self.arn, denied=False)


def nothing(control: FakeControl) -> None:
    """A poll at which nothing happens."""


def sealed(control: FakeControl) -> None:
    control.seal()


def interrupted(control: FakeControl) -> None:
    raise KeyboardInterrupt


def ends(outcome: str) -> Callable[[FakeControl], None]:
    return lambda control: control.end(outcome)


COPY = Copy(
    ".",
    None,
    {
        "tables": {
            "source": {"table_name": "orders", "region": "eu-west-1", "profile": "old"},
            "destination": {
                "table_name": "orders",
                "region": "eu-west-1",
                "profile": "new",
                "writer_role_arn": "arn:aws:iam::2:role/r",
            },
        },
    },
)


def command(
    control: FakeControl,
    *,
    answer: str = "yes\n",
    error: BaseException | None = None,
    copy: Copy | None = COPY,
    **options: Any,
) -> Cutover:
    given = {"max_stop": 30.0, "quiet": 5.0, "yes": False, "fence": False, "lift_fence": False}
    target = Target(None, Side("source"), "control", Commands((), (), {}), copy)
    return Cutover(
        target,
        control,
        CutoverOptions(**{**given, "format_": "text", **options}),
        control.clock,
        lambda function, clock: [  # type: ignore[misc,arg-type]
            FakeFence(control, SOURCE),
            FakeFence(control, DESTINATION, error),
        ],
        io.StringIO(answer),
    )


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def test_the_tables_are_equal(clock: HandClock, capsys: pytest.CaptureFixture[str]) -> None:
    control = FakeControl(clock, nothing, nothing, sealed)
    assert command(control).run() == 0
    [(request, max_stop, quiet)] = control.requests
    assert (len(request), max_stop, quiet) == (32, 30.0, 5.0)
    shown = capsys.readouterr()
    assert "Writers stop for about 10 s" in shown.err
    assert "Stop all writers of the source table now" in shown.err
    assert "Sealed: equal (seen)" in shown.out
    assert "at 2026-11-23T09:00:00Z, 1 s after the request" in shown.out
    assert "It rests on this: both streams showed their last records within 5 s" in shown.out
    assert "Switch the writers to the destination table." in shown.out
    assert f'begin_at_seal = "{"2026-11-23T09:00:00Z"}"' in shown.out


@pytest.mark.parametrize(
    ("outcome", "code", "part"),
    [
        ("different", 1, "the tables differ"),
        ("stopped", 1, "the run has stopped"),
        ("late", 3, "was written to"),
        ("timeout", 3, "not proved in time"),
        ("cancelled", 3, "cancelled"),
    ],
)
def test_how_it_ends_without_a_seal(
    clock: HandClock, capsys: pytest.CaptureFixture[str], outcome: str, code: int, part: str
) -> None:
    control = FakeControl(clock, nothing, ends(outcome))
    assert command(control, fence=True).run() == code
    assert control.found["denied"] == []
    shown = capsys.readouterr().out
    assert part in shown
    assert "why" in shown
    assert ("You can start the writers again" in shown) == (outcome != "stopped")


def test_a_seal_between_two_reads_of_control_is_a_seal(clock: HandClock) -> None:
    """Control has read the run before it was sealed, and the request after that."""

    def seals(control: FakeControl) -> None:
        control.seal()
        control.phase = "sealing"

    control = FakeControl(clock, nothing, seals)
    assert command(control, fence=True).run() == 0
    assert control.found["denied"] == [SOURCE]


def test_a_request_without_an_end_is_not_taken_for_one(clock: HandClock) -> None:
    def vanishes(control: FakeControl) -> None:
        control.found |= {"active": False, "by": 0.0}

    control = FakeControl(clock, nothing, vanishes)
    with pytest.raises(UserError, match="does not end the request"):
        command(control).run()


@pytest.mark.parametrize("seconds", [31.0, None])
def test_a_stop_that_is_too_long_is_refused(
    clock: HandClock, capsys: pytest.CaptureFixture[str], seconds: float | None
) -> None:
    control = FakeControl(clock, seconds=seconds)
    assert command(control, yes=True, fence=True).run() == 4
    assert (control.requests, control.events) == ([], [])
    shown = capsys.readouterr().err
    assert "longer than --max-stop 30s" in shown
    # The longest part first.
    assert shown.index("9 s to compare 300 written keys again: raise the read budgets.") < shown.index(
        "1 s to"
    )


def test_a_run_that_is_not_in_sync_is_refused(clock: HandClock, capsys: pytest.CaptureFixture[str]) -> None:
    control = FakeControl(clock, refused="12 of 16 segments are not copied. Run tablecopy watch")
    assert command(control).run() == 4
    assert control.requests == []
    assert (
        "Cannot cut over: 12 of 16 segments are not copied. Run tablecopy watch." in capsys.readouterr().err
    )


class PassingControl(FakeControl):
    """Refuses a cutover until ``passed_at``, because the tracker lists keys."""

    passed_at = 60.0

    def cutover(self, quiet: float) -> tuple[Status, CutoverStatus]:
        passing = self.clock.now() < self.passed_at
        self.found |= {"refused": "the tracker lists keys" if passing else "", "passing": passing}
        return super().cutover(quiet)


@pytest.mark.parametrize(("passed_at", "code"), [(60.0, 0), (3_600.0, 4)], ids=["passes", "does not pass"])
def test_what_passes_by_itself_is_waited_for_before_the_writers_stop(
    clock: HandClock, passed_at: float, code: int
) -> None:
    control = PassingControl(clock, FakeControl.seal)
    control.passed_at = passed_at
    assert command(control, yes=True).run() == code
    assert len(control.requests) == (code == 0)
    assert 60 <= clock.now() < 180


def test_any_other_answer_begins_nothing(clock: HandClock) -> None:
    control = FakeControl(clock)
    with pytest.raises(UserError, match="not begun"):
        command(control, answer="no\n", fence=True).run()
    assert (control.requests, control.events) == ([], [])


class TestFence:
    def test_the_source_stays_denied_until_the_operator_says(
        self, clock: HandClock, capsys: pytest.CaptureFixture[str]
    ) -> None:
        control = FakeControl(clock, sealed)
        assert command(control, fence=True).run() == 0
        assert control.events == [(SOURCE, True), (DESTINATION, True), (DESTINATION, False)]
        shown = capsys.readouterr().out
        assert "Allow writes again to arn:source: before you set up the rollback" in shown
        assert "--lift-fence" in shown

    def test_a_seal_counts_although_the_destination_stays_denied(
        self, clock: HandClock, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fails(fence: FakeFence) -> None:
            raise UserError("it takes no change")

        monkeypatch.setattr(FakeFence, "lift", fails)
        assert command(FakeControl(clock, sealed), fence=True).run() == 0
        shown = capsys.readouterr()
        assert "warning: it takes no change" in shown.err
        assert "Allow writes again to arn:destination and arn:source: before" in shown.out

    def test_it_is_put_before_the_request(self, clock: HandClock) -> None:
        control = FakeControl(clock, sealed)
        begin = control.begin_cutover

        def begin_cutover(request: str, max_stop: float, quiet: float) -> Any:
            assert control.found["denied"] == [DESTINATION, SOURCE]
            return begin(request, max_stop, quiet)

        control.begin_cutover = begin_cutover  # type: ignore[method-assign]
        assert command(control, fence=True).run() == 0

    def test_its_own_time_counts(self, clock: HandClock, capsys: pytest.CaptureFixture[str]) -> None:
        control = FakeControl(clock, seconds=29.0)
        assert command(control, fence=True).run() == 4
        assert "5 s to deny writes to both tables: stop the writers yourself" in capsys.readouterr().err

    def test_a_seal_that_no_one_has_seen_keeps_it(self, clock: HandClock) -> None:
        """The run may be sealed: writers of the source would write to a table that is copied no more."""

        def unreachable(control: FakeControl) -> None:
            def fails(*arguments: Any) -> Any:
                raise UserError("access denied")

            control.cutover = control.cancel_cutover = fails  # type: ignore[method-assign,assignment]
            fails()

        control = FakeControl(clock, nothing, unreachable)
        with pytest.raises(UserError, match=r"access denied\. The run may be sealed.*The fence stays"):
            command(control, fence=True).run()
        assert control.found["denied"] == [DESTINATION, SOURCE]

    def test_the_one_of_the_destination_may_be_left_also(
        self, clock: HandClock, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The command died right after the seal."""
        tables = [f"arn:aws:dynamodb:eu-west-1:{number * 12}:table/orders" for number in ("1", "2")]
        control = FakeControl(clock, denied=tables)
        control.seal()
        assert command(control).run() == 0
        shown = capsys.readouterr().out
        assert "orders (111111111111) and orders (222222222222): before you switch the writers" in shown

    @pytest.mark.parametrize("error", [UserError("denied"), KeyboardInterrupt()])
    def test_a_fence_that_fails_is_lifted(self, clock: HandClock, error: BaseException) -> None:
        control = FakeControl(clock)
        with pytest.raises(type(error)):
            command(control, fence=True, error=error).run()
        assert (control.found["denied"], control.requests) == ([], [])

    def test_control_that_does_not_answer_is_asked_to_cancel(self, clock: HandClock) -> None:
        def fails(control: FakeControl) -> None:
            raise UserError("access denied")

        control = FakeControl(clock, nothing, fails)
        with pytest.raises(UserError, match="access denied"):
            command(control, fence=True).run()
        assert control.cancelled
        assert control.found["denied"] == []

    def test_one_that_was_left_behind_is_named(self, clock: HandClock) -> None:
        control = FakeControl(clock, denied=[SOURCE])
        with pytest.raises(
            UserError, match=r"arn:source denies writes since an earlier cutover.*--lift-fence"
        ):
            command(control).run()

    def test_it_can_be_lifted_alone(self, clock: HandClock) -> None:
        control = FakeControl(clock, denied=[SOURCE, DESTINATION], refused="anything")
        assert command(control, lift_fence=True).run() == 0
        assert control.found["denied"] == []

    def test_it_is_not_lifted_below_a_cutover(self, clock: HandClock) -> None:
        control = FakeControl(clock, active=True, denied=[SOURCE])
        with pytest.raises(UserError, match="in progress"):
            command(control, lift_fence=True).run()

    def test_it_needs_the_role_that_writes(self) -> None:
        tables = {side: {"table_name": "orders"} for side in ("source", "destination")}
        assert COPY.writer_role_arn == "arn:aws:iam::2:role/r"
        for outputs in ({"tables": tables}, {}):
            with pytest.raises(UserError, match=r"no destination\.writer_role_arn"):
                _ = Copy(".", None, outputs).writer_role_arn

    def test_it_needs_both_tables(self, clock: HandClock) -> None:
        target = Target(None, Side("source"), "control", Commands((), (), {}))
        with pytest.raises(UserError, match="--from-terraform"):
            fences_of(target, None)(FakeControl(clock), clock)  # type: ignore[arg-type]


class TestInterrupts:
    def test_the_copy_continues(self, clock: HandClock, capsys: pytest.CaptureFixture[str]) -> None:
        control = FakeControl(clock, nothing, interrupted)
        assert command(control, fence=True).run() == 130
        assert control.cancelled == ["the command was interrupted"]
        assert control.found["denied"] == []
        assert "You can start the writers again" in capsys.readouterr().out

    def test_a_second_one_says_what_is_not_known(self, clock: HandClock) -> None:
        control = FakeControl(clock, nothing, interrupted)
        control.cancel_cutover = lambda reason: interrupted(control)  # type: ignore[method-assign,assignment,return-value]
        with pytest.raises(UserError, match=r"The run may be sealed, or become so\. Do not start writers"):
            command(control).run()

    def test_a_lift_that_is_interrupted_names_the_command(
        self, clock: HandClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupt(fence: FakeFence) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(FakeFence, "lift", interrupt)
        control = FakeControl(clock, denied=[SOURCE])
        with pytest.raises(UserError, match=r"interrupted\. A table may still deny writes.*--lift-fence"):
            command(control, lift_fence=True).run()

    def test_a_seal_that_was_faster_counts(
        self, clock: HandClock, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def both(control: FakeControl) -> None:
            control.seal()
            raise KeyboardInterrupt

        control = FakeControl(clock, both)
        assert command(control).run() == 0
        assert "Sealed: equal (seen)" in capsys.readouterr().out


class TestAgain:
    def test_a_request_that_is_in_progress_is_followed(self, clock: HandClock) -> None:
        """After a crash of the command: without another question or request."""
        control = FakeControl(clock, nothing, sealed, active=True, by=BEGAN + 130, seconds=None)
        assert command(control, answer="").run() == 0
        assert control.requests == []

    def test_a_sealed_run_shows_its_verdict(
        self, clock: HandClock, capsys: pytest.CaptureFixture[str]
    ) -> None:
        control = FakeControl(clock)
        control.seal()
        assert command(control, answer="").run() == 0
        assert "Sealed: equal (seen)" in capsys.readouterr().out

    def test_a_reconciler_that_does_nothing_is_reported(self, clock: HandClock) -> None:
        control = FakeControl(clock)
        with pytest.raises(UserError, match="does not end the request"):
            command(control).run()
        assert 30 < clock.now() < 200


def test_json_lines(clock: HandClock, capsys: pytest.CaptureFixture[str]) -> None:
    control = FakeControl(clock, sealed)
    assert command(control, format_="jsonl", yes=True).run() == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["type"], record["grade"], record["exit_code"]) == ("cutover", "seen", 0)
    assert record["stop_seconds"] == 0
    control = FakeControl(clock, seconds=99.0)
    assert command(control, format_="jsonl", yes=True).run() == 4
    assert json.loads(capsys.readouterr().out)["exit_code"] == 4


def test_the_page_has_the_exit_codes() -> None:
    codes = tablecopy.commands["cutover"].exit_codes  # type: ignore[attr-defined]
    assert sorted(codes) == [0, 1, 2, 3, 4, 130]
