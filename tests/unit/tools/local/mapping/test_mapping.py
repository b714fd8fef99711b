"""A mapping against the semantics AWS documents."""

from __future__ import annotations

import itertools
import json
import zlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.tools.local.mapping.fakes import QUEUE, FakeShard, FunctionError, World, client_error, numbers


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


def test_latest_leaves_out_what_was_there_before() -> None:
    world = World(starting_position="LATEST")
    world.put(1, 2)
    world.run()
    world.put(3)
    world.run()
    assert world.batches == [[3]]


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


@pytest.mark.parametrize(("position", "expected"), [("TRIM_HORIZON", [[1, 2]]), ("LATEST", [[2]])])
def test_created_disabled_it_begins_at_its_starting_position_when_enabled(
    position: str, expected: list[list[int]]
) -> None:
    world = World(enabled=False, starting_position=position)
    world.put(1)
    world.run(5)
    assert world.clients.streams.reads == 0
    world.mapping.update(replace(world.settings, enabled=True))
    world.run(0.05)
    world.put(2)
    world.run()
    assert [number for batch in world.batches for number in batch] == [n for batch in expected for n in batch]


def test_latest_keeps_its_place_through_hours_of_being_disabled() -> None:
    world = World(starting_position="LATEST")
    world.put(1)
    world.run()
    world.mapping.update(replace(world.settings, enabled=False))
    for _ in range(20):
        issued = len(world.clients.streams.issued)
        world.run(600, tick=60)
        # Ten minutes and more are taken for the fifteen an iterator lives.
        world.clients.streams.expire_iterators(issued)
    world.put(2)
    world.mapping.update(world.settings)
    world.run(2)
    assert world.batches == [[2]]


# Lanes


def test_records_of_a_key_share_a_lane() -> None:
    world = World(lanes=4, batch_size=100)
    keys = "abcdefghij"
    world.put(*[(number, keys[number % 10]) for number in range(1, 101)])
    world.run()
    assert len(world.batches) == 4
    lane_of: dict[str, int] = {}
    for lane, event in enumerate(world.functions.events):
        assert numbers(event) == sorted(numbers(event))
        for record in event["Records"]:
            assert lane_of.setdefault(record["dynamodb"]["Keys"]["pk"]["S"], lane) == lane


def test_a_blocked_lane_holds_up_no_other() -> None:
    world = World(lanes=2, batch_size=5)

    @world.handler
    def fail_for_a(event: dict[str, Any]) -> None:
        if any(record["dynamodb"]["Keys"]["pk"]["S"] == "a" for record in event["Records"]):
            raise FunctionError

    world.put((1, "a"))
    other = next(key for key in "bcdefgh" if _lane(key, 2) != _lane("a", 2))
    # Page after page, far more than the blocked lane takes for its next batch.
    for number in range(2, 3000, 2):
        world.put((number, "a"), (number + 1, other))
    world.run(40)
    processed = {n for batch in world.batches for n in batch if n % 2}
    assert processed >= set(range(3, 3000, 2))


def _lane(key: str, lanes: int) -> int:
    return zlib.crc32(json.dumps({"pk": {"S": key}}).encode()) % lanes


def test_a_lane_under_way_does_not_wait_for_another() -> None:
    world = World(lanes=2, batch_size=1)
    other = next(key for key in "bcdefgh" if _lane(key, 2) != _lane("a", 2))
    world.put((1, "a"), (2, other))
    world.mapping.step()
    assert len(world.workers.under_way) == 2


def test_lanes_can_be_changed_without_losing_or_reordering_anything() -> None:
    world = World(lanes=1, batch_size=1)
    world.put(*[(number, "abc"[number % 3]) for number in range(1, 31)])
    world.run(0.2)
    world.mapping.update(replace(world.settings, lanes=3, batch_size=2))
    world.run(10)
    for key in range(3):
        of_key = [n for batch in world.batches for n in batch if n % 3 == key]
        assert of_key == [n for n in range(1, 31) if n % 3 == key]


# Failures


