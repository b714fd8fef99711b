"""What control knows of shards, when several of it know things."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tablecopy.journal.shards import Shard, Shards
from tablecopy.journal.store import Store
from tests.unit.tablecopy.fakes import NOON

SHARD = Shard("shardId-1", "1" * 25, NOON, NOON + 0.5, finished=True, records=3, puts=2, deletes=1)


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
