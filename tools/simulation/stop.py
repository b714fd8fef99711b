"""How long writers stop for a cutover: the product's functions and command, for any size and rate.

A copy of two tables with equal contents begins as the copy back after a seal does (``begin_at_seal``): it
scans nothing. Writers change items, the comparison in the account reads both tables, and then
`tablecopy cutover` is run by its own code. Nothing goes wrong here.
"""

from __future__ import annotations

import io
import random
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace

from tablecopy.text import timestamp
from tablecopy_cli.common.errors import UserError
from tools.simulation import names
from tools.simulation.background import start
from tools.simulation.behavior import StreamBehavior
from tools.simulation.capacity import Capacity
from tools.simulation.cutover.operator import Operator
from tools.simulation.cutover.policy import Policies
from tools.simulation.deployment import DESTINATION, JOURNAL, SOURCE, Deployment, Faults, Settings, Side
from tools.simulation.dynamodb import DynamoDBService
from tools.simulation.functions import Answer
from tools.simulation.generated import GeneratedService, GeneratedTable, body
from tools.simulation.network import Caller, Service
from tools.simulation.paced import PacedWorld
from tools.simulation.streams_api import StreamsService
from tools.simulation.table import Table, TableSettings

_UNLIMITED = Capacity(unlimited=True)

# So that no shard ends: what a split adds is measured elsewhere (docs/sizes.md).
_LONG_LIFE = (80_000.0, 90_000.0)

_BUDGET = 1_000_000.0
_LOOK_SECONDS = 2.0

# For so long writers go on after the comparison, so that what they did during it is compared.
_STEADY_SECONDS = 60.0
_PACED_SECONDS = 5.0

# Most changes a second during the comparison. What is written then is compared long before the stop.
_FEW_CHANGES = 50.0

# None of the phases before the cutover takes longer in virtual time.
_LONGEST_SECONDS = 7_200.0

_WRITES_EVERY_SECONDS = 0.05


@dataclass(frozen=True)
class StopCase:
    """What is cut over.

    Attributes
    ----------
    items
        Items of each table.
    changes
        Changes a second in the last minute before the writers stop. During the comparison they are fewer.
    shards
        Open shards of each table's stream.
    paced
        Let the last seconds before the stop, and the stop, take the machine's time. Otherwise all of it is in
        virtual time, in which computing takes none.
    """

    items: int
    changes: float
    shards: int = 4
    paced: bool = False


@dataclass
class StopResult:
    """What was measured.

    Attributes
    ----------
    stop_s
        Seconds from the moment at which the writers have stopped to the end of the command.
    predicted_s
        What the command predicted.
    exit_code
        Of the command; 0 for a sealed copy.
    baseline_cpu_s
        CPU seconds of everything from the beginning of the comparison to its end.
    stop_cpu_s
        The same of the stop.
    changed
        Changes that the writers have made.
    keys
        Keys that were noted: those of the records of both streams.
    write_units, read_units
        Units of the journal for the touched keys, without the lists that are read every second.
    written_bytes
        Bytes of the requests that noted keys.
    recheck_units
        Read units of both tables for comparing keys again.
    list_units_per_hour
        Read units of the journal for reading the lists, in an hour.
    backfill_units
        Read units of the source and invocations of the backfill that the beginning at a seal took.
    """

    stop_s: float = 0.0
    predicted_s: float = 0.0
    exit_code: int = -1
    baseline_cpu_s: float = 0.0
    stop_cpu_s: float = 0.0
    changed: int = 0
    keys: int = 0
    write_units: float = 0.0
    read_units: float = 0.0
    written_bytes: int = 0
    recheck_units: float = 0.0
    list_units_per_hour: float = 0.0
    backfill_units: float = 0.0
    reason: str = ""


