"""The checks of `tablecopy preflight`, which run before anything is applied and only read.

Checks that control repeats are the same code: see `tablecopy.control.preflight`.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Literal, TypeAlias

from botocore.exceptions import BotoCoreError, ClientError

from tablecopy.clock import Clock
from tablecopy.control.preflight import Preflight, global_table_warning, open_shards
from tablecopy.control.tables import described, provisioned, stream_command
from tablecopy.dynamodb import errors
from tablecopy.dynamodb.client import Json, encode
from tablecopy.dynamodb.description import uncopied_members
from tablecopy.settings import CopySettings
from tablecopy.text import size_text
from tablecopy_cli.common.accounts import Side, is_arn
from tablecopy_cli.common.aws_errors import explain, user_errors
from tablecopy_cli.common.endpoint import check_members
from tablecopy_cli.common.errors import UserError
from verify.scan.calls import sender

Verdict: TypeAlias = Literal["pass", "warning", "problem", "not_checked"]

_ATTEMPTS = 4

# Operations of other services than DynamoDB, for the name of the missing action.
_SERVICES = {
    "GetCallerIdentity": "sts",
    "GetAccountSettings": "lambda",
    "ListEventSourceMappings": "lambda",
    "ListPipes": "pipes",
    "DescribeKey": "kms",
    "DescribeScalableTargets": "application-autoscaling",
}

_INVISIBLE = (
    "this command cannot see readers that use the KCL, the Kinesis adapter or the Streams API, or Lambda "
    "functions of other accounts. Make sure that there are none: DynamoDB allows two readers of a shard, and "
    "the copy uses both"
)


@dataclass(frozen=True)
class Result:
    """What one check found.

    Parameters
    ----------
    check
        Name of the check.
    result
        ``"pass"``, ``"warning"`` (to know before you start), ``"problem"`` (the copy cannot start) or
        ``"not_checked"``.
    message
        One line. That of a problem includes what to do.
    action
        IAM action that is missing for the check; ``None`` otherwise.
    """

    check: str
    result: Verdict
    message: str
    action: str | None = None

    @property
    def is_unanswered(self) -> bool:
        """Whether AWS could have answered the check, and did not."""
        return self.result == "not_checked" and self.message != _INVISIBLE

    def record(self) -> dict[str, Any]:
        """Return the JSON Lines record."""
        return {"type": "check", **asdict(self)}


class SideCaller:
    """Calls DynamoDB on one side and returns its answers as DynamoDB JSON.

    Parameters
    ----------
    side
        Where to sign in.

    Raises
    ------
    UserError
        No region, an unknown profile or an endpoint that is not a URL.
    """

    def __init__(self, side: Side) -> None:
        self._side = side
        self._send, self._url = sender(side)

    def call(self, operation: str, body: Mapping[str, Any] | bytes) -> Json:
        """Send ``body`` to ``operation``; see `tablecopy.control.tables.Caller`."""
        name = "".join(word.capitalize() for word in operation.split("_"))
        backoff = errors.Backoff(random.Random())
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._answer(name, body if isinstance(body, bytes) else encode(body))
            except (ClientError, *errors.NO_ANSWER) as error:
                transient = not isinstance(error, ClientError) or errors.is_transient(error)
                if attempt == _ATTEMPTS or not transient:
                    raise
                time.sleep(backoff.next())
        raise AssertionError("the last attempt returns or raises")

    def _answer(self, name: str, body: bytes) -> Json:
        sent = self._send(name, body)
        check_members(self._side, self._url, name, sent)
        answer: Json = json.loads(sent)
        return answer


@dataclass(frozen=True)
class Location:
    """A table and its account.

    Parameters
    ----------
    account, region
        Those of the table's ARN if one is given, otherwise of the credentials.
    table
        The table as given, by name or ARN: the checks look up what the copy reads.
    name
        Name of the table.
    caller
        ARN of the credentials' identity.
    """

    account: str
    region: str
    table: str
    name: str
    caller: str


class Checks:
    """The checks of a copy from one side to another.

    Parameters
    ----------
    source, destination
        The sides, with the names of the tables.
    settings
        The settings of the copy.
    own_mapping
        UUID of the copy's event source mapping; ``None`` before it is applied.
    """

    def __init__(
        self, source: Side, destination: Side, settings: CopySettings, own_mapping: str | None = None
    ) -> None:
        self._source = source
        self._destination = destination
        self._settings = settings
        self._own_mapping = own_mapping
        self.source_description: Json | None = None
        self.destination_description: Json | None = None

    def run(self) -> Iterator[Result]:
        """Run all checks, one after the other.

        Raises
        ------
        UserError
            The source account cannot be reached.
        """
        source = self._place(self._source)
        yield Result("credentials", "pass", _signed_in("source", source))
        try:
            destination = self._place(self._destination)
        except UserError as error:
            yield Result("credentials", "problem", str(error))
            yield from self._source_checks(source, None)
            return
        if _same(source, destination):
            yield Result(
                "credentials",
                "problem",
                f"source and destination are the same table: {source.name} in account {source.account}, "
                f"{source.region}. Check --destination-profile, --destination-region and --destination",
            )
            yield from self._source_checks(source, None)
            return
        yield Result("credentials", "pass", _signed_in("destination", destination))
        yield from self._source_checks(source, destination)

    def _place(self, side: Side) -> Location:
        client = side.client("sts", attempts=_ATTEMPTS)
        with user_errors(side):
            identity = client.get_caller_identity()
        table = str(side.table_name)
        if is_arn(table):
            # A table of another account is read there: its resource policy may allow the caller.
            _, _, _, region, account, resource = table.split(":", 5)
            return Location(account, region, table, resource.rpartition("/")[2], identity["Arn"])
        return Location(identity["Account"], client.meta.region_name, table, table, identity["Arn"])

    def _source_checks(self, source: Location, destination: Location | None) -> Iterator[Result]:
        caller = SideCaller(self._source)
        with user_errors(self._source):
            description = described(caller, source.table)
        self.source_description = description
        if description is None:
            yield Result(
                "source",
                "problem",
                f"there is no table {source.name} in account {source.account}, {source.region}. Check "
                "--source, --source-region and --source-profile",
            )
            return
        yield self._status(description)
        other = SideCaller(self._destination) if destination else caller
        client = self._source.client("dynamodbstreams", attempts=_ATTEMPTS)
        shared = Preflight(
            caller,
            source.table,
            other,
            destination.table if destination else source.table,
            self._source.client("lambda", attempts=_ATTEMPTS),
            partial(open_shards, client, description.get("LatestStreamArn", ""), Clock()),
            self._settings,
            own_mapping=self._own_mapping,
        )
        yield from _attempt("stream", lambda: self._stream(shared, description))
        stream = description.get("LatestStreamArn")
        if description.get("StreamSpecification", {}).get("StreamEnabled") and stream:
            yield from self._stream_checks(shared, stream, description)
        else:
            yield Result(
                "readers",
                "not_checked",
                f"the source table has no stream yet. To turn it on, run {stream_command(source.table)}",
            )
        fits = "the read budget fits the source table"
        if self._settings.read_capacity is None:
            fits = "no read budget: the backfill adapts, to at most half of a provisioned table's capacity"
        yield from _attempt("capacity", lambda: _found("capacity", shared.capacity(), fits))
        yield from _attempt("encryption", lambda: self._key(self._source, description))
        if destination is None:
            yield Result("destination", "not_checked", "fix the destination credentials first")
        else:
            yield from _attempt("destination", lambda: self._destination_checks(shared, other, destination))
        yield from self._uncopied(caller, source.table, description)

    @staticmethod
    def _status(description: Mapping[str, Any]) -> Result:
        name, status = description["TableName"], description["TableStatus"]
        if status not in {"ACTIVE", "UPDATING"}:
            return Result("source", "problem", f"source table {name} is {status}. Wait until it is ACTIVE")
        read, write = (provisioned(description, f"{each}CapacityUnits") for each in ("Read", "Write"))
        mode = f"provisioned with {read:g} read and {write:g} write units" if write else "on demand"
        table_class = description.get("TableClassSummary", {}).get("TableClass", "STANDARD")
        size = int(description.get("TableSizeBytes", 0))
        return Result(
            "source",
            "pass",
            f"{name}: {status}, {mode}, class {table_class}, {int(description.get('ItemCount', 0)):,} items, "
            f"{size_text(size)} (DynamoDB's TableSizeBytes, up to six hours old)",
        )

    def _stream(self, shared: Preflight, description: Mapping[str, Any]) -> Iterator[Result]:
        view = description.get("StreamSpecification", {}).get("StreamViewType")
        yield from _found("stream", shared.stream(), f"on, view type {view}")

    def _stream_checks(
        self, shared: Preflight, stream: str, description: Mapping[str, Any]
    ) -> Iterator[Result]:
        yield from _attempt(
            "readers",
            lambda: _found("readers", shared.readers(stream), "no other Lambda function reads the stream"),
        )
        yield from _attempt("readers", lambda: self._pipes(stream))
        warning = global_table_warning(description)
        if warning:
            yield Result("readers", "warning", warning)
        yield Result("readers", "not_checked", _INVISIBLE)
        yield from _attempt(
            "concurrency",
            lambda: _found(
                "concurrency",
                shared.concurrency(),
                "the account can run all functions of the copy",
            ),
        )

    def _pipes(self, stream: str) -> Iterator[Result]:
        client = self._source.client("pipes", attempts=_ATTEMPTS)
        pages = client.get_paginator("list_pipes").paginate(SourcePrefix=stream)
        pipes = [pipe for page in pages for pipe in page["Pipes"] if pipe.get("Source") == stream]
        problems = [
            f"EventBridge pipe {pipe['Name']} ({pipe.get('CurrentState', '?')}) reads the source table's "
            "stream, and the copy needs both readers of a shard. Delete it until the copy has ended: run "
            f"aws pipes delete-pipe --name {pipe['Name']}"
            for pipe in pipes
        ]
        yield from _found("readers", problems, "no EventBridge pipe reads the stream")

    def _key(self, side: Side, description: Mapping[str, Any]) -> Iterator[Result]:
        source = side.name == "source"
        arn = (description.get("SSEDescription") or {}).get("KMSMasterKeyArn")
        if not arn:
            yield Result("encryption", "pass", f"{side.name}: encrypted with a key that AWS owns")
            return
        key = side.client("kms", attempts=_ATTEMPTS).describe_key(KeyId=arn)["KeyMetadata"]
        if key["KeyState"] != "Enabled":
            yield Result("encryption", "problem", f"{side.name}: key {arn} is {key['KeyState']}. Enable it")
        elif key["KeyManager"] == "CUSTOMER":
            allow = "Set source_table.customer_managed_key = true, and allow" if source else "Allow"
            roles = (
                "output function_role_arns" if source else "outputs destination_role_arn and reading_role_arn"
            )
            yield Result(
                "encryption",
                "warning",
                f"{side.name}: encrypted with the customer managed key {arn}. {allow} kms:Decrypt for the "
                f"{roles} in the key policy",
            )
        else:
            yield Result("encryption", "pass", f"{side.name}: encrypted with the key that AWS manages")

    def _destination_checks(self, shared: Preflight, caller: SideCaller, place: Location) -> Iterator[Result]:
        description = described(caller, place.table)
        self.destination_description = description
        if description is None:
            yield Result(
                "destination",
                "pass",
                f"table {place.name} in account {place.account}, {place.region} does not exist yet. "
                "Terraform creates it unless destination_table.create = false",
            )
            return
        problems = shared.destination_ready()
        held = int(description.get("ItemCount", 0))
        yield from _found(
            "destination",
            problems,
            f"{place.name}: {description['TableStatus']}, the source table's key, {held:,} items, TTL off. "
            "Terraform uses it with destination_table.create = false",
        )
        if not description.get("DeletionProtectionEnabled"):
            yield Result("destination", "warning", f"{place.name} has no deletion protection")
        yield from _attempt("encryption", lambda: self._key(self._destination, description))

    def _uncopied(self, caller: SideCaller, table: str, description: Mapping[str, Any]) -> Iterator[Result]:
        name, arn = description["TableName"], description["TableArn"]
        for member in uncopied_members(description):
            if member.known:
                yield Result("not copied", "warning", f"{member.label} of the source table is not copied")
            else:
                yield Result(
                    "not copied",
                    "problem",
                    f"source table {name} has an {member.label}, which this release does not support. Update "
                    "this tool, or check what the setting does to the data",
                )
        yield from _attempt("not copied", lambda: _kinesis(caller, table))
        yield from _attempt("not copied", lambda: _insights(caller, table))
        yield from _attempt("not copied", lambda: self._policy(arn))
        if not provisioned(description, "WriteCapacityUnits"):
            return
        if is_arn(table):
            # Application Auto Scaling answers for the caller's account only, which may not be the table's.
            what = "auto scaling cannot be looked up by a table ARN. Pass the table name to check it"
            yield Result("not copied", "not_checked", what)
        else:
            yield from _attempt("not copied", lambda: self._scaling(table))

    def _policy(self, arn: str) -> Iterator[Result]:
        client = self._source.client("dynamodb", attempts=_ATTEMPTS)
        try:
            policy = client.get_resource_policy(ResourceArn=arn).get("Policy")
        except client.exceptions.PolicyNotFoundException:
            return
        if policy:
            yield Result("not copied", "warning", "the resource policy of the source table is not copied")

    def _scaling(self, table: str) -> Iterator[Result]:
        client = self._source.client("application-autoscaling", attempts=_ATTEMPTS)
        targets = client.describe_scalable_targets(
            ServiceNamespace="dynamodb", ResourceIds=[f"table/{table}"]
        )["ScalableTargets"]
        if targets:
            yield Result("not copied", "warning", "auto scaling of the source table is not copied")


def _found(check: str, problems: list[str], otherwise: str) -> Iterator[Result]:
    if problems:
        yield from (Result(check, "problem", problem) for problem in problems)
    else:
        yield Result(check, "pass", otherwise)


def _attempt(check: str, find: Callable[[], Iterator[Result]]) -> Iterator[Result]:
    """Run a check; an error is a result as well."""
    try:
        yield from find()
    except (ClientError, BotoCoreError, UserError) as error:
        yield unanswered(check, error)


def unanswered(check: str, error: ClientError | BotoCoreError | UserError) -> Result:
    """Return the result of a check that AWS did not answer, with the IAM action that is missing."""
    cause = error.__cause__ if isinstance(error, UserError) else error
    if isinstance(cause, ClientError) and errors.is_denied(cause):
        action = f"{_SERVICES.get(cause.operation_name, 'dynamodb')}:{cause.operation_name}"
        return Result(check, "not_checked", f"{action} is not allowed", action)
    message = str(error) if isinstance(error, UserError) else explain(error)
    return Result(check, "not_checked", message)


def _kinesis(caller: SideCaller, table: str) -> Iterator[Result]:
    found = caller.call("describe_kinesis_streaming_destination", {"TableName": table})
    active = [
        each
        for each in found.get("KinesisDataStreamDestinations") or []
        if each.get("DestinationStatus") not in {"DISABLED", "ENABLE_FAILED"}
    ]
    if active:
        yield Result(
            "not copied", "warning", f"Kinesis destination {active[0].get('StreamArn')} is not copied"
        )


def _insights(caller: SideCaller, table: str) -> Iterator[Result]:
    found = caller.call("describe_contributor_insights", {"TableName": table})
    if found.get("ContributorInsightsStatus") in {"ENABLED", "ENABLING"}:
        yield Result("not copied", "warning", "contributor insights of the source table are not copied")


def _signed_in(side: str, place: Location) -> str:
    return f"{side}: account {place.account}, {place.region}, as {place.caller}"


def _same(one: Location, other: Location) -> bool:
    return (one.account, one.region, one.name) == (other.account, other.region, other.name)
