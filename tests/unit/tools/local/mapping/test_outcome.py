from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.tools.local.mapping.fakes import STREAM, raw_record
from tools.local.mapping.batch import Batch
from tools.local.mapping.outcome import Answer, Outcome
from tools.local.mapping.record import Record

BATCH = Batch(tuple(Record.from_stream(raw_record(number), STREAM) for number in (1, 2, 3)))


def judge(payload: bytes, error: str | None = None, partial_responses: bool = True) -> Outcome:
    return Outcome.of(Answer(200, "$LATEST", error, payload, "request"), BATCH, partial_responses)


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
    assert not outcome.reported


def test_a_reported_record() -> None:
    outcome = judge(b'{"batchItemFailures": [{"itemIdentifier": "3"}, {"itemIdentifier": "2"}]}')
    assert outcome.failed_from == 1
    assert outcome.reported


@pytest.mark.parametrize("partial_responses", [True, False])
def test_an_error_of_the_function(partial_responses: bool) -> None:
    outcome = judge(b'{"errorMessage": "Task timed out after 3.00 seconds"}', "Unhandled", partial_responses)
    assert outcome.failed_from == 0
    assert "timed out" in outcome.reason


def test_text_that_is_no_json_after_an_error() -> None:
    assert judge(b"<html>", "Unhandled").reason == "Unhandled: no message"
