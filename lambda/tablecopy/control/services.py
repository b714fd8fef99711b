"""The AWS resources that control moves: event source mapping, executions of the state machine, failure queue.

All copies of an account, and everything else in it, share the request rates of these services. Lambda's
control plane takes 15 requests a second from an account (Lambda quotas). A copy therefore makes at most 10
such calls a minute, and asks for an execution at most 6 times. The objects live as long as the execution
environment, so that each invocation continues the intervals of the one before.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from tablecopy.clock import Clock
from tablecopy.dynamodb import errors

if TYPE_CHECKING:
    from mypy_boto3_lambda.client import LambdaClient
    from mypy_boto3_lambda.type_defs import EventSourceMappingConfigurationResponseTypeDef
    from mypy_boto3_sqs.client import SQSClient
    from mypy_boto3_stepfunctions.client import SFNClient

# Seconds between two requests for the mapping, and for an execution, while a change is expected.
_MAPPING_INTERVALS = (1.0, 4.0, 10.0, 15.0)
_EXECUTION_INTERVALS = (3.0, 6.0, 12.0)

# Once the mapping is in the requested state, only a person changes it. The phase and the leases keep writes
# apart even then.
_SETTLED_SECONDS = 60.0

_TOO_MANY_REQUESTS = 429

_DELETING = "Deleting"


class PollSchedule:
    """When to ask a service again: immediately, then after ``intervals``. The last one is repeated."""

    def __init__(self, clock: Clock, intervals: Sequence[float]) -> None:
        self._clock = clock
        self._due = clock.now()
        self._intervals = intervals
        self._asked = 0

    def is_due(self) -> bool:
        """Return whether to ask now."""
        return self._clock.now() >= self._due

    def asked(self, *, rest: float | None = None) -> None:
        """Note that the service was asked now. ``rest`` are seconds for which no change is expected."""
        interval = self._intervals[min(self._asked, len(self._intervals) - 1)]
        self._due = self._clock.now() + (interval if rest is None else rest)
        self._asked += 1


class SourceMapping:
    """Switches the event source mapping of the replicator. A switch is idempotent and takes a while.

    Lambda is asked at growing intervals until it reports the requested state, and then once a minute.

    Attributes
    ----------
    uuid
        UUID of the mapping.
    state
        The state that Lambda reported last; empty before that.
    """

    def __init__(self, client: LambdaClient, uuid: str, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._schedule = PollSchedule(clock, _MAPPING_INTERVALS)
        self._on: bool | None = None
        self._confirmed = False
        self._seen_at = -math.inf
        self._result = ""
        self.uuid = uuid
        self.state = ""

    def switch(self, *, on: bool) -> bool:
        """Request a state. Returns True once Lambda has reported the state after it was first requested."""
        if on is not self._on:
            self._on, self._confirmed = on, False
            self._schedule = PollSchedule(self._clock, _MAPPING_INTERVALS)
        requested, other = ("Enabled", "Disabled") if on else ("Disabled", "Enabled")
        if self._schedule.is_due():
            try:
                self.state = self._switched(other, on)
            except ClientError as error:
                if not _is_busy(error):
                    raise
                self._confirmed = False
                self._seen_at = -math.inf
                self._schedule.asked()
            else:
                self._confirmed = self.state == requested
                self._schedule.asked(rest=_SETTLED_SECONDS if self._confirmed else None)
        return self._confirmed

    def complaint(self) -> str:
        """Return why Lambda does not invoke the replicator, in Lambda's words.

        Empty if Lambda reported no problem (``LastProcessingResult``) when ``switch`` asked it last.
        """
        if not self._result.startswith("PROBLEM"):
            return ""
        return f"Lambda does not invoke the replicator. Event source mapping {self.uuid}: {self._result}"

    def _switched(self, other: str, on: bool) -> str:
        """Return the mapping's state, after requesting the change if it is in the ``other`` state."""
        now = self._clock.now()
        if self.state != other or now - self._seen_at > _SETTLED_SECONDS:
            mapping = self._client.get_event_source_mapping(UUID=self.uuid)
            self._result = mapping.get("LastProcessingResult", "")
            self._seen_at = now
            # Lambda rejects an update while the mapping is changing.
            if mapping["State"] != other:
                return mapping["State"]
        return self._client.update_event_source_mapping(UUID=self.uuid, Enabled=on)["State"]

    def problems(self, stream_arn: str) -> list[str]:
        """Return the settings of the mapping with which changes could be lost, one text for each."""
        mapping = self._client.get_event_source_mapping(UUID=self.uuid)
        return [
            f"event source mapping {self.uuid} {problem}" for problem in _unsafe_settings(mapping, stream_arn)
        ]

    def lost(self) -> list[str]:
        """Return that the mapping was deleted; empty if it was not. Another one reads from another place."""
        try:
            state = self._client.get_event_source_mapping(UUID=self.uuid)["State"]
        except ClientError as error:
            if errors.code(error) != errors.RESOURCE_NOT_FOUND:
                raise
            state = _DELETING
        if state != _DELETING:
            return []
        return [
            f"event source mapping {self.uuid} was deleted, and another one would read the stream from "
            "another place. Apply Terraform again, empty the destination and start a new copy"
        ]


