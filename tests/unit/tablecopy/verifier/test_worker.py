"""Workers compare segments exactly, whatever the tables answer and wherever the workers are ended."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tablecopy.comparison.differences import Kind
from tablecopy.comparison.items import are_equal
from tablecopy.dynamodb.client import Json
from tablecopy.journal.run import Phase, Run, RunRecord
from tablecopy.journal.shards import Shards
from tablecopy.journal.verifications import Compared, State, Verification, Verifications
from tablecopy.metrics.log import MetricsBuffer
from tablecopy.throughput.limits import read_usage
from tablecopy.throughput.rate import AdaptiveRate
from tablecopy.verifier import worker
from tablecopy.verifier.lag import Lag
from tablecopy.verifier.part import NoProgress, Result, Table
from tablecopy.verifier.worker import Worker
from tests.unit.tablecopy.fakes import NOON, STREAM_ARN, FakeClock, MemoryStore, client_error
from tests.unit.tablecopy.verifier.tables import HostileTable

SEGMENTS = 3
NAME = "v1"


class Killed(BaseException):
    """The invocation ends here, without any handler of errors."""


class AtOnce(Executor):
    """Makes each call when it is submitted."""

    def submit(self, function: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(function(*args, **options))
        except Exception as error:
            future.set_exception(error)
        return future


class OneThread(FakeClock):
    """A machine on which nothing happens at the same time, so that a seed always reads the same."""

    def pool(self, size: int) -> Executor:
        return AtOnce()


class Account:
    """Both tables, the journal, and a state machine that invokes workers until they are done."""

    def __init__(
        self,
        seed: int,
        *,
        faults: float = 0.0,
        writes_stopped: bool = True,
        salt: str = "",
        clock: FakeClock | None = None,
    ) -> None:
        self.rng = random.Random(seed)
        self.clock = clock or FakeClock()
        respells = seed % 3 == 0
        # Two threads read them at the same time, so each has its own chance.
        here, there = random.Random(f"source {seed}"), random.Random(f"copy {seed}")
        self.source = HostileTable("source", here, faults=faults)
        self.destination = HostileTable("copy", there, faults=faults, salt=salt, respells=respells)
        self.store = MemoryStore()
        RunRecord(self.store).create(Run("r", STREAM_ARN, 1, NOON, Phase.READY, phase_since=NOON))
        self.while_called: Callable[[], None] = lambda: None
        self.verifications = Verifications(self.store, self.clock)
        self.verifications.save(
            Verification(
                verification_id=NAME,
                key_names=("pk",),
                total_segments=SEGMENTS,
                workers=SEGMENTS,
                began=NOON,
                writes_stopped=writes_stopped,
                expiry="expires",
                state=State.SCANNING,
            ),
            is_new=True,
        )

    def worker(self) -> Worker:
        """A new environment of the function."""
        metrics = MetricsBuffer(self.clock, "copy")
        source, destination = (
            Table(client, name, AdaptiveRate(self.clock, 16.0), read_usage(metrics, name))
            for client, name in ((self.source, "source"), (self.destination, "copy"))
        )
        lag = Lag(RunRecord(self.store), Shards(self.store), self.clock)
        return Worker(self.verifications, (source, destination), (None, None), lag, self.clock)

    def look(self) -> None:
        """Let the reconciler note that the copy has applied everything until a minute ago."""
        summary = Shards(self.store).summary()
        looked_at = self.clock.time
        Shards(self.store).save_summary(replace(summary, looked_at=looked_at, records=summary.records + 1))

    def scan(self, seconds: float = 900.0, kills: float = 0.0) -> None:
        """Scan all segments, with invocations of so many seconds of which some are killed."""
        for segment in range(SEGMENTS):
            for _ in range(500):
                self.clock.time += 1
                calls = self.rng.randint(1, 20) if self.rng.random() < kills else 0
                self.kill_after(calls)
                try:
                    result = self.worker().scan(NAME, segment, self.clock.time + seconds)
                except (Killed, NoProgress):
                    continue
                if result is Result.DONE:
                    break
                assert result is Result.CONTINUE
            else:
                raise AssertionError(f"segment {segment} never ends")
        self.kill_after(0)

    def kill_after(self, calls: int) -> None:
        """Kill the next invocation in its call with this number; 0 for none. Each call takes its time."""
        left = [calls]

        def count() -> None:
            self.clock.time += 0.2
            self.while_called()
            left[0] -= 1
            if left[0] == 0:
                raise Killed

        self.source.before_call = self.destination.before_call = count

    def recheck(self, *, proven: bool = True) -> None:
        """Read the open keys once more, after the copy has or has not applied what could be on its way."""
        self.clock.time += 150
        if proven:
            self.look()
        verification = self.verifications.read()
        assert verification is not None
        generation = verification.generation + 1
        self.verifications.save(replace(verification, state=State.RECHECKING, generation=generation))
        for segment in range(SEGMENTS):
            result = self.worker().recheck(NAME, segment, generation, self.clock.time + 900)
            assert result is Result.DONE
            assert self.worker().recheck(NAME, segment, generation, self.clock.time + 900) is Result.DONE

    def segments(self) -> list[Compared]:
        return [self.verifications.segment(NAME, segment) for segment in range(SEGMENTS)]

    def total(self, name: str) -> int:
        return sum(getattr(segment, name) for segment in self.segments())

    def listed(self, *, once: bool = True) -> dict[str, Kind]:
        """Kind of each listed difference by its key, and whether each is listed once."""
        differences = [
            each for segment in self.segments() for each in self.verifications.standing(NAME, segment)
        ]
        kinds = {each.key["pk"]["S"]: each.kind for each in differences}
        assert len(kinds) == len(differences) or not once
        return kinds

    def fill(self, count: int, changes: float) -> dict[str, Kind]:
        """Fill both tables; return the differences that were planted."""
        planted = {}
        for number in range(count):
            key = f"k{number}"
            item: Json = {"pk": {"S": key}, "n": {"N": str(number)}, "tags": {"SS": ["a", "b"]}}
            here, there = {**item}, {**item, "n": {"N": f"{number}.0"}, "tags": {"SS": ["b", "a"]}}
            if self.rng.random() < changes:
                kind = planted[key] = self.rng.choice(list(Kind))
                if kind is Kind.CHANGED:
                    there["n"] = {"N": "-1"}
                if kind is Kind.EXPIRED:
                    here["expires"] = {"N": str(int(NOON) - 60)}
                if kind in {Kind.MISSING, Kind.EXPIRED}:
                    self.source.items[key] = here
                    continue
                if kind is Kind.EXTRA:
                    self.destination.items[key] = there
                    continue
            self.source.items[key] = here
            self.destination.items[key] = there if key in planted or self.rng.random() < 0.5 else here
        return planted


@pytest.mark.parametrize("seed", range(30))
def test_every_planted_difference_is_found_and_none_is_invented(seed: int) -> None:
    rng = random.Random(seed)
    account = Account(seed, faults=rng.choice([0.0, 0.3]), salt=rng.choice(["", "", "other"]))
    planted = account.fill(rng.choice([0, 5, 150]), rng.choice([0.0, 0.1, 1.0]))
    account.scan(seconds=rng.choice([23.0, 900.0]), kills=rng.choice([0.0, 0.4]))
    assert account.listed() == planted
    for kind in Kind:
        assert account.total(kind.value) == sum(each is kind for each in planted.values())
    extra = sum(key not in account.source.items for key in account.destination.items)
    assert account.total("equal") == len(account.source.items) - len(planted) + extra
    assert account.total("source_items") == len(account.source.items)
    assert account.total("destination_items") == len(account.destination.items)
    assert account.total("open") == 0


def test_a_change_on_its_way_is_no_difference_and_a_lost_one_is() -> None:
    account = Account(1, writes_stopped=False)
    account.fill(200, 0.0)
    late = {key: account.destination.items[key] for key in list(account.destination.items)[:20]}
    for key in late:
        account.source.items[key] = {"pk": {"S": key}, "n": {"N": "new"}} | {"n": {"N": "7777"}}
    lost = list(late)[:5]
    account.scan()
    assert (account.total("open"), account.listed()) == (20, {})
    for key in late:
        if key not in lost:
            account.destination.items[key] = account.source.items[key]
    account.recheck()
    assert account.total("open") == 0
    assert account.listed() == dict.fromkeys(lost, Kind.CHANGED)


WRITTEN = 50
"""Keys up to this one are written all the time."""


class Writers:
    """Writes at the source at each call of a worker, and a replicator that applies them later, or never."""

    def __init__(self, account: Account, lost_part: float) -> None:
        self._account = account
        self._lost_part = lost_part
        self._queue: list[tuple[float, str, Json | None]] = []

    def work(self) -> None:
        rng, now = self._account.rng, self._account.clock.time
        if rng.random() < 0.5:
            key = f"k{rng.randint(0, WRITTEN)}"
            item: Json | None = {"pk": {"S": key}, "n": {"N": str(rng.randint(0, 3))}}
            if rng.random() < 0.3:
                item = None
            put(self._account.source.items, key, item)
            if rng.random() >= self._lost_part:
                self._queue.append((now + 5, key, item))
        self.apply(now)

    def apply(self, now: float) -> None:
        while self._queue and self._queue[0][0] <= now:
            _, key, item = self._queue.pop(0)
            put(self._account.destination.items, key, item)


def put(items: dict[str, Json], key: str, item: Json | None) -> None:
    if item is None:
        items.pop(key, None)
    else:
        items[key] = item


@pytest.mark.parametrize("seed", range(20))
def test_under_writes_lost_changes_are_found_and_late_ones_are_not_differences(seed: int) -> None:
    salt = random.Random(seed).choice(["", "other"])
    account = Account(seed, writes_stopped=False, salt=salt)
    planted = account.fill(100, 0.2)
    writers = Writers(account, lost_part=random.Random(seed).choice([0.0, 0.1]))
    account.while_called = writers.work
    account.scan(seconds=30.0)
    account.while_called = lambda: None
    account.clock.time += 60
    writers.apply(account.clock.time)
    for _ in range(2):
        account.recheck()
    here, there = account.source.items, account.destination.items
    differing = {key for key in here.keys() | there.keys() if not equal(here.get(key), there.get(key))}
    # Two segments may have seen a key at two times, if they do not hold the same keys of both tables.
    found = account.listed(once=not salt)
    assert found.keys() <= differing
    assert account.total("open") == 0
    # What was lost behind the scans is not theirs to find.
    assert {key: found.get(key) for key in planted if int(key[1:]) > WRITTEN} == {
        key: kind for key, kind in planted.items() if int(key[1:]) > WRITTEN
    }


def equal(one: Json | None, other: Json | None) -> bool:
    return one is other or (one is not None and other is not None and are_equal(one, other))


def test_a_key_that_still_changes_stays_open() -> None:
    account = Account(1, writes_stopped=False)
    account.fill(20, 0.0)
    for value in ("1000", "1001"):
        account.source.items["k3"] = {"pk": {"S": "k3"}, "n": {"N": value}}
        if value == "1000":
            account.scan()
    account.recheck()
    assert (account.total("open"), account.listed()) == (1, {})
    account.recheck()
    assert (account.total("open"), account.listed()) == (0, {"k3": Kind.CHANGED})


def small_rechecks(account: Account, generation: int, seconds: float) -> list[Result | None]:
    """Recheck the first segment in invocations of so many seconds; None for one that got nowhere."""
    results: list[Result | None] = []
    while Result.DONE not in results:
        account.clock.time += 1
        try:
            results.append(account.worker().recheck(NAME, 0, generation, account.clock.time + seconds))
        except NoProgress:
            results.append(None)
        assert len(results) < 500, "it gets no further"
    return results


def test_rechecks_go_on_where_the_invocation_before_has_ended() -> None:
    account = Account(1, writes_stopped=False)
    account.source.items = {f"k{n}": {"pk": {"S": f"k{n}"}} for n in range(1500)}
    account.scan()
    opened = account.segments()[0].open
    verification = account.verifications.read()
    assert verification is not None
    account.verifications.save(replace(verification, state=State.RECHECKING, generation=1))
    account.clock.time += 150
    # Nothing is proven, so all keys stay open.
    account.kill_after(0)
    results = small_rechecks(account, 1, 8.7)
    assert results.count(Result.CONTINUE) > 2
    segment = account.segments()[0]
    assert (segment.open, segment.generation, segment.rechecked, segment.next_chunks) == (opened, 1, 0, 0)
    keys = {each.key["pk"]["S"] for each in account.verifications.still_open(NAME, segment)}
    assert len(keys) == opened == len(list(account.verifications.still_open(NAME, segment)))
    account.look()
    latest = account.verifications.read()
    assert latest is not None
    account.verifications.save(replace(latest, generation=2))
    small_rechecks(account, 2, 8.7)
    segment = account.segments()[0]
    assert (segment.open, segment.missing, segment.generation) == (0, opened, 2)
    assert account.listed().keys() == keys


def test_behind_a_stretch_that_one_table_lacks_the_scans_meet_again(monkeypatch: pytest.MonkeyPatch) -> None:
    # The window holds about fifty items, and the stretch has a hundred and fifty in each segment.
    monkeypatch.setattr(worker, "WINDOW_BYTES", 50 * 80)
    reads = 0
    for lacking, writes_stopped in itertools.product(["source", "destination"], [True, False]):
        account = Account(1, writes_stopped=writes_stopped, clock=OneThread())
        account.fill(3_000, 0.0)
        table: HostileTable = getattr(account, lacking)
        for segment in range(SEGMENTS):
            for key in table.keys_of(segment, SEGMENTS)[350:500]:
                del table.items[key]
        account.scan()
        different = account.total("missing") + account.total("extra") + account.total("open")
        assert different == 150 * SEGMENTS
        assert account.total("equal") == 3_000 - different
        reads += account.source.gets + account.destination.gets
    # A key that differs is read once with writes stopped, and two or three times under writes. If the scans
    # did not meet again, it would be half as many again.
    assert reads < 6_500


def test_with_few_units_a_segment_gets_to_its_end() -> None:
    account = Account(1)
    account.source.items = {f"k{n}": {"pk": {"S": f"k{n}"}} for n in range(200)}
    for segment in range(SEGMENTS):
        # All others wait until this one meets, and can be judged then.
        last = account.source.keys_of(segment, SEGMENTS)[-1]
        account.destination.items[last] = account.source.items[last]
    verification = account.verifications.read()
    assert verification is not None
    # Half a unit a second for each worker: not enough to read what waits by key in an invocation.
    account.verifications.save(replace(verification, source_ceiling=1.5, destination_ceiling=1.5))
    account.scan(seconds=60.0)
    assert (account.total("missing"), account.total("equal")) == (200 - SEGMENTS, SEGMENTS)
    assert max(account.segments(), key=lambda each: each.version).version > 3


def test_what_ends_a_worker_is_noted() -> None:
    account = Account(1)
    account.fill(10, 0.0)

    def refuse() -> None:
        raise client_error("AccessDeniedException", operation="Scan")

    account.source.before_call = refuse
    with pytest.raises(ClientError):
        account.worker().scan(NAME, 0, account.clock.time + 900)
    assert "AccessDenied" in account.verifications.problem(NAME, 0)
    assert account.verifications.problem(NAME, 1) == ""


def test_a_limit_of_an_earlier_verification_is_forgotten() -> None:
    account = Account(1)
    environment = account.worker()
    verification = account.verifications.read()
    assert verification is not None
    limited = account.verifications.save(replace(verification, source_ceiling=3.0))
    assert limited is not None
    environment.scan(NAME, 0, account.clock.time + 900)
    account.verifications.save(replace(limited, source_ceiling=0.0))
    account.fill(500, 0.0)
    began = account.clock.time
    environment.scan(NAME, 1, account.clock.time + 900)
    assert account.clock.time - began < 60


def test_an_invocation_without_time_to_judge_saves_nothing() -> None:
    account = Account(1)
    planted = account.fill(900, 0.9)
    account.destination.throttles_gets = True
    for segment in range(SEGMENTS):
        with pytest.raises(NoProgress, match="nothing was compared"):
            account.worker().scan(NAME, segment, account.clock.time + 25)
    assert account.total("version") == 0
    account.destination.throttles_gets = False
    account.scan()
    assert account.listed() == planted


def test_invocations_without_time_to_read_lose_nothing() -> None:
    account = Account(1)
    planted = account.fill(150, 0.1)
    account.kill_after(0)
    for segment in range(SEGMENTS):
        for seconds in (22.0, 20.0, 22.0, 20.0):
            account.clock.time += 1
            with suppress(NoProgress):
                account.worker().scan(NAME, segment, account.clock.time + seconds)
    account.scan()
    assert account.listed() == planted
    assert account.total("source_items") == len(account.source.items)


def test_scans_in_one_order_read_nothing_by_key() -> None:
    account = Account(1)
    account.fill(300, 0.0)
    account.scan()
    assert account.source.gets + account.destination.gets == 0
    assert account.total("source_units") == pytest.approx(account.source.units)


def test_segments_that_hold_other_keys_are_read_by_key() -> None:
    account = Account(1, salt="other")
    account.fill(300, 0.0)
    account.scan()
    assert account.total("equal") == 300
    assert account.source.gets + account.destination.gets > 300


def test_of_two_workers_at_one_segment_one_is_counted() -> None:
    account = Account(1)
    planted = account.fill(100, 0.3)
    for segment in range(SEGMENTS):
        first, second = account.verifications.segment(NAME, segment), None
        account.worker().scan(NAME, segment, account.clock.time + 900)
        second = account.verifications.segment(NAME, segment)
        assert account.verifications.save_segment(NAME, first) is None
        assert account.verifications.segment(NAME, segment) == second
    assert account.listed() == planted


@pytest.mark.parametrize("state", [State.DONE, State.RECHECKING])
def test_nothing_is_read_when_the_scan_is_over(state: State) -> None:
    account = Account(1)
    account.fill(10, 0.0)
    verification = account.verifications.read()
    assert verification is not None
    account.verifications.save(replace(verification, state=state))
    assert account.worker().scan(NAME, 0, account.clock.time + 900) is Result.STOP
    assert account.worker().scan("another", 0, account.clock.time + 900) is Result.STOP
    assert account.source.units == 0


def test_differences_beyond_the_bound_are_counted() -> None:
    account = Account(1)
    account.source.items = {f"k{n}": {"pk": {"S": f"k{n}"}} for n in range(4000)}
    account.scan()
    assert account.total("missing") == 4000
    assert len(account.listed()) == account.total("listed") == 3 * 1000


def test_an_error_that_no_retry_helps_ends_the_worker() -> None:
    account = Account(1)
    account.fill(10, 0.0)

    def refuse() -> None:
        raise client_error("AccessDeniedException", operation="Scan")

    account.source.before_call = refuse
    with pytest.raises(ClientError, match="AccessDenied"):
        account.worker().scan(NAME, 0, account.clock.time + 900)
