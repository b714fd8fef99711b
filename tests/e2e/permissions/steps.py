"""What each statement is for: the step of a copy that needs it.

A step does a small piece of what a copy does and returns what is seen of it from outside when it fails: a
problem that ``tablecopy status`` shows, or the error of a function, which is in its log. It returns an empty
text when all went well, and leaves everything as it was.

`NEEDS` has an entry for each statement of each role on the stand, by kind of role and sid. A new statement
needs a line there; a step that is there already is often the one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from tablecopy.clock import Clock
from tablecopy.journal.applied_batches import batch_name
from tablecopy.journal.run import Phase
from tests.e2e.permissions.roles import Role, target_of
from tests.e2e.permissions.stage import Stage
from tests.e2e.permissions.tracking import rechecks, rechecks_anew
from tests.e2e.permissions.verification import MACHINE, comparison, comparison_anew, request
from tools.local.demo.cities import key_of
from tools.local.mapping.function import STREAM_ACTIONS, Permissions

Step = Callable[[Stage, Role], str]

_SEQUENCE_NUMBER = "100000000000000000001"
_EVENT_ID = "1"


@dataclass(frozen=True)
class Need:
    """A statement's reason.

    Attributes
    ----------
    step
        What fails without it.
    unenforced
        Why the local AWS would do the step without the statement, so that it is evaluated instead: what the
        service does by its documentation is held against the policy. Empty where the step is really done.
    """

    step: Step
    unenforced: str = ""


def first_start(stage: Stage, role: Role) -> str:
    """``tablecopy start`` writes a run to the journal and calls the reconciler."""
    stage.clear()
    stage.take_turn()
    try:
        _, error, log = stage.invoke_and_log("control", {"action": "start"})
        return error or "; ".join(line for line in log.splitlines() if "nudge_failed" in line)
    finally:
        stage.clear()


def starts(stage: Stage, role: Role) -> str:
    """The same, and ``tablecopy start`` confirms a run that an apply has begun."""
    if error := first_start(stage, role):
        return error
    with stage.run(Phase.PREFLIGHT):
        stage.take_turn()
        _, error = stage.invoke("control", {"action": "start"})
        return error


def starts_and_compares(stage: Stage, role: Role) -> str:
    """All that control reads and writes in the journal."""
    return starts(stage, role) or request(stage, role)


def first_look(stage: Stage, role: Role) -> str:
    """The reconciler looks at a run that was just begun, and notes what preflight has found."""
    problems: list[str] = []

    def has_looked() -> bool:
        state = stage.stand.journal_item("run", "state")
        if state is None:
            return False
        problems[:] = [each["S"] for each in state["problems"]["L"]]
        return state["phase"]["S"] != Phase.PREFLIGHT or float(state["checked"]["N"]) > 0

    # What follows preflight is no part of this step.
    with stage.run(Phase.PREFLIGHT), stage.held_in_pausing():
        return stage.reconcile(has_looked) or "; ".join(problems)


def first_look_anew(stage: Stage, role: Role) -> str:
    """The same by a function that has not assumed the destination's role yet, nor read the stream."""
    stage.renew_environment("reconciler")
    return first_look(stage, role)


def slice_(stage: Stage, role: Role) -> str:
    """The reconciler starts a slice's execution and looks how it is doing."""
    states = stage.stand.client("stepfunctions")
    machine = stage.outputs["state_machine_arn"]
    # What the execution would do is no part of this step.
    stage.stand.let_run("backfill", allowed=False)
    started: list[str] = []

    def is_started() -> bool:
        listed = states.list_executions(stateMachineArn=machine, statusFilter="RUNNING")["executions"]
        started[:] = [execution["executionArn"] for execution in listed]
        return bool(started)

    try:
        with stage.run(Phase.SLICE, segments=1):
            return stage.reconcile(is_started)
    finally:
        for execution in started:
            states.stop_execution(executionArn=execution)
        stage.stand.let_run("backfill", allowed=True)


def slice_ends(stage: Stage, role: Role) -> str:
    """The reconciler sees that a slice's execution has ended."""
    stage.renew_environment("reconciler")
    states = stage.stand.client("stepfunctions")
    machine = stage.outputs["state_machine_arn"]
    stage.stand.let_run("backfill", allowed=False)

    def has_ended() -> bool:
        for execution in states.list_executions(stateMachineArn=machine, statusFilter="RUNNING")[
            "executions"
        ]:
            states.stop_execution(executionArn=execution["executionArn"])
        run = stage.stand.journal_item("run", "state")
        return run is not None and run["phase"]["S"] != Phase.SLICE

    try:
        with stage.run(Phase.SLICE, segments=1):
            return stage.reconcile(has_ended)
    finally:
        stage.stand.let_run("backfill", allowed=True)


