"""What goes through Wire stays as it was, and an answer that was cut short is not an answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, HTTPClientError
from botocore.session import Session
from moto import mock_aws

from tablecopy.dynamodb.client import Wire, encode
from tests.unit.tablecopy.fakes import FakeClock, own_wire
from tests.unit.tablecopy.loopback import Answering

ITEM = {
    "pk": {"S": "Þingvellir \u0001 \U0001f30b"},
    "empty": {"S": ""},
    "number": {"N": "12.50"},
    "digits": {"N": "0.1234567890123456789012345678901234567"},
    "binary": {"B": "AAH/"},
    "binaries": {"BS": ["AA==", "/w=="]},
    "nested": {"M": {"list": {"L": [{"NULL": True}, {"BOOL": False}, {"M": {}}, {"L": []}]}}},
}

PUT = {"TableName": "journal", "Item": ITEM, "ConditionExpression": "attribute_not_exists(pk)"}


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answering]:
    with Answering(monkeypatch) as answering:
        yield answering


def test_items_come_back_as_they_were_sent() -> None:
    with mock_aws():
        wire = _table()
        wire.call("batch_write_item", {"RequestItems": {"items": [{"PutRequest": {"Item": ITEM}}]}})
        assert wire.call("scan", {"TableName": "items", "ConsistentRead": True})["Items"] == [ITEM]


def test_an_error_carries_its_code_and_status() -> None:
    with mock_aws(), pytest.raises(ClientError) as raised:
        _table().call("batch_write_item", {"RequestItems": {"items": [{"PutRequest": {"Item": {}}}]}})
    assert raised.value.response["Error"]["Code"] == "ValidationException"
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


@pytest.mark.parametrize(
    "operation",
    ["batch_write_item", "scan", "get_item", "put_item", "update_item", "delete_item", "query"],
)
def test_every_operation_sends_the_very_bytes(answering: Answering, operation: str) -> None:
    wire, server = answering(200, b"{}")
    wire.call(operation, encode({"any": ITEM}))
    assert server.requests == [encode({"any": ITEM})]


@pytest.mark.parametrize(
    ("body", "length"),
    [
        pytest.param(b"", 200, id="nothing"),
        pytest.param(b'{"UnprocessedItems":{"copy":[{"PutRe', 200, id="a part"),
        pytest.param(b"", 0, id="empty"),
        pytest.param(b"null", 4, id="no document"),
    ],
)
def test_a_cut_answer_is_no_answer(answering: Answering, body: bytes, length: int) -> None:
    # botocore does not hold a body against its Content-Length. Taking this for success would lose the
    # unprocessed items that the missing part names.
    wire, server = answering(200, body, length)
    with pytest.raises(HTTPClientError):
        wire.call("batch_write_item", {"RequestItems": {}})
    assert len(server.requests) == 1


def test_an_error_page_that_is_not_json_keeps_its_status(answering: Answering) -> None:
    wire, _ = answering(503, b"<html>Service Unavailable</html>")
    with pytest.raises(ClientError) as raised:
        wire.call("scan", {})
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert raised.value.response["Error"]["Code"] == "503"


def test_one_attempt_is_one_request(answering: Answering) -> None:
    wire, server = answering(500, b'{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError"}')
    with pytest.raises(ClientError, match="InternalServerError"):
        wire.call("batch_write_item", {"RequestItems": {}})
    assert len(server.requests) == 1


def test_nobody_listening(answering: Answering) -> None:
    wire, server = answering(200, b"{}")
    server.shutdown()
    server.server_close()
    with pytest.raises(EndpointConnectionError):
        wire.call("scan", {})


@pytest.mark.parametrize(
    ("status", "code", "requests"),
    [
        (500, "InternalServerError", 5),
        (503, "SomethingNew", 5),
        (400, "ThrottlingException", 5),
        (400, "ProvisionedThroughputExceededException", 5),
        (400, "ReplicatedWriteConflictException", 5),
        (400, "TransactionConflictException", 5),
        (400, "ConditionalCheckFailedException", 1),
        (400, "ValidationException", 1),
        (400, "AccessDeniedException", 1),
        # The function's own credentials do not renew.
        (400, "ExpiredTokenException", 1),
    ],
)
def test_a_call_is_tried_five_times_where_that_may_help(
    answering: Answering, clock: FakeClock, status: int, code: str, requests: int
) -> None:
    _, server = answering(status, encode({"__type": f"com.amazonaws.dynamodb.v20120810#{code}"}))
    with pytest.raises(ClientError, match=code):
        Wire(Session(), "eu-west-1", clock=clock).call("put_item", PUT)
    assert server.requests == [encode(PUT)] * requests
    assert len(clock.slept) == requests - 1
    # Full jitter, as in botocore's standard mode.
    assert all(waited <= bound for waited, bound in zip(clock.slept, (1, 2, 4, 8), strict=False))


def test_a_call_without_a_complete_answer_is_tried_again(answering: Answering, clock: FakeClock) -> None:
    _, server = answering(200, b'{"Item":{', length=20)
    with pytest.raises(HTTPClientError):
        Wire(Session(), "eu-west-1", clock=clock).call("put_item", PUT)
    assert len(server.requests) == 5


def test_a_call_succeeds_as_soon_as_it_is_answered(answering: Answering, clock: FakeClock) -> None:
    _, server = answering(503, b"")
    clock.sleep = lambda seconds: setattr(server, "answer", (200, b"{}", 2, {}))  # type: ignore[method-assign]
    assert Wire(Session(), "eu-west-1", clock=clock).call("put_item", PUT) == {}
    assert len(server.requests) == 2


def test_encode_keeps_text_as_utf8() -> None:
    assert encode({"S": "é\U0001f30b"}) == '{"S":"é\U0001f30b"}'.encode()


def _table() -> Wire:
    wire = own_wire()
    wire.call(
        "create_table",
        {
            "TableName": "items",
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        },
    )
    return wire
