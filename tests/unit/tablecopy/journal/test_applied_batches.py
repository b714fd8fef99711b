"""Applied batches are found by the exact name of their first record, also what is left of a divided one."""

from __future__ import annotations

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from tablecopy.dynamodb.client import DynamoDBClient, Json
from tablecopy.journal.applied_batches import AppliedBatch, AppliedBatches, batch_name
from tablecopy.journal.codec import number
from tablecopy.journal.leases import UnsettledWrite
from tablecopy.journal.store import Store
from tests.unit.tablecopy.fakes import NOON, FakeClock, client_error, name_of, no_answer

SHORT = "999999999999999999999"
LONG = "1000000000000000000000"
LONGEST = "4" * 40
NUMBERS = [SHORT, LONG, str(int(LONG) + 7), str(int(LONG) + 1000), LONGEST]


@pytest.fixture
def batches(store: Store, clock: FakeClock) -> AppliedBatches:
    return AppliedBatches(store, clock)


def batch(first: str, last: str | None = None) -> AppliedBatch:
    return AppliedBatch(name_of(first), last or first, records=3, puts=2, deletes=1)


def rest(first: str, last: str) -> AppliedBatch:
    """What was done counts once, in the whole batch."""
    return AppliedBatch(name_of(first), last, records=0, puts=0, deletes=0)


def names(numbers: Sequence[str] = NUMBERS) -> list[str]:
    return [name_of(each) for each in numbers]


def test_names_sort_like_the_value_of_their_number() -> None:
    assert sorted(names([LONGEST, LONG, SHORT])) == names([SHORT, LONG, LONGEST])


def test_two_records_with_one_number_have_two_names() -> None:
    assert batch_name(SHORT, "a" * 32) != batch_name(SHORT, "a" * 31 + "b")
    assert batch_name(SHORT, "a" * 32) == batch_name(SHORT.zfill(40), "a" * 32)


def test_a_batch_is_known_by_its_first_record(batches: AppliedBatches) -> None:
    batches.put(batch(SHORT, LONG), names([SHORT, LONG]))
    assert batches.get(name_of(SHORT)) == batch(SHORT, LONG)
    assert batches.get(name_of(LONG)) is None


def test_the_same_number_in_another_shard_is_another_batch(batches: AppliedBatches) -> None:
    batches.put(batch(SHORT, LONG), names([SHORT, LONG]))
    assert batches.get(batch_name(SHORT, "of another shard")) is None


def test_a_recorded_batch_never_gets_shorter(batches: AppliedBatches) -> None:
    batches.put(batch(SHORT, LONG), names())
    batches.put(batch(SHORT, LONGEST), names())
    batches.put(batch(SHORT, SHORT), names())
    assert batches.get(name_of(SHORT)) == batch(SHORT, LONGEST)


def test_a_record_outlives_the_batch(batches: AppliedBatches, store: Store) -> None:
    batches.put(batch(LONG), names([LONG]))
    item = store.get(f"batch#{name_of(LONG)}", "applied")
    assert item is not None
    assert item["expires_at"] == number(int(NOON) + 2 * 86_400)


class TestSplitting:
    def test_the_rest_becomes_a_batch_of_its_own(self, batches: AppliedBatches) -> None:
        batches.put(batch(SHORT, LONGEST), names())
        batches.split(batch(SHORT, LONGEST), LONG)
        assert batches.get(name_of(NUMBERS[2])) == rest(NUMBERS[2], LONGEST)
        assert batches.get(name_of(SHORT)) == batch(SHORT, LONGEST)

    def test_a_rest_can_be_split_again(self, batches: AppliedBatches) -> None:
        batches.put(batch(SHORT, LONGEST), names())
        batches.split(batch(SHORT, LONGEST), SHORT)
        batches.split(rest(LONG, LONGEST), NUMBERS[3])
        assert batches.get(name_of(LONGEST)) == rest(LONGEST, LONGEST)

    def test_every_division_leads_on_by_exact_names(self, batches: AppliedBatches) -> None:
        chance = random.Random(7)
        numbers = [str(10**24 + step) for step in sorted(chance.sample(range(10**6), 60))]
        batches.put(batch(numbers[0], numbers[-1]), names(numbers))
        position = 0
        while position < len(numbers):
            recorded = batches.get(name_of(numbers[position]))
            assert recorded is not None
            assert recorded.last == numbers[-1]
            end = position + chance.randint(1, 20)
            if end < len(numbers):
                batches.split(recorded, numbers[end - 1])
            position = end

    def test_a_batch_that_was_applied_in_part_is_split_within_that_part(
        self, batches: AppliedBatches
    ) -> None:
        batches.put(batch(SHORT, NUMBERS[3]), names())
        batches.split(batch(SHORT, NUMBERS[3]), LONG)
        assert batches.get(name_of(NUMBERS[2])) == rest(NUMBERS[2], NUMBERS[3])
        assert batches.get(name_of(LONGEST)) is None

    def test_the_last_number_stays_as_the_stream_spells_it(self, batches: AppliedBatches) -> None:
        numbers = [f"{value:030}" for value in (7, 9, 12)]
        batches.put(batch(numbers[0], numbers[2]), names(numbers))
        batches.split(batch(numbers[0], numbers[2]), numbers[0])
        assert batches.get(name_of(numbers[1])) == rest(numbers[1], numbers[2])


