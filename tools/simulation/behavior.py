"""How the simulated DynamoDB behaves where AWS leaves it open: probabilities, rates and delays.

Each scenario sets them. The defaults are those of a quiet day. Times are in seconds; a pair is the shortest
and the longest time, of which one is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

HOUR = 3600.0
DAY = 86_400.0


@dataclass(frozen=True)
class TableBehavior:
    """The behavior of one table.

    Attributes
    ----------
    unprocessed
        Probability that a batch operation leaves a random part of its requests unprocessed without a throttle
        ("an internal processing failure", API reference, BatchWriteItem).
    respelled
        Probability that unprocessed requests come back with their attributes in another order.
    throttled
        Probability that a single operation is throttled, or that a batch is throttled as a whole, although
        there is capacity.
    short_page
        Probability that a page of Scan or Query ends before its limit.
    stale_read
        Probability that an eventually consistent read misses a write of the last ``stale_seconds``.
    stale_seconds
        How long a write may stay invisible to eventually consistent reads.
    transaction_conflict
        Probability that a write meets an ongoing transaction of the same item.
    ttl_delay
        From an item's expiry to its deletion.
    ttl_grace
        From a write of an item that has already expired to its deletion, at least.
    """

    unprocessed: float = 0.0
    respelled: float = 0.5
    throttled: float = 0.0
    short_page: float = 0.0
    stale_read: float = 0.5
    stale_seconds: float = 1.0
    transaction_conflict: float = 0.0
    ttl_delay: tuple[float, float] = (60.0, 4 * HOUR)
    ttl_grace: float = 60.0


@dataclass(frozen=True)
class CapacityBehavior:
    """How a table's and an index's throughput grows.

    Attributes
    ----------
    burst_seconds
        Seconds of unused provisioned capacity that are kept.
    saved_seconds
        Seconds of unused capacity that a new table begins with.
    scaling
        From a peak to the growth that it leads to, of an on-demand table.
    split_after
        How long a partition must be throttled, without a break of a minute, until it is split.
    """

    burst_seconds: float = 300.0
    saved_seconds: float = 300.0
    scaling: tuple[float, float] = (60.0, 1800.0)
    split_after: float = 600.0


@dataclass(frozen=True)
class StreamBehavior:
    """The behavior of one stream.

    Attributes
    ----------
    shards
        Open shards at the beginning.
    most_shards
        A shard is not split while there are as many open ones; 0 for twice ``shards``.
    ancestors
        Closed, empty shards before each of the first ones, as in a stream that was on for long.
    shard_life
        From a shard's opening to its end.
    split
        Probability that a shard ends with two children.
    late_child
        Probability that a child is listed late, each child of a split by itself.
    late_child_seconds
        How late.
    late_sibling
        Probability that one child of a split is listed that long after the other.
    late_end_seconds
        From a shard's end to the ``EndingSequenceNumber`` in DescribeStream, at most.
    delay, late_record, late_record_seconds
        From a write to its record being readable: at most ``delay``, but ``late_record_seconds`` for the part
        ``late_record`` of all records. Records of one shard become readable in order.
    skew
        The clocks that date records differ from the time by at most this.
    dated_back, dated_back_seconds
        The part of all records whose date is earlier, and by how much at most. So dates may descend, which we
        do not believe (docs/assumptions.md, S8).
    retention, trim_every
        Age at which a record may be trimmed, and the time between two trims of a shard.
    shard_linger
        How long a shard stays listed after its last record may have been trimmed, at most.
    empty_first, empty_between, empty_pages
        Probability that a new iterator, and one that GetRecords returns with records, needs further calls to
        reach a record, and the most calls that return nothing.
    null_with_records
        Probability that the last page of a closed shard comes without NextShardIterator, so that no empty
        page follows it.
    exponent
        Whether GetRecords writes times as ``1.8E9``, as in the API reference's example.
    iterator_seconds
        How long an iterator can be used.
    get_records_rate
        GetRecords calls a second for one shard, of all readers.
    readers, reader_seconds, reader_throttled
        Readers that a shard may have within ``reader_seconds``, and the probability that a further one is
        throttled.
    describe_rate
        DescribeStream calls a second for an account.
    page_shards
        Most shards in one answer of DescribeStream.
    """

    shards: int = 1
    most_shards: int = 0
    ancestors: int = 0
    shard_life: tuple[float, float] = (3.5 * HOUR, 4.5 * HOUR)
    split: float = 0.1
    late_child: float = 0.5
    late_child_seconds: tuple[float, float] = (0.5, 60.0)
    late_sibling: float = 0.25
    late_end_seconds: float = 5.0
    delay: float = 0.5
    late_record: float = 0.01
    late_record_seconds: float = 5.0
    skew: float = 1.0
    dated_back: float = 0.0
    dated_back_seconds: float = 2.0
    retention: float = DAY
    trim_every: tuple[float, float] = (30.0, 600.0)
    shard_linger: float = 600.0
    empty_first: float = 0.3
    empty_between: float = 0.02
    empty_pages: int = 3
    null_with_records: float = 0.5
    exponent: bool = True
    iterator_seconds: float = 900.0
    get_records_rate: float = 5.0
    readers: int = 2
    reader_seconds: float = 1.0
    reader_throttled: float = 0.5
    describe_rate: float = 10.0
    page_shards: int = 100
