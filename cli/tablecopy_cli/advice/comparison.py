"""What to do after a comparison."""

from __future__ import annotations

from tablecopy.control.status import Status
from tablecopy.journal.run import Phase
from tablecopy.text import count_text
from tablecopy_cli.advice.commands import Commands, Step, tablecopy_step, verify_step
from tablecopy_cli.advice.cutover import begin_cutover, cutover_steps
from tablecopy_cli.advice.parts import (
    COPYING,
    dead_letter_steps,
    phase_of,
    repair_steps,
    restart,
    stopped_text,
    to_ready,
    until_sealed,
    watch,
)
from tablecopy_cli.advice.situation import Compared, is_in_sync, is_only_compared


def is_go_ahead(compared: Compared) -> bool:
    """Whether the comparison allows the cutover to continue.

    It compared everything while nothing wrote, no item differs, no setting can lose data, and no dead letter
    is open. Control decides whether the run may be sealed.
    """
    return (
        compared.verdict == "equal"
        and compared.writes_stopped
        and not compared.restricted
        and not compared.severe
        and not compared.unread
        and compared.dead_letters == 0
    )


def after_comparison(found: Compared, run: Status | None, commands: Commands) -> list[Step]:
    """Return what to do after a comparison, in this order."""
    before = []
    if found.dead_letters and phase_of(run) not in {Phase.SEALING, Phase.SEALED}:
        before += dead_letter_steps(found.dead_letters, run, commands)
    before += _settings(found.severe, found.unread)
    if found.verdict in {"different", "unsettled"}:
        following = _different if found.verdict == "different" else _unsettled
        return [*before, *_unlisted(found, commands), *following(found, run, commands)]
    if found.restricted:
        flags = " and ".join(found.restricted)
        text = f"Compare everything before you cut over: run it without {flags}."
        return [*before, verify_step(commands, text, *_as_before(found))]
    if before and found.writes_stopped:
        if not found.dead_letters:
            # Settings are not part of the items, which need no second comparison.
            return before
        return [*before, _again(found, run, commands)]
    return [*before, *_equal(found, run, commands)]


def _unlisted(found: Compared, commands: Commands) -> list[Step]:
    if found.unlisted is None:
        return []
    where = "one segment" if found.unlisted.segments == 1 else f"{found.unlisted.segments:,} segments"
    text = (
        f"{count_text(found.unlisted.differences, 'difference')} in {where} are counted and not listed. "
        "To list those of a segment, compare it on this machine."
    )
    stopped = ["--writes-stopped"] if found.writes_stopped else []
    segment = f"{found.unlisted.most}/{found.unlisted.of}"
    return [verify_step(commands, text, "--segment", segment, *stopped)]


def _settings(severe: int, unread: int) -> list[Step]:
    steps = []
    if severe:
        what = (
            "the setting that can lose data" if severe == 1 else f"the {severe:,} settings that can lose data"
        )
        steps.append(Step(f"Fix {what} before you cut over. Each finding shows how."))
    if unread:
        what = "the setting" if unread == 1 else f"the {unread:,} settings"
        steps.append(Step(f"Compare {what} that verify could not read. Each finding names the permission."))
    return steps


def _equal(found: Compared, run: Status | None, commands: Commands) -> list[Step]:
    if is_only_compared(run):
        switch = Step("Switch the writers to the destination table.")
        return [switch] if found.writes_stopped else [*_while_nothing_writes(found, commands), switch]
    phase = phase_of(run)
    if phase == "none":
        text = "No run keeps the tables in sync. Start one if the source is still in use."
        return [tablecopy_step(commands, text, "start")]
    if phase == Phase.STOPPED and run is not None:
        return [*restart(run, commands, stopped_text(run)), *to_ready(commands)]
    if phase in {Phase.SEALING, Phase.SEALED}:
        wait = [until_sealed(commands)] if phase == Phase.SEALING else []
        if found.writes_stopped:
            return [*wait, *cutover_steps(commands, begin="rollback")]
        text = "Compare both tables while nothing writes, before you switch the writers."
        return [*wait, verify_step(commands, text, "--writes-stopped")]
    if phase in COPYING or (phase == Phase.DRAINING and not is_in_sync(run)):
        return [watch(commands)]
    if not found.writes_stopped:
        return begin_cutover(run, commands)
    if phase == Phase.DRAINING:
        text = "The run is not ready for cutover yet. Wait until it is."
        return [
            tablecopy_step(commands, text, "watch", "--until", "ready"),
            verify_step(
                commands,
                "Compare again, because changes may have arrived since.",
                "--writes-stopped",
            ),
        ]
    if phase != Phase.READY and commands.tablecopy_flags is not None:
        return [
            tablecopy_step(commands, "Check that the run is ready for cutover.", "status"),
            *cutover_steps(commands, begin="seal"),
        ]
    return cutover_steps(commands, begin="seal")


