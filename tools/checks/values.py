"""Whether AWS accepts the values with which Terraform would create a resource.

Names, choices, lengths and limits are those of the request that the provider sends, as botocore's models have
them. What the models leave to the documentation is in `_DOCUMENTED`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import botocore.session
from botocore.model import Shape

Json = dict[str, Any]

_TABLE = {
    "name": "TableName",
    "billing_mode": "BillingMode",
    "table_class": "TableClass",
    "stream_view_type": "StreamSpecification.StreamViewType",
    "read_capacity": "ProvisionedThroughput.ReadCapacityUnits",
    "write_capacity": "ProvisionedThroughput.WriteCapacityUnits",
    "attribute.name": "AttributeDefinitions.AttributeName",
    "attribute.type": "AttributeDefinitions.AttributeType",
    "global_secondary_index.name": "GlobalSecondaryIndexes.IndexName",
    "global_secondary_index.projection_type": "GlobalSecondaryIndexes.Projection.ProjectionType",
    "local_secondary_index.name": "LocalSecondaryIndexes.IndexName",
    "local_secondary_index.projection_type": "LocalSecondaryIndexes.Projection.ProjectionType",
    "tags": "Tags",
}

# What the provider sends of each resource: the service and the operation, and the member of its request by
# the attribute. Lists and blocks are left out of both paths; `tags` are the keys and values.
REQUESTS: dict[str, list[tuple[str, str, dict[str, str]]]] = {
    "aws_cloudwatch_log_group": [("logs", "CreateLogGroup", {"name": "logGroupName"})],
    "aws_cloudwatch_metric_alarm": [
        (
            "cloudwatch",
            "PutMetricAlarm",
            {
                "alarm_name": "AlarmName",
                "alarm_description": "AlarmDescription",
                "namespace": "Namespace",
                "metric_name": "MetricName",
                "statistic": "Statistic",
                "period": "Period",
                "evaluation_periods": "EvaluationPeriods",
                "datapoints_to_alarm": "DatapointsToAlarm",
                "comparison_operator": "ComparisonOperator",
                "treat_missing_data": "TreatMissingData",
            },
        )
    ],
    "aws_dynamodb_table": [("dynamodb", "CreateTable", _TABLE)],
    "aws_iam_role": [
        (
            "iam",
            "CreateRole",
            {"name": "RoleName", "path": "Path", "description": "Description", "tags": "Tags"},
        )
    ],
    "aws_iam_role_policy": [("iam", "PutRolePolicy", {"name": "PolicyName"})],
    "aws_lambda_event_source_mapping": [
        (
            "lambda",
            "CreateEventSourceMapping",
            {
                "starting_position": "StartingPosition",
                "batch_size": "BatchSize",
                "maximum_batching_window_in_seconds": "MaximumBatchingWindowInSeconds",
                "parallelization_factor": "ParallelizationFactor",
                "maximum_retry_attempts": "MaximumRetryAttempts",
                "maximum_record_age_in_seconds": "MaximumRecordAgeInSeconds",
                "function_response_types": "FunctionResponseTypes",
            },
        )
    ],
    "aws_lambda_function": [
        (
            "lambda",
            "CreateFunction",
            {
                "function_name": "FunctionName",
                "description": "Description",
                "handler": "Handler",
                "runtime": "Runtime",
                "architectures": "Architectures",
                "timeout": "Timeout",
                "memory_size": "MemorySize",
            },
        )
    ],
    "aws_lambda_function_event_invoke_config": [
        (
            "lambda",
            "PutFunctionEventInvokeConfig",
            {
                "maximum_retry_attempts": "MaximumRetryAttempts",
                "maximum_event_age_in_seconds": "MaximumEventAgeInSeconds",
            },
        )
    ],
    "aws_scheduler_schedule": [
        (
            "scheduler",
            "CreateSchedule",
            {
                "name": "Name",
                "group_name": "GroupName",
                "description": "Description",
                "schedule_expression": "ScheduleExpression",
                "state": "State",
                "flexible_time_window.mode": "FlexibleTimeWindow.Mode",
                "target.input": "Target.Input",
                "target.retry_policy.maximum_event_age_in_seconds": (
                    "Target.RetryPolicy.MaximumEventAgeInSeconds"
                ),
                "target.retry_policy.maximum_retry_attempts": "Target.RetryPolicy.MaximumRetryAttempts",
            },
        )
    ],
    "aws_sfn_state_machine": [
        ("stepfunctions", "CreateStateMachine", {"name": "name", "type": "type", "definition": "definition"})
    ],
}


def _one_of(*allowed: Any) -> Callable[[Any], str]:
    return lambda value: "" if value in allowed else f"is none of {', '.join(map(str, allowed))}"


def _from_to(lowest: int, highest: int) -> Callable[[Any], str]:
    return lambda value: "" if lowest <= value <= highest else f"is not from {lowest} to {highest}"


def _like(pattern: str) -> Callable[[Any], str]:
    return lambda value: "" if re.fullmatch(pattern, value) else f"does not match {pattern}"


# Rules that botocore's models do not have, each from the reference of the operation named.
_DOCUMENTED: dict[tuple[str, str], Callable[[Any], str]] = {
    # PutRetentionPolicy; 0 is Terraform's "never expire".
    ("aws_cloudwatch_log_group", "retention_in_days"): _one_of(
        *(0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922),
        *(3288, 3653),
    ),
    # PutMetricAlarm.
    ("aws_cloudwatch_metric_alarm", "treat_missing_data"): _one_of(
        "breaching", "notBreaching", "ignore", "missing"
    ),
    ("aws_cloudwatch_metric_alarm", "period"): lambda value: (
        "" if value in {10, 20, 30} or value % 60 == 0 else "is neither 10, 20 or 30 nor a multiple of 60"
    ),
    # CreateEventSourceMapping, of a stream of DynamoDB.
    ("aws_lambda_event_source_mapping", "starting_position"): _one_of("TRIM_HORIZON", "LATEST"),
    # The guide "Lambda quotas". The model's limits are of every way to run a function.
    ("aws_lambda_function", "timeout"): _from_to(1, 900),
    ("aws_lambda_function", "memory_size"): _from_to(128, 10240),
    ("aws_lambda_function", "function_name"): _like(r"[A-Za-z0-9-_]{1,64}"),
    # The model takes an ARN in place of a name.
    ("aws_dynamodb_table", "name"): _like(r"[A-Za-z0-9_.-]{3,255}"),
    # CreateStateMachine, where CloudWatch Logs are to name it.
    ("aws_sfn_state_machine", "name"): _like(r"[A-Za-z0-9-_]{1,80}"),
    # CreateTopic, Subscribe.
    ("aws_sns_topic", "name"): _like(r"[A-Za-z0-9-_]{1,256}"),
    ("aws_sns_topic_subscription", "protocol"): _one_of(
        "http", "https", "email", "email-json", "sms", "sqs", "application", "lambda", "firehose"
    ),
    # CreateQueue.
    ("aws_sqs_queue", "name"): _like(r"[A-Za-z0-9-_]{1,80}"),
    ("aws_sqs_queue", "message_retention_seconds"): _from_to(60, 1_209_600),
    ("aws_sqs_queue", "visibility_timeout_seconds"): _from_to(0, 43_200),
    ("aws_sqs_queue", "delay_seconds"): _from_to(0, 900),
    ("aws_sqs_queue", "max_message_size"): _from_to(1_024, 1_048_576),
    ("aws_sqs_queue", "receive_wait_time_seconds"): _from_to(0, 20),
}

TYPES = {*REQUESTS, *(type_ for type_, _ in _DOCUMENTED)}
"""The types of resources that are checked."""


def problems(plan: Json) -> Iterator[str]:
    """One line for each value that breaks a rule, in what ``terraform show -json`` writes of a plan."""
    for change in plan.get("resource_changes", []):
        values = change["change"].get("after")
        if change["mode"] == "managed" and values:
            yield from (f"{change['address']}.{what}" for what in _of_resource(change["type"], values))


def _of_resource(type_: str, values: Json) -> Iterator[str]:
    for service, operation, members in REQUESTS.get(type_, []):
        for attribute, member in members.items():
            for value in _found(values, attribute.split(".")):
                yield from (
                    f"{attribute} {what}" for what in _broken(_shape(service, operation, member), value)
                )
    for (type_of_rule, attribute), rule in _DOCUMENTED.items():
        if type_of_rule == type_:
            for value in _found(values, attribute.split(".")):
                if what := rule(value):
                    yield f"{attribute} {value!r} {what}"


def _found(values: Any, path: list[str]) -> Iterator[Any]:
    """The values at a path; none where they are unset, or known only after the apply."""
    if isinstance(values, list) and path:
        for each in values:
            yield from _found(each, path)
    elif not path:
        if values is not None and values != "":
            yield values
    elif isinstance(values, dict):
        yield from _found(values.get(path[0]), path[1:])


@cache
def _shape(service: str, operation: str, member: str) -> Shape:
    shape: Any = botocore.session.Session().get_service_model(service).operation_model(operation).input_shape
    for name in member.split("."):
        shape = (shape.member if shape.type_name == "list" else shape).members[name]
    return shape  # type: ignore[no-any-return]


def _broken(shape: Any, value: Any) -> Iterator[str]:
    if shape.type_name == "list":
        if isinstance(value, dict):
            # Tags.
            for key, content in value.items():
                yield from _broken(shape.member.members["Key"], key)
                yield from _broken(shape.member.members["Value"], content)
            return
        yield from _limits(shape.metadata, len(value), f"{value!r}: the number of its elements")
        for each in value:
            yield from _broken(shape.member, each)
        return
    rules = shape.metadata
    if "enum" in rules and value not in rules["enum"]:
        yield f"{value!r} is none of {', '.join(rules['enum'])}"
    if shape.type_name == "string":
        yield from _limits(rules, len(value), f"{value!r}: its length")
        if "pattern" in rules and not _pattern(rules["pattern"]).fullmatch(value):
            yield f"{value!r} does not match {rules['pattern']}"
    else:
        yield from _limits(rules, value, f"{value!r}")


@cache
def _pattern(java: str) -> re.Pattern[str]:
    """A pattern of the models, which are Java's: a hyphen may follow a class, and letters have categories."""
    python = java.replace(r"\w+=,.@-", r"\w+=,.@\-").replace("a-zA-Z-_", r"a-zA-Z\-_")
    for category, class_ in ((r"\p{L}", r"\w"), (r"\p{N}", r"\d"), (r"\p{Z}", r"\s")):
        python = python.replace(category, class_)
    return re.compile(python, re.DOTALL | (re.UNICODE if r"\p{" in java else re.ASCII))


def _limits(rules: Json, number: float, what: str) -> Iterator[str]:
    if number < rules.get("min", number):
        yield f"{what} is below {rules['min']}"
    if number > rules.get("max", number):
        yield f"{what} is above {rules['max']}"
