"""What control knows of shards, when several of it know things."""

from __future__ import annotations

from dataclasses import replace

import pytest
from botocore.exceptions import ReadTimeoutError

from tablecopy.journal.codec import number
from tablecopy.journal.shards import Shard, Shards, StreamSummary, Totals
from tablecopy.journal.store import Store
from tests.unit.tablecopy.fakes import NOON, WatchedClient, no_answer
from tests.unit.tablecopy.journal_table import JournalClient

SHARD = Shard(
    "shardId-1",
    parent="shardId-0",
    position="1" * 25,
    applied_to=NOON,
    empty_since=NOON + 0.5,
    finished=True,
    records=3,
    puts=2,
    deletes=1,
)


@pytest.fixture
def shards(store: Store) -> Shards:
    return Shards(store)


@pytest.mark.parametrize(
    "shard", [SHARD, Shard("shardId-2"), replace(SHARD, empty_since=0.0)], ids=["all", "new", "zero"]
)
def test_everything_comes_back(shards: Shards, shard: Shard) -> None:
    saved = shards.save(shard)
    assert saved == replace(shard, version=1)
    assert shards.read_all() == {shard.shard_id: saved}


def test_a_save_follows_the_state_it_was_derived_from(shards: Shards) -> None:
    first = shards.save(SHARD)
    assert first is not None
    second = shards.save(replace(first, empty_since=None))
    assert shards.read_all() == {"shardId-1": second}


def test_a_position_is_never_taken_back(shards: Shards) -> None:
    known = shards.save(replace(SHARD, position="1" * 25))
    assert known is not None
    ahead = shards.save(replace(known, position="2" * 25))
    assert shards.save(replace(known, applied_to=NOON + 9)) is None
    assert shards.read_all() == {"shardId-1": ahead}


def test_of_two_that_find_a_new_shard_one_notes_it(shards: Shards) -> None:
    first = shards.save(replace(SHARD, records=1))
    assert shards.save(replace(SHARD, records=2)) is None
    assert shards.read_all() == {"shardId-1": first}


@pytest.mark.parametrize("empty_since", [None, NOON])
def test_the_summary_is_replaced(shards: Shards, empty_since: float | None) -> None:
    assert shards.summary() == StreamSummary()
    for records in (1, 2):
        summary = StreamSummary(NOON, 5, records, 1, 1, NOON - 3, empty_since)
        shards.save_summary(summary)
        assert shards.summary() == summary


def test_a_summary_that_counts_less_replaces_none(shards: Shards) -> None:
    first = StreamSummary(NOON, 5, records=2)
    shards.save_summary(first)
    shards.save_summary(StreamSummary(NOON + 1, 5, records=1))
    assert shards.summary() == first


class TestRetiring:
    def test_its_counts_move_to_the_totals(self, shards: Shards) -> None:
        known = saved(shards, SHARD)
        assert shards.totals() == Totals()
        retired = shards.retire(known, NOON)
        assert shards.totals() == Totals(records=3, puts=2, deletes=1)
        assert shards.read_all() == {"shardId-1": retired}
        assert retired is not None
        assert retired.retired
        assert (retired.records, retired.puts, retired.deletes) == (0, 0, 0)

    def test_little_is_kept_of_it(self, shards: Shards, store: Store) -> None:
        """All of them are read once a minute."""
        shards.retire(saved(shards, SHARD), NOON)
        item = store.get("shard", "shardId-1")
        assert item is not None
        assert item.keys() == {"pk", "sk", "retired", "expires_at", "version"}

    def test_its_item_expires_two_days_later(self, shards: Shards, store: Store) -> None:
        shards.retire(saved(shards, SHARD), NOON)
        item = store.get("shard", "shardId-1")
        assert item is not None
        assert item["expires_at"] == number(int(NOON) + 2 * 86_400)

    def test_a_shard_that_is_not_retired_does_not_expire(self, shards: Shards, store: Store) -> None:
        saved(shards, SHARD)
        item = store.get("shard", "shardId-1")
        assert item is not None
        assert "expires_at" not in item

    def test_the_totals_add_up(self, shards: Shards) -> None:
        for index in range(3):
            shards.retire(saved(shards, replace(SHARD, shard_id=f"shardId-{index}")), NOON)
        assert shards.totals() == Totals(records=9, puts=6, deletes=3)

    def test_of_two_that_retire_it_one_counts(self, shards: Shards) -> None:
        known = saved(shards, SHARD)
        assert shards.retire(known, NOON)
        assert shards.retire(known, NOON) is None
        assert shards.totals() == Totals(records=3, puts=2, deletes=1)

    def test_a_shard_that_another_one_has_advanced_is_not_retired(self, shards: Shards) -> None:
        known = saved(shards, SHARD)
        ahead = saved(shards, replace(known, records=5))
        assert shards.retire(known, NOON) is None
        assert shards.totals() == Totals()
        assert shards.read_all() == {"shardId-1": ahead}

    def test_it_counts_once_if_the_answer_is_lost(self) -> None:
        client = JournalClient()
        shards = Shards(Store(client, "journal"))
        known = saved(shards, SHARD)
        deaf = WatchedClient(client)
        deaf.after = lose_answer_of
        with pytest.raises(ReadTimeoutError):
            Shards(Store(deaf, "journal")).retire(known, NOON)
        # Sent again by the client or by the next invocation.
        assert shards.retire(known, NOON) is None
        assert shards.read_all()["shardId-1"].retired
        assert shards.totals() == Totals(records=3, puts=2, deletes=1)

    def test_a_snapshot_is_read_again_while_shards_are_retired(self, store: Store, shards: Shards) -> None:
        known = saved(shards, SHARD)

        class Busy(Shards):
            """Another invocation retires a shard as this one has read the totals."""

            def read_all(self) -> dict[str, Shard]:
                found = super().read_all()
                shards.retire(known, NOON)
                return found

        found, totals = Busy(store).snapshot()
        assert (found["shardId-1"].records, totals.records) == (0, 3)


def saved(shards: Shards, shard: Shard) -> Shard:
    found = shards.save(shard)
    assert found is not None
    return found


def lose_answer_of(operation: str) -> None:
    raise no_answer()