class TestSize:
    def test_a_small_batch_costs_one_write_unit(self, batches: AppliedBatches, store: Store) -> None:
        numbers = _scattered(80)
        batches.put(batch(numbers[0], numbers[-1]), names(numbers))
        assert _size(store, numbers[0]) <= 1024

    def test_a_full_batch_costs_less_than_a_hundredth_of_its_writes(
        self, batches: AppliedBatches, store: Store
    ) -> None:
        numbers = _scattered(1000)
        batches.put(batch(numbers[0], numbers[-1]), names(numbers))
        assert _size(store, numbers[0]) <= 9 * 1024

    def test_the_largest_batch_fits(self, batches: AppliedBatches, store: Store) -> None:
        # 10,000 records (event source mapping, BatchSize), further apart than those of any stream.
        numbers = [str(int(LONG) + index * 10**15 + index**3) for index in range(10_000)]
        batches.put(batch(LONG, numbers[-1]), names(numbers))
        assert _size(store, LONG) < 350_000
        batches.split(batch(LONG, numbers[-1]), numbers[-2])
        assert batches.get(name_of(numbers[-1])) is not None


def _scattered(count: int) -> list[str]:
    """Numbers with steps of up to 10,000."""
    chance = random.Random(7)
    value = 10**24
    return [str(value := value + chance.randint(1, 10_000)) for _ in range(count)]


def _size(store: Store, first: str) -> int:
    """The size of a batch's item: names and UTF-8 values, raw bytes, about 21 bytes a number at most."""
    item = store.get(f"batch#{name_of(first)}", "applied")
    assert item is not None
    sizes = {"S": len, "B": lambda value: len(value) * 3 // 4, "N": lambda _: 21}
    return sum(len(name) + sizes[kind](value) for name, each in item.items() for kind, value in each.items())


class TestFinding:
    def test_only_the_names_that_were_asked_for_are_found(self, batches: AppliedBatches) -> None:
        for each in NUMBERS:
            batches.put(batch(each), names([each]))
        asked = [name_of(SHORT), name_of(LONGEST), batch_name(LONG, "of another shard"), name_of(SHORT)]
        assert batches.find(asked) == {name_of(SHORT): batch(SHORT), name_of(LONGEST): batch(LONGEST)}

    def test_nothing_is_asked_for_nothing(self, clock: FakeClock) -> None:
        assert AppliedBatches(Store(_Calls(), "journal"), clock).find([]) == {}

    @pytest.mark.parametrize("parallel", [False, True])
    def test_a_hundred_names_are_one_call(self, clock: FakeClock, parallel: bool) -> None:
        calls = _Calls()
        asked = [name_of(str(10**24 + index)) for index in range(250)]
        batches = AppliedBatches(Store(calls, "journal"), clock)
        with ThreadPoolExecutor(3) as pool:
            found = batches.find(asked, pool if parallel else None)
        assert sorted(found) == asked
        assert sorted(map(len, calls.asked)) == [50, 100, 100]

    def test_what_is_left_unprocessed_is_asked_for_again(self, clock: FakeClock) -> None:
        calls = _Calls(at_most=30)
        asked = [name_of(str(10**24 + index)) for index in range(100)]
        assert sorted(AppliedBatches(Store(calls, "journal"), clock).find(asked)) == asked
        assert [len(each) for each in calls.asked] == [100, 70, 40, 10]
        assert len(clock.slept) == 3

    def test_a_journal_that_reads_nothing_is_an_error(self, clock: FakeClock) -> None:
        calls = _Calls(at_most=0)
        with pytest.raises(Exception, match="ProvisionedThroughputExceeded"):
            AppliedBatches(Store(calls, "journal"), clock).find([name_of(SHORT)])
        assert len(calls.asked) == 5


class _Calls(DynamoDBClient):
    """A journal in which every batch is applied, and which reads ``at_most`` items a call."""

    def __init__(self, at_most: int = 100) -> None:
        self.at_most = at_most
        self.asked: list[list[Json]] = []

    def call(self, operation: str, body: Json) -> Json:  # type: ignore[override]
        assert operation == "batch_get_item"
        request = body["RequestItems"]["journal"]
        assert request["ConsistentRead"] is True
        keys = request["Keys"]
        self.asked.append(keys)
        attributes = {
            "last": {"S": LONGEST},
            "records": {"N": "1"},
            "puts": {"N": "1"},
            "deletes": {"N": "0"},
        }
        left = keys[self.at_most :]
        return {
            "Responses": {"journal": [key | attributes for key in keys[: self.at_most]]},
            "UnprocessedKeys": {"journal": {"Keys": left, "ConsistentRead": True}} if left else {},
        }


class TestUnanswered:
    @pytest.mark.parametrize(
        "error",
        [no_answer(), client_error("InternalServerError", 500), client_error("ThrottlingException")],
        ids=["no answer", "500", "throttled"],
    )
    def test_a_record_that_may_still_be_written_is_unsettled(
        self, clock: FakeClock, error: Exception
    ) -> None:
        class Failing(DynamoDBClient):
            def __init__(self) -> None: ...

            def call(self, operation: str, body: object) -> Json:
                raise error

        batches = AppliedBatches(Store(Failing(), "journal"), clock)
        with pytest.raises(UnsettledWrite):
            batches.put(batch(SHORT), names([SHORT]))

    def test_one_that_was_written_before_its_answer_was_lost_is_settled(
        self, batches: AppliedBatches
    ) -> None:
        batches.put(batch(SHORT, LONG), names())
        batches.put(batch(SHORT, LONG), names())
