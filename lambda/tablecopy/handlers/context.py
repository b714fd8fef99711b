"""What the handlers share: Lambda's context object, and the clients of AWS that a function uses."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from botocore.config import Config

from tablecopy.clock import Clock, Machine
from tablecopy.data.writer import WRITE_TIMEOUT_SECONDS, WRITERS, BatchWriter, WriterFactory
from tablecopy.dynamodb.client import FUNCTION_CONFIG, DynamoDB, DynamoDBClient
from tablecopy.dynamodb.sessions import RoleSession, own_session
from tablecopy.journal.store import Store
from tablecopy.metrics.log import MetricsBuffer
from tablecopy.settings import DestinationSettings
from tablecopy.throughput.limits import write_usage
from tablecopy.throughput.rate import RateLimit

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_lambda.client import LambdaClient
    from mypy_boto3_sqs.client import SQSClient
    from mypy_boto3_stepfunctions.client import SFNClient

STREAM_CONNECTIONS = 32
"""Connections to DynamoDB Streams, one for each shard that is read at the same time."""

# A service that cannot be reached from the function's subnets must not take up the whole invocation.
_CONNECT_SECONDS = 3
_READ_SECONDS = 10


class Context(Protocol):
    """Lambda's context object."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda ends the function."""
        ...


def deadline(context: Context, clock: Clock) -> float:
    """Return the moment at which Lambda ends the function, in seconds since the epoch."""
    return clock.now() + context.get_remaining_time_in_millis() / 1000


class Aws:
    """The clients of AWS that a function uses. Tests pass another object with these methods to ``build``."""

    def journal(self, table: str) -> Store:
        """Return the journal, with the function's own role."""
        return Store(self._own, table)

    def source(self) -> DynamoDB:
        """Return DynamoDB in the source account, with the function's own role."""
        return self._own

    def destination(self, settings: DestinationSettings, function: str) -> DynamoDB:
        """Return DynamoDB in the destination account, with that account's role.

        ``function`` appears in the destination account's CloudTrail.
        """
        session = RoleSession(
            settings.destination_role_arn, settings.destination_external_id, f"tablecopy-{function}"
        )
        # Connecting and reading together take at most as long as the deadlines of writes leave.
        config = FUNCTION_CONFIG.merge(Config(read_timeout=WRITE_TIMEOUT_SECONDS - _CONNECT_SECONDS))
        return DynamoDBClient(session, settings.destination_region, config=config)

    def lambda_(self) -> LambdaClient:
        """Return Lambda."""
        return self._boto3.client("lambda", config=_config())

    def invocations(self) -> LambdaClient:
        """Return Lambda for synchronous invocations, which are not sent again."""
        retries = Config(retries={"total_max_attempts": 1}, max_pool_connections=STREAM_CONNECTIONS)
        return self._boto3.client("lambda", config=_config().merge(retries))

    def states(self) -> SFNClient:
        """Return Step Functions."""
        return self._boto3.client("stepfunctions", config=_config())

    def queues(self) -> SQSClient:
        """Return SQS."""
        return self._boto3.client("sqs", config=_config())

    def streams(self) -> DynamoDB:
        """Return DynamoDB Streams in the source account, with the function's own role."""
        config = FUNCTION_CONFIG.merge(Config(max_pool_connections=STREAM_CONNECTIONS))
        return DynamoDBClient(own_session(), config=config, service="dynamodbstreams")

    def destination_streams(self, settings: DestinationSettings, function: str) -> DynamoDB:
        """Return DynamoDB Streams in the destination account, with that account's role."""
        session = RoleSession(
            settings.destination_role_arn, settings.destination_external_id, f"tablecopy-{function}"
        )
        config = FUNCTION_CONFIG.merge(Config(max_pool_connections=STREAM_CONNECTIONS))
        return DynamoDBClient(session, settings.destination_region, config=config, service="dynamodbstreams")

    @cached_property
    def _own(self) -> DynamoDB:
        config = FUNCTION_CONFIG.merge(Config(max_pool_connections=WRITERS))
        return DynamoDBClient(own_session(), config=config)

    @cached_property
    def _boto3(self) -> boto3.Session:
        # Not needed on the hot path, and slow to import.
        import boto3

        return boto3.Session()


def _config() -> Config:
    return Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": 3},
    )


def writer_factory(
    client: DynamoDB, table: str, capacity: RateLimit, metrics: MetricsBuffer, machine: Machine
) -> WriterFactory:
    """Return a function that makes writers to ``table`` of the destination."""
    usage = write_usage(metrics, table)

    def make(key_names: Sequence[str], until: float) -> BatchWriter:
        return BatchWriter(client, table, key_names, capacity, usage, machine, until)

    return make
