"""Two tables under writes, and a replicator, in simulated time: the same for the same seed.

Time moves with each call of either table and while the comparison waits. On the way whatever is due happens:
a write at the source, or its arrival at the destination.
"""

from __future__ import annotations

import heapq
import math
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tablecopy.clock import Clock
from tests.unit.verify.service import FakeTable, Item
from verify import Comparison, Options, compare
from verify.comparison.results import Progress

# What a call takes at most, and how far an eventually consistent scan is behind at most.
_CALL_SECONDS = 0.25
_STALE_SECONDS = 1.0


@dataclass(order=True)
class Change:
    """A write at the source: when it arrives, its number, and what it leaves there (``None``: nothing)."""

    due: float
    number: int
    key: str = field(compare=False)
    item: Item | None = field(compare=False)
    at: float = field(compare=False)


class Turns:
    """Runs threads one at a time; the one that calls passes the turn on to any of them."""

    def __init__(self, rng: random.Random) -> None:
        self._random = rng
        self._back = threading.Semaphore(0)
        self._mine = threading.local()

    def run_all(
        self,
        tasks: Sequence[Callable[[], None]],
        *,
        stop: threading.Event,
        tick: Callable[[], None] = lambda: None,
    ) -> None:
        """Do as `verify.scan.workers.run_all`."""
        alive = {number: threading.Semaphore(0) for number in range(len(tasks))}
        failures: list[BaseException] = []

        def work(number: int) -> None:
            self._mine.turn = alive[number]
            alive[number].acquire()
            try:
                tasks[number]()
            except BaseException as failure:
                failures.append(failure)
                stop.set()
            del alive[number]
            self._back.release()

        for number in range(len(tasks)):
            threading.Thread(target=work, args=(number,), daemon=True).start()
        while alive:
            alive[self._random.choice(sorted(alive))].release()
            self._back.acquire()
            tick()
        if failures:
            raise failures[0]

    def pass_on(self) -> None:
        """Let others go first; returns when it is this thread's turn again."""
        turn = getattr(self._mine, "turn", None)
        if turn is not None:
            self._back.release()
            turn.acquire()


