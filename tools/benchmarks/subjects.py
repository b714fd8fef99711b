"""What is measured: this project's functions and command, and what people use today.

    python -m tools.benchmarks.subjects NAME '{"items": 1000}'

runs one of them. Each imports what it needs itself, so that none has the memory or the start of another.
"""

from __future__ import annotations

import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

WARM_BATCH = 0
WARM_RECORDS = 25

_HOUR = 3600.0

# The longest that Lambda lets a function run.
_TIMEOUT_SECONDS = 900

_BATCH_REQUESTS = 25

_CHUNK_BYTES = 1024 * 1024

# Longer than the last line that verify prints.
_TAIL_BYTES = 64 * 1024


class FakeContext:
    """Lambda's context of an invocation that begins now."""

    def __init__(self, request_id: str) -> None:
        self.aws_request_id = request_id
        self._ends = time.monotonic() + _TIMEOUT_SECONDS

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda would end the function."""
        return int((self._ends - time.monotonic()) * 1000)


def start_run(task: dict[str, Any]) -> None:
    """Put a run into the journal, as control does, for the functions to find. This is not measured."""
    from tablecopy.dynamodb.client import DynamoDBClient
    from tablecopy.dynamodb.sessions import own_session
    from tablecopy.journal.run import Phase, Run, RunRecord
    from tablecopy.journal.store import Store
    from tools.benchmarks.items import KEY_NAMES, STREAM_ARN
    from tools.benchmarks.service import JOURNAL

    now = time.time()
    RunRecord(Store(DynamoDBClient(own_session()), JOURNAL)).create(
        Run(
            run_id="benchmark",
            stream_arn=STREAM_ARN,
            total_segments=1,
            started=now,
            phase=Phase(task["phase"]),
            phase_since=now,
            key_names=KEY_NAMES,
            slice=1,
            slice_ends=now + _HOUR,
            scan_began=now,
        )
    )


def start_verification(task: dict[str, Any]) -> None:
    """Put a verification into the journal, as control does, and begin it. This is not measured."""
    from tablecopy.clock import Machine
    from tablecopy.dynamodb.client import DynamoDBClient
    from tablecopy.dynamodb.sessions import own_session
    from tablecopy.handlers.verifier import handle
    from tablecopy.journal.store import Store
    from tablecopy.journal.verifications import Verification, Verifications
    from tools.benchmarks.service import JOURNAL

    segments = int(task["segments"])
    requested = Verification(
        verification_id="benchmark",
        total_segments=segments,
        workers=segments,
        began=time.time(),
        writes_stopped=True,
    )
    Verifications(Store(DynamoDBClient(own_session()), JOURNAL), Machine()).save(requested, is_new=True)
    if handle({"verification": "benchmark"}, FakeContext("verifier"))["next"] != "scan":
        raise SystemExit("the verification did not begin")


def tablecopy_verifier(task: dict[str, Any]) -> None:
    """Measure this project's verifier, invoked as the state machine invokes it, at segments in turn."""
    from tablecopy.handlers.verifier import handle
    from tools.benchmarks.meter import measure

    def compare() -> int:
        for segment in task["segments"]:
            answer = "continue"
            while answer == "continue":
                event = {"verification": "benchmark", "segment": segment}
                answer = handle(event, FakeContext("verifier"))["next"]
            if answer != "done":
                raise SystemExit(f"the verifier answered {answer!r} and did not compare the segment")
        # The server counts what was read.
        return int(task["items"])

    measure([compare])


def bare(task: dict[str, Any]) -> None:
    """Measure an interpreter that has imported boto3 and does nothing."""
    import boto3  # noqa: F401

    from tools.benchmarks.meter import measure

    measure([lambda: 1])


def tablecopy_backfill(task: dict[str, Any]) -> None:
    """Measure this project's backfill function, invoked as the state machine invokes it."""
    from tablecopy.handlers.backfill import handle
    from tools.benchmarks.meter import measure

    def copy() -> int:
        answer = "continue"
        while answer == "continue":
            answer = handle({"run": "benchmark", "slice": 1, "segment": 0}, FakeContext("backfill"))["next"]
        if answer != "done":
            raise SystemExit(f"the backfill answered {answer!r} and did not copy the segment")
        # The server counts what has arrived.
        return int(task["items"])

    measure([copy])


def client_copy(task: dict[str, Any]) -> None:
    """Measure the usual faster copy: `boto3.client`, scan by scan, BatchWriteItem by 25."""
    import boto3

    from tools.benchmarks.meter import measure

    client = boto3.client("dynamodb")
    measure([lambda: copy_with_client(client)])


