from __future__ import annotations

import pytest

from tests.unit.tools.local.mapping.fakes import FUNCTION, QUEUE, STREAM, UUID
from tools.local.mapping.mapping import Settings, is_dynamodb_stream

LEAST = {"UUID": UUID, "FunctionArn": FUNCTION, "EventSourceArn": STREAM, "State": "Enabled"}


def test_defaults_are_those_of_aws() -> None:
    settings = Settings.from_api(LEAST)
    assert settings == Settings(UUID, FUNCTION, STREAM, enabled=True)
    assert (settings.batch_size, settings.window) == (100, 0)


def test_everything_that_a_copy_sets() -> None:
    settings = Settings.from_api(
        LEAST
        | {
            "StartingPosition": "TRIM_HORIZON",
            "BatchSize": 1000,
            "MaximumBatchingWindowInSeconds": 1,
            "ParallelizationFactor": 1,
            "BisectBatchOnFunctionError": False,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "MaximumRetryAttempts": -1,
            "MaximumRecordAgeInSeconds": -1,
            "DestinationConfig": {"OnFailure": {"Destination": QUEUE}},
        }
    )
    assert settings == Settings(UUID, FUNCTION, STREAM, True, 1000, 1, True, None)


@pytest.mark.parametrize(
    ("state", "enabled"),
    [("Enabled", True), ("Enabling", True), ("Updating", True), ("Disabled", False), ("Disabling", False),
     ("Creating", False), ("Deleting", False)],
)  # fmt: skip
def test_states(state: str, enabled: bool) -> None:
    assert Settings.from_api(LEAST | {"State": state}).enabled is enabled


@pytest.mark.parametrize(
    "asked",
    [
        {"FilterCriteria": {"Filters": [{"Pattern": "{}"}]}},
        {"TumblingWindowInSeconds": 30},
        {"StartingPosition": "LATEST"},
        {"ParallelizationFactor": 2},
        {"BisectBatchOnFunctionError": True},
        {"MaximumRetryAttempts": 0},
        {"MaximumRecordAgeInSeconds": 60},
    ],
)
def test_what_is_not_supported(asked: dict[str, object]) -> None:
    assert Settings.from_api(LEAST | asked).unsupported == next(iter(asked))


def test_an_empty_filter_is_none() -> None:
    assert Settings.from_api(LEAST | {"FilterCriteria": {"Filters": []}}).unsupported is None


@pytest.mark.parametrize(
    ("mapping", "expected"),
    [
        (LEAST, True),
        ({"EventSourceArn": "arn:aws:sqs:eu-west-1:111111111111:queue"}, False),
        ({"EventSourceArn": "arn:aws:kinesis:eu-west-1:111111111111:stream/dynamodb"}, False),
        ({}, False),
    ],
)
def test_other_sources_are_not_served(mapping: dict[str, str], expected: bool) -> None:
    assert is_dynamodb_stream(mapping) is expected
