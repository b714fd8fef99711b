"""Two accounts of moto behind a server on the loopback, for commands that bring their own transport."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import requests
from moto import mock_aws

from tests.loopback import Answer as Served
from tests.loopback import Request, serving

REGION = "eu-west-1"
ROLE = "arn:aws:iam::222222222222:role/look"
"""Assumed for the destination: moto tells accounts apart by their credentials."""

Answer = tuple[int, Any]


class Aws:
    """What the tests prepare and change.

    Attributes
    ----------
    url
        Where the server listens.
    answers
        Answers that are not moto's, status and JSON, by ``"service:Operation"``, or by method and path.
    asked
        Every operation that was asked for, ``"service:Operation"`` or service, method and path.
    """

    def __init__(self) -> None:
        self.url = ""
        self.answers: dict[str, Callable[[Any], Answer]] = {}
        self.asked: list[str] = []
        self.source = boto3.client("dynamodb", region_name=REGION)
        credentials = boto3.client("sts", region_name=REGION).assume_role(
            RoleArn=ROLE, RoleSessionName="test"
        )["Credentials"]
        self.destination = boto3.client(
            "dynamodb",
            region_name=REGION,
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
        )

    def answer(self, request: Request) -> Served:
        """What is sent back."""
        headers, body = request.headers, request.body
        scope = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", headers.get("Authorization", ""))
        service = scope[1] if scope else "sts"
        target = headers.get("X-Amz-Target", "")
        name = (
            f"{service}:{target.rpartition('.')[2]}"
            if target
            else f"{request.method} {request.path.partition('?')[0].rstrip('/')}"
        )
        self.asked.append(name)
        if name in self.answers:
            status, content = self.answers[name](json.loads(body or b"{}"))
            return Served(status, json.dumps(content).encode())
        at = "streams.dynamodb" if target.startswith("DynamoDBStreams") else service
        host = f"{at}.{REGION}.amazonaws.com"
        found = requests.request(
            request.method,
            f"https://{host}{request.path}",
            headers={**headers, "Host": host},
            data=body,
            timeout=30,
        )
        return Served(found.status_code, found.content)


@contextmanager
def served() -> Iterator[Aws]:
    """Serve moto's accounts while the body runs."""
    with mock_aws():
        aws = Aws()
        with serving(aws.answer) as aws.url:
            yield aws
