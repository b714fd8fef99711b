"""boto3 clients of the functions that are not on the hot path."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_dynamodbstreams.client import DynamoDBStreamsClient
    from mypy_boto3_lambda.client import LambdaClient
    from mypy_boto3_sqs.client import SQSClient
    from mypy_boto3_stepfunctions.client import SFNClient

# A service that cannot be reached from the function's subnets must not take up the whole invocation.
_CONNECT_SECONDS = 3
_READ_SECONDS = 10


def lambda_() -> LambdaClient:
    """Lambda."""
    return boto3.client("lambda", config=_config())


def states() -> SFNClient:
    """Step Functions."""
    return boto3.client("stepfunctions", config=_config())


def queues() -> SQSClient:
    """SQS."""
    return boto3.client("sqs", config=_config())


def streams() -> DynamoDBStreamsClient:
    """DynamoDB Streams, which answers LimitExceededException to more than a few calls a second."""
    return boto3.client("dynamodbstreams", config=_config(attempts=6))


def _config(attempts: int = 3) -> Config:
    """Standard retries, ``attempts`` calls in all."""
    return Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": attempts},
    )
