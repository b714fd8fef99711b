"""A call is one request with the very bytes, and only a whole answer is an answer."""

from __future__ import annotations

import json
import re
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

from tablecopy.dynamodb.errors import NO_ANSWER, is_throttle
from tablecopy.dynamodb.post import Post, document
from tablecopy.dynamodb.sessions import RoleSession
from tests.unit.tablecopy.fakes import client_error
from tests.unit.tablecopy.loopback import Answering

BODY = '{ "any" : "bytes\u00e9" }'.encode()


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answering]:
    with Answering(monkeypatch) as answering:
        yield answering


def test_the_very_bytes_are_sent_and_come_back(answering: Answering) -> None:
    answer = b'{"ConsumedCapacity" : {"CapacityUnits":0.50}}'
    wire, server = answering(200, answer)
    assert wire.post("Scan", BODY) == answer
    assert server.requests == [BODY]


def test_a_call_is_signed_and_names_its_operation(answering: Answering) -> None:
    wire, server = answering(200, b"{}")
    wire.post("BatchWriteItem", BODY)
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
    wire, server = answering(status, b'{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError"}')
    with pytest.raises(ClientError):
        wire.post("BatchWriteItem", BODY)
    assert len(server.requests) == 1


def test_an_error_carries_its_code_its_status_and_what_was_throttled(answering: Answering) -> None:
    reasons = [{"reason": "IndexWriteKeyRangeThroughputExceeded", "resource": "arn:aws:dynamodb:index"}]
    error = {
        "__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException",
        "message": "slow down",
        "throttlingReasons": reasons,
    }
    wire, _ = answering(400, json.dumps(error).encode())
    with pytest.raises(ClientError) as raised:
        wire.post("BatchWriteItem", BODY)
    response = dict(raised.value.response)
    assert response["Error"] == {"Code": "ThrottlingException", "Message": "slow down"}
    assert response["ResponseMetadata"] == {"HTTPStatusCode": 400}
    assert response["ThrottlingReasons"] == reasons
    assert is_throttle(raised.value)


def test_an_error_page_that_is_not_json_keeps_its_status(answering: Answering) -> None:
    wire, _ = answering(503, b"<html>Service Unavailable</html>")
    with pytest.raises(ClientError) as raised:
        wire.post("Scan", BODY)
    assert raised.value.response["Error"]["Code"] == "503"
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503


@pytest.mark.parametrize("changed", [0, 1])
def test_an_answer_that_is_not_what_was_sent_is_none(answering: Answering, changed: int) -> None:
    answer = b'{"Count":0,"Items":[],"ScannedCount":0}'
    wire, _ = answering(200, answer, headers={"x-amz-crc32": str(zlib.crc32(answer) ^ changed)})
    if not changed:
        assert wire.post("Scan", BODY) == answer
        return
    with pytest.raises(HTTPClientError, match="CRC-32") as raised:
        wire.post("Scan", BODY)
    assert isinstance(raised.value, NO_ANSWER)


def test_an_answer_cut_short_is_none(answering: Answering) -> None:
    wire, server = answering(200, b'{"UnprocessedItems":{', length=100)
    with pytest.raises(NO_ANSWER):
        wire.post("BatchWriteItem", BODY)
    assert len(server.requests) == 1


def test_nobody_listening(answering: Answering) -> None:
    wire, server = answering(200, b"{}")
    server.shutdown()
    server.server_close()
    with pytest.raises(EndpointConnectionError) as raised:
        wire.post("Scan", BODY)
    assert isinstance(raised.value, NO_ANSWER)


def test_a_silent_server_is_waited_for_no_longer_than_said(answering: Answering) -> None:
    _, server = answering(200, b"{}")
    server.silent.set()
    post = Post(
        Session(),
        "eu-west-1",
        endpoint_url=f"http://127.0.0.1:{server.server_port}",
        config=Config(connect_timeout=1, read_timeout=0.05),
    )
    with pytest.raises(ReadTimeoutError) as raised:
        post.send("Scan", BODY)
    assert isinstance(raised.value, NO_ANSWER)
    server.silent.clear()
    # The next call does not get the answer to this one.
    assert post.send("Scan", BODY) == b"{}"


def test_many_threads_get_each_their_own_answer(answering: Answering) -> None:
    wire, server = answering(200, b"")
    server.echo = True
    with ThreadPoolExecutor(16) as pool:
        bodies = [b'{"call":%d}' % index for index in range(200)]
        assert list(pool.map(lambda body: wire.post("Scan", body), bodies)) == bodies


def test_without_credentials_nothing_is_sent(answering: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    wire, server = answering(200, b"{}")
    with pytest.raises(NoCredentialsError):
        wire.post("Scan", BODY)
    assert server.requests == []


class TestExpiredCredentials:
    """The role is assumed anew, once, when its credentials are refused before they were due."""

    ROLE = "arn:aws:iam::222222222222:role/copy"
    EXPIRED = b'{"__type":"com.amazon.coral.service#ExpiredTokenException","message":"expired"}'

    @pytest.mark.parametrize("how", ["post", "call"])
    def test_the_role_is_assumed_anew(
        self, answering: Answering, how: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Loopback is let through by moto, which answers for STS.
        with mock_aws(config={"core": {"passthrough": {"urls": [r"http://127\.0\.0\.1.*"]}}}):
            session = RoleSession(self.ROLE, "external", "test")
            monkeypatch.setattr("tablecopy.dynamodb.sessions._RENEWED_SECONDS", -1.0)
            wire, server = answering(400, self.EXPIRED, session=session)
            for _ in range(3):
                with pytest.raises(ClientError, match="ExpiredToken"):
                    wire.post("Scan", BODY) if how == "post" else wire.call("scan", BODY)
            used = [_access_key(headers) for headers in server.headers]
            assert len(set(used)) == 3
            assert "testing" not in used

    def test_a_refusal_of_another_kind_does_not(self, answering: Answering) -> None:
        with mock_aws(config={"core": {"passthrough": {"urls": [r"http://127\.0\.0\.1.*"]}}}):
            session = RoleSession(self.ROLE, "external", "test")
            wire, server = answering(400, b'{"__type":"AccessDeniedException"}', session=session)
            for _ in range(3):
                with pytest.raises(ClientError):
                    wire.post("Scan", BODY)
            assert len({_access_key(headers) for headers in server.headers}) == 1

    def test_the_functions_own_credentials_are_left_alone(self, answering: Answering) -> None:
        wire, server = answering(400, self.EXPIRED)
        for _ in range(2):
            with pytest.raises(ClientError, match="ExpiredToken"):
                wire.post("Scan", BODY)
        assert [_access_key(headers) for headers in server.headers] == ["testing"] * 2


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'{"a":', b"<html></html>", b'"text"'])
def test_what_is_no_object_is_no_document(body: bytes) -> None:
    assert document(body) is None
    assert document(b'{"a":1}') == {"a": 1}


def _access_key(headers: dict[str, str]) -> str:
    found = re.search(r"Credential=([^/]+)/", headers["Authorization"])
    assert found is not None
    return found[1]


def test_the_fakes_raise_what_post_raises(answering: Answering) -> None:
    error = b'{"__type":"x#ValidationException","message":"no"}'
    wire, _ = answering(400, error)
    with pytest.raises(ClientError) as raised:
        wire.post("BatchWriteItem", BODY)
    assert raised.value.response == client_error("ValidationException").response
