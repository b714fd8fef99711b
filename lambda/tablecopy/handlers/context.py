"""What the functions need of Lambda's context object, and of each other's set-up."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from typing import Protocol

from botocore.config import Config

from tablecopy.clock import Clock
from tablecopy.data.writer import WRITE_TIMEOUT_SECONDS, BatchWriter, WriterFactory
from tablecopy.dynamodb.client import FUNCTION_CONFIG, DynamoDBClient
from tablecopy.dynamodb.sessions import RoleSession, own_session
from tablecopy.journal.store import Store
from tablecopy.metrics.log import MetricsBuffer
from tablecopy.settings import Settings
from tablecopy.throughput.limits import write_usage
from tablecopy.throughput.rate import RateLimit


class Context(Protocol):
    """Lambda's context object."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the function."""
        ...


def deadline(context: Context, clock: Clock) -> float:
    """The moment at which Lambda ends the function, seconds since the epoch."""
    return clock.now() + context.get_remaining_time_in_millis() / 1000


def settings() -> Settings:
    """The function's settings."""
    return Settings.from_environment(os.environ)


def budgets() -> tuple[float | None, float | None]:
    """Read and write capacity units a second over all workers, or None where nothing is set."""
    read, write = os.environ.get("READ_CAPACITY"), os.environ.get("WRITE_CAPACITY")
    return float(read) if read else None, float(write) if write else None


def journal(its: Settings, connections: int = 10) -> Store:
    """The journal, with the function's own role."""
    return Store(
        DynamoDBClient(own_session(), config=FUNCTION_CONFIG.merge(Config(max_pool_connections=connections))),
        its.journal_table,
    )


def writer_factory(
    its: Settings, clock: Clock, function: str, capacity: RateLimit, metrics: MetricsBuffer
) -> WriterFactory:
    """Makes writers to the destination that share one client, with the destination account's role."""
    client = DynamoDBClient(
        RoleSession(its.destination_role_arn, its.destination_external_id, f"tablecopy-{function}"),
        its.destination_region,
        config=FUNCTION_CONFIG.merge(Config(read_timeout=WRITE_TIMEOUT_SECONDS - 3)),
    )

    usage = write_usage(metrics, its.destination_table)

    def make(key_names: Sequence[str], until: float) -> BatchWriter:
        return BatchWriter(
            client, its.destination_table, key_names, capacity, usage, clock, until, random.Random()
        )

    return make