def _while_nothing_writes(found: Compared, commands: Commands) -> list[Step]:
    where = ["--in-account"] if found.in_account else []
    text = "Compare both tables while nothing writes."
    return [Step("Stop the writers."), verify_step(commands, text, *where, "--writes-stopped")]


def _different(found: Compared, run: Status | None, commands: Commands) -> list[Step]:
    if is_only_compared(run) and found.writes_stopped:
        return _repairs(found, run, commands)
    if is_only_compared(run):
        text = "Compare again in a minute. A difference that remains is not lag."
        again = verify_step(commands, text, *_as_before(found))
        return [again, *_while_nothing_writes(found, commands)]
    phase = phase_of(run)
    if phase == "none":
        return [tablecopy_step(commands, "No run has copied the table yet. Start the copy.", "start")]
    if phase == Phase.STOPPED and run is not None and run["resumable"]:
        return [*restart(run, commands, stopped_text(run)), *to_ready(commands)]
    if phase in COPYING or (phase == Phase.DRAINING and not is_in_sync(run)):
        text = "The run is still copying, so differences are expected. Wait until it is in sync."
        return [tablecopy_step(commands, text, "watch"), _again(found, run, commands)]
    if phase == Phase.SEALING:
        return [until_sealed(commands), _again(found, run, commands)]
    if found.writes_stopped and phase != Phase.DRAINING:
        return _repairs(found, run, commands)
    if found.writes_stopped:
        text = "The run is not ready for cutover yet. Wait until it is."
        return [
            tablecopy_step(commands, text, "watch", "--until", "ready"),
            _again(found, run, commands),
        ]
    if phase == Phase.SEALED:
        text = (
            "The copy is sealed, so later changes are not copied. Compare both tables while nothing writes."
        )
        return [verify_step(commands, text, "--writes-stopped")]
    return [
        verify_step(
            commands,
            "Compare again in a minute. A difference that remains is not lag. Do not cut over with it.",
            *_as_before(found),
        ),
        Step("If it still differs, stop the writers to repair it."),
        *to_ready(commands),
    ]


def _repairs(found: Compared, run: Status | None, commands: Commands) -> list[Step]:
    steps = [Step("Do not cut over. Find out why these items differ.")]
    if phase_of(run) == Phase.SEALED:
        steps[0] = Step(
            "Do not repair if your application already writes to the destination, because its changes are "
            "differences. Otherwise find out why these items differ before you switch the writers."
        )
    if found.plan is not None:
        return [*steps, *repair_steps(found.plan, commands)]
    if found.ignored:
        text = "Compare without --ignore-attribute to get a repair plan, because a repair writes whole items."
        return [*steps, verify_step(commands, text, *_as_before(found))]
    if found.too_many:
        text = (
            f"{found.differing:,} items differ, too many for a plan unless you request one. If the copy lost "
            "them, start a new copy. To repair them, pass --repair-plan. "
        )
        text += "It has those that are listed." if found.in_account else "This reads each of them again."
        report = ["--report"] if found.in_account else []
        flags = (*_as_before(found), *report, "--repair-plan", "plan.jsonl")
        return [*steps, verify_step(commands, text, *flags)]
    # With --repair-plan a plan is written in any case.
    flags = (*_as_before(found), "--repair-plan", "plan.jsonl")
    return [*steps, verify_step(commands, "Compare again to get a repair plan.", *flags)]


def _unsettled(found: Compared, run: Status | None, commands: Commands) -> list[Step]:
    if not found.writes_stopped:
        if found.in_account:
            return [verify_step(commands, "Compare again.", *_as_before(found))]
        lag = f"{2 * found.lag_seconds:g}"
        text = (
            "Compare again. Raise --lag if changes take longer than "
            f"{found.lag_seconds:g} s to arrive in the destination."
        )
        return [verify_step(commands, text, *_as_before(found), "--lag", lag)]
    steps = [Step("Find what still writes to the tables, and stop it.")]
    if phase_of(run) not in {None, "none", Phase.SEALING, Phase.SEALED, Phase.STOPPED}:
        text = "Wait until the run is ready for cutover."
        steps.append(tablecopy_step(commands, text, "watch", "--until", "ready"))
    return [*steps, verify_step(commands, "Compare again.", *_as_before(found))]


def _as_before(found: Compared) -> list[str]:
    where = ["--in-account"] if found.in_account else []
    return [*where, "--writes-stopped"] if found.writes_stopped else where


def _again(found: Compared, run: Status | None, commands: Commands) -> Step:
    return verify_step(commands, "Compare again.", *_as_before(found))
