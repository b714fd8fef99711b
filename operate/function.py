"""The control function, as an operator calls it."""

from __future__ import annotations

import json
from typing import Any

from sides import Side, UserError
from sides.errors import explained
from sides.session import MAX_ATTEMPTS

Status = dict[str, Any]
"""What control says of a run: see ``Commands.status`` in lambda/tablecopy/control/commands.py."""

Letter = dict[str, Any]
"""A dead letter as control tells it: see ``Commands.letters`` there."""

# Control answers an operator within seconds, but its first call after a pause starts a fresh environment.
_ANSWER_SECONDS = 60


class ControlFunction:
    """Asks the control function of one copy. Needs ``lambda:InvokeFunction`` on it and nothing else.

    Parameters
    ----------
    side
        The source side, in whose account and region the function is.
    name
        Name or ARN of the function.
    attempts
        How often a call is tried.
    """

    def __init__(self, side: Side, name: str, *, attempts: int = MAX_ATTEMPTS) -> None:
        self._side = side
        self._client = side.client("lambda", read_timeout=_ANSWER_SECONDS, attempts=attempts)
        self._name = name

    def start(self) -> Status:
        """Begin the run or carry on with a stopped one, and have control look at it at once.

        The status tells what the first look has found: the estimate, or what is in the way.
        """
        return self._ask_and_nudge("start")

    def seal(self) -> Status:
        """Ask for the seal and have control look at the run at once."""
        return self._ask_and_nudge("seal")

    def redrive(self) -> Status:
        """Ask for the dead letters to be tried again and have control look at the run at once."""
        return self._ask_and_nudge("redrive")

    def status(self) -> Status:
        """The run as the journal has it."""
        return self._status("status")

    def letters(self, *, values: bool) -> tuple[int, list[Letter]]:
        """How many dead letters there are, and those that fit into an answer.

        Parameters
        ----------
        values
            Whether to have the items' images, too: ``image``, in DynamoDB JSON, where the journal has it.
        """
        answer = self._ask("letters", values=values)
        return answer["count"], answer["letters"]

    def _ask_and_nudge(self, action: str) -> Status:
        status = self._status(action)
        with explained(self._side):
            self._client.invoke(
                FunctionName=self._name, InvocationType="Event", Payload=json.dumps({"action": "reconcile"})
            )
        return status

    def _status(self, action: str) -> Status:
        status: Status = self._ask(action)["status"]
        return status

    def _ask(self, action: str, **details: object) -> dict[str, Any]:
        with explained(self._side):
            response = self._client.invoke(
                FunctionName=self._name, Payload=json.dumps({"action": action, **details})
            )
        answer: dict[str, Any] = json.loads(response["Payload"].read())
        if "FunctionError" in response:
            raise UserError(
                f"control function {self._name} failed: {answer.get('errorMessage', answer)}; "
                "its log group says more",
                # Its own calls may have been throttled, or it has run out of time.
                passing=True,
            )
        if "error" in answer:
            raise UserError(answer["error"])
        return answer
