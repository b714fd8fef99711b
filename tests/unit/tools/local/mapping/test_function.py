from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.tools.local.mapping.fakes import QUEUE, ROLE, STREAM, FakeIam, HandClock, raw_record
from tools.local.mapping.function import CACHED_SECONDS, Batch, Outcome, Permissions
from tools.local.mapping.records import Record

BATCH = Batch(tuple(Record.from_stream(raw_record(number), STREAM) for number in (1, 2, 3)))


def judge(payload: bytes, error: str | None = None, partial_responses: bool = True) -> Outcome:
    return Outcome.of(error, payload, BATCH, partial_responses)


@pytest.mark.parametrize(
    "payload",
    [b"", b"null", b"{}", b'{"batchItemFailures": []}', b'{"batchItemFailures": null}', b'{"other": 1}'],
)
def test_success(payload: bytes) -> None:
    assert judge(payload).failed_from is None


@pytest.mark.parametrize(
    "returned",
    ["text", [], 1, {"batchItemFailures": "2"}, {"batchItemFailures": ["2"]}, {"batchItemFailures": [{}]}],
)
def test_what_cannot_be_understood_is_complete_failure(returned: Any) -> None:
    outcome = judge(json.dumps(returned).encode())
    assert outcome.failed_from == 0


def test_a_reported_record() -> None:
    outcome = judge(b'{"batchItemFailures": [{"itemIdentifier": "3"}, {"itemIdentifier": "2"}]}')
    assert outcome.failed_from == 1
    assert outcome.reason == "reported by the function"


@pytest.mark.parametrize("partial_responses", [True, False])
def test_an_error_of_the_function(partial_responses: bool) -> None:
    outcome = judge(b'{"errorMessage": "Task timed out after 3.00 seconds"}', "Unhandled", partial_responses)
    assert outcome.failed_from == 0
    assert "timed out" in outcome.reason


def test_text_that_is_no_json_after_an_error() -> None:
    assert judge(b"<html>", "Unhandled").reason == "Unhandled: no message"


# Permissions


def test_answers_are_remembered_for_a_while() -> None:
    iam, clock = FakeIam(), HandClock()
    permissions = Permissions(iam, clock)
    iam.denied = {"sqs:SendMessage"}
    assert permissions.missing(ROLE, ["sqs:SendMessage"], QUEUE) == ("sqs:SendMessage",)
    iam.denied = set()
    assert permissions.missing(ROLE, ["sqs:SendMessage"], QUEUE) == ("sqs:SendMessage",)
    clock.advance(CACHED_SECONDS)
    assert permissions.missing(ROLE, ["sqs:SendMessage"], QUEUE) == ()
    assert iam.questions == 2


def test_each_role_and_resource_is_asked_for_itself() -> None:
    iam = FakeIam()
    permissions = Permissions(iam, HandClock())
    permissions.missing(ROLE, ["sqs:SendMessage"], QUEUE)
    permissions.missing(ROLE, ["sqs:SendMessage"], QUEUE + "-2")
    permissions.missing(ROLE + "-2", ["sqs:SendMessage"], QUEUE)
    assert iam.questions == 3
