"""The chain of applied batches: each batch of a shard begins where the previous one ended."""

from __future__ import annotations

from dataclasses import replace
from itertools import takewhile

from tablecopy.control.stream.reader import Reader
from tablecopy.journal.applied_batches import AppliedBatch, AppliedBatches
from tablecopy.journal.shards import Shard


def advance(shard: Shard, reader: Reader, batches: AppliedBatches, expired_to: float) -> Shard:
    """Follow the applied batches over the records that ``reader`` has ahead, and drop these records.

    At the beginning of a shard, records made before ``expired_to`` (seconds since the epoch) may have left
    the stream before the mapping read them. The chain then begins after them.
    """
    if not reader.ahead:
        return shard
    if not shard.position:
        _skip_expired(batches, reader, expired_to)
    chain: list[AppliedBatch] = []
    while reader.ahead and (batch := batches.get(reader.ahead[0].name)):
        chain.append(batch)
        # A batch may reach beyond the records read so far.
        reader.drop_to(batch.last)
    if not chain:
        return shard
    return replace(
        shard,
        position=chain[-1].last,
        batch_first=chain[-1].first,
        counted_to="",
        waiting=0,
        records=shard.records + sum(batch.records for batch in chain),
        puts=shard.puts + sum(batch.puts for batch in chain),
        deletes=shard.deletes + sum(batch.deletes for batch in chain),
    )


def _skip_expired(batches: AppliedBatches, reader: Reader, expired_to: float) -> None:
    expired = list(takewhile(lambda record: record.created < expired_to, reader.ahead))
    following = reader.ahead[len(expired)] if len(expired) < len(reader.ahead) else None
    candidates = [*expired, *([following] if following else [])]
    known = batches.find(record.name for record in candidates)
    before = ""
    for record in candidates:
        if record.name in known:
            reader.drop_to(before)
            return
        before = record.sequence_number
