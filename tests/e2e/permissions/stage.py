"""The journal set as a step needs it, and the functions invoked as AWS or an operator would."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import boto3
import botocore.session

from tablecopy.clock import Clock, Machine
from tablecopy.comparison.items import Side
from tablecopy.dynamodb.client import DynamoDBClient
from tablecopy.dynamodb.requests import key_token
from tablecopy.journal.dead_letters import DeadLetter, DeadLetters, Origin, name
from tablecopy.journal.leases import REPLICATOR, Leases, Turn
from tablecopy.journal.run import Phase, Run, RunRecord
from tablecopy.journal.store import Store
from tablecopy.journal.touched import (
    PARTITIONS,
    Note,
    TouchedKeys,
    Tracking,
    TrackingRecord,
)
from tablecopy.journal.verifications import State, Verification, Verifications
from tests.e2e.faults.faults import RefuseKey
from tests.e2e.faults.rules import Rule
from tests.e2e.faults.stand import DESTINATION_NAME, LEFT_BY_A_RUN, Stand
from tests.e2e.processes import environment_of, kill_function
from tools.local.accounts import SECRET, SOURCE_ACCOUNT
from tools.local.demo.cities import TABLE_NAME, Item, key_of

Json = dict[str, Any]

# The answer of ministack when an invocation was given to a process that `kill_function` has just ended.
_DIED = "Worker process died"

# The source in so many parts, one of which is copied.
_SEGMENTS = 10
_SLICE_SECONDS = 120.0
_PATIENCE_SECONDS = 20.0


@dataclass
class Stage:
    """A stand whose schedule is off: nothing moves but what a step moves."""

    stand: Stand

    def __post_init__(self) -> None:
        session = botocore.session.Session()
        session.set_credentials(SOURCE_ACCOUNT, SECRET)
        region = self.stand.copy.aws.regions[SOURCE_ACCOUNT]
        self._store = Store(DynamoDBClient(session, region), self.stand.journal)
        self.clock = Machine()

    @cached_property
    def segment(self) -> int:
        """The smallest part of the source that holds any items."""
        counts = {}
        for segment in range(_SEGMENTS):
            page = self.stand.source.scan(
                TableName=TABLE_NAME, Segment=segment, TotalSegments=_SEGMENTS, Select="COUNT"
            )
            counts[segment] = page["Count"]
        return min((segment for segment, count in counts.items() if count), key=counts.__getitem__)

    @property
    def outputs(self) -> Json:
        outputs: Json = self.stand.copy.outputs
        return outputs

    @property
    def stream_arn(self) -> str:
        arn: str = self.stand.source.describe_table(TableName=TABLE_NAME)["Table"]["LatestStreamArn"]
        return arn

    def invoke(self, kind: str, event: Json) -> tuple[Json, str]:
        """A function's answer, and the message of its error; empty when it ended well."""
        answer, error, _ = self.invoke_and_log(kind, event)
        return answer, error

    def invoke_and_log(self, kind: str, event: Json, attempts: int = 3) -> tuple[Json, str, str]:
        """The same, and the end of the function's log. An invocation that tells nothing is repeated."""
        response = self.stand.client("lambda").invoke(
            FunctionName=self.stand.function_name(kind), Payload=json.dumps(event), LogType="Tail"
        )
        answer = json.loads(response["Payload"].read())
        log = base64.b64decode(response.get("LogResult", "")).decode()
        if "FunctionError" not in response:
            return answer, "", log
        message = str(answer["errorMessage"])
        if message == _DIED and attempts > 1:
            return self.invoke_and_log(kind, event, attempts - 1)
        assert message in log, f"the log of {kind} does not tell the error: {message}: {log!r}"
        return {}, message, log

    def session(self, kind: str) -> boto3.Session:
        """A session of a function's role, with the credentials that the function's own process has."""
        environment = environment_of(self.stand.copy.aws, self.stand.function_name(kind))
        assert environment, f"{kind} has not been invoked"
        return boto3.Session(
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=environment["AWS_SESSION_TOKEN"],
            region_name=self.stand.copy.aws.regions[SOURCE_ACCOUNT],
        )

    def client(self, session: boto3.Session, service: str) -> Any:
        """A client that acts for the session."""
        return session.client(service, endpoint_url=self.stand.copy.aws.endpoint_url)  # type: ignore[call-overload]

    def renew_environment(self, kind: str) -> None:
        """The next invocation assumes the destination's role again, and knows nothing of AWS's state."""
        kill_function(self.stand.copy.aws, self.stand.function_name(kind))

    @contextmanager
    def run(self, phase: Phase, segments: int = _SEGMENTS) -> Iterator[Run]:
        """A run in this phase, in its first slice, while the block runs. Nothing is left of it."""
        self.clear()
        now = self.clock.now()
        run = Run(
            run_id=f"permissions-{int(now * 1000)}",
            stream_arn=self.stream_arn,
            total_segments=segments,
            started=now,
            phase=phase,
            phase_since=now,
            key_names=tuple(key_of(self.item)),
            slice=1,
            slice_began=now,
            slice_ends=now + _SLICE_SECONDS,
            scan_began=now,
            redrive_slice=1,
        )
        assert RunRecord(self._store).create(run)
        try:
            yield run
        finally:
            self.clear()
            self.stand.empty_destination()

    @contextmanager
    def verification(self, segments: int = _SEGMENTS) -> Iterator[str]:
        """Id of a verification that was just requested, while the block runs. Nothing is left of it."""
        self.clear()
        now = self.clock.now()
        requested = Verification(f"permissions-{int(now * 1000)}", segments, workers=1, began=now)
        assert Verifications(self._store, self.clock).save(requested, is_new=True)
        try:
            yield requested.verification_id
        finally:
            self.clear()

    @contextmanager
    def tracking(self) -> Iterator[TouchedKeys]:
        """Keys that are tracked while the block runs: one, which neither table has. Nothing is left of it."""
        with self.run(Phase.READY) as run:
            now = self.clock.now()
            done = Verification(
                run.run_id, 1, workers=1, began=now, state=State.DONE, key_names=run.key_names
            )
            assert Verifications(self._store, self.clock).save(done, is_new=True)
            tracking = Tracking(run.run_id, run.run_id, now, source_since=now)
            assert TrackingRecord(self._store).save(tracking, is_new=True)
            keys = TouchedKeys(self._store, self.clock, run.run_id)
            nowhere = {name: {kind: "-1"} for name, value in key_of(self.item).items() for kind in value}
            note = Note("1", json.dumps(nowhere).encode(), now - 60)
            keys.note(Side.DESTINATION, "shard", [note])
            yield keys

    @property
    def partitions(self) -> list[tuple[Side, int]]:
        """The partitions of written keys."""
        return [(side, partition) for side in Side for partition in range(PARTITIONS)]

    def end_tracking(self) -> None:
        """Switch the tracking off, so that the tracker ends."""
        record = TrackingRecord(self._store)
        while (tracking := record.read()) is not None and tracking.is_active:
            record.save(tracking.off(self.clock.now()))

    @contextmanager
    def held_in_pausing(self) -> Iterator[None]:
        """A replicator seems to be at work, so that a run gets no further than pausing."""
        leases = Leases(self._store, self.clock)
        with leases.hold(REPLICATOR, "0", "nobody", self.clock.now() + _SLICE_SECONDS):
            yield

    def take_turn(self) -> None:
        """Keep the reconciler, which a command invokes, from moving the run; ``clear`` ends that."""
        assert Turn(self._store, self.clock, "nobody").take()

    def end_run(self) -> None:
        """Take the run away, upon which the reconciler has nothing more to do."""
        self.stand.forget("run")

    def clear(self) -> None:
        """Leave nothing of a run in the journal; where the stream was read to, it is looked up again."""
        self.end_run()
        self.stand.forget(*LEFT_BY_A_RUN)
        for shard in self.stand.journal_items("shard"):
            self.stand.source.update_item(
                TableName=self.stand.journal,
                Key={"pk": shard["pk"], "sk": shard["sk"]},
                UpdateExpression="SET #iterator = :none",
                ExpressionAttributeNames={"#iterator": "iterator"},
                ExpressionAttributeValues={":none": {"S": ""}},
            )

    def forget(self, partition: str, sort_key: str) -> None:
        self.stand.source.delete_item(
            TableName=self.stand.journal, Key={"pk": {"S": partition}, "sk": {"S": sort_key}}
        )

    @property
    def item(self) -> Item:
        """An item of the source."""
        found: Item = self.stand.source.scan(TableName=TABLE_NAME, Limit=1)["Items"][0]
        return found

    @property
    def item_of_segment(self) -> Item:
        """An item of the smallest part of the source."""
        page = self.stand.source.scan(TableName=TABLE_NAME, Segment=self.segment, TotalSegments=_SEGMENTS)
        found: Item = page["Items"][0]
        return found

    @contextmanager
    def refusing(self, item: Item) -> Iterator[None]:
        """The destination refuses this item while the block runs."""
        key = key_of(item)
        self.stand.set_rules([Rule("refused", RefuseKey(key), step="write")])
        try:
            yield
        finally:
            self.stand.set_rules([])

    def put_letter(self, item: Item) -> str:
        """A dead letter for this item, refused before any run; what it is called in the journal."""
        token = key_token(key_of(item))
        letters = DeadLetters(self._store, _Yesterday())
        letters.put(DeadLetter(token, key_of(item), Origin.BACKFILL, "put", "ValidationException", "refused"))
        return name(token)

    def reconcile(self, is_reached: Callable[[], bool]) -> str:
        """Have the reconciler look until ``is_reached``; the message of its error."""
        errors: list[str] = []
        looking = threading.Thread(
            target=lambda: errors.append(self.invoke("reconciler", {})[1]), daemon=True
        )
        looking.start()
        self.wait_until("the reconciler's move", lambda: not looking.is_alive() or is_reached())
        # It may have ended before its move was looked at.
        is_reached()
        self.end_run()
        looking.join()
        return errors[0]

    def switch_mapping(self, *, on: bool) -> None:
        self.stand.client("lambda").update_event_source_mapping(
            UUID=self.outputs["event_source_mapping_uuid"], Enabled=on
        )

    def copied(self, item: Item) -> Item | None:
        answer = self.stand.destination.get_item(
            TableName=DESTINATION_NAME, Key=key_of(item), ConsistentRead=True
        )
        found: Item | None = answer.get("Item")
        return found

    def wait_until(self, what: str, is_reached: Callable[[], bool]) -> None:
        self.stand.wait_until(what, is_reached, seconds=_PATIENCE_SECONDS)


class _Yesterday(Clock):
    def now(self) -> float:
        return time.time() - 86_400


@contextmanager
def stage_on(stand: Stand) -> Iterator[Stage]:
    """The stand with its schedules switched off, and as it was afterwards."""
    scheduler = stand.client("scheduler")
    wanted = ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target", "Description")
    schedules = [
        scheduler.get_schedule(Name=listed["Name"]) for listed in scheduler.list_schedules()["Schedules"]
    ]
    settings = [{key: schedule[key] for key in wanted} for schedule in schedules]
    for each in settings:
        scheduler.update_schedule(**each, State="DISABLED")
    stage = Stage(stand)
    try:
        yield stage
    finally:
        stage.switch_mapping(on=False)
        stage.clear()
        stand.empty_destination()
        for each, schedule in zip(settings, schedules, strict=True):
            scheduler.update_schedule(**each, State=schedule["State"])
