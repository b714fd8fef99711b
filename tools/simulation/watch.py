"""Shows the judge what happens to the tables, the stream and the journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from tablecopy.journal.applied_batches import batch_name
from tablecopy.journal.run import Phase
from tools.simulation import names
from tools.simulation.attributes import Key
from tools.simulation.errors import ServiceError
from tools.simulation.findings import RunState
from tools.simulation.history import ABSENT
from tools.simulation.judge import Judge
from tools.simulation.network import Caller, Service
from tools.simulation.streams import Record, Shard
from tools.simulation.table import Table
from tools.simulation.writers import REJECTED

KINDS = {names.BACKFILL: "worker", names.REPLICATOR: "replicator"}
"""What the judge calls the functions that may write to the destination."""


class _Number(msgspec.Struct):
    N: str


class _Text(msgspec.Struct):
    S: str


class _Item(msgspec.Struct):
    """An item of the source: its key and its value."""

    pk: _Text
    v: _Number | None = None


class _ScanRequest(msgspec.Struct):
    Segment: int = 0
    ExclusiveStartKey: _Item | None = None


class _Page(msgspec.Struct):
    Items: list[_Item] = []
    LastEvaluatedKey: _Item | None = None


class _Found(msgspec.Struct):
    Item: _Item | None = None


class _Key(msgspec.Struct):
    Key: _Item


class _WriteRequest(msgspec.Struct):
    DeleteRequest: _Key | None = None


class _BatchWrite(msgspec.Struct):
    RequestItems: dict[str, list[_WriteRequest]] = {}
    UnprocessedItems: dict[str, list[_WriteRequest]] = {}


_scan_request = msgspec.json.Decoder(_ScanRequest).decode
_page = msgspec.json.Decoder(_Page).decode
_found = msgspec.json.Decoder(_Found).decode
_batch = msgspec.json.Decoder(_BatchWrite).decode
_key = msgspec.json.Decoder(_Key).decode
_item = msgspec.json.Decoder(_Item).decode


class SourceWatch:
    """DynamoDB of the source account. Shows the judge what the copy reads of the source table.

    Once the journal was replaced, it also shows which hosts have called the new one.
    """

    def __init__(self, service: Service, judge: Judge) -> None:
        self._service = service
        self._judge = judge

    def handle(self, operation: str, body: bytes, caller: Caller) -> bytes:
        """Carry out ``operation``."""
        answer = self._service.handle(operation, body, caller)
        new_journal = self._judge.new_journal
        if new_journal.has_happened and _JOURNAL in body:
            new_journal.called(self._judge.now(), caller.host)
        if operation == "Scan":
            request, page = _scan_request(body), _page(answer)
            values = {item.pk.S: item.v.N for item in page.Items if item.v}
            start = request.ExclusiveStartKey.pk.S if request.ExclusiveStartKey else ""
            end = page.LastEvaluatedKey.pk.S if page.LastEvaluatedKey else ""
            self._judge.scanned(caller.host, request.Segment, start, end, values)
        elif operation == "GetItem" and caller.host.startswith(names.BACKFILL) and _SOURCE in body:
            item = _found(answer).Item
            self._judge.read(caller.host, _key(body).Key.pk.S, item.v.N if item and item.v else ABSENT)
        return answer


_REJECTED = f'"{REJECTED}":'.encode()
_SOURCE = f'"TableName":"{names.SOURCE_TABLE}"'.encode()
_JOURNAL = f'"{names.JOURNAL_TABLE}"'.encode()


class DestinationWatch:
    """DynamoDB of the destination account. Shows the judge what changes the destination table, and who.

    Attributes
    ----------
    rejects
        Whether the table permanently rejects the items that are marked for it, as an index whose key has
        another type would.
    """

    def __init__(self, service: Service, table: Table, judge: Judge) -> None:
        self._service = service
        self._judge = judge
        self._caller = Caller("", "")
        self.rejects = False
        self.follow(table)

    def follow(self, table: Table) -> None:
        """Follow a table of the account."""
        table.on_write(self._written)

    def handle(self, operation: str, body: bytes, caller: Caller) -> bytes:
        """Carry out ``operation``."""
        self._caller = caller
        if self.rejects and _REJECTED in body:
            self._judge.rejected.update(_rejected(body))
            raise ServiceError("ValidationException", "Type mismatch for Index Key rejected")
        answer = self._service.handle(operation, body, caller)
        if operation == "BatchWriteItem" and b"DeleteRequest" in body:
            # A delete of what is not there changes nothing, and is carried out all the same.
            left = {_deleted(each) for each in _requests(_batch(answer).UnprocessedItems)}
            for request in _requests(_batch(body).RequestItems):
                key = _deleted(request)
                if key and key not in left:
                    self._landed(key, ABSENT)
        return answer

    def _written(self, key: Key, old: bytes | None, new: bytes | None) -> None:
        if new is not None:
            self._landed(str(key[0]), _value(new))

    def _landed(self, key: str, value: str) -> None:
        host = self._caller.host
        self._judge.landed(KINDS.get(host.partition("/")[0], host), host, key, value)


def _rejected(body: bytes) -> list[str]:
    """Return the keys of the items in a batch that the table rejects."""
    [requests] = msgspec.json.decode(body)["RequestItems"].values()
    items = [request["PutRequest"]["Item"] for request in requests if "PutRequest" in request]
    return [item["pk"]["S"] for item in items if REJECTED in item]


def _requests(of: Mapping[str, list[_WriteRequest]]) -> list[_WriteRequest]:
    return of.get(names.DESTINATION_TABLE, [])


def _deleted(request: _WriteRequest) -> str:
    return request.DeleteRequest.Key.pk.S if request.DeleteRequest else ""


def _value(body: bytes) -> str:
    item = _item(body)
    return item.v.N if item.v else ABSENT


class StreamsWatch:
    """DynamoDB Streams of the source account. Shows the judge how often the copy reads the stream."""

    def __init__(self, service: Service, judge: Judge) -> None:
        self._service = service
        self._judge = judge

    def handle(self, operation: str, body: bytes, caller: Caller) -> bytes:
        """Carry out ``operation``."""
        if operation == "DescribeStream":
            self._judge.budget.called(operation)
        elif operation == "GetRecords":
            at = body.index(b"shardId-")
            self._judge.budget.called(operation, body[at : at + _SHARD_ID].decode())
        return self._service.handle(operation, body, caller)


_SHARD_ID = len("shardId-00000000000000000000-00000000")


class StreamWatch:
    """Shows the judge each change of the source, and its record."""

    def __init__(self, table: Table, judge: Judge) -> None:
        self._judge = judge
        self._table = table
        self._made: tuple[Shard, Record] | None = None
        self._index: dict[str, int] = {}
        table.on_write(self._written)
        if table.stream is not None:
            self.follow()

    def follow(self) -> None:
        """Follow the table's stream, which was turned on just now."""
        assert self._table.stream is not None
        self._table.stream.on_append.append(self._appended)

    def _appended(self, shard: Shard, record: Record) -> None:
        self._made = shard, record

    def _written(self, key: Key, old: bytes | None, new: bytes | None) -> None:
        made, self._made = self._made, None
        name, value = str(key[0]), ABSENT if new is None else _value(new)
        if self._judge.source.of(name).latest == value:
            return
        place = self._judge.source_changed(name, value)
        if made is not None:
            shard, record = made
            number = record.sequence_number
            begins = batch_name(number, record.event_id)
            self._judge.recorded(shard.id, number, begins, name, place, record.created)


