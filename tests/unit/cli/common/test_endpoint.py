"""Endpoints, certificates and credential processes that cannot work, and answers that are not from AWS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.aws_errors import user_errors
from tablecopy_cli.common.control_function import ControlFunction
from tablecopy_cli.common.errors import UserError
from tablecopy_cli.run.checks import SideCaller
from tests.loopback import Answer, Request, serving
from tests.unit.cli.common.sts import CredentialProcess
from verify.repair.live_table import LiveTable

PAGE = b"<html>Please sign in</html>"


class Stranger:
    """Answers every call with the same."""

    def __init__(self) -> None:
        self.url = ""
        self.status, self.kind, self.body = 200, "text/html; charset=utf-8", PAGE
        self.calls = 0


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    found = Stranger()

    def answer(request: Request) -> Answer:
        found.calls += 1
        return Answer(found.status, found.body, {"Content-Type": found.kind})

    with serving(answer) as found.url:
        yield found


@pytest.mark.parametrize("status", [200, 302, 403])
@pytest.mark.parametrize(
    ("service", "operation", "parameters"),
    [
        ("dynamodb", "describe_table", {"TableName": "orders"}),
        ("lambda", "invoke", {"FunctionName": "control"}),
        ("kms", "describe_key", {"KeyId": "x"}),
        ("sts", "get_caller_identity", {}),
    ],
)
def test_a_web_page_is_not_an_answer(
    stranger: Stranger, status: int, service: str, operation: str, parameters: dict[str, str]
) -> None:
    stranger.status = status
    client = Side("source", region="eu-west-1", endpoint_url=stranger.url).client(service)
    with pytest.raises(UserError) as caught:
        getattr(client, operation)(**parameters)
    assert str(caught.value) == (
        f"source: {stranger.url} answered with a web page (HTTP status {status}), so it was not AWS. A proxy "
        "or its sign-in page may be in between. Check HTTPS_PROXY, NO_PROXY and --source-endpoint-url."
    )
    assert stranger.calls == 1


def test_what_says_it_is_json_is_json(stranger: Stranger) -> None:
    stranger.kind = "application/x-amz-json-1.0"
    client = Side("source", region="eu-west-1", endpoint_url=stranger.url).client("dynamodb")
    with pytest.raises(UserError, match="answered with something else than JSON"):
        client.describe_table(TableName="orders")


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "kind", "body", "member"),
    [
        ("dynamodb", "describe_table", {"TableName": "orders"}, "application/json", b"{}", "Table"),
        ("dynamodb", "describe_table", {"TableName": "orders"}, "application/json", b"[]", "Table"),
        (
            "dynamodb",
            "describe_time_to_live",
            {"TableName": "orders"},
            "application/x-amz-json-1.0",
            b'{"Table": {}}',
            "TimeToLiveDescription",
        ),
        ("dynamodbstreams", "describe_stream", {"StreamArn": "a" * 40}, "", b"{}", "StreamDescription"),
        ("kms", "describe_key", {"KeyId": "x"}, "application/json", b"{}", "KeyMetadata"),
        ("sts", "get_caller_identity", {}, "text/xml", b"<Answer/>", "Account"),
        ("sts", "get_caller_identity", {}, "application/json", b"{}", "Account"),
    ],
)
def test_an_answer_without_what_aws_always_sends(
    stranger: Stranger,
    service: str,
    operation: str,
    parameters: dict[str, str],
    kind: str,
    body: bytes,
    member: str,
) -> None:
    stranger.kind, stranger.body = kind, body
    client = Side("source", region="eu-west-1", endpoint_url=stranger.url).client(service)
    with pytest.raises(UserError) as caught:
        getattr(client, operation)(**parameters)
    name = client.meta.method_to_api_mapping[operation]
    assert str(caught.value) == (
        f"source: {stranger.url} answered {name} without {member}, so it was not AWS. A proxy or its sign-in "
        "page may be in between. Check HTTPS_PROXY, NO_PROXY and --source-endpoint-url."
    )
    assert stranger.calls == 1


def test_preflight_and_repair_look_up_a_table_at_a_stranger(stranger: Stranger) -> None:
    stranger.kind, stranger.body = "application/x-amz-json-1.0", b"{}"
    side = Side("source", table_name="orders", region="eu-west-1", endpoint_url=stranger.url)
    with pytest.raises(UserError, match="answered DescribeTable without Table"):
        LiveTable.connect(side, connections=1)
    with pytest.raises(UserError, match="answered DescribeTable without Table"):
        SideCaller(side).call("describe_table", {"TableName": "orders"})


@pytest.mark.parametrize("body", [b"", b"null", b'"done"', b"<html>", b"{}"])
def test_another_function_than_control(stranger: Stranger, body: bytes) -> None:
    stranger.kind, stranger.body = "application/json", body
    side = Side("source", region="eu-west-1", endpoint_url=stranger.url)
    with pytest.raises(UserError) as caught:
        ControlFunction(side, "other").status()
    assert str(caught.value) == (
        "function other does not answer as control does. Check --control-function: it takes the Terraform "
        "output control_function_name"
    )


def test_a_web_page_of_an_outage_is_tried_again(stranger: Stranger) -> None:
    stranger.status = 503
    client = Side("source", region="eu-west-1", endpoint_url=stranger.url).client("dynamodb", attempts=2)
    with pytest.raises(client.exceptions.ClientError):
        client.describe_table(TableName="orders")
    assert stranger.calls == 2


@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_certificates_that_cannot_be_read(
    variable: str, content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    bundle = tmp_path / "own.pem"
    if content is not None:
        bundle.write_text(content)
    monkeypatch.setenv(variable, str(bundle))
    with pytest.raises(UserError) as caught:
        Side("source", region="eu-west-1").client("dynamodb")
    text = str(caught.value)
    assert text.startswith(f'source: the certificates in "{bundle}" cannot be read (')
    assert text.endswith("Check AWS_CA_BUNDLE, REQUESTS_CA_BUNDLE and ca_bundle in the profile.")
    # Without TLS nobody needs them.
    Side("source", region="eu-west-1", endpoint_url="http://127.0.0.1:1").client("dynamodb")


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("Welcome to example.com", "the output of credential_process is not JSON"),
        ("", "the output of credential_process is not JSON"),
        ("[]", "the output of credential_process is not a JSON object"),
        ('{"Version": 2}', "Unsupported version"),
        ('{"Version": 1, "AccessKeyId": "SECRET"}', "Missing required key"),
        (
            '{"Version": 1, "AccessKeyId": "SECRET", "SecretAccessKey": "SECRET", "Expiration": "soon"}',
            "credential_process: Unknown string format: soon",
        ),
        (
            '{"Version": 1, "AccessKeyId": "SECRET", "SecretAccessKey": "SECRET", '
            '"Expiration": "2020-01-01T00:00:00Z"}',
            "the refreshed credentials are still expired",
        ),
    ],
)
def test_what_a_credential_process_prints_wrongly(output: str, reason: str, tmp_path: Path) -> None:
    process = CredentialProcess(tmp_path)
    process.say(output)
    text = refused(tmp_path, process.command)
    assert reason in text
    assert "SECRET" not in text


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("/nope/process", "credential_process: [Errno 2] No such file or directory: '/nope/process'"),
        ('sh -c "echo', "credential_process: No closing quotation"),
        ('sh -c "echo first log in >&2; exit 3"', "first log in"),
    ],
)
def test_a_credential_process_that_cannot_be_run(command: str, reason: str, tmp_path: Path) -> None:
    assert reason in refused(tmp_path, command)


def refused(directory: Path, command: str) -> str:
    """Sign in with this process; returns the one line that says why it cannot be done."""
    (directory / "aws-config").write_text(f"[profile old]\ncredential_process = {command}\n")

    def sign_in() -> None:
        with user_errors(side):
            side.client("sts").get_caller_identity()

    side = Side("source", "orders", "eu-west-1", profile="old")
    with pytest.raises(UserError) as caught:
        sign_in()
    text = str(caught.value)
    assert text.startswith('source: the AWS credentials of profile "old" cannot be used (')
    assert text.endswith("Run its credential_process by hand and check what it prints.")
    return text
