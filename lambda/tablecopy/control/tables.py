"""The source and destination tables: what prevents or stops a copy, and what a run records of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from botocore.exceptions import ClientError

from tablecopy.clock import Clock
from tablecopy.dynamodb import errors
from tablecopy.dynamodb.client import Json
from tablecopy.dynamodb.description import Identity, are_replicas
from tablecopy.journal.dead_letters import DeadLetters
from tablecopy.journal.run import Run
from tablecopy.metrics import log
from tablecopy.text import count_text, list_text

_NEW_COPY = "Apply Terraform again and start a new copy"

_CHECK_EVERY_SECONDS = 60.0

# A check takes some hundredths of a second. If it takes longer than this, a dead letter or a change may have
# come since the look that it was to complete.
_LONGEST_CHECK_SECONDS = 2.0

_VIEW_TYPES = frozenset({"NEW_IMAGE", "NEW_AND_OLD_IMAGES"})


class Caller(Protocol):
    """Calls DynamoDB with documents in DynamoDB's own spelling, as ``DynamoDBClient`` does."""

    def call(self, operation: str, body: Mapping[str, Any] | bytes) -> Json:
        """Send ``body`` to ``operation``, named as in botocore (``describe_table``).

        Raises
        ------
        botocore.exceptions.ClientError
            DynamoDB answered with an error.
        """


def source_problems(source: Caller, table: str, stream_arn: str | None) -> list[str]:
    """Return what prevents a copy of the source table: each problem and what to do.

    Parameters
    ----------
    source
        Calls the source account.
    table
        Name of the source table.
    stream_arn
        ARN of the stream that the copy reads; ``None`` while there is no copy.
    """
    description = described(source, table)
    if description is None:
        return [
            f"source table {table} no longer exists" if stream_arn else f"source table {table} does not exist"
        ]
    specification = description.get("StreamSpecification", {})
    view_type = specification.get("StreamViewType")
    if not specification.get("StreamEnabled"):
        if stream_arn is None:
            return [f"source table {table} has no stream. Turn it on: {stream_command(table)}"]
        return [
            f"source table {table} no longer has a stream, so later changes are lost to this copy. "
            "Start a new copy"
        ]
    found = []
    if view_type not in _VIEW_TYPES:
        found.append(
            f"the stream of source table {table} has view type {view_type}. It must be "
            "NEW_IMAGE or NEW_AND_OLD_IMAGES. Turn the stream off and on again: "
            f"{stream_command(table, on=False)} && {stream_command(table)}"
        )
    if stream_arn is not None and description["LatestStreamArn"] != stream_arn:
        found.append(
            f"the stream of source table {table} was turned off and on again and is now "
            f"{description['LatestStreamArn']}. Changes in between are lost to this copy. Start a new copy"
        )
    return found


def stream_command(table: str, *, on: bool = True) -> str:
    """Return the command that turns a table's stream on or off."""
    specification = "StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES" if on else "StreamEnabled=false"
    return f"aws dynamodb update-table --table-name {table} --stream-specification {specification}"


def destination_problems(
    source: Caller, source_table: str, destination: Caller, table: str, *, allow_items: bool, confirmed: bool
) -> list[str]:
    """Return what prevents the destination from taking the copy: each problem and what to do.

    Existing items are accepted only with ``allow_items`` and in a run that an operator has started
    (``confirmed``): an apply may be intended for something else.
    """
    return list(_destination_problems(source, source_table, destination, table, allow_items, confirmed))


def _destination_problems(
    source: Caller, source_table: str, destination: Caller, table: str, allow_items: bool, confirmed: bool
) -> Iterator[str]:
    description = described(destination, table)
    if description is None:
        yield f"destination table {table} does not exist. Apply Terraform again"
        return
    if description["TableStatus"] not in {"ACTIVE", "UPDATING"}:
        yield f"destination table {table} is {description['TableStatus']}. Wait until it is ACTIVE"
        return
    original = source.call("describe_table", {"TableName": source_table})["Table"]
    if Identity.of(original).is_same_as(Identity.of(description)):
        yield f"source and destination are one table, {original['TableArn']}. Name another destination"
        return
    if are_replicas(original, description):
        yield (
            f"source table {source_table} and destination table {table} are replicas of one global table: "
            "DynamoDB would replicate the copy's writes to the source. Name a table that is not a replica"
        )
        return
    if key_definition(description) != key_definition(original):
        yield (
            f"destination table {table} has the key {_key_text(description)}, but source table "
            f"{source_table} has the key {_key_text(original)}. Create the destination with the source's key"
        )
        return
    lifetime = destination.call("describe_time_to_live", {"TableName": table})["TimeToLiveDescription"]
    if lifetime["TimeToLiveStatus"] in {"ENABLED", "ENABLING"}:
        name = lifetime["AttributeName"]
        yield (
            f"destination table {table} has TTL turned on, so DynamoDB would delete items there on its own. "
            f"Turn it off until cutover: aws dynamodb update-time-to-live --table-name {table} "
            f"--time-to-live-specification Enabled=false,AttributeName={name}"
        )
    if allow_items and confirmed:
        return
    if not _holds_items(destination, table):
        return
    if allow_items:
        # DynamoDB counts a table's items every six hours or so.
        count = description.get("ItemCount", 0)
        about = f"about {count_text(count, 'item')}" if count else "items"
        yield (
            f"destination table {table} already holds {about}, and an apply never overwrites items. "
            "If the copy may overwrite them, run tablecopy start"
        )
    else:
        yield (
            f"destination table {table} already holds items, and a copy never deletes items that are not in "
            "the source. Empty the table, or set destination_table.allow_items = true"
        )


