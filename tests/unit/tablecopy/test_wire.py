"""What goes through Wire stays as it was, and an answer that was cut short is not an answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, HTTPClientError
from moto import mock_aws

from tablecopy.wire import Wire, encode
from tests.unit.tablecopy.fakes import own_wire
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
