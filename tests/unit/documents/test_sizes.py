"""The figures of docs/sizes.md are those of the code."""

from __future__ import annotations

import pytest

from tablecopy.control import bounds
from tablecopy.control.cost import JOURNAL_BYTES_PER_BATCH, LONG_WINDOW_SECONDS, Circumstances
from tablecopy.control.preflight import READERS_PER_SHARD
from tablecopy.control.sizing import SEGMENT_BYTES
from tablecopy.control.verification_estimate import VerificationPlan, estimate_verification
from tablecopy.journal.applied_batches import KEEP_SECONDS
from tablecopy.settings import CONTROL_FUNCTIONS, CopySettings, Prices
from tablecopy.verifier.part import MOST_LISTED, MOST_OPEN
from tools.docs_tables import sizes
from tools.docs_tables.__main__ import REPOSITORY
from tools.docs_tables.cost import MANY_SHARDS, MUCH_MEMORY_MB

SAID = " ".join((REPOSITORY / "docs/sizes.md").read_text().split())
DEFAULTS, FUNCTIONS = CopySettings(), Circumstances()
VERIFICATION = VerificationPlan()
WARM = {"WarmThroughput": {"ReadUnitsPerSecond": 1_000_000, "WriteUnitsPerSecond": 0}}
MOST_WORKERS = bounds.TABLE_QUOTA_UNITS // bounds.PARTITION_WRITE_UNITS


@pytest.mark.parametrize(
    "text",
    [
        f"{DEFAULTS.concurrency} workers write up to "
        f"{DEFAULTS.concurrency * bounds.PARTITION_WRITE_UNITS:,} units a second",
        f"That is {MOST_WORKERS} with the default quota of a table",
        f"at least one for each {SEGMENT_BYTES // 10**9} GB",
        f"`backfill.memory_mb`: {FUNCTIONS.worker_memory_mb} at any size",
        f"about {bounds.partitions({'TableSizeBytes': 10**12})} at 1 TB and "
        f"{bounds.partitions({'TableSizeBytes': 10**13}):,} at 10 TB",
        f"workers + {1 + CONTROL_FUNCTIONS}, or one for each shard if that is more",
        f"| {MANY_SHARDS:,} | {MUCH_MEMORY_MB} | {LONG_WINDOW_SECONDS} |",
        f"| {bounds.PARTITION_WRITE_UNITS:,} a second, and {bounds.PARTITION_READ_UNITS:,} read units |",
        f"| {bounds.TABLE_QUOTA_UNITS:,} a second each |",
        f"| {bounds.NEW_TABLE_WRITE_UNITS:,} writes and {bounds.NEW_TABLE_READ_UNITS:,} reads a second; "
        f"throttled above twice the previous peak within {bounds.GROWTH_SECONDS // 60} minutes |",
        f"{VERIFICATION.concurrency} workers read up to "
        f"{VERIFICATION.concurrency * bounds.PARTITION_READ_UNITS:,} units a second",
        f"`verification.memory_mb`: {VERIFICATION.memory_mb:,}, a whole processor",
        f"A segment lists {MOST_LISTED:,} differences and counts the others, and keeps {MOST_OPEN:,} keys",
        f"| {bounds.TABLE_QUOTA_UNITS:,} read units a second for a table |",
        f"| readers of a shard | {READERS_PER_SHARD} |",
    ],
)
def test_what_is_said(text: str) -> None:
    assert text in SAID


def test_a_new_table_needs_two_hours_to_grow() -> None:
    rate, hours = bounds.NEW_TABLE_WRITE_UNITS, 0.0
    while rate < bounds.TABLE_QUOTA_UNITS:
        rate *= 2
        hours += bounds.GROWTH_SECONDS / 3_600
    assert hours == 2
    assert "needs two hours to grow to 40,000 write units a second" in SAID


def test_a_worker_needs_more_of_its_processor_for_small_items_only() -> None:
    """For items above 200 bytes, the partition is the limit."""
    limits = {
        item: estimate_verification({**counts, **WARM}, WARM, VERIFICATION, Prices()).limit_reason
        for item in (150, 200, 4_000)
        for counts in [{"ItemCount": 10**12 // item, "TableSizeBytes": 10**12}]
    }
    assert "processor" in limits[150]
    assert "partition" in limits[200]
    assert "partition" in limits[4_000]
    assert "less with items below 200 bytes" in SAID


@pytest.mark.parametrize("gigabytes", sizes.SETTINGS_GIGABYTES)
def test_reads_are_most_of_the_cost_of_a_verification(gigabytes: int) -> None:
    for item in sizes.VERIFICATION_ITEM_BYTES:
        found = sizes.verification_of(gigabytes * 10**9, item)
        reads = sum(cost.cost for cost in found.costs if cost.what.startswith("read "))
        assert reads > 0.85 * found.total_cost


def test_applied_batches_take_some_storage() -> None:
    # DynamoDB adds 100 bytes to each item (Developer Guide, Item sizes and formats).
    size = 1_000 * KEEP_SECONDS * (JOURNAL_BYTES_PER_BATCH + 100) / 1e9
    assert size == pytest.approx(70, abs=5)
    assert "about 70 GB at 1,000 active shards and a window of 1 s" in SAID
