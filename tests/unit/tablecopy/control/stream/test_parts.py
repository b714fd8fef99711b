"""Many shards are read by several invocations: with the same result as by one, whatever becomes of them."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError

from tablecopy.clock import ShiftedMachine
from tablecopy.comparison.items import Side
from tablecopy.control.stream.notes import SourceNotes
from tablecopy.control.stream.parts import PartReader, Parts, ReaderFailed
from tablecopy.control.stream.progress import Stream
from tablecopy.dynamodb.client import Json
from tablecopy.dynamodb.streams import StreamClient
from tablecopy.journal.touched import PARTITIONS, TouchedKeys, Tracking, TrackingRecord
from tablecopy.settings import reader_count
from tests.unit.tablecopy.control.stream.scene import DRAINED_AFTER, LOOK, Scene
from tests.unit.tablecopy.fakes import NOON, FakeClock, client_error, no_answer

ARN = "arn:stream"


class Cluster(Scene):
    """A scene whose reconciler lets others read, two shards each.

    ``events`` are those that were sent, and ``on_event`` may raise, or return another answer than the one
    that it gets.
    """

    def __init__(self, clock: FakeClock) -> None:
        self.events: list[Json] = []
        self.on_event: Callable[[Json], Json] = lambda answer: answer
        self.seconds = 0.0
        super().__init__(clock)

    def environment(self, *, alone: bool = False) -> Stream:
        client = StreamClient(self.streams, ARN, self.clock)
        notes = SourceNotes(self.store, self.clock)
        parts = None if alone else Parts(self.invoke, self.clock, per_reader=2)
        return Stream(client, self.shards, self.batches, notes, self.clock, DRAINED_AFTER, 1_000_000, parts)

    def invoke(self, event: Json) -> Json:
        """An environment that knows nothing answers each time, and its clock is an hour ahead."""
        self.events.append(event)
        self.clock.tick(self.seconds)
        ahead = ShiftedMachine(self.clock)
        ahead.follow(self.clock.time + 3600)
        reader = PartReader(self.streams, ARN, self.store, ahead, 1_000_000)
        return self.on_event(json.loads(json.dumps({"read": reader.read(event["read"])})))


@pytest.fixture
def cluster(clock: FakeClock) -> Cluster:
    return Cluster(clock)


def shards(scene: Scene, count: int = 6) -> None:
    for index in range(count):
        scene.add(f"{index}", 10 * index)


def test_few_shards_are_read_alone() -> None:
    assert [reader_count(shards) for shards in (1, 500, 501, 4_000)] == [0, 0, 2, 8]


def test_as_many_as_one_reader_reads_are_as_well(cluster: Cluster) -> None:
    shards(cluster, 2)
    cluster.look_for(5)
    assert not cluster.events
    cluster.add("more")
    cluster.clock.tick(600)
    cluster.look_for(5)
    assert len(cluster.events) == 2 * 6


class TestSame:
    """What is concluded does not depend on who reads."""

    def play(self, scene: Scene) -> list[object]:
        seen: list[object] = []

        def look(seconds: float = 1) -> None:
            found = scene.look_for(seconds)
            seen.append((found.records, found.puts, found.waiting, found.drained, found.quiet, found.changed))
            seen.append((scene.clock.time - NOON, found.oldest_age, found.proved_to, found.settled))

        shards(scene)
        look()
        for index in range(5):
            scene.apply(10 * index)
        look()
        scene.add("0", 1, 2, 3)
        scene.add("5", 51)
        look(3)
        scene.apply(50)
        scene.apply(51)
        scene.apply(3, records=3)
        look()
        scene.follow_up("3", "7", "8")
        scene.add("7", 100)
        look(3)
        scene.apply(100)
        look(DRAINED_AFTER + 30)
        look(100)
        return seen

    def test_each_look_finds_the_same(self, cluster: Cluster) -> None:
        found = self.play(cluster)
        assert len(cluster.events) > 300
        assert found == self.play(Scene(FakeClock()))
        assert found[-2] == (11, 9, 0, True, True, False)

    def test_more_records_than_an_answer_has_room_for_are_read_again(self, cluster: Cluster) -> None:
        cluster.streams.page_size = 1_000
        shards(cluster)
        cluster.look()
        cluster.add("0", *range(1, 200))
        assert cluster.again(counting=True).waiting == 205
        reader = cluster.stream._followed.readers["0"]
        assert (len(reader.ahead), reader.beyond) == (50, 150)
        for value in range(200):
            cluster.apply(value)
        assert cluster.look_for(5).records == 205
        assert cluster.look().waiting == 0


class TestNextEnvironment:
    """With readers, any of their environments may continue in the next minute."""

    def active(self, scene: Scene, seconds: int, *, is_last: bool) -> None:
        for _ in range(seconds):
            for index in range(6):
                scene.add(f"{index}", len(scene.streams.shards[f"{index}"].records) + 100 * index + 1)
            scene.clock.tick(1)
            scene.stream.observe(scene.covered_to, scene.clock.time + LOOK, is_last=is_last)

    def test_it_continues_from_what_was_read_last(self, cluster: Cluster) -> None:
        shards(cluster)
        cluster.look()
        self.active(cluster, 20, is_last=False)
        assert cluster.row("0").looked_at - cluster.shard("0").looked_at > 15
        self.active(cluster, 1, is_last=True)
        assert cluster.row("0").looked_at == cluster.shard("0").looked_at

    def test_rows_are_not_written_with_every_look(self, cluster: Cluster) -> None:
        shards(cluster)
        cluster.look()
        version = cluster.shard("0").version
        self.active(cluster, 16, is_last=True)
        assert cluster.shard("0").version - version == 2

    def test_without_readers_it_is_the_same_environment(self, scene: Scene) -> None:
        shards(scene)
        scene.look()
        self.active(scene, 20, is_last=True)
        assert scene.shard("0").version == 1


def test_shards_that_have_ended_need_no_reader(cluster: Cluster) -> None:
    shards(cluster, 2)
    cluster.apply(0)
    cluster.look_for(2)
    cluster.follow_up("0", "2")
    cluster.look_for(5)
    assert len(cluster.stream._rows.current) == 3
    assert not cluster.events


class TestFailures:
    """A shard that is not in an answer stays where it was."""

    @pytest.mark.parametrize(
        "error",
        [client_error("TooManyRequestsException", operation="Invoke"), no_answer(), ReaderFailed("no")],
    )
    def test_shards_without_an_answer_are_read_here(self, cluster: Cluster, error: Exception) -> None:
        shards(cluster)
        cluster.look()

        def fail(answer: Json) -> Json:
            raise error

        cluster.on_event = fail
        cluster.add("0", 1)
        backlog = cluster.again()
        assert backlog.waiting == 7
        assert backlog.error is error
        sent = len(cluster.events)
        cluster.look_for(20)
        # For half a minute no reader is invoked.
        assert len(cluster.events) == sent
        cluster.look_for(20)
        assert len(cluster.events) > sent

    def test_one_reader_of_three_may_fail(self, cluster: Cluster) -> None:
        shards(cluster)
        cluster.look()
        answers = []

        def fail(answer: Json) -> Json:
            answers.append(answer)
            if len(answers) == 2:
                raise no_answer()
            return answer

        cluster.on_event = fail
        for index in range(6):
            cluster.apply(10 * index)
        assert cluster.again().records == 6
        assert cluster.again().records == 6
        assert len(answers) == 6

    def test_an_answer_of_another_version_fails(self, cluster: Cluster) -> None:
        shards(cluster)
        cluster.look()
        cluster.on_event = lambda answer: {"status": {}}
        assert isinstance(cluster.again().error, ReaderFailed)

    def test_so_does_a_request_of_one(self, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
        shards(cluster)
        cluster.look()
        monkeypatch.setattr("tablecopy.control.stream.parts.STATE_FORM", "another")
        reader = PartReader(cluster.streams, ARN, cluster.store, cluster.clock, 1)
        with pytest.raises(ValueError, match="another version"):
            reader.read(cluster.events[-1]["read"])

    def test_an_error_of_the_stream_is_reported(self, cluster: Cluster) -> None:
        shards(cluster)
        cluster.look()

        def refuse(operation: str, request: Json) -> None:
            if operation == "GetRecords":
                raise client_error("AccessDeniedException", operation=operation)

        cluster.streams.on_send = refuse
        assert "AccessDenied" in str(cluster.again().error)


class TestTime:
    """A reader's clock is that of the reconciler, or late by what the request has taken."""

    def test_a_slow_request_is_no_read_of_the_present(self, cluster: Cluster) -> None:
        shards(cluster)
        cluster.look()
        cluster.seconds = 2.0
        sent = cluster.clock.time + 1
        backlog = cluster.again()
        assert sent <= backlog.looked_since <= cluster.clock.time - 2

    def test_nor_does_it_make_a_shard_empty_for_longer(self, cluster: Cluster) -> None:
        for index in range(6):
            cluster.add(f"{index}")
        cluster.seconds = 1.0
        cluster.look()
        read_at = cluster.clock.time
        cluster.again()
        since = [row.empty_since for row in cluster.stream._rows.current.values()]
        # By the reconciler's clock the pages were read before these moments.
        assert all(moment is not None and moment >= read_at - 3 for moment in since)
        looked = [row.looked_at for row in cluster.stream._rows.current.values()]
        assert all(moment is not None and moment > at - 60 for moment, at in zip(since, looked, strict=True))


