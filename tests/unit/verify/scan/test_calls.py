"""Calls that are tried again, and those that are not."""

from __future__ import annotations

import heapq
import json
import math
import multiprocessing
import random
import threading
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
    ResponseStreamingError,
    UnauthorizedSSOTokenError,
)

from tablecopy.clock import Clock
from tablecopy.throughput.rate import TokenBucket, Unlimited
from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.errors import UserError
from tests.unit.verify.service import FakeTable, serving
from tests.unit.verify.world import item
from verify.scan.calls import (
    _THROTTLED_ATTEMPTS,
    ATTEMPTS,
    Calls,
    read_limit,
    sender,
)
from verify.scan.decode import BadPage
from verify.scan.processes import Stopped
from verify.scan.segment import ScanPlan, SegmentScan


class Event(threading.Event):
    """Remembers how long was waited, and does not wait."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.waits.append(timeout)
        return self.is_set()


class Noting(Unlimited):
    """A limit that every call is within."""

    def __init__(self) -> None:
        super().__init__(Clock())
        self.settled: list[float] = []
        self.rate = math.inf

    def settle(self, taken: float, consumed: float) -> None:
        self.settled.append(consumed)


def refusal(code: str, status: int = 400) -> ClientError:
    error: Any = {
        "Error": {"Code": code, "Message": "no"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(error, "Scan")


LOST = [
    ReadTimeoutError(endpoint_url="http://x"),
    EndpointConnectionError(endpoint_url="http://x"),
    ResponseStreamingError(error="its CRC-32 differs"),
]
FAILED = [refusal("InternalServerError", 500), refusal("503", 503)]
THROTTLED = [
    refusal("ProvisionedThroughputExceededException"),
    refusal("ThrottlingException"),
    refusal("RequestLimitExceeded"),
]
FINAL = [
    refusal("ExpiredTokenException"),
    refusal("AccessDeniedException"),
    refusal("ValidationException"),
    refusal("ResourceNotFoundException"),
    NoCredentialsError(),
    UnauthorizedSSOTokenError(),
]


def named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


class Calling:
    """One call, of which the first answers are failures."""

    def __init__(self, failures: list[Exception]) -> None:
        self.left = list(failures)
        self.stop = Event()
        self.limit: Any = Noting()
        self.sent = 0
        self.on_send: Callable[[], None] = lambda: None

    def send(self, operation: str, body: bytes) -> bytes:
        self.sent += 1
        self.on_send()
        if self.left:
            raise self.left.pop(0)
        return b"answer"

    def answer(self, read: Any = lambda body: (body, 3.0)) -> Any:
        calls = Calls(Side("source", profile="old"), self.send, self.limit, self.stop)
        return calls.answer("Scan", b"body", read)


@pytest.mark.parametrize("error", [*LOST, *FAILED, *THROTTLED], ids=named)
def test_what_may_work_the_next_time_is_tried_again(error: Exception) -> None:
    calling = Calling([error] * 5)
    assert calling.answer() == b"answer"
    assert calling.sent == 6
    # Further and further apart: five waits within a bound that doubles from 50 ms.
    assert len(calling.stop.waits) == 5
    assert all(wait <= 0.05 * 2**number for number, wait in enumerate(calling.stop.waits))
    # A call that was not answered may have been carried out, and keeps its units. A rejected one was not.
    unanswered = error in LOST
    assert calling.limit.settled == ([] if unanswered else [0.0] * 5) + [3.0]


@pytest.mark.parametrize("error", FINAL, ids=named)
def test_what_will_not_work_is_not_tried_again(error: Exception) -> None:
    calling = Calling([error])
    with pytest.raises(UserError, match=r"^source: ") as caught:
        calling.answer()
    assert caught.value.side == "source"
    assert caught.value.__cause__ is error
    assert (calling.sent, calling.stop.waits) == (1, [])


@pytest.mark.parametrize(
    ("errors", "attempts"), [(LOST, ATTEMPTS), (FAILED, ATTEMPTS), (THROTTLED, _THROTTLED_ATTEMPTS)]
)
def test_not_for_ever(errors: Sequence[Exception], attempts: int) -> None:
    calling = Calling([*errors] * attempts)
    with pytest.raises(UserError, match=r"^source: "):
        calling.answer()
    assert calling.sent == attempts


def test_throttles_do_not_count_as_failures() -> None:
    mixed: list[Exception] = [
        error for _ in range(ATTEMPTS - 1) for error in (THROTTLED[0], LOST[0], THROTTLED[1])
    ]
    assert Calling(mixed).answer() == b"answer"


def test_a_broken_answer_is_asked_for_again() -> None:
    calling = Calling([])
    answers = iter([BadPage("cut"), BadPage("cut"), (b"whole", 2.0)])

    def read(body: bytes) -> Any:
        found = next(answers)
        if isinstance(found, Exception):
            raise found
        return found

    assert calling.answer(read) == b"whole"
    assert calling.sent == 3
    # What it has cost is not known.
    assert calling.limit.settled == [2.0]


def test_answers_that_stay_broken_name_the_endpoint() -> None:
    calling = Calling([])

    def read(body: bytes) -> Any:
        raise BadPage("no JSON")

    with pytest.raises(UserError, match=r"no JSON.*--source-endpoint-url") as caught:
        calling.answer(read)
    assert (caught.value.side, calling.sent) == ("source", ATTEMPTS)


def test_waiting_for_the_next_try_ends_with_the_comparison() -> None:
    calling = Calling([THROTTLED[0]] * 5)
    calling.on_send = calling.stop.set
    with pytest.raises(Stopped):
        calling.answer()
    assert calling.sent == 1
    with pytest.raises(Stopped):
        calling.answer()
    assert calling.sent == 1


@pytest.mark.parametrize("spoil", ["crc", "cut", "html", "empty", "503"])
def test_over_http_a_spoilt_answer_is_asked_for_again(monkeypatch: pytest.MonkeyPatch, spoil: str) -> None:
    monkeypatch.setattr("tablecopy.dynamodb.errors.Backoff.next", lambda self: 0.0)
    table = FakeTable([item("a", n) for n in range(3)])
    with serving(table) as served:
        send, url = sender(Side("source", region="eu-west-1", endpoint_url=served.url))
        assert url == served.url
        spoilt: list[str] = []

        def instead(operation: str, body: bytes) -> tuple[int, bytes] | None:
            served.crc = zlib.crc32
            if spoilt:
                return None
            spoilt.append(operation)
            whole = table.send(operation, body)
            if spoil == "crc":
                served.crc = lambda answer: 1
                return 200, whole
            return {
                "cut": (200, whole[:-20]),
                "html": (200, b"<html>"),
                "empty": (200, b""),
                "503": (503, b"<html>Service Unavailable</html>"),
            }[spoil]

        served.instead = instead
        calls = Calls(Side("source"), send, stop=Event())
        request = {"TableName": "cities", "Segment": 0, "TotalSegments": 1, "ConsistentRead": True}

        def read(body: bytes) -> tuple[Any, float]:
            try:
                return json.loads(body), 1.0
            except ValueError as error:
                raise BadPage(str(error)) from error

        found = calls.answer("Scan", json.dumps(request).encode(), read)
        assert found["Count"] == 3
        assert served.operations["Scan"] == 2


SECONDS = 60.0

# A clock moves between two looks at it, also where what is left to wait is less than a float can tell.
TICK = 1e-6


class Hand(Clock):
    """A clock that is set by hand. Waiting on it raises."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        raise Waits(seconds)


