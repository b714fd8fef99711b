"""Preflight's questions about limits: does what was asked for fit in the account and in the source?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tablecopy.control.tables import described, provisioned
from tablecopy.settings import ControlSettings
from tablecopy.wire import Wire

if TYPE_CHECKING:
    from mypy_boto3_lambda.client import LambdaClient

# The replicator and control run beside the workers. The replicator takes one more for each further shard.
_BESIDE_WORKERS = 2


def concurrency_problems(client: LambdaClient, settings: ControlSettings) -> list[str]:
    """Whether the account lets as many functions run at the same time as a slice wants."""
    limit = client.get_account_settings()["AccountLimit"]
    free = limit["UnreservedConcurrentExecutions"]
    wanted = settings.concurrency + _BESIDE_WORKERS
    if free >= wanted:
        return []
    return [
        f"the account lets {free} functions run at the same time (of {limit['ConcurrentExecutions']}, less "
        f"what others reserve), and the copy wants {wanted}: {settings.concurrency} workers, the replicator "
        f"and control. Lower backfill.concurrency to {max(1, free - _BESIDE_WORKERS)} or less, or have the "
        "account's limit raised"
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
