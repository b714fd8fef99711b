"""What is refused becomes letters that say what it was."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tablecopy.data.dead_letters import DeadLetterSink
from tablecopy.data.writer import Rejected
from tablecopy.dynamodb.client import encode
from tablecopy.dynamodb.requests import delete, key_token, put
from tablecopy.journal.dead_letters import DeadLetters, Origin
from tablecopy.journal.run import Phase, Run, RunRecord
from tablecopy.journal.store import Store
from tests.unit.tablecopy.fakes import NOON, FakeClock, MemoryStore

ITEM = {"v": {"S": "secret"}, "sk": {"N": "1"}, "pk": {"S": "a"}}
KEY = {"pk": {"S": "a"}, "sk": {"N": "1"}}
GONE = {"pk": {"S": "gone"}, "sk": {"N": "2"}}


@pytest.fixture
def letters(store: Store, clock: FakeClock) -> DeadLetters:
    return begun(store, clock)


def begun(store: Store, clock: FakeClock) -> DeadLetters:
    RunRecord(store).create(Run("run", "arn:stream", 4, NOON, Phase.DRAINING, NOON))
    return DeadLetters(store, clock)


def refused(*requests: bytes) -> Rejected:
    return Rejected(tuple(requests), "ValidationException", "Type mismatch for Index Key")


def test_each_request_becomes_a_letter(letters: DeadLetters) -> None:
    requests = [put(encode(ITEM)), delete(GONE)]
    numbers = {requests[0]: "17", requests[1]: "18"}
    sink = DeadLetterSink(letters, Origin.STREAM, ["pk", "sk"], numbers)
    sink.put(refused(*requests))
    kept = {letter.token: letter for letter in letters.read_all()}
    assert kept.keys() == sink.tokens == {key_token(KEY), key_token(GONE)}
    one, other = kept[key_token(KEY)], kept[key_token(GONE)]
    assert (one.key, one.action, one.sequence_number) == (KEY, "put", "17")
    assert (other.key, other.action, other.sequence_number) == (GONE, "delete", "18")
    assert (one.code, one.message) == ("ValidationException", "Type mismatch for Index Key")
    assert json.loads(letters.image(one.token)) == ITEM
    assert letters.image(other.token) == ""


def test_an_item_of_the_backfill_has_no_sequence_number(letters: DeadLetters) -> None:
    DeadLetterSink(letters, Origin.BACKFILL, ["pk", "sk"]).put(refused(put(encode(ITEM))))
    [letter] = letters.read_all()
    assert (letter.origin, letter.sequence_number) == (Origin.BACKFILL, "")


def test_a_lone_surrogate_is_kept(clock: FakeClock) -> None:
    item = {"pk": {"S": "\ud800"}, "sk": {"N": "1"}, "v": {"S": "a\udc00"}}
    # In memory, because moto cannot answer with it.
    store = MemoryStore()
    letters = begun(store, clock)
    DeadLetterSink(letters, Origin.STREAM, ["pk", "sk"]).put(refused(put(encode(item))))
    [letter] = letters.read_all()
    assert letter.key == {"pk": {"S": "\ud800"}, "sk": {"N": "1"}}
    assert json.loads(letters.image(letter.token)) == item
    for kept in store.partitions.values():
        assert json.loads(encode(kept)) == kept


def test_no_value_is_logged(letters: DeadLetters, capsys: pytest.CaptureFixture[str]) -> None:
    DeadLetterSink(letters, Origin.BACKFILL, ["pk", "sk"]).put(refused(put(encode(ITEM))))
    out = capsys.readouterr().out
    assert json.loads(out) == {
        "event": "dead_letter",
        "origin": "backfill",
        "code": "ValidationException",
        "writes": 1,
    }


def test_several_threads_may_put(letters: DeadLetters) -> None:
    requests = [put(encode({**ITEM, "sk": {"N": str(index)}})) for index in range(20)]
    sink = DeadLetterSink(letters, Origin.BACKFILL, ["pk", "sk"])
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda request: sink.put(refused(request)), requests))
    assert letters.count() == len(sink.tokens) == 20