class TestNotes:
    """Keys are noted by the one that reads, before a row gets ahead of them."""

    def track(self, cluster: Cluster) -> None:
        record = TrackingRecord(cluster.store)
        assert record.save(Tracking("t", "run", cluster.clock.time), is_new=True)
        cluster.look_for(3)
        tracking = record.read()
        assert tracking is not None
        assert tracking.source_since

    def keys(self, cluster: Cluster) -> int:
        touched = TouchedKeys(cluster.store, cluster.clock, "t")
        return sum(
            chunk.count for number in range(PARTITIONS) for chunk in touched.chunks(Side.SOURCE, number)
        )

    def test_readers_note_the_keys(self, cluster: Cluster) -> None:
        for index in range(6):
            cluster.add(f"{index}")
        cluster.look_for(3)
        self.track(cluster)
        for index in range(6):
            cluster.add(f"{index}", index)
        cluster.again()
        assert self.keys(cluster) == 6

    def test_a_shard_whose_keys_are_not_noted_stays_where_it_was(self, cluster: Cluster) -> None:
        for index in range(6):
            cluster.add(f"{index}")
        cluster.look_for(3)
        self.track(cluster)
        cluster.add("0", 1)
        cluster.apply(1)
        put, fails = cluster.store.put, [True]

        def refuse(pk: str, *args: object, **more: object) -> object:
            if pk.startswith("touched") and fails[0]:
                raise client_error("ProvisionedThroughputExceededException", operation="PutItem")
            return put(pk, *args, **more)  # type: ignore[arg-type]

        cluster.store.put = refuse  # type: ignore[assignment, method-assign]
        backlog = cluster.again()
        assert isinstance(backlog.error, ClientError) or backlog.error
        assert cluster.shard("0").position == ""
        fails[0] = False
        cluster.look_for(3)
        assert self.keys(cluster) == 1
        assert cluster.look().records == 1
