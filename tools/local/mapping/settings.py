"""What a mapping is told to do."""

from __future__ import annotations

from collections.abc import Mapping as Dictionary
from dataclasses import dataclass
from typing import Any, Self

# While a mapping is being enabled or updated, Lambda reads already.
READING_STATES = frozenset({"Enabled", "Enabling", "Updating"})
INFINITE = -1


@dataclass(frozen=True, slots=True)
class Settings:
    """A mapping as ``GetEventSourceMapping`` reports it, with AWS's defaults filled in.

    Attributes
    ----------
    maximum_retries, maximum_age : int, optional
        None is without limit; the age is in seconds.
    window : int
        ``MaximumBatchingWindowInSeconds``.
    unsupported : str, optional
        What it asks for that is not reproduced here.
    """

    uuid: str
    function_arn: str
    stream_arn: str
    enabled: bool
    starting_position: str = "TRIM_HORIZON"
    batch_size: int = 100
    window: int = 0
    lanes: int = 1
    bisect: bool = False
    partial_responses: bool = False
    maximum_retries: int | None = None
    maximum_age: int | None = None
    on_failure: str | None = None
    unsupported: str | None = None

    @classmethod
    def from_api(cls, mapping: Dictionary[str, Any]) -> Self:
        """Read the settings from one mapping of the Lambda API."""
        return cls(
            uuid=mapping["UUID"],
            function_arn=mapping["FunctionArn"],
            stream_arn=mapping["EventSourceArn"],
            enabled=mapping.get("State") in READING_STATES,
            starting_position=mapping.get("StartingPosition", "TRIM_HORIZON"),
            batch_size=mapping.get("BatchSize") or 100,
            window=mapping.get("MaximumBatchingWindowInSeconds") or 0,
            lanes=mapping.get("ParallelizationFactor") or 1,
            bisect=bool(mapping.get("BisectBatchOnFunctionError")),
            partial_responses="ReportBatchItemFailures" in (mapping.get("FunctionResponseTypes") or ()),
            maximum_retries=_limit(mapping.get("MaximumRetryAttempts")),
            maximum_age=_limit(mapping.get("MaximumRecordAgeInSeconds")),
            on_failure=((mapping.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination"),
            unsupported=_unsupported(mapping),
        )


def is_dynamodb_stream(mapping: Dictionary[str, Any]) -> bool:
    """Whether a mapping of the Lambda API reads a DynamoDB stream."""
    arn = mapping.get("EventSourceArn", "")
    return ":dynamodb:" in arn and "/stream/" in arn


def _limit(value: int | None) -> int | None:
    return None if value is None or value == INFINITE else value


def _unsupported(mapping: Dictionary[str, Any]) -> str | None:
    if (mapping.get("FilterCriteria") or {}).get("Filters"):
        return "FilterCriteria"
    if mapping.get("TumblingWindowInSeconds"):
        return "TumblingWindowInSeconds"
    return None
