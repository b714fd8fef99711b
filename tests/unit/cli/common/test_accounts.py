"""Sessions: the ordinary chain, profiles, assumed roles that renew themselves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tablecopy_cli.common.accounts import Side, side_of
from tablecopy_cli.common.credentials import ROLE_SESSION_NAME
from tablecopy_cli.common.errors import UserError

ROLE = "arn:aws:iam::222222222222:role/copy"


def test_the_ordinary_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")
    client = Side("source").client("dynamodb")
    assert client.meta.region_name == "eu-north-1"


def test_a_profile_brings_its_region_and_credentials(tmp_path: Path) -> None:
    (tmp_path / "aws-config").write_text(
        "[profile old]\nregion = eu-west-3\naws_access_key_id = OLDKEY\naws_secret_access_key = x\n"
    )
    session = Side("source", profile="old").session()
    assert session.region_name == "eu-west-3"
    credentials = session.get_credentials()
    assert credentials is not None
    assert credentials.access_key == "OLDKEY"
    assert Side("source", profile="old", region="eu-north-1").session().region_name == "eu-north-1"


@pytest.mark.usefixtures("aws")
def test_an_assumed_role() -> None:
    identity = Side("source", region="eu-west-1", role_arn=ROLE).client("sts").get_caller_identity()
    assert identity["Arn"] == f"arn:aws:sts::222222222222:assumed-role/copy/{ROLE_SESSION_NAME}"


@pytest.mark.usefixtures("aws")
def test_an_assumed_role_beside_a_profile_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "aws-config").write_text("[profile old]\nregion = eu-west-3\n")
    monkeypatch.setenv("AWS_PROFILE", "old")
    client = Side("source", role_arn=ROLE).client("sts")
    assert client.meta.region_name == "eu-west-3"
    assert ":assumed-role/copy/" in client.get_caller_identity()["Arn"]


class Sts:
    """Hands out sessions that last as long as told and remembers what it was asked."""

    def __init__(self, lifetime: timedelta) -> None:
        self.lifetime = lifetime
        self.requests: list[dict[str, Any]] = []

    def client(self, service: str, **options: Any) -> Sts:
        assert service == "sts"
        return self

    def assume_role(self, **request: Any) -> dict[str, Any]:
        self.requests.append(request)
        return {
            "Credentials": {
                "AccessKeyId": f"KEY{len(self.requests)}",
                "SecretAccessKey": "x",
                "SessionToken": "x",
                "Expiration": datetime.now(UTC) + self.lifetime,
            },
            "AssumedRoleUser": {"Arn": "arn:aws:sts::222222222222:assumed-role/copy/x"},
        }


@pytest.mark.parametrize(("lifetime", "calls"), [(timedelta(hours=1), 1), (timedelta(seconds=5), 2)])
def test_the_role_is_assumed_again_before_its_session_ends(
    lifetime: timedelta, calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sts = Sts(lifetime)
    monkeypatch.setattr(boto3.Session, "client", lambda self, service, **options: sts.client(service))
    side = Side("destination", region="eu-west-1", role_arn=ROLE, external_id="secret-42")
    credentials = side.session().get_credentials()
    assert credentials is not None
    for _ in range(2):
        frozen = credentials.get_frozen_credentials()
    assert frozen.access_key == f"KEY{calls}"
    assert sts.requests[0] == {
        "RoleArn": ROLE,
        "RoleSessionName": ROLE_SESSION_NAME,
        "ExternalId": "secret-42",
    }
    assert len(sts.requests) == calls


def test_the_endpoint_is_for_every_service() -> None:
    side = Side("source", region="eu-west-1", endpoint_url="http://127.0.0.1:4566")
    assert side.client("dynamodb").meta.endpoint_url == "http://127.0.0.1:4566"
    assert side.client("sts").meta.endpoint_url == "http://127.0.0.1:4566"


def test_a_client_is_told_how_often_and_how_long_to_try() -> None:
    side = Side("source", region="eu-west-1")
    config = side.client("dynamodb").meta.config
    assert config.retries == {"mode": "standard", "total_max_attempts": 10}
    config = side.client("lambda", connections=33, attempts=1, read_timeout=130).meta.config
    assert config.retries["total_max_attempts"] == 1
    assert (config.max_pool_connections, config.read_timeout) == (33, 130)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"profile": "nope"}, r"source: The config profile \(nope\) could not be found. .*--source-profile"),
        ({}, r"source: no AWS Region. Pass --source-region"),
        ({"region": "eu west"}, r"source: .*--source-region takes a name like eu-west-1"),
        (
            {"region": "eu-west-1", "endpoint_url": "x"},
            r"source: Invalid endpoint: x. .*--source-endpoint-url",
        ),
        ({"endpoint_url": "http://127.0.0.1:99999"}, r"Port out of range 0-65535.*--source-endpoint-url"),
        ({"endpoint_url": "http://127.0.0.1:http"}, r"Port could not be cast.*--source-endpoint-url"),
        ({"endpoint_url": "localhost:4566"}, r"Invalid endpoint: localhost:4566. .*is like https://"),
        ({"endpoint_url": "ftp://127.0.0.1"}, r"Invalid endpoint: ftp://127.0.0.1. .*is like https://"),
    ],
)
def test_mistakes_name_the_flag(settings: dict[str, str], message: str) -> None:
    if "endpoint_url" in settings:
        settings = {"region": "eu-west-1", **settings}
    with pytest.raises(UserError, match=message):
        Side("source", **settings).client("dynamodb")


def test_no_credentials_to_assume_the_role_with(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    with mock_aws(config={"core": {"mock_credentials": False}}):
        assert Side("source", region="eu-west-1", role_arn=ROLE).session().get_credentials() is None


def test_empty_strings_are_unset() -> None:
    assert side_of("source", {"table_name": "t", "region": "", "profile": None}) == Side("source", "t")
