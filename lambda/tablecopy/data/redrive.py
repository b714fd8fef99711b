"""The redrive: tries again what the destination has refused, with what the source holds now.

It writes only inside a slice, when the replicator is paused. At any other time what it read could be older
than what the replicator has written since.
"""

from __future__ import annotations

from dataclasses import replace

from tablecopy.clock import Clock, OutOfTime
from tablecopy.data.backfill import Next, is_in_slice
from tablecopy.data.writer import WRITE_MARGIN_SECONDS, BatchWriter, Refused, WriterFactory
from tablecopy.dynamodb.client import DynamoDBClient, Json, encode
from tablecopy.dynamodb.requests import delete, put
from tablecopy.journal.dead_letters import DEAD_LETTER_SEGMENT, DeadLetter, DeadLetters
from tablecopy.journal.leases import BACKFILL, Leases, LeaseTaken
from tablecopy.journal.run import Run, RunRecord
from tablecopy.metrics import log
from tablecopy.metrics.log import MetricsBuffer
from tablecopy.throughput.limits import WorkerLimits, read_usage


class Redrive:
    """Settles dead letters within a slice.

    Parameters
    ----------
    source, table
        Client of the source account, and the source table.
    limits
        What this worker may use of the destination's throughput; its writer goes by it.
    """

    def __init__(
        self,
        run: RunRecord,
        leases: Leases,
        letters: DeadLetters,
        source: DynamoDBClient,
        table: str,
        limits: WorkerLimits,
        writer_for: WriterFactory,
        metrics: MetricsBuffer,
        clock: Clock,
    ) -> None:
        self._run = run
        self._leases = leases
        self._letters = letters
        self._source = source
        self._table = table
        self._limits = limits
        self._writer_for = writer_for
        self._metrics = metrics
        self._usage = read_usage(metrics, table)
        self._clock = clock

    def settle(self, slice_: int, owner: str, deadline: float) -> Next:
        """Try every dead letter once. Those that are refused again stay.

        Raises
        ------
        botocore.exceptions.ClientError
            The source or the destination cannot be used at all.
        UnsettledWrite
            A write may land yet; the lease stays until the function's deadline.
        """
        try:
            with self._leases.hold(BACKFILL, DEAD_LETTER_SEGMENT, owner, deadline):
                run = self._run.read()
                if run is None or not is_in_slice(run, slice_):
                    return Next.STOP
                self._limits.update(run.workers, run.read_ceiling)
                until = min(deadline - WRITE_MARGIN_SECONDS, run.slice_ends)
                writer = self._writer_for(run.key_names, until)
                try:
                    return self._settle_all(run, writer)
                finally:
                    writer.settle(deadline)
        except LeaseTaken:
            return Next.WAIT

    def _settle_all(self, run: Run, writer: BatchWriter) -> Next:
        # What was refused in this slice has been tried with what the source holds.
        due = [letter for letter in self._letters.read_all() if letter.last_seen < run.phase_since]
        settled = 0
        try:
            for letter in due:
                settled += self._settle(letter, writer)
                self._metrics.publish_if_due()
        except OutOfTime:
            return Next.CONTINUE if self._clock.now() < run.slice_ends else Next.STOP
        finally:
            log.event("redrive", letters=len(due), settled=settled)
        return Next.DONE

    def _settle(self, letter: DeadLetter, writer: BatchWriter) -> bool:
        answer = self._source.call(
            "get_item",
            {
                "TableName": self._table,
                "Key": letter.key,
                "ConsistentRead": True,
                "ReturnConsumedCapacity": "TOTAL",
            },
        )
        self._usage.consumed([answer["ConsumedCapacity"]])
        item: Json | None = answer.get("Item")
        image = encode(item) if item is not None else b""
        try:
            writer.write([put(image) if image else delete(letter.key)])
        except Refused as refused:
            again = replace(
                letter,
                action="put" if image else "delete",
                code=refused.code,
                message=refused.message,
                image=image.decode(),
            )
            self._letters.put(again)
            return False
        self._letters.settle(letter.token)
        return True
