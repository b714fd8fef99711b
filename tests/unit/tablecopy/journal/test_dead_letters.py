"""Dead letters: one for each key, with since when and how often it was refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tablecopy.dynamodb.client import Json
from tablecopy.dynamodb.requests import key_token
from tablecopy.journal.dead_letters import (
    IMAGE_BYTES,
    DeadLetter,
    DeadLetters,
    KnownDeadLetters,
    Origin,
    name,
)
from tablecopy.journal.leases import UnsettledWrite
from tablecopy.journal.run import Phase, Run, RunRecord
from tablecopy.journal.store import Store
from tests.unit.tablecopy.fakes import NOON, FakeClock, MemoryStore, client_error, no_answer

RUN = Run("run", "arn:stream", 4, NOON, Phase.DRAINING, NOON)
KEY = {"pk": {"S": "a"}, "sk": {"N": "1"}}


@pytest.fixture
def letters(store: Store, clock: FakeClock) -> DeadLetters:
    RunRecord(store).create(RUN)
    return DeadLetters(store, clock)


def letter(key: str = "a", image: str = '{"pk":{"S":"a"}}') -> DeadLetter:
    its_key = {**KEY, "pk": {"S": key}}
    return DeadLetter(
        key_token(its_key), its_key, Origin.STREAM, "put", "ValidationException", "no", "123", image
    )


def settle(letters: DeadLetters, key: str) -> None:
    named = name(letter(key).token)
    letters.settle(named, letters.versions()[named])


def test_a_letter_comes_back(letters: DeadLetters) -> None:
    letters.put(letter())
    recorded = replace(letter(), image="", first_seen=NOON, last_seen=NOON, attempts=1, version=1)
    assert letters.read_all() == [recorded]
    assert letters.image(letter().token) == letter().image
    assert letters.versions() == {name(letter().token): 1}
    assert letters.count() == 1


def test_of_an_older_one_only_since_when_and_how_often_is_kept(
    letters: DeadLetters, clock: FakeClock
) -> None:
    letters.put(letter())
    clock.tick(60)
    later = replace(
        letter(), origin=Origin.BACKFILL, action="delete", code="Other", message="why", sequence_number=""
    )
    letters.put(replace(later, image=""))
    recorded = replace(later, image="", first_seen=NOON, last_seen=NOON + 60, attempts=2, version=3)
    assert letters.read_all() == [recorded]
    assert letters.image(later.token) == ""


def test_each_key_has_its_own(letters: DeadLetters) -> None:
    for key in ("a", "b", "c"):
        letters.put(letter(key))
    settle(letters, "b")
    assert {each.key["pk"]["S"] for each in letters.read_all()} == {"a", "c"}
    assert letters.image(letter("b").token) == ""
    assert letters.count() == 2


def test_a_settled_letter_leaves_nothing_behind(letters: DeadLetters, store: Store) -> None:
    letters.put(letter())
    settle(letters, "a")
    assert store.count("letter") == store.count("letter-image") == 0


def test_a_key_refused_again_after_it_was_settled_starts_afresh(
    letters: DeadLetters, clock: FakeClock
) -> None:
    letters.put(letter())
    settle(letters, "a")
    clock.tick(60)
    letters.put(letter())
    [again] = letters.read_all()
    assert (again.first_seen, again.attempts) == (NOON + 60, 1)


def test_settling_what_is_not_there_changes_nothing(letters: DeadLetters) -> None:
    letters.settle("nothing", 1)
    assert letters.count() == 0


class TestVersions:
    def test_a_late_delete_leaves_a_newer_letter(self, letters: DeadLetters) -> None:
        letters.put(letter(image="old"))
        known = letters.versions()[name(letter().token)]
        letters.put(letter(image="new"))
        letters.settle(name(letter().token), known)
        assert letters.count() == 1
        assert letters.image(letter().token) == "new"

    def test_a_late_delete_leaves_one_that_was_recorded_after_another_was_settled(
        self, letters: DeadLetters
    ) -> None:
        letters.put(letter(image="old"))
        known = letters.versions()[name(letter().token)]
        letters.settle(name(letter().token), known)
        letters.put(letter(image="new"))
        letters.settle(name(letter().token), known)
        assert letters.count() == 1
        assert letters.image(letter().token) == "new"

    def test_a_late_letter_does_not_replace_a_newer_one(self, store: Store, letters: DeadLetters) -> None:
        class Overtaken(RunRecord):
            """Another function records its letter after this one has got its version."""

            def note_dead_letter(self) -> int:
                version = super().note_dead_letter()
                if version == 1:
                    letters.put(letter(image="new"))
                return version

        late = DeadLetters(store, FakeClock())
        late._run = Overtaken(store)
        late.put(letter(image="old"))
        assert letters.image(letter().token) == "new"
        assert letters.versions() == {name(letter().token): 2}

    @pytest.mark.parametrize("partition", ["letter", "letter-image"])
    @pytest.mark.parametrize("error", [no_answer(), client_error("InternalServerError", 500)])
    def test_a_letter_that_may_still_be_written_is_unsettled(
        self, clock: FakeClock, partition: str, error: Exception
    ) -> None:
        letters = DeadLetters(Failing(partition, error), clock)
        with pytest.raises(UnsettledWrite):
            letters.put(letter())

    def test_one_that_is_not_written_is_not(self, clock: FakeClock) -> None:
        letters = DeadLetters(Failing("letter", client_error("AccessDeniedException")), clock)
        with pytest.raises(ClientError):
            letters.put(letter())


class Failing(MemoryStore):
    """A journal with a run, which cannot write to one partition."""

    def __init__(self, partition: str, error: Exception) -> None:
        super().__init__()
        self.partition = ""
        RunRecord(self).create(RUN)
        self.partition, self.error = partition, error

    def put(self, pk: str, *args: Any, **more: Any) -> None:
        if pk == self.partition:
            raise self.error
        super().put(pk, *args, **more)


class TestNumber:
    """``Run.letters``, by which others see that there is a new letter."""

    def test_it_changes_before_and_after_a_letter_is_recorded(self, clock: FakeClock) -> None:
        seen: list[tuple[str, int]] = []

        class Watched(MemoryStore):
            def put(self, pk: str, *args: Any, **more: Any) -> None:
                super().put(pk, *args, **more)
                run = RunRecord(self).read()
                assert run is not None
                seen.append((pk, run.letters))

        store = Watched()
        RunRecord(store).create(RUN)
        DeadLetters(store, clock).put(letter())
        run = RunRecord(store).read()
        assert seen == [("run", 0), ("letter-image", 1), ("letter", 1)]
        assert run is not None
        assert run.letters == 2

    def test_nothing_is_read_while_it_is_zero_or_unchanged(self, clock: FakeClock) -> None:
        class Counting(MemoryStore):
            queries = 0

            def query(self, pk: str, *, only: Sequence[str] = ()) -> Iterator[Json]:
                self.queries += 1
                return super().query(pk, only=only)

        store = Counting()
        RunRecord(store).create(RUN)
        letters = DeadLetters(store, clock)
        known = KnownDeadLetters(letters)
        assert known.versions(0) == {}
        assert store.queries == 0
        letters.put(letter())
        for _ in range(3):
            assert known.versions(2) == {name(letter().token): 1}
        assert store.queries == 1
        letters.put(letter("b"))
        assert len(known.versions(4)) == 2

    def test_what_this_one_settles_it_no_longer_knows(self, letters: DeadLetters) -> None:
        known = KnownDeadLetters(letters)
        letters.put(letter())
        assert known.versions(2)
        known.settle(name(letter().token))
        assert known.versions(2) == {}
        assert letters.count() == 0

    def test_what_another_one_has_replaced_stays(self, letters: DeadLetters) -> None:
        known = KnownDeadLetters(letters)
        letters.put(letter())
        assert known.versions(2)
        letters.put(letter())
        known.settle(name(letter().token))
        assert letters.count() == 1


@pytest.mark.parametrize(
    ("size", "kept"), [(IMAGE_BYTES, True), (IMAGE_BYTES + 1, False), (2_000_000, False)]
)
def test_an_image_that_does_not_fit_is_left_out(letters: DeadLetters, size: int, kept: bool) -> None:
    # Bytes count, not characters.
    image = "\u00e9" * (size // 2) + "x" * (size % 2)
    letters.put(letter(image=image))
    assert letters.image(letter().token) == (image if kept else "")
    assert letters.count() == 1


def test_keys_longer_than_a_sort_key(letters: DeadLetters) -> None:
    # A partition key holds 2,048 bytes and a sort key 1,024 (DynamoDB limits).
    keys = [{"pk": {"S": "x" * 2047 + last}, "sk": {"S": "y" * 1024}} for last in "ab"]
    for key in keys:
        letters.put(DeadLetter(key_token(key), key, Origin.BACKFILL, "put", "c", "m"))
    assert [each.key for each in sorted(letters.read_all(), key=lambda each: each.token)] == keys
    letters.settle(name(key_token(keys[0])), 1)
    assert [each.key for each in letters.read_all()] == keys[1:]


def test_a_long_message_is_cut(letters: DeadLetters) -> None:
    letters.put(replace(letter(), message="m" * 5000))
    assert letters.read_all()[0].message == "m" * 1000


def test_looking_through_the_letters_does_not_read_the_images(letters: DeadLetters, store: Store) -> None:
    letters.put(letter(image="x" * 10_000))
    assert all("x" * 10_000 not in str(item) for item in store.query("letter"))
