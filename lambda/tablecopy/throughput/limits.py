"""Shares: what one worker may use of the capacity that all workers have together."""

from __future__ import annotations

from tablecopy.clock import Clock
from tablecopy.journal.run import Run
from tablecopy.throughput.rate import Adaptive, Budget, TokenBucket

# What the first calls are taken to cost, before one has been answered: a small page, a batch of small items.
_PAGE_UNITS = 16.0
_BATCH_UNITS = 25.0


class Shares:
    """A worker's capacity on both sides.

    Parameters
    ----------
    read_total, write_total
        Capacity units a second over all workers, or None to adapt to what the table takes.
    """

    def __init__(self, clock: Clock, read_total: float | None, write_total: float | None) -> None:
        self._read_total = read_total
        self._write_total = write_total
        self.read: TokenBucket = _bucket(clock, read_total, _PAGE_UNITS)
        self.write: TokenBucket = _bucket(clock, write_total, _BATCH_UNITS)

    def divide(self, run: Run) -> None:
        """Take this worker's part: control says among how many the totals are divided."""
        read_total = self._read_total or run.read_ceiling
        if read_total:
            self.read.share(read_total / run.workers)
        if self._write_total:
            self.write.share(self._write_total / run.workers)


def _bucket(clock: Clock, total: float | None, guess: float) -> TokenBucket:
    return Adaptive(clock, guess) if total is None else Budget(clock, total, guess)
