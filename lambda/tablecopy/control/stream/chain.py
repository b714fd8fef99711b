"""The chain of applied batches: each batch of a shard begins where the previous one ended."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import replace

from tablecopy.control.stream.reader import Reader, StreamRecord
from tablecopy.journal.applied_batches import AppliedBatch, AppliedBatches, sortable
from tablecopy.journal.shards import Shard


def advance(shard: Shard, reader: Reader, batches: AppliedBatches, expired_to: float) -> Shard:
    """Follow the applied batches over the records that ``reader`` has ahead, and drop these records.

    At the beginning of a shard, records made before ``expired_to`` (seconds since the epoch) may have left
    the stream before the mapping read them. The chain then begins after them.
    """
    if not reader.ahead:
        return shard
    begin = shard.batch_first or reader.ahead[0].sequence_number
    known = batches.between(begin, reader.ahead[-1].sequence_number)
    if not shard.position:
        _skip_expired(known, reader, expired_to)
    chain: list[AppliedBatch] = []
    records = 0
    while reader.ahead and (batch := _batch_ahead(known, reader.ahead)):
        chain.append(batch)
        is_own = batch.first == reader.ahead[0].sequence_number
        dropped = reader.drop_to(batch.last)
        # A batch may reach beyond the records read so far. Part of an overlapping batch was counted before.
        records += batch.records if is_own else dropped
    if not chain:
        return shard
    return replace(
        shard,
        position=chain[-1].last,
        batch_first=chain[-1].first,
        counted_to="",
        waiting=0,
        records=shard.records + records,
        puts=shard.puts + sum(batch.puts for batch in chain),
        deletes=shard.deletes + sum(batch.deletes for batch in chain),
    )


def _batch_ahead(batches: Mapping[str, AppliedBatch], ahead: deque[StreamRecord]) -> AppliedBatch | None:
    """Return the applied batch that covers the first record ahead.

    Usually the batch begins with that record. But a batch that was applied and not acknowledged may be
    delivered again in other portions. The next batch then begins before the record and ends after it. Its
    last record shows that it belongs to this shard.
    """
    own = batches.get(sortable(ahead[0].sequence_number))
    if own:
        return own
    start = int(ahead[0].sequence_number)
    here = {record.sequence_number for record in ahead}
    return next((each for each in batches.values() if int(each.first) < start and each.last in here), None)


def _skip_expired(batches: Mapping[str, AppliedBatch], reader: Reader, expired_to: float) -> None:
    before = ""
    for record in reader.ahead:
        if sortable(record.sequence_number) in batches:
            reader.drop_to(before)
            return
        if record.created >= expired_to:
            return
        before = record.sequence_number