class JournalWatch:
    """Shows the judge what is written to the journal."""

    def __init__(self, table: Table, judge: Judge) -> None:
        self._judge = judge
        self._kinds: dict[str, Callable[[str, str, dict[str, Any] | None], None]] = {
            "run": self._run,
            "segment": self._segment,
            "batch": self._batch,
            "letter": self._letter,
        }
        self._letters: dict[str, str] = {}
        table.on_write(self._written)

    def _written(self, key: Key, old: bytes | None, new: bytes | None) -> None:
        pk, sk = str(key[0]), str(key[1])
        seen = self._kinds.get(pk.partition("#")[0])
        if seen is not None:
            seen(pk, sk, None if new is None else msgspec.json.decode(new))

    def _run(self, pk: str, sk: str, item: dict[str, Any] | None) -> None:
        if sk != "state" or item is None:
            return
        self._judge.run_saved(
            RunState(
                phase=Phase(item["phase"]["S"]),
                run_id=item["run_id"]["S"],
                version=int(item["version"]["N"]),
                slice=int(item["slice"]["N"]),
                scan_began=float(item["scan_began"]["N"]),
                seal_requested=float(item["seal_requested_at"]["N"]) > 0,
                reason=item["reason"]["S"],
                resumable=item["resumable"]["BOOL"],
            )
        )

    def _segment(self, pk: str, sk: str, item: dict[str, Any] | None) -> None:
        if item is not None:
            checkpoint = item["checkpoint"]["M"]["pk"]["S"] if "checkpoint" in item else ""
            items, done = int(item["items"]["N"]), item["done"]["BOOL"]
            self._judge.segment_saved(int(sk), checkpoint, items, done=done, of=pk.partition("#")[2])

    def _batch(self, pk: str, sk: str, item: dict[str, Any] | None) -> None:
        if item is not None:
            records, puts, deletes = (int(item[name]["N"]) for name in ("records", "puts", "deletes"))
            self._judge.batch_recorded(pk.removeprefix("batch#"), item["last"]["S"], (records, puts, deletes))

    def _letter(self, pk: str, sk: str, item: dict[str, Any] | None) -> None:
        if pk != "letter":
            return
        if item is None:
            self._judge.letter_removed(self._letters[sk])
            return
        self._letters[sk] = key = item["key"]["M"]["pk"]["S"]
        self._judge.letter_put(key)
