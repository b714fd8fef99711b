from __future__ import annotations

import contextlib
import threading
from typing import Any

import pytest

from tests.unit.tools.local.mapping.fakes import (
    FUNCTION,
    STREAM,
    UUID,
    FakeClients,
    HandClock,
    HandWorkers,
    raw_record,
)
from tools.local.mapping.mapping import Backoff
from tools.local.mapping.poller import Poller, ThreadWorkers


class Polled:
    def __init__(self, accounts: int = 1) -> None:
        self.clock = HandClock()
        self.workers = HandWorkers()
        self.accounts = [FakeClients() for _ in range(accounts)]
        self.poller = Poller(self.accounts, self.clock, self.workers, Backoff())  # type: ignore[arg-type]

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.05)):
            self.poller.step()
            self.workers.collect()
            self.clock.advance(0.05)


def mapping(uuid: str = UUID, state: str = "Enabled", **settings: Any) -> dict[str, Any]:
    return {
        "UUID": uuid,
        "FunctionArn": FUNCTION,
        "EventSourceArn": STREAM,
        "StartingPosition": "TRIM_HORIZON",
        "State": state,
        **settings,
    }


def test_mappings_of_every_account_and_page_are_served() -> None:
    polled = Polled(accounts=2)
    polled.accounts[0].mappings.mappings = [mapping("one"), mapping("two")]
    polled.accounts[1].mappings.mappings = [mapping("three")]
    for account in polled.accounts:
        account.streams.shards["shard-0"].records = [raw_record(1)]
    polled.run(1)
    assert polled.accounts[0].functions.batches == [[1], [1]]
    assert polled.accounts[1].functions.batches == [[1]]


def test_a_new_mapping_is_found_and_a_disabled_one_left_alone() -> None:
    polled = Polled()
    [account] = polled.accounts
    account.streams.shards["shard-0"].records = [raw_record(1)]
    polled.run(2)
    account.mappings.mappings = [mapping(state="Disabled")]
    polled.run(2)
    assert account.functions.batches == []
    account.mappings.mappings = [mapping(state="Enabled")]
    polled.run(0.5)
    assert account.functions.batches == [[1]]


def test_a_deleted_mapping_stops_and_a_new_one_begins_again() -> None:
    polled = Polled()
    [account] = polled.accounts
    account.mappings.mappings = [mapping("one")]
    account.streams.shards["shard-0"].records = [raw_record(1)]
    polled.run(1)
    account.mappings.mappings = []
    polled.run(1)
    account.streams.shards["shard-0"].records.append(raw_record(2))
    polled.run(1)
    assert account.functions.batches == [[1]]
    account.mappings.mappings = [mapping("two")]
    polled.run(2)
    assert account.functions.batches == [[1], [1, 2]]


def test_queues_are_somebody_elses() -> None:
    polled = Polled()
    [account] = polled.accounts
    account.mappings.mappings = [mapping() | {"EventSourceArn": "arn:aws:sqs:eu-west-1:111111111111:queue"}]
    polled.run(2)
    assert account.iam.questions == 0


def test_mappings_go_on_while_they_cannot_be_listed() -> None:
    polled = Polled()
    [account] = polled.accounts
    account.mappings.mappings = [mapping()]
    polled.run(1)
    account.mappings.error = "ServiceException"
    account.streams.shards["shard-0"].records = [raw_record(1)]
    polled.run(3)
    assert account.functions.batches == [[1]]


def test_it_sleeps_until_something_is_due() -> None:
    polled = Polled()
    polled.accounts[0].mappings.mappings = [mapping()]
    waits: list[float] = []

    class Stop(Exception):
        pass

    def collect(timeout: float) -> None:
        waits.append(timeout)
        polled.clock.advance(timeout)
        if len(waits) == 100:
            raise Stop

    polled.workers.collect = collect  # type: ignore[method-assign, assignment]
    with contextlib.suppress(Stop):
        polled.poller.run()
    assert sum(waits) > 8
    assert max(waits) <= 0.25


# Threads


def test_results_are_handed_back_to_whoever_collects() -> None:
    workers = ThreadWorkers()
    done: list[tuple[int, int]] = []
    workers.submit(threading.get_ident, lambda ident: done.append((ident, threading.get_ident())))
    workers.collect(timeout=10)
    [(worker, collector)] = done
    assert collector == threading.get_ident() != worker


def test_work_does_not_wait_for_other_work() -> None:
    workers = ThreadWorkers()
    release = threading.Event()
    done: list[str] = []
    for _ in range(50):
        workers.submit(lambda: release.wait(10), lambda _: done.append("slow"))
    workers.submit(lambda: None, lambda _: done.append("quick"))
    workers.collect(timeout=10)
    assert done == ["quick"]
    release.set()


def test_nothing_to_collect() -> None:
    ThreadWorkers().collect(timeout=0)


def test_an_error_nobody_expected_is_raised_where_it_is_seen() -> None:
    workers = ThreadWorkers()
    workers.submit(lambda: 1 // 0, lambda _: None)
    with pytest.raises(ZeroDivisionError):
        workers.collect(timeout=10)
