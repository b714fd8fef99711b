"""What a function's execution role may do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tools.local.mapping.clock import Clock

# Long enough to cost nothing, short enough that a policy attached late counts soon.
CACHED_SECONDS = 3.0

STREAM_ACTIONS = (
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
)


class Permissions:
    """Answers of IAM's policy simulator, remembered for a few seconds.

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
