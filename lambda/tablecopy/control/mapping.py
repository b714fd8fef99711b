"""The event source mapping that feeds the replicator."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_lambda.client import LambdaClient
    from mypy_boto3_lambda.type_defs import EventSourceMappingConfigurationResponseTypeDef


class Mapping:
    """Switches the mapping on and off. Both are idempotent and take effect after a while."""

    def __init__(self, client: LambdaClient, uuid: str) -> None:
        self._client = client
        self._uuid = uuid

    def switch(self, *, on: bool) -> bool:
        """Ask for the state that is wanted. True once Lambda reports it."""
        wanted, other = ("Enabled", "Disabled") if on else ("Disabled", "Enabled")
        state = self._client.get_event_source_mapping(UUID=self._uuid)["State"]
        # While it is being changed a mapping refuses an update (ResourceInUseException); look again later.
        if state == other:
            state = self._client.update_event_source_mapping(UUID=self._uuid, Enabled=on)["State"]
        return state == wanted

    def complaint(self) -> str:
        """Why Lambda hands no changes over, in its words: a missing permission, a function that fails.

        Empty when it reports none (``LastProcessingResult``, which then says OK or that there was nothing).
        """
        result = self._client.get_event_source_mapping(UUID=self._uuid).get("LastProcessingResult", "")
        if not result.startswith("PROBLEM"):
            return ""
        return f"Lambda hands no changes to the replicator; event source mapping {self._uuid}: {result}"

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
