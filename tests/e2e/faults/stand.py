"""One applied copy with the proxy before its functions, used for many runs one after the other."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from tablecopy.control.status import Status
from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.control_function import ControlFunction
from tablecopy_cli.common.errors import UserError
from tests.e2e.copying import Copy
from tests.e2e.faults.call import Call
from tests.e2e.faults.proxy import Proxy
from tests.e2e.faults.rules import Rule
from tests.e2e.processes import kill_function
from tools.local.accounts import DESTINATION_ACCOUNT, SOURCE_ACCOUNT, LocalAws
from tools.local.demo.cities import STREAM, TABLE, TABLE_NAME, Item, cities, key_of
from tools.local.demo.stack import root_module
from tools.local.demo.traffic import Writer, fill

ITEMS = 1_000
BATCH_SIZE = 500
SEGMENTS = 10
SLICE_SECONDS = 10
DESTINATION_NAME = "cities-copy"
FUNCTIONS = ("backfill", "replicator", "reconciler", "control", "verifier", "tracker")
# Outputs that name the state machines.
MACHINES = ("state_machine_arn", "verification_state_machine_arn")

# Partitions of the journal that a run leaves, besides itself and its shards.
LEFT_BY_A_RUN = ("turn", "segment", "lease", "letter", "letter-image", "verification", "touched")

# A function writes nothing in the last 15 s before its deadline, and a killed one holds its lease until 5 s
# after it. Terraform asks for 30 s at least; these give 5 s of writing and keep the wait for a lease short.
TIMEOUT_SECONDS = {
    "backfill": 20,
    "replicator": 20,
    "reconciler": 70,
    "control": 30,
    "verifier": 60,
    "tracker": 120,
}
DRAINED_AFTER_SECONDS = 2
_PATIENCE_SECONDS = 300.0
_LEASE_PATIENCE_SECONDS = 3.0


@dataclass
class Stand:
    """A copy whose functions go through the proxy, and the way back to its beginning.

    ``applied`` is what Terraform has called to make it.
    """

    copy: Copy
    proxy: Proxy
    seed: int
    applied: list[Call]
    _clients: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def source(self) -> Any:
        return self.copy.source

    @cached_property
    def destination(self) -> Any:
        return self.copy.destination

    @property
    def journal(self) -> str:
        name: str = self.copy.outputs["journal_table_name"]
        return name

    def client(self, service: str) -> Any:
        """A client of the source account, made once."""
        if service not in self._clients:
            self._clients[service] = self.copy.aws.session(SOURCE_ACCOUNT).client(service)
        return self._clients[service]

    def function_name(self, kind: str) -> str:
        name: str = self.copy.outputs[f"{kind}_function_name"]
        return name

    def configure(self, kind: str, **variables: str) -> None:
        """Change variables of a function's environment; its next invocation is in a new process."""
        functions = self.client("lambda")
        name = self.function_name(kind)
        known = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        functions.update_function_configuration(
            FunctionName=name,
            Timeout=TIMEOUT_SECONDS[kind],
            Environment={"Variables": {**known, **variables}},
        )
        # A process that is at work would keep the environment it has.
        kill_function(self.copy.aws, name)

    def let_run(self, kind: str, *, allowed: bool) -> None:
        """Whether invocations of a function are let through, or throttled by Lambda."""
        functions = self.client("lambda")
        if allowed:
            functions.delete_function_concurrency(FunctionName=self.function_name(kind))
        else:
            functions.put_function_concurrency(
                FunctionName=self.function_name(kind), ReservedConcurrentExecutions=0
            )

    def stop_executions(self, machine: str) -> None:
        """End all executions of a state machine, which an output of the copy names."""
        states = self.client("stepfunctions")
        arn = self.copy.outputs[machine]
        for execution in states.list_executions(stateMachineArn=arn, statusFilter="RUNNING")["executions"]:
            with suppress(states.exceptions.ExecutionDoesNotExist):
                states.stop_execution(executionArn=execution["executionArn"])

    def start(self) -> None:
        """Start a run, as an operator would: again, if control was ended before it had begun one."""
        try:
            self.copy.function.start()
        except UserError:
            if self.phase() == "none":
                self.start()
            else:
                self.reconcile()

    def reconcile(self) -> None:
        """Have the reconciler look now; the schedule does so once a minute only."""
        self.client("lambda").invoke(
            FunctionName=self.function_name("reconciler"), InvocationType="Event", Payload=b"{}"
        )

    def status(self) -> Status:
        """The run as the journal has it; asked again while faults keep control from answering."""
        give_up = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                return self.copy.function.status()
            except Exception:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.2)

    def wait_for(
        self,
        what: str,
        is_reached: Callable[[Status], bool],
        *,
        may_stop: bool = False,
        seconds: float = _PATIENCE_SECONDS,
    ) -> Status:
        """Look at the run until ``is_reached``, and have the reconciler look when nobody else does."""
        give_up = time.monotonic() + seconds
        nudged = time.monotonic()
        last: tuple[str, int] = ("", 0)
        while not is_reached(status := self.status()):
            place = (status["phase"], status.get("slice", 0))
            if place != last:
                last, nudged = place, time.monotonic()
            elif time.monotonic() - nudged > 5:
                # The reconciler may have been killed, or have gone to rest until its schedule.
                self.reconcile()
                nudged = time.monotonic()
            assert may_stop or status["phase"] != "stopped", f"the run has stopped: {status['reason']}"
            assert time.monotonic() < give_up, f"{what} was not reached: {status}"
            # Control's answer takes a good part of a processor if it is asked all the time.
            time.sleep(0.6)
        return status

    def wait_until(self, what: str, is_reached: Callable[[], bool], seconds: float = 90.0) -> None:
        """Wait for something that is seen without asking control."""
        give_up = time.monotonic() + seconds
        while not is_reached():
            assert time.monotonic() < give_up, f"{what} was not reached"
            time.sleep(0.05)

    def phase(self) -> str:
        """The phase as it stands in the journal, without asking control."""
        item = self.journal_item("run", "state")
        return str(item["phase"]["S"]) if item else "none"

    def journal_item(self, pk: str, sk: str) -> Item | None:
        answer = self.source.get_item(
            TableName=self.journal, Key={"pk": {"S": pk}, "sk": {"S": sk}}, ConsistentRead=True
        )
        item: Item | None = answer.get("Item")
        return item

    def journal_items(self, *partitions: str) -> list[Item]:
        """What the journal has in these partitions, in one scan. Some are spread over many."""
        conditions, values = [], {}
        for number, pk in enumerate(partitions):
            conditions.append(f"pk = :pk{number} OR begins_with(pk, :spread{number})")
            values |= {f":pk{number}": {"S": pk}, f":spread{number}": {"S": f"{pk}#"}}
        pages = self.source.get_paginator("scan").paginate(
            TableName=self.journal,
            FilterExpression=" OR ".join(conditions),
            ExpressionAttributeValues=values,
            ConsistentRead=True,
        )
        return [item for page in pages for item in page["Items"]]

    def forget(self, *partitions: str) -> None:
        """Delete what the journal has in these partitions."""
        items = self.journal_items(*partitions)
        self._delete_items(self.journal, [{"pk": item["pk"], "sk": item["sk"]} for item in items])

    def set_rules(self, rules: Sequence[Rule]) -> None:
        """Put these faults in force, in place of all others."""
        self.proxy.rules.set(rules)

    @contextmanager
    def writing(self, rate: float = 40.0) -> Iterator[Writer]:
        """Inserts, updates, deletes and re-inserts at the source while the block runs."""
        present = self.source_items()
        there = {json.dumps(key_of(item), sort_keys=True) for item in present}
        reserve = [
            item for item in cities(ITEMS + 400) if json.dumps(key_of(item), sort_keys=True) not in there
        ]
        random.Random(self.seed).shuffle(reserve)
        writer = Writer(self.source, present, reserve, rate=rate, seed=self.seed)
        writer.start()
        try:
            yield writer
        finally:
            writer.stop()

    def source_items(self) -> list[Item]:
        return _items(self.source, TABLE_NAME)

    def destination_items(self) -> list[Item]:
        return _items(self.destination, DESTINATION_NAME)

    def assert_equal(self) -> None:
        """Compare the tables item by item, as an operator does before the cutover."""
        done = self.copy.verify("--writes-stopped")
        assert done.returncode == 0, done.stdout + done.stderr

    def reset(self) -> None:
        """Go back to before the first start.

        Faults are lifted, the state machines' executions and the mapping stopped, the functions' processes
        ended once no lease is left, or after a while. Run, segments, leases, letters and comparisons leave
        the journal; marks and shards stay, because the stream goes on and control keeps its place in it. The
        destination is emptied.
        """
        self.set_rules([])
        for kind in FUNCTIONS:
            self.let_run(kind, allowed=True)
        self._delete_items(self.journal, [{"pk": {"S": "run"}, "sk": {"S": "state"}}])
        for machine in MACHINES:
            self.stop_executions(machine)
        functions = self.client("lambda")
        functions.update_event_source_mapping(
            UUID=self.copy.outputs["event_source_mapping_uuid"], Enabled=False
        )
        give_up = time.monotonic() + _LEASE_PATIENCE_SECONDS
        while self.journal_items("lease") and time.monotonic() < give_up:
            time.sleep(0.1)
        # A run begins with new processes, which have to assume the destination's role.
        for kind in FUNCTIONS:
            kill_function(self.copy.aws, self.function_name(kind))
        self.forget(*LEFT_BY_A_RUN)
        self.empty_destination()

    def empty_destination(self) -> None:
        keys = [key_of(item) for item in self.destination_items()]
        self._delete_items(DESTINATION_NAME, keys, self.destination)

    def _delete_items(self, table: str, keys: list[Item], client: Any = None) -> None:
        for start in range(0, len(keys), 25):
            requests = [{"DeleteRequest": {"Key": key}} for key in keys[start : start + 25]]
            (client or self.source).batch_write_item(RequestItems={table: requests})


