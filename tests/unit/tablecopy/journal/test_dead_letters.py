"""Dead letters: one for each key, with since when and how often it was refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tablecopy.dynamodb.requests import key_token
from tablecopy.journal.dead_letters import IMAGE_BYTES, DeadLetter, DeadLetters, Origin, name
from tablecopy.journal.store import Store
from tests.unit.tablecopy.fakes import NOON, FakeClock

KEY = {"pk": {"S": "a"}, "sk": {"N": "1"}}


@pytest.fixture
def letters(store: Store, clock: FakeClock) -> DeadLetters:
    return DeadLetters(store, clock)


def letter(key: str = "a", image: str = '{"pk":{"S":"a"}}') -> DeadLetter:
    its_key = {**KEY, "pk": {"S": key}}
    return DeadLetter(
        key_token(its_key), its_key, Origin.STREAM, "put", "ValidationException", "no", "123", image
    )


def test_a_letter_comes_back(letters: DeadLetters) -> None:
    letters.put(letter())
    assert letters.read_all() == [replace(letter(), image="", first_seen=NOON, last_seen=NOON, attempts=1)]
    assert letters.image(letter().token) == letter().image
    assert letters.names() == {name(letter().token)}
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
    assert letters.read_all() == [replace(later, image="", first_seen=NOON, last_seen=NOON + 60, attempts=2)]
    assert letters.image(later.token) == ""


def test_each_key_has_its_own(letters: DeadLetters) -> None:
    for key in ("a", "b", "c"):
        letters.put(letter(key))
    letters.settle(letter("b").token)
    assert {each.key["pk"]["S"] for each in letters.read_all()} == {"a", "c"}
    assert letters.image(letter("b").token) == ""
    assert letters.count() == 2


def test_a_settled_letter_leaves_nothing_behind(letters: DeadLetters, store: Store) -> None:
    letters.put(letter())
    letters.settle(letter().token)
    assert store.count("letter") == store.count("letter-image") == 0


def test_a_key_refused_again_after_it_was_settled_starts_afresh(
    letters: DeadLetters, clock: FakeClock
) -> None:
    letters.put(letter())
    letters.settle(letter().token)
    clock.tick(60)
    letters.put(letter())
    [again] = letters.read_all()
    assert (again.first_seen, again.attempts) == (NOON + 60, 1)


def test_settling_what_is_not_there_changes_nothing(letters: DeadLetters) -> None:
    letters.settle("nothing")
    assert letters.count() == 0


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
    letters.settle(key_token(keys[0]))
    assert [each.key for each in letters.read_all()] == keys[1:]


def test_a_long_message_is_cut(letters: DeadLetters) -> None:
    letters.put(replace(letter(), message="m" * 5000))
    assert letters.read_all()[0].message == "m" * 1000


def test_looking_through_the_letters_does_not_read_the_images(letters: DeadLetters, store: Store) -> None:
    letters.put(letter(image="x" * 10_000))
    assert all("x" * 10_000 not in str(item) for item in store.query("letter"))
