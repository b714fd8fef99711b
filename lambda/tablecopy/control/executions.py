"""The state machine's executions: one for each slice."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from tablecopy.clock import Clock
from tablecopy.control.asking import Asking, is_not_yet

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.client import SFNClient


class Executions:
    """Starts a slice's execution and tells when it is over.

    An execution is named after its run and slice, so that starting it twice is starting it once.
    """

    def __init__(self, client: SFNClient, state_machine_arn: str, clock: Clock) -> None:
        self._client = client
        self._state_machine_arn = state_machine_arn
        self._clock = clock
        self._name = ""
        self._asking = Asking(clock)

    def is_running(self, run_id: str, slice_: int, parts: Sequence[int | str]) -> bool:
        """Start the execution of ``slice_`` unless it exists; False once it has ended. See Work.parts.

        Step Functions is asked at growing intervals of up to ten seconds.
        """
        name = f"{run_id}-slice-{slice_}"
        if name != self._name:
            self._name, self._asking = name, Asking(self._clock)
        if not self._asking.is_due():
            return True
        self._asking.asked()
        try:
            return self._is_running(name, run_id, slice_, parts)
        except ClientError as error:
            if not is_not_yet(error):
                raise
            return True

    def problems(self) -> list[str]:
        """Ask Step Functions for an execution that there is not: empty once it has answered."""
        with suppress(self._client.exceptions.ExecutionDoesNotExist):
            self._client.describe_execution(executionArn=self._arn("none"))
        return []

    def _arn(self, name: str) -> str:
        return self._state_machine_arn.replace(":stateMachine:", ":execution:") + f":{name}"

    def _is_running(self, name: str, run_id: str, slice_: int, parts: Sequence[int | str]) -> bool:
        arn = self._arn(name)
        with suppress(self._client.exceptions.ExecutionDoesNotExist):
            return self._client.describe_execution(executionArn=arn)["status"] == "RUNNING"
        # DescribeExecution is eventually consistent: it may be running, even for more segments.
        with suppress(self._client.exceptions.ExecutionAlreadyExists):
            self._client.start_execution(
                stateMachineArn=self._state_machine_arn,
                name=name,
                input=json.dumps({"run": run_id, "slice": slice_, "segments": list(parts)}),
            )
        return True
