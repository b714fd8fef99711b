"""Preflight: what must hold before the copy pauses or reads anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotoConnectionError

from tablecopy.clock import Clock, Machine
from tablecopy.control.tables import (
    Caller,
    described,
    destination_problems,
    provisioned,
    source_problems,
)
from tablecopy.dynamodb import errors
from tablecopy.settings import CopySettings, reader_count

if TYPE_CHECKING:
    from mypy_boto3_dynamodbstreams.client import DynamoDBStreamsClient
    from mypy_boto3_lambda.client import LambdaClient

READERS_PER_SHARD = 2
"""Readers that a shard may have at the same time (Developer Guide, DynamoDB Streams). The copy is both."""

UNREACHABLE = (BotoConnectionError, HTTPClientError)
"""What botocore raises when it cannot connect, or when an answer is not complete."""

_BETWEEN_PAGES_SECONDS = 1.0

# How the host name of a service begins, after the id of an interface endpoint, and the name of the service.
_SERVICES = {
    "streams.dynamodb": "DynamoDB Streams",
    "dynamodb": "DynamoDB",
    # Account-based endpoints, which botocore prefers if it knows the account, as it does for an assumed role.
    "ddb": "DynamoDB",
    "lambda": "Lambda",
    "sqs": "SQS",
    "states": "Step Functions",
    "sts": "STS",
}

Check: TypeAlias = Callable[[], list[str]]
"""Returns the problems it finds: one text each that says what is wrong and what to do."""


@dataclass(frozen=True)
class Preflight:
    """The checks of a copy, the same before Terraform applies it and in control.

    Parameters
    ----------
    source, destination
        Call DynamoDB on each side.
    source_table, destination_table
        Table names.
    lambda_
        Client of the source account.
    open_shards
        Returns the number of open shards of the stream.
    settings
        Settings of the copy.
    stream_arn, own_mapping
        ARN of the stream that the copy reads and UUID of its event source mapping; ``None`` while the copy
        does not exist.
    confirmed
        An operator starts the run. A run that an apply has begun must not overwrite items.
    """

    source: Caller
    source_table: str
    destination: Caller
    destination_table: str
    lambda_: LambdaClient
    open_shards: Callable[[], int]
    settings: CopySettings
    stream_arn: str | None = None
    own_mapping: str | None = None
    confirmed: bool = True

    def stream(self) -> list[str]:
        """Check that the source table has a stream with new images, and still the one that is read."""
        return source_problems(self.source, self.source_table, self.stream_arn)

    def readers(self, stream_arn: str) -> list[str]:
        """Check that no other Lambda function reads the stream."""
        return reader_problems(self.lambda_, stream_arn, self.own_mapping)

    def destination_ready(self) -> list[str]:
        """Check that the destination table can take the copy."""
        return destination_problems(
            self.source,
            self.source_table,
            self.destination,
            self.destination_table,
            allow_items=self.settings.allow_nonempty_destination,
            confirmed=self.confirmed,
        )

    def concurrency(self) -> list[str]:
        """Check that the account can run the copy's functions at the same time."""
        return concurrency_problems(self.lambda_, self.settings, self.open_shards())

    def capacity(self) -> list[str]:
        """Check that the source table has provisioned the read capacity that the backfill may use."""
        return read_capacity_problems(self.source, self.source_table, self.settings)

    def checks(self, stream_arn: str) -> list[Check]:
        """Return all checks of a copy that reads the stream ``stream_arn``."""
        return [
            self.stream,
            partial(self.readers, stream_arn),
            self.destination_ready,
            self.concurrency,
            self.capacity,
        ]


def problems(checks: Sequence[Check], machine: Machine) -> list[str]:
    """Run all checks and return the problems that they find, among them denied calls and lost connections.

    The checks run at the same time. If no service can be reached, one after another would take longer than
    the function may run, and the problem would never be reported.
    """
    found: list[str] = []
    with machine.pool(max(1, len(checks))) as pool:
        running = [pool.submit(check) for check in checks]
    for done in running:
        try:
            found += done.result()
        except ClientError as error:
            # A Region that the account has not enabled answers as if the credentials had expired.
            if not (errors.is_denied(error) or errors.is_expired(error)):
                raise
            found.append(
                f"{error.operation_name} is denied: {error.response['Error'].get('Message', '')}. AWS denies "
                "a new role for up to two minutes. The reconciler tries again every minute"
            )
        except UNREACHABLE as error:
            found.append(unreachable_problem(error))
    return found


def unreachable_problem(error: BotoConnectionError | HTTPClientError) -> str:
    """Return which service does not answer, and what makes it reachable from the function's subnets."""
    parts = urlsplit(str(error.kwargs.get("endpoint_url", "")))
    host = parts.hostname or ""
    names = [
        name for begin, name in _SERVICES.items() if host.startswith(f"{begin}.") or f".{begin}." in host
    ]
    name = names[0] if names else "an AWS service"
    at = f" at {parts.scheme}://{parts.netloc}" if host else ""
    advice = "Route the subnets through a NAT gateway, or create a VPC endpoint for the service"
    if name == "DynamoDB Streams":
        advice += " and set vpc.dynamodb_streams_endpoint_url"
    return (
        f"cannot reach {name}{at} from the function's subnets. {advice}. "
        "The reconciler tries again every minute"
    )


