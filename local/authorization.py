"""Which resource a call of the Streams API is authorized against: its stream.

ministack knows only calls that name a table; DescribeStream and GetShardIterator name the stream, and
GetRecords names it within the shard iterator.
"""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

SERVICE = "dynamodbstreams"


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
