"""What a call is authorized as, where ministack takes it for another one or for none.

A call of DynamoDB or of its streams is authorized against what it names. ministack knows only calls that
name a table; ListTagsOfResource names its ARN, DescribeStream and GetShardIterator name the stream, and
GetRecords names it within the shard iterator.

A call of the Lambda API is authorized as the operation that its path names. ministack takes reading one event
source mapping for listing all of them, and lets changing one and reading the account's settings pass unasked.
"""

from __future__ import annotations

import json
import re
from types import ModuleType
from typing import Any

_DYNAMODB = ("dynamodb", "dynamodbstreams")
_NAMES = ("StreamArn", "ResourceArn")

# Lambda's API reference: method and path of each operation.
_MAPPINGS, _MAPPING = "/2015-03-31/event-source-mappings/?", "/2015-03-31/event-source-mappings/[^/]+"
_OPERATIONS = (
    ("GET", _MAPPINGS, "ListEventSourceMappings"),
    ("POST", _MAPPINGS, "CreateEventSourceMapping"),
    ("GET", _MAPPING, "GetEventSourceMapping"),
    ("PUT", _MAPPING, "UpdateEventSourceMapping"),
    ("DELETE", _MAPPING, "DeleteEventSourceMapping"),
    ("GET", "/2016-08-19/account-settings/?", "GetAccountSettings"),
)


def authorize_dynamodb_by_arn(iam_actions: ModuleType, streams: ModuleType) -> None:
    """Have ministack check ``dynamodb:GetRecords`` and its like against the ARN they name, as AWS does."""
    of_request = iam_actions.extract_resource_arn

    def extract_resource_arn(
        service: str,
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        query_params: dict[str, Any],
        region: str,
        account_id: str,
    ) -> str:
        named = _named_arn(body, streams) if service in _DYNAMODB else None
        return named or of_request(service, method, path, headers, body, query_params, region, account_id)

    iam_actions.extract_resource_arn = extract_resource_arn  # type: ignore[attr-defined]


def authorize_lambda_by_operation(iam_actions: ModuleType) -> None:
    """Have ministack check ``lambda:GetEventSourceMapping`` and its like by their own names, as AWS does."""
    of_path = iam_actions._lambda_action

    def lambda_action(method: str, path: str) -> str | None:
        for wanted, pattern, operation in _OPERATIONS:
            if method == wanted and re.fullmatch(pattern, path):
                return operation
        action: str | None = of_path(method, path)
        return action

    iam_actions._lambda_action = lambda_action  # type: ignore[attr-defined]


def _named_arn(body: bytes, streams: ModuleType) -> str | None:
    if not any(name.encode() in body for name in (*_NAMES, "ShardIterator")):
        return None
    try:
        request = json.loads(body)
    except ValueError:
        return None
    if not isinstance(request, dict):
        return None
    for name in _NAMES:
        if isinstance(request.get(name), str):
            return str(request[name])
    iterator = request.get("ShardIterator")
    decoded = streams._decode_iterator(iterator) if isinstance(iterator, str) else None
    return decoded.get("arn") if decoded else None
