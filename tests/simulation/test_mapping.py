"""The event source mapping, one rule in each test."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby, pairwise
from typing import Any

import pytest

from tablecopy.handlers.context import Context
from tools.simulation import names
from tools.simulation.behavior import DAY, StreamBehavior
from tools.simulation.errors import ServiceError
from tools.simulation.functions import Answer, FunctionSettings, Handler, Lambda, LambdaFaults
from tools.simulation.machine import SimMachine
from tools.simulation.mapping import OK, PROBLEM, EventSourceMapping, MappingFaults, processed
from tools.simulation.scheduler import World
from tools.simulation.streams import Record
from tools.simulation.table import Table, TableSettings

Json = dict[str, Any]

QUIET = {"shard_life": (10 * DAY, 11 * DAY), "late_record": 0.0}
SUCCESS: Json = {"batchItemFailures": []}


def failing(number: str) -> Json:
    """Return the answer that reports one record."""
    return {"batchItemFailures": [{"itemIdentifier": number}]}


class Copy:
    """A table with a stream, a mapping, and a function that answers what ``answer`` says of a batch."""

    def __init__(
        self,
        answer: Callable[[list[str], SimMachine], Any] = lambda numbers, machine: SUCCESS,
        behavior: Json | None = None,
        function: Json | None = None,
        faults: Json | None = None,
        **mapping: Any,
    ) -> None:
        self.world = World(1)
        self.lambda_ = Lambda(self.world, faults=LambdaFaults(skew=0.0, slow_start=0.3))
        settings = TableSettings(
            names.SOURCE_TABLE,
            key=(("pk", "S"),),
            stream="NEW_IMAGE",
            stream_behavior=StreamBehavior(**{**QUIET, **(behavior or {})}),
        )
        self.table = Table(self.world, names.table_arn(names.SOURCE_ACCOUNT, names.SOURCE_TABLE), settings)
        assert self.table.stream is not None
        self.stream = self.table.stream
        # The moment, the keys' values, and the sequence numbers of each delivery.
        self.deliveries: list[tuple[float, list[str], list[str]]] = []
        self.given_up: list[int] = []
        self._written = 0

        def build(environ: Mapping[str, str], machine: SimMachine) -> Handler:
            def handle(event: Json, context: Context) -> Any:
                records = [record["dynamodb"] for record in event["Records"]]
                numbers = [record["SequenceNumber"] for record in records]
                keys = [record["Keys"]["pk"]["S"] for record in records]
                self.deliveries.append((self.world.now, keys, numbers))
                return answer(numbers, machine)

            return handle

        self.lambda_.deploy(FunctionSettings("f", build, {}, **{"timeout": 60.0, **(function or {})}))
        self.mapping = EventSourceMapping(
            self.world,
            names.MAPPING_UUID,
            self.stream,
            self.lambda_,
            names.function_arn("f"),
            faults=MappingFaults(**(faults or {})),
            give_up=self.given_up.append,
            **mapping,
        )

    def write(self, count: int = 1) -> None:
        """Write new items, with keys "0", "1" and so on."""
        for _ in range(count):
            self.table.put(json.dumps({"pk": {"S": str(self._written)}}).encode())
            self._written += 1

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.world.run(self.world.now + seconds)

    def enable(self) -> None:
        """Enable the mapping and wait for it."""
        self.mapping.update(enabled=True)
        self.run(30)
        assert self.mapping.state == "Enabled"

    def disable(self) -> None:
        """Disable the mapping and wait for it."""
        self.mapping.update(enabled=False)
        self.run(30)
        assert self.mapping.state == "Disabled"

    @property
    def keys(self) -> list[list[str]]:
        """The keys of each delivery."""
        return [keys for _, keys, _ in self.deliveries]


def texts(*values: int) -> list[str]:
    return [str(value) for value in values]


def test_nothing_is_delivered_while_disabled() -> None:
    copy = Copy()
    copy.write()
    copy.run(600)
    assert copy.deliveries == []


def test_enabling_begins_at_the_horizon() -> None:
    copy = Copy()
    copy.write(3)
    copy.enable()
    assert copy.keys == [texts(0, 1, 2)]


def test_enabling_and_disabling_take_a_while() -> None:
    copy = Copy(faults={"switch": (5.0, 10.0)})
    copy.mapping.update(enabled=True)
    assert copy.mapping.state == "Enabling"
    copy.run(4)
    assert copy.mapping.state == "Enabling"
    with pytest.raises(ServiceError, match="ResourceInUseException"):
        copy.mapping.update(enabled=False)
    copy.run(6)
    assert copy.mapping.state == "Enabled"
    copy.mapping.update(enabled=False)
    assert copy.mapping.state == "Disabling"
    copy.run(10)
    assert copy.mapping.state == "Disabled"


def test_enabling_again_goes_on_where_it_was() -> None:
    copy = Copy()
    copy.enable()
    copy.write(2)
    copy.run(10)
    copy.disable()
    copy.write(2)
    copy.run(600)
    copy.enable()
    assert copy.keys == [texts(0, 1), texts(2, 3)]


def test_batch_size() -> None:
    copy = Copy(batch_size=2)
    copy.write(5)
    copy.enable()
    assert copy.keys == [texts(0, 1), texts(2, 3), texts(4)]


def test_batching_window() -> None:
    """A batch waits for more records until the window ends."""
    copy = Copy(window=10.0)
    copy.enable()
    copy.write()
    copy.run(5)
    copy.write()
    copy.run(30)
    assert copy.keys == [texts(0, 1)]


def test_a_record_that_cannot_be_read_yet_is_delivered_later() -> None:
    copy = Copy(behavior={"delay": 8.0}, window=0)
    copy.enable()
    for count in range(2, 22, 2):
        copy.write()
        copy.run(0.3)
        # The poller is about to read the first one, and may look before the second one can be read.
        copy.write()
        copy.run(30)
        assert [key for keys in copy.keys for key in keys] == texts(*range(count))


def test_processed_records_are_told() -> None:
    copy = Copy(batch_size=2)
    told: list[tuple[str, str]] = []
    copy.mapping.on_processed.append(lambda shard, after, last: told.append((after, last)))
    copy.enable()
    copy.write(3)
    copy.run(5)
    [first, second] = [numbers for _, _, numbers in copy.deliveries]
    assert told == [("", first[-1]), (first[-1], second[-1])]


def test_a_full_batch_does_not_wait() -> None:
    copy = Copy(window=300.0, batch_size=2)
    copy.enable()
    copy.write(2)
    copy.run(10)
    assert copy.keys == [texts(0, 1)]


def test_one_invocation_of_a_shard_at_a_time() -> None:
    running = most = 0

    def answer(numbers: list[str], machine: SimMachine) -> Json:
        nonlocal running, most
        running += 1
        most = max(most, running)
        machine.sleep(20)
        running -= 1
        return SUCCESS

    copy = Copy(answer, batch_size=1)
    copy.write(4)
    copy.enable()
    copy.run(600)
    assert most == 1
    assert copy.keys == [texts(0), texts(1), texts(2), texts(3)]


def test_shards_in_parallel() -> None:
    running = most = 0

    def answer(numbers: list[str], machine: SimMachine) -> Json:
        nonlocal running, most
        running += 1
        most = max(most, running)
        machine.sleep(30)
        running -= 1
        return SUCCESS

    copy = Copy(answer, {"shards": 4})
    copy.write(50)
    copy.enable()
    copy.run(60)
    assert most == 4


def test_the_rest_of_a_batch_is_delivered_again() -> None:
    def answer(numbers: list[str], machine: SimMachine) -> Json:
        return failing(numbers[2]) if len(numbers) == 4 else SUCCESS

    copy = Copy(answer)
    copy.write(4)
    copy.enable()
    copy.run(60)
    assert copy.keys == [texts(0, 1, 2, 3), texts(2, 3)]
    assert copy.mapping.last_result == OK


@pytest.mark.parametrize("error", [ValueError("no"), None])
def test_a_failed_batch_is_delivered_again_as_a_whole(error: Exception | None) -> None:
    """After an error of the function, and after its timeout."""

    def answer(numbers: list[str], machine: SimMachine) -> Json:
        if len(copy.deliveries) > 1:
            return SUCCESS
        if error:
            raise error
        machine.sleep(100)
        return SUCCESS

    copy = Copy(answer)
    copy.write(3)
    copy.enable()
    copy.run(100)
    assert copy.keys == [texts(0, 1, 2)] * 2


def test_a_failing_batch_holds_up_its_shard() -> None:
    def answer(numbers: list[str], machine: SimMachine) -> Json:
        raise ValueError

    copy = Copy(answer, batch_size=1)
    copy.write(2)
    copy.enable()
    copy.run(600)
    assert len(copy.keys) > 30
    assert set(map(tuple, copy.keys)) == {("0",)}
    assert copy.mapping.last_result == PROBLEM


def test_a_throttled_function_is_invoked_again() -> None:
    copy = Copy(function={"reserved": 0})
    copy.write()
    copy.enable()
    assert copy.deliveries == []
    copy.lambda_.deploy(FunctionSettings("f", copy.lambda_.functions["f"].settings.build, {}, 60.0))
    copy.run(60)
    assert copy.keys == [texts(0)]


def test_parents_come_before_children() -> None:
    """A child is read after all records of its parent are processed, however long that takes."""

    def answer(numbers: list[str], machine: SimMachine) -> Json:
        if fails:
            raise ValueError
        return SUCCESS

    fails = True
    copy = Copy(answer, {"shard_life": (600.0, 600.0), "late_child": 0.0})
    copy.write(2)
    copy.run(700)
    copy.write(2)
    copy.enable()
    copy.run(60)
    assert set(map(tuple, copy.keys)) == {("0", "1")}
    fails = False
    copy.run(60)
    assert copy.keys[-2:] == [texts(0, 1), texts(2, 3)]


def test_children_that_are_listed_late() -> None:
    late = {"shard_life": (600.0, 600.0), "split": 1.0, "late_child": 1.0, "late_child_seconds": (50.0, 60.0)}
    copy = Copy(behavior=late)
    copy.enable()
    copy.run(600)
    copy.write(20)
    copy.run(100)
    assert sorted(key for keys in copy.keys for key in keys) == sorted(texts(*range(20)))
    assert len(copy.keys) == 2


def test_children_that_are_listed_while_and_after_the_mapping_is_enabled_again() -> None:
    late = {"shard_life": (600.0, 600.0), "split": 1.0, "late_child": 1.0, "late_child_seconds": (20.0, 60.0)}
    for seconds in range(0, 60, 10):
        copy = Copy(behavior=late)
        copy.enable()
        # The only shard ends at a moment within its life.
        while not copy.mapping.finished:
            copy.run(1)
        copy.disable()
        copy.run(seconds)
        copy.enable()
        copy.run(60)
        copy.write(20)
        copy.run(30)
        assert sorted(key for keys in copy.keys for key in keys) == sorted(texts(*range(20)))


def test_the_second_child_of_a_split_is_listed_later() -> None:
    copy = Copy(behavior={"shard_life": (600.0, 600.0), "split": 1.0})
    copy.enable()
    parent = copy.stream.listed()[0]
    copy.world.run(copy.world.now + 600, lambda: parent.is_closed)
    first, second = parent.children
    first.listed, second.listed = copy.world.now, copy.world.now + 60
    copy.write(20)
    copy.run(50)
    assert len(copy.deliveries) == 1
    copy.run(50)
    assert len(copy.deliveries) == 2


def test_trimmed_records_are_skipped() -> None:
    copy = Copy(behavior={"retention": 3600.0})
    copy.write(2)
    copy.run(5000)
    copy.write(2)
    copy.enable()
    assert copy.keys == [texts(2, 3)]


def test_a_batch_is_held_while_its_records_are_trimmed_and_then_given_up() -> None:
    def answer(numbers: list[str], machine: SimMachine) -> Json:
        raise ValueError

    copy = Copy(answer, faults={"held": 3600.0, "backoff": 300.0})
    copy.write(2)
    copy.enable()
    copy.run(DAY + 1800)
    assert copy.stream.read(copy.stream.listed()[0].id, "") == []
    copy.run(3600)
    last = copy.deliveries[-1][0] - copy.deliveries[0][0]
    assert DAY < last < DAY + 3600
    assert copy.given_up == [2]
    copy.run(3600)
    assert copy.given_up == [2]


def test_a_batch_is_delivered_twice() -> None:
    copy = Copy(faults={"duplicated": 0.5})
    copy.write()
    copy.enable()
    copy.write()
    copy.run(60)
    copy.write()
    copy.run(60)
    assert len(copy.keys) > 3
    assert [keys for keys, _ in groupby(copy.keys)] == [texts(0), texts(1), texts(2)]


def test_a_poller_gives_up_waiting_and_delivers_again() -> None:
    running = most = 0

    def answer(numbers: list[str], machine: SimMachine) -> Json:
        nonlocal running, most
        running += 1
        most = max(most, running)
        machine.sleep(59)
        running -= 1
        return SUCCESS

    copy = Copy(answer, faults={"gives_up": 1.0})
    copy.write()
    copy.enable()
    copy.run(300)
    assert most > 1


def test_a_poller_falls_back() -> None:
    """It begins at an earlier checkpoint, with batches of another size, and gets to the end all the same."""
    copy = Copy(batch_size=3, faults={"falls_back": 0.3})
    copy.write(30)
    copy.enable()
    copy.run(600)
    firsts = [int(keys[0]) for keys in copy.keys]
    assert any(later < earlier for earlier, later in pairwise(firsts))
    assert {len(keys) for keys in copy.keys} == {1, 2, 3}
    assert copy.keys[-1][-1] == "29"


def test_an_invocation_after_disabled() -> None:
    copy = Copy(faults={"late": 1.0, "latest": 60.0, "switch": (2.0, 3.0)})
    copy.enable()
    copy.mapping.update(enabled=False)
    copy.run(3)
    assert copy.mapping.state == "Disabled"
    copy.write()
    copy.run(5)
    assert copy.keys == [texts(0)]
    copy.run(100)
    copy.write()
    copy.run(100)
    assert copy.keys == [texts(0)]


def test_an_enabled_mapping_outlives_its_late_pollers() -> None:
    copy = Copy(faults={"late": 1.0, "latest": 60.0, "switch": (2.0, 3.0)})
    copy.enable()
    copy.mapping.update(enabled=False)
    copy.run(3)
    copy.mapping.update(enabled=True)
    copy.run(300)
    copy.write()
    copy.run(10)
    assert copy.keys == [texts(0)]


def test_an_invocation_that_ends_after_disabling_is_checkpointed() -> None:
    def answer(numbers: list[str], machine: SimMachine) -> Json:
        machine.sleep(50)
        return SUCCESS

    copy = Copy(answer, faults={"switch": (2.0, 3.0)})
    copy.enable()
    copy.write()
    copy.run(5)
    assert len(copy.keys) == 1
    copy.mapping.update(enabled=False)
    copy.run(100)
    copy.enable()
    assert len(copy.keys) == 1


def test_a_late_answer_to_an_earlier_poller_moves_nothing() -> None:
    def answer(numbers: list[str], machine: SimMachine) -> Json:
        if len(copy.deliveries) == 1:
            machine.sleep(55)
        return SUCCESS

    copy = Copy(answer, faults={"switch": (2.0, 3.0)})
    copy.enable()
    copy.write()
    copy.run(3)
    for enabled in (False, True):
        copy.mapping.update(enabled=enabled)
        copy.run(5)
    copy.write()
    copy.run(100)
    assert copy.keys == [texts(0), texts(0), texts(1)]
    assert list(copy.mapping.checkpoints.values()) == [copy.deliveries[-1][2][-1]]


@pytest.fixture(scope="module")
def batch() -> Sequence[Record]:
    copy = Copy()
    copy.write(3)
    copy.run(10)
    return copy.stream.read(copy.stream.listed()[0].id, "")


@pytest.mark.parametrize("payload", [None, {}, {"batchItemFailures": None}, SUCCESS, {"other": 1}])
def test_success(payload: Any, batch: Sequence[Record]) -> None:
    assert processed(Answer(payload), batch) == 3


@pytest.mark.parametrize("failures", [[2], [2, 1], [1, 2], [1, 1], [0]])
def test_the_lowest_sequence_number_is_the_checkpoint(failures: list[int], batch: Sequence[Record]) -> None:
    entries = [{"itemIdentifier": batch[place].sequence_number} for place in failures]
    assert processed(Answer({"batchItemFailures": entries}), batch) == min(failures)


@pytest.mark.parametrize(
    "payload",
    [
        [],
        "text",
        {"batchItemFailures": {}},
        failing(""),
        failing("12345"),
        {"batchItemFailures": [{"itemIdentifier": None}]},
        {"batchItemFailures": [{"wrongName": "1"}]},
        {"batchItemFailures": ["1"]},
    ],
)
def test_complete_failure(payload: Any, batch: Sequence[Record]) -> None:
    assert processed(Answer(payload), batch) == 0


def test_an_error_is_complete_failure(batch: Sequence[Record]) -> None:
    assert processed(Answer(SUCCESS, error="ValueError"), batch) == 0


def test_one_unknown_identifier_fails_the_whole_batch(batch: Sequence[Record]) -> None:
    entries = [{"itemIdentifier": batch[2].sequence_number}, {"itemIdentifier": "1"}]
    assert processed(Answer({"batchItemFailures": entries}), batch) == 0


def test_a_poller_is_one_of_the_readers_of_its_shard() -> None:
    copy = Copy(behavior={"readers": 2, "reader_throttled": 1.0})
    shard = copy.stream.listed()[0]
    assert copy.stream.admits(shard, "control")
    assert copy.stream.admits(shard, "another")
    copy.enable()
    assert copy.stream.admits(shard, "control")
    assert not copy.stream.admits(shard, "another")
    copy.disable()
    assert copy.stream.admits(shard, "control")
    assert copy.stream.admits(shard, "another")


def test_changed_settings_restart_the_pollers() -> None:
    copy = Copy()
    copy.enable()
    copy.write(2)
    copy.run(10)
    copy.mapping.configure(1, 0.0)
    assert copy.mapping.state == "Updating"
    copy.run(30)
    assert copy.mapping.state == "Enabled"
    copy.write(2)
    copy.run(10)
    assert copy.keys == [texts(0, 1), texts(2), texts(3)]


def test_changed_faults_are_followed() -> None:
    copy = Copy(faults={"duplicated": 1.0})
    copy.enable()
    copy.write()
    copy.run(60)
    assert len(copy.keys) > 2
    copy.mapping.faults = MappingFaults()
    copy.run(10)
    delivered = len(copy.keys)
    copy.run(60)
    assert len(copy.keys) == delivered