class Waits(Exception):
    """Somebody has to wait that long."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


def simulated(rate: float, threads: int, cost: Callable[[], float], latency: float) -> float:
    """Units that ``threads`` consume in a minute, each call answered after ``latency`` seconds."""
    hand = Hand()
    limit = read_limit(rate, hand)
    consumed = 0.0
    # Moment, thread, and what it took for the call that is answered then.
    events: list[tuple[float, int, float | None]] = [(0.0, thread, None) for thread in range(threads)]
    while events[0][0] < SECONDS:
        hand.time, thread, taken = heapq.heappop(events)
        if taken is not None:
            units = cost()
            consumed += units
            limit.settle(taken, units)
        try:
            taken = limit.acquire(math.inf)
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
    # As fast as the limit allows, and the threads can. It takes some calls to learn what a page costs.
    possible = min(rate * SECONDS, threads * mean * (SECONDS / latency - 1))
    assert consumed >= possible * 0.88, consumed / possible


def test_costs_that_change_are_kept_to(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(2)
    costs = [0.5, 1.0, 20.0, 128.0]
    consumed = simulated(500, 8, lambda: rng.choice(costs), 0.02)
    assert 0.9 <= consumed / (500 * SECONDS) <= 1.1


def test_nothing_is_saved_up() -> None:
    hand = Hand()
    limit = read_limit(10, hand)
    hand.time = 1_000.0
    limit.settle(limit.acquire(math.inf), 5.0)
    with pytest.raises(Waits) as waits:
        limit.acquire(math.inf)
    assert waits.value.seconds == pytest.approx(0.5)


def test_waiting_ends_with_the_comparison() -> None:
    stop = threading.Event()
    limit = read_limit(0.001)
    calls = Calls(Side("source"), lambda operation, body: body, limit, stop)
    calls.answer("Scan", b"body", lambda body: (body, 1_000.0))
    ended: list[bool] = []

    def wait() -> None:
        with pytest.raises(Stopped):
            calls.answer("Scan", b"body", lambda body: (body, 1.0))
        ended.append(True)

    thread = threading.Thread(target=wait)
    thread.start()
    stop.set()
    thread.join(10)
    assert ended
    for bound in (None, read_limit(1)):
        with pytest.raises(Stopped):
            calls.bound(bound, stop).answer("Scan", b"body", lambda body: (body, 1.0))


class SharedClock(Clock):
    """A clock for several processes, that each of them moves on by what it waits."""

    def __init__(self) -> None:
        self._time = multiprocessing.get_context("spawn").Value("d", 0.0)

    def now(self) -> float:
        return float(self._time.value)

    def sleep(self, seconds: float) -> None:
        with self._time.get_lock():
            self._time.value += seconds + TICK


def spend(limit: TokenBucket, clock: Clock, cost: float, until: float, total: Any) -> None:
    """Make calls until the clock says so."""
    while clock.now() < until:
        limit.settle(limit.acquire(math.inf), cost)
        with total.get_lock():
            total.value += cost


def test_processes_keep_one_limit_together() -> None:
    context = multiprocessing.get_context("spawn")
    clock = SharedClock()
    rate, until = 100.0, 60.0
    limit = read_limit(rate, clock)
    total = context.Value("d", 0.0)
    several = [
        context.Process(target=spend, args=(limit, clock, cost, until, total), daemon=True)
        for cost in (3.0, 8.0)
    ]
    for each in several:
        each.start()
    for each in several:
        each.join(30)
        assert each.exitcode == 0
    # Two who wait at once move the clock twice as far: never is more spent than the clock has allowed.
    assert total.value <= rate * clock.now() * 1.1
    assert total.value >= rate * clock.now() * 0.4


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
    scanned(table, read_limit(rate), tmp_path, consistent=consistent)
    assert [request.get("Limit") for _, request in table.calls] == [limit]


def test_pages_are_whole_where_nothing_limits_them(tmp_path: Path) -> None:
    table = FakeTable([item("a", 1)])
    scanned(table, None, tmp_path)
    assert "Limit" not in table.calls[0][1]


def test_a_scan_settles_what_its_pages_have_cost(tmp_path: Path) -> None:
    table = FakeTable([item("a", n) for n in range(40)], page_size=10)
    table.units_per_page = 5.0
    limit: Any = Noting()
    scanned(table, limit, tmp_path)
    assert limit.settled == [10.0] * 4


def scanned(
    table: FakeTable,
    limit: TokenBucket | None,
    directory: Path,
    *,
    consistent: bool = True,
    stop: threading.Event | None = None,
) -> None:
    bound = table.table().bound(limit, stop or threading.Event())
    SegmentScan(bound, ScanPlan((0,), 1, consistent=consistent), 0, directory / "rows").run(
        lambda reached: None
    )


def test_small_pages_keep_the_seconds_too(tmp_path: Path) -> None:
    # Whole pages of 128 units would be a burst, and then nothing for five seconds.
    rate = 25.0
    hand = Hand()
    spent: list[tuple[float, float]] = []
    table = FakeTable([item("a", n) for n in range(600)])
    table.item_bytes = 4096

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            assert timeout is not None
            hand.time += timeout + TICK
            return False

    send = table.send

    def sized(operation: str, body: bytes) -> bytes:
        answer = json.loads(send(operation, body))
        answer["ConsumedCapacity"]["CapacityUnits"] = float(answer["ScannedCount"])
        spent.append((hand.time, answer["ScannedCount"]))
        return json.dumps(answer).encode()

    table.send = sized  # type: ignore[method-assign]
    scanned(table, read_limit(rate, hand), tmp_path, stop=Stop())
    for second in range(int(hand.time)):
        units = sum(count for moment, count in spent if second <= moment < second + 1)
        assert units <= rate * 1.2
    assert hand.time == pytest.approx(600 / rate, rel=0.1)
