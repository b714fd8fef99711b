"""What the replicator costs the journal: write units by partition key, over many batches.

The replicator's own handler applies batches of many shards in the simulated AWS, and every write to the
journal is counted by its partition key. The rate of a key at any number of batches a second follows from its
share, since all keys but those of single batches are chosen by a hash.
"""

from __future__ import annotations

import io
import math
from collections import Counter
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any

from tablecopy.dynamodb.requests import key_token
from tablecopy.journal.dead_letters import DeadLetter, DeadLetters, Origin
from tablecopy.journal.run import Phase, Run, RunRecord
from tablecopy.journal.store import Store
from tools.simulation import names
from tools.simulation.deployment import Deployment, Settings
from tools.simulation.machine import SimMachine
from tools.simulation.network import Caller, SimDynamoDB
from tools.simulation.scheduler import Host, World

_UNIT_BYTES = 1024


@dataclass(frozen=True)
class JournalLoad:
    """The journal's load by the replicator.

    Attributes
    ----------
    units_per_batch
        Write units of a batch.
    units_per_million_changes
        Write units of a million changes.
    busiest_key_units_per_s
        Write units a second of the busiest partition key, at the given number of changes a second.
    reads_per_batch
        Calls of a batch that read from the journal.
    """

    units_per_batch: float
    units_per_million_changes: float
    busiest_key_units_per_s: float
    reads_per_batch: float


def measure(
    batches: int, records: int, changes_per_second: float, letters: int = 0, seed: int = 1
) -> JournalLoad:
    """Apply ``batches`` batches of ``records`` changes each, with ``letters`` open dead letters."""
    world = World(seed)
    deployment = Deployment(world, Settings(), concurrency=1_000)
    host = Host("bench")
    machine = SimMachine(world, host)
    caller = Caller("bench", names.SOURCE_ACCOUNT)
    store = Store(
        SimDynamoDB(machine, deployment.network, deployment.source_account, caller), names.JOURNAL_TABLE
    )
    units: Counter[str] = Counter()
    reads = 0

    def begin() -> None:
        run = Run(
            "run",
            names.STREAM_ARN,
            1,
            machine.now(),
            Phase.DRAINING,
            machine.now(),
            key_names=("pk",),
        )
        assert RunRecord(store).create(run)
        open_letters = DeadLetters(store, machine)
        for number in range(letters):
            key = {"pk": {"S": f"rejected-{number}"}}
            open_letters.put(DeadLetter(key_token(key), key, Origin.STREAM, "put", "ValidationException", ""))

    def count(key: Any, old: bytes | None, new: bytes | None) -> None:
        units[key[0]] += math.ceil(max(len(old or b""), len(new or b"")) / _UNIT_BYTES)

    def apply() -> None:
        for number in range(batches):
            answer = deployment.lambda_.invoke(names.REPLICATOR, _event(world.now, number, records))
            assert answer is not None
            assert not answer.error, answer.message

    with redirect_stdout(io.StringIO()):
        started = world.spawn(host, begin)
        world.run(world.now + 600, lambda: started.done.is_set)
        deployment.journal.on_write(count)
        calls = deployment.source_account.calls
        before = calls.copy()
        applied = world.spawn(host, apply)
        world.run(world.now + 10.0 * batches, lambda: applied.done.is_set)
        if applied.error is not None:
            raise applied.error
        reads = sum(calls.get(each, 0) - before.get(each, 0) for each in ("GetItem", "BatchGetItem", "Query"))
        world.end()
    of_keys = {key: value for key, value in units.items() if not key.startswith("batch#")}
    total = sum(units.values())
    per_second = changes_per_second / records
    return JournalLoad(
        units_per_batch=total / batches,
        units_per_million_changes=total / (batches * records) * 1e6,
        busiest_key_units_per_s=max(of_keys.values(), default=0) / batches * per_second,
        reads_per_batch=reads / batches,
    )


def _event(now: float, number: int, records: int) -> dict[str, Any]:
    return {
        "Records": [
            {
                "eventID": f"{number:016x}{index:016x}",
                "eventName": "MODIFY",
                "eventSource": "aws:dynamodb",
                "eventSourceARN": names.STREAM_ARN,
                "awsRegion": names.REGION,
                "dynamodb": {
                    "ApproximateCreationDateTime": int(now),
                    "Keys": {"pk": {"S": f"k{number}-{index}"}},
                    "NewImage": {"pk": {"S": f"k{number}-{index}"}, "note": {"S": "x" * 100}},
                    "SequenceNumber": f"{number:09d}{index * 7:015d}",
                    "SizeBytes": 150,
                    "StreamViewType": "NEW_IMAGE",
                },
            }
            for index in range(records)
        ]
    }
