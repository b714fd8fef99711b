"""What a copy will cost, and that the units per batch, page and segment are those the code uses."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from tablecopy.control.estimate import (
    JOURNAL_WRITES_PER_BATCH,
    JOURNAL_WRITES_PER_INVOCATION,
    JOURNAL_WRITES_PER_PAGE,
    TRANSITIONS_PER_INVOCATION,
    TRANSITIONS_PER_SEGMENT,
    Circumstances,
    Cost,
    costs,
    estimate,
)
from tablecopy.data.slices import WorkerResult
from tablecopy.journal.store import Store
from tablecopy.settings import CopySettings, Prices
from tests.unit.tablecopy.control.test_estimate import destination, source
from tests.unit.tablecopy.data import test_backfill, test_replicator
from tools.docs_tables.__main__ import REPOSITORY

SETTINGS = CopySettings(total_segments=10, concurrency=5, write_capacity=1_000)


DEFAULTS = Circumstances()


class Counting(Store):
    """Counts what is written to the journal; each item is below 1 KB, a unit."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.writes = 0

    def __getattribute__(self, name: str) -> Any:
        if name in {"store", "writes"}:
            return super().__getattribute__(name)
        if name in {"put", "delete", "update"}:
            self.writes += 1
        return getattr(self.store, name)


def made(given: Circumstances = DEFAULTS, **changes: Any) -> dict[str, Cost]:
    settings = replace(SETTINGS, **changes)
    found = costs(estimate(source(), destination(), settings), settings, given)
    return {cost.what: cost for cost in found}


def test_a_batch_takes_that_many_journal_writes(store: Store) -> None:
    counting = Counting(store)
    scene = test_replicator.Scene(counting)
    before = counting.writes
    scene.apply(test_replicator.records(2))
    assert counting.writes - before == JOURNAL_WRITES_PER_BATCH


@pytest.mark.parametrize("pages", [1, 4])
def test_a_page_and_an_invocation_take_that_many(store: Store, pages: int) -> None:
    counting = Counting(store)
    scene = test_backfill.Scene(counting, test_backfill.items(25 * pages), page_size=25)
    before = counting.writes
    assert scene.copy() is WorkerResult.DONE
    # Read to its end, a table has a last page, which may be empty.
    assert counting.writes - before in {
        JOURNAL_WRITES_PER_INVOCATION + JOURNAL_WRITES_PER_PAGE * (pages + last) for last in (0, 1)
    }


def test_a_segment_takes_that_many_transitions() -> None:
    """As the state machine has it: Scan and More for each invocation, EndSegment once."""
    text = (REPOSITORY / "modules/backfill/state_machine.tf").read_text()
    assert 'Next = "More"' in text
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
    assert busy["journal"].units - still["journal"].units == batches * JOURNAL_WRITES_PER_BATCH
    assert still["replicator function"].units == 0
    assert busy["replicator function"].units == pytest.approx(batches * 0.3 * 0.5)
    assert busy["logs"].units > still["logs"].units


def test_quiet_shards_make_no_batches_and_full_ones_more() -> None:
    per_day = {
        (rate, shards): made(Circumstances(changes_per_second=rate, shards=shards, days=1))[
            "replicator function"
        ].units
        / (86_400 * 0.3 * 0.5)
        for rate, shards in ((0.5, 10), (3_000, 1))
    }
    assert per_day == pytest.approx({(0.5, 10): 0.5, (3_000, 1): 3.0})


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
