"""The judge finds each kind of broken history, and nothing in a right one."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from tablecopy.journal.leases import UnsettledWrite
from tablecopy.journal.run import Phase
from tools.simulation import judge as judge_module
from tools.simulation.findings import RunState
from tools.simulation.functions import Answer
from tools.simulation.history import ABSENT
from tools.simulation.judge import Judge

SOURCE = inspect.getsource(judge_module)
QUIET = 60.0
T0 = 1_000_000.0
SLOW = "the source makes 1.3 changes per second and the replicator applies at most 1.3"


class Story:
    """A history made by hand: the judge, its clock, and the run."""

    def __init__(self, judge: type[Judge] = Judge) -> None:
        self.now = T0
        self._kind = judge
        self.judge = judge(lambda: self.now, QUIET)
        self.run = RunState(Phase.PREFLIGHT)
        self.records = 0

    def hinder(self, hindered: bool, *, outrun: bool = False) -> None:
        """Begin again, in a scenario in which something or nothing may go wrong."""
        self.judge = self._kind(lambda: self.now, QUIET, hindered=hindered, outrun=outrun)

    def change(self, key: str, value: str) -> str:
        """Change the source, with a stream record. Returns the record's number."""
        place = self.judge.source_changed(key, value)
        self.records += 1
        event = f"e{self.records}"
        self.judge.recorded("shard-1", event, event, key, place, self.now)
        return event

    def enter(self, phase: Phase, **changes: object) -> None:
        """Write the run in another phase."""
        self.run = replace(self.run, phase=phase, version=self.run.version + 1, **changes)  # type: ignore[arg-type]
        self.judge.run_saved(self.run)

    def pass_time(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    def slice(self) -> None:
        """Begin a slice."""
        self.enter(Phase.PAUSING)
        self.enter(Phase.SLICE, slice=self.run.slice + 1, scan_began=self.run.scan_began or self.now)

    def drain(self) -> None:
        """End the slice and let the replicator work."""
        self.enter(Phase.RESUMING)
        self.enter(Phase.DRAINING)

    def copied(self) -> None:
        """Two items, of which the backfill has copied one and the replicator the other."""
        self.change("a", "a1")
        self.pass_time(100)
        self.slice()
        self.judge.scanned("w1", 0, "", "", {"a": "a1"})
        self.change("b", "b1")
        self.pass_time(1)
        self.judge.landed("worker", "w1", "a", "a1")
        self.judge.segment_saved(0, "", 1, done=True)
        self.drain()
        self.judge.landed("replicator", "r1", "b", "b1")
        self.judge.batch_recorded("e2", "e2", (1, 1, 0))
        self.judge.acknowledged("shard-1", "", "e2")
        self.pass_time(QUIET)

    def reject(self, key: str) -> None:
        """Let the destination reject an item, of which a dead letter is recorded."""
        self.judge.rejected.add(key)
        self.judge.letter_put(key)

    def answer(self, changes: int, items: int, **more: object) -> None:
        """Let control answer with a status."""
        status = {"phase": self.run.phase, "phase_since": self.now, "blocked": False, "reason": ""}
        self.judge.answered({**status, "changes": changes, "items": items, **more})

    def rules(self) -> list[str]:
        """Return the rules that were found broken."""
        return [violation.rule for violation in self.judge.violations]


def right(story: Story) -> None:
    story.copied()
    story.enter(Phase.READY)
    story.answer(changes=1, items=1)
    story.run = replace(story.run, seal_requested=True)
    story.judge.run_saved(story.run)
    story.enter(Phase.SEALING)
    story.enter(Phase.SEALED)


def changed_within_the_quiet_time(story: Story) -> None:
    story.copied()
    story.change("a", "a2")
    story.enter(Phase.READY)


def changed_in_a_shard_that_is_not_listed(story: Story) -> None:
    story.copied()
    story.judge.hidden_since = lambda: story.now - 100
    story.change("a", "a2")
    story.pass_time(95)
    story.enter(Phase.READY)


def open_letter_for_a_new_change(story: Story) -> None:
    story.copied()
    event = story.change("a", "a2")
    story.reject("a")
    story.judge.batch_recorded(event, event, (1, 1, 0))
    story.enter(Phase.READY)


def late_replicator_after_a_stop(story: Story) -> None:
    story.copied()
    story.change("b", "b2")
    story.enter(Phase.STOPPED, reason="too many dead letters")
    story.judge.landed("replicator", "r1", "b", "b2")
    story.enter(Phase.RESUMING, reason="")
    story.judge.landed("replicator", "r1", "b", "b2")


def late_change_that_the_seal_names(story: Story) -> None:
    right_until_sealing(story)
    story.change("a", "a2")
    story.pass_time(100)
    story.enter(Phase.SEALED, reason="the source was written to after the run was ready")
    story.pass_time(150)
    story.judge.age_published(0.0)


def right_until_sealing(story: Story) -> None:
    story.copied()
    story.enter(Phase.READY)
    story.run = replace(story.run, seal_requested=True)
    story.judge.run_saved(story.run)
    story.enter(Phase.SEALING)


def calls_within_the_budget(story: Story) -> None:
    for _ in range(100):
        story.judge.budget.called("GetRecords", "shard-1")
        story.judge.budget.called("GetRecords", "shard-2")
        story.judge.budget.called("DescribeStream")
        story.pass_time(1.0)


def change_lost_to_expiry(story: Story) -> None:
    story.copied()
    story.change("a", "a2")
    story.pass_time(24 * 3600)
    story.judge.age_published(24 * 3600 - 10)
    story.enter(Phase.STOPPED, reason="changes have left the stream", resumable=False)


def stop_of_a_replicator_that_cannot_catch_up(story: Story) -> None:
    story.hinder(False, outrun=True)
    story.copied()
    story.enter(Phase.STOPPED, reason=SLOW)


def journal_replaced_with_its_mapping(story: Story) -> None:
    story.copied()
    story.judge.replaced("journal")
    story.enter(Phase.STOPPED, reason="the event source mapping was replaced", resumable=False)


def worker_that_cannot_know_of_a_new_journal(story: Story) -> None:
    story.copied()
    story.change("c", "c1")
    story.slice()
    story.judge.segment_saved(1, "", 0, done=False, of="earlier")
    story.judge.replaced("journal")
    story.pass_time(5)
    story.judge.landed("worker", "w1", "c", "c1")
    story.judge.new_journal.called(story.now, "w1")
    story.pass_time(0.5)
    story.judge.landed("worker", "w1", "c", "c1")
    # No one reads the progress of a run that the journal does not have.
    story.judge.segment_saved(0, "c", 1, done=False, of="earlier")


def errors_of_aws(story: Story) -> None:
    story.judge.ended("replicator", Answer(raised=ReadTimeoutError(endpoint_url="https://dynamodb")))
    story.judge.ended("replicator", Answer(raised=aws_error("ThrottlingException")))


def open_write(story: Story) -> None:
    story.judge.ended("backfill", Answer(raised=UnsettledWrite("a write was not answered")))


def aws_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": ""}}, "PutItem")


RIGHT: Iterable[Callable[[Story], None]] = (
    right,
    changed_within_the_quiet_time,
    changed_in_a_shard_that_is_not_listed,
    open_letter_for_a_new_change,
    late_replicator_after_a_stop,
    late_change_that_the_seal_names,
    calls_within_the_budget,
    change_lost_to_expiry,
    stop_of_a_replicator_that_cannot_catch_up,
    journal_replaced_with_its_mapping,
    worker_that_cannot_know_of_a_new_journal,
    errors_of_aws,
    open_write,
)


@pytest.mark.parametrize("tell", RIGHT)
def test_a_right_history_breaks_no_rule(tell: Callable[[Story], None]) -> None:
    story = Story()
    tell(story)
    assert story.judge.violations == []


def ready_without_a_change(story: Story) -> None:
    story.copied()
    story.change("b", "b2")
    story.pass_time(QUIET + 1)
    story.enter(Phase.READY)


def ready_with_an_older_value(story: Story) -> None:
    story.change("a", "a1")
    story.copied()
    story.change("b", "b2")
    story.change("b", "b3")
    story.judge.landed("replicator", "r1", "b", "b3")
    story.judge.landed("replicator", "r1", "b", "b2")
    story.pass_time(QUIET + 1)
    story.enter(Phase.READY)


def change_written_again(story: Story) -> None:
    story.copied()
    story.judge.landed("replicator", "r2", "b", "b1")


def ready_with_a_deleted_item(story: Story) -> None:
    story.copied()
    story.change("a", ABSENT)
    story.pass_time(QUIET + 1)
    story.enter(Phase.READY)


def ready_with_an_old_letter(story: Story) -> None:
    story.copied()
    story.change("a", "a2")
    story.reject("a")
    story.pass_time(QUIET + 1)
    story.enter(Phase.READY)


def letter_removed_without_its_write(story: Story) -> None:
    story.copied()
    story.change("a", "a2")
    story.reject("a")
    story.judge.letter_removed("a")
    story.pass_time(QUIET + 1)
    story.enter(Phase.READY)


def ready_without_a_change_before_an_unlisted_shard(story: Story) -> None:
    story.copied()
    story.change("a", "a2")
    story.pass_time(1)
    begun = story.now
    story.judge.hidden_since = lambda: begun
    story.pass_time(QUIET + 1)
    story.enter(Phase.READY)


def ready_without_a_change_of_two_minutes_ago(story: Story) -> None:
    story.copied()
    story.judge.hidden_since = lambda: 0.0
    story.change("a", "a2")
    story.pass_time(126)
    story.enter(Phase.READY)


def sealed_without_a_change_right_before(story: Story) -> None:
    story.copied()
    story.enter(Phase.READY)
    story.change("a", "a2")
    story.pass_time(4)
    story.run = replace(story.run, seal_requested=True)
    story.judge.run_saved(story.run)
    story.enter(Phase.SEALING)


def letter_of_an_item_that_was_not_rejected(story: Story) -> None:
    story.copied()
    story.change("a", "a2")
    story.judge.letter_put("a")


def sealed_without_a_change(story: Story) -> None:
    story.copied()
    story.enter(Phase.READY)
    story.pass_time(1)
    story.change("a", "a2")
    story.pass_time(QUIET + 1)
    story.run = replace(story.run, seal_requested=True)
    story.judge.run_saved(story.run)
    story.enter(Phase.SEALING)


def foreign_key(story: Story) -> None:
    story.copied()
    story.judge.landed("replicator", "r1", "c", "c1")


def foreign_value(story: Story) -> None:
    story.copied()
    story.judge.landed("replicator", "r1", "b", "b7")


def change_between_read_and_write(story: Story) -> None:
    story.change("a", "a1")
    story.slice()
    story.judge.scanned("w1", 0, "", "", {"a": "a1"})
    story.change("a", "a2")
    story.pass_time(1)
    story.drain()
    story.judge.landed("replicator", "r1", "a", "a2")
    story.enter(Phase.PAUSING)
    story.enter(Phase.SLICE, slice=2)
    story.judge.landed("worker", "w1", "a", "a1")


def worker_in_a_drain(story: Story) -> None:
    story.copied()
    story.judge.landed("worker", "w1", "a", "a1")


def replicator_in_a_slice(story: Story) -> None:
    story.copied()
    story.change("b", "b2")
    story.slice()
    story.judge.landed("replicator", "r1", "b", "b2")


def control_writes(story: Story) -> None:
    story.copied()
    story.judge.landed("reconciler", "c1", "b", "b1")


def replicator_long_after_a_stop(story: Story) -> None:
    story.copied()
    story.change("b", "b2")
    story.enter(Phase.STOPPED, reason="too many dead letters")
    story.pass_time(2_000)
    story.enter(Phase.RESUMING, reason="")
    story.judge.landed("replicator", "r1", "b", "b2")


def write_after_the_seal(story: Story) -> None:
    right_until_sealing(story)
    story.enter(Phase.SEALED)
    story.change("b", "b2")
    story.judge.landed("replicator", "r1", "b", "b2")


def seal_of_an_earlier_request(story: Story) -> None:
    story.copied()
    story.enter(Phase.READY)
    story.enter(Phase.DRAINING, seal_requested=True)
    story.enter(Phase.READY)
    story.enter(Phase.SEALING)


def seal_that_names_no_late_change(story: Story) -> None:
    right_until_sealing(story)
    story.change("a", "a2")
    story.pass_time(100)
    story.enter(Phase.SEALED)


def stop_without_a_reason(story: Story) -> None:
    story.copied()
    story.enter(Phase.STOPPED)


def checkpoint_before_the_write(story: Story) -> None:
    story.change("a", "a1")
    story.slice()
    story.judge.scanned("w1", 0, "", "a", {"a": "a1"})
    story.judge.segment_saved(0, "a", 1, done=False)


def checkpoint_after_an_older_write(story: Story) -> None:
    story.change("a", "a1")
    story.slice()
    story.judge.landed("worker", "w0", "a", "a1")
    story.pass_time(1)
    story.judge.scanned("w1", 0, "", "a", {"a": "a1"})
    story.judge.segment_saved(0, "a", 1, done=False)


def checkpoint_past_a_page(story: Story) -> None:
    story.change("a", "a1")
    story.change("b", "b1")
    story.slice()
    story.judge.scanned("w1", 0, "", "a", {"a": "a1"})
    story.judge.scanned("w1", 0, "a", "b", {"b": "b1"})
    story.judge.landed("worker", "w1", "b", "b1")
    story.judge.segment_saved(0, "b", 1, done=False)


def items_counted_twice(story: Story) -> None:
    story.change("a", "a1")
    story.slice()
    story.judge.scanned("w1", 0, "", "a", {"a": "a1"})
    story.judge.landed("worker", "w1", "a", "a1")
    story.judge.segment_saved(0, "a", 2, done=False)


def batch_recorded_before_the_write(story: Story) -> None:
    story.copied()
    event = story.change("b", "b2")
    story.judge.batch_recorded(event, event, (1, 1, 0))


def deletion_recorded_before_the_write(story: Story) -> None:
    story.copied()
    event = story.change("b", ABSENT)
    story.judge.batch_recorded(event, event, (1, 0, 1))


def batch_over_two_shards(story: Story) -> None:
    story.copied()
    story.judge.recorded("shard-2", "e9", "e9", "b", 0, story.now)
    story.judge.batch_recorded("e2", "e9", (2, 1, 0))


def acknowledged_before_the_write(story: Story) -> None:
    story.copied()
    story.change("b", "b2")
    story.judge.acknowledged("shard-1", "e2", "e3")


def records_counted_twice(story: Story) -> None:
    story.copied()
    story.judge.batch_recorded("e2", "e2", (2, 1, 0))


def puts_counted_twice(story: Story) -> None:
    story.copied()
    story.judge.batch_recorded("e2", "e2", (1, 1, 1))


def changes_not_counted(story: Story) -> None:
    story.copied()
    story.pass_time(10)
    story.enter(Phase.READY)
    story.answer(changes=0, items=1)


def changes_counted_twice(story: Story) -> None:
    story.copied()
    story.enter(Phase.READY)
    story.answer(changes=3, items=1)


def items_of_a_segment_not_counted(story: Story) -> None:
    story.copied()
    story.enter(Phase.READY)
    story.answer(changes=1, items=0)


def blocked_without_a_reason(story: Story) -> None:
    story.copied()
    story.answer(changes=1, items=1, blocked=True)


def redrive_of_an_old_item(story: Story) -> None:
    story.copied()
    story.slice()
    story.judge.read("w2", "b", "b1")
    story.change("b", "b2")
    story.pass_time(1)
    story.drain()
    story.judge.landed("replicator", "r1", "b", "b2")
    story.slice()
    story.judge.landed("worker", "w2", "b", "b1")


def too_many_calls(story: Story) -> None:
    for _ in range(16):
        story.judge.budget.called("DescribeStream")
        story.pass_time(0.5)


def too_many_reads_of_a_shard(story: Story) -> None:
    for _ in range(26):
        story.judge.budget.called("GetRecords", "shard-1")
        story.pass_time(0.3)


def age_that_is_too_small(story: Story) -> None:
    story.copied()
    story.change("a", "a2")
    story.pass_time(150)
    story.judge.age_published(3.0)


def writes_that_are_repeated(story: Story) -> None:
    story.hinder(False)
    story.copied()
    story.change("b", "b2")
    for _ in range(40):
        story.judge.landed("replicator", "r1", "b", "b2")
    story.judge.finish()


def stop_that_nothing_causes(story: Story) -> None:
    story.hinder(False)
    story.copied()
    story.enter(Phase.STOPPED, reason="no reason at all")


def stop_that_the_rates_do_not_cause(story: Story) -> None:
    story.hinder(False)
    story.copied()
    story.enter(Phase.STOPPED, reason=SLOW)


def other_stop_of_a_replicator_that_cannot_catch_up(story: Story) -> None:
    story.hinder(False, outrun=True)
    story.copied()
    story.enter(Phase.STOPPED, reason="3 slices in a row copied nothing")


def stop_for_ever_that_nothing_causes(story: Story) -> None:
    story.copied()
    story.enter(Phase.STOPPED, reason="changes have left the stream", resumable=False)


def ready_after_the_destination_was_replaced(story: Story) -> None:
    story.copied()
    story.judge.replaced("destination")
    story.judge.landed("replicator", "r1", "b", "b1")
    story.judge.landed("worker", "w1", "a", "a1")
    story.judge.violations.clear()
    story.enter(Phase.READY)


def stop_that_names_another_cause(story: Story) -> None:
    story.copied()
    story.judge.replaced("mapping")
    story.enter(Phase.STOPPED, reason="the stream no longer exists", resumable=False)


def in_sync_without_a_change(story: Story) -> None:
    story.copied()
    story.change("a", "a2")
    story.pass_time(100)
    story.judge.finish()


def not_ready_in_time(story: Story) -> None:
    story.copied()
    story.judge.late(600.0)


def worker_that_has_called_a_new_journal(story: Story) -> None:
    story.copied()
    story.slice()
    story.judge.replaced("journal")
    story.judge.new_journal.called(story.now, "w1")
    story.pass_time(2)
    story.judge.landed("worker", "w1", "a", "a1")


def worker_that_never_calls_a_new_journal(story: Story) -> None:
    story.copied()
    story.slice()
    story.judge.replaced("journal")
    story.pass_time(70)
    story.judge.landed("worker", "w1", "a", "a1")


def progress_without_a_run(story: Story) -> None:
    story.copied()
    story.judge.scanned("w1", 0, "", "a", {"a": "a1"})
    story.judge.replaced("journal")
    story.judge.landed("worker", "w1", "a", "a1")
    story.judge.segment_saved(0, "a", 1, done=False)


def error_of_the_product(story: Story) -> None:
    story.judge.ended("replicator", Answer(raised=KeyError("Item")))


def permanent_error_of_aws(story: Story) -> None:
    story.judge.ended("reconciler", Answer(raised=aws_error("ValidationException")))


BROKEN: dict[Callable[[Story], None], str] = {
    ready_without_a_change: "lost",
    ready_with_an_older_value: "lost",
    ready_with_a_deleted_item: "lost",
    ready_with_an_old_letter: "lost",
    letter_removed_without_its_write: "lost",
    letter_of_an_item_that_was_not_rejected: "letters",
    sealed_without_a_change: "lost",
    sealed_without_a_change_right_before: "lost",
    ready_without_a_change_before_an_unlisted_shard: "lost",
    ready_without_a_change_of_two_minutes_ago: "lost",
    foreign_key: "invented",
    foreign_value: "invented",
    change_between_read_and_write: "window",
    worker_in_a_drain: "phase",
    replicator_in_a_slice: "phase",
    control_writes: "phase",
    replicator_long_after_a_stop: "phase",
    change_written_again: "again",
    write_after_the_seal: "sealed",
    seal_of_an_earlier_request: "sealed",
    seal_that_names_no_late_change: "reason",
    stop_without_a_reason: "reason",
    checkpoint_before_the_write: "lost",
    checkpoint_after_an_older_write: "lost",
    checkpoint_past_a_page: "counters",
    items_counted_twice: "counters",
    batch_recorded_before_the_write: "lost",
    deletion_recorded_before_the_write: "lost",
    batch_over_two_shards: "lost",
    acknowledged_before_the_write: "lost",
    records_counted_twice: "counters",
    puts_counted_twice: "counters",
    changes_not_counted: "counters",
    changes_counted_twice: "counters",
    items_of_a_segment_not_counted: "counters",
    blocked_without_a_reason: "reason",
    redrive_of_an_old_item: "window",
    too_many_calls: "budget",
    too_many_reads_of_a_shard: "budget",
    age_that_is_too_small: "age",
    writes_that_are_repeated: "progress",
    stop_that_nothing_causes: "progress",
    stop_that_the_rates_do_not_cause: "progress",
    other_stop_of_a_replicator_that_cannot_catch_up: "progress",
    stop_for_ever_that_nothing_causes: "progress",
    ready_after_the_destination_was_replaced: "lost",
    stop_that_names_another_cause: "reason",
    in_sync_without_a_change: "lost",
    not_ready_in_time: "progress",
    worker_that_has_called_a_new_journal: "phase",
    worker_that_never_calls_a_new_journal: "phase",
    progress_without_a_run: "lost",
    error_of_the_product: "exception",
    permanent_error_of_aws: "exception",
}


@pytest.mark.parametrize("tell", BROKEN)
def test_a_broken_history_breaks_its_rule(tell: Callable[[Story], None]) -> None:
    story = Story()
    tell(story)
    assert story.rules() == [BROKEN[tell]]


def checks() -> list[int]:
    """Return the lines of the judge's source in which it records that a rule is broken."""
    return [node.lineno for node in ast.walk(ast.parse(SOURCE)) if is_check(node)]


def is_check(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and ast.unparse(node).startswith("self.violate(")


class Without(ast.NodeTransformer):
    """Removes the check of one line."""

    def __init__(self, line: int) -> None:
        self._line = line

    def visit_Expr(self, node: ast.Expr) -> ast.stmt:
        return ast.copy_location(ast.Pass(), node) if is_check(node) and node.lineno == self._line else node


@pytest.mark.parametrize("line", checks())
def test_each_check_finds_a_history_that_no_other_finds(line: int) -> None:
    tree = Without(line).visit(ast.parse(SOURCE))
    module: dict[str, Any] = {"__name__": judge_module.__name__}
    exec(compile(tree, "judge", "exec"), module)
    missed = []
    for tell, rule in BROKEN.items():
        story = Story(module["Judge"])
        tell(story)
        if story.rules() != [rule]:
            missed.append(tell)
    assert missed, SOURCE.splitlines()[line - 1]


def test_violation_names_the_keys() -> None:
    story = Story()
    ready_without_a_change(story)
    [violation] = story.judge.violations
    assert violation.keys == ("b",)
    assert "b1" in violation.what
    assert "b2" in violation.what