def test_a_failed_batch_is_tried_until_it_succeeds_and_blocks_its_lane() -> None:
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


def test_bisecting_finds_the_bad_record_and_costs_no_retries() -> None:
    world = World(batch_size=8, bisect=True, maximum_retries=1, on_failure=QUEUE)

    @world.handler
    def fail_on_six(event: dict[str, Any]) -> None:
        if 6 in numbers(event):
            raise FunctionError

    world.put(*range(1, 9))
    world.run(20)
    assert world.batches == [
        [1, 2, 3, 4, 5, 6, 7, 8],
        [1, 2, 3, 4],
        [5, 6, 7, 8],
        [5, 6],
        [5],
        [6],
        [6],
        [7, 8],
    ]
    [message] = world.clients.sqs.messages
    assert message["DDBStreamBatchInfo"]["startSequenceNumber"] == "6"
    assert message["DDBStreamBatchInfo"]["endSequenceNumber"] == "6"


def test_bisecting_a_partial_response_splits_at_the_reported_number() -> None:
    world = World(batch_size=8, bisect=True, partial_responses=True, maximum_retries=0, on_failure=QUEUE)
    answers = [failing_from(3), failing_from(5), None]
    world.handler(lambda event: answers.pop(0) if answers else None)
    world.put(*range(1, 9))
    world.run(5)
    assert world.batches == [[1, 2, 3, 4, 5, 6, 7, 8], [3, 4, 5, 6, 7, 8], [5, 6, 7, 8]]
    assert world.clients.sqs.messages == []


