"""The adviser: a next step for every phase, verdict and restriction, and never a wrong go-ahead."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest

from tablecopy_cli.advice import (
    CUTOVER,
    Commands,
    Compared,
    Repaired,
    Situation,
    Step,
    Unlisted,
    before_apply,
    cutover_steps,
    fix_dead_letters,
    is_go_ahead,
    next_steps,
)
from tablecopy_cli.advice.situation import Verdict
from tests.unit.cli.run.control import NO_RUN, status, verification

PHASES = (
    "none",
    "preflight",
    "pausing",
    "slice",
    "resuming",
    "draining",
    "ready",
    "sealing",
    "sealed",
    "stopped",
)
VERDICTS: tuple[Verdict, ...] = ("equal", "different", "unsettled", "sampled")
WHERE = Commands(("--from-terraform", "infra"), ("--from-terraform", "infra"), {"time_to_live": "aws ttl"})
RESTRICTIONS: dict[str, dict[str, Any]] = {
    "ignored": {"ignored": ("name",)},
    "filtered": {"filter_expression": True},
    "sampled": {"sample": True},
    "ignored and filtered": {"ignored": ("name",), "filter_expression": True},
}
BLOCKS: dict[str, dict[str, Any]] = {
    "a setting that can lose data": {"severe": 1},
    "a setting that was not read": {"unread": 1},
    "a dead letter": {"dead_letters": 1},
}


def run_in(phase: str | None) -> Any:
    if phase is None:
        return None
    return NO_RUN if phase == "none" else status(phase)


def steps(run: Any = None, **situation: Any) -> list[Step]:
    return next_steps(Situation(WHERE, run=run, **situation))


def commands(found: list[Step]) -> list[str]:
    """What is to be typed, without the flags that name the copy."""
    return [step.command.replace(" --from-terraform infra", "") for step in found if step.command]


def switches(found: list[Step]) -> bool:
    return any(step.text.startswith("Switch the writers") for step in found)


def seals(found: list[Step]) -> bool:
    return "tablecopy seal" in commands(found)


# The cutover


def test_the_cutover_has_one_order() -> None:
    assert CUTOVER == ("stop", "ready", "verify", "seal", "rollback", "ttl", "switch")
    assert commands(cutover_steps(WHERE)) == [
        "tablecopy watch --until ready",
        "verify --writes-stopped",
        "tablecopy seal",
        "aws ttl",
    ]


@pytest.mark.parametrize("begin", CUTOVER)
def test_a_cutover_that_has_begun_is_the_rest_of_it(begin: Any) -> None:
    assert cutover_steps(WHERE, begin=begin) == cutover_steps(WHERE)[CUTOVER.index(begin) :]


def test_ttl_is_left_out_where_terraform_knows_of_none() -> None:
    assert not [step for step in cutover_steps(replace(WHERE, outputs={})) if "TTL" in step.text]
    (unknown,) = (step for step in cutover_steps(replace(WHERE, outputs=None)) if "TTL" in step.text)
    assert "commands.time_to_live" in unknown.text


@pytest.mark.parametrize("flags", [("tablecopy_flags", "tablecopy"), ("verify_flags", "verify")])
def test_what_cannot_be_written_is_named(flags: tuple[str, str]) -> None:
    field, program = flags
    found = cutover_steps(replace(WHERE, **{field: None}))
    assert not [step for step in found if step.command and step.command.startswith(program)]
    named = {"tablecopy": "tablecopy seal with the copy's --control-function", "verify": "commands.verify"}
    assert any(named[program] in step.text for step in found)


# The run alone


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (None, ["tablecopy status"]),
        (NO_RUN, ["tablecopy start"]),
        (status("preflight"), ["tablecopy watch"]),
        (status("preflight", problems=["a key"]), ["tablecopy watch"]),
        (status("pausing"), ["tablecopy watch"]),
        (status("slice"), ["tablecopy watch"]),
        (status("resuming"), ["tablecopy watch"]),
        (status("draining"), ["tablecopy watch"]),
        (status("draining", segments_done=16), ["verify", "tablecopy watch --until ready"]),
        (
            status("draining", segments_done=16, dead_letters=2, blocked=True),
            ["tablecopy dead-letters", "tablecopy redrive", "tablecopy watch"],
        ),
        (status("draining", segments_done=16, blocked=True), ["tablecopy watch"]),
        (status("draining", dead_letters=2, redrive=True), ["tablecopy watch"]),
        (status("ready"), commands(cutover_steps(WHERE))),
        (status("ready", dead_letters=1), ["tablecopy dead-letters", "tablecopy redrive", "tablecopy watch"]),
        (status("sealing"), ["tablecopy watch --until sealed"]),
        (status("sealed"), ["aws ttl"]),
        (status("sealed", reason="written to since"), ["verify --writes-stopped"]),
        (status("stopped"), ["tablecopy start"]),
        (status("stopped", resumable=False), []),
        (status("thawing"), ["tablecopy watch"]),
    ],
)
def test_of_a_run(run: Any, expected: list[str]) -> None:
    assert commands(steps(run)) == expected


TRACKED = verification("done", verdict="equal", tracking={"state": "on"})


@pytest.mark.parametrize("phase", ["draining", "ready"])
def test_a_copy_that_can_be_proved_without_a_scan_is_cut_over_with_the_command(phase: str) -> None:
    run = status(phase, segments_done=16, verification=TRACKED)
    quick = ["tablecopy cutover", "aws ttl", "tablecopy cutover"]
    assert commands(steps(run)) == quick
    equal = Compared("equal", in_account=True)
    assert commands(steps(run, compared=equal)) == quick
    off = verification("done", verdict="equal", tracking={"state": "off"})
    assert commands(steps(status("ready", verification=off))) == commands(cutover_steps(WHERE))


def test_a_fence_that_was_left_behind_comes_first() -> None:
    run = status("ready", verification=TRACKED, denied=["arn"])
    assert commands(steps(run))[:2] == ["tablecopy cutover --lift-fence", "tablecopy cutover"]
    assert "tablecopy cutover --lift-fence" not in commands(steps({**run, "cutting_over": True}))
    proved = steps(status("sealed", seal_grade="seen"))
    assert commands(proved) == ["aws ttl", "tablecopy cutover"]
    assert proved[-1].text.startswith("Set up the rollback if you want one, within 12 hours")
    sealed = status("sealed", denied=["arn"])
    assert commands(steps(sealed))[0] == "tablecopy cutover --lift-fence"


def test_a_sealed_run_has_only_what_follows_the_seal() -> None:
    assert steps(status("sealed")) == cutover_steps(WHERE, begin="rollback")


def test_a_run_that_was_sealed_too_early_is_not_switched_to() -> None:
    assert not switches(steps(status("sealed", reason="written to since")))


@pytest.mark.parametrize(("changes", "says"), [({"problems": ["x"]}, "problems of the run"), ({}, "Follow")])
def test_what_a_run_waits_for_is_fixed_first(changes: dict[str, Any], says: str) -> None:
    assert says in steps(status("preflight", **changes))[0].text


# After a comparison


@pytest.mark.parametrize(
    ("phase", "verdict", "writes_stopped", "restriction"),
    list(itertools.product([*PHASES, None], VERDICTS, [False, True], [None, *RESTRICTIONS])),
)
def test_only_a_whole_comparison_leads_to_the_switch(
    phase: str | None, verdict: Verdict, writes_stopped: bool, restriction: str | None
) -> None:
    """Every phase with every verdict, with and without each restriction."""
    more = RESTRICTIONS[restriction] if restriction else {}
    found = Compared(verdict, writes_stopped=writes_stopped, **more)
    said = steps(run_in(phase), compared=found)
    assert said
    assert all(step.text.endswith(".") and step.text[0].isupper() for step in said)
    # With writes going on, the way to the switch leads over a comparison while nothing writes.
    proof = "verify --writes-stopped" in commands(said)
    whole = verdict == "equal" and restriction is None
    if switches(said):
        assert whole
        assert writes_stopped or proof
        assert phase in {"ready", "sealing", "sealed", None}
    if seals(said):
        assert whole
        assert phase in {"ready", None}
    assert is_go_ahead(found) == (whole and writes_stopped)


@pytest.mark.parametrize(
    ("phase", "block", "writes_stopped"), list(itertools.product([*PHASES, None], BLOCKS, [False, True]))
)
def test_what_can_lose_data_comes_before_the_cutover(
    phase: str | None, block: str, writes_stopped: bool
) -> None:
    found = Compared("equal", writes_stopped=writes_stopped, **BLOCKS[block])
    said = steps(run_in(phase), compared=found)
    assert not is_go_ahead(found)
    if writes_stopped and not (block == "a dead letter" and phase in {"sealing", "sealed"}):
        # A letter of a sealed run cannot be redriven; the tables are equal in spite of it.
        assert not switches(said)
        assert not seals(said)
    assert said[0] != steps(run_in(phase), compared=replace(found, severe=0, unread=0, dead_letters=0))[
        0
    ] or (block == "a dead letter" and phase in {"sealing", "sealed"})


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (None, ["tablecopy status", "tablecopy seal", "aws ttl"]),
        (NO_RUN, ["tablecopy start"]),
        (status("slice"), ["tablecopy watch"]),
        (status("draining"), ["tablecopy watch"]),
        (status("draining", segments_done=16), ["tablecopy watch --until ready", "verify --writes-stopped"]),
        (status("ready"), ["tablecopy seal", "aws ttl"]),
        (status("sealing"), ["tablecopy watch --until sealed", "aws ttl"]),
        (status("sealed"), ["aws ttl"]),
        (
            status("stopped"),
            ["tablecopy start", "tablecopy watch --until ready", "verify --writes-stopped"],
        ),
    ],
)
def test_equal_with_writes_stopped(run: Any, expected: list[str]) -> None:
    assert commands(steps(run, compared=Compared("equal", writes_stopped=True))) == expected


def test_status_watch_and_verify_agree_on_a_sealed_run() -> None:
    sealed = status("sealed")
    assert steps(sealed) == steps(sealed, compared=Compared("equal", writes_stopped=True))


def test_equal_tables_of_no_known_copy() -> None:
    alone = replace(WHERE, tablecopy_flags=None)
    said = next_steps(Situation(alone, compared=Compared("equal", writes_stopped=True)))
    assert said[0].command is None
    assert all(fact in said[0].text for fact in ("tablecopy seal", "--control-function"))


@pytest.mark.parametrize("verdict", ["equal", "different"])
def test_a_comparison_says_itself_why_the_run_has_stopped(verdict: Verdict) -> None:
    """Its report has no note of the run."""
    found = Compared(verdict, writes_stopped=True, differing=1)
    first, *_ = steps(status("stopped", reason="the source table is gone."), compared=found)
    assert "the source table is gone" in first.text
    first, *_ = steps(status("stopped"), compared=found)
    assert "why" in first.text
    first, *_ = steps(status("stopped", reason="the source table is gone."))
    assert "note" in first.text


@pytest.mark.parametrize("restriction", RESTRICTIONS)
@pytest.mark.parametrize("writes_stopped", [False, True])
def test_a_restricted_comparison_asks_for_a_whole_one(restriction: str, writes_stopped: bool) -> None:
    found = Compared("equal", writes_stopped=writes_stopped, **RESTRICTIONS[restriction])
    if restriction == "sampled":
        found = replace(found, verdict="sampled")
    (step,) = steps(status("ready"), compared=found)
    assert all(flag in step.text for flag in found.restricted)
    assert commands([step]) == ["verify --writes-stopped" if writes_stopped else "verify"]


@pytest.mark.parametrize("phase", ["ready", "sealed", None])
def test_differences_with_writes_stopped_lead_to_the_plan_that_was_written(phase: str | None) -> None:
    found = Compared("different", writes_stopped=True, differing=3, plan="/tmp/my plan.jsonl")
    said = steps(run_in(phase), compared=found)
    assert commands(said) == [
        "verify repair '/tmp/my plan.jsonl' --writes-stopped",
        "verify repair '/tmp/my plan.jsonl' --writes-stopped --apply",
    ]
    assert ("already writes to the destination" in said[0].text) == (phase == "sealed")


def test_differences_without_a_plan() -> None:
    found = Compared("different", writes_stopped=True, differing=30_000)
    # Without the flag the next comparison would have none either, for the same reason.
    for too_many in (False, True):
        assert commands(steps(status("ready"), compared=replace(found, too_many=too_many))) == [
            "verify --writes-stopped --repair-plan plan.jsonl"
        ]
    ignored = steps(status("ready"), compared=replace(found, ignored=("name",)))
    assert "without --ignore-attribute" in ignored[-1].text


@pytest.mark.parametrize("phase", ["preflight", "pausing", "slice", "resuming", "draining"])
@pytest.mark.parametrize("writes_stopped", [False, True])
def test_differences_while_copying_are_waited_for(phase: str, writes_stopped: bool) -> None:
    found = Compared("different", writes_stopped=writes_stopped, plan="p")
    first, *_ = commands(steps(status(phase), compared=found))
    assert first == "tablecopy watch"


@pytest.mark.parametrize(
    ("run", "writes_stopped", "expected"),
    [
        (None, False, ["verify --lag 30"]),
        (status("ready"), True, ["tablecopy watch --until ready", "verify --writes-stopped"]),
        (status("sealed"), True, ["verify --writes-stopped"]),
        (None, True, ["verify --writes-stopped"]),
    ],
)
def test_what_still_changes(run: Any, writes_stopped: bool, expected: list[str]) -> None:
    found = Compared("unsettled", writes_stopped=writes_stopped)
    assert commands(steps(run, compared=found)) == expected


# After a repair

DONE = Repaired(
    "plan.jsonl",
    applied=True,
    counts={"done": 3, "already": 1},
    unequal=0,
    writes_stopped=True,
    rest_equal=True,
    started=1_000.0,
)
QUIET = status("ready", phase_since=900.0)


@pytest.mark.parametrize(
    ("run", "begin"),
    [(QUIET, "seal"), (status("sealed", phase_since=900.0), "rollback")],
)
def test_a_repair_that_was_checked_needs_no_third_comparison(run: Any, begin: Any) -> None:
    assert steps(run, repaired=DONE) == cutover_steps(WHERE, begin=begin)


def test_without_a_run_the_operators_word_counts() -> None:
    assert switches(steps(None, repaired=DONE))


@pytest.mark.parametrize(
    "changes",
    [
        {"unequal": 1},
        {"unequal": None},
        {"rest_equal": False},
        {"writes_stopped": False},
        # The run became ready after the comparison had begun: something was applied in between.
        {"started": 800.0},
        {"moved": "the replicator has applied changes"},
        {"counts": {"done": 1, "changed_at_source": 1}},
        {"counts": {"done": 1, "failed": 1}},
        {"applied": False, "counts": {"already": 4}, "unequal": None},
    ],
)
def test_any_other_repair_is_followed_by_a_comparison(changes: dict[str, Any]) -> None:
    said = steps(QUIET, repaired=replace(DONE, **changes))
    assert commands(said)[-1] == "verify --writes-stopped"
    assert not switches(said)


@pytest.mark.parametrize("changes", [{"severe": 1}, {"unread": 1}])
def test_a_checked_repair_does_not_fix_settings(changes: dict[str, Any]) -> None:
    assert not switches(steps(QUIET, repaired=replace(DONE, **changes)))


def test_a_repair_that_was_ended_is_applied_again() -> None:
    said = steps(QUIET, repaired=replace(DONE, whole=False))
    assert commands(said) == ["verify repair plan.jsonl --writes-stopped --apply"]


def test_a_dry_run_that_ended_early_is_repeated_not_applied() -> None:
    said = steps(QUIET, repaired=replace(DONE, whole=False, applied=False))
    assert commands(said) == ["verify repair plan.jsonl --writes-stopped"]


WOULD = Repaired("plan.jsonl", applied=False, counts={"would": 3}, writes_stopped=True)
APPLY = "verify repair plan.jsonl --writes-stopped --apply"


def test_a_dry_run_leads_to_the_repair() -> None:
    assert commands(steps(QUIET, repaired=WOULD)) == [APPLY]


@pytest.mark.parametrize(
    ("run", "changes", "expected"),
    [
        (status("slice"), {}, ["tablecopy watch --until ready", "verify --writes-stopped"]),
        (status("draining"), {}, ["tablecopy watch --until ready", "verify --writes-stopped"]),
        (status("sealing"), {}, ["tablecopy watch --until sealed", "verify --writes-stopped"]),
        (QUIET, {"writes_stopped": False}, [APPLY]),
        (None, {"writes_stopped": False}, [APPLY]),
        (status("stopped"), {}, [APPLY]),
        (QUIET, {}, [APPLY]),
    ],
)
def test_a_repair_that_would_be_refused_is_not_advised_before_the_obstacle_is_gone(
    run: Any, changes: dict[str, Any], expected: list[str]
) -> None:
    said = steps(run, repaired=replace(WOULD, obstacle="the run is busy", **changes))
    assert commands(said) == expected
    assert said[0].command is None or "refused now" in said[0].text


def test_letters_that_were_listed() -> None:
    assert commands(fix_dead_letters(WHERE)) == ["tablecopy redrive"]


@pytest.mark.parametrize(
    ("problems", "unanswered", "applied", "expected"),
    [
        (0, False, None, ["terraform apply"]),
        (0, True, None, [None, "terraform apply"]),
        (0, False, "infra", ["tablecopy status --from-terraform infra"]),
        (2, True, None, [None, None]),
    ],
)
def test_the_checks_before_a_copy(
    problems: int, unanswered: bool, applied: str | None, expected: list[str | None]
) -> None:
    steps = before_apply(problems=problems, unanswered=unanswered, applied=applied)
    assert [step.command for step in steps] == expected


# A comparison in the account


@pytest.mark.parametrize("phase", ["draining", "ready", "sealed", "stopped"])
def test_one_that_runs_is_followed_before_anything_else(phase: str) -> None:
    run = status(phase, segments_done=16, verification=verification())
    assert commands(steps(run))[0] == "verify --in-account --report"
    assert "verify" not in commands(steps(run))


def test_one_that_was_interrupted_is_continued() -> None:
    run = status("ready", verification=verification(running=False))
    assert commands(steps(run))[0] == "verify --in-account"


def test_one_that_failed_is_begun_again() -> None:
    run = status("ready", verification=verification("failed", writes_stopped=True))
    assert commands(steps(run))[0] == "verify --in-account --writes-stopped"


@pytest.mark.parametrize("verdict", ["different", "unsettled"])
def test_what_one_has_found_is_shown(verdict: str) -> None:
    found = verification("done", verdict=verdict)
    assert commands(steps(status("ready", verification=found)))[0] == "verify --in-account --report"
    # A repair may have followed, and the application may write.
    sealed = status("sealed", verification=found)
    assert steps(sealed) == steps(status("sealed"))


def test_one_that_found_nothing_needs_nothing() -> None:
    run = status("ready", verification=verification("done"))
    assert steps(run) == steps(status("ready"))


@pytest.mark.parametrize("verdict", ["different", "unsettled"])
@pytest.mark.parametrize("writes_stopped", [False, True])
def test_after_one_everything_is_compared_in_the_account_again(verdict: Any, writes_stopped: bool) -> None:
    compared = Compared(verdict, writes_stopped=writes_stopped, in_account=True, differing=1)
    found = commands(steps(status("ready"), compared=compared))
    stopped = " --writes-stopped" * writes_stopped
    again = [one for one in found if one.startswith("verify --in-account")]
    assert again
    assert again[0].startswith(f"verify --in-account{stopped}")
    assert "--lag" not in again[0]


def test_too_many_differences_are_not_read_again_for_a_plan() -> None:
    compared = Compared("different", writes_stopped=True, in_account=True, differing=20_000, too_many=True)
    found = commands(steps(status("ready"), compared=compared))
    assert found == ["verify --in-account --writes-stopped --report --repair-plan plan.jsonl"]


def test_the_segment_with_most_unlisted_differences_is_compared_here() -> None:
    unlisted = Unlisted(4_000, 2, 7, 16)
    compared = Compared("different", writes_stopped=True, in_account=True, differing=1, unlisted=unlisted)
    first = steps(status("ready"), compared=compared)[0]
    assert commands([first]) == ["verify --segment 7/16 --writes-stopped"]
    assert first.text.startswith("4,000 differences in 2 segments are counted and not listed.")


def test_a_segment_is_not_everything() -> None:
    compared = Compared("sampled", writes_stopped=True, segments=True)
    assert compared.restricted == ["--segment"]
    assert not is_go_ahead(compared)
    assert commands(steps(status("ready"), compared=compared)) == ["verify --writes-stopped"]


# Without a copy

ONLY_COMPARED: Any = {**NO_RUN, "comparison_only": True}


def test_without_a_copy_nothing_is_started_or_sealed() -> None:
    assert commands(steps(ONLY_COMPARED)) == ["verify --in-account"]
    following = {**ONLY_COMPARED, "verification": verification()}
    assert commands(steps(following)) == ["verify --in-account --report"]
    for verdict, writes_stopped, in_account in itertools.product(VERDICTS, (False, True), (False, True)):
        compared = Compared(verdict, writes_stopped=writes_stopped, in_account=in_account, differing=1)
        found = steps(ONLY_COMPARED, compared=compared)
        assert found
        assert not any(command.startswith("tablecopy") for command in commands(found))
        assert switches(found) == (verdict == "equal")
        stops = [step.text for step in found if step.text == "Stop the writers."]
        assert bool(stops) == (not writes_stopped and verdict in {"equal", "different"})


def test_without_a_copy_a_plan_repairs() -> None:
    compared = Compared("different", writes_stopped=True, differing=1, plan="plan.jsonl")
    assert commands(steps(ONLY_COMPARED, compared=compared))[-1] == (
        "verify repair plan.jsonl --writes-stopped --apply"
    )
