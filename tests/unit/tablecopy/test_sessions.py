"""The destination account's role."""

from __future__ import annotations

import json
from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from tablecopy.sessions import assumed_session, own_session
from tablecopy.wire import Wire

ROLE = "arn:aws:iam::222222222222:role/copy"


@pytest.fixture(autouse=True)
def aws() -> Iterator[None]:
    with mock_aws():
        yield


def test_the_role_is_assumed_at_the_first_call() -> None:
    session = assumed_session(ROLE, "external", "tablecopy-" + "x" * 100)
    credentials = session.get_credentials()
    own = own_session().get_credentials()
    assert credentials is not None
    assert own is not None
    assert credentials.access_key != own.access_key
    assert credentials.token


def test_writes_go_to_the_other_account() -> None:
    Wire(assumed_session(ROLE, "external", "test"), "eu-west-1").call(
        "create_table",
        {
            "TableName": "there",
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        },
    )
    assert Wire(own_session(), "eu-west-1").call("list_tables", {})["TableNames"] == []


def test_the_functions_own_clients_still_parse_their_answers() -> None:
    assumed_session(ROLE, "external", "test")
    Wire(own_session(), "eu-west-1")
    identity = boto3.client("sts").get_caller_identity()
    assert json.dumps(identity["Account"]) == '"123456789012"'
