"""Callers of a RateLimit that take turns on a clock ticked by hand: threads, without their chance."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass, field

from tablecopy.throughput.rate import RateLimit
from tests.unit.tablecopy.fakes import NOON, FakeClock


class _Waits(Exception):
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


class CallersClock(FakeClock):
    """Whoever sleeps leaves, and comes again when the time has come."""

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        raise _Waits(seconds)


@dataclass
class Table:
    """Takes ``rate`` units a second, and what it has saved up in a second; more is throttled."""

    rate: float
    level: float = math.inf
    since: float = NOON

    def accepts(self, units: float, now: float) -> bool:
        self.level = min(self.level + (now - self.since) * self.rate, self.rate)
        self.since = now
        if self.level < units:
            return False
        self.level -= units
        return True


@dataclass
class Callers:
    """``count`` callers, each with one call at a time of ``units()`` units and ``latency`` seconds."""

    clock: CallersClock
    capacity: RateLimit
    count: int
    units: Callable[[], float]
    latency: float = 0.005
    table: Table | None = None
    consumed: list[tuple[float, float]] = field(default_factory=list)
    throttles: list[float] = field(default_factory=list)
    waiting: list[tuple[float, int, float | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.waiting = [(self.clock.now(), caller, None) for caller in range(self.count)]

    def run(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        run([self], self.clock, seconds)

    def step(self) -> None:
        """Whatever the next caller does."""
        now, caller, taken = heapq.heappop(self.waiting)
        if taken is None:
            self._take(now, caller)
        else:
            self._settle(now, caller, taken)

    def _take(self, now: float, caller: int) -> None:
        try:
            taken = self.capacity.acquire(now + 3600)
        except _Waits as wait:
            heapq.heappush(self.waiting, (now + wait.seconds, caller, None))
        else:
            heapq.heappush(self.waiting, (now + self.latency, caller, taken))

    def _settle(self, now: float, caller: int, taken: float) -> None:
        units = self.units()
        if self.table is None or self.table.accepts(units, now):
            self.capacity.settle(taken, units)
            self.consumed.append((now, units))
            heapq.heappush(self.waiting, (now, caller, None))
        else:
            self.capacity.throttled()
            self.capacity.settle(taken, 0.0)
            self.throttles.append(now)
            heapq.heappush(self.waiting, (now + 0.05, caller, None))

    def used(self, since: float, until: float) -> float:
        """Units a second between two moments, seconds from noon."""
        return sum(units for at, units in self.consumed if since <= at - NOON < until) / (until - since)


def run(groups: list[Callers], clock: CallersClock, seconds: float) -> None:
    """Let several groups go on side by side."""
    until = clock.now() + seconds
    while True:
        first = min(groups, key=lambda group: group.waiting[0][:2])
        if first.waiting[0][0] > until:
            break
        clock.time = first.waiting[0][0]
        first.step()
    clock.time = until
