"""Dead letters: what the destination permanently rejects is recorded, and the redrive retries it.

The redrive writes what the source holds now. It does so only inside a slice, when the replicator is paused:
at any other time, what it read could be older than what the replicator has written since.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tablecopy.data.slices import SliceGuard, SliceId, SliceMonitor, WorkerResult
from tablecopy.data.writer import BatchWriter, Rejected
from tablecopy.dynamodb.client import DynamoDB, Json, encode
from tablecopy.dynamodb.requests import delete, item_of, key_of, key_token, put
from tablecopy.journal.dead_letters import DEAD_LETTER_SEGMENT, DeadLetter, DeadLetters, Origin, name
from tablecopy.metrics import log
from tablecopy.metrics.log import MetricsBuffer
from tablecopy.throughput.limits import read_usage


class DeadLetterSink:
    """Turns rejected requests into dead letters. Safe to use from several threads.

    Parameters
    ----------
    sequence_numbers
        Sequence number of the stream record behind each request; none for a backfill's requests.
    """

    def __init__(
        self,
        letters: DeadLetters,
        origin: Origin,
        key_names: Sequence[str],
        sequence_numbers: Mapping[bytes, str] | None = None,
    ) -> None:
        self._letters = letters
        self._origin = origin
        self._key_names = key_names
        self._sequence_numbers = sequence_numbers or {}
        self.tokens: set[str] = set()

    def put(self, rejected: Rejected) -> None:
        """Save a dead letter for each of the rejected requests."""
        for request in rejected.requests:
            key = key_of(request, self._key_names)
            image = item_of(request)
            token = key_token(key)
            self._letters.put(
                DeadLetter(
                    token,
                    key,
                    self._origin,
                    "put" if image else "delete",
                    rejected.code,
                    rejected.message,
                    self._sequence_numbers.get(request, ""),
                    image,
                )
            )
            self.tokens.add(token)
        log.event("dead_letter", origin=self._origin, code=rejected.code, writes=len(rejected.requests))


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
        source: DynamoDB,
        table: str,
        metrics: MetricsBuffer,
    ) -> None:
        self._guard = guard
        self._letters = letters
        self._source = source
        self._table = table
        self._metrics = metrics
        self._usage = read_usage(metrics, table)

    def settle(self, slice_id: SliceId, owner: str, deadline: float) -> WorkerResult:
        """Retry every dead letter once. Those that are rejected again stay.

        Raises
        ------
        botocore.exceptions.ClientError
            The source or the destination cannot be used.
        UnsettledWrite
            A write may still take effect; the lease stays until the function's deadline.
        """
        return self._guard.run(DEAD_LETTER_SEGMENT, slice_id, owner, deadline, self._settle_all)

    def _settle_all(self, monitor: SliceMonitor) -> None:
        # What was rejected in this slice has been tried with what the source holds.
        due = [letter for letter in self._letters.read_all() if letter.last_seen < monitor.run.phase_since]
        settled = 0
        try:
            for letter in due:
                monitor.check_if_due()
                settled += self._settle(letter, monitor.writer)
                self._metrics.publish_if_due()
        finally:
            log.event("redrive", letters=len(due), settled=settled)

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
        # One that was replaced since it was read stays.
        self._letters.settle(name(letter.token), letter.version)
        return True
