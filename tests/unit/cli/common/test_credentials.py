"""One sign-in for each identity and process tree, and a profile's settings under a role."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.credentials import Credentials

from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.aws_errors import user_errors
from tablecopy_cli.common.credentials import SignIns, lend
from tablecopy_cli.common.errors import UserError
from tests.unit.cli.common.sts import CredentialProcess, Sts, serving_sts

ROLE = "arn:aws:iam::222222222222:role/copy"


@pytest.fixture
def sts() -> Iterator[Sts]:
    with serving_sts() as found:
        yield found


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The file of profiles, empty."""
    return tmp_path / "aws-config"


def key(session: boto3.Session) -> str:
    credentials = session.get_credentials()
    assert credentials is not None
    return str(credentials.get_frozen_credentials().access_key)


class Clock:
    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


# One sign-in


def test_all_clients_of_both_sides_share_the_sign_in_of_a_profile(tmp_path: Path, config: Path) -> None:
    process = CredentialProcess(tmp_path)
    config.write_text(f"[profile old]\ncredential_process = {process.command}\n")
    sides = [
        Side("source", "orders", "eu-west-1", profile="old"),
        Side("source", region="eu-west-1", profile="old"),
        Side("destination", "orders", "eu-central-1", profile="old"),
        Side("destination", "orders", profile="old", endpoint_url="http://127.0.0.1:1", region="eu-west-1"),
    ]
    found = [side.session().get_credentials() for side in sides for _ in range(2)]
    for side in sides:
        for service in ("dynamodb", "lambda", "kms"):
            side.client(service)
    assert all(each is found[0] for each in found)
    assert [side.client("dynamodb").meta.region_name for side in sides] == [
        "eu-west-1",
        "eu-west-1",
        "eu-central-1",
        "eu-west-1",
    ]
    assert process.runs == 1


def test_the_sessions_of_one_side_are_one() -> None:
    side = Side("source", "orders", "eu-west-1")
    assert side.session() is Side("source", None, "eu-west-1").session()


def test_profiles_sign_in_by_themselves(tmp_path: Path, config: Path) -> None:
    one, other = CredentialProcess(tmp_path, "one"), CredentialProcess(tmp_path, "other")
    config.write_text(
        f"[profile one]\ncredential_process = {one.command}\n"
        f"[profile other]\ncredential_process = {other.command}\n"
    )
    assert key(Side("source", profile="one").session()) == "one"
    assert key(Side("destination", profile="other").session()) == "other"
    assert (one.runs, other.runs) == (1, 1)


