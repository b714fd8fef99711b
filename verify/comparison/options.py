"""Options of a comparison."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tablecopy_cli.common.errors import UserError

if TYPE_CHECKING:
    from verify.scan.table import Filter, Table
    from verify.scan.workers import SideName

DEFAULT_SEGMENTS = 4
DEFAULT_LAG_SECONDS = 15.0

PLAN_LIMIT = 10_000
"""Up to so many differences a comparison writes a repair plan without being asked."""

# The DynamoDB API reference allows a million segments.
_MAX_SEGMENTS = 1_000_000


@dataclass(frozen=True)
class Options:
    """Options of a comparison.

    Parameters
    ----------
    writes_stopped
        Nothing writes to either table. The scan is consistent, and every difference counts.
    segments
        Segments of each side's parallel scan, read at the same time.
    processes
        Processes that scan; 1 uses this one. More processes use more cores. They need a main module that can
        be imported (``if __name__ == "__main__":``).
    lag_seconds
        Under writes: more seconds than a change takes from the source to the destination.
    generations
        Under writes: maximum number of rechecks of a candidate.
    read_capacity
        Read capacity units per second for each side; ``None`` for no limit.
    values
        Whether differences contain the values of attributes.
    ignored
        Names of attributes that are not compared. Key attributes always are.
    filter
        Compares only items that match it on at least one side.
    sample
        Compares only this fraction of the tables (more than 0, less than 1).
    chosen
        Compares only these segments, and of how many: ``((3, 7), 16)``. Excludes ``sample``.
    reread
        With writes stopped: up to this many candidates are all read again. Of more, those that only one side
        has are reported as the scan saw them, because single reads cost many times what a scan costs.
    for_repair
        A repair plan will be written: every difference is read again, so that its digests are known.

    Raises
    ------
    UserError
        A value is out of range.
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
    chosen: tuple[tuple[int, ...], int] | None = None
    reread: int = 10_000
    for_repair: bool = False

    def __post_init__(self) -> None:
        if self.sample is not None and not 0 < self.sample < 1:
            raise UserError(f"The sample is {self.sample:g}. Use a fraction between 0 and 1, such as 0.05.")
        if self.sample is not None and self.chosen is not None:
            raise UserError("a sample and chosen segments exclude each other. Remove one of them")
        if not 1 <= self.segments <= _MAX_SEGMENTS:
            raise UserError(f"The number of segments is {self.segments}. A scan has 1 to {_MAX_SEGMENTS:,}.")

    def of_segments(self) -> tuple[int, int]:
        """Return how many segments are read, and of how many."""
        if self.chosen is not None:
            return len(self.chosen[0]), self.chosen[1]
        if self.sample is None:
            return self.segments, self.segments
        of = min(_MAX_SEGMENTS, math.ceil(self.segments / self.sample))
        return max(1, round(of * self.sample)), of

    def over(self, processes: int) -> Options:
        """Return the same options with another number of processes."""
        return replace(self, processes=processes)

    def identity(self, source: Table, destination: Table) -> dict[str, Any]:
        """Return what identifies a comparison, so that only the same comparison is resumed."""
        how = asdict(self)
        # These change where and how fast the tables are read, but not what is read.
        for name in ("processes", "read_capacity", "lag_seconds"):
            del how[name]
        return {
            "tables": [asdict(table.identity) for table in (source, destination)],
            "how": how,
        }
