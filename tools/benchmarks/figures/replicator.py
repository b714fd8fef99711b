"""replicator_wall, replicator_cpu, replicator_hot_key: batches of 1,000 records, 5 ms per call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial

from tools.benchmarks.bench import Bench, compared
from tools.benchmarks.events import BATCH_RECORDS, HOT_NUMBER, Batches, checksum
from tools.benchmarks.figure import Figure, ours
from tools.benchmarks.loopback import loopback
from tools.benchmarks.server import ServerOptions
from tools.benchmarks.shapes import SHAPES
from tools.benchmarks.subject import Measured, Subject, SubjectFailed, prepare, python, run
from tools.benchmarks.subjects.batches import WARM_BATCH, WARM_RECORDS

DELAY_MS = 5

TABLECOPY = python("tablecopy", "tablecopy_replicator")
ARTICLE = python("article", "article_replicator")

# The article's handler takes about as long for one batch as ours for all of these.
_BATCHES = {TABLECOPY.name: 20, ARTICLE.name: 1}

_HOT_RECORDS = BATCH_RECORDS // 2


def measure(bench: Bench) -> Iterator[Figure]:
    """Two figures for each shape, wall clock and CPU; and how often a hot key is written."""
    for shape in SHAPES:
        batches = Batches(shape, bench.seed)
        results = bench.interleaved(
            {
                subject.name: partial(apply, subject, batches, _BATCHES[subject.name])
                for subject in (TABLECOPY, ARTICLE)
            }
        )
        mine, article = results[TABLECOPY.name], (ARTICLE.name, results[ARTICLE.name])
        yield compared(
            "replicator_wall", shape, mine, article, lambda one: one.items_per_wall_s, delay_ms=DELAY_MS
        )
        yield compared(
            "replicator_cpu", shape, mine, article, lambda one: one.items_per_cpu_s, delay_ms=DELAY_MS
        )
    yield _hot_key(bench)


def _hot_key(bench: Bench) -> Figure:
    name, shape, baseline = "replicator_hot_key", "medium", "one write"
    batches = Batches(shape, bench.seed, hot=_HOT_RECORDS)
    taken = replace(bench, repetitions=1).interleaved({"hot key": partial(apply, TABLECOPY, batches, 1)})
    measured = taken["hot key"]
    if isinstance(measured, SubjectFailed):
        return Figure(name, shape, baseline, None, more={"error": str(measured)})
    writes = (measured[0].stats or {})["watched_writes"]
    more = {"hot_key_records": _HOT_RECORDS, "hot_key_writes": writes, "delay_ms": DELAY_MS}
    return Figure(name, shape, baseline, writes, **ours(measured), more=more)


def apply(subject: Subject, batches: Batches, number: int) -> Measured:
    """Have ``subject`` apply ``number`` batches.

    Raises
    ------
    SubjectFailed
        It ended with an error, or something else than each key once has been written.
    """
    removals = subject is TABLECOPY
    events = [replace(batches, records=WARM_RECORDS, hot=0).event(WARM_BATCH)]
    events += [batches.event(one) for one in range(1, number + 1)]
    sums = [checksum(event, removals=removals) for event in events]
    expected = sum(items for items, _ in sums), sum(numbers for _, numbers in sums)
    task = {"of": asdict(batches), "batches": number}
    with loopback(ServerOptions(batches.shape, 1, batches.seed, DELAY_MS, HOT_NUMBER)) as server:
        if subject is TABLECOPY:
            prepare("start_run", server, {"phase": "draining", "segments": 1})
        measured = run(subject, server, [task])
    received = (measured.stats or {})["received"]
    if (received["items"], received["sum"]) != expected:
        raise SubjectFailed(
            f"{subject.name} did not write each key once: {received['items']} writes of {expected[0]}"
        )
    return measured
