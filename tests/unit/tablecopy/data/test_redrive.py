"""The redrive: what was refused is tried again with what the source holds, once a slice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tablecopy.data.dead_letters import Redrive
from tablecopy.data.slices import SliceGuard, SliceId, WorkerResult
from tablecopy.data.writer import WRITE_MARGIN_SECONDS, BatchWriter
from tablecopy.dynamodb.client import Json, encode
from tablecopy.dynamodb.requests import key_token
from tablecopy.journal.dead_letters import DEAD_LETTER_SEGMENT, DeadLetter, DeadLetters, Origin
from tablecopy.journal.leases import BACKFILL, Leases, UnsettledWrite
from tablecopy.journal.run import Phase, Run, RunRecord
from tablecopy.journal.store import Store
from tablecopy.metrics.log import MetricsBuffer
from tablecopy.throughput.limits import WorkerLimits, write_usage
from tablecopy.throughput.rate import Unlimited
from tests.unit.tablecopy.fakes import (
    NOON,
    Answer,
    FakeClock,
    FakeDestination,
    FakeSource,
    lose_answer,
    refuse,
)

TIMEOUT = 300.0
BEFORE = NOON - 1000
RUN = Run(
    "run", "arn", 1, NOON, Phase.SLICE, NOON, key_names=("pk",), slice=2, slice_ends=NOON + 3600, workers=4
)


class Scene:
    """A redrive on a journal of its own."""

    def __init__(self, store: Store, items: Sequence[Json] = (), letters: Sequence[str] = ()) -> None:
        self.clock = FakeClock(BEFORE)
        self.metrics = MetricsBuffer(self.clock, "move")
        self.source = FakeSource(items)
        self.destination = FakeDestination()
        self.run = RunRecord(store)
        self.run.create(RUN)
        self.leases = Leases(store, self.clock)
        self.letters = DeadLetters(store, self.clock)
        self.limits = WorkerLimits(self.clock, None, 1000.0)
        for key in letters:
            old = encode({"pk": {"S": key}, "v": {"S": "old"}}).decode()
            self.letters.put(
                DeadLetter(token(key), {"pk": {"S": key}}, Origin.STREAM, "put", "old", "old", "17", old)
            )
        self.clock.time = NOON + 10

    def writer(self, key_names: Sequence[str], until: float) -> BatchWriter:
        assert key_names == ("pk",)
        return BatchWriter(
            self.destination,
            "copy",
            key_names,
            Unlimited(self.clock),
            write_usage(self.metrics, "copy"),
            self.clock,
            until,
        )

    def settle(self, slice_number: int = 2, timeout: float = TIMEOUT) -> WorkerResult:
        return self.redrive().settle(SliceId("run", slice_number), "r", self.clock.now() + timeout)

    def redrive(self) -> Redrive:
        guard = SliceGuard(self.run, self.leases, self.limits, self.writer, self.clock)
        return Redrive(guard, self.letters, self.source, "source", self.metrics)

    def enter(self, **changes: Any) -> None:
        run = self.run.read()
        assert run is not None
        assert self.run.save(replace(run, **changes))

    def open(self) -> set[str]:
        return {letter.key["pk"]["S"] for letter in self.letters.read_all()}

    def copied(self) -> list[Json]:
        return list(self.destination.items.values())


def item(key: str) -> Json:
    return {"pk": {"S": key}, "v": {"N": "1.50"}}


def token(key: str) -> str:
    return key_token({"pk": {"S": key}})


def test_what_the_source_holds_is_written_and_the_letter_is_settled(store: Store) -> None:
    scene = Scene(store, [item("a"), item("b")], ["a"])
    assert scene.settle() is WorkerResult.DONE
    assert scene.copied() == [item("a")]
    assert scene.open() == set()
    assert scene.leases.alive(BACKFILL) == []


def test_it_ends_when_it_finds_the_run_of_a_new_journal(store: Store) -> None:
    scene = Scene(store, [item(key) for key in "abcd"], "abcd")

    def replace_journal() -> None:
        scene.clock.tick(6)
        store.delete("run", "state")
        scene.run.create(replace(RUN, run_id="another"))

    scene.destination.on_call = replace_journal
    assert scene.settle() is WorkerResult.STOP
    assert len(scene.copied()) == 1


def test_what_the_source_no_longer_holds_is_deleted(store: Store) -> None:
    scene = Scene(store, [], ["a"])
    scene.destination.apply({"PutRequest": {"Item": {**item("a"), "v": {"S": "old"}}}})
    assert scene.settle() is WorkerResult.DONE
    assert scene.copied() == []
    assert scene.open() == set()


def test_a_letter_that_was_replaced_since_it_was_read_stays(store: Store) -> None:
    scene = Scene(store, [item("a")], ["a"])
    [letter] = scene.letters.read_all()
    scene.destination.on_call = lambda: scene.letters.put(letter)
    assert scene.settle() is WorkerResult.DONE
    assert scene.copied() == [item("a")]
    assert scene.open() == {"a"}


def test_what_is_refused_again_stays_with_one_attempt_more(store: Store) -> None:
    scene = Scene(store, [item("a"), item("b")], ["a", "b"])
    scene.destination.refuses = {token("a")}
    assert scene.settle() is WorkerResult.DONE
    assert scene.copied() == [item("b")]
    [letter] = scene.letters.read_all()
    assert letter.attempts == 2
    assert (letter.first_seen, letter.last_seen) == (BEFORE, NOON + 10)
    assert (letter.code, letter.action, letter.origin) == ("ValidationException", "put", Origin.STREAM)
    assert "1.50" in scene.letters.image(letter.token)


def test_a_delete_that_is_refused_stays_as_one(store: Store) -> None:
    scene = Scene(store, [], ["a"])
    scene.destination.refuses = {token("a")}
    assert scene.settle() is WorkerResult.DONE
    [letter] = scene.letters.read_all()
    assert letter.action == "delete"
    assert scene.letters.image(letter.token) == ""


def test_each_letter_is_tried_once_a_slice(store: Store) -> None:
    scene = Scene(store, [item("a")], ["a"])
    scene.destination.refuses = {token("a")}
    scene.settle()
    calls = len(scene.destination.calls)
    assert scene.settle() is WorkerResult.DONE
    assert len(scene.destination.calls) == calls
    scene.clock.tick(1000)
    scene.enter(slice=3, phase_since=scene.clock.now())
    assert scene.settle(slice_number=3) is WorkerResult.DONE
    assert len(scene.destination.calls) == calls + 1


@pytest.mark.parametrize("phase", sorted(set(Phase) - {Phase.SLICE}))
def test_nothing_is_written_in_another_phase(store: Store, phase: Phase) -> None:
    scene = Scene(store, [item("a")], ["a"])
    scene.enter(phase=phase)
    assert scene.settle() is WorkerResult.STOP
    assert scene.destination.calls == []
    assert scene.open() == {"a"}
    assert scene.leases.alive(BACKFILL) == []


@pytest.mark.parametrize("slice_number", [1, 3])
def test_nor_in_another_slice(store: Store, slice_number: int) -> None:
    scene = Scene(store, [item("a")], ["a"])
    assert scene.settle(slice_number=slice_number) is WorkerResult.STOP
    assert scene.destination.calls == []


def test_two_redrives_take_turns(store: Store) -> None:
    scene = Scene(store, [item("a")], ["a"])
    with scene.leases.hold(BACKFILL, DEAD_LETTER_SEGMENT, "other", NOON + TIMEOUT):
        assert scene.settle() is WorkerResult.WAIT
    assert scene.destination.calls == []


def test_the_lease_is_there_while_it_writes(store: Store) -> None:
    scene = Scene(store, [item("a")], ["a"])
    seen: list[list[str]] = []
    scene.destination.on_call = lambda: seen.append(scene.leases.alive(BACKFILL))
    scene.settle()
    assert seen == [["backfill#letters"]]


def test_a_write_that_may_land_after_the_end_keeps_its_lease(store: Store) -> None:
    scene = Scene(store, [item("a")], ["a"])

    def hang(requests: Sequence[Json]) -> Answer:
        scene.clock.tick(TIMEOUT - 5)
        return lose_answer(requests)

    scene.destination.faults = [hang]
    with pytest.raises(UnsettledWrite):
        scene.settle()
    assert scene.leases.alive(BACKFILL) == ["backfill#letters"]
    assert scene.open() == {"a"}


def test_it_hands_over_before_the_function_ends_and_goes_on_with_the_rest(store: Store) -> None:
    keys = ["a", "b", "c", "d", "e"]
    scene = Scene(store, [item(key) for key in keys], keys)
    scene.destination.on_call = lambda: scene.clock.tick(100)
    assert scene.settle() is WorkerResult.CONTINUE
    assert len(scene.open()) == 2
    assert scene.settle() is WorkerResult.DONE
    assert scene.open() == set()
    assert len(scene.destination.calls) == 5


def test_nothing_is_sent_after_the_slice_or_within_the_margin(store: Store) -> None:
    scene = Scene(store, [item("a")], ["a"])
    assert scene.settle(timeout=WRITE_MARGIN_SECONDS) is WorkerResult.CONTINUE
    scene.clock.time = RUN.slice_ends
    assert scene.settle() is WorkerResult.STOP
    assert scene.destination.calls == []
    assert scene.open() == {"a"}


def test_a_destination_that_denies_is_an_error(store: Store) -> None:
    scene = Scene(store, [item("a")], ["a"])
    scene.destination.faults = [refuse("AccessDeniedException")]
    with pytest.raises(ClientError, match="AccessDenied"):
        scene.settle()
    assert scene.open() == {"a"}
    assert scene.leases.alive(BACKFILL) == []


def test_it_takes_its_share(store: Store) -> None:
    scene = Scene(store, [item("a")], ["a"])
    scene.settle()
    assert scene.limits.write.rate == 250.0
