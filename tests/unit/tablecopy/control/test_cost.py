"""What a copy will cost, and that the units per batch, page and segment are those the code uses."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from typing import Any

import pytest

from tablecopy.control import reconciler
from tablecopy.control.cost import (
    JOURNAL_READS_PER_BATCH,
    JOURNAL_WRITES_PER_BATCH,
    JOURNAL_WRITES_PER_INVOCATION,
    JOURNAL_WRITES_PER_PAGE,
    JOURNAL_WRITES_PER_SEGMENT,
    LOOK_PAUSE_SECONDS,
    READERS,
    RECONCILER_SECONDS,
    SAVE_SECONDS,
    TRANSITIONS_PER_INVOCATION,
    TRANSITIONS_PER_SEGMENT,
    TURN_SECONDS,
    Circumstances,
    Cost,
    costs,
    look_seconds,
    memory_advice,
    reconciler_use,
    replicator_use,
    window_advice,
)
from tablecopy.control.estimate import estimate
from tablecopy.control.stream import rows
from tablecopy.data.slices import WorkerResult
from tablecopy.dynamodb import streams
from tablecopy.handlers import context
from tablecopy.journal import leases
from tablecopy.journal.store import Store
from tablecopy.settings import CopySettings, Prices
from tests.unit.tablecopy.control.descriptions import destination, source
from tests.unit.tablecopy.data import test_backfill, test_replicator
from tests.unit.tablecopy.functions import reconciler as reconciler_function
from tools.docs_tables.__main__ import REPOSITORY

SETTINGS = CopySettings(total_segments=10, concurrency=5, write_capacity=1_000)


DEFAULTS = Circumstances()


class Counting(Store):
    """Counts items that are written to the journal, below 1 KB each, and read by their key: a unit each."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.writes = self.reads = 0

    def __getattribute__(self, name: str) -> Any:
        if name in {"store", "writes", "reads"}:
            return super().__getattribute__(name)
        if name in {"put", "save", "delete", "update"}:
            self.writes += 1
        if name == "get":
            self.reads += 1
        return getattr(self.store, name)


def made(given: Circumstances = DEFAULTS, **changes: Any) -> dict[str, Cost]:
    settings = replace(SETTINGS, **changes)
    found = costs(estimate(source(), destination(), settings), settings, given)
    return {cost.what: cost for cost in found}


def test_a_batch_takes_that_many_journal_reads_and_writes(store: Store) -> None:
    counting = Counting(store)
    scene = test_replicator.Scene(counting)
    writes, reads = counting.writes, counting.reads
    scene.apply(test_replicator.records(2))
    assert counting.writes - writes == JOURNAL_WRITES_PER_BATCH
    assert counting.reads - reads == JOURNAL_READS_PER_BATCH


@pytest.mark.parametrize("pages", [1, 4])
def test_a_page_and_an_invocation_take_that_many(store: Store, pages: int) -> None:
    counting = Counting(store)
    scene = test_backfill.Scene(counting, test_backfill.items(25 * pages), page_size=25)
    before = counting.writes
    assert scene.copy() is WorkerResult.DONE
    # Read to its end, a table has a last page, which may be empty.
    assert counting.writes - before in {
        JOURNAL_WRITES_PER_SEGMENT + JOURNAL_WRITES_PER_INVOCATION + JOURNAL_WRITES_PER_PAGE * (pages + last)
        for last in (0, 1)
    }


def test_a_segment_takes_that_many_transitions() -> None:
    """As the state machine has it: Scan and More for each invocation, EndSegment once."""
    text = (REPOSITORY / "modules/backfill/state_machine.tf").read_text()
    assert re.search(r'Next += "More"', text)
    assert 'Default = "EndSegment"' in text
    assert (TRANSITIONS_PER_INVOCATION, TRANSITIONS_PER_SEGMENT) == (2, 3)


def test_the_request_units_are_those_of_the_estimate() -> None:
    found = made()
    assert (found["read the source"].units, found["read the source"].cost) == (375_010, 0.0469)
    assert (found["write the destination"].units, found["write the destination"].cost) == (2_000_000, 1.25)


