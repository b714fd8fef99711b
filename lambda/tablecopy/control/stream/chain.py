"""The chain of marks: each batch of a shard begins where the one before it ended."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import replace

from tablecopy.control.stream.reader import Reader, StreamRecord
from tablecopy.journal.applied_batches import AppliedBatch, AppliedBatches, sortable
from tablecopy.journal.shards import Shard


def advance(shard: Shard, reader: Reader, marks: AppliedBatches, expired_to: float) -> Shard:
    """Follow the marks over the records that ``reader`` has ahead, and drop these.

    Records made before ``expired_to`` (seconds since the epoch) at the beginning of a shard may have left
    the stream before the mapping came to them; the chain then begins behind them.
    """
    if not reader.ahead:
        return shard
    begin = shard.batch_first or reader.ahead[0].sequence_number
    known = marks.between(begin, reader.ahead[-1].sequence_number)
    if not shard.position:
        _skip_expired(known, reader, expired_to)
    chain: list[AppliedBatch] = []
    records = 0
    while reader.ahead and (mark := _leading_on(known, reader.ahead)):
        chain.append(mark)
        is_own = mark.first == reader.ahead[0].sequence_number
        dropped = reader.drop_to(mark.last)
        # A batch may reach beyond what was read by now; of an overlapping one a part was counted before.
        records += mark.records if is_own else dropped
    if not chain:
        return shard
    return replace(
        shard,
        position=chain[-1].last,
        batch_first=chain[-1].first,
        counted_to="",
        waiting=0,
        records=shard.records + records,
        puts=shard.puts + sum(mark.puts for mark in chain),
        deletes=shard.deletes + sum(mark.deletes for mark in chain),
    )


def _leading_on(marks: Mapping[str, AppliedBatch], ahead: deque[StreamRecord]) -> AppliedBatch | None:
    """The mark that covers the first record ahead.

    Mostly it is that record's own. But a batch that was applied and not acknowledged may be delivered again
    in other portions, and the one after it then begins before the record and ends behind it. Its last
    record tells that it is of this shard.
    """
    own = marks.get(sortable(ahead[0].sequence_number))
    if own:
        return own
    start = int(ahead[0].sequence_number)
    here = {seen.sequence_number for seen in ahead}
    return next((mark for mark in marks.values() if int(mark.first) < start and mark.last in here), None)


def _skip_expired(marks: Mapping[str, AppliedBatch], reader: Reader, expired_to: float) -> None:
    before = ""
    for seen in reader.ahead:
        if sortable(seen.sequence_number) in marks:
            reader.drop_to(before)
            return
        if seen.created >= expired_to:
            return
        before = seen.sequence_number
