"""The AWS clients of one account and region."""

from __future__ import annotations

import json
from typing import Any

import boto3
from botocore.config import Config

# A function runs for 15 minutes at most; the answer takes a moment more.
LONGEST_INVOCATION_SECONDS = 15 * 60 + 30
MANY_CONNECTIONS = 64


class Clients:
    """Clients that act as the root of an account, where AWS uses the execution role.

    That role's permissions are asked for instead, see `Permissions`.

    Parameters
    ----------
    endpoint_url : str
        Where the account is.
    account, region : str
        Whose and which.
    """

    def __init__(self, endpoint_url: str, account: str, region: str) -> None:
        self.account = account
        self.region = region
        session = boto3.Session(aws_access_key_id=account, aws_secret_access_key="local", region_name=region)

        def client(service: str, **settings: Any) -> Any:
            config = Config(max_pool_connections=MANY_CONNECTIONS, **settings)
            return session.client(service, endpoint_url=endpoint_url, config=config)  # type: ignore[call-overload]

        # An invocation is not safe to repeat below this package: what failed here is counted there.
        self.functions = client(
            "lambda", read_timeout=LONGEST_INVOCATION_SECONDS, retries={"total_max_attempts": 1}
        )
        self.mappings = client("lambda", retries={"total_max_attempts": 1}, read_timeout=10)
        self.streams = client("dynamodbstreams")
        self.iam = client("iam")
        self.streams.meta.events.register(
            "before-parse.dynamodb-streams.GetRecords", _keep_records_as_they_came
        )


def _keep_records_as_they_came(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any
) -> None:
    """Take the records past botocore's parser, which decodes binary values and turns times to objects."""
    if response_dict["status_code"] != 200:
        return
    answer = json.loads(response_dict["body"])
    customized_response_dict["Records"] = answer.pop("Records", [])
    response_dict["body"] = json.dumps(answer).encode()
