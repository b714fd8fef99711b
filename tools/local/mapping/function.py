"""What is invoked: a batch of records, the function that gets it, and what its answer means."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tablecopy.clock import Clock
from tools.local.mapping.records import Record

# What a synchronous invocation takes at most.
PAYLOAD_LIMIT = 6 * 1024 * 1024
ENVELOPE = ('{"Records":[', "]}")
# Long enough to cost nothing, short enough that a role or a policy attached late counts soon.
CACHED_SECONDS = 3.0

STREAM_ACTIONS = (
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
)


@dataclass(frozen=True, slots=True)
class Batch:
    """Records that go to a function together, in the shard's order. Never empty."""

    records: tuple[Record, ...]

    def payload(self) -> bytes:
        """The event the function gets."""
        return (ENVELOPE[0] + ",".join(record.text for record in self.records) + ENVELOPE[1]).encode()

    def find(self, sequence_number: str) -> int | None:
        """The place of a record, or None if it is not in the batch."""
        for index, record in enumerate(self.records):
            if record.sequence_number == sequence_number:
                return index
        return None

    def starting_at(self, index: int) -> Batch:
        """What is left when the records before that place are done."""
        return Batch(self.records[index:])


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an attempt to have a batch processed.

    Attributes
    ----------
    failed_from : int, optional
        Place of the first record that is not done; None if all are done.
    reason : str
        For the log.
    """

    failed_from: int | None
    reason: str = ""

    @classmethod
    def of(cls, error: str | None, payload: bytes, batch: Batch, partial_responses: bool) -> Outcome:
        """Judge a function's answer.

        Parameters
        ----------
        error : str, optional
            ``FunctionError`` of the response, for example ``"Unhandled"``.
        payload : bytes
            What the function returned, as JSON.
        batch : Batch
            What it was invoked with.
        partial_responses : bool
            Whether the mapping has ``ReportBatchItemFailures``; without it the returned value means nothing.
        """
        if error:
            return cls(0, _error_message(error, payload))
        if not partial_responses:
            return cls(None)
        try:
            identifiers = _failed_identifiers(json.loads(payload or b"null"))
        except ValueError as malformed:
            return cls(0, str(malformed))
        places = [batch.find(identifier) for identifier in identifiers]
        known = [place for place in places if place is not None]
        if len(known) < len(places):
            return cls(0, "an itemIdentifier is not of this batch")
        return cls(min(known), "reported by the function") if known else cls(None)


class Function:
    """A function, as much of it as a mapping needs.

    Parameters
    ----------
    client
        Lambda client whose reads wait longer than any function runs.
    clock : Clock
        Tells when the remembered role is too old.
    """

    def __init__(self, client: Any, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._roles: dict[str, tuple[float, str]] = {}

    def role_arn(self, function_arn: str) -> str:
        """The execution role, remembered for a few seconds."""
        asked, role = self._roles.get(function_arn, (float("-inf"), ""))
        if self._clock.now() - asked >= CACHED_SECONDS:
            role = self._client.get_function_configuration(FunctionName=function_arn)["Role"]
            self._roles[function_arn] = (self._clock.now(), role)
        return role

    def process(self, function_arn: str, batch: Batch, partial_responses: bool) -> Outcome:
        """Invoke the function with a batch and wait for its answer.

        An error of the function, for example a timeout, is an answer. Throttling, an error of the service
        and a cut connection are not: the batch is sent again as a whole.
        """
        try:
            response = self._client.invoke(
                FunctionName=function_arn, InvocationType="RequestResponse", Payload=batch.payload()
            )
            error, payload = response.get("FunctionError"), response["Payload"].read()
        except (ClientError, BotoCoreError, OSError) as failure:
            return Outcome(0, str(failure))
        return Outcome.of(error, payload, batch, partial_responses)


class Permissions:
    """Answers of IAM's policy simulator about execution roles, remembered for a few seconds.

    Parameters
    ----------
    iam
        Client of the role's account.
    clock : Clock
        Tells when an answer is too old.
    """

    def __init__(self, iam: Any, clock: Clock) -> None:
        self._iam = iam
        self._clock = clock
        self._answers: dict[tuple[str, tuple[str, ...], str], tuple[float, tuple[str, ...]]] = {}

    def missing(self, role_arn: str, actions: Sequence[str], resource_arn: str) -> tuple[str, ...]:
        """Those of the actions the role is not allowed on a resource."""
        question = (role_arn, tuple(actions), resource_arn)
        asked, answer = self._answers.get(question, (float("-inf"), ()))
        if self._clock.now() - asked >= CACHED_SECONDS:
            answer = self._ask(role_arn, actions, resource_arn)
            self._answers[question] = (self._clock.now(), answer)
        return answer

    def _ask(self, role_arn: str, actions: Sequence[str], resource_arn: str) -> tuple[str, ...]:
        # ministack's simulator takes all that follows "role/" for the name, a path too.
        prefix, _, path = role_arn.partition("/")
        results = self._iam.simulate_principal_policy(
            PolicySourceArn=f"{prefix}/{path.split('/')[-1]}",
            ActionNames=list(actions),
            ResourceArns=[resource_arn],
        )["EvaluationResults"]
        allowed = {result["EvalActionName"] for result in results if result["EvalDecision"] == "allowed"}
        return tuple(action for action in actions if action not in allowed)


def _failed_identifiers(returned: Any) -> list[str]:
    """The sequence numbers a function reports.

    No value, an empty object, and an absent, null or empty list are all complete success. Any other shape is
    complete failure: ValueError.
    """
    if returned is None:
        return []
    if not isinstance(returned, dict):
        raise ValueError("the returned value is not an object")
    failures = returned.get("batchItemFailures")
    if failures is None:
        return []
    if not isinstance(failures, list):
        raise ValueError("batchItemFailures is not a list")
    return [_identifier(failure) for failure in failures]


def _identifier(failure: Any) -> str:
    identifier = failure.get("itemIdentifier") if isinstance(failure, dict) else None
    if not isinstance(identifier, str) or not identifier:
        raise ValueError("an entry of batchItemFailures has no itemIdentifier")
    return identifier


def _error_message(error: str, payload: bytes) -> str:
    try:
        value = json.loads(payload or b"null")
    except ValueError:
        value = None
    message = value.get("errorMessage") if isinstance(value, dict) else None
    return f"{error}: {message or 'no message'}"