def stop(stage: Stage, role: Role) -> str:
    """The reconciler switches the mapping off once a run has stopped."""
    # One that has seen the mapping disabled does not ask again for a minute.
    stage.renew_environment("reconciler")
    with stage.run(Phase.STOPPED):
        stage.switch_mapping(on=True)
        try:
            _, error = stage.invoke("reconciler", {})
            assert error or stage.stand.copy.mapping_state() == "Disabled"
            return error
        finally:
            stage.switch_mapping(on=False)


def failed_batches(stage: Stage, role: Role) -> str:
    """The reconciler counts what Lambda has given up, and says so."""
    assert not report(stage, role, left=True)
    try:
        with stage.run(Phase.READY):
            return stage.reconcile(
                lambda: "failure queue holds" in str(stage.stand.journal_item("run", "state"))
            )
    finally:
        stage.switch_mapping(on=False)
        _purge(stage)


def worker(stage: Stage, role: Role) -> str:
    """A worker of the backfill copies a segment."""
    with stage.run(Phase.SLICE) as run:
        answer, error = stage.invoke("backfill", {"run": run.run_id, "slice": 1, "segment": stage.segment})
        assert error or answer == {"next": "done"}, answer
        assert error or stage.stand.destination_items()
        return error


def worker_anew(stage: Stage, role: Role) -> str:
    """The same by a function that has not assumed the destination's role yet."""
    stage.renew_environment("backfill")
    return worker(stage, role)


def redrive(stage: Stage, role: Role) -> str:
    """A worker of the backfill tries a dead letter again."""
    with stage.run(Phase.SLICE) as run:
        letter = stage.put_letter(stage.item)
        answer, error = stage.invoke("backfill", {"run": run.run_id, "slice": 1, "segment": "letters"})
        assert error or answer == {"next": "done"}, answer
        assert error or stage.stand.journal_item("letter", letter) is None
        return error


def refused_worker(stage: Stage, role: Role) -> str:
    """A worker of the backfill keeps what the destination refuses."""
    with stage.run(Phase.SLICE) as run, stage.refusing(stage.item_of_segment):
        answer, error = stage.invoke("backfill", {"run": run.run_id, "slice": 1, "segment": stage.segment})
        assert error or answer == {"next": "done"}, answer
        assert error or stage.stand.journal_items("letter")
        return error


def worker_redrive_and_letters(stage: Stage, role: Role) -> str:
    """All that the backfill keeps in the journal."""
    return worker(stage, role) or redrive(stage, role) or refused_worker(stage, role)


def batch_and_letters(stage: Stage, role: Role) -> str:
    """All that the replicator keeps in the journal."""
    return batch(stage, role) or settling_batch(stage, role) or refused_batch(stage, role)


def settling_batch(stage: Stage, role: Role) -> str:
    """A change of a refused item is accepted."""
    with stage.run(Phase.DRAINING):
        letter = stage.put_letter(stage.item)
        error = _apply(stage)
        assert error or stage.stand.journal_item("letter", letter) is None
        return error


def refused_batch(stage: Stage, role: Role) -> str:
    """The destination refuses a change."""
    with stage.run(Phase.DRAINING), stage.refusing(stage.item):
        error = _apply(stage)
        assert error or stage.stand.journal_items("letter")
        return error


def batch(stage: Stage, role: Role) -> str:
    """The replicator applies a batch of one change."""
    with stage.run(Phase.DRAINING):
        error = _apply(stage)
        assert error or stage.copied(stage.item) == stage.item
        return error


def _apply(stage: Stage) -> str:
    """The message of the error with which a batch of one change ends."""
    item = stage.item
    record = {
        "eventID": _EVENT_ID,
        "eventName": "MODIFY",
        "eventSourceARN": stage.stream_arn,
        "dynamodb": {
            "ApproximateCreationDateTime": stage.clock.now(),
            "Keys": key_of(item),
            "NewImage": item,
            "SequenceNumber": _SEQUENCE_NUMBER,
        },
    }
    try:
        answer, error = stage.invoke("replicator", {"Records": [record]})
        assert error or answer == {"batchItemFailures": []}, answer
        return error
    finally:
        stage.forget(f"batch#{batch_name(_SEQUENCE_NUMBER, _EVENT_ID)}", "applied")


def batch_anew(stage: Stage, role: Role) -> str:
    """The same by a function that has not assumed the destination's role yet."""
    stage.renew_environment("replicator")
    return batch(stage, role)


