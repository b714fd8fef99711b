"""Two accounts of moto behind a server on the loopback, for commands that bring their own transport."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import requests
from moto import mock_aws

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

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """Status and body."""
        scope = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", headers.get("Authorization", ""))
        service = scope[1] if scope else "sts"
        target = headers.get("X-Amz-Target", "")
        name = (
            f"{service}:{target.rpartition('.')[2]}"
            if target
            else f"{method} {path.partition('?')[0].rstrip('/')}"
        )
        self.asked.append(name)
        if name in self.answers:
            status, content = self.answers[name](json.loads(body or b"{}"))
            return status, json.dumps(content).encode()
        at = "streams.dynamodb" if target.startswith("DynamoDBStreams") else service
        host = f"{at}.{REGION}.amazonaws.com"
        found = requests.request(
            method, f"https://{host}{path}", headers={**headers, "Host": host}, data=body, timeout=30
        )
        return found.status_code, found.content


@contextmanager
def served() -> Iterator[Aws]:
    """Serve moto's accounts while the body runs."""
    with mock_aws():
        aws = Aws()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, answer = aws.answer(self.command, self.path, dict(self.headers), body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST = _answer  # noqa: N815

            def log_message(self, format: str, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

        with Server(("127.0.0.1", 0), Handler) as server:
            aws.url = f"http://127.0.0.1:{server.server_port}"
            thread = threading.Thread(
                target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
            )
            thread.start()
            try:
                yield aws
            finally:
                server.shutdown()
