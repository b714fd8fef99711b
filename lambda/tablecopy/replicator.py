"""The replicator: applies a batch of stream records to the destination."""

from __future__ import annotations

from collections.abc import Sequence

from tablecopy import log
from tablecopy.journal.leases import REPLICATOR, Leases
from tablecopy.journal.marks import Mark, Marks
from tablecopy.journal.run import REPLICATING, Run, RunRecord
from tablecopy.records import Change, coalesce
from tablecopy.wire import Json
from tablecopy.writer import WRITE_MARGIN_SECONDS, BatchWriter, OutOfTime, Refused, WriterFactory
from tablecopy.writes import Write, batches


class NotReplicating(Exception):
    """The run is in a phase, or replays a stream, in which the replicator must not write."""


class Replicator:
    """Applies batches of one shard each, in their order.

    A batch may be delivered more than once: one that is marked as applied is not written again. The
    mapping must have ReportBatchItemFailures, or a partial failure would count as success; preflight checks
    it.
    """

    def __init__(self, run: RunRecord, leases: Leases, marks: Marks, writer_for: WriterFactory) -> None:
        self._run = run
        self._leases = leases
        self._marks = marks
        self._writer_for = writer_for

    def apply(self, records: Sequence[Json], owner: str, deadline: float) -> Json:
        """Write the last image of each key in ``records`` and say what is to be delivered again.

        Returns
        -------
        dict
            ``{"batchItemFailures": [{"itemIdentifier": sequence number}]}`` with the first record that
            has not been applied, or an empty list.

        Raises
        ------
        NotReplicating, LeaseTaken
            Nothing was written; the mapping delivers the batch again.
        UnsettledWrite
            A write may land yet; the lease stays until the function's deadline.
        """
        with self._leases.hold(REPLICATOR, _sequence_number(records[0]), owner, deadline):
            run = self._replicating(records)
            # This invocation may be late: given up on, its batch applied by another, and later ones as well.
            marked = self._marks.get(_sequence_number(records[0]))
            if marked is not None:
                return _answer(records, _up_to(records, marked.last))
            changes = coalesce(records)
            writer = self._writer_for(run.key_names, deadline - WRITE_MARGIN_SECONDS)
            try:
                unwritten = _write([change.write for change in changes], writer)
            finally:
                writer.settle(deadline)
            applied = _applied(records, changes, unwritten)
            # Before the lease is given back: a mark that came later could come too late.
            if applied:
                self._marks.put(_mark(applied, changes))
            return _answer(records, len(applied))

    def _replicating(self, records: Sequence[Json]) -> Run:
        run = self._run.read()
        phase = run.phase if run else "none"
        if run is None or run.phase not in REPLICATING:
            raise NotReplicating(f"the run is in phase {phase}; these records are applied later")
        if records[0].get("eventSourceARN") != run.stream_arn:
            raise NotReplicating(
                f"these records are not of the stream that this run replays, {run.stream_arn}"
            )
        return run


def _write(writes: Sequence[Write], writer: BatchWriter) -> frozenset[str]:
    """Write everything that can be written; the tokens of what could not."""
    unwritten: set[str] = set()
    remaining = list(batches(writes))
    for index, batch in enumerate(remaining):
        try:
            writer.write(batch)
        except Refused as refused:
            log.event("destination_refused", code=refused.code, writes=len(refused.tokens))
            unwritten |= refused.tokens
        except OutOfTime as late:
            unwritten |= late.unwritten
            unwritten.update(write.token for later in remaining[index + 1 :] for write in later)
            break
    return frozenset(unwritten)


def _applied(records: Sequence[Json], changes: Sequence[Change], unwritten: frozenset[str]) -> Sequence[Json]:
    """The records before the first one whose key has not been written."""
    firsts = {change.first for change in changes if change.write.token in unwritten}
    for index, record in enumerate(records):
        if _sequence_number(record) in firsts:
            return records[:index]
    return records


def _up_to(records: Sequence[Json], last: str) -> int:
    """How many records there are up to the sequence number ``last``."""
    return sum(int(_sequence_number(record)) <= int(last) for record in records)


def _answer(records: Sequence[Json], applied: int) -> Json:
    """What Lambda is told when the first ``applied`` records have been applied."""
    if applied == len(records):
        return {"batchItemFailures": []}
    return {"batchItemFailures": [{"itemIdentifier": _sequence_number(records[applied])}]}


def _mark(applied: Sequence[Json], changes: Sequence[Change]) -> Mark:
    last = _sequence_number(applied[-1])
    written = [change for change in changes if int(change.first) <= int(last)]
    deletes = sum(change.is_delete for change in written)
    first = _sequence_number(applied[0])
    return Mark(first, last, records=len(applied), puts=len(written) - deletes, deletes=deletes)


def _sequence_number(record: Json) -> str:
    number: str = record["dynamodb"]["SequenceNumber"]
    return number
