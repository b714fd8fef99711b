"""The simulated DynamoDB of one account: its tables and its operations."""

from __future__ import annotations

from collections.abc import Callable

from tools.simulation.attributes import invalid
from tools.simulation.errors import ServiceError
from tools.simulation.network import Caller
from tools.simulation.reads import batch_get_item, get_item, query, scan
from tools.simulation.requests import (
    BatchGetItem,
    BatchWriteItem,
    DeleteItem,
    Describe,
    GetItem,
    NotSimulated,
    PutItem,
    Query,
    Reader,
    Request,
    Scan,
    TransactWriteItems,
    UpdateItem,
)
from tools.simulation.scheduler import World
from tools.simulation.table import Table, TableSettings
from tools.simulation.table_description import describe, describe_backups, describe_ttl
from tools.simulation.writes import Transactions, batch_write_item, write_item

_WRITES: tuple[type[Request], ...] = (PutItem, DeleteItem, UpdateItem)


class DynamoDBService:
    """DynamoDB of the account ``account`` in ``region``.

    Attributes
    ----------
    tables
        Tables by name.
    calls
        How often each operation was called.
    """

    def __init__(self, world: World, account: str, region: str) -> None:
        self.world = world
        self.account = account
        self.region = region
        self.tables: dict[str, Table] = {}
        self.calls: dict[str, int] = {}
        self._deleted: list[Table] = []
        self._transactions = Transactions()
        self._operations: dict[str, tuple[Reader, Callable[..., bytes]]] = {
            "GetItem": (Reader(GetItem), get_item),
            "BatchGetItem": (Reader(BatchGetItem), batch_get_item),
            "Query": (Reader(Query), query),
            "Scan": (Reader(Scan), scan),
            **{kind.__name__: (Reader(kind), write_item) for kind in _WRITES},
            "DescribeTable": (Reader(Describe), describe),
            "DescribeTimeToLive": (Reader(Describe), describe_ttl),
            "DescribeContinuousBackups": (Reader(Describe), describe_backups),
        }
        self._batch_write = Reader(BatchWriteItem)
        self._transact_write = Reader(TransactWriteItems)

    def create_table(self, settings: TableSettings) -> Table:
        """Create a table. It is active immediately."""
        assert settings.name not in self.tables, f"table {settings.name} exists"
        arn = f"arn:aws:dynamodb:{self.region}:{self.account}:table/{settings.name}"
        table = self.tables[settings.name] = Table(self.world, arn, settings)
        return table

    def delete_table(self, name: str) -> None:
        """Delete a table, and end its stream."""
        table = self.tables.pop(name)
        if table.stream is not None and table.stream.enabled:
            table.disable_stream()
        self._deleted.append(table)

    def all_tables(self) -> list[Table]:
        """Return the tables with those that were deleted: their streams can still be read."""
        return [*self.tables.values(), *self._deleted]

    def table(self, name: str) -> Table:
        """Return the table with a name or ARN. Raises ServiceError if there is none."""
        table = self.tables.get(name)
        if table is not None:
            return table
        if name.startswith("arn:"):
            for table in self.tables.values():
                if table.arn == name:
                    return table
        elif not 3 <= len(name) <= 255:
            raise invalid("TableName must be at least 3 characters long and at most 255 characters long")
        raise ServiceError("ResourceNotFoundException", "Requested resource not found")

    def handle(self, operation: str, body: bytes, caller: Caller) -> bytes:
        """Carry out an operation.

        Raises
        ------
        ServiceError
            DynamoDB's error answer.
        NotSimulated
            The simulation lacks the operation, or a member of the request.
        """
        self.calls[operation] = self.calls.get(operation, 0) + 1
        if operation == "BatchWriteItem":
            return batch_write_item(self.table, self._batch_write.read(body), len(body))
        if operation == "TransactWriteItems":
            return self._transactions.write(self.table, self._transact_write.read(body), body)
        known = self._operations.get(operation)
        if known is None:
            raise NotSimulated(f"DynamoDB's operation {operation}")
        reader, run = known
        return run(self.table, reader.read(body))