def test_changes_take_units_journal_writes_and_lambda() -> None:
    still, busy = made(), made(Circumstances(changes_per_second=10, shards=4, days=1))
    assert busy["changes during the copy"].units == 10 * 86_400 * 2
    # Four shards make four batches a second, of two or three changes.
    batches = 4 * 86_400
    rows = 4 * 86_400 * RECONCILER_SECONDS / 60 / SAVE_SECONDS
    writes = busy["journal writes"].units - still["journal writes"].units
    assert writes == pytest.approx(batches * JOURNAL_WRITES_PER_BATCH + rows)
    # The reconciler finds each batch as well, and looks for the next one of each shard in each look.
    reads = busy["journal reads"].units - still["journal reads"].units
    assert reads == pytest.approx(batches * (JOURNAL_READS_PER_BATCH + 1) + 4 * looks(4))
    assert still["replicator function"].units == 0
    assert busy["replicator function"].units == pytest.approx((batches * 0.1 + 10 * 86_400 * 0.000_2) * 0.5)
    assert busy["logs"].units > still["logs"].units


def looks(shards: int, memory_mb: int = 256) -> float:
    """Looks in a day, with a second between them."""
    return 86_400 * RECONCILER_SECONDS / 60 / (1 + look_seconds(shards, memory_mb))


@pytest.mark.parametrize(
    ("shards", "memory_mb", "seconds"),
    [
        # The processor is the limit with little memory, and else the answers of AWS to 32 readers.
        (500, 256, 500 * 0.000_4 * 1_769 / 256),
        (500, 1_769, 500 * 0.02 / 32),
    ],
)
def test_a_look_takes_longer_with_more_shards(shards: int, memory_mb: int, seconds: float) -> None:
    assert look_seconds(shards, memory_mb) == pytest.approx(seconds)
    use = reconciler_use(Circumstances(shards=shards, reconciler_memory_mb=memory_mb), 86_400)
    assert use.stream_reads == pytest.approx(shards * looks(shards, memory_mb))
    assert use.gb_seconds == pytest.approx(1_440 * RECONCILER_SECONDS * memory_mb / 1024)


def test_thousands_of_shards_are_read_by_more_invocations() -> None:
    """A reader of 500 shards needs the whole look, and so does the reconciler."""
    assert look_seconds(4_000, 1_769) == pytest.approx(500 * 0.02 / 32)
    use = reconciler_use(Circumstances(shards=4_000, reconciler_memory_mb=1_769), 86_400)
    look, found = look_seconds(4_000, 1_769), looks(4_000, 1_769)
    assert use.requests == pytest.approx(1_440 + 8 * found)
    assert use.gb_seconds == pytest.approx((1_440 * RECONCILER_SECONDS + 8 * found * look) * 1_769 / 1024)


def test_readers_lead_to_more_writes_because_another_environment_continues() -> None:
    given = Circumstances(changes_per_second=40_000, shards=501)
    writes = reconciler_use(given, 60).journal_writes
    alone = reconciler_use(replace(given, shards=500), 60).journal_writes
    assert writes - alone == pytest.approx(501 + RECONCILER_SECONDS / SAVE_SECONDS)


def test_the_shards_are_those_that_the_estimate_expects() -> None:
    read = source(10**6, 10**12)
    expected = estimate(read, destination(), SETTINGS)
    assert expected.shards == 100
    by_itself, given = (
        costs(expected, SETTINGS, Circumstances(days=1, shards=shards)) for shards in (None, 100)
    )
    assert by_itself == given


@pytest.mark.parametrize(
    ("shards", "rate", "window", "advised"),
    [
        (1_000, 5_000.0, 1.0, True),
        (1_000, 5_000.0, 5.0, False),
        # So few changes touch few shards.
        (1_000, 10.0, 1.0, False),
        (100, 100.0, 1.0, True),
        (99, 5_000.0, 1.0, False),
    ],
)
def test_a_longer_window_is_advised_for_many_active_shards(
    shards: int, rate: float, window: float, advised: bool
) -> None:
    given = Circumstances(shards=shards, changes_per_second=rate, batching_window_seconds=window)
    text = window_advice(estimate(source(), destination(), SETTINGS), SETTINGS, given)
    assert text.startswith("set replicator.batching_window_seconds = 5. ") == advised
    assert bool(text) == advised