class Simulation(Clock):
    """Two tables that were equal, and what happens to them.

    Half of the writes go to each of the ``hot`` keys in turn, the others to any ``cold`` one. A write
    changes an item, deletes it, or makes it again; no two writes ever leave the same item.

    Parameters
    ----------
    seed
        Of everything that happens.
    delay
        What a change takes to the destination: at least and at most so many seconds. Changes of a key arrive
        in their order.
    cold, hot
        How many keys there are.
    rate
        Writes a second.

    Attributes
    ----------
    time
        Seconds since the epoch.
    writing
        The keys that are written to, ``"hot"``, ``"cold"`` or both.
    stopped
        The replicator does nothing any more.
    drop_every
        It loses each delete with a number that can be divided by this; 0 for none.
    dropped
        The keys of these deletes, and when they were made.
    written
        When each key was written to last.
    log
        The sides and operations of all calls, in their order.
    on_read
        Called when a BatchGetItem is about to be answered, with its side and the how manieth it is there.
    on_wait
        Called before time passes in the comparison's waiting, with the seconds.
    """

    def __init__(
        self,
        seed: int,
        delay: tuple[float, float],
        *,
        cold: int = 300,
        hot: int = 4,
        rate: float = 12.0,
        drop_every: int = 0,
    ) -> None:
        print(f"seed: {seed}")
        self._random = random.Random(seed)
        self._turns = Turns(self._random)
        self._delay = delay
        self._rate = rate
        self._numbers = 0
        self._deletes = 0
        self._next_write = 0.0
        self._underway: list[Change] = []
        self._arrives: dict[str, float] = {}
        self._before: list[tuple[float, str, Item | None]] = []
        self.cold = [f"cold-{number}" for number in range(cold)]
        self.hot = [f"hot-{number}" for number in range(hot)]
        self.time = 1_790_000_000.0
        self.writing: set[str] = {"hot", "cold"}
        self.stopped = False
        self.drop_every = drop_every
        self.dropped: dict[str, float] = {}
        self.written: dict[str, float] = {}
        self.log: list[tuple[str, str]] = []
        self.on_read: Callable[[str, int], None] = lambda side, number: None
        self.on_wait: Callable[[float], None] = lambda seconds: None
        items = [self._new(key) for key in self.cold + self.hot]
        self.source = FakeTable(items, account="111111111111", page_size=15)
        self.destination = FakeTable(items, account="222222222222", page_size=15)
        self.source.older = self._older
        self.source.before = lambda operation: self._called("source", operation)
        self.destination.before = lambda operation: self._called("destination", operation)
        self._next_write = self.time

    def now(self) -> float:
        """Seconds since the epoch."""
        return self.time

    def sleep(self, seconds: float) -> None:
        """Wait, as the comparison does."""
        self.on_wait(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass, and happen what is due in them."""
        until = self.time + seconds
        while True:
            arrival = self._underway[0].due if self._underway and not self.stopped else math.inf
            write = self._next_write if self.writing else math.inf
            if min(arrival, write) > until:
                break
            self.time = max(self.time, min(arrival, write))
            if arrival <= write:
                self._arrive(heapq.heappop(self._underway))
            else:
                self._next_write += self._random.uniform(0.5, 1.5) / self._rate
                self._write()
        self.time = until

    def stop_writes(self) -> None:
        """Nothing writes any more, and all that was underway has arrived."""
        self.writing = set()
        while self._underway and not self.stopped:
            self.advance(1.0)

    def behind(self) -> float:
        """How old the oldest change is that has not arrived."""
        return max((self.time - change.at for change in self._underway), default=0.0)

    def put(self, key: str, item: Item | None, after: float) -> None:
        """Write at the source; arrives ``after`` so many seconds."""
        self._before.append((self.time, key, self.item("source", key)))
        _write(self.source, key, item)
        self._numbers += 1
        self.written[key] = self.time
        due = max(self.time + after, self._arrives.get(key, 0.0))
        self._arrives[key] = due
        heapq.heappush(self._underway, Change(due, self._numbers, key, item, self.time))

    def item(self, side: str, key: str) -> Item | None:
        """What a side holds of a key."""
        return (self.source if side == "source" else self.destination).get(_key(key))

    def truth(self) -> dict[str, str]:
        """What differs at this moment: key to kind."""
        found = {}
        for key in self.cold + self.hot:
            source, destination = self.item("source", key), self.item("destination", key)
            if source != destination:
                found[key] = "extra" if source is None else "missing" if destination is None else "changed"
        return found

    def compare(self, options: Options, **more: Any) -> Compared:
        """Compare both tables while all goes on, every thread in its turn."""
        self.log.clear()
        self.source.calls.clear()
        self.destination.calls.clear()
        candidates: list[int] = []

        def note(progress: Progress) -> None:
            if progress.stage == "recheck":
                candidates.append(progress.candidates)

        began = self.time
        comparison = compare(
            self.source.table("source"),
            self.destination.table("destination"),
            options,
            clock=self,
            on_progress=note,
            **more,
        )
        return Compared(comparison, max(candidates, default=0), began)

    def reads(self) -> list[tuple[str, list[str]]]:
        """Sides and keys of all BatchGetItem calls, in their order."""
        calls = {"source": iter(self.source.calls), "destination": iter(self.destination.calls)}
        answered = [(side, next(calls[side])) for side, _ in self.log]
        return [
            (side, [key["pk"]["S"] for key in next(iter(request["RequestItems"].values()))["Keys"]])
            for side, (operation, request) in answered
            if operation == "BatchGetItem"
        ]

    def run_all(self, tasks: Sequence[Callable[[], None]], **more: Any) -> None:
        """Stand in for `verify.scan.workers.run_all`."""
        self._turns.run_all(tasks, **more)

    def _called(self, side: str, operation: str) -> None:
        self._turns.pass_on()
        self.log.append((side, operation))
        self.advance(self._random.uniform(0.0, _CALL_SECONDS))
        if operation == "BatchGetItem":
            self.on_read(side, self.log.count((side, operation)))

    def _new(self, key: str) -> Item:
        self._numbers += 1
        return {"pk": {"S": key}, "sk": {"N": "0"}, "v": {"N": str(self._numbers)}}

    def _write(self) -> None:
        key = self._random.choice(self.cold)
        if "cold" not in self.writing or ("hot" in self.writing and self._random.random() < 0.5):
            key = self.hot[0]
            self.hot.append(self.hot.pop(0))
        gone = self.item("source", key) is None
        item = self._new(key) if gone or self._random.random() < 0.7 else None
        if item is None:
            self._deletes += 1
            if self.drop_every and self._deletes % self.drop_every == 0:
                self.dropped[key] = self.time
        elif key in self.dropped:
            del self.dropped[key]
        self.put(key, item, self._random.uniform(*self._delay))

    def _arrive(self, change: Change) -> None:
        if self.dropped.get(change.key) != change.at:
            _write(self.destination, change.key, change.item)

    def _older(self) -> Mapping[str, Item | None]:
        """An eventually consistent scan sees half of the latest writes not yet."""
        older: dict[str, Item | None] = {}
        for at, key, item in reversed(self._before):
            if self.time - at > _STALE_SECONDS:
                break
            if self._random.random() < 0.5:
                older[self.source._schema.identity(_key(key))] = item
        return older


@dataclass(frozen=True)
class Compared:
    """What a comparison found, how many candidates it had, and when it began."""

    result: Comparison
    candidates: int
    began: float

    @property
    def standing(self) -> dict[str, str]:
        """Key to kind."""
        return {d.key["pk"]["S"]: d.kind for d in self.result.differences if d.standing}

    @property
    def unsettled(self) -> set[str]:
        """Keys."""
        return {d.key["pk"]["S"] for d in self.result.differences if not d.standing}


def _key(key: str) -> Item:
    return {"pk": {"S": key}, "sk": {"N": "0"}}


def _write(table: FakeTable, key: str, item: Item | None) -> None:
    if item is None:
        table.delete(_key(key))
    else:
        table.put(item)
