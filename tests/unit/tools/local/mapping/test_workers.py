from __future__ import annotations

import threading

import pytest

from tools.local.mapping.workers import ThreadWorkers


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