def test_the_window_is_advised_by_the_shards_to_expect() -> None:
    small, large = (estimate(source(10**6, size), destination(), SETTINGS) for size in (10**9, 10**13))
    given = Circumstances(changes_per_second=5_000)
    assert [bool(window_advice(each, SETTINGS, given)) for each in (small, large)] == [False, True]


@pytest.mark.parametrize(
    ("shards", "memory_mb", "advised"),
    [
        (100, 256, 0),
        (101, 256, 512),
        (1_000, 511, 512),
        (1_000, 512, 0),
        (1_001, 512, 1_769),
        (4_000, 1_769, 0),
    ],
)
def test_memory_for_the_reconciler_is_advised_by_the_shards(
    shards: int, memory_mb: int, advised: int
) -> None:
    given = Circumstances(shards=shards, reconciler_memory_mb=memory_mb)
    text = memory_advice(estimate(source(), destination(), SETTINGS), given)
    assert text.startswith(f"set control.memory_mb = {advised}. ") == bool(advised)
    assert bool(text) == bool(advised)


def test_without_a_window_lambda_polls_four_times_a_second() -> None:
    given = Circumstances(shards=10, changes_per_second=1_000, batching_window_seconds=0)
    assert replicator_use(given, 1).requests == 40


def test_a_longer_window_makes_fewer_batches() -> None:
    short, long = (
        replicator_use(
            Circumstances(shards=1_000, changes_per_second=1_000, batching_window_seconds=window), 60
        )
        for window in (1, 5)
    )
    assert short.requests == 5 * long.requests
    assert short.journal_writes == pytest.approx(5 * long.journal_writes)
    assert short.journal_reads == 5 * long.journal_reads


def test_quiet_shards_make_no_batches_and_full_ones_more() -> None:
    per_second = {
        (rate, shards): replicator_use(Circumstances(changes_per_second=rate, shards=shards), 1).requests
        for rate, shards in ((0.5, 10), (3_000, 1))
    }
    assert per_second == pytest.approx({(0.5, 10): 0.5, (3_000, 1): 3.0})


def test_a_longer_backfill_takes_slices_and_invocations() -> None:
    short, long = made(), made(write_capacity=10)
    assert long["Step Functions"].units > short["Step Functions"].units
    assert long["backfill function"].units == 100 * short["backfill function"].units
    # 2,000 s at 1,000 units a second, by five workers of 512 MB.
    assert short["backfill function"].units == 2_000 * 5 * 0.5


def test_it_lasts_for_the_days_given_and_one_at_least() -> None:
    one, three = made(), made(Circumstances(days=3))
    assert three["reconciler function"].units == pytest.approx(3 * one["reconciler function"].units)
    assert three["stream reads by the reconciler"].units == pytest.approx(
        3 * one["stream reads by the reconciler"].units
    )


def test_a_nat_gateway_is_charged_where_there_is_one() -> None:
    assert "NAT gateway" not in made()
    assert made(Circumstances(nat=True))["NAT gateway"].units == pytest.approx(2 * 1.536 * 1.3, abs=1e-3)


@pytest.mark.parametrize("price", [field.name for field in fields(Prices) if field.name != "currency"])
def test_every_price_counts_and_none_else_does(price: str) -> None:
    free = Prices(**{field.name: 0.0 for field in fields(Prices) if field.name != "currency"})  # type: ignore[arg-type]
    given = Circumstances(changes_per_second=10, nat=True)
    assert sum(cost.cost for cost in made(given, prices=free).values()) == 0
    assert sum(cost.cost for cost in made(given, prices=replace(free, **{price: 1.0})).values()) > 0


def test_the_reconcilers_times_are_its_own() -> None:
    assert (RECONCILER_SECONDS, LOOK_PAUSE_SECONDS) == (
        reconciler_function._RECONCILE_SECONDS,
        reconciler._LOOK_AGAIN_SECONDS,
    )
    assert TURN_SECONDS == leases._RENEW_AFTER_SECONDS
    assert SAVE_SECONDS == rows.SAVE_EVERY_SECONDS
    assert READERS == streams.READERS == context.STREAM_CONNECTIONS
