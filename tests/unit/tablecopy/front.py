"""A server on this machine behind which moto answers, so that the product's own transport reaches it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import botocore.session
from botocore.awsrequest import AWSPreparedRequest, HeadersDict
from botocore.config import Config

from tests.loopback import Answer, Request, serving
from tests.unit.tablecopy.validation import check

_SCOPE = re.compile(r"Credential=[^/]+/\d+/([^/]+)/dynamodb/")


class Front:
    """Answers as moto does; ``invalid`` has what botocore's model finds wrong with requests."""

    def __init__(self) -> None:
        self.url = ""
        self.invalid: list[str] = []
        # moto answers the event in which botocore asks whether someone else wants to send a request.
        self._events = (
            botocore.session.Session()
            .create_client(
                "dynamodb",
                region_name="eu-west-1",
                aws_access_key_id="testing",
                aws_secret_access_key="testing",
                config=Config(),
            )
            .meta.events
        )

    def answer(self, request: Request) -> Answer:
        """Check the request, and let moto answer it."""
        try:
            check(request.operation, request.body)
        except Exception as invalid:
            self.invalid.append(str(invalid))
            return Answer(400, b"", {"x-invalid": str(invalid).replace("\n", " ")})
        found = self.moto(request.operation, dict(request.headers), request.body)
        return Answer(found.status_code, found.content)

    def moto(self, operation: str, headers: dict[str, str], body: bytes) -> Any:
        scope = _SCOPE.search(headers["Authorization"])
        assert scope is not None
        url = f"https://dynamodb.{scope[1]}.amazonaws.com/"
        request = AWSPreparedRequest("POST", url, HeadersDict(headers), body, False)
        _, answer = self._events.emit_until_response(f"before-send.dynamodb.{operation}", request=request)
        assert answer is not None, "a call was sent to AWS outside of mock_aws()"
        return answer


@contextmanager
def front() -> Iterator[Front]:
    """Start the server; every request it gets is checked against botocore's model."""
    made = Front()
    with serving(made.answer) as made.url:
        yield made
