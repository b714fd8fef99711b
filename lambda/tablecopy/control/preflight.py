"""Preflight: what has to hold before anything is paused or read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from tablecopy.control.limits import concurrency_problems, read_capacity_problems
from tablecopy.control.readers import open_shards, reader_problems
from tablecopy.control.tables import Caller, destination_problems, source_problems
from tablecopy.dynamodb import errors
from tablecopy.settings import CopySettings

if TYPE_CHECKING:
    from mypy_boto3_dynamodbstreams.client import DynamoDBStreamsClient
    from mypy_boto3_lambda.client import LambdaClient

Check = Callable[[], list[str]]
"""Returns the problems it finds, one sentence each with what to do."""


@dataclass(frozen=True)
class Preflight:
    """The checks of a copy, the same before it is applied and in control.

    Parameters
    ----------
    source, destination
        Call DynamoDB on either side.
    source_table, destination_table
        Names of the tables.
    lambda_, streams
        Clients of the source account.
    settings
        What the copy is going to use.
    stream_arn, own_mapping
        ARN of the stream that the copy reads and UUID of its event source mapping; ``None`` while there is
        no copy.
    confirmed
        An operator starts the run. One that an apply has begun must not write over items.
    """

    source: Caller
    source_table: str
    destination: Caller
    destination_table: str
    lambda_: LambdaClient
    streams: DynamoDBStreamsClient
    settings: CopySettings
    stream_arn: str | None = None
    own_mapping: str | None = None
    confirmed: bool = True

    def stream(self) -> list[str]:
        """Check that the source table has a stream with new images, and still the one that is read."""
        return source_problems(self.source, self.source_table, self.stream_arn)

    def readers(self, stream_arn: str) -> list[str]:
        """Check that no one else reads the stream."""
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

    def concurrency(self, stream_arn: str) -> list[str]:
        """Check that the account can run the copy's functions at the same time."""
        shards = open_shards(self.streams, stream_arn)
        return concurrency_problems(self.lambda_, self.settings, shards)

    def capacity(self) -> list[str]:
        """Check that the read budget is not larger than what the source table has provisioned."""
        return read_capacity_problems(self.source, self.source_table, self.settings)

    def checks(self, stream_arn: str) -> list[Check]:
        """List all checks of a copy that reads the stream ``stream_arn``."""
        return [
            self.stream,
            partial(self.readers, stream_arn),
            self.destination_ready,
            partial(self.concurrency, stream_arn),
            self.capacity,
        ]


def problems(checks: Sequence[Check]) -> list[str]:
    """The problems that all checks find. One that is denied finds that, and the others still run.

    They run at the same time: where no service can be reached, one after another would take longer than the
    function may run, and nobody would be told.
    """
    found: list[str] = []
    with ThreadPoolExecutor(max(1, len(checks))) as pool:
        running = [pool.submit(check) for check in checks]
    for done in running:
        try:
            found += done.result()
        except ClientError as error:
            # A Region that the account has not enabled answers as if the credentials had expired.
            if not (errors.is_denied(error) or errors.is_expired(error)):
                raise
            found.append(
                f"{error.operation_name} is denied: {error.response['Error'].get('Message', '')} "
                "(a role just created is denied for up to two minutes; this is tried again every minute)"
            )
    return found