class _Counted:
    """DynamoDB of an account, of which the units of touched keys are counted."""

    def __init__(self, service: Service, journal: Table, tables: tuple[Table, ...]) -> None:
        self._service = service
        self._journal = journal
        self._tables = tables
        self.write_units = self.read_units = self.list_units = self.recheck_units = 0.0
        self.written_bytes = 0

    def handle(self, operation: str, request: bytes, caller: Caller) -> bytes:
        """Carry out an operation."""
        journal = self._journal.throughput
        wrote, read = journal.consumed_write, journal.consumed_read
        rechecked = sum(table.throughput.consumed_read for table in self._tables)
        answer = self._service.handle(operation, request, caller)
        if b'"touched#' in request:
            self.write_units += journal.consumed_write - wrote
            if operation == "PutItem":
                self.written_bytes += len(request)
            if operation == "Query":
                self.list_units += journal.consumed_read - read
            else:
                self.read_units += journal.consumed_read - read
        if operation == "BatchGetItem":
            self.recheck_units += sum(table.throughput.consumed_read for table in self._tables) - rechecked
        return answer


class _Writers:
    """Change items at a steady rate, at the table.

    Attributes
    ----------
    made
        Changes that were made.
    stopped_at
        When they stopped; 0 before that.
    """

    def __init__(self, world: PacedWorld, table: GeneratedTable, rate: float, seed: int) -> None:
        self.made = 0
        self.stopped_at = 0.0
        self._world = world
        self._table = table
        self._rate = rate
        self._random = random.Random(f"writers {seed}")
        self._began, self._before = world.now, 0
        world.call_later(0.0, self._write)

    def go(self, rate: float) -> None:
        """Write at another rate from now on."""
        self._rate, self._began, self._before = rate, self._world.now, self.made

    def stop(self) -> None:
        """Write no more."""
        self.stopped_at = self.stopped_at or self._world.now

    def _write(self) -> None:
        if self.stopped_at:
            return
        due = self._before + int((self._world.now - self._began) * self._rate)
        while self.made < due:
            self.made += 1
            number = self._random.randrange(self._table.count)
            key = (f"k{number:012d}",)
            if self._random.random() < 0.1:
                self._table.apply(key, None)
            else:
                self._table.apply(key, self._table.schema.item(body(number, self.made)))
        self._world.call_later(_WRITES_EVERY_SECONDS, self._write)


def measure(case: StopCase, seed: int, say: Callable[[str], object] = lambda text: None) -> StopResult:
    """Verify a copy, cut it over, and measure. ``say`` gets its progress."""
    with redirect_stdout(_Nothing()), redirect_stderr(_Nothing()):
        return _Scene(case, seed, say).play()


class _Nothing(io.StringIO):
    """Takes the logs of the functions, and keeps none."""

    def write(self, text: str) -> int:
        return len(text)


