"""The comparison in the account: verify_account, its memory, and several workers at a time."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from statistics import median
from typing import Literal, TypeAlias

from tools.benchmarks.figures import Bench, Figure, compared, ours
from tools.benchmarks.items import SHAPES
from tools.benchmarks.server import ServerOptions, loopback
from tools.benchmarks.subject import Measured, SubjectFailed, python, run, start_verification

VERIFIER = python("tablecopy verifier", "tablecopy_verifier")
SCAN = python("boto3.resource scan", "resource_scan")

Copy: TypeAlias = Literal["same", "respelled"]

_COPIES: dict[Copy, str] = {"same": "equal bytes", "respelled": "other order of attributes"}

# Of each table. A few seconds' work for each.
_ITEMS = {"small": 400_000, "medium": 300_000, "large": 40_000}
_SCANNED = {"small": 100_000, "medium": 20_000, "large": 5_000}


def verify(options: ServerOptions, workers: int = 1) -> Measured:
    """Have workers compare the tables that ``options`` describe, each a segment in its own process.

    Raises
    ------
    SubjectFailed
        One ended with an error or wrote to disk, or the items were not read once each.
    """
    with loopback(options) as server, ThreadPoolExecutor(workers) as pool:
        start_verification(server, workers)
        tasks = [{"items": 2 * options.items // workers, "segments": [segment]} for segment in range(workers)]
        measured = list(pool.map(lambda task: run(VERIFIER, server, task), tasks))
    stats = measured[-1].stats or {}
    if workers == 1 and stats["served"]["items"] != 2 * options.items:
        raise SubjectFailed(f"{stats['served']['items']} of {2 * options.items} items were read")
    if stats["calls"].get("BatchGetItem", 0):
        raise SubjectFailed(f"{stats['calls']['BatchGetItem']} reads by key, although the order is the same")
    written = sum(one.result["disk_bytes"] for one in measured)
    if written:
        raise SubjectFailed(f"{written} bytes were written to disk")
    return replace(
        measured[-1],
        items=sum(one.items for one in measured),
        cpu_s=sum(one.cpu_s for one in measured),
        wall_s=max(one.wall_s for one in measured),
        peak_rss_mb=max(one.peak_rss_mb for one in measured),
    )


def scan(options: ServerOptions) -> Measured:
    """Have boto3.resource scan one table."""
    with loopback(options) as server:
        return run(SCAN, server, {"items": options.items})


def measure_verify_account(bench: Bench) -> Iterator[Figure]:
    """Yield a figure for each shape, with equal bytes and otherwise: items of both tables per CPU second."""
    for shape in SHAPES:
        items = _ITEMS[shape] * bench.scale
        scanned = ServerOptions(shape, _SCANNED[shape] * bench.scale, bench.seed)
        results = bench.interleaved(
            {
                SCAN.name: partial(scan, scanned),
                **{
                    name: partial(verify, ServerOptions(shape, items, bench.seed, copy=copy))
                    for copy, name in _COPIES.items()
                },
            }
        )
        for name in _COPIES.values():
            baseline = (SCAN.name, results[SCAN.name])
            yield compared(
                "verify_account",
                f"{shape}, {name}",
                results[name],
                baseline,
                lambda one: one.items_per_cpu_s,
            )


_SIZES = (100_000, 1_000_000, 10_000_000)


def measure_account_memory(bench: Bench) -> Iterator[Figure]:
    """Yield a figure for each number of items in a segment: peak memory over that with the fewest."""
    sizes = _SIZES if bench.scale > 1 else _SIZES[:-1]
    results = replace(bench, repetitions=1).interleaved(
        {size: partial(verify, ServerOptions("medium", size, bench.seed, copy="same")) for size in sizes}
    )
    least = results[sizes[0]]
    for size, taken in results.items():
        if isinstance(taken, SubjectFailed) or isinstance(least, SubjectFailed):
            yield Figure(
                "verify_account_memory", f"{size:,} items", "fewest", None, more={"error": str(taken)}
            )
            continue
        peak, fewest = (median(one.peak_rss_mb for one in each) for each in (taken, least))
        yield Figure("verify_account_memory", f"{size:,} items", "fewest", peak / fewest, **ours(taken))


_WORKERS = (1, 2, 4, 8)
# Long enough that two cores do not limit eight workers and the server.
_DELAY_MS = 400
_WORKER_ITEMS = 60_000


def measure_account_workers(bench: Bench) -> Iterator[Figure]:
    """Yield a figure for each number of workers, with 400 ms a call: items a second over those of one."""
    results = replace(bench, repetitions=1).interleaved(
        {
            workers: partial(
                verify,
                ServerOptions("medium", _WORKER_ITEMS * workers, bench.seed, _DELAY_MS, copy="same"),
                workers,
            )
            for workers in _WORKERS
        }
    )
    for workers in _WORKERS:
        yield compared(
            "verify_account_workers",
            f"{workers} workers",
            results[workers],
            ("one", results[1]),
            lambda one: one.items_per_wall_s,
            delay_ms=_DELAY_MS,
        )
