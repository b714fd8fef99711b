"""Every metric, from the functions' own entry points on."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tablecopy.control.metrics import RunMetrics, VerificationMetrics
from tablecopy.dynamodb.client import DynamoDB, Json
from tablecopy.journal.run import Phase
from tablecopy.journal.verifications import State, Verification, Verifications
from tablecopy.metrics.definitions import METRICS
from tests.unit.tablecopy import functions
from tests.unit.tablecopy.data import test_backfill, test_redrive, test_replicator
from tests.unit.tablecopy.data.test_backfill import items
from tests.unit.tablecopy.data.test_redrive import token
from tests.unit.tablecopy.fakes import (
    Answer,
    FakeAws,
    FakeClock,
    MemoryStore,
    client_error,
    leave,
    record,
    refuse,
)
from tests.unit.tablecopy.functions import ENVIRONMENT, Context
from tests.unit.tablecopy.published import published, total
from tests.unit.tablecopy.tracker.scene import Scene
from tests.unit.tablecopy.tracker.test_handler import Aws as TrackedAws
from tests.unit.tablecopy.verifier.tables import HostileTable

Log = Callable[[], str]
Handler = Callable[[Json, Context], Json]
Backfill = tuple[Handler, test_backfill.Scene]
Replicator = tuple[Handler, test_replicator.Scene]

SEGMENT = {"run": "run", "slice": 2, "segment": 0}
INDEX_ARN = "arn:aws:dynamodb:eu-west-1:222222222222:table/copy/index/by-date"


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> Log:
    """What was logged since this was asked last."""
    return lambda: capsys.readouterr().out


@pytest.fixture
def backfill() -> Backfill:
    """The function, and 10 items in pages of 3 that it copies."""
    return _backfill()


@pytest.fixture
def replicator() -> Replicator:
    return _replicator()


class TestBackfill:
    def test_what_was_copied_and_used_is_told_once(self, backfill: Backfill, log: Log) -> None:
        handle, scene = backfill
        scene.destination.indexes = {"by-date": 2.0}
        assert handle(SEGMENT, Context()) == {"next": "done"}
        text = log()
        size = scene.segments.read(0).wire_bytes
        assert published(text) == {
            "ItemsCopied": {"": [10]},
            "BytesCopied": {"": [size]},
            "ConsumedReadUnits": {"source": [10]},
            # The table's hold the index's.
            "ConsumedWriteUnits": {"copy": [30], "copy/by-date": [20]},
        }
        assert size > 0
        # The keys of the items.
        assert "00e9" not in text

    def test_an_invocation_that_fails_tells_what_it_has_done(self, backfill: Backfill, log: Log) -> None:
        handle, scene = backfill
        denied = client_error("AccessDeniedException")
        scene.destination.faults = [lambda requests: Answer(requests), refuse("AccessDeniedException")]
        with pytest.raises(ClientError) as raised:
            handle(SEGMENT, Context())
        assert str(raised.value) == str(denied)
        assert total(log())["ItemsCopied"] == {"": 3}
        assert handle(SEGMENT, Context()) == {"next": "done"}
        assert total(log())["ItemsCopied"] == {"": 7}

    def test_long_work_tells_as_it_goes_and_nothing_twice(self, log: Log) -> None:
        handle, _ = _backfill(SlowStore(20))
        assert handle(SEGMENT, Context()) == {"next": "done"}
        copied = published(log())["ItemsCopied"][""]
        # The segment's item and four pages, of 20 s each.
        assert copied == [3, 6, 1]

    def test_an_invocation_with_nothing_to_do_says_nothing(self, backfill: Backfill, log: Log) -> None:
        handle, scene = backfill
        scene.enter(Phase.DRAINING)
        assert handle(SEGMENT, Context()) == {"next": "stop"}
        assert published(log()) == {}

    def test_throttled_reads(self, backfill: Backfill, log: Log) -> None:
        handle, scene = backfill
        scene.source.faults = [
            client_error("ProvisionedThroughputExceededException"),
            client_error("500", 500),
        ]
        handle(SEGMENT, Context())
        assert published(log())["ReadThrottles"] == {"source": [1]}


class TestReplicator:
    def test_what_was_applied_is_told(self, replicator: Replicator, log: Log) -> None:
        handle, _ = replicator
        records = [record(0, "é", {"N": "1"}), record(1, "é", {"N": "2"}), record(2, "b", None)]
        handle({"Records": records}, Context())
        text = log()
        assert published(text) == {
            "RecordsApplied": {"": [3]},
            "PutsApplied": {"": [1]},
            "DeletesApplied": {"": [1]},
            "ConsumedWriteUnits": {"copy": [2]},
        }
        assert "00e9" not in text

    def test_what_comes_again_is_not_applied_again(self, replicator: Replicator, log: Log) -> None:
        handle, _ = replicator
        records = [record(0, "a", {"N": "1"})]
        for _ in range(2):
            handle({"Records": records}, Context())
        assert total(log())["RecordsApplied"] == {"": 1}

    def test_a_batch_that_comes_too_early_says_nothing(self, replicator: Replicator, log: Log) -> None:
        handle, scene = replicator
        scene.enter(Phase.SLICE)
        assert handle({"Records": [record(0, "a", None)]}, Context())["batchItemFailures"]
        assert published(log()) == {}

    def test_only_the_records_before_the_first_unwritten_one_count(
        self, replicator: Replicator, log: Log
    ) -> None:
        handle, scene = replicator
        scene.destination.faults = [leave(1)]
        scene.destination.on_call = lambda: scene.clock.tick(900)
        records = [record(0, "a", {"N": "1"}), record(1, "b", None), record(2, "c", None)]
        handle({"Records": records}, Context())
        told = total(log())
        assert (told["RecordsApplied"], told["PutsApplied"]) == ({"": 1}, {"": 1})
        assert "DeletesApplied" not in told
        assert told["ConsumedWriteUnits"] == {"copy": 2}

    def test_throttled_writes_by_table_and_index(self, replicator: Replicator, log: Log) -> None:
        handle, scene = replicator
        reasons = [
            {"reason": "IndexWriteProvisionedThroughputExceeded", "resource": INDEX_ARN},
            {"reason": "IndexWriteKeyRangeThroughputExceeded", "resource": INDEX_ARN},
            {"reason": "TableWriteKeyRangeThroughputExceeded", "resource": INDEX_ARN.split("/index/")[0]},
        ]
        throttled = client_error("ThrottlingException", reasons=reasons)
        # A call that was throttled counts once, whatever the number of its writes and reasons.
        scene.destination.faults = [lambda requests: Answer([], error=throttled), leave(0, 1)]
        handle({"Records": [record(index, str(index), None) for index in range(3)]}, Context())
        assert published(log())["WriteThrottles"] == {"copy": [2], "copy/by-date": [1]}

    def test_refused_writes(self, replicator: Replicator, log: Log) -> None:
        handle, scene = replicator
        scene.destination.refuses = {token("a"), token("c")}
        handle({"Records": [record(index, key, None) for index, key in enumerate("abc")]}, Context())
        told = total(log())
        assert told["WritesRefused"] == {"": 2}
        assert told["RecordsApplied"] == {"": 3}

    def test_an_invocation_that_fails_tells_what_it_has_used(self, replicator: Replicator, log: Log) -> None:
        handle, scene = replicator
        records = [record(index, str(index), None) for index in range(30)]
        scene.destination.faults = [lambda requests: Answer(requests), refuse("AccessDeniedException")]
        with pytest.raises(ClientError):
            handle({"Records": records}, Context())
        # How the changes are divided is up to the threads; the second call was refused.
        sizes = list(map(len, scene.destination.calls))
        assert published(log()) == {"ConsumedWriteUnits": {"copy": [sum(sizes) - sizes[1]]}}


def test_a_redrive_reads_and_is_refused_again(log: Log) -> None:
    handle, scene = _redrive()
    scene.destination.refuses = {token("a")}
    handle({"run": "run", "slice": 2, "segment": "letters"}, Context())
    assert total(log()) == {
        "ConsumedReadUnits": {"source": 2},
        "WritesRefused": {"": 1},
        "ConsumedWriteUnits": {"copy": 1},
    }


class TestVerifier:
    def test_what_both_tables_were_read_with_is_told_apart(self, log: Log) -> None:
        handle, tables, _ = _verifier()
        assert handle({"verification": "v1", "segment": 0}, Context()) == {"next": "done"}
        source, destination = tables
        assert published(log()) == {
            "ConsumedReadUnits": {"source": [source.units]},
            "DestinationReadUnits": {"copy": [destination.units]},
        }

    def test_throttled_reads(self, log: Log) -> None:
        handle, _, _ = _verifier(faults=0.5)
        assert handle({"verification": "v1", "segment": 0}, Context()) == {"next": "done"}
        told = total(log())
        assert told["ReadThrottles"]["source"] > 0
        assert told["DestinationReadThrottles"]["copy"] > 0

    def test_long_work_tells_as_it_goes(self, log: Log) -> None:
        handle, tables, clock = _verifier(items=200)
        for table in tables:
            table.before_call = lambda: clock.tick(5)
        handle({"verification": "v1", "segment": 0}, Context())
        assert len(published(log())["ConsumedReadUnits"]["source"]) > 1


def test_every_metric_is_told_by_somebody(log: Log) -> None:
    throttled = client_error("ThrottlingException")
    handle, scene = _backfill()
    scene.source.faults = [throttled]
    scene.destination.refuses = {token("é0001")}
    handle(SEGMENT, Context())
    handle, applying = _replicator()
    applying.destination.faults = [lambda requests: Answer([], error=throttled)]
    records = [record(0, "a", {"N": "1"}), record(1, "b", None)]
    handle({"Records": records}, Context())
    metrics = RunMetrics(applying.clock, "move")
    metrics.publish_age(1.0)
    metrics.publish({"phase": "draining", "dead_letters": 0})
    handle, _, _ = _verifier(faults=0.5)
    handle({"verification": "v1", "segment": 0}, Context())
    VerificationMetrics(_verifications(applying.clock), applying.clock, "move").publish()
    tracked = Scene()
    tracked.steps(15)
    functions.tracker.build(ENVIRONMENT, tracked.clock, TrackedAws(tracked))({}, Context())
    assert set(published(log())) == {metric.name for metric in METRICS}


class SlowStore(MemoryStore):
    """A journal with which each checkpoint takes ``seconds``.

    Pages are written by threads that nothing keeps in order; checkpoints are made by one.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds
        self.clock = FakeClock()

    def put(self, pk: str, sk: str, attributes: Json, **condition: Any) -> None:
        super().put(pk, sk, attributes, **condition)
        if pk == "segment":
            self.clock.tick(self.seconds)


