"""Preflight's questions about limits: does what was asked for fit in the account and in the source?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tablecopy.control.tables import Caller, described, provisioned
from tablecopy.settings import CopySettings

if TYPE_CHECKING:
    from mypy_boto3_lambda.client import LambdaClient


def concurrency_problems(client: LambdaClient, settings: CopySettings, shards: int) -> list[str]:
    """Check that the account can run as many functions at the same time as a slice needs.

    Parameters
    ----------
    client
        Client of the source account.
    settings
        How many executions the copy takes of those that no function has reserved.
    shards
        Open shards of the stream: Lambda invokes the replicator once for each (ParallelizationFactor 1).
    """
    limit = client.get_account_settings()["AccountLimit"]
    free = limit["UnreservedConcurrentExecutions"]
    replicators = 0 if settings.replicator_reserved else max(1, shards)
    wanted = settings.unreserved_concurrency + max(0, replicators - 1)
    if free >= wanted:
        return []
    problem = (
        f"not enough Lambda concurrency: the copy needs {wanted}{_shards(replicators)}, and the source "
        f"account has {free} unreserved of {limit['ConcurrentExecutions']}. "
    )
    workers = settings.concurrency - (wanted - free)
    # With executions of their own reserved, the workers take none of these.
    if workers >= 1 and settings.unreserved_concurrency >= settings.concurrency:
        return [f"{problem}Set backfill.concurrency to {workers} or less, or request a higher quota"]
    return [f"{problem}Request a higher quota"]


def _shards(replicators: int) -> str:
    return f" (of these {replicators} for the replicator, one for each open shard)" if replicators > 1 else ""


def read_capacity_problems(source: Caller, table: str, settings: CopySettings) -> list[str]:
    """Whether a provisioned source has what the backfill is allowed to read."""
    description = described(source, table)
    if description is None or settings.read_capacity is None:
        return []
    has = provisioned(description, "ReadCapacityUnits")
    if not has or settings.read_capacity <= has:
        return []
    return [
        f"backfill.read_capacity is {settings.read_capacity:g} read units per second, but source table "
        f"{table} has {has:g} provisioned. Lower the budget, or provision more"
    ]
