"""One shard, a page at a time: where reading begins, what is kept, and where it goes on."""

from __future__ import annotations

import pytest

from tablecopy.control.stream.reader import Reader
from tablecopy.dynamodb.streams import StreamClient
from tablecopy.journal.shards import Shard
from tests.unit.tablecopy.control.stream.scene import HOUR, number
from tests.unit.tablecopy.fakes import NOON, FakeClock, FakeShard, FakeStreams


class Scene:
    """A shard with records that are made one a second."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.streams = FakeStreams(page_size=1_000)
        self.shard = self.streams.shards["a"] = FakeShard()

    def write(self, count: int, age: float = 0.0) -> None:
        first = len(self.shard.records)
        self.shard.records += [(number(first + index), self.clock.time - age) for index in range(count)]

    def reader(self, **row: object) -> Reader:
        client = StreamClient(self.streams, "arn", self.clock)
        return Reader(client, Shard("a", **row), self.clock)  # type: ignore[arg-type]

    def look(self, reader: Reader, times: int = 1, covered_to: float = 0.0, **how: bool) -> Reader:
        for _ in range(times):
            how = {"noting": False, "counting": False, **how}
            reader.look(self.clock.time + 5, covered_to, **how)
            self.clock.tick(1)
        return reader

    def kinds(self) -> list[str]:
        return [request["ShardIteratorType"] for request in self.streams.iterators]


@pytest.fixture
def scene(clock: FakeClock) -> Scene:
    return Scene(clock)


class TestNoting:
    """Before the copy only what comes from now on matters."""

    def note(self, scene: Scene, reader: Reader, times: int = 1) -> Reader:
        for _ in range(times):
            scene.look(reader, covered_to=scene.clock.time - 30, noting=True)
        return reader

    def test_a_short_history_is_read(self, scene: Scene) -> None:
        scene.write(500, age=HOUR)
        reader = self.note(scene, scene.reader())
        assert reader.is_settled
        assert (reader.begun_at_end_at, len(reader.ahead)) == (0, 0)
        assert reader.position == number(499)
        assert scene.kinds() == ["TRIM_HORIZON"]

    def test_a_long_one_is_left(self, scene: Scene) -> None:
        scene.write(50_000, age=HOUR)
        reader = self.note(scene, scene.reader(), times=3)
        assert not reader.is_settled
        self.note(scene, reader)
        assert reader.is_settled
        assert reader.begun_at_end_at == NOON + 3
        assert scene.kinds() == ["TRIM_HORIZON", "LATEST"]
        assert scene.streams.reads == 4
        scene.write(1)
        assert len(self.note(scene, reader).ahead) == 1

    def test_a_busy_shard_that_is_read_to_its_end_is_not_left(self, scene: Scene) -> None:
        for _ in range(10):
            scene.write(1_000, age=20)
        reader = self.note(scene, scene.reader(), times=10)
        assert reader.is_settled
        assert scene.kinds() == ["TRIM_HORIZON"]

    def test_an_iterator_that_expires_begins_at_the_end_again(self, scene: Scene) -> None:
        scene.write(50_000, age=HOUR)
        reader = self.note(scene, scene.reader(), times=4)
        scene.streams.expired.add(reader.resume_iterator)
        self.note(scene, reader, times=6)
        assert scene.kinds()[-1] == "LATEST"
        assert reader.begun_at_end_at > NOON + 4

    def test_a_closed_shard_is_read_to_its_end(self, scene: Scene) -> None:
        scene.write(50_000, age=HOUR)
        scene.shard.closed = True
        reader = self.note(scene, scene.reader(), times=5)
        assert reader.at_closed_end
        assert reader.is_settled

    def test_in_a_copy_no_history_is_left(self, scene: Scene) -> None:
        scene.write(10_000, age=HOUR)
        reader = scene.look(scene.reader(), times=12, covered_to=scene.clock.time - 60)
        assert scene.kinds() == ["TRIM_HORIZON"]
        assert reader.position == number(9_999)


class TestKeeping:
    def test_it_keeps_the_first_and_counts_the_others(self, scene: Scene) -> None:
        scene.write(2_500)
        reader = scene.reader()
        reader.keep = 100
        scene.look(reader, times=4, counting=True)
        assert (len(reader.ahead), reader.beyond) == (100, 2_400)
        assert reader.ahead[0].sequence_number == number(0)

    def test_it_does_not_read_on_for_nothing(self, scene: Scene) -> None:
        scene.write(2_500)
        reader = scene.reader()
        reader.keep = 100
        scene.look(reader, times=4)
        assert scene.streams.reads == 1
        assert reader.read_at == scene.clock.time - 1

    def test_it_reads_on_when_little_is_ahead(self, scene: Scene) -> None:
        scene.write(700)
        reader = scene.look(scene.reader(), times=3)
        assert scene.streams.reads == 1
        reader.pass_to(number(400))
        scene.write(10)
        scene.look(reader)
        assert (len(reader.ahead), reader.beyond) == (309, 0)

    def test_after_a_full_page_it_reads_on_when_nothing_is_ahead(self, scene: Scene) -> None:
        scene.write(5_000)
        reader = scene.look(scene.reader())
        reader.pass_to(number(998))
        scene.look(reader)
        assert scene.streams.reads == 1
        reader.pass_to(number(999))
        scene.look(reader)
        assert (len(reader.ahead), reader.beyond) == (1_000, 0)

    def test_where_it_begins_again_it_is_not_at_the_end(self, scene: Scene) -> None:
        """What was counted is not kept: that the last of it is new says nothing of the rest."""
        for _ in range(5):
            scene.clock.tick(100)
            scene.write(500)
        reader = scene.look(scene.reader(), times=4, counting=True)
        assert reader.at_end
        reader.pass_to(number(999))
        assert not reader.at_end
        assert reader.newest == NOON + 200

    def test_what_was_not_kept_is_read_again_when_its_turn_comes(self, scene: Scene) -> None:
        scene.write(2_500)
        reader = scene.reader()
        reader.keep = 100
        scene.look(reader, times=4, counting=True)
        reader.pass_to(number(99))
        assert (len(reader.ahead), reader.beyond) == (0, 0)
        scene.look(reader)
        assert reader.ahead[0].sequence_number == number(100)

    def test_a_batch_that_ends_among_what_was_not_kept(self, scene: Scene) -> None:
        scene.write(2_500)
        reader = scene.reader()
        reader.keep = 100
        scene.look(reader)
        reader.pass_to(number(700))
        scene.look(reader)
        assert reader.ahead[0].sequence_number == number(701)

    def test_a_batch_that_ends_far_ahead_is_jumped_over(self, scene: Scene) -> None:
        scene.write(9_000)
        reader = scene.look(scene.reader())
        reader.pass_to(number(7_999))
        scene.look(reader)
        assert reader.ahead[0].sequence_number == number(8_000)
        assert scene.streams.reads == 2

    def test_it_reads_no_more_than_it_keeps(self, scene: Scene) -> None:
        scene.write(2_500)
        reader = scene.reader()
        reader.keep = 100
        scene.look(reader)
        assert (len(reader.ahead), reader.beyond) == (100, 0)
        reader.pass_to(number(99))
        scene.look(reader)
        assert reader.ahead[0].sequence_number == number(100)
        assert scene.kinds() == ["TRIM_HORIZON"]

    def test_the_rest_of_a_short_batch_is_read_with_what_follows(self, scene: Scene) -> None:
        scene.write(2_500)
        reader = scene.reader()
        reader.keep = 100
        scene.look(reader)
        reader.pass_to(number(94), 95)
        reader.pass_to(number(104), 10)
        scene.look(reader)
        assert reader.ahead[0].sequence_number == number(105)
        assert scene.kinds() == ["TRIM_HORIZON"]

    def test_one_that_ends_behind_a_short_page_needs_no_new_iterator(self, scene: Scene) -> None:
        scene.write(3)
        reader = scene.look(scene.reader())
        scene.write(5)
        reader.pass_to(number(5))
        scene.look(reader)
        assert [record.sequence_number for record in reader.ahead] == [number(6), number(7)]
        assert scene.kinds() == ["TRIM_HORIZON"]


class TestResuming:
    def test_from_a_position(self, scene: Scene) -> None:
        scene.write(5)
        reader = scene.look(scene.reader(position=number(2)))
        assert [record.sequence_number for record in reader.ahead] == [number(3), number(4)]
        assert not reader.from_horizon

    @pytest.mark.parametrize("trimmed", [3, 4])
    def test_from_a_position_that_has_left_the_stream(self, scene: Scene, trimmed: int) -> None:
        scene.write(5)
        scene.shard.trimmed = trimmed
        reader = scene.look(scene.reader(position=number(2)))
        assert reader.from_horizon
        assert len(reader.ahead) == 5 - trimmed

    def test_from_an_iterator(self, scene: Scene) -> None:
        scene.write(5)
        reader = scene.look(scene.reader())
        reader.pass_to(number(4))
        scene.write(1)
        other = scene.look(scene.reader(position=reader.position, iterator=reader.resume_iterator))
        assert [record.sequence_number for record in other.ahead] == [number(5)]
        assert len(scene.kinds()) == 1

    def test_from_an_iterator_without_a_position(self, scene: Scene) -> None:
        """What is ahead of a reader is ahead of the next one."""
        scene.shard.gaps[0] = 2
        scene.write(5)
        reader = scene.look(scene.reader(), times=5)
        other = scene.look(scene.reader(iterator=reader.resume_iterator))
        assert len(other.ahead) == len(reader.ahead) == 5

    def test_from_an_iterator_that_has_expired(self, scene: Scene) -> None:
        scene.write(5)
        reader = scene.look(scene.reader(position=number(1)))
        reader.pass_to(number(4))
        scene.streams.expired.add(reader.resume_iterator)
        other = scene.look(scene.reader(position=number(4), iterator=reader.resume_iterator))
        assert other.is_reopened
        assert other.error is None

    def test_where_there_is_no_shard_any_more(self, scene: Scene) -> None:
        scene.write(5)
        reader = scene.look(scene.reader(position=number(1)))
        del scene.streams.shards["a"]
        scene.look(reader)
        assert reader.gone_at == scene.clock.time - 1
        assert not reader.at_closed_end

    def test_an_expired_iterator_loses_nothing_that_is_ahead(self, scene: Scene) -> None:
        scene.write(5)
        reader = scene.look(scene.reader())
        scene.streams.expired.add(reader._iterator or "")
        scene.write(2)
        scene.look(reader)
        assert [record.sequence_number for record in reader.ahead] == [number(index) for index in range(7)]
