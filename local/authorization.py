"""What a call is authorized as, where ministack takes it for another one or for none.

A call of the Streams API is authorized against its stream. ministack knows only calls that name a table;
DescribeStream and GetShardIterator name the stream, and GetRecords names it within the shard iterator.

A call of the Lambda API is authorized as the operation that its path names. ministack takes reading one event
source mapping for listing all of them, and lets changing one and reading the account's settings pass unasked.
"""

from __future__ import annotations

import json
import re
from types import ModuleType
from typing import Any

SERVICE = "dynamodbstreams"

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


def authorize_streams_by_arn(iam_actions: ModuleType, streams: ModuleType) -> None:
    """Have ministack check ``dynamodb:GetRecords`` and its like against the stream's ARN, as AWS does."""
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
        stream = _stream_arn(body, streams) if service == SERVICE else None
        return stream or of_request(service, method, path, headers, body, query_params, region, account_id)

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


def _stream_arn(body: bytes, streams: ModuleType) -> str | None:
    try:
        request = json.loads(body or b"{}")
    except ValueError:
        return None
    if not isinstance(request, dict):
        return None
    if isinstance(request.get("StreamArn"), str):
        return str(request["StreamArn"])
    iterator = request.get("ShardIterator")
    decoded = streams._decode_iterator(iterator) if isinstance(iterator, str) else None
    return decoded.get("arn") if decoded else None
