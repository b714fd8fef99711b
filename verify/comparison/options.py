"""How two tables are to be compared."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from tablecopy_cli.common.errors import UserError
from verify.scan.table import Filter, Table
from verify.scan.workers import SideName

DEFAULT_SEGMENTS = 4
DEFAULT_LAG_SECONDS = 15.0

# The DynamoDB API reference allows a million segments.
_MAX_SEGMENTS = 1_000_000


@dataclass(frozen=True)
class Options:
    """How two tables are to be compared.

    Parameters
    ----------
    writes_stopped
        Nothing writes to either table: scan consistently, and give no difference the benefit of the doubt.
    segments
        Segments of the parallel scan of each side, read at the same time.
    processes
        Processes that scan; 1 is this one. More of them use more cores, and need, as everything that starts
        processes, a main module that can be imported (``if __name__ == "__main__":``).
    lag_seconds
        Under writes: longer than a change takes from the source to the destination.
    generations
        Under writes: how often at most a candidate is read again.
    read_capacity
        Read capacity units per second that each side's reads keep to; ``None`` for as many as there are.
    values
        Whether differences hold the values of attributes.
    ignored
        Names of attributes that do not count. Those of the key do.
    filter
        Compares only items that it holds for on at least one side.
    sample
        Compares only this fraction of the tables (more than 0, less than 1).
    reread
        With writes stopped: so many candidates are read again whatever they are. Of more, those that only one
        side has are believed to be what the scan saw, since single reads cost many times what a scan does.
    for_repair
        A repair plan is to be made: every difference is read again, so that its digests are known.

    Raises
    ------
    UserError
        A value that makes no sense.
    """

    writes_stopped: bool = False
    segments: int = DEFAULT_SEGMENTS
    processes: int = 1
    lag_seconds: float = DEFAULT_LAG_SECONDS
    generations: int = 4
    read_capacity: Mapping[SideName, float | None] = field(default_factory=dict)
    values: bool = False
    ignored: tuple[str, ...] = ()
    filter: Filter | None = None
    sample: float | None = None
    reread: int = 10_000
    for_repair: bool = False

    def __post_init__(self) -> None:
        if self.sample is not None and not 0 < self.sample < 1:
            raise UserError(f"a sample of {self.sample:g}: give a fraction above 0 and below 1, such as 0.05")
        if not 1 <= self.segments <= _MAX_SEGMENTS:
            raise UserError(f"{self.segments} segments: a scan has 1 to {_MAX_SEGMENTS:,}")

    def of_segments(self) -> tuple[int, int]:
        """How many segments are read, and of how many."""
        if self.sample is None:
            return self.segments, self.segments
        of = min(_MAX_SEGMENTS, math.ceil(self.segments / self.sample))
        return max(1, round(of * self.sample)), of

    def over(self, processes: int) -> Options:
        """The same with another number of processes."""
        return replace(self, processes=processes)

    def identity(self, source: Table, destination: Table) -> dict[str, Any]:
        """What makes a comparison the very same as another, so that it can go on where that one ended."""
        how = asdict(self)
        # Where and how fast it is read does not matter for what is read.
        for name in ("processes", "read_capacity", "lag_seconds"):
            del how[name]
        return {
            "tables": [asdict(table.identity) for table in (source, destination)],
            "how": how,
        }
