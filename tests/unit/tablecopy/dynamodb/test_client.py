"""What goes through the client stays as it was, and only a whole answer is an answer."""

from __future__ import annotations

import json
import re
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    ReadTimeoutError,
)
from botocore.session import Session
from moto import mock_aws

from tablecopy.dynamodb.client import DynamoDBClient, document, encode
from tablecopy.dynamodb.errors import NO_ANSWER, is_throttled
from tablecopy.dynamodb.sessions import RoleSession
from tests.loopback import Answer
from tests.unit.tablecopy.fakes import FakeClock, client_error, moto_client
from tests.unit.tablecopy.loopback import Answering

BODY = '{ "any" : "bytes\u00e9" }'.encode()

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
        client = _table()
        client.call("batch_write_item", {"RequestItems": {"items": [{"PutRequest": {"Item": ITEM}}]}})
        assert client.call("scan", {"TableName": "items", "ConsistentRead": True})["Items"] == [ITEM]


def test_a_lone_surrogate_is_spelled_as_json_spells_it() -> None:
    text = 'a\\\ud800"b\udc00\u00e9\U0001f30b'
    body = encode({text: text})
    assert json.loads(body.decode()) == {text: text}
    assert "\U0001f30b".encode() in body


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
    client, server = answering(200, b"{}")
    client.call(operation, encode({"any": ITEM}))
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
    client, server = answering(200, body, length)
    with pytest.raises(HTTPClientError):
        client.call("batch_write_item", {"RequestItems": {}})
    assert len(server.requests) == 1


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
        DynamoDBClient(Session(), "eu-west-1", clock=clock).call("put_item", PUT)
    assert server.requests == [encode(PUT)] * requests
    assert len(clock.slept) == requests - 1
    # Full jitter, as in botocore's standard mode.
    assert all(waited <= bound for waited, bound in zip(clock.slept, (1, 2, 4, 8), strict=False))


def test_a_call_without_a_complete_answer_is_tried_again(answering: Answering, clock: FakeClock) -> None:
    _, server = answering(200, b'{"Item":{', length=20)
    with pytest.raises(HTTPClientError):
        DynamoDBClient(Session(), "eu-west-1", clock=clock).call("put_item", PUT)
    assert len(server.requests) == 5


def test_a_call_succeeds_as_soon_as_it_is_answered(answering: Answering, clock: FakeClock) -> None:
    _, server = answering(503, b"")
    clock.sleep = lambda seconds: setattr(server, "found", Answer(200, b"{}"))  # type: ignore[method-assign]
    assert DynamoDBClient(Session(), "eu-west-1", clock=clock).call("put_item", PUT) == {}
    assert len(server.requests) == 2


def test_encode_keeps_text_as_utf8() -> None:
    assert encode({"S": "é\U0001f30b"}) == '{"S":"é\U0001f30b"}'.encode()


def test_the_very_bytes_are_sent_and_come_back(answering: Answering) -> None:
    answer = b'{"ConsumedCapacity" : {"CapacityUnits":0.50}}'
    client, server = answering(200, answer)
    assert client.send("Scan", BODY) == answer
    assert server.requests == [BODY]


def test_a_call_is_signed_and_names_its_operation(answering: Answering) -> None:
    client, server = answering(200, b"{}")
    client.send("BatchWriteItem", BODY)
    [headers] = server.headers
    assert headers["X-Amz-Target"] == "DynamoDB_20120810.BatchWriteItem"
    assert headers["Content-Type"] == "application/x-amz-json-1.0"
    assert headers["User-Agent"] == "dynamodb-account-copy"
    assert headers["X-Amz-Security-Token"] == "testing"
    assert re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=testing/\d{8}/eu-west-1/dynamodb/aws4_request, "
        r"SignedHeaders=[a-z0-9;-]*host;[a-z0-9;-]*x-amz-target[a-z0-9;-]*, Signature=[0-9a-f]{64}",
        headers["Authorization"],
    )


@pytest.mark.parametrize("status", [400, 500, 503])
def test_one_call_is_one_request_whatever_comes_back(answering: Answering, status: int) -> None:
    client, server = answering(status, b'{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError"}')
    with pytest.raises(ClientError):
        client.send("BatchWriteItem", BODY)
    assert len(server.requests) == 1


def test_an_error_carries_its_code_its_status_and_what_was_throttled(answering: Answering) -> None:
    reasons = [{"reason": "IndexWriteKeyRangeThroughputExceeded", "resource": "arn:aws:dynamodb:index"}]
    error = {
        "__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException",
        "message": "slow down",
        "throttlingReasons": reasons,
    }
    client, _ = answering(400, json.dumps(error).encode())
    with pytest.raises(ClientError) as raised:
        client.send("BatchWriteItem", BODY)
    response = dict(raised.value.response)
    assert response["Error"] == {"Code": "ThrottlingException", "Message": "slow down"}
    assert response["ResponseMetadata"] == {"HTTPStatusCode": 400}
    assert response["ThrottlingReasons"] == reasons
    assert is_throttled(raised.value)


def test_an_error_page_that_is_not_json_keeps_its_status(answering: Answering) -> None:
    client, _ = answering(503, b"<html>Service Unavailable</html>")
    with pytest.raises(ClientError) as raised:
        client.send("Scan", BODY)
    assert raised.value.response["Error"]["Code"] == "503"
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503


