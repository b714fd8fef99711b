"""The replicator: applies a batch of stream records to the destination."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tablecopy.clock import Machine
from tablecopy.data.ages import EXPIRING_SECONDS, SPAN_SECONDS, created, leading
from tablecopy.data.dead_letters import DeadLetterSink
from tablecopy.data.ordered import OrderedPool
from tablecopy.data.writer import WRITE_MARGIN_SECONDS, WRITERS, WriterFactory
from tablecopy.dynamodb.client import Json, encode
from tablecopy.dynamodb.requests import delete, key_token, put
from tablecopy.journal.applied_batches import AppliedBatch, AppliedBatches, batch_name
from tablecopy.journal.dead_letters import DeadLetters, KnownDeadLetters, Origin, name
from tablecopy.journal.leases import REPLICATOR, Leases, LeaseTaken, UnsettledWrite
from tablecopy.journal.run import REPLICATING, Run, RunRecord
from tablecopy.metrics import log
from tablecopy.metrics.definitions import DELETES_APPLIED, PUTS_APPLIED, RECORDS_APPLIED
from tablecopy.metrics.log import MetricsBuffer
from tablecopy.throughput.acceptance import Acceptance

# The run and the applied batch are read from the journal at the same time.
_READERS = 2


class UnusableRecord(Exception):
    """A record that an item changed, without the new item."""


@dataclass(frozen=True)
class Change:
    """The last change of one key within a batch.

    Attributes
    ----------
    token
        Text that identifies the key (see `requests.key_token`).
    request
        The write request (see `requests`).
    first
        Sequence number of the key's first record in the batch. Until the change is written, no record from
        there on may count as applied.
    last
        Sequence number of this change's record.
    """

    token: str
    request: bytes
    first: str
    last: str
    is_delete: bool


def coalesce(records: Sequence[Json]) -> list[Change]:
    """Return the last change of each key in ``records``, which are in the order of their shard.

    ``records`` are those of a Lambda event: ``eventName`` INSERT, MODIFY or REMOVE (by a caller
    or by TTL) and ``dynamodb`` with ``Keys``, ``SequenceNumber`` and, unless removed, ``NewImage``.

    Raises
    ------
    UnusableRecord
        The last record of a key lacks its new image: the stream's view type is not NEW_IMAGE or
        NEW_AND_OLD_IMAGES.
    """
    last: dict[str, Json] = {}
    firsts: dict[str, str] = {}
    for record in records:
        change = record["dynamodb"]
        token = key_token(change["Keys"])
        firsts.setdefault(token, change["SequenceNumber"])
        last[token] = record
    return [_change(token, firsts[token], record) for token, record in last.items()]


class NotReplicating(Exception):
    """The run is in a phase, or replays a stream, in which the replicator must not write."""


class Replicator:
    """Applies batches of stream records, each from one shard, in the order of the shard.

    A batch may be delivered more than once. One that is marked as applied is not written again. The mapping
    must have ReportBatchItemFailures, or a partial failure would count as success; preflight checks that.
    """

    def __init__(
        self,
        run: RunRecord,
        leases: Leases,
        batches: AppliedBatches,
        letters: DeadLetters,
        writer_for: WriterFactory,
        metrics: MetricsBuffer,
        machine: Machine,
        writers: int = WRITERS,
    ) -> None:
        self._run = run
        self._leases = leases
        self._batches = batches
        self._letters = letters
        self._known_letters = KnownDeadLetters(letters)
        self._writer_for = writer_for
        self._acceptance = Acceptance(machine)
        self._metrics = metrics
        self._machine = machine
        self._writers = writers

    def apply(self, records: Sequence[Json], owner: str, deadline: float) -> Json:
        """Write the last image of each key in ``records``, and return what Lambda must deliver again.

        Returns
        -------
        dict
            ``{"batchItemFailures": [{"itemIdentifier": sequence number}]}`` with the first record that
            has not been applied, or an empty list. If nothing may be written now, that is the first record:
            after an error, Lambda might split the batch, and would count the error as the function's.
        """
        try:
            with self._leases.hold(REPLICATOR, _name(records[0]), owner, deadline):
                return _answer(records, self._apply(records, deadline))
        except (NotReplicating, LeaseTaken, UnsettledWrite) as not_now:
            log.event("not_now", reason=str(not_now), records=len(records))
            return _answer(records, 0)

    def _apply(self, records: Sequence[Json], deadline: float) -> int:
        """Return how many records, counted from the first one, have been applied."""
        with self._machine.pool(_READERS) as reading:
            reading_run = reading.submit(self._run.read)
            before = reading.submit(self._batches.get, _name(records[0]))
            together = records[: leading(records, created(records[0]) + SPAN_SECONDS)]
            changes = coalesce(together)
        run = _check_replicating(reading_run.result(), records)
        # This invocation may be late: another one may have applied its batch, and later batches as well.
        earlier = before.result()
        if earlier is not None:
            return self._applied_before(records, earlier)
        early = leading(records, run.covered_to)
        if early:
            # The scan has read what these records led to. The others are delivered again, without them.
            return early
        expiring = self._expiring(records)
        if expiring:
            log.event("expiring", records=expiring)
            return expiring
        return self._apply_together(together, changes, run, deadline)

    def _apply_together(
        self, records: Sequence[Json], changes: Sequence[Change], run: Run, deadline: float
    ) -> int:
        unwritten = self._write(records, changes, self._known_letters.versions(run.letters), deadline)
        applied = _applied(records, changes, unwritten)
        # Save it before the lease is released: from then on, control and later deliveries rely on it.
        if applied:
            batch = _applied_batch(applied, changes)
            self._batches.put(batch, [_name(record) for record in applied])
            self._metrics.add(RECORDS_APPLIED, batch.records)
            self._metrics.add(PUTS_APPLIED, batch.puts)
            self._metrics.add(DELETES_APPLIED, batch.deletes)
        return len(applied)

    def _expiring(self, records: Sequence[Json]) -> int:
        """Return how many records, counted from the first one, are too old to be applied.

        If they have not been applied, the reconciler stops the run, because the copy lacks them. An applied
        batch among them is found by its name, so that no delivery begins inside it.
        """
        old = leading(records, self._machine.now() - EXPIRING_SECONDS)
        names = [_name(record) for record in records[1:old]]
        applied = self._batches.find(names) if names else {}
        return next((index for index, name in enumerate(names, start=1) if name in applied), old)

    def _applied_before(self, records: Sequence[Json], batch: AppliedBatch) -> int:
        last = _sequence_number(records[-1])
        if int(last) < int(batch.last):
            self._batches.split(batch, last)
        return sum(int(_sequence_number(record)) <= int(batch.last) for record in records)

    def _write(
        self, records: Sequence[Json], changes: Sequence[Change], letters: Mapping[str, int], deadline: float
    ) -> set[str]:
        """Write everything that can be written; return the tokens of the keys that are not written."""
        by_request = {change.request: change for change in changes}
        key_names = list(records[0]["dynamodb"]["Keys"])
        writer = self._writer_for(key_names, deadline - WRITE_MARGIN_SECONDS)
        numbers = {change.request: change.last for change in changes}
        sink = DeadLetterSink(self._letters, Origin.STREAM, key_names, numbers)
        try:
            with OrderedPool(writer, self._acceptance, sink.put, self._machine, self._writers) as pool:
                left = pool.write(list(by_request))
        finally:
            writer.settle(deadline)
        unwritten = {by_request[request].token for request in left}
        if letters:
            left_alone = unwritten | sink.tokens
            for change in changes:
                if change.token not in left_alone and name(change.token) in letters:
                    self._known_letters.settle(name(change.token))
        return unwritten


def _check_replicating(run: Run | None, records: Sequence[Json]) -> Run:
    phase = run.phase if run else "none"
    if run is None or run.phase not in REPLICATING:
        raise NotReplicating(f'the run is in phase "{phase}"; these records are applied later')
    if records[0].get("eventSourceARN") != run.stream_arn:
        raise NotReplicating(
            f"these records do not come from the stream that this run replays ({run.stream_arn})"
        )
    return run


def _applied(records: Sequence[Json], changes: Sequence[Change], unwritten: set[str]) -> Sequence[Json]:
    """Return the records before the first one whose key has not been written."""
    firsts = {change.first for change in changes if change.token in unwritten}
    for index, record in enumerate(records):
        if _sequence_number(record) in firsts:
            return records[:index]
    return records


def _answer(records: Sequence[Json], applied: int) -> Json:
    """Return the answer to Lambda when the first ``applied`` records have been applied."""
    if applied == len(records):
        return {"batchItemFailures": []}
    return {"batchItemFailures": [{"itemIdentifier": _sequence_number(records[applied])}]}


def _applied_batch(applied: Sequence[Json], changes: Sequence[Change]) -> AppliedBatch:
    last = _sequence_number(applied[-1])
    written = [change for change in changes if int(change.first) <= int(last)]
    deletes = sum(change.is_delete for change in written)
    first = _name(applied[0])
    return AppliedBatch(first, last, records=len(applied), puts=len(written) - deletes, deletes=deletes)


def _name(record: Json) -> str:
    return batch_name(_sequence_number(record), record["eventID"])


def _sequence_number(record: Json) -> str:
    number: str = record["dynamodb"]["SequenceNumber"]
    return number


def _change(token: str, first: str, record: Json) -> Change:
    change = record["dynamodb"]
    number = change["SequenceNumber"]
    if record["eventName"] == "REMOVE":
        return Change(token, delete(change["Keys"]), first, number, is_delete=True)
    if "NewImage" not in change:
        raise UnusableRecord(
            f"record {number} has no new image; the source's stream must have the view type NEW_IMAGE or "
            "NEW_AND_OLD_IMAGES"
        )
    return Change(token, put(encode(change["NewImage"])), first, number, is_delete=False)
