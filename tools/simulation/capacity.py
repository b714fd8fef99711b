"""The throughput of a table or an index: its partitions, its capacity mode, and what is throttled.

Sources, all in the Developer Guide unless noted: "Partitions and data distribution", "Understanding DynamoDB
warm throughput in different scenarios" (a partition takes 1,000 write and 3,000 read units a second),
"DynamoDB burst and adaptive capacity", "DynamoDB on-demand capacity mode", "Understanding global secondary
index (GSI) write throttling and back pressure in DynamoDB"; "ThrottlingReason" in the API reference.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, field

from tools.simulation.attributes import HASHES
from tools.simulation.behavior import CapacityBehavior
from tools.simulation.errors import ServiceError
from tools.simulation.scheduler import World

PARTITION_WRITE_UNITS = 1_000.0
PARTITION_READ_UNITS = 3_000.0

_NEW_TABLE_PARTITIONS = 4
"""A new on-demand table takes 4,000 write and 12,000 read units a second."""

# A partition that is not throttled for this long is not hot any more.
_HEAT_SECONDS = 60.0

# On-demand traffic is measured over this time.
_PEAK_SECONDS = 60.0

_ON_DEMAND = (
    "Throughput exceeds the current capacity of your table or index. DynamoDB is automatically scaling your "
    "table or index so please try again shortly. If exceptions persist, check if you have a hot key"
)
_PROVISIONED = (
    "The level of configured provisioned throughput for the table was exceeded. Consider increasing your "
    "provisioning level with the UpdateTable API"
)


@dataclass(frozen=True)
class Capacity:
    """The capacity settings of a table or an index.

    Attributes
    ----------
    write, read
        Provisioned units per second; 0 for on-demand capacity.
    most_write, most_read
        Maximum units per second of an on-demand table; 0 for none.
    account_write, account_read
        The account's quota of one on-demand table.
    partitions
        Partitions at the beginning; 0 for those that the capacity needs.
    unlimited
        Nothing is ever throttled.
    """

    write: float = 0.0
    read: float = 0.0
    most_write: float = 0.0
    most_read: float = 0.0
    account_write: float = 40_000.0
    account_read: float = 40_000.0
    partitions: int = 0
    unlimited: bool = False
    behavior: CapacityBehavior = field(default_factory=CapacityBehavior)


class Bucket:
    """Units that come back at a rate, up to a depth.

    A request larger than what is there is admitted only by a full bucket, so that an item may cost more than
    the bucket holds.
    """

    __slots__ = ("_at", "_rate", "_units", "depth")

    def __init__(self, rate: float, depth: float, units: float, now: float) -> None:
        self._rate = rate
        self.depth = depth
        self._units = units
        self._at = now

    def available(self, now: float) -> float:
        """Return the units that are there now; negative after a read that was larger than expected."""
        if now > self._at:
            self._units = min(self.depth, self._units + (now - self._at) * self._rate)
            self._at = now
        return self._units

    def admits(self, units: float, now: float) -> bool:
        """Return whether a request of ``units`` may be served now."""
        if now > self._at:
            self._units = min(self.depth, self._units + (now - self._at) * self._rate)
            self._at = now
        return self._units >= units or self._units >= self.depth

    def take(self, units: float) -> None:
        """Consume ``units``."""
        self._units -= units


class Partition:
    """A range of hashes from ``first``, with its own throughput."""

    __slots__ = ("first", "hot_since", "read", "throttled_at", "write")

    def __init__(self, first: int, now: float) -> None:
        self.first = first
        self.write = Bucket(PARTITION_WRITE_UNITS, PARTITION_WRITE_UNITS, PARTITION_WRITE_UNITS, now)
        self.read = Bucket(PARTITION_READ_UNITS, PARTITION_READ_UNITS, PARTITION_READ_UNITS, now)
        self.hot_since = -math.inf
        self.throttled_at = -math.inf


class Throughput:
    """The throughput of the table or index with the ARN ``arn``.

    Attributes
    ----------
    consumed_write, consumed_read
        Units consumed so far.
    throttles
        Number of requests throttled so far, a request of a batch each.
    """

    def __init__(self, world: World, arn: str, capacity: Capacity) -> None:
        self._world = world
        self.arn = arn
        self.capacity = capacity
        self.consumed_write = 0.0
        self.consumed_read = 0.0
        self.throttles = 0
        self._unlimited = capacity.unlimited
        self._kind = "Index" if "/index/" in arn else "Table"
        self._behavior = capacity.behavior
        self._provisioned = capacity.write > 0 or capacity.read > 0
        now = world.now
        if self._provisioned:
            self._write = self._table_bucket(capacity.write)
            self._read = self._table_bucket(capacity.read)
            needed = math.ceil(capacity.write / PARTITION_WRITE_UNITS + capacity.read / PARTITION_READ_UNITS)
            self._limit = "ProvisionedThroughputExceeded"
        else:
            write = min(filter(None, (capacity.most_write, capacity.account_write)))
            read = min(filter(None, (capacity.most_read, capacity.account_read)))
            self._write = Bucket(write, write, write, now)
            self._read = Bucket(read, read, read, now)
            needed = _NEW_TABLE_PARTITIONS
            is_set = capacity.most_write or capacity.most_read
            self._limit = "MaxOnDemandThroughputExceeded" if is_set else "AccountLimitExceeded"
        self._divide(capacity.partitions or max(1, needed))
        self._measured_since = now
        self._measured_write = 0.0
        self._measured_read = 0.0
        self._growing_to = 0

    @property
    def partitions(self) -> int:
        """The number of partitions."""
        return len(self._partitions)

    def write_limit(self, hash_: int, units: float) -> str:
        """Return which limit a write exceeds, in the words of a throttling reason; empty if none."""
        if self._unlimited:
            return ""
        now = self._world.now
        partition = self._partitions[bisect_right(self._firsts, hash_) - 1]
        if not partition.write.admits(units, now):
            return self._hot(partition)
        return "" if self._write.admits(units, now) else self._limit

    def write(self, hash_: int, units: float) -> str:
        """Consume the units of a write unless it exceeds a limit, which is returned as by ``write_limit``."""
        if self._unlimited:
            self.consumed_write += units
            return ""
        now = self._world.now
        partition = self._partitions[bisect_right(self._firsts, hash_) - 1]
        if not partition.write.admits(units, now):
            return self._hot(partition)
        if not self._write.admits(units, now):
            return self._limit
        self._consume_write(partition, units)
        return ""

    def read_limit(self, hash_: int) -> str:
        """Return which limit a read exceeds. What it costs is known afterwards, so it may run into debt."""
        if self._unlimited:
            return ""
        now = self._world.now
        partition = self._partitions[bisect_right(self._firsts, hash_) - 1]
        if partition.read.available(now) <= 0:
            return self._hot(partition)
        return "" if self._read.available(now) > 0 else self._limit

    def wrote(self, hash_: int, units: float) -> None:
        """Consume the units of a write."""
        if self._unlimited:
            self.consumed_write += units
            return
        self._consume_write(self._partitions[bisect_right(self._firsts, hash_) - 1], units)

    def read(self, hash_: int, units: float) -> None:
        """Consume the units of a read."""
        self.consumed_read += units
        if self._unlimited:
            return
        self._partitions[bisect_right(self._firsts, hash_) - 1].read.take(units)
        self._read.take(units)
        if not self._provisioned:
            self._measured_read += units
            if self._world.now - self._measured_since >= _PEAK_SECONDS:
                self._measure()

    def throttled(self, limit: str, direction: str) -> ServiceError:
        """Return the error of a throttled request.

        Parameters
        ----------
        limit
            Result of ``write_limit`` or ``read_limit``.
        direction
            "Write" or "Read".
        """
        self.throttles += 1
        reasons = [{"reason": f"{self._kind}{direction}{limit}", "resource": self.arn}]
        if self._provisioned:
            return ServiceError("ProvisionedThroughputExceededException", _PROVISIONED, reasons=reasons)
        return ServiceError("ThrottlingException", _ON_DEMAND, reasons=reasons)

    def _consume_write(self, partition: Partition, units: float) -> None:
        self.consumed_write += units
        partition.write.take(units)
        self._write.take(units)
        if not self._provisioned:
            self._measured_write += units
            if self._world.now - self._measured_since >= _PEAK_SECONDS:
                self._measure()

    def _table_bucket(self, rate: float) -> Bucket:
        depth = max(rate, rate * self._behavior.burst_seconds)
        return Bucket(
            rate, depth, min(depth, max(rate, rate * self._behavior.saved_seconds)), self._world.now
        )

    def _divide(self, count: int) -> None:
        now = self._world.now
        self._partitions = [Partition(HASHES * number // count, now) for number in range(count)]
        self._firsts = [partition.first for partition in self._partitions]

    def _hot(self, partition: Partition) -> str:
        """Note a throttle of a partition, which is split when it lasts (adaptive capacity)."""
        now = self._world.now
        if now - partition.throttled_at > _HEAT_SECONDS:
            partition.hot_since = now
        partition.throttled_at = now
        if now - partition.hot_since >= self._behavior.split_after:
            self._split(partition)
        return "KeyRangeThroughputExceeded"

    def _split(self, partition: Partition) -> None:
        at = self._firsts.index(partition.first)
        end = self._firsts[at + 1] if at + 1 < len(self._firsts) else HASHES
        middle = (partition.first + end) // 2
        partition.hot_since = partition.throttled_at = -math.inf
        if middle > partition.first:
            self._partitions.insert(at + 1, Partition(middle, self._world.now))
            self._firsts.insert(at + 1, middle)

    def _measure(self) -> None:
        """Let an on-demand table grow to twice its peak, after a while."""
        elapsed = self._world.now - self._measured_since
        rate = max(
            self._measured_write / elapsed / PARTITION_WRITE_UNITS,
            self._measured_read / elapsed / PARTITION_READ_UNITS,
        )
        self._measured_since = self._world.now
        self._measured_write = self._measured_read = 0.0
        wanted = math.ceil(2 * rate)
        if wanted > max(len(self._partitions), self._growing_to):
            self._growing_to = wanted
            self._world.call_later(self._world.random.uniform(*self._behavior.scaling), self._grow, wanted)

    def _grow(self, partitions: int) -> None:
        if partitions > len(self._partitions):
            self._divide(partitions)