@pytest.mark.parametrize("changed", [0, 1])
def test_an_answer_that_is_not_what_was_sent_is_none(answering: Answering, changed: int) -> None:
    answer = b'{"Count":0,"Items":[],"ScannedCount":0}'
    client, _ = answering(200, answer, headers={"x-amz-crc32": str(zlib.crc32(answer) ^ changed)})
    if not changed:
        assert client.send("Scan", BODY) == answer
        return
    with pytest.raises(HTTPClientError, match="CRC-32") as raised:
        client.send("Scan", BODY)
    assert isinstance(raised.value, NO_ANSWER)


def test_an_answer_cut_short_is_none(answering: Answering) -> None:
    client, server = answering(200, b'{"UnprocessedItems":{', length=100)
    with pytest.raises(NO_ANSWER):
        client.send("BatchWriteItem", BODY)
    assert len(server.requests) == 1


def test_nobody_listening(answering: Answering) -> None:
    client, _ = answering(200, b"{}")
    answering.close()
    with pytest.raises(EndpointConnectionError) as raised:
        client.send("Scan", BODY)
    assert isinstance(raised.value, NO_ANSWER)


def test_a_silent_server_is_waited_for_no_longer_than_said(answering: Answering) -> None:
    _, server = answering(200, b"{}")
    server.silent.set()
    client = DynamoDBClient(
        Session(),
        "eu-west-1",
        endpoint_url=server.url,
        config=Config(connect_timeout=1, read_timeout=0.05),
    )
    with pytest.raises(ReadTimeoutError) as raised:
        client.send("Scan", BODY)
    assert isinstance(raised.value, NO_ANSWER)
    server.silent.clear()
    # The next call does not get the answer to this one.
    assert client.send("Scan", BODY) == b"{}"


def test_many_threads_get_each_their_own_answer(answering: Answering) -> None:
    client, server = answering(200, b"")
    server.echo = True
    with ThreadPoolExecutor(16) as pool:
        bodies = [b'{"call":%d}' % index for index in range(200)]
        assert list(pool.map(lambda body: client.send("Scan", body), bodies)) == bodies


def test_without_credentials_nothing_is_sent(answering: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    client, server = answering(200, b"{}")
    with pytest.raises(NoCredentialsError):
        client.send("Scan", BODY)
    assert server.requests == []


class TestExpiredCredentials:
    """The role is assumed again, once, when its credentials are refused before they expire."""

    ROLE = "arn:aws:iam::222222222222:role/copy"
    EXPIRED = b'{"__type":"com.amazon.coral.service#ExpiredTokenException","message":"expired"}'

    @pytest.mark.parametrize("how", ["send", "call"])
    def test_the_role_is_assumed_again(self, answering: Answering, how: str) -> None:
        # Loopback is let through by moto, which answers for STS.
        with mock_aws(config={"core": {"passthrough": {"urls": [r"http://127\.0\.0\.1.*"]}}}):
            clock = FakeClock(time.time())
            session = RoleSession(self.ROLE, "external", "test", clock)
            client, server = answering(400, self.EXPIRED, session=session)
            for _ in range(3):
                client.credentials()
                clock.tick(2)
                with pytest.raises(ClientError, match="ExpiredToken"):
                    client.send("Scan", BODY) if how == "send" else client.call("scan", BODY)
            used = [_access_key(headers) for headers in server.headers]
            assert len(set(used)) == 3
            assert "testing" not in used

    def test_a_refusal_of_another_kind_does_not(self, answering: Answering) -> None:
        with mock_aws(config={"core": {"passthrough": {"urls": [r"http://127\.0\.0\.1.*"]}}}):
            session = RoleSession(self.ROLE, "external", "test")
            client, server = answering(400, b'{"__type":"AccessDeniedException"}', session=session)
            for _ in range(3):
                with pytest.raises(ClientError):
                    client.send("Scan", BODY)
            assert len({_access_key(headers) for headers in server.headers}) == 1

    def test_the_functions_own_credentials_are_left_alone(self, answering: Answering) -> None:
        client, server = answering(400, self.EXPIRED)
        for _ in range(2):
            with pytest.raises(ClientError, match="ExpiredToken"):
                client.send("Scan", BODY)
        assert [_access_key(headers) for headers in server.headers] == ["testing"] * 2


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'{"a":', b"<html></html>", b'"text"'])
def test_what_is_no_object_is_no_document(body: bytes) -> None:
    with pytest.raises(HTTPClientError):
        document(body)


def test_a_document() -> None:
    assert document(b'{"a":1}') == {"a": 1}


def _access_key(headers: dict[str, str]) -> str:
    found = re.search(r"Credential=([^/]+)/", headers["Authorization"])
    assert found is not None
    return found[1]


def test_the_fakes_raise_what_the_client_raises(answering: Answering) -> None:
    error = b'{"__type":"x#ValidationException","message":"no"}'
    client, _ = answering(400, error)
    with pytest.raises(ClientError) as raised:
        client.send("BatchWriteItem", BODY)
    assert raised.value.response == client_error("ValidationException").response


def _table() -> DynamoDBClient:
    client = moto_client()
    client.call(
        "create_table",
        {
            "TableName": "items",
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        },
    )
    return client
