"""A mapping against the semantics AWS documents."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.tools.local.mapping.fakes import FakeShard, FunctionError, World, client_error, numbers


def failing_from(*failed: int) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": str(number)} for number in failed]}


def test_records_arrive_in_order_and_in_batches() -> None:
    world = World(batch_size=3)
    world.put(1, 2, 3, 4, 5, 6, 7)
    world.run()
    assert world.batches == [[1, 2, 3], [4, 5, 6], [7]]
    world.put(8)
    world.run()
    assert world.batches[3:] == [[8]]


def test_a_record_is_picked_up_within_a_quarter_of_a_second() -> None:
    world = World()
    world.run()
    world.put(1)
    world.run(0.25)
    assert world.batches == [[1]]


def test_an_idle_stream_is_not_read_all_the_time() -> None:
    world = World()
    world.run(10, tick=0.01)
    assert 40 <= world.clients.streams.reads <= 51


def test_the_window_waits_for_more_records() -> None:
    world = World(window=5, batch_size=10)
    world.run()
    world.put(1)
    world.run(3)
    world.put(2)
    assert world.batches == []
    world.run(3)
    assert world.batches == [[1, 2]]


def test_a_full_batch_does_not_wait_for_the_window() -> None:
    world = World(window=60, batch_size=2)
    world.put(1, 2, 3)
    world.run()
    assert world.batches == [[1, 2]]


def test_a_payload_stays_below_six_megabytes() -> None:
    world = World(batch_size=10_000, window=1)
    for number in range(1, 31):
        world.put(number)
        image = {"blob": {"B": "x" * 400_000}}
        world.clients.streams.shards["shard-0"].records[-1]["dynamodb"]["NewImage"] = image
    sizes: list[int] = []

    @world.handler
    def measure(event: dict[str, Any]) -> None:
        sizes.append(sum(len(record["dynamodb"]["NewImage"]["blob"]["B"]) for record in event["Records"]))

    world.run(5)
    assert [number for batch in world.batches for number in batch] == list(range(1, 31))
    assert max(sizes) == 15 * 400_000


# Enabled and disabled


def test_disabling_keeps_the_position() -> None:
    world = World(batch_size=2)
    world.put(1, 2)
    world.run()
    world.mapping.update(replace(world.settings, enabled=False))
    world.put(3, 4)
    world.run(10)
    assert world.batches == [[1, 2]]
    world.mapping.update(world.settings)
    world.run()
    assert world.batches == [[1, 2], [3, 4]]


def test_no_invocation_starts_while_disabled_but_one_under_way_counts() -> None:
    world = World(batch_size=1)
    world.put(1, 2)
    world.mapping.step()
    world.mapping.update(replace(world.settings, enabled=False))
    world.run()
    assert world.batches == [[1]]
    world.mapping.update(world.settings)
    world.run()
    assert world.batches == [[1], [2]]


def test_a_batch_that_fails_while_disabled_is_tried_again_when_enabled() -> None:
    world = World(batch_size=2)
    world.put(1, 2)

    @world.handler
    def fail(event: dict[str, Any]) -> None:
        raise FunctionError

    world.mapping.step()
    world.mapping.update(replace(world.settings, enabled=False))
    world.run(30)
    assert world.batches == [[1, 2]]
    world.handler(lambda event: None)
    world.mapping.update(world.settings)
    world.run()
    assert world.batches == [[1, 2], [1, 2]]


def test_created_disabled_it_begins_with_the_oldest_record_when_enabled() -> None:
    world = World(enabled=False)
    world.put(1)
    world.run(5)
    assert world.clients.streams.reads == 0
    world.mapping.update(replace(world.settings, enabled=True))
    world.run(0.05)
    world.put(2)
    world.run()
    assert [number for batch in world.batches for number in batch] == [1, 2]


# Lanes


# Failures


def test_a_failed_batch_is_tried_until_it_succeeds_and_blocks_its_shard() -> None:
    world = World(batch_size=2)
    attempts = 0

    @world.handler
    def fail_five_times(event: dict[str, Any]) -> None:
        nonlocal attempts
        attempts += 1
        if attempts <= 5:
            raise FunctionError

    world.put(1, 2, 3)
    world.run(10)
    assert world.batches == [[1, 2]] * 6 + [[3]]


def test_waits_grow_between_attempts() -> None:
    world = World(batch_size=2)
    times: list[float] = []

    @world.handler
    def fail(event: dict[str, Any]) -> None:
        times.append(world.clock.now())
        raise FunctionError

    world.put(1)
    world.run(20, tick=0.01)
    waits = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert waits[0] < 0.15
    assert all(0.5 <= wait <= 1.05 for wait in waits[5:])


def test_the_lowest_reported_number_is_the_checkpoint() -> None:
    world = World(batch_size=10, partial_responses=True)
    answers = [failing_from(5, 3), failing_from(4), None]
    world.handler(lambda event: answers.pop(0) if answers else None)
    world.put(1, 2, 3, 4, 5)
    world.run(5)
    assert world.batches == [[1, 2, 3, 4, 5], [3, 4, 5], [4, 5]]


def test_partial_responses_mean_nothing_to_a_mapping_without_them() -> None:
    world = World(batch_size=10)
    world.handler(lambda event: failing_from(2))
    world.put(1, 2, 3)
    world.run(5)
    assert world.batches == [[1, 2, 3]]


@pytest.mark.parametrize(
    "returned",
    [
        {"batchItemFailures": [{"itemIdentifier": ""}]},
        {"batchItemFailures": [{"itemIdentifier": None}]},
        {"batchItemFailures": [{"identifier": "2"}]},
        {"batchItemFailures": [{"itemIdentifier": "99"}]},
        {"batchItemFailures": [{"itemIdentifier": "3"}, {"itemIdentifier": "99"}]},
    ],
)
def test_an_identifier_that_is_not_understood_fails_the_whole_batch(returned: Any) -> None:
    world = World(batch_size=10, partial_responses=True)
    answers = [returned]
    world.handler(lambda event: answers.pop(0) if answers else None)
    world.put(1, 2, 3)
    world.run(5)
    assert world.batches == [[1, 2, 3], [1, 2, 3]]


@pytest.mark.parametrize("returned", [None, {}, {"batchItemFailures": []}, {"batchItemFailures": None}])
def test_an_empty_answer_is_success(returned: Any) -> None:
    world = World(batch_size=10, partial_responses=True)
    world.handler(lambda event: returned)
    world.put(1, 2, 3)
    world.run(5)
    assert world.batches == [[1, 2, 3]]


def test_throttling_is_tried_again() -> None:
    world = World()
    errors = ["TooManyRequestsException"] * 4 + ["ServiceException"] * 2
    invoke = world.functions.invoke

    def throttled(**arguments: Any) -> Any:
        if errors:
            raise client_error(errors.pop(0))
        return invoke(**arguments)

    world.functions.invoke = throttled  # type: ignore[method-assign, assignment]
    world.put(1, 2)
    world.run(10)
    assert world.batches == [[1, 2]]


# Permissions and settings that cannot be served


@pytest.mark.parametrize(
    "action",
    [
        "dynamodb:DescribeStream",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
        "dynamodb:ListStreams",
    ],
)
def test_a_role_without_a_stream_permission_reads_nothing(
    action: str, caplog: pytest.LogCaptureFixture
) -> None:
    world = World()
    world.clients.iam.denied = {action}
    world.put(1)
    world.run(5)
    assert world.clients.streams.reads == 0
    assert caplog.text.count("Cannot access stream") == 1
    world.clients.iam.denied = set()
    world.run(5)
    assert world.batches == [[1]]


def test_permissions_are_not_asked_for_all_the_time() -> None:
    world = World()
    world.run(30)
    assert world.clients.iam.questions <= 11


def test_what_is_not_supported_is_said_and_nothing_is_read(caplog: pytest.LogCaptureFixture) -> None:
    world = World(unsupported="FilterCriteria")
    world.put(1)
    world.run(5)
    assert world.clients.streams.reads == 0
    assert "PROBLEM: FilterCriteria is not supported" in caplog.text


def test_an_error_of_the_service_is_survived() -> None:
    world = World()
    world.clients.streams.errors = ["InternalServerError", "LimitExceededException"]
    world.put(1)
    world.run(5)
    assert world.batches == [[1]]


# Shards


def test_children_wait_for_their_parent_to_be_processed() -> None:
    world = World(batch_size=2)
    shards = world.clients.streams.shards
    shards["shard-0"] = FakeShard(closed=True)
    shards["shard-1"] = FakeShard(parent="shard-0")
    shards["shard-2"] = FakeShard(parent="shard-0")
    world.put(1, 2, 3)
    world.put(4, shard="shard-1")
    world.put(5, shard="shard-2")
    failures = 3

    @world.handler
    def fail_first(event: dict[str, Any]) -> None:
        nonlocal failures
        if 3 in numbers(event) and failures:
            failures -= 1
            raise FunctionError

    world.run(10)
    assert world.batches[:5] == [[1, 2], [3], [3], [3], [3]]
    assert sorted(world.batches[5:]) == [[4], [5]]


def test_every_page_of_shards_is_read() -> None:
    world = World()
    world.clients.streams.page = 2
    for index in range(1, 7):
        world.clients.streams.shards[f"shard-{index}"] = FakeShard()
        world.put(index, shard=f"shard-{index}")
    world.run()
    assert sorted(world.batches) == [[1], [2], [3], [4], [5], [6]]


def test_a_parent_that_is_trimmed_holds_up_nobody() -> None:
    world = World()
    world.clients.streams.shards["shard-0"] = FakeShard(parent="shard-of-yesterday")
    world.put(1)
    world.run()
    assert world.batches == [[1]]


# Whatever happens


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_nothing_is_lost_or_overtaken(data: st.DataObject) -> None:
    """A record is applied only when all before it are, whatever functions answer."""
    world = World(
        batch_size=data.draw(st.integers(1, 7), "batch size"),
        window=data.draw(st.sampled_from([0, 1]), "window"),
        partial_responses=data.draw(st.booleans(), "partial"),
    )
    count = data.draw(st.integers(1, 25), "records")
    places = data.draw(st.lists(st.integers(0, 9), max_size=30), "answers")
    applied: set[int] = set()

    @world.handler
    def answer(event: dict[str, Any]) -> Any:
        batch = numbers(event)
        place = places.pop(0) if places else 9
        if place < len(batch):
            if not world.settings.partial_responses or place == 0:
                raise FunctionError
            done, returned = batch[:place], failing_from(batch[place])
        else:
            done, returned = batch, {}
        for number in done:
            assert applied >= set(range(1, number)), f"{number} overtook another"
            applied.add(number)
        return returned

    world.put(*range(1, count // 2 + 1))
    world.run(data.draw(st.sampled_from([0.1, 2.0]), "first run"))
    world.put(*range(count // 2 + 1, count + 1))
    world.run(60)
    assert applied == set(range(1, count + 1))
    assert world.workers.under_way == []