def copy_with_client(client: Any) -> int:
    """Copy the source table; returns the number of items."""
    from tools.benchmarks.service import DESTINATION, SOURCE

    def write(items: list[Any]) -> None:
        requests = {DESTINATION: [{"PutRequest": {"Item": item}} for item in items]}
        attempt = 0
        while requests:
            requests = client.batch_write_item(RequestItems=requests)["UnprocessedItems"]
            if requests:
                time.sleep(0.05 * 2**attempt)
                attempt += 1

    copied = 0
    request = {"TableName": SOURCE, "ConsistentRead": True, "Segment": 0, "TotalSegments": 1}
    while True:
        page = client.scan(**request)
        items = page["Items"]
        for start in range(0, len(items), _BATCH_REQUESTS):
            write(items[start : start + _BATCH_REQUESTS])
        copied += len(items)
        if "LastEvaluatedKey" not in page:
            return copied
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def resource_copy(task: dict[str, Any]) -> None:
    """Measure the usual copy: `boto3.resource`, scan by scan, through a batch_writer."""
    import boto3

    from tools.benchmarks.meter import measure
    from tools.benchmarks.service import DESTINATION, SOURCE

    resource = boto3.resource("dynamodb")

    def copy() -> int:
        copied = 0
        with resource.Table(DESTINATION).batch_writer() as batch:
            for item in _scanned(resource, SOURCE):
                batch.put_item(Item=item)
                copied += 1
        return copied

    measure([copy])


def article_copy(task: dict[str, Any]) -> None:
    """Measure the copy of an often followed article: one scan, each item put alone, its values as strings."""
    import boto3

    from tools.benchmarks.meter import measure
    from tools.benchmarks.service import DESTINATION, SOURCE

    resource = boto3.resource("dynamodb")
    destination = resource.Table(DESTINATION)

    def copy() -> int:
        copied = 0
        for item in _scanned(resource, SOURCE, consistent=False):
            destination.put_item(Item={name: str(value) for name, value in item.items()})
            copied += 1
        return copied

    measure([copy])


def tablecopy_replicator(task: dict[str, Any]) -> None:
    """Measure this project's replicator function, which must apply all of each batch."""
    from tablecopy.handlers.replicator import handle

    def handle_all(event: dict[str, Any], context: FakeContext) -> None:
        answer = handle(event, context)
        if answer != {"batchItemFailures": []}:
            raise SystemExit(f"the replicator answered {answer} and did not apply the batch")

    _measure_batches(task, handle_all)


def article_replicator(task: dict[str, Any]) -> None:
    """Measure the handler of an often followed article: a put for each record, its values as strings.

    Like the article's, it leaves out removals.
    """
    import boto3

    from tools.benchmarks.service import DESTINATION

    table = boto3.resource("dynamodb").Table(DESTINATION)

    def handle(event: dict[str, Any], context: FakeContext) -> None:
        for record in event["Records"]:
            if record["eventName"] in ("INSERT", "MODIFY"):
                image = record["dynamodb"]["NewImage"]
                table.put_item(Item={name: str(next(iter(value.values()))) for name, value in image.items()})

    _measure_batches(task, handle)


def _measure_batches(task: dict[str, Any], handle: Callable[[dict[str, Any], FakeContext], None]) -> None:
    """Measure ``handle`` after a small batch has made it warm, as Lambda keeps it between batches."""
    import os
    from contextlib import redirect_stdout
    from dataclasses import replace
    from functools import partial

    from tools.benchmarks.items import Batches
    from tools.benchmarks.meter import measure

    batches = Batches(**task["of"])
    # What a handler logs must not come before ``ready``.
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
        handle(replace(batches, records=WARM_RECORDS, hot=0).event(WARM_BATCH), FakeContext("warm"))

    def invoke(event: dict[str, Any], context: FakeContext) -> int:
        handle(event, context)
        return len(event["Records"])

    def invocations() -> Iterator[Callable[[], int]]:
        # One at a time, as Lambda passes them: more would count as the handler's memory.
        for number in range(1, task["batches"] + 1):
            yield partial(invoke, batches.event(number), FakeContext(f"batch-{number}"))

    measure(invocations())