def _unsafe_settings(mapping: EventSourceMappingConfigurationResponseTypeDef, stream_arn: str) -> list[str]:
    found = []
    if mapping["EventSourceArn"] != stream_arn:
        found.append(f"reads {mapping['EventSourceArn']} instead of {stream_arn}. Apply Terraform again")
    if "ReportBatchItemFailures" not in mapping.get("FunctionResponseTypes", []):
        found.append(
            "lacks ReportBatchItemFailures, so Lambda would treat a partial failure as success. "
            "Apply Terraform again"
        )
    if mapping.get("ParallelizationFactor", 1) != 1:
        found.append("has a ParallelizationFactor above 1, which hides progress. Set it to 1")
    if mapping.get("FilterCriteria", {}).get("Filters"):
        found.append("has filter criteria, so Lambda would discard changes. Remove them")
    if mapping.get("StartingPosition") != "TRIM_HORIZON":
        found.append("does not start at TRIM_HORIZON, so it could miss changes. Apply Terraform again")
    for setting in ("MaximumRetryAttempts", "MaximumRecordAgeInSeconds"):
        if mapping.get(setting, -1) != -1:
            found.append(f"has {setting} set, so Lambda would discard changes. Set it to -1")
    return found


class Executions:
    """Starts the execution of each slice and reports when it has ended.

    An execution is named after its run and slice, so that starting it twice starts it once.

    Attributes
    ----------
    is_busy
        Whether Step Functions throttled the latest request.
    """

    def __init__(self, client: SFNClient, state_machine_arn: str, clock: Clock) -> None:
        self._client = client
        self._state_machine_arn = state_machine_arn
        self._clock = clock
        self._name = ""
        self._is_started = False
        self._schedule = PollSchedule(clock, _EXECUTION_INTERVALS)
        self.is_busy = False

    def is_running(self, run_id: str, slice_number: int, parts: Sequence[int | str]) -> bool:
        """Start the execution of a slice unless it exists. Returns False once it has ended.

        Step Functions is asked at growing intervals of up to twelve seconds.

        Parameters
        ----------
        parts
            See RemainingWork.parts.
        """
        name = f"{run_id}-slice-{slice_number}"
        if name != self._name:
            self._name, self._is_started = name, False
            self._schedule = PollSchedule(self._clock, _EXECUTION_INTERVALS)
        if not self._schedule.is_due():
            return True
        self._schedule.asked()
        self.is_busy = False
        try:
            if self._is_started:
                return self._is_running(name)
            self._start(name, run_id, slice_number, parts)
        except ClientError as error:
            if not _is_busy(error):
                raise
            self.is_busy = True
        return True

    def problems(self) -> list[str]:
        """Ask Step Functions for an execution that does not exist. Empty once Step Functions has answered."""
        with suppress(self._client.exceptions.ExecutionDoesNotExist):
            self._client.describe_execution(executionArn=self._arn("none"))
        return []

    def _arn(self, name: str) -> str:
        return self._state_machine_arn.replace(":stateMachine:", ":execution:") + f":{name}"

    def _start(self, name: str, run_id: str, slice_number: int, parts: Sequence[int | str]) -> None:
        # If it exists, it may be running, even for more segments. The next request shows it.
        with suppress(self._client.exceptions.ExecutionAlreadyExists):
            self._client.start_execution(
                stateMachineArn=self._state_machine_arn,
                name=name,
                input=json.dumps({"run": run_id, "slice": slice_number, "segments": list(parts)}),
            )
        self._is_started = True

    def _is_running(self, name: str) -> bool:
        # DescribeExecution is eventually consistent: it may not know an execution that was just started.
        with suppress(self._client.exceptions.ExecutionDoesNotExist):
            return self._client.describe_execution(executionArn=self._arn(name))["status"] == "RUNNING"
        self._is_started = False
        return True


class FailureQueue:
    """The queue to which Lambda sends a message when it gives up records.

    The mapping's settings do not let Lambda give up, so a single message is a failure.
    """

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    def depth(self) -> int:
        """Return the messages in the queue, visible or in flight (approximate, as SQS counts them)."""
        attributes = self._client.get_queue_attributes(
            QueueUrl=self._url,
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )["Attributes"]
        return sum(int(value) for value in attributes.values())

    def problems(self) -> list[str]:
        """Ask SQS for the queue. Empty once SQS has answered."""
        self.depth()
        return []


def _is_busy(error: ClientError) -> bool:
    """Return whether a service throttled, or is changing the resource: the same request may succeed later."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if status == _TOO_MANY_REQUESTS or errors.is_throttled(error):
        return True
    return errors.kind(error) is errors.Kind.TRANSIENT and not errors.is_server_error(error)
