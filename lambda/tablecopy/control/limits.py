"""Preflight's questions about limits: does what was asked for fit in the account and in the source?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tablecopy.control.tables import described, provisioned
from tablecopy.settings import ControlSettings
from tablecopy.wire import Wire

if TYPE_CHECKING:
    from mypy_boto3_lambda.client import LambdaClient


def concurrency_problems(client: LambdaClient, settings: ControlSettings) -> list[str]:
    """Whether the account lets as many functions run at the same time as a slice wants.

    That is the workers, the replicator (one more for each further shard) and control, each unless it has
    executions of its own reserved.
    """
    limit = client.get_account_settings()["AccountLimit"]
    free, wanted = limit["UnreservedConcurrentExecutions"], settings.unreserved_concurrency
    if free >= wanted:
        return []
    workers = max(1, settings.concurrency - (wanted - free))
    advice = f"Lower backfill.concurrency to {workers} or less, or have" if wanted > 2 else "Have"
    return [
        f"the account lets {free} functions run at the same time (of {limit['ConcurrentExecutions']}, less "
        f"what is reserved), and the copy wants {wanted}: its workers, the replicator and control, but for "
        f"those with a reserved_concurrency. {advice} the account's limit raised"
    ]


def read_capacity_problems(source: Wire, table: str, settings: ControlSettings) -> list[str]:
    """Whether a provisioned source has what the backfill is allowed to read."""
    description = described(source, table)
    if description is None or settings.read_capacity is None:
        return []
    has = provisioned(description, "ReadCapacityUnits")
    if not has or settings.read_capacity <= has:
        return []
    return [
        f"backfill.read_capacity is {settings.read_capacity:g} units a second, and source table {table} has "
        f"{has:g} provisioned in all; allow at most that, or provision more"
    ]
