"""What Terraform tells the functions through their environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """What every function needs."""

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
            journal_table=environment["JOURNAL_TABLE"],
            source_table=environment["SOURCE_TABLE"],
            destination_table=environment["DESTINATION_TABLE"],
            destination_region=environment["DESTINATION_REGION"],
            destination_role_arn=environment["DESTINATION_ROLE_ARN"],
            destination_external_id=environment["DESTINATION_EXTERNAL_ID"],
        )


@dataclass(frozen=True)
class ControlSettings:
    """What control needs besides: the parts it moves, and how a run is to go."""

    copy_name: str
    stream_arn: str
    mapping_uuid: str
    state_machine_arn: str
    failure_queue_url: str
    start_on_apply: bool
    total_segments: int
    slice_seconds: int
    drained_after_seconds: int
    allow_items: bool

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> ControlSettings:
        """Raises KeyError, naming the variable, when one is not set."""
        return cls(
            copy_name=environment["COPY_NAME"],
            stream_arn=environment["STREAM_ARN"],
            mapping_uuid=environment["MAPPING_UUID"],
            state_machine_arn=environment["STATE_MACHINE_ARN"],
            failure_queue_url=environment["FAILURE_QUEUE_URL"],
            start_on_apply=environment["START_ON_APPLY"] == "true",
            total_segments=int(environment["TOTAL_SEGMENTS"]),
            slice_seconds=int(environment["SLICE_SECONDS"]),
            drained_after_seconds=int(environment["DRAINED_AFTER_SECONDS"]),
            allow_items=environment["ALLOW_NONEMPTY_DESTINATION"] == "true",
        )
