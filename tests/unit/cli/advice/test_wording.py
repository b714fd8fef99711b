"""The texts of the next steps, word for word."""

from __future__ import annotations

from typing import Any

import pytest

from tablecopy_cli.advice import (
    Commands,
    Compared,
    Repaired,
    Situation,
    before_apply,
    cutover_steps,
    next_steps,
    phase_text,
    proof_text,
)
from tests.unit.cli.run.control import NO_RUN, status


def texts(run: Any = None, **situation: Any) -> list[str]:
    return [step.text for step in next_steps(Situation(run=run, **situation))]


def test_the_cutover() -> None:
    assert [step.text for step in cutover_steps(Commands(None, None, None))] == [
        "Stop the writers.",
        "Wait until the run is ready for cutover. "
        "Use tablecopy watch --until ready with the copy's --control-function.",
        "Compare both tables while nothing writes. "
        "The command is in the Terraform output commands.verify; add --writes-stopped.",
        "Seal the copy. Use tablecopy seal with the copy's --control-function.",
        "Set up the rollback now if you want one. After the switch it is too late.",
        "Turn on TTL on the destination table if the source has it. "
        "The command is in the Terraform output commands.time_to_live.",
        "Switch the writers to the destination table.",
    ]


@pytest.mark.parametrize(
    ("run", "text"),
    [
        (None, "Show the run."),
        (NO_RUN, "Start the copy."),
        (status("slice"), "Follow the run until it is ready for cutover."),
        (
            status("preflight", problems=["x"]),
            "Fix the problems of the run. It repeats its checks every minute.",
        ),
        (
            status("draining", segments_done=16),
            "The copy is in sync. Compare both tables while it runs.",
        ),
        (
            status("draining", dead_letters=2),
            "The destination rejects 2 items. List the dead letters and their errors.",
        ),
        (status("stopped", reason="why"), "Fix the problem in the note."),
        (
            status("sealed", reason="why"),
            "Do not switch the writers yet. Find the changes that the destination lacks.",
        ),
    ],
)
def test_of_a_run(run: Any, text: str) -> None:
    assert texts(run)[0] == text


@pytest.mark.parametrize(
    ("run", "compared", "text"),
    [
        (
            status("slice"),
            Compared("different"),
            "The run is still copying, so differences are expected. Wait until it is in sync.",
        ),
        (
            status("ready"),
            Compared("different"),
            "Compare again in a minute. A difference that remains is not lag. Do not cut over with it.",
        ),
        (status("stopped", reason="why."), Compared("equal"), "Fix what stopped the run: why."),
        (
            None,
            Compared("unsettled"),
            "Compare again. Raise --lag if changes take longer than 15 s to arrive in the destination.",
        ),
        (
            status("ready"),
            Compared("equal", severe=2),
            "Fix the 2 settings that can lose data before you cut over. Each finding shows how.",
        ),
    ],
)
def test_after_a_comparison(run: Any, compared: Compared, text: str) -> None:
    assert texts(run, compared=compared)[0] == text


def test_a_repair_that_is_refused_now() -> None:
    would = Repaired("plan", applied=False, counts={"would": 1}, writes_stopped=True, obstacle="why")
    assert texts(status("slice"), repaired=would)[1] == (
        "--apply is refused now, because the run is copying (4 of 16 segments). Wait until it is ready."
    )


def test_a_proof() -> None:
    done = Repaired("plan", applied=True, unequal=0, writes_stopped=True, rest_equal=True)
    assert proof_text(done, status("ready", phase_since=0.0)) == (
        "each repaired item was read again, and the comparison found that all others match. "
        "The run was ready for cutover before that and has applied nothing since."
    )


def test_before_applying() -> None:
    assert [step.text for step in before_apply(problems=2, unanswered=True, applied=None)] == [
        "Fix the 2 problems. Each message shows how.",
        "Run this command again.",
    ]


def test_phases() -> None:
    assert phase_text(status("draining")) == "applying changes (4 of 16 segments copied)"
    assert phase_text(status("draining", segments_done=16)) == "in sync"
