"""backfill: items a worker copies per CPU second, against what people use today, for each shape."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from tools.benchmarks.bench import Bench, compared
from tools.benchmarks.copying import ARTICLE, CLIENT, RESOURCE, TABLECOPY, copy
from tools.benchmarks.figure import Figure
from tools.benchmarks.npm import COPY_DYNAMODB_TABLE, copy_dynamodb_table
from tools.benchmarks.server import ServerOptions
from tools.benchmarks.shapes import SHAPES
from tools.benchmarks.subject import Measured, Subject, SubjectFailed

# A few seconds' work for each.
_ITEMS = {
    "tablecopy": {"small": 240_000, "medium": 120_000, "large": 16_000},
    "boto3.client": {"small": 18_000, "medium": 12_000, "large": 3_000},
    "boto3.resource": {"small": 15_000, "medium": 9_000, "large": 2_500},
    "article": {"small": 2_500, "medium": 2_000, "large": 1_200},
    COPY_DYNAMODB_TABLE: {"small": 10_000, "medium": 8_000, "large": 2_500},
}


def measure(bench: Bench) -> Iterator[Figure]:
    """Four figures for each shape: one for each baseline."""
    baselines: dict[str, Subject | SubjectFailed] = {
        subject.name: subject for subject in (CLIENT, RESOURCE, ARTICLE)
    }
    baselines[COPY_DYNAMODB_TABLE] = copy_dynamodb_table()
    usable = [subject for subject in baselines.values() if isinstance(subject, Subject)]
    for shape in SHAPES:

        def take(subject: Subject, shape: str = shape) -> Measured:
            items = _ITEMS[subject.name][shape] * bench.scale
            return copy(subject, ServerOptions(shape, items, bench.seed))

        results = bench.interleaved(
            {subject.name: partial(take, subject) for subject in (TABLECOPY, *usable)}
        )
        mine = results[TABLECOPY.name]
        for name, baseline in baselines.items():
            other = baseline if isinstance(baseline, SubjectFailed) else results[name]
            yield compared("backfill", shape, mine, (name, other), lambda one: one.items_per_cpu_s)