def cold_start(task: dict[str, Any]) -> None:
    """Measure a function's start: its imports, and the time until its first invocation has ended."""
    import json

    print("ready", flush=True)
    sys.stdin.readline()
    standard_output, sys.stdout = sys.stdout, sys.stderr
    before = set(sys.modules)
    cpu, began = time.process_time(), time.perf_counter()
    __import__(task["module"])
    imported = time.perf_counter()
    if task["event"] is not None:
        sys.modules[task["module"]].handle(task["event"], FakeContext("cold"))
    ended = time.perf_counter()
    cpu = time.process_time() - cpu
    modules = sorted(set(sys.modules) - before)

    from tools.benchmarks.meter import peak_rss_mb

    result = {
        "items": 1,
        "cpu_s": cpu,
        "wall_s": ended - began,
        "peak_rss_mb": peak_rss_mb(),
        "import_s": imported - began,
        "modules": modules,
    }
    print(json.dumps(result), file=standard_output)


def verify_command(task: dict[str, Any]) -> None:
    """Measure this project's comparison as users call it: the command with all its processes, start to end.

    The printed line is that of `meter.measure`, with CPU and memory of all processes of the command, and with
    ``{"exit_code", "lines", "summary"}``: the number of lines that the command printed, and the last of them.
    """
    import json

    print("ready", flush=True)
    sys.stdin.readline()
    result = _run_command(task["command"])
    if not result["summary"]:
        raise SystemExit(result["exit_code"] or "the command printed nothing")
    print(json.dumps({**result, "items": task["items"]}))


def _run_command(command: Sequence[str]) -> dict[str, Any]:
    """Run ``command``, which prints JSON Lines, with a directory for its work as its last argument.

    A list of millions of differences is read as it comes, and not kept.
    """
    import json
    import subprocess
    import tempfile

    from tools.benchmarks.meter import adopt_orphans, reap, reaped_cpu_seconds, watching

    adopt_orphans()
    lines, tail = 0, b""
    with tempfile.TemporaryDirectory() as directory, watching() as peak:
        before, cpu_before = time.perf_counter(), reaped_cpu_seconds()
        with subprocess.Popen([*command, directory], stdout=subprocess.PIPE, bufsize=0) as process:
            assert process.stdout is not None
            while chunk := process.stdout.read(_CHUNK_BYTES):
                lines += chunk.count(b"\n")
                tail = (tail + chunk)[-_TAIL_BYTES:]
        wall = time.perf_counter() - before
        reap()
        cpu = reaped_cpu_seconds() - cpu_before
    last = tail.strip().rsplit(b"\n", 1)[-1]
    return {
        "cpu_s": cpu,
        "wall_s": wall,
        "peak_rss_mb": peak.mb,
        "exit_code": process.returncode,
        "lines": lines,
        "summary": json.loads(last) if last else {},
    }


def resource_scan(task: dict[str, Any]) -> None:
    """Measure the usual way to read one table, without any comparison: `boto3.resource`, scan by scan."""
    import boto3

    from tools.benchmarks.meter import measure
    from tools.benchmarks.service import SOURCE

    resource = boto3.resource("dynamodb")
    measure([lambda: sum(1 for _ in _scanned(resource, SOURCE))])


def deepdiff(task: dict[str, Any]) -> None:
    """Measure the simplest comparison: both tables in memory by key, DeepDiff of each pair of items."""
    import boto3
    from deepdiff import DeepDiff

    from tools.benchmarks.items import KEY_NAMES
    from tools.benchmarks.meter import measure
    from tools.benchmarks.service import DESTINATION, SOURCE

    resource = boto3.resource("dynamodb")

    def compare() -> int:
        source, destination = (
            {tuple(item[name] for name in KEY_NAMES): item for item in _scanned(resource, table)}
            for table in (SOURCE, DESTINATION)
        )
        for key in source.keys() | destination.keys():
            if DeepDiff(source.get(key), destination.get(key)):
                raise SystemExit(f"the tables differ at {key}")
        return len(source) + len(destination)

    measure([compare])


def _scanned(resource: Any, name: str, *, consistent: bool = True) -> Iterator[dict[str, Any]]:
    table = resource.Table(name)
    request: dict[str, Any] = {"ConsistentRead": consistent}
    while True:
        page = table.scan(**request)
        yield from page["Items"]
        if "LastEvaluatedKey" not in page:
            return
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


_SUBJECTS = (
    start_run,
    start_verification,
    bare,
    tablecopy_backfill,
    tablecopy_verifier,
    client_copy,
    resource_copy,
    article_copy,
    tablecopy_replicator,
    article_replicator,
    cold_start,
    verify_command,
    resource_scan,
    deepdiff,
)

if __name__ == "__main__":
    import json

    {subject.__name__: subject for subject in _SUBJECTS}[sys.argv[1]](json.loads(sys.argv[2]))
