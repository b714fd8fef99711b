"""One measurement of a copy: a fresh server, the workers, and a check that all of the table has arrived."""

from __future__ import annotations

from tools.benchmarks.loopback import loopback
from tools.benchmarks.pages import Pages
from tools.benchmarks.server import ServerOptions
from tools.benchmarks.subject import Measured, Subject, SubjectFailed, prepare, python, run

TABLECOPY = python("tablecopy", "tablecopy_backfill")
CLIENT = python("boto3.client", "boto3_client")
RESOURCE = python("boto3.resource", "boto3_resource")
ARTICLE = python("article", "article_backfill")


def copy(subject: Subject, options: ServerOptions, workers: int = 1) -> Measured:
    """Have ``subject`` copy the whole table that ``options`` describe, a segment by each of ``workers``.

    Raises
    ------
    SubjectFailed
        It ended with an error, or something else than each item once has arrived.
    """
    pages = Pages(options.shape, options.items, options.seed)
    items, numbers = pages.checksum(workers)
    with loopback(options) as server:
        if subject is TABLECOPY:
            prepare("start_run", server, {"phase": "slice", "segments": workers})
        share = items // workers
        tasks = [{"segment": segment, "segments": workers, "items": share} for segment in range(workers)]
        measured = run(subject, server, tasks)
    received = (measured.stats or {})["received"]
    if (received["items"], received["sum"]) != (items, numbers):
        raise SubjectFailed(
            f"{subject.name} did not copy each item once: {received['items']} of {items} were written"
        )
    return measured
