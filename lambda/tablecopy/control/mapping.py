"""The event source mapping that feeds the replicator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from tablecopy.clock import Clock
from tablecopy.control.asking import Asking, is_not_yet

if TYPE_CHECKING:
    from mypy_boto3_lambda.client import LambdaClient
    from mypy_boto3_lambda.type_defs import EventSourceMappingConfigurationResponseTypeDef


# Once it is in the state that is wanted, only a person changes it. The phase and the leases keep writes
# apart all the same.
_SETTLED_SECONDS = 60.0


class Mapping:
    """Switches the mapping on and off. Both are idempotent and take effect after a while.

    Lambda is asked at growing intervals until it reports the state that is wanted, and once a minute then.
    """

    def __init__(self, client: LambdaClient, uuid: str, clock: Clock) -> None:
        self._client = client
        self._uuid = uuid
        self._clock = clock
        self._asking = Asking(clock)
        self._on: bool | None = None
        self._state = ""
        self._result = ""

    def switch(self, *, on: bool) -> bool:
        """Ask for the state that is wanted. True once Lambda has reported it since it was asked for first."""
        if on is not self._on:
            self._on, self._state, self._asking = on, "", Asking(self._clock)
        wanted, other = ("Enabled", "Disabled") if on else ("Disabled", "Enabled")
        if self._asking.is_due():
            try:
                self._state = self._switched(other, on)
            except ClientError as error:
                if not is_not_yet(error):
                    raise
                self._asking.asked()
            else:
                self._asking.asked(rest=_SETTLED_SECONDS if self._state == wanted else None)
        return self._state == wanted

    def complaint(self) -> str:
        """Why Lambda hands no changes over, in its words: a missing permission, a function that fails.

        Empty when it reported none when ``switch`` asked last (``LastProcessingResult``, which then says OK
        or that there was nothing).
        """
        if not self._result.startswith("PROBLEM"):
            return ""
        return f"Lambda hands no changes to the replicator; event source mapping {self._uuid}: {self._result}"

    def _switched(self, other: str, on: bool) -> str:
        """The mapping's state, with the change asked for if it is in the ``other`` one."""
        mapping = self._client.get_event_source_mapping(UUID=self._uuid)
        self._result = mapping.get("LastProcessingResult", "")
        # While it is being changed a mapping refuses an update.
        if mapping["State"] != other:
            return mapping["State"]
        return self._client.update_event_source_mapping(UUID=self._uuid, Enabled=on)["State"]

    def problems(self, stream_arn: str) -> list[str]:
        """Settings of the mapping with which changes could be lost, one sentence each."""
        mapping = self._client.get_event_source_mapping(UUID=self._uuid)
        return [
            f"event source mapping {self._uuid}: {problem}"
            for problem in _unsafe_settings(mapping, stream_arn)
        ]


def _unsafe_settings(mapping: EventSourceMappingConfigurationResponseTypeDef, stream_arn: str) -> list[str]:
    found = []
    if mapping["EventSourceArn"] != stream_arn:
        found.append(f"reads {mapping['EventSourceArn']} instead of {stream_arn}; apply Terraform again")
    if "ReportBatchItemFailures" not in mapping.get("FunctionResponseTypes", []):
        found.append("lacks ReportBatchItemFailures, so a partial failure would count as success")
    if mapping.get("ParallelizationFactor", 1) != 1:
        found.append("has a ParallelizationFactor above 1, with which progress cannot be told")
    if mapping.get("FilterCriteria", {}).get("Filters"):
        found.append("has filter criteria, so Lambda would discard changes; remove them")
    if mapping.get("StartingPosition") != "TRIM_HORIZON":
        found.append("does not start at TRIM_HORIZON, so it could miss changes; apply Terraform again")
    for setting in ("MaximumRetryAttempts", "MaximumRecordAgeInSeconds"):
        if mapping.get(setting, -1) != -1:
            found.append(f"has {setting} set, so Lambda would discard changes; it must be -1")
    return found
