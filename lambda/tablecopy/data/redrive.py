"""The redrive: retries the writes that the destination has rejected, with what the source holds now.

It writes only inside a slice, when the replicator is paused. At any other time, what it read could be older
than what the replicator has written since.
"""

from __future__ import annotations

from dataclasses import replace

from tablecopy.clock import OutOfTime
from tablecopy.data.slices import SliceGuard, SliceMonitor, SliceOver, WorkerResult
from tablecopy.data.writer import BatchWriter, Rejected
from tablecopy.dynamodb.client import DynamoDBClient, Json, encode
from tablecopy.dynamodb.requests import delete, put
from tablecopy.journal.dead_letters import DEAD_LETTER_SEGMENT, DeadLetter, DeadLetters
from tablecopy.journal.leases import LeaseTaken
from tablecopy.metrics import log
from tablecopy.metrics.log import MetricsBuffer
from tablecopy.throughput.limits import read_usage


class Redrive:
    """Settles dead letters within a slice.

    Parameters
    ----------
    source, table
        Client of the source account, and name of the source table.
    """

    def __init__(
        self,
        guard: SliceGuard,
        letters: DeadLetters,
        source: DynamoDBClient,
        table: str,
        metrics: MetricsBuffer,
    ) -> None:
        self._guard = guard
        self._letters = letters
        self._source = source
        self._table = table
        self._metrics = metrics
        self._usage = read_usage(metrics, table)

    def settle(self, slice_number: int, owner: str, deadline: float) -> WorkerResult:
        """Retry every dead letter once. Those that are rejected again stay.

        Raises
        ------
        botocore.exceptions.ClientError
            The source or the destination cannot be used.
        UnsettledWrite
            A write may still take effect; the lease stays until the function's deadline.
        """
        try:
            with self._guard.enter(DEAD_LETTER_SEGMENT, slice_number, owner, deadline) as monitor:
                return self._settle_all(monitor)
        except LeaseTaken:
            return WorkerResult.WAIT
        except SliceOver:
            return WorkerResult.STOP

    def _settle_all(self, monitor: SliceMonitor) -> WorkerResult:
        # What was rejected in this slice has been tried with what the source holds.
        due = [letter for letter in self._letters.read_all() if letter.last_seen < monitor.run.phase_since]
        settled = 0
        try:
            for letter in due:
                settled += self._settle(letter, monitor.writer)
                self._metrics.publish_if_due()
        except OutOfTime:
            return monitor.result()
        finally:
            log.event("redrive", letters=len(due), settled=settled)
        return WorkerResult.DONE

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
        except Rejected as rejected:
            again = replace(
                letter,
                action="put" if image else "delete",
                code=rejected.code,
                message=rejected.message,
                image=image.decode(),
            )
            self._letters.put(again)
            return False
        self._letters.settle(letter.token)
        return True
