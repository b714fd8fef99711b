"""A value that AWS would refuse when Terraform creates a resource is found."""

from __future__ import annotations

from typing import Any

import pytest

from tools.checks.hcl import REPOSITORY, used_types
from tools.checks.values import TYPES, problems

FUNCTION = {
    "function_name": "tablecopy-orders-backfill",
    "description": "Copies.",
    "handler": "tablecopy.handlers.backfill.handle",
    "runtime": "python3.13",
    "architectures": ["arm64"],
    "timeout": 900,
    "memory_size": 1024,
}
ALARM = {
    "alarm_name": "a",
    "comparison_operator": "GreaterThanThreshold",
    "period": 60,
    "statistic": "Maximum",
}
TABLE = {
    "name": "orders",
    "billing_mode": "PAY_PER_REQUEST",
    "read_capacity": None,
    "attribute": [{"name": "pk", "type": "S"}],
    "global_secondary_index": [],
    "tags": {"team": "orders"},
}
ROLE = {"name": "tablecopy-orders", "path": "/", "description": "Copies.", "tags": {"Größe": "1 GB"}}
SCHEDULE = {
    "name": "every-minute",
    "flexible_time_window": [{"mode": "OFF"}],
    "target": [{"retry_policy": [{"maximum_retry_attempts": 0, "maximum_event_age_in_seconds": 60}]}],
}
MAPPING = {"starting_position": "TRIM_HORIZON", "function_response_types": ["ReportBatchItemFailures"]}
# Made of names alone, or checked as a document.
UNCHECKED = {"aws_cloudwatch_dashboard", "aws_sns_topic_policy"}


def told(type_: str, values: dict[str, Any]) -> list[str]:
    change = {"address": "it", "type": type_, "mode": "managed", "change": {"after": values}}
    return list(problems({"resource_changes": [change]}))


@pytest.mark.parametrize(
    ("type_", "values"),
    [
        ("aws_lambda_function", FUNCTION),
        ("aws_cloudwatch_metric_alarm", ALARM),
        ("aws_dynamodb_table", TABLE),
        ("aws_iam_role", ROLE),
        ("aws_scheduler_schedule", SCHEDULE),
        ("aws_lambda_event_source_mapping", {**MAPPING, "maximum_retry_attempts": -1}),
        ("aws_sqs_queue", {"name": "q", "message_retention_seconds": 1_209_600}),
        ("aws_cloudwatch_log_group", {"name": "/aws/lambda/x", "retention_in_days": 30}),
        ("aws_sns_topic", {"name": None}),
        ("aws_unknown", {"name": "?"}),
    ],
)
def test_sound_values(type_: str, values: dict[str, Any]) -> None:
    assert told(type_, values) == []


@pytest.mark.parametrize(
    ("type_", "values", "problem"),
    [
        ("aws_lambda_function", {**FUNCTION, "runtime": "python3.99"}, "it.runtime 'python3.99' is none of "),
        ("aws_lambda_function", {**FUNCTION, "architectures": ["arm"]}, "it.architectures 'arm' is none of "),
        (
            "aws_lambda_function",
            {**FUNCTION, "architectures": ["arm64", "x86_64"]},
            "it.architectures ['arm64', 'x86_64']: the number of its elements is above 1",
        ),
        ("aws_lambda_function", {**FUNCTION, "timeout": 901}, "it.timeout 901 is not from 1 to 900"),
        ("aws_lambda_function", {**FUNCTION, "memory_size": 64}, "it.memory_size 64 is "),
        (
            "aws_lambda_function",
            {**FUNCTION, "function_name": "x" * 65},
            f"it.function_name '{'x' * 65}' does not match ",
        ),
        (
            "aws_cloudwatch_metric_alarm",
            {**ALARM, "comparison_operator": "Above"},
            "it.comparison_operator 'Above' is none of ",
        ),
        ("aws_cloudwatch_metric_alarm", {**ALARM, "statistic": "p99"}, "it.statistic 'p99' is none of "),
        ("aws_cloudwatch_metric_alarm", {**ALARM, "period": 90}, "it.period 90 is neither "),
        (
            "aws_cloudwatch_metric_alarm",
            {**ALARM, "treat_missing_data": "bad"},
            "it.treat_missing_data 'bad' is none of ",
        ),
        ("aws_dynamodb_table", {**TABLE, "billing_mode": "FREE"}, "it.billing_mode 'FREE' is none of "),
        (
            "aws_dynamodb_table",
            {**TABLE, "attribute": [{"name": "pk", "type": "T"}]},
            "it.attribute.type 'T' is none of ",
        ),
        (
            "aws_dynamodb_table",
            {**TABLE, "tags": {"k" * 129: ""}},
            f"it.tags '{'k' * 129}': its length is above 128",
        ),
        (
            "aws_iam_role",
            {**ROLE, "description": "Copies → it"},
            "it.description 'Copies → it' does not match ",
        ),
        ("aws_iam_role", {**ROLE, "tags": {"a": "b;c"}}, "it.tags 'b;c' does not match "),
        ("aws_iam_role", {**ROLE, "name": "a b"}, "it.name 'a b' does not match "),
        ("aws_iam_role", {**ROLE, "path": "copies"}, "it.path 'copies' does not match "),
        (
            "aws_scheduler_schedule",
            {**SCHEDULE, "flexible_time_window": [{"mode": "NO"}]},
            "it.flexible_time_window.mode 'NO' is none of ",
        ),
        (
            "aws_scheduler_schedule",
            {"target": [{"retry_policy": [{"maximum_event_age_in_seconds": 59}]}]},
            "it.target.retry_policy.maximum_event_age_in_seconds 59 is below 60",
        ),
        (
            "aws_lambda_event_source_mapping",
            {**MAPPING, "starting_position": "AT_TIMESTAMP"},
            "it.starting_position 'AT_TIMESTAMP' is none of ",
        ),
        (
            "aws_lambda_event_source_mapping",
            {**MAPPING, "maximum_retry_attempts": -2},
            "it.maximum_retry_attempts -2 is below -1",
        ),
        ("aws_sfn_state_machine", {"name": "m", "type": "FAST"}, "it.type 'FAST' is none of "),
        (
            "aws_sqs_queue",
            {"message_retention_seconds": 59},
            "it.message_retention_seconds 59 is not from 60 ",
        ),
        ("aws_cloudwatch_log_group", {"retention_in_days": 31}, "it.retention_in_days 31 is none of "),
        ("aws_sns_topic_subscription", {"protocol": "mail"}, "it.protocol 'mail' is none of "),
        (
            "aws_lambda_function_event_invoke_config",
            {"maximum_retry_attempts": 3},
            "it.maximum_retry_attempts 3 is above 2",
        ),
    ],
)
def test_what_is_wrong_is_told(type_: str, values: dict[str, Any], problem: str) -> None:
    found = told(type_, values)
    assert found
    assert all(each.startswith(problem) for each in found)


def test_every_type_is_checked() -> None:
    modules = REPOSITORY.glob("modules/*/*.tf")
    used = {name.removeprefix("resource ") for name in used_types(modules) if name.startswith("resource ")}
    assert used == TYPES | UNCHECKED
