from __future__ import annotations

import json

from tests.unit.tools.local.mapping.fakes import FUNCTION, START, STREAM, raw_record
from tools.local.mapping.batch import Batch
from tools.local.mapping.discard import RETRIES_EXHAUSTED, TOO_OLD, Discard
from tools.local.mapping.outcome import Answer
from tools.local.mapping.record import Record

BATCH = Batch(
    tuple(Record.from_stream(raw_record(number, created=START + number), STREAM) for number in (1, 2)),
    invocations=4,
)


def test_the_message_has_the_documented_shape() -> None:
    answer = Answer(200, "$LATEST", "Unhandled", b"", "request-1")
    discard = Discard(BATCH, RETRIES_EXHAUSTED, answer)
    assert json.loads(discard.message(FUNCTION, STREAM, "shard-0", START + 10.5)) == {
        "requestContext": {
            "requestId": "request-1",
            "functionArn": FUNCTION,
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 4,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "version": "1.0",
        "timestamp": "2023-11-14T22:13:30.500Z",
        "DDBStreamBatchInfo": {
            "shardId": "shard-0",
            "startSequenceNumber": "1",
            "endSequenceNumber": "2",
            "approximateArrivalOfFirstRecord": "2023-11-14T22:13:21Z",
            "approximateArrivalOfLastRecord": "2023-11-14T22:13:22Z",
            "batchSize": 2,
            "streamArn": STREAM,
        },
    }


def test_a_partial_response_is_no_function_error() -> None:
    discard = Discard(BATCH, RETRIES_EXHAUSTED, Answer(200, "$LATEST", None, b"{}", "request-1"))
    assert "functionError" not in json.loads(discard.message(FUNCTION, STREAM, "s", START))["responseContext"]


def test_records_never_sent_have_no_response() -> None:
    message = json.loads(Discard(BATCH, TOO_OLD, None).message(FUNCTION, STREAM, "s", START))
    assert "responseContext" not in message
    assert message["requestContext"]["condition"] == "RecordAgeExceeded"
    assert message["requestContext"]["requestId"]
