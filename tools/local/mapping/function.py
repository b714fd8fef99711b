"""The function a mapping invokes."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tools.local.mapping.batch import Batch
from tools.local.mapping.clock import Clock
from tools.local.mapping.outcome import Answer, Outcome

CACHED_SECONDS = 3.0


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

        An error of the function, a timeout among them, is an answer like any other. Throttling, an error of
        the service and a cut connection are not.
        """
        try:
            response = self._client.invoke(
                FunctionName=function_arn, InvocationType="RequestResponse", Payload=batch.payload()
            )
            answer = Answer(
                status_code=response["StatusCode"],
                executed_version=response.get("ExecutedVersion", "$LATEST"),
                error=response.get("FunctionError"),
                payload=response["Payload"].read(),
                request_id=response["ResponseMetadata"].get("RequestId", ""),
            )
        except (ClientError, BotoCoreError, OSError) as error:
            return Outcome.not_invoked(str(error))
        return Outcome.of(answer, batch, partial_responses)
