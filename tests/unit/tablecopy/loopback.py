"""Clients of servers on this machine that answer what the test says."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import ExitStack

import pytest
from botocore.session import Session

from tablecopy.dynamodb.client import DynamoDBClient
from tests.loopback import Answer, Request, serving


class Fixed:
    """Answers every request with the same bytes, and keeps what came: bodies, and headers.

    Instead, it answers with what came (``echo``), or not at all as long as it is ``silent``.
    """

    def __init__(self, found: Answer) -> None:
        self.found = found
        self.url = ""
        self.requests: list[bytes] = []
        self.headers: list[Mapping[str, str]] = []
        self.echo = False
        self.silent = threading.Event()

    def answer(self, request: Request) -> Answer | None:
        """Keep the request, and answer it."""
        self.requests.append(request.body)
        self.headers.append(request.headers)
        if self.silent.is_set():
            return None
        return Answer(self.found.status, request.body) if self.echo else self.found


class Answering(ExitStack):
    """Makes clients of servers with one answer each; they end with it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self._monkeypatch = monkeypatch

    def __call__(
        self,
        status: int,
        body: bytes,
        length: int | None = None,
        headers: Mapping[str, str] | None = None,
        session: Session | None = None,
    ) -> tuple[DynamoDBClient, Fixed]:
        server = Fixed(Answer(status, body, headers or {}, length))
        server.url = self.enter_context(serving(server.answer))
        self._monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", server.url)
        return DynamoDBClient(session or Session(), "eu-west-1", attempts=1), server
