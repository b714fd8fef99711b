"""What Terraform tells the functions through their environment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """What every function needs. ``copy_name`` is the copy's in the metrics."""

    copy_name: str
    journal_table: str
    source_table: str
    destination_table: str
    destination_region: str
    destination_role_arn: str
    destination_external_id: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Raises KeyError, naming the variable, when one is not set."""
        return cls(
            copy_name=environment["COPY_NAME"],
            journal_table=environment["JOURNAL_TABLE"],
            source_table=environment["SOURCE_TABLE"],
            destination_table=environment["DESTINATION_TABLE"],
            destination_region=environment["DESTINATION_REGION"],
            destination_role_arn=environment["DESTINATION_ROLE_ARN"],
            destination_external_id=environment["DESTINATION_EXTERNAL_ID"],
        )


@dataclass(frozen=True)
class CommandSettings:
    """What control needs besides: what a run begins with, and the function that carries its commands out."""

    stream_arn: str
    total_segments: int
    drained_after_seconds: int
    reconciler_function: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> CommandSettings:
        """Raises KeyError, naming the variable, when one is not set."""
        return cls(
            stream_arn=environment["STREAM_ARN"],
            total_segments=int(environment["TOTAL_SEGMENTS"]),
            drained_after_seconds=int(environment["DRAINED_AFTER_SECONDS"]),
            reconciler_function=environment["RECONCILER_FUNCTION"],
        )


@dataclass(frozen=True)
class Prices:
    """AWS's list prices in ``currency``. The defaults are those of us-east-1 at the end of 2025, on arm64.

    Parameters
    ----------
    currency
        Its code.
    read_per_million, write_per_million
        A million request units of an on-demand table of the class Standard.
    lambda_per_gb_second, lambda_per_million_requests
        A GB second of a function's time, and a million invocations.
    stream_per_million_reads
        A million calls of GetRecords that are not Lambda's own.
    states_per_million_transitions
        A million state transitions of a standard workflow.
    logs_per_gb
        A GB of logs ingested.
    nat_per_gb
        A GB through a NAT gateway.
    """

    currency: str = "USD"
    read_per_million: float = 0.125
    write_per_million: float = 0.625
    lambda_per_gb_second: float = 0.0000133334
    lambda_per_million_requests: float = 0.20
    stream_per_million_reads: float = 0.20
    states_per_million_transitions: float = 25.0
    logs_per_gb: float = 0.50
    nat_per_gb: float = 0.045


CONTROL_FUNCTIONS = 2
"""Functions that control consists of: one moves the run, one answers operators."""


@dataclass(frozen=True, kw_only=True)
class CopySettings:
    """What a copy is going to use, as preflight and the estimate need it. The defaults are the module's.

    Parameters
    ----------
    total_segments
        Parts of the parallel scan.
    concurrency
        Segments that are copied at the same time.
    unreserved_concurrency
        Executions the copy takes of those that no function has reserved, with one for the replicator.
    replicator_reserved
        Whether the replicator has executions of its own; otherwise it takes one for each open shard.
    slice_seconds
        The longest time for which the replicator is paused.
    drained_after_seconds
        Seconds for which the stream must stay empty before the run is ready for cutover.
    allow_items
        Whether the destination may hold items.
    prices
        For the estimate of the cost.
    read_capacity, write_capacity
        Units per second over all workers; ``None`` where the backfill adapts.
    """

    total_segments: int = 16
    concurrency: int = 16
    unreserved_concurrency: int = 16 + 1 + CONTROL_FUNCTIONS
    replicator_reserved: bool = False
    slice_seconds: int = 3600
    drained_after_seconds: int = 60
    allow_items: bool = False
    prices: Prices = Prices()
    read_capacity: float | None = None
    write_capacity: float | None = None


@dataclass(frozen=True, kw_only=True)
class ControlSettings(CopySettings):
    """What the reconciler needs besides: the parts it moves, and how a run is to go.

    ``record_age_fraction`` is the part of 24 hours that no change may grow older than.
    """

    stream_arn: str
    mapping_uuid: str
    state_machine_arn: str
    failure_queue_url: str
    start_on_apply: bool
    record_age_fraction: float = 0.5

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> ControlSettings:
        """Raises KeyError, naming the variable, when one that has no default is not set."""
        return cls(
            stream_arn=environment["STREAM_ARN"],
            mapping_uuid=environment["MAPPING_UUID"],
            state_machine_arn=environment["STATE_MACHINE_ARN"],
            failure_queue_url=environment["FAILURE_QUEUE_URL"],
            start_on_apply=environment["START_ON_APPLY"] == "true",
            total_segments=int(environment["TOTAL_SEGMENTS"]),
            slice_seconds=int(environment["SLICE_SECONDS"]),
            drained_after_seconds=int(environment["DRAINED_AFTER_SECONDS"]),
            allow_items=environment["ALLOW_NONEMPTY_DESTINATION"] == "true",
            concurrency=int(environment.get("CONCURRENCY") or cls.concurrency),
            unreserved_concurrency=int(
                environment.get("UNRESERVED_CONCURRENCY") or cls.unreserved_concurrency
            ),
            replicator_reserved=environment.get("REPLICATOR_RESERVED") == "true",
            record_age_fraction=float(environment.get("RECORD_AGE_FRACTION") or cls.record_age_fraction),
            prices=Prices(**json.loads(environment.get("PRICES") or "{}")),
            read_capacity=capacity(environment, "READ_CAPACITY"),
            write_capacity=capacity(environment, "WRITE_CAPACITY"),
        )


def capacity(environment: Mapping[str, str], name: str) -> float | None:
    """A budget in units per second; None where the variable is empty or not set."""
    value = environment.get(name)
    return float(value) if value else None
