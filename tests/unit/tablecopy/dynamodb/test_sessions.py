"""The destination account's role."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from botocore.credentials import AssumeRoleCredentialFetcher
from botocore.exceptions import ReadTimeoutError
from botocore.parsers import ResponseParserError
from moto import mock_aws

from tablecopy.dynamodb.client import DynamoDBClient
from tablecopy.dynamodb.errors import NO_ANSWER
from tablecopy.dynamodb.sessions import RoleSession, own_session
from tests.unit.tablecopy.fakes import FakeClock

ROLE = "arn:aws:iam::222222222222:role/copy"


@pytest.fixture(autouse=True)
def aws() -> Iterator[None]:
    with mock_aws():
        yield


def test_the_role_is_assumed_at_the_first_call() -> None:
    session = RoleSession(ROLE, "external", "tablecopy-" + "x" * 100)
    credentials = session.get_credentials()
    own = own_session().get_credentials()
    assert credentials is not None
    assert own is not None
    assert credentials.access_key != own.access_key
    assert credentials.token


def test_writes_go_to_the_other_account() -> None:
    DynamoDBClient(RoleSession(ROLE, "external", "test"), "eu-west-1").call(
        "create_table",
        {
            "TableName": "there",
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        },
    )
    assert DynamoDBClient(own_session(), "eu-west-1").call("list_tables", {})["TableNames"] == []


def test_the_functions_own_clients_still_parse_their_answers() -> None:
    RoleSession(ROLE, "external", "test")
    DynamoDBClient(own_session(), "eu-west-1")
    identity = boto3.client("sts").get_caller_identity()
    assert json.dumps(identity["Account"]) == '"123456789012"'


def test_one_fetch_serves_many_calls() -> None:
    session = RoleSession(ROLE, "external", "test")
    assert _access_key(session) == _access_key(session)


def test_a_renewed_role_is_assumed_again_at_the_next_call() -> None:
    clock = FakeClock(time.time())
    session = RoleSession(ROLE, "external", "test", clock)
    first = _access_key(session)
    clock.tick(2)
    session.renew()
    second = _access_key(session)
    assert second != first
    assert _access_key(session) == second


def test_calls_that_were_under_way_do_not_renew_what_was_just_renewed() -> None:
    session = RoleSession(ROLE, "external", "test", FakeClock(time.time()))
    first = _access_key(session)
    for _ in range(16):
        session.renew()
    assert _access_key(session) == first


def test_sixteen_threads_assume_the_role_once() -> None:
    session = RoleSession(ROLE, "external", "test")
    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(lambda _: _access_key(session), range(16)))) == 1


def test_the_role_is_asked_for_with_its_external_id(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    class Asked(AssumeRoleCredentialFetcher):
        def __init__(self, **arguments: Any) -> None:
            asked.append(arguments)
            super().__init__(**arguments)

    monkeypatch.setattr("tablecopy.dynamodb.sessions.AssumeRoleCredentialFetcher", Asked)
    _access_key(RoleSession(ROLE, "external", "tablecopy-" + "x" * 100))
    [arguments] = asked
    assert arguments["role_arn"] == ROLE
    config = arguments["client_creator"]("sts").meta.config
    assert (config.connect_timeout, config.read_timeout) == (3, 10)
    assert config.retries["total_max_attempts"] == 1
    assert arguments["extra_args"] == {
        "ExternalId": "external",
        "RoleSessionName": ("tablecopy-" + "x" * 100)[:64],
        "DurationSeconds": 3600,
    }


def _answering(monkeypatch: pytest.MonkeyPatch, *answers: Any) -> None:
    """STS gives these answers to the next calls: credentials, an error, or whatever a function does."""
    left = list(answers)

    class Answering(AssumeRoleCredentialFetcher):
        def fetch_credentials(self) -> Any:
            answer = left.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer() if callable(answer) else answer

    monkeypatch.setattr("tablecopy.dynamodb.sessions.AssumeRoleCredentialFetcher", Answering)


def _fresh(name: str, **changes: Any) -> dict[str, Any]:
    expiry = "2100-01-01T00:00:00Z"
    return {"access_key": name, "secret_key": "s", "token": "t", "expiry_time": expiry, **changes}


def test_calls_refused_while_the_role_is_assumed_do_not_refuse_what_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = FakeClock(time.time())
    session = RoleSession(ROLE, "external", "test", clock)

    def slow() -> Any:
        clock.tick(3)
        session.renew()
        return _fresh("second")

    _answering(monkeypatch, _fresh("first"), slow)
    assert _access_key(session) == "first"
    clock.tick(2)
    session.renew()
    assert _access_key(session) == "second"
    assert _access_key(session) == "second"


def test_refused_credentials_stay_refused_until_the_role_is_assumed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock(time.time())
    session = RoleSession(ROLE, "external", "test", clock)
    _answering(monkeypatch, _fresh("first"), ReadTimeoutError(endpoint_url="sts"), _fresh("second"))
    assert _access_key(session) == "first"
    clock.tick(2)
    session.renew()
    with pytest.raises(ReadTimeoutError):
        _access_key(session)
    assert _access_key(session) == "second"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(_fresh("old", expiry_time="2001-01-01T00:00:00Z"), id="expired"),
        pytest.param({}, id="empty"),
        pytest.param({"access_key": "no more"}, id="in part"),
        pytest.param(ResponseParserError("no XML"), id="no XML"),
        pytest.param(KeyError("Credentials"), id="without credentials"),
    ],
)
def test_without_usable_credentials_the_next_call_asks_again(
    monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    session = RoleSession(ROLE, "external", "test", FakeClock(time.time()))
    _answering(monkeypatch, answer, _fresh("good"))
    with pytest.raises(NO_ANSWER, match="not assumed"):
        _access_key(session)
    assert _access_key(session) == "good"


def _access_key(session: RoleSession) -> str:
    credentials = session.get_credentials()
    assert credentials is not None
    return credentials.get_frozen_credentials().access_key