def destination_lost(destination: Caller, table: str, table_id: str) -> list[str]:
    """Return why the copied items are lost; empty while the table still has the id ``table_id``."""
    description = described(destination, table)
    if description is None or description["TableStatus"] == "DELETING":
        return [f"destination table {table} was deleted with everything that was copied. {_NEW_COPY}"]
    if table_id and description.get("TableId", table_id) != table_id:
        return [
            f"destination table {table} was deleted and created again. What was copied before is lost. "
            f"{_NEW_COPY}"
        ]
    return []


def described(client: Caller, table: str) -> Json | None:
    """Return ``Table`` of DescribeTable, or None if the table does not exist."""
    try:
        description: Json = client.call("describe_table", {"TableName": table})["Table"]
    except ClientError as error:
        if errors.code(error) != errors.RESOURCE_NOT_FOUND:
            raise
        return None
    return description


def provisioned(description: Mapping[str, Any], units: str) -> float:
    """Return the provisioned ``units`` ("ReadCapacityUnits", "WriteCapacityUnits"), or 0 on demand."""
    throughput = description.get("ProvisionedThroughput") or {}
    return float(throughput.get(units, 0))


def key_definition(description: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return name, type and role of each key attribute of a described table."""
    types = {each["AttributeName"]: each["AttributeType"] for each in description["AttributeDefinitions"]}
    return [
        (key["AttributeName"], types[key["AttributeName"]], key["KeyType"])
        for key in description["KeySchema"]
    ]


def _key_text(description: Mapping[str, Any]) -> str:
    return list_text(f"{name} ({type_}, {role})" for name, type_, role in key_definition(description))


def _holds_items(destination: Caller, table: str) -> bool:
    """Return whether the table holds an item. The destination's role may only count and write items."""
    request: Json = {"TableName": table, "Select": "COUNT", "Limit": 1, "ConsistentRead": True}
    page = destination.call("scan", request)
    # An empty page need not be the last one.
    return bool(page["Count"]) or "LastEvaluatedKey" in page


@dataclass(frozen=True)
class StopReason:
    """Why the run stops, and whether ``start`` can continue it."""

    reason: str
    resumable: bool


class NotProved(Exception):
    """A table could not be checked in time, and what follows must not happen without it. Try again later."""


class TableChecks:
    """Checks during a run, once a minute, whether something has happened to the tables that stops it.

    The same holds for what reads the stream between them.

    Parameters
    ----------
    checks
        Return the permanent problems, one text each.
    """

    def __init__(
        self, clock: Clock, checks: Sequence[Callable[[Run], list[str]]], letters: DeadLetters
    ) -> None:
        self._clock = clock
        self._checks = checks
        self._letters = letters
        self._checked: float | None = None

    def check(self, run: Run) -> StopReason | None:
        """Check unless that was done within the last minute.

        A check that gets no answer finds nothing and runs again in a minute.
        """
        now = self._clock.now()
        if self._checked is not None and now - self._checked < _CHECK_EVERY_SECONDS:
            return None
        stop, unanswered = self._check(run)
        if unanswered:
            log.event("table_check_failed", errors=unanswered)
        return stop

    def check_now(self, run: Run) -> StopReason | None:
        """Return why the run must stop, or None if it is proved that nothing must stop it.

        Raises
        ------
        NotProved
            A check got no answer, or took so long that what was found before is too old.
        """
        began = self._clock.now()
        stop, unanswered = self._check(run)
        seconds = self._clock.now() - began
        if stop is None and unanswered:
            raise NotProved(f"the tables cannot be checked: {'; '.join(unanswered)}")
        if stop is None and seconds > _LONGEST_CHECK_SECONDS:
            raise NotProved(f"AWS answers slowly: a check of the tables took {seconds:.0f} s")
        return stop

    def _check(self, run: Run) -> tuple[StopReason | None, list[str]]:
        """Return why the run must stop, and the errors of the checks that got no answer."""
        self._checked = self._clock.now()
        lost: list[str] = []
        unanswered = []
        for check in self._checks:
            try:
                lost += check(run)
            except (ClientError, *errors.NO_ANSWER) as error:
                unanswered.append(str(error))
        if lost:
            return StopReason("; ".join(lost), resumable=False), unanswered
        return self._too_many_letters(run), unanswered

    def _too_many_letters(self, run: Run) -> StopReason | None:
        count = self._letters.count()
        if count <= run.dead_letter_limit:
            return None
        [(code, times)] = Counter(letter.code for letter in self._letters.read_all()).most_common(1)
        return StopReason(
            f"{count_text(count, 'dead letter')} are open, {times:,} of them with {code}. So many point to "
            "an error of the destination table, not of single items. Fix the destination, start the run "
            "again, and retry the items with tablecopy redrive",
            resumable=True,
        )