def test_after_the_last_retry_the_batch_goes_to_the_failure_destination() -> None:
    world = World(batch_size=3, partial_responses=True, maximum_retries=2, on_failure=QUEUE)
    world.handler(lambda event: failing_from(2) if 2 in numbers(event) else None)
    world.put(1, 2, 3, 4)
    world.run(20)
    assert world.batches == [[1, 2, 3], [2, 3], [2, 3], [4]]
    [message] = world.clients.sqs.messages
    assert message["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert message["requestContext"]["approximateInvokeCount"] == 3
    info = message["DDBStreamBatchInfo"]
    assert (info["shardId"], info["startSequenceNumber"], info["endSequenceNumber"]) == ("shard-0", "2", "3")
    assert info["batchSize"] == 2


def test_no_retries_means_one_attempt() -> None:
    world = World(batch_size=3, maximum_retries=0, on_failure=QUEUE)

    @world.handler
    def fail(event: dict[str, Any]) -> None:
        raise FunctionError

    world.put(1, 2)
    world.run(5)
    assert world.batches == [[1, 2]]
    assert len(world.clients.sqs.messages) == 1


def test_records_that_get_too_old_are_discarded() -> None:
    world = World(batch_size=3, maximum_age=60, on_failure=QUEUE)

    @world.handler
    def fail_on_one(event: dict[str, Any]) -> None:
        if 1 in numbers(event):
            raise FunctionError

    world.put(1)
    world.run(30)
    world.put(2)
    world.run(40)
    assert world.batches[-1] == [2]
    [message] = world.clients.sqs.messages
    assert message["requestContext"]["condition"] == "RecordAgeExceeded"
    assert message["DDBStreamBatchInfo"]["endSequenceNumber"] == "1"


def test_a_backlog_older_than_allowed_is_never_sent_to_the_function() -> None:
    world = World(maximum_age=60, on_failure=QUEUE)
    world.put(1)
    world.clock.advance(3600)
    world.put(2)
    world.run()
    assert world.batches == [[2]]
    [message] = world.clients.sqs.messages
    assert message["requestContext"]["approximateInvokeCount"] == 0
    assert "responseContext" not in message


def test_throttling_is_tried_again_and_not_counted() -> None:
    world = World(maximum_retries=0, bisect=True, on_failure=QUEUE)
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
    assert world.clients.sqs.messages == []


def test_without_a_destination_records_are_just_dropped() -> None:
    world = World(batch_size=1, maximum_retries=0)

    @world.handler
    def fail_on_one(event: dict[str, Any]) -> None:
        if 1 in numbers(event):
            raise FunctionError

    world.put(1, 2)
    world.run(5)
    assert world.batches == [[1], [2]]


def test_a_destination_in_trouble_is_tried_again() -> None:
    world = World(maximum_retries=0, on_failure=QUEUE)
    world.clients.sqs.errors = ["ServiceUnavailable"] * 3

    @world.handler
    def fail(event: dict[str, Any]) -> None:
        raise FunctionError

    world.put(1)
    world.run(10)
    assert len(world.clients.sqs.messages) == 1


def test_a_role_that_may_not_send_sends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    world = World(batch_size=1, maximum_retries=0, on_failure=QUEUE)
    world.clients.iam.denied = {"sqs:SendMessage"}

    @world.handler
    def fail_on_one(event: dict[str, Any]) -> None:
        if 1 in numbers(event):
            raise FunctionError

    world.put(1, 2)
    world.run(5)
    assert world.clients.sqs.messages == []
    assert world.batches == [[1], [2]]
    assert "sqs:SendMessage" in caplog.text


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


def test_latest_reads_a_later_child_from_its_beginning() -> None:
    world = World(starting_position="LATEST")
    world.put(1)
    world.run()
    shards = world.clients.streams.shards
    world.put(2)
    shards["shard-0"].closed = True
    shards["shard-1"] = FakeShard(parent="shard-0")
    world.put(3, shard="shard-1")
    world.run(10)
    assert world.batches == [[2], [3]]


def test_latest_leaves_closed_shards_alone() -> None:
    world = World(starting_position="LATEST")
    shards = world.clients.streams.shards
    world.put(1)
    shards["shard-0"].closed = True
    shards["shard-1"] = FakeShard(parent="shard-0")
    world.run()
    world.put(2, shard="shard-1")
    world.run()
    assert world.batches == [[2]]


# Whatever happens


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_nothing_is_lost_or_overtaken(data: st.DataObject) -> None:
    """Per key, a record is applied only when all before it are, whatever functions answer."""
    maximum_retries = data.draw(st.sampled_from([None, 0, 2]), "retries")
    world = World(
        batch_size=data.draw(st.integers(1, 7), "batch size"),
        lanes=data.draw(st.integers(1, 3), "lanes"),
        window=data.draw(st.sampled_from([0, 1]), "window"),
        bisect=data.draw(st.booleans(), "bisect"),
        partial_responses=data.draw(st.booleans(), "partial"),
        maximum_retries=maximum_retries,
        on_failure=QUEUE,
    )
    keys = data.draw(st.lists(st.sampled_from("abcd"), min_size=1, max_size=25), "keys")
    places = data.draw(st.lists(st.integers(0, 9), max_size=30), "answers")
    settled: set[int] = set()

    def settled_before(number: int) -> bool:
        key = keys[number - 1]
        return all(n in settled for n in range(1, number) if keys[n - 1] == key)

    @world.handler
    def answer(event: dict[str, Any]) -> Any:
        batch = numbers(event)
        discarded = [
            n
            for message in world.clients.sqs.messages
            for n in range(
                int(message["DDBStreamBatchInfo"]["startSequenceNumber"]),
                int(message["DDBStreamBatchInfo"]["endSequenceNumber"]) + 1,
            )
        ]
        settled.update(n for n in discarded)
        place = places.pop(0) if places else 9
        if place < len(batch):
            if not world.settings.partial_responses or place == 0:
                raise FunctionError
            applied, returned = batch[:place], failing_from(batch[place])
        else:
            applied, returned = batch, {}
        for number in applied:
            assert settled_before(number), f"{number} overtook another"
            settled.add(number)
        return returned

    half = len(keys) // 2
    for number, key in enumerate(keys[:half], 1):
        world.put((number, key))
    world.run(data.draw(st.sampled_from([0.1, 2.0]), "first run"))
    for number, key in enumerate(keys[half:], half + 1):
        world.put((number, key))
    world.run(60)
    if maximum_retries is None:
        assert settled == set(range(1, len(keys) + 1))
    assert world.workers.under_way == []
