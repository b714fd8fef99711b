"""Verification in the account, with the functions' own handlers: all but Lambda and Step Functions."""

from __future__ import annotations

import json
import math
import threading
from dataclasses import replace
from typing import Any, cast
from unittest.mock import Mock

from tablecopy.clock import Machine
from tablecopy.dynamodb.client import DynamoDB, DynamoDBClient, Json, encode
from tablecopy.handlers.context import Aws
from tablecopy.journal.run import Phase, Run, RunRecord
from tablecopy.journal.segments import Segment, Segments
from tablecopy.journal.shards import Shards, StreamSummary
from tablecopy.journal.store import Store
from tablecopy.journal.touched import TrackingRecord, TrackingState
from tablecopy.settings import DestinationSettings
from tests.unit.tablecopy.fakes import MACHINE_ARN, FakeClock, FakeStates, MemoryStore
from tests.unit.tablecopy.functions import ENVIRONMENT, Context, control, verifier
from tests.unit.verify.service import FakeTable


class Client(DynamoDB):
    """Calls a table in memory as the functions call DynamoDB."""

    def __init__(self, table: FakeTable) -> None:
        self._table = table

    def credentials(self) -> None: ...  # type: ignore[override]

    def send(self, operation: str, body: bytes, credentials: object = None) -> bytes:
        return self._table.send(operation, body)

    def call(self, operation: str, body: Json) -> Json:
        name = "".join(part.capitalize() for part in operation.split("_"))
        answer: Json = json.loads(self._table.send(name, encode(body)))
        return answer


class States(FakeStates):
    """Runs an execution to its end as soon as it is started, as the state machine's definition says."""

    def __init__(self, account: Account) -> None:
        super().__init__()
        self._account = account

    def start_execution(self, **request: Any) -> None:
        super().start_execution(**request)
        self._account.run(json.loads(request["input"]))
        self.end()


class Account(Aws):
    """The source account of a copy that is ready, whose verifier is enabled.

    Parameters
    ----------
    clock
        Of the functions. Waiting moves it.
    tables
        Source and destination.
    has_copy
        Otherwise the tables are only compared.
    """

    def __init__(
        self,
        clock: FakeClock,
        source: DynamoDB,
        destination: DynamoDB,
        names: tuple[str, str],
        segments: int,
        *,
        has_copy: bool = True,
    ) -> None:
        self.clock = clock
        self._source = source
        self._destination = destination
        self._store = MemoryStore()
        self._states = States(self)
        environ = {
            **ENVIRONMENT,
            "SOURCE_TABLE": names[0],
            "DESTINATION_TABLE": names[1],
            "TOTAL_SEGMENTS": "1",
            "VERIFICATION_MACHINE_ARN": MACHINE_ARN,
            "VERIFICATION_SEGMENTS": str(segments),
            "VERIFICATION_CONCURRENCY": str(segments),
        }
        if has_copy:
            RunRecord(self._store).create(
                Run("r", environ["STREAM_ARN"], 1, clock.now(), Phase.READY, phase_since=clock.now())
            )
            Segments(self._store).save(Segment(0, done=True))
            # The copy is known to have applied everything, whenever a recheck asks.
            Shards(self._store).save_summary(StreamSummary(looked_at=math.inf))
        else:
            del environ["STREAM_ARN"]
        self._verify = verifier.build(environ, cast(Machine, clock), self)
        self._control = control.build(environ, cast(Machine, clock), self)
        self._lock = threading.Lock()

    @classmethod
    def of(
        cls,
        clock: FakeClock,
        source: FakeTable,
        destination: FakeTable,
        segments: int = 3,
        *,
        has_copy: bool = True,
    ) -> Account:
        """Return the account of two tables in memory."""
        names = (source.name, destination.name)
        return cls(clock, Client(source), Client(destination), names, segments, has_copy=has_copy)

    def invoke_control(self, event: Json) -> Json:
        """Invoke control, as ``lambda:Invoke`` does."""
        with self._lock:
            answer: Json = json.loads(json.dumps(self._control(event, Context())))
            return answer

    def run(self, given: Json) -> None:
        """Do what the state machine does (modules/verification/state_machine.tf)."""
        event = {"verification": given["verification"]}
        for _ in range(100):
            step = self._verify(event, Context())
            if step["next"] == "end":
                return
            self.clock.sleep(step["seconds"])
            if step["next"] == "wait":
                self._note_changes()
                continue
            more = {"generation": step["generation"]} if step["next"] == "recheck" else {}
            for segment in given["segments"]:
                while self._verify({**event, "segment": segment, **more}, Context())["next"] == "continue":
                    pass
        raise AssertionError("the verification never ends")

    def _note_changes(self) -> None:
        """Note the keys of all changes from now on, of which there are none."""
        record = TrackingRecord(self._store)
        tracking = record.read()
        assert tracking is not None
        record.save(replace(tracking, state=TrackingState.ON))

    def journal(self, table: str) -> Store:
        return self._store

    def source(self) -> DynamoDBClient:
        return cast(DynamoDBClient, self._source)

    def destination(self, settings: DestinationSettings, function: str) -> DynamoDBClient:
        return cast(DynamoDBClient, self._destination)

    def lambda_(self) -> Any:
        return Mock()

    def states(self) -> Any:
        return self._states
