"""The functions' settings, which Terraform passes in their environment."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, Self, get_type_hints


@dataclass(frozen=True)
class Prices:
    """AWS list prices in ``currency``. The defaults are those of us-east-1 at the end of 2025, on arm64.

    Parameters
    ----------
    currency
        Currency code.
    read_per_million, write_per_million
        A million request units of an on-demand table in the Standard table class.
    lambda_per_gb_second, lambda_per_million_requests
        A GB-second of a function's time, and a million invocations.
    stream_per_million_reads
        A million GetRecords calls that Lambda does not make itself.
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
"""Number of control functions: one moves the run, one answers operators."""

SHARDS_PER_READER = 500
"""Shards that one invocation reads for the reconciler, in a few seconds with a third of a core."""


def reader_count(shards: int, per_reader: int = SHARDS_PER_READER) -> int:
    """Return how many invocations read so many shards for the reconciler; 0 if it reads them itself."""
    return math.ceil(shards / per_reader) if shards > per_reader else 0


_PARSERS: dict[object, Callable[[str], Any]] = {
    str: str,
    int: int,
    float: float,
    float | None: float,
    bool: lambda value: value == "true",
    Prices: lambda value: Prices(**json.loads(value)),
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of every function. Each field is the environment variable of the same name in upper case."""

    journal_table: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Parse the settings. An empty variable counts as not set if its field has a default.

        Raises
        ------
        KeyError
            A variable without a default is not set; the error names it.
        ValueError
            A variable does not hold a number where one is required.
        """
        types = get_type_hints(cls)
        values = {}
        for field in fields(cls):
            name = field.name.upper()
            if environment.get(name) or field.default is MISSING:
                values[field.name] = _PARSERS[types[field.name]](environment[name])
        return cls(**values)


@dataclass(frozen=True, kw_only=True)
class DestinationSettings(Settings):
    """Settings of a function that uses the destination. ``copy_name`` is the copy's name in the metrics."""

    copy_name: str
    destination_table: str
    destination_region: str
    destination_role_arn: str
    destination_external_id: str


@dataclass(frozen=True, kw_only=True)
class BackfillSettings(DestinationSettings):
    """Settings of the backfill. Capacities are units a second over all workers, or None to adapt."""

    source_table: str
    read_capacity: float | None = None
    write_capacity: float | None = None


@dataclass(frozen=True, kw_only=True)
class VerifierSettings(DestinationSettings):
    """Settings of the verifier. Capacities are read units a second over all workers, or None to adapt."""

    source_table: str
    read_capacity: float | None = None
    destination_read_capacity: float | None = None


@dataclass(frozen=True, kw_only=True)
class CommandSettings(Settings):
    """Settings of control, which answers operators.

    Without a copy, ``stream_arn`` is empty: the tables are only compared. ``verification_machine_arn`` and
    ``tracker_function`` are the verifier's state machine and the tracker, or empty if there are none.
    """

    stream_arn: str = ""
    total_segments: int = 0
    drained_after_seconds: int = 0
    reconciler_function: str = ""
    tracker_function: str = ""
    verification_machine_arn: str = ""
    verification_segments: int = 16
    verification_concurrency: int = 16


@dataclass(frozen=True, kw_only=True)
class CopySettings:
    """What a copy is going to use, for preflight and the estimate. The defaults are the module's.

    Parameters
    ----------
    total_segments
        Segments of the parallel scan.
    concurrency
        Segments that are copied at the same time.
    unreserved_concurrency
        Unreserved Lambda executions that the copy uses, with one for the replicator.
    replicator_reserved
        Whether the replicator has reserved executions. Otherwise it uses one for each open shard.
    slice_seconds
        The longest time in seconds for which the replicator is paused.
    drained_after_seconds
        Seconds for which the stream must stay empty before the run is ready for cutover.
    allow_nonempty_destination
        Whether the destination may hold items.
    prices
        For the cost estimate.
    read_capacity, write_capacity
        Units a second over all workers, or None if the backfill adapts.
    """

    total_segments: int = 16
    concurrency: int = 16
    unreserved_concurrency: int = 16 + 1 + CONTROL_FUNCTIONS
    replicator_reserved: bool = False
    slice_seconds: int = 3600
    drained_after_seconds: int = 60
    allow_nonempty_destination: bool = False
    prices: Prices = Prices()
    read_capacity: float | None = None
    write_capacity: float | None = None


@dataclass(frozen=True, kw_only=True)
class ReconcilerSettings(CopySettings, DestinationSettings):
    """Settings of the reconciler: the resources it controls, and how a run proceeds.

    ``record_age_fraction`` is the part of 24 hours that no change may exceed in age. ``begin_at_seal`` is the
    time of the other copy's seal in RFC 3339, or empty: see `control.reconciler`. Lambda sets
    ``aws_lambda_function_memory_size``, the function's memory in MB, and ``aws_lambda_function_name``
    (Developer Guide, "Defined runtime environment variables"). ``shards_per_reader`` is how many shards one
    invocation reads for the reconciler; see `control.stream.parts`.
    """

    source_table: str
    stream_arn: str
    mapping_uuid: str
    state_machine_arn: str
    failure_queue_url: str
    start_on_apply: bool
    record_age_fraction: float = 0.5
    begin_at_seal: str = ""
    aws_lambda_function_memory_size: int = 256
    aws_lambda_function_name: str = ""
    shards_per_reader: int = SHARDS_PER_READER
