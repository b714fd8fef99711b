"""The control function, as an operator calls it."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from botocore.exceptions import ClientError

from tablecopy.comparison.differences import Difference, parsed
from tablecopy.control.status import CutoverStatus, DeadLetterStatus, Status, VerificationStatus
from tablecopy.dynamodb import errors
from tablecopy.journal.run import Phase
from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.aws_errors import user_errors
from tablecopy_cli.common.errors import UserError

Found: TypeAlias = tuple[Difference, bool]
"""A difference, and whether it stands: if not, it may be a change in progress."""


@dataclass(frozen=True)
class FoundPage:
    """A part of what the latest comparison in the account has found.

    Attributes
    ----------
    found
        Differences that it lists.
    unlisted
        Segments with differences that are only counted, and how many.
    following
        What to ask for next; None after the last part.
    """

    found: list[Found]
    unlisted: dict[int, int]
    following: tuple[int, int] | None


_PHASES = frozenset({"none", *Phase})

# Control answers within seconds; Lambda ends it after 30. Every call may be sent again after that: a start
# bears an id by which control knows it, and the others change nothing when they are repeated.
_ANSWER_SECONDS = 40

# Whoever waits at a terminal learns of a failed call within seconds. A watch asks again anyway.
_ATTEMPTS = 3


class Throttled(UserError):
    """Lambda has no execution left for the control function. It is transient: see `UserError`."""


class ControlFunction:
    """Asks the control function of one copy. Needs ``lambda:InvokeFunction`` on it and nothing else.

    Parameters
    ----------
    side
        The source side, in whose account and region the function is.
    name
        Name or ARN of the function.
    """

    def __init__(self, side: Side, name: str) -> None:
        self._side = side
        self._client = side.client("lambda", read_timeout=_ANSWER_SECONDS, attempts=_ATTEMPTS)
        self._name = name

    def start(self) -> Status:
        """Begin the run, or continue a stopped one.

        Control answers before anything was looked at. A run in ``preflight`` is looked at within seconds;
        ``checked`` is 0 until then.
        """
        return self._status("start", request=uuid.uuid4().hex)

    def seal(self) -> Status:
        """Ask for the seal, which follows within seconds if nothing has changed."""
        return self._status("seal")

    def redrive(self) -> Status:
        """Ask for the dead letters to be tried again."""
        return self._status("redrive")

    def status(self) -> Status:
        """The run as the journal has it."""
        return self._status("status")

    def letters(self, *, values: bool) -> tuple[int, list[DeadLetterStatus]]:
        """How many dead letters there are, and those that fit into an answer.

        Parameters
        ----------
        values
            Whether to return the items' images also: ``image``, in DynamoDB JSON, where the journal has it.
        """
        answer = self._ask("dead-letters", values=values)
        if not {"count", "dead_letters"} <= answer.keys():
            raise self._is_another()
        return answer["count"], answer["dead_letters"]

    def cutover(self, quiet: float) -> tuple[Status, CutoverStatus]:
        """The run, its latest request for a cutover, and what a cutover with this quiet time would take."""
        return self._cutover("cutover", quiet_seconds=quiet)

    def begin_cutover(self, request: str, max_stop: float, quiet: float) -> tuple[Status, CutoverStatus]:
        """Request a cutover, which lapses after ``max_stop`` seconds. The same request twice is one."""
        return self._cutover("cutover", request=request, max_stop=max_stop, quiet_seconds=quiet)

    def cancel_cutover(self, reason: str) -> tuple[Status, CutoverStatus]:
        """Cancel the request for a cutover that is in progress."""
        return self._cutover("cancel_cutover", reason=reason)

    def deny(self, table_arn: str, *, denied: bool) -> tuple[Status, CutoverStatus]:
        """Record whether the resource policy of a table may deny writes for a cutover."""
        return self._cutover("deny", table=table_arn, denied=denied)

    def _cutover(self, action: str, **details: object) -> tuple[Status, CutoverStatus]:
        answer = self._ask(action, **details)
        status, found = answer.get("status"), answer.get("cutover")
        if not isinstance(status, dict) or not isinstance(found, dict) or status.get("phase") not in _PHASES:
            raise self._is_another()
        return cast(Status, status), cast(CutoverStatus, found)

    def verify(self, *, writes_stopped: bool) -> VerificationStatus:
        """Begin a comparison in the account, or continue one that has ended early."""
        return self._verification("verify", writes_stopped=writes_stopped, request=uuid.uuid4().hex)

    def audit(self) -> VerificationStatus:
        """Begin an audit of the sealed run, or continue one that has ended early."""
        return self._verification("audit", request=uuid.uuid4().hex)

    def verification(self) -> VerificationStatus:
        """The latest comparison in the account; empty before the first one."""
        return self._verification("verification")

    def differences(self, begin: tuple[int, int] = (0, 0)) -> FoundPage:
        """What the latest comparison has found. ``begin`` is `FoundPage.following` of the part before."""
        segment, text = begin
        answer = self._ask("differences", segment=segment, text=text)
        if not {"differences", "unlisted"} <= answer.keys():
            raise self._is_another()
        found = [(parsed(record), not record.get("undecided", False)) for record in answer["differences"]]
        unlisted = dict(answer["unlisted"])
        return FoundPage(found, unlisted, tuple(answer["next"]) if "next" in answer else None)

    def _verification(self, action: str, **details: object) -> VerificationStatus:
        status = self._ask(action, **details).get("verification")
        if not isinstance(status, dict):
            raise self._is_another()
        return cast(VerificationStatus, status)

    def _status(self, action: str, **details: object) -> Status:
        status = self._ask(action, **details).get("status")
        if not isinstance(status, dict) or status.get("phase") not in _PHASES:
            raise self._is_another()
        # As control made it; JSON has changed the phase into a text.
        return cast(Status, status)

    def _ask(self, action: str, **details: object) -> dict[str, Any]:
        response = self._invoke({"action": action, **details})
        answer = _document(response["Payload"].read())
        if "FunctionError" in response:
            raise UserError(
                f"control function {self._name} failed: {answer.get('errorMessage', answer)}; "
                "its log group says more",
                # Its own calls may have been throttled, or it has run out of time.
                transient=True,
            )
        if "error" in answer:
            raise UserError(answer["error"])
        return answer

    def _is_another(self) -> UserError:
        return UserError(
            f"function {self._name} does not answer as control does. Check --control-function: it takes the "
            "Terraform output control_function_name",
            self._side.name,
        )

    def _invoke(self, event: dict[str, object]) -> dict[str, Any]:
        try:
            with user_errors(self._side):
                response: dict[str, Any] = self._client.invoke(
                    FunctionName=self._name, Payload=json.dumps(event)
                )
        except UserError as error:
            cause = error.__cause__
            if isinstance(cause, ClientError) and errors.is_throttled(cause):
                raise Throttled(
                    f"Lambda throttles the control function {self._name}. The account has no concurrent "
                    "execution left, or the Region's Invoke requests are used up. Try again in a minute",
                    self._side.name,
                    transient=True,
                ) from cause
            raise
        return response


def _document(payload: bytes) -> dict[str, Any]:
    """The function's answer; empty if it is not a JSON document."""
    try:
        answer = json.loads(payload)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
