"""What a call is authorized as, where ministack takes it for another one or for none.

A call of DynamoDB or of its streams is authorized against what it names. ministack knows only calls that
name a table; ListTagsOfResource names its ARN, DescribeStream and GetShardIterator name the stream, and
GetRecords names it within the shard iterator.

A call of the Lambda API is authorized as the operation that its path names. ministack takes reading one event
source mapping for listing all of them, and lets changing one and reading the account's settings pass unasked.

Conditions on these keys have AWS's values:

* ``aws:SecureTransport``: the accounts are served without TLS, on this machine's loopback alone, in the place
  of endpoints that are asked over TLS.
* ``aws:PrincipalArn``: of a role's session it is the role's ARN, with its path, and not the session's.
* ``aws:SourceAccount``: the root of an account stands for the services of AWS that act for it; the trust of
  the roles that they assume asks for it.
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


def answer_conditions_as_aws(evaluator: ModuleType, iam: ModuleType) -> None:
    """Have ministack evaluate conditions on these keys as AWS does."""
    of_request = evaluator._resolve_condition_key

    def resolve_condition_key(key: str, ctx: Any) -> Any:
        match key.lower():
            case "aws:securetransport":
                return "true"
            case "aws:principalarn":
                return _role_arn(ctx.principal_arn, iam) or of_request(key, ctx)
            case "aws:sourceaccount" if ctx.principal_arn.endswith(":root"):
                return ctx.principal_arn.split(":")[4]
        return of_request(key, ctx)

    evaluator._resolve_condition_key = resolve_condition_key  # type: ignore[attr-defined]


def _role_arn(session_arn: str, iam: ModuleType) -> str | None:
    """``arn:aws:sts::111111111111:assumed-role/name/session``: the role's ARN; None of anything else."""
    *_, account, resource = session_arn.split(":")
    kind, *names = resource.split("/")
    role = iam._roles.get_scoped(account, None, names[0]) if kind == "assumed-role" else None
    return str(role["Arn"]) if role else None
