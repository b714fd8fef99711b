"""The journal's table in the simulated DynamoDB: in this process, and as strict as AWS."""

from __future__ import annotations

import threading

from botocore.credentials import ReadOnlyCredentials

from tablecopy.dynamodb.client import DynamoDB
from tablecopy.journal.store import Store
from tests.unit.tablecopy.fakes import FakeClock
from tools.simulation.capacity import Capacity
from tools.simulation.dynamodb import DynamoDBService
from tools.simulation.errors import ServiceError
from tools.simulation.names import REGION, SOURCE_ACCOUNT
from tools.simulation.network import Caller
from tools.simulation.scheduler import World
from tools.simulation.table import TableSettings

_CALLER = Caller("test", SOURCE_ACCOUNT)
_CREDENTIALS = ReadOnlyCredentials("testing", "testing", None, None)


class JournalClient(DynamoDB):
    """A client of an account that has the journal. A call takes no time; one is served at a time."""

    def __init__(self) -> None:
        clock = FakeClock()
        super().__init__(clock, clock.random(), attempts=1, renews=False)
        self._service = DynamoDBService(World(1), SOURCE_ACCOUNT, REGION)
        self._service.create_table(
            TableSettings("journal", key=(("pk", "S"), ("sk", "S")), capacity=Capacity(unlimited=True))
        )
        self._lock = threading.Lock()

    def credentials(self) -> ReadOnlyCredentials:
        """Return credentials that nothing reads."""
        return _CREDENTIALS

    def send(self, operation: str, body: bytes, credentials: ReadOnlyCredentials | None = None) -> bytes:
        """Carry out a call."""
        try:
            with self._lock:
                return self._service.handle(operation, body, _CALLER)
        except ServiceError as error:
            raise error.as_client_error(operation) from None


def new_store() -> Store:
    """Return an empty journal."""
    return Store(JournalClient(), "journal")
