"""The figures of docs/sizes.md are those of the code."""

from __future__ import annotations

import pytest

from tablecopy.control import bounds
from tablecopy.control.cost import JOURNAL_BYTES_PER_BATCH, LONG_WINDOW_SECONDS, Circumstances
from tablecopy.control.preflight import READERS_PER_SHARD
from tablecopy.control.sizing import SEGMENT_BYTES
from tablecopy.journal.applied_batches import KEEP_SECONDS
from tablecopy.settings import CONTROL_FUNCTIONS, CopySettings
from tools.docs_tables.__main__ import REPOSITORY
from tools.docs_tables.cost import MANY_SHARDS, MUCH_MEMORY_MB

SAID = " ".join((REPOSITORY / "docs/sizes.md").read_text().split())
DEFAULTS, FUNCTIONS = CopySettings(), Circumstances()
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


def test_applied_batches_take_some_storage() -> None:
    # DynamoDB adds 100 bytes to each item (Developer Guide, Item sizes and formats).
    size = 1_000 * KEEP_SECONDS * (JOURNAL_BYTES_PER_BATCH + 100) / 1e9
    assert size == pytest.approx(70, abs=5)
    assert "about 70 GB at 1,000 active shards and a window of 1 s" in SAID