def _backfill(store: MemoryStore | None = None) -> Backfill:
    store = store or MemoryStore()
    scene = test_backfill.Scene(store, items(10))
    if isinstance(store, SlowStore):
        store.clock = scene.clock
    return _built(store, scene), scene


def _redrive() -> tuple[Handler, test_redrive.Scene]:
    store = MemoryStore()
    scene = test_redrive.Scene(store, [{"pk": {"S": "a"}}, {"pk": {"S": "b"}}], ["a", "b"])
    return _built(store, scene), scene


def _built(store: MemoryStore, scene: test_backfill.Scene | test_redrive.Scene) -> Handler:
    environment = {**ENVIRONMENT, "READ_CAPACITY": "1e6", "WRITE_CAPACITY": "1e6"}
    aws = FakeAws(store, scene.destination, scene.source)
    return functions.backfill.build(environment, scene.clock, aws, writers=1)


def _replicator() -> Replicator:
    store = MemoryStore()
    scene = test_replicator.Scene(store)
    aws = FakeAws(store, scene.destination)
    return functions.replicator.build(ENVIRONMENT, scene.clock, aws, writers=1), scene


class TwoTables(FakeAws):
    """A source and a destination that are scanned."""

    def __init__(self, store: MemoryStore, tables: tuple[HostileTable, HostileTable]) -> None:
        self._journal = store
        self.tables = tables

    def journal(self, table: str) -> MemoryStore:
        return self._journal

    def source(self) -> DynamoDB:  # type: ignore[override]
        return self.tables[0]

    def destination(self, settings: Any, function: str) -> DynamoDB:  # type: ignore[override]
        return self.tables[1]


def _verifications(clock: FakeClock, store: MemoryStore | None = None) -> Verifications:
    verifications = Verifications(store or MemoryStore(), clock)
    verification = Verification("v1", 1, 1, began=clock.now(), state=State.SCANNING, key_names=("pk",))
    assert verifications.save(verification, is_new=True)
    return verifications


def _verifier(
    items: int = 20, faults: float = 0.0
) -> tuple[Handler, tuple[HostileTable, HostileTable], FakeClock]:
    """The function, and a segment whose items are the same on both sides."""
    clock, store = FakeClock(), MemoryStore()
    source, destination = (
        HostileTable(name, random.Random(7), faults=faults, clock=clock) for name in ("source", "copy")
    )
    source.items = {str(key): {"pk": {"S": str(key)}, "text": {"S": "x" * 500}} for key in range(items)}
    destination.items = dict(source.items)
    _verifications(clock, store)
    tables = (source, destination)
    return functions.verifier.build(ENVIRONMENT, clock, TwoTables(store, tables)), tables, clock