def _items(client: Any, table: str) -> list[Item]:
    pages = client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return [item for page in pages for item in page["Items"]]


def all_copied(status: Status) -> bool:
    """Whether the backfill is done."""
    return bool(status.get("segments")) and status["segments_done"] == status["segments"]


def is_ready(status: Status) -> bool:
    """Whether the run is ready for cutover."""
    return bool(status["phase"] == "ready")


def is_stopped(status: Status) -> bool:
    """Whether the run has stopped."""
    return bool(status["phase"] == "stopped")


_OPEN: dict[str, tuple[ExitStack, Stand]] = {}


def stand_of(lane: str, directory: Callable[[], Path], seed: int) -> Stand:
    """The lane's stand; this process's environment leads to it until `close_stand`."""
    if lane not in _OPEN:
        stack = ExitStack()
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        _OPEN[lane] = stack, stack.enter_context(stand(directory(), seed, patch.setenv))
    return _OPEN[lane][1]


def close_stand(lane: str) -> None:
    """End the lane's stand if it has one."""
    if lane in _OPEN:
        stack, _ = _OPEN.pop(lane)
        stack.close()


@contextmanager
def stand(directory: Path, seed: int, environment: Callable[[str, str], None]) -> Iterator[Stand]:
    """Start two accounts, apply the copy, and lead its functions through a proxy.

    ``environment`` sets a variable of this process for as long as the stand is used.
    """
    with LocalAws(directory / "accounts") as aws:
        for name, value in aws.environment().items():
            environment(name, value)
        region = aws.regions[SOURCE_ACCOUNT]
        source = aws.session(SOURCE_ACCOUNT).client("dynamodb")
        source.create_table(**TABLE)
        fill(source, cities(ITEMS), lambda done: None)
        source.update_table(TableName=TABLE_NAME, StreamSpecification=STREAM)
        variables: dict[str, Any] = {
            "source_table": {"name": TABLE_NAME, "region": region, "profile": "source"},
            "destination_table": {"name": DESTINATION_NAME, "profile": "destination"},
            "destination_definition": {"deletion_protection": False},
            "backfill": {
                "segments": SEGMENTS,
                "concurrency": SEGMENTS,
                "slice_seconds": SLICE_SECONDS,
                "timeout_seconds": 30,
            },
            "replicator": {"timeout_seconds": 30, "batch_size": BATCH_SIZE},
            "control": {"drained_after_seconds": DRAINED_AFTER_SECONDS},
            "verification": {"enabled": True, "segments": SEGMENTS, "concurrency": SEGMENTS},
            "start_on_apply": False,
        }
        terraform = root_module(aws, directory / "root", variables)
        terraform.init()
        applied: list[Call] = []
        with Proxy(aws.endpoint_url, "", DESTINATION_ACCOUNT, seed) as proxy:
            proxy.listeners.append(applied.append)
            terraform.environment["AWS_ENDPOINT_URL"] = proxy.endpoint_url("terraform")
            terraform.apply()
        terraform.environment["AWS_ENDPOINT_URL"] = aws.endpoint_url
        outputs = terraform.output()
        function = ControlFunction(
            Side("source", region=region, profile="source"), outputs["control_function_name"]
        )
        copy = Copy(aws, terraform, outputs, function)
        print(f"seed of the faults and the writer: {seed} (FAULTS_SEED={seed} repeats it)")
        with Proxy(aws.endpoint_url, outputs["journal_table_name"], DESTINATION_ACCOUNT, seed) as proxy:
            made = Stand(copy, proxy, seed, applied)
            for kind in FUNCTIONS:
                made.configure(kind, AWS_ENDPOINT_URL=proxy.endpoint_url(kind))
            yield made
