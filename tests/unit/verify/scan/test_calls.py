"""Calls that are tried again, and those that are not."""

from __future__ import annotations

import json
import threading
import zlib
from collections.abc import Sequence
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
    ResponseStreamingError,
    UnauthorizedSSOTokenError,
)

from tablecopy_cli.common import Side, UserError
from tests.unit.verify.service import FakeTable, serving
from tests.unit.verify.world import item
from verify.scan.budget import Stopped
from verify.scan.calls import _ATTEMPTS, _THROTTLED_ATTEMPTS, Calls, sender
from verify.scan.decode import BadPage


class Event(threading.Event):
    """Remembers how long was waited, and does not wait."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.waits.append(timeout)
        return self.is_set()


class Noting:
    """A budget that everything fits in."""

    def __init__(self) -> None:
        self.settled: list[float | None] = []

    def take(self, stop: threading.Event) -> float:
        return 1.0

    def settle(self, taken: float, consumed: float | None) -> None:
        self.settled.append(consumed)


def refusal(code: str, status: int = 400) -> ClientError:
    error: Any = {
        "Error": {"Code": code, "Message": "no"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(error, "Scan")


LOST = [
    ReadTimeoutError(endpoint_url="http://x"),
    EndpointConnectionError(endpoint_url="http://x"),
    ResponseStreamingError(error="its CRC-32 differs"),
]
FAILED = [refusal("InternalServerError", 500), refusal("503", 503)]
THROTTLED = [
    refusal("ProvisionedThroughputExceededException"),
    refusal("ThrottlingException"),
    refusal("RequestLimitExceeded"),
]
FINAL = [
    refusal("ExpiredTokenException"),
    refusal("AccessDeniedException"),
    refusal("ValidationException"),
    refusal("ResourceNotFoundException"),
    NoCredentialsError(),
    UnauthorizedSSOTokenError(),
]


def named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


class Calling:
    """One call, of which the first answers are failures."""

    def __init__(self, failures: list[Exception]) -> None:
        self.left = list(failures)
        self.stop = Event()
        self.budget = Noting()
        self.sent = 0

    def send(self, operation: str, body: bytes) -> bytes:
        self.sent += 1
        if self.left:
            raise self.left.pop(0)
        return b"answer"

    def answer(self, read: Any = lambda body: (body, 3.0)) -> Any:
        calls = Calls(Side("source", profile="old"), self.send)
        return calls.answer("Scan", b"body", read, budget=self.budget, stop=self.stop)


@pytest.mark.parametrize("error", [*LOST, *FAILED, *THROTTLED], ids=named)
def test_what_may_work_the_next_time_is_tried_again(error: Exception) -> None:
    calling = Calling([error] * 5)
    assert calling.answer() == b"answer"
    assert calling.sent == 6
    # Further and further apart: five waits within a bound that doubles from 50 ms.
    assert len(calling.stop.waits) == 5
    assert all(wait <= 0.05 * 2**number for number, wait in enumerate(calling.stop.waits))
    # A call that was not answered may have been carried out; a refused one was not.
    unit = None if error in LOST else 0.0
    assert calling.budget.settled == [unit] * 5 + [3.0]


@pytest.mark.parametrize("error", FINAL, ids=named)
def test_what_will_not_work_is_not_tried_again(error: Exception) -> None:
    calling = Calling([error])
    with pytest.raises(UserError, match=r"^source: ") as caught:
        calling.answer()
    assert caught.value.side == "source"
    assert caught.value.__cause__ is error
    assert (calling.sent, calling.stop.waits) == (1, [])


@pytest.mark.parametrize(
    ("errors", "attempts"), [(LOST, _ATTEMPTS), (FAILED, _ATTEMPTS), (THROTTLED, _THROTTLED_ATTEMPTS)]
)
def test_not_for_ever(errors: Sequence[Exception], attempts: int) -> None:
    calling = Calling([*errors] * attempts)
    with pytest.raises(UserError, match=r"^source: "):
        calling.answer()
    assert calling.sent == attempts


def test_throttles_do_not_count_as_failures() -> None:
    mixed: list[Exception] = [
        error for _ in range(_ATTEMPTS - 1) for error in (THROTTLED[0], LOST[0], THROTTLED[1])
    ]
    assert Calling(mixed).answer() == b"answer"


def test_a_broken_answer_is_asked_for_again() -> None:
    calling = Calling([])
    answers = iter([BadPage("cut"), BadPage("cut"), (b"whole", 2.0)])

    def read(body: bytes) -> Any:
        found = next(answers)
        if isinstance(found, Exception):
            raise found
        return found

    assert calling.answer(read) == b"whole"
    assert calling.sent == 3
    # What it has cost is not known.
    assert calling.budget.settled == [None, None, 2.0]


def test_answers_that_stay_broken_name_the_endpoint() -> None:
    calling = Calling([])

    def read(body: bytes) -> Any:
        raise BadPage("no JSON")

    with pytest.raises(UserError, match=r"no JSON\); check --source-endpoint-url") as caught:
        calling.answer(read)
    assert (caught.value.side, calling.sent) == ("source", _ATTEMPTS)


def test_waiting_for_the_next_try_ends_with_the_comparison() -> None:
    calling = Calling([THROTTLED[0]] * 5)
    calling.stop.set()
    with pytest.raises(Stopped):
        calling.answer()
    assert calling.sent == 1


@pytest.mark.parametrize("spoil", ["crc", "cut", "html", "empty", "503"])
def test_over_http_a_spoilt_answer_is_asked_for_again(monkeypatch: pytest.MonkeyPatch, spoil: str) -> None:
    monkeypatch.setattr("tablecopy.dynamodb.errors.Backoff.next", lambda self: 0.0)
    table = FakeTable([item("a", n) for n in range(3)])
    with serving(table) as served:
        send, url = sender(Side("source", region="eu-west-1", endpoint_url=served.url))
        assert url == served.url
        spoilt: list[str] = []

        def instead(operation: str, body: bytes) -> tuple[int, bytes] | None:
            served.crc = zlib.crc32
            if spoilt:
                return None
            spoilt.append(operation)
            whole = table.send(operation, body)
            if spoil == "crc":
                served.crc = lambda answer: 1
                return 200, whole
            return {
                "cut": (200, whole[:-20]),
                "html": (200, b"<html>"),
                "empty": (200, b""),
                "503": (503, b"<html>Service Unavailable</html>"),
            }[spoil]

        served.instead = instead
        calls = Calls(Side("source"), send)
        request = {"TableName": "cities", "Segment": 0, "TotalSegments": 1, "ConsistentRead": True}

        def read(body: bytes) -> tuple[Any, float]:
            try:
                return json.loads(body), 1.0
            except ValueError as error:
                raise BadPage(str(error)) from error

        found = calls.answer("Scan", json.dumps(request).encode(), read, budget=Noting(), stop=Event())
        assert found["Count"] == 3
        assert served.operations["Scan"] == 2