def test_another_environment_is_another_identity(
    tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text("[profile old]\naws_access_key_id = OLD\naws_secret_access_key = x\n")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_PROFILE", "old")
    assert key(Side("source").session()) == "OLD"
    another = tmp_path / "another"
    another.write_text("[profile old]\naws_access_key_id = NEW\naws_secret_access_key = x\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(another))
    assert key(Side("source").session()) == "NEW"


def test_a_process_runs_again_when_its_credentials_expire(tmp_path: Path, config: Path) -> None:
    # botocore renews what has less than ten minutes left.
    process = CredentialProcess(tmp_path, minutes=5)
    config.write_text(f"[profile old]\ncredential_process = {process.command}\n")
    session = Side("source", profile="old").session()
    assert process.runs == 1
    process.print("renewed", minutes=60)
    assert key(session) == "renewed"
    assert key(Side("destination", profile="old").session()) == "renewed"
    assert process.runs == 2


def test_sides_that_sign_in_at_once_do_it_once(tmp_path: Path, config: Path) -> None:
    process = CredentialProcess(tmp_path)
    config.write_text(f"[profile old]\ncredential_process = {process.command}\n")
    together = threading.Barrier(8)

    def sign_in(number: int) -> None:
        together.wait()
        Side("source" if number % 2 else "destination", region="eu-west-1", profile="old").client("dynamodb")

    threads = [threading.Thread(target=sign_in, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert process.runs == 1


def test_a_role_is_assumed_once_for_both_sides(sts: Sts, config: Path) -> None:
    config.write_text(f"[default]\nservices = here\n[services here]\nsts =\n  endpoint_url = {sts.url}\n")
    for name in ("source", "destination"):
        for _ in range(2):
            assert key(Side(name, name, "eu-west-1", role_arn=ROLE).session()) == "KEY1"
    assert len(sts.requests) == 1
    # Another external id is another question.
    assert key(Side("source", None, "eu-west-1", role_arn=ROLE, external_id="other").session()) == "KEY2"


# Worker processes borrow


def test_a_worker_borrows_and_asks_again_after_some_seconds(tmp_path: Path, config: Path) -> None:
    process = CredentialProcess(tmp_path, minutes=5)
    config.write_text(f"[profile old]\ncredential_process = {process.command}\nregion = eu-west-3\n")
    clock, side = Clock(), Side("source", "orders", profile="old")
    worker = SignIns(clock)
    side.session()
    with lend() as loan:
        process.print("lent", minutes=60)
        worker.borrow(loan)
        session = worker.session(side)
        assert session.region_name == "eu-west-3"
        assert [key(session) for _ in range(3)] == ["lent"] * 3
        assert process.runs == 2
        # The parent renews its own before the worker asks for the next ones.
        Side("source", profile="old").session()
        clock.now += timedelta(seconds=9)
        assert key(session) == "lent"
        clock.now += timedelta(seconds=2)
        assert key(session) == "lent"
    assert process.runs == 2


def test_a_worker_gets_what_the_parent_has_renewed(tmp_path: Path, config: Path) -> None:
    process = CredentialProcess(tmp_path, "first", minutes=5)
    config.write_text(f"[profile old]\ncredential_process = {process.command}\n")
    clock, side = Clock(), Side("source", "orders", profile="old")
    worker = SignIns(clock)
    with lend() as loan:
        worker.borrow(loan)
        session = worker.session(side)
        assert key(session) == "first"
        process.print("second", minutes=60)
        assert key(session) == "first"
        clock.now += timedelta(seconds=11)
        assert key(session) == "second"


def test_static_credentials_are_lent_too() -> None:
    worker = SignIns()
    with lend() as loan:
        worker.borrow(loan)
        assert key(worker.session(Side("source", region="eu-west-1"))) == "testing"


def test_what_the_parent_cannot_get_is_said_in_the_worker(tmp_path: Path, config: Path) -> None:
    process = CredentialProcess(tmp_path)
    process.say("no JSON")
    config.write_text(f"[profile old]\ncredential_process = {process.command}\n")
    worker = SignIns()
    with lend() as loan:
        worker.borrow(loan)
        with pytest.raises(UserError, match=r"^source: .*credential_process is not JSON") as caught:
            key(worker.session(Side("source", profile="old")))
    assert caught.value.side == "source"


@pytest.mark.parametrize("keys", [{"AccessKeyId": None}, {"SecretAccessKey": 5}])
def test_keys_that_are_not_strings_are_said_to_be_the_process_s(
    tmp_path: Path, config: Path, keys: dict[str, Any]
) -> None:
    process = CredentialProcess(tmp_path)
    process.say(json.dumps({"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "s", **keys}))
    config.write_text(f"[profile old]\ncredential_process = {process.command}\n")
    side = Side("source", "orders", "eu-west-1", profile="old")
    with pytest.raises(UserError, match=r"^source: .*credential_process.*must be strings"), user_errors(side):
        side.client("dynamodb").list_tables()


def test_a_parent_that_has_gone_is_an_error(config: Path) -> None:
    worker, loan = SignIns(), lend()
    worker.borrow(loan)
    session = worker.session(Side("source"))
    loan.close()
    with pytest.raises(UserError, match="the process that signed in has ended"):
        key(session)


# A profile's settings under a role

DYNAMODB = "https://dynamodb.us-east-1.amazonaws.com"


@pytest.mark.parametrize(
    ("settings", "endpoint"),
    [
        ("", DYNAMODB),
        ("use_fips_endpoint = true", "https://dynamodb-fips.us-east-1.amazonaws.com"),
        ("use_dualstack_endpoint = true", "https://dynamodb.us-east-1.api.aws"),
        ("endpoint_url = http://127.0.0.1:1", "http://127.0.0.1:1"),
        ("services = mine", "http://127.0.0.1:2"),
        ("endpoint_url = http://127.0.0.1:1\nignore_configured_endpoint_urls = true", DYNAMODB),
    ],
)
@pytest.mark.parametrize("given", ["flag", "environment"])
def test_the_endpoint_of_a_profile_is_that_of_its_role(
    settings: str, endpoint: str, given: str, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text(
        f"[profile old]\naws_access_key_id = OLD\naws_secret_access_key = x\n{settings}\n"
        "[services mine]\ndynamodb =\n  endpoint_url = http://127.0.0.1:2\n"
    )
    profile = "old"
    if given == "environment":
        monkeypatch.setenv("AWS_PROFILE", "old")
        profile = None
    for role in (None, ROLE):
        side = Side("source", "orders", "us-east-1", profile=profile, role_arn=role)
        assert side.client("dynamodb").meta.endpoint_url == endpoint


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("ca_bundle", "/etc/own.pem", "/etc/own.pem"),
        ("sts_regional_endpoints", "legacy", "legacy"),
        ("account_id_endpoint_mode", "required", "required"),
        ("retry_mode", "adaptive", "adaptive"),
        ("sdk_ua_app_id", "mover", "mover"),
        ("region", "eu-north-1", "eu-north-1"),
        ("tcp_keepalive", "true", True),
    ],
)
def test_the_settings_of_a_profile_are_those_of_its_role(
    name: str, value: str, found: Any, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    config.write_text(
        f"[profile old]\naws_access_key_id = OLD\naws_secret_access_key = x\n{name} = {value}\n"
    )
    session = Side("source", profile="old", role_arn=ROLE).session()
    variable = {"sdk_ua_app_id": "user_agent_appid"}.get(name, name)
    assert session._session.get_config_variable(variable) == found


def test_the_role_of_a_flag_wins_over_keys_of_the_environment_profile(
    sts: Sts, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The profile of the flag, not that of the environment, assumes the role and gives the settings.
    config.write_text(
        "[profile other]\nuse_fips_endpoint = true\naws_access_key_id = OTHER\naws_secret_access_key = x\n"
        "[profile old]\naws_access_key_id = OLD\naws_secret_access_key = x\nservices = here\n"
        f"[services here]\nsts =\n  endpoint_url = {sts.url}\n"
    )
    monkeypatch.setenv("AWS_PROFILE", "other")
    side = Side("source", "orders", "us-east-1", profile="old", role_arn=ROLE)
    assert key(side.session()) == "KEY1"
    assert side.client("dynamodb").meta.endpoint_url == DYNAMODB
    # STS was called where the profile says.
    assert [request["RoleArn"] for request in sts.requests] == [ROLE]


def test_sts_follows_the_fips_setting_of_the_profile(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text(
        "[profile old]\naws_access_key_id = OLD\naws_secret_access_key = x\nuse_fips_endpoint = true\n"
    )
    asked: list[str] = []

    class Halt(Exception):
        pass

    def halt(request: Any, **_: Any) -> None:
        asked.append(request.url)
        raise Halt

    side = Side("source", "orders", "us-east-1", profile="old", role_arn=ROLE)
    base = Side("source", "orders", "us-east-1", profile="old")
    base.session().events.register("before-send.sts", halt)
    credentials = side.session().get_credentials()
    assert isinstance(credentials, Credentials)
    with pytest.raises(Halt):
        credentials.get_frozen_credentials()
    assert asked == ["https://sts-fips.us-east-1.amazonaws.com/"]