class _Scene:
    """One copy."""

    def __init__(self, case: StopCase, seed: int, say: Callable[[str], object]) -> None:
        self.case = case
        self.world = world = PacedWorld(seed)
        self._say = say
        self.result = StopResult()
        self._seed = seed
        behavior = StreamBehavior(shards=case.shards, shard_life=_LONG_LIFE, late_record=0.0)
        source = self._side(names.SOURCE_ACCOUNT, replace(SOURCE, stream_behavior=behavior))
        destination = self._side(
            names.DESTINATION_ACCOUNT,
            replace(DESTINATION, stream="KEYS_ONLY", stream_behavior=behavior),
        )
        self.copy = copy = Deployment(
            world,
            Settings(
                verification_segments=16,
                verification_timeout=300,
                environ={
                    "begin_at_seal": timestamp(world.now),
                    "allow_nonempty_destination": True,
                    "read_capacity": _BUDGET,
                    "destination_read_capacity": _BUDGET,
                    "tracker_function": names.TRACKER,
                },
            ),
            Faults(),
            source,
            destination,
            replace(JOURNAL, capacity=_UNLIMITED),
        )
        self._backfills = 0
        copy.lambda_.on_end.append(self._ended)
        self.tables = copy.source, copy.destination
        tables = tuple(table for table in self.tables if isinstance(table, GeneratedTable))
        self.counted = [
            _Counted(GeneratedService(account, table), copy.journal, tables)
            for account, table in zip((copy.source_account, copy.destination_account), tables, strict=True)
        ]
        copy.account.source, copy.account.destination = self.counted
        self.source = tables[0]
        self.writers: _Writers | None = None
        self.operator = Operator(
            copy,
            (Policies(world), Policies(world)),
            self._stop_writers,
            fence=False,
            max_stop=300.0,
            quiet_seconds=5.0,
        )

    def _side(self, account: str, settings: TableSettings) -> Side:
        dynamodb = DynamoDBService(self.world, account, names.REGION)
        arn = names.table_arn(account, settings.name)
        settings = replace(settings, capacity=_UNLIMITED)
        table = GeneratedTable(self.world, arn, settings, self.case.items)
        dynamodb.tables[settings.name] = table
        return Side(dynamodb, StreamsService(dynamodb), table)

    def play(self) -> StopResult:
        """Let everything happen."""
        world = self.world
        try:
            self._do(self._until_in_sync)
            result, source = self.result, self.copy.source
            result.backfill_units = source.throughput.consumed_read + self._backfills
            self._say(f"in sync after {self._seconds:.0f} s")
            rate = self.case.changes
            self.writers = _Writers(world, self.source, min(rate, _FEW_CHANGES), self._seed)
            self._do(self._verify)
            self.writers.go(rate)
            began = world.now
            counted = sum(each.list_units for each in self.counted)
            world.run(world.now + _STEADY_SECONDS)
            hours = (world.now - began) / 3_600
            lists = sum(each.list_units for each in self.counted) - counted
            result.list_units_per_hour = lists / hours
            if self.case.paced:
                world.pace()
                world.run(world.now + _PACED_SECONDS)
            self._do(self._cut_over)
            self._count()
        finally:
            world.end()
        return self.result

    @property
    def _seconds(self) -> float:
        return self.world.now - 1_800_000_000.0

    def _ended(self, function: str, answer: Answer) -> None:
        self._backfills += function == names.BACKFILL

    def _do(self, what: Callable[[], None]) -> None:
        """Let the operator do something, and wait for it."""
        done: list[bool] = []

        def run() -> None:
            what()
            done.append(True)

        start(self.world, self.operator.host, run)
        self.world.run(self.world.now + _LONGEST_SECONDS, lambda: bool(done))
        if not done:
            raise RuntimeError(f"{what.__name__} has not ended: {self._run()}")

    def _run(self) -> str:
        item = self.copy.journal.get(("run", "state"))
        return item.decode() if item else "no run"

    def _until_in_sync(self) -> None:
        while self.operator.ask(self.operator.function.status)["phase"] not in {"draining", "ready"}:
            self.world.sleep(_LOOK_SECONDS)

    def _verify(self) -> None:
        function, began = self.operator.function, time.process_time()
        self.operator.ask(lambda: function.verify(writes_stopped=False))
        while (found := self.operator.ask(function.verification))["state"] != "done":
            if found["state"] == "failed":
                raise RuntimeError(f"the comparison has failed: {found}")
            if not found["running"]:
                # It has waited for the tracking of changes, and goes on.
                self.operator.ask(lambda: function.verify(writes_stopped=False))
            self.world.sleep(_LOOK_SECONDS)
        self.result.baseline_cpu_s = time.process_time() - began
        self._say(f"verified after {self._seconds:.0f} s, {self.result.baseline_cpu_s:.0f} CPU s")

    def _stop_writers(self) -> None:
        assert self.writers is not None
        self.writers.stop()
        self._cpu = time.process_time()

    def _cut_over(self) -> None:
        self._cpu = time.process_time()
        _, found = self.operator.ask(lambda: self.operator.function.cutover(5.0))
        self.result.predicted_s = found["seconds"] or 0.0
        try:
            self.operator.cut_over()
        except UserError as error:
            self.result.reason = str(error)
        assert self.writers is not None
        self.result.stop_s = self.world.now - self.writers.stopped_at
        self.result.stop_cpu_s = time.process_time() - self._cpu
        self.result.exit_code = -1 if self.operator.code is None else self.operator.code
        if self.result.exit_code:
            self.result.reason = self._run()

    def _count(self) -> None:
        result = self.result
        assert self.writers is not None
        result.changed = self.writers.made
        for table in self.tables:
            assert table.stream is not None
            result.keys += sum(shard.count for shard in table.stream.shards)
        for each in self.counted:
            result.write_units += each.write_units
            result.read_units += each.read_units
            result.written_bytes += each.written_bytes
            result.recheck_units += each.recheck_units