def report(stage: Stage, role: Role, *, left: bool = False) -> str:
    """The mapping sends word of a batch it has given up, in the name of the replicator's role.

    Done here with the credentials of the replicator's process. The message is ``left`` there, or removed.
    """
    assert not batch(stage, role)
    sqs = stage.client(stage.session("replicator"), "sqs")
    try:
        sqs.send_message(QueueUrl=stage.outputs["failure_queue_url"], MessageBody="given up")
    except ClientError as error:
        return str(error)
    if not left:
        _purge(stage)
    return ""


def reading(stage: Stage, role: Role) -> str:
    """The mapping reads the stream, with the function's role: what it asks for before it does."""
    missing = Permissions(role.iam, Clock()).missing(role.arn, STREAM_ACTIONS, stage.stream_arn)
    return f"PROBLEM: Cannot access stream: {', '.join(missing)}" if missing else ""


def readers(stage: Stage, role: Role) -> str:
    """The reconciler invokes itself to read a part of the shards."""
    client = stage.stand.client("lambda")
    function = client.get_function_configuration(FunctionName=stage.stand.function_name(role.kind))
    return "; ".join(role.denied([("lambda:InvokeFunction", function["FunctionArn"])]))


def own_log(stage: Stage, role: Role) -> str:
    """Lambda opens a log stream in the function's name and writes to it."""
    name = stage.stand.function_name(role.kind)
    groups = stage.stand.client("logs").describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{name}")[
        "logGroups"
    ]
    [group] = [group for group in groups if group["logGroupName"] == f"/aws/lambda/{name}"]
    stream = f"{group['arn'].removesuffix(':*')}:log-stream:2026/01/01/[$LATEST]0123456789abcdef"
    return "; ".join(role.denied([("logs:CreateLogStream", stream), ("logs:PutLogEvents", stream)]))


def definition(stage: Stage, role: Role) -> str:
    """Step Functions runs the definition of the role's state machine."""
    states = stage.stand.client("stepfunctions")
    arn = stage.outputs[MACHINE if role.kind == "verification" else "state_machine_arn"]
    machine = states.describe_state_machine(stateMachineArn=arn)
    needs = list(needs_of(json.loads(machine["definition"]), machine["stateMachineArn"]))
    return "; ".join(role.denied(needs))


def schedule(stage: Stage, role: Role) -> str:
    """EventBridge Scheduler calls the target of the schedule."""
    target = target_of(stage.stand, role.kind)["Arn"]
    assert target.split(":")[2] == "lambda"
    return "; ".join(role.denied([("lambda:InvokeFunction", target)]))


def needs_of(document: dict[str, Any], machine_arn: str) -> Iterator[tuple[str, str]]:
    """Actions that running a state machine's definition takes, each with its resource.

    A task that invokes a function takes ``lambda:InvokeFunction`` on it. A distributed map starts executions
    of its own machine, describes and stops them (Step Functions developer guide, IAM policies for using
    Distributed Map states).
    """
    for state in document["States"].values():
        if state["Type"] == "Task":
            assert state["Resource"].endswith(":states:::lambda:invoke"), (
                f"what does {state['Resource']} need?"
            )
            yield "lambda:InvokeFunction", state["Parameters"]["FunctionName"]
        if state["Type"] == "Map":
            processor = state["ItemProcessor"]
            yield from needs_of(processor, machine_arn)
            if processor["ProcessorConfig"]["Mode"] == "DISTRIBUTED":
                execution = machine_arn.replace(":stateMachine:", ":execution:")
                yield "states:StartExecution", machine_arn
                # The map's own execution, and a child, which bears the map's label.
                for name in (f"{execution}:run-slice-1", f"{execution}/{state['Label']}:0123"):
                    yield "states:DescribeExecution", name
                    yield "states:StopExecution", name


def _purge(stage: Stage) -> None:
    stage.stand.client("sqs").purge_queue(QueueUrl=stage.outputs["failure_queue_url"])


_LOG = "Lambda writes the log; the local Lambda does not ask the function's role"
_READ = (
    "the mapping's poller asks IAM's simulator for these four actions, as Lambda does when a mapping is made"
)
_SHARDS = "the reconciler invokes itself above 1,000 shards; a local stream has one"
_MACHINE = "Step Functions acts with this role; the local one does not ask it"
_SCHEDULE = "EventBridge Scheduler acts with this role; the local one does not ask it"

UNSEEN = {
    ("verifier", "KeepProgressAndDifferences", "dynamodb:Query"): (
        "of an audit, which follows a seal and waits for minutes; test_used carries one out"
    ),
    ("reconciler", "KeepTheRun", "dynamodb:BatchGetItem"): (
        "a look without it fails, and the next one tries again; the function itself does not fail"
    ),
}
"""Actions without which no step fails, with the reason. The code calls them (tools/checks/actions.py)."""