def reader_problems(client: LambdaClient, stream_arn: str, own: str | None) -> list[str]:
    """Return the mappings that leave no reader for the copy, each with the command that deletes it.

    Parameters
    ----------
    client
        Client of the source account.
    stream_arn
        ARN of the source table's stream.
    own
        UUID of the copy's own mapping; ``None`` while it does not exist.
    """
    pages = client.get_paginator("list_event_source_mappings").paginate(EventSourceArn=stream_arn)
    return [
        # A disabled mapping may be enabled at any time.
        f"the source table's stream has another reader: function {mapping['FunctionArn']} (mapping "
        f"{'disabled' if mapping.get('State') == 'Disabled' else 'enabled'}). DynamoDB allows "
        f"{READERS_PER_SHARD} readers of a shard, and the copy uses both. Delete the mapping until the copy "
        f"has ended: aws lambda delete-event-source-mapping --uuid {mapping['UUID']}"
        for page in pages
        for mapping in page["EventSourceMappings"]
        if mapping.get("State") != "Deleting" and mapping["UUID"] != own
    ]


def global_table_warning(description: Mapping[str, Any]) -> str | None:
    """Return a warning if the source is a global table, whose replication reads the stream as well.

    AWS recommends at most one reader there (Lambda Developer Guide, Using Lambda with DynamoDB).
    """
    if not description.get("Replicas") and not description.get("GlobalTableVersion"):
        return None
    return (
        "the source is a global table. AWS recommends at most one reader of its stream, and the copy adds "
        "two. Expect throttled reads and a growing lag under heavy writes"
    )


def open_shards(client: DynamoDBStreamsClient, stream_arn: str, clock: Clock) -> int:
    """Return the number of shards that take changes now; DescribeStream lists closed ones for 24 hours.

    Parameters
    ----------
    client
        Client of the source account.
    clock
        Clock that waits between the pages: a page has 100 shards, and all of an account's DescribeStream
        calls share a rate.
    """
    count = 0
    request: dict[str, str] = {}
    while True:
        page = client.describe_stream(StreamArn=stream_arn, **request)["StreamDescription"]  # type: ignore[arg-type]
        count += sum(
            "EndingSequenceNumber" not in shard.get("SequenceNumberRange", {}) for shard in page["Shards"]
        )
        last = page.get("LastEvaluatedShardId")
        if last is None:
            return count
        request = {"ExclusiveStartShardId": last}
        clock.sleep(_BETWEEN_PAGES_SECONDS)


def concurrency_problems(client: LambdaClient, settings: CopySettings, shards: int) -> list[str]:
    """Check that the account can run as many functions at the same time as the copy needs.

    Workers and replicators alternate, so the larger number counts. Of many replicators, one is always between
    two batches, so control finds room among them.

    Parameters
    ----------
    client
        Client of the source account.
    settings
        How many unreserved executions the copy uses.
    shards
        Open shards of the stream: Lambda invokes the replicator once for each (ParallelizationFactor 1).
    """
    limit = client.get_account_settings()["AccountLimit"]
    free = limit["UnreservedConcurrentExecutions"]
    replicators = 0 if settings.replicator_reserved else max(1, shards)
    readers = reader_count(shards)
    needed = max(settings.unreserved_concurrency, replicators) + readers
    if free >= needed:
        return []
    for_shards = replicators > settings.unreserved_concurrency
    more = f", and {readers} to read them" if readers else ""
    reason = f" (the replicator one for each of {replicators:,} open shards{more})" if for_shards else ""
    problem = (
        f"not enough Lambda concurrency: the copy needs {needed}{reason}, and the source account has {free} "
        f"unreserved of {limit['ConcurrentExecutions']}. "
    )
    workers = settings.concurrency - (settings.unreserved_concurrency + readers - free)
    # If the workers have reserved executions, they use none of these.
    workers_count = settings.unreserved_concurrency >= settings.concurrency
    if workers_count and workers >= 1 and free >= replicators + readers:
        return [f"{problem}Set backfill.concurrency to {workers} or less, or request a higher quota"]
    return [f"{problem}Request a higher quota"]


def read_capacity_problems(source: Caller, table: str, settings: CopySettings) -> list[str]:
    """Check that a provisioned source table has the read capacity that the backfill may use."""
    description = described(source, table)
    if description is None or settings.read_capacity is None:
        return []
    has = provisioned(description, "ReadCapacityUnits")
    if not has or settings.read_capacity <= has:
        return []
    return [
        f"backfill.read_capacity is {settings.read_capacity:g} read units per second, but source table "
        f"{table} has {has:g} provisioned. Lower backfill.read_capacity, or provision more"
    ]
