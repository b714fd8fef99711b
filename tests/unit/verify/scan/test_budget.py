"""Read capacity that is kept to, on clocks that only waiting moves."""

from __future__ import annotations

import heapq
import json
import multiprocessing
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.verify.service import FakeTable
from tests.unit.verify.world import item
from verify.scan.budget import Budget, ReadCapacity, Stopped, Unlimited
from verify.scan.segment import ScanPlan, SegmentScan

SECONDS = 60.0

# A clock moves between two looks at it, also where what is left to wait is less than a float can tell.
TICK = 1e-6


class Hand:
    """A clock that is set by hand, and the event that nobody sets but that is waited for on it."""

    def __init__(self) -> None:
        self.time = 0.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.time

    def is_set(self) -> bool:
        return False

    def wait(self, seconds: float) -> bool:
        raise Waits(seconds)


class Waits(Exception):
    """Somebody has to wait that long."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


def simulated(rate: float, threads: int, cost: Callable[[], float], latency: float) -> float:
    """Units that ``threads`` consume in a minute, each call answered after ``latency`` seconds."""
    hand = Hand()
    budget = ReadCapacity(rate, hand)
    stop: Any = hand
    consumed = 0.0
    # Moment, thread, and what it took for the call that is answered then.
    events: list[tuple[float, int, float | None]] = [(0.0, thread, None) for thread in range(threads)]
    while events[0][0] < SECONDS:
        hand.time, thread, taken = heapq.heappop(events)
        if taken is not None:
            units = cost()
            consumed += units
            budget.settle(taken, units)
        try:
            taken = budget.take(stop)
        except Waits as waits:
            heapq.heappush(events, (hand.time + waits.seconds + TICK, thread, None))
        else:
            heapq.heappush(events, (hand.time + latency, thread, taken))
    return consumed


@pytest.mark.parametrize("threads", [1, 4, 16])
@pytest.mark.parametrize("latency", [0.01, 0.5])
@pytest.mark.parametrize("rate", [1, 25, 1000, 10_000])
@pytest.mark.parametrize("share", [0.02, 0.1])
def test_a_minute_keeps_to_the_rate_whatever_a_page_costs(
    threads: int, latency: float, rate: float, share: float
) -> None:
    # As the page size makes them: parts of what a second allows, and a unit at least; 256 at most.
    mean = min(256.0, max(1.0, rate * share))
    rng = random.Random(1)
    consumed = simulated(rate, threads, lambda: mean * rng.uniform(0.1, 1.9), latency)
    assert consumed <= rate * SECONDS * 1.1, consumed / rate / SECONDS
    # As fast as the budget allows, and the threads can.
    possible = min(rate * SECONDS, threads * mean * (SECONDS / latency - 1))
    assert consumed >= possible * 0.9, consumed / possible


def test_costs_that_change_are_kept_to(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(2)
    costs = [0.5, 1.0, 20.0, 128.0]
    consumed = simulated(500, 8, lambda: rng.choice(costs), 0.02)
    assert 0.9 <= consumed / (500 * SECONDS) <= 1.1


def test_nothing_is_saved_up() -> None:
    hand = Hand()
    budget = ReadCapacity(10, hand)
    stop: Any = hand
    hand.time = 1_000.0
    taken = budget.take(stop)
    budget.settle(taken, 100.0)
    with pytest.raises(Waits) as waits:
        budget.take(stop)
    assert waits.value.seconds == pytest.approx(10.0)


def test_a_call_that_was_not_answered_keeps_its_units() -> None:
    hand = Hand()
    budget = ReadCapacity(10, hand)
    stop: Any = hand
    taken = budget.take(stop)
    budget.settle(taken, 20.0)
    hand.time += 3.0
    expected = budget.take(stop)
    assert expected > taken
    budget.settle(expected, None)
    with pytest.raises(Waits) as waits:
        budget.take(stop)
    unanswered = waits.value.seconds
    assert unanswered == pytest.approx(expected / 10)
    # One that was refused has cost nothing.
    hand.time += unanswered
    budget.settle(budget.take(stop), 0.0)
    budget.take(stop)


def test_waiting_ends_with_the_comparison() -> None:
    stop = threading.Event()
    for budget in (Unlimited(), ReadCapacity(0.001)):
        budget.settle(budget.take(stop), 1_000.0)
    waiting: Budget = budget
    ended: list[bool] = []

    def wait() -> None:
        with pytest.raises(Stopped):
            waiting.take(stop)
        ended.append(True)

    thread = threading.Thread(target=wait)
    thread.start()
    stop.set()
    thread.join(10)
    assert ended
    for each in (Unlimited(), ReadCapacity(1)):
        with pytest.raises(Stopped):
            each.take(stop)


class SharedClock:
    """A clock for several processes, that each of them moves on by what it waits."""

    def __init__(self) -> None:
        self._time = multiprocessing.get_context("spawn").Value("d", 0.0)

    def __call__(self) -> float:
        return float(self._time.value)

    def is_set(self) -> bool:
        return False

    def wait(self, seconds: float) -> bool:
        with self._time.get_lock():
            self._time.value += seconds + TICK
        return False


def spend(budget: ReadCapacity, clock: Any, cost: float, until: float, total: Any) -> None:
    """Make calls until the clock says so."""
    while clock() < until:
        budget.settle(budget.take(clock), cost)
        with total.get_lock():
            total.value += cost


def test_processes_keep_one_budget_together() -> None:
    context = multiprocessing.get_context("spawn")
    clock = SharedClock()
    rate, until = 100.0, 60.0
    budget = ReadCapacity(rate, clock)
    total = context.Value("d", 0.0)
    several = [
        context.Process(target=spend, args=(budget, clock, cost, until, total), daemon=True)
        for cost in (3.0, 8.0)
    ]
    for each in several:
        each.start()
    for each in several:
        each.join(30)
        assert each.exitcode == 0
    # Two who wait at once move the clock twice as far: never is more spent than the clock has allowed.
    assert total.value <= rate * clock() * 1.1
    assert total.value >= rate * clock() * 0.4


@pytest.mark.parametrize(
    ("rate", "item_bytes", "consistent", "limit"),
    [
        # A tenth of what a second allows, in items of which a unit holds ten, or twenty.
        (100, 400, True, 102),
        (100, 400, False, 204),
        # At least a unit, and at least an item.
        (1, 400, True, 10),
        (1, 400_000, True, 1),
        # Of a large budget a page of 1 MB is less than a tenth.
        (2559, 400, True, 2620),
        (2560, 400, True, None),
        (1280, 400, False, None),
    ],
)
def test_pages_shrink_with_the_budget(
    tmp_path: Path, rate: float, item_bytes: int, consistent: bool, limit: int | None
) -> None:
    table = FakeTable([item("a", 1)])
    table.item_bytes = item_bytes
    scanned(table, ReadCapacity(rate), tmp_path, consistent=consistent)
    assert [request.get("Limit") for _, request in table.calls] == [limit]


def test_pages_are_whole_where_nothing_limits_them(tmp_path: Path) -> None:
    table = FakeTable([item("a", 1)])
    scanned(table, Unlimited(), tmp_path)
    assert "Limit" not in table.calls[0][1]


def test_a_scan_settles_what_its_pages_have_cost(tmp_path: Path) -> None:
    table = FakeTable([item("a", n) for n in range(40)], page_size=10)
    table.units_per_page = 5.0
    settled: list[float | None] = []

    class Noting(Unlimited):
        def settle(self, taken: float, consumed: float | None) -> None:
            settled.append(consumed)

    scanned(table, Noting(), tmp_path)
    assert settled == [10.0] * 4


def scanned(table: FakeTable, budget: Budget, directory: Path, *, consistent: bool = True) -> None:
    scan = SegmentScan(table.table(), ScanPlan((0,), 1, consistent=consistent), 0, directory / "rows", budget)
    scan.run(threading.Event(), lambda reached: None)


def test_small_pages_keep_the_seconds_too(tmp_path: Path) -> None:
    # Whole pages of 128 units would be a burst, and then nothing for five seconds.
    rate = 25.0
    hand = Hand()
    spent: list[tuple[float, float]] = []
    table = FakeTable([item("a", n) for n in range(600)])
    table.item_bytes = 4096
    budget = ReadCapacity(rate, hand)

    class Stop:
        def is_set(self) -> bool:
            return False

        def wait(self, seconds: float) -> bool:
            hand.time += seconds + TICK
            return False

    send = table.send

    def sized(operation: str, body: bytes) -> bytes:
        answer = json.loads(send(operation, body))
        answer["ConsumedCapacity"]["CapacityUnits"] = float(answer["ScannedCount"])
        spent.append((hand.time, answer["ScannedCount"]))
        return json.dumps(answer).encode()

    table.send = sized  # type: ignore[method-assign]
    stop: Any = Stop()
    SegmentScan(table.table(), ScanPlan((0,), 1, consistent=True), 0, tmp_path / "rows", budget).run(
        stop, lambda reached: None
    )
    for second in range(int(hand.time)):
        units = sum(count for moment, count in spent if second <= moment < second + 1)
        assert units <= rate * 1.2
    assert hand.time == pytest.approx(600 / rate, rel=0.1)