NEEDS: dict[tuple[str, str], Need] = {
    ("reconciler", "KeepTheRun"): Need(first_look),
    ("reconciler", "CheckTheSource"): Need(first_look),
    ("reconciler", "SeeWhatIsUnapplied"): Need(first_look_anew),
    ("reconciler", "ReadManyShardsInParts"): Need(readers, _SHARDS),
    ("reconciler", "PauseAndResumeTheReplicator"): Need(stop),
    ("reconciler", "FindOtherReadersOfTheStream"): Need(first_look),
    ("reconciler", "SeeHowManyWorkersTheAccountAllows"): Need(first_look),
    ("reconciler", "StartASlice"): Need(slice_),
    ("reconciler", "FollowASlice"): Need(slice_ends),
    ("reconciler", "CountFailedBatches"): Need(failed_batches),
    ("reconciler", "LookThroughTheDestinationRole"): Need(first_look_anew),
    ("reconciler", "WriteOwnLog"): Need(own_log, _LOG),
    ("control", "AnswerFromTheJournal"): Need(starts_and_compares),
    ("control", "CallTheReconciler"): Need(first_start),
    ("control", "StartAVerification"): Need(request),
    ("control", "FollowAVerification"): Need(request),
    ("control", "WriteOwnLog"): Need(own_log, _LOG),
    ("backfill", "ScanTheSource"): Need(worker),
    ("backfill", "ReadDeadLettersAgain"): Need(redrive),
    ("backfill", "KeepLeasesCheckpointsAndLetters"): Need(worker_redrive_and_letters),
    ("backfill", "WriteThroughTheDestinationRole"): Need(worker_anew),
    ("backfill", "WriteOwnLog"): Need(own_log, _LOG),
    ("replicator", "ReadTheStream"): Need(reading, _READ),
    ("replicator", "FindTheStream"): Need(reading, _READ),
    ("replicator", "KeepLeasesMarksAndLetters"): Need(batch_and_letters),
    ("replicator", "WriteThroughTheDestinationRole"): Need(batch_anew),
    ("replicator", "ReportFailedBatches"): Need(report),
    ("replicator", "WriteOwnLog"): Need(own_log, _LOG),
    ("verifier", "ReadTheSource"): Need(comparison),
    ("verifier", "KeepProgressAndDifferences"): Need(comparison),
    ("verifier", "ReadThroughTheDestinationRole"): Need(comparison_anew),
    ("verifier", "WriteOwnLog"): Need(own_log, _LOG),
    ("tracker", "RecheckTheSource"): Need(rechecks),
    ("tracker", "KeepTouchedKeys"): Need(rechecks),
    ("tracker", "FollowThroughTheDestinationRole"): Need(rechecks_anew),
    ("tracker", "WriteOwnLog"): Need(own_log, _LOG),
    ("destination", "WriteItems"): Need(worker),
    ("destination", "CheckTheTable"): Need(first_look),
    ("destination", "SeeWhetherTheTableIsEmpty"): Need(first_look),
    ("reading", "ReadItems"): Need(comparison),
    ("reading", "FollowTheStream"): Need(rechecks_anew),
    ("state_machine", "InvokeTheWorker"): Need(definition, _MACHINE),
    ("state_machine", "StartTheMapsChildren"): Need(definition, _MACHINE),
    ("state_machine", "FollowTheMapsChildren"): Need(definition, _MACHINE),
    ("verification", "InvokeTheWorker"): Need(definition, _MACHINE),
    ("verification", "StartTheMapsChildren"): Need(definition, _MACHINE),
    ("verification", "FollowTheMapsChildren"): Need(definition, _MACHINE),
    ("schedule", "InvokeTheFunction"): Need(schedule, _SCHEDULE),
    ("tracking", "InvokeTheFunction"): Need(schedule, _SCHEDULE),
}

_VPC = (
    "only with vpc: Lambda makes, finds and removes a function's network interfaces with the function's role"
)
_KEY = "only with a key of one's own, which the service uses in the caller's name"

# Statements that are not on the stand, by sid, and what AWS wants them for.
ABSENT = {
    "OpenTablesUnderTheSourceKey": _KEY,
    "OpenTheTableUnderItsKey": _KEY,
    "EncryptFailedBatches": _KEY,
    "LambdaMakesNetworkInterfaces": _VPC,
    "LambdaRemovesNetworkInterfaces": _VPC,
    "LambdaFindsNetworkInterfaces": _VPC,
    "TheCodeItselfMustNot": "only with vpc: takes these permissions back from the function's own code",
}
