"""Errors of AWS in one line that names the side and the flag."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConfigParseError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    EndpointProviderError,
    HTTPClientError,
    InvalidConfigError,
    MissingDependencyException,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
    SSOTokenLoadError,
    UnauthorizedSSOTokenError,
)

from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.aws_errors import explain, user_errors
from tablecopy_cli.common.errors import UserError

SIDE = Side(
    "source", table_name="orders", region="eu-west-1", profile="old", role_arn="arn:aws:iam::1:role/r"
)


def client_error(code: str, message: str = "some\n reason", operation: str = "Scan") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


EXPIRED = (
    "Signature expired: 20260101T100000Z is now earlier than 20260101T101000Z (20260101T101500Z - 5 min.)"
)
EARLY = (
    "Signature not yet current: 20260101T120000Z is still later than 20260101T100500Z "
    "(20260101T100000Z + 5 min.)"
)
FILTER = 'Invalid FilterExpression: Syntax error; token: "?", near: "a ? b"'
LENGTH = "Parameter validation failed:\nInvalid length for parameter {}, value: 1, valid min length: 3"
CONSTRAINT = "1 validation error detected: Value 'a b' at 'tableName' failed to satisfy constraint"
HOST = "https://dynamodb.{}.amazonaws.com/"


def html(status: str) -> ClientError:
    return ClientError({"Error": {"Code": status, "Message": ""}}, "DescribeTable")


@pytest.mark.parametrize(
    ("error", "parts"),
    [
        # Credentials
        (client_error("ExpiredTokenException"), ["have expired", "aws sso login --profile old"]),
        (
            client_error("UnrecognizedClientException"),
            ["rejects the credentials", "--source-profile", 'Region "eu-west-1" is enabled in the account'],
        ),
        (NoCredentialsError(), ["no AWS credentials found", "--source-profile"]),
        (
            PartialCredentialsError(provider="env", cred_var="x"),
            ['of profile "old"', "cannot be used", "missing: x", "--source-profile"],
        ),
        (
            CredentialRetrievalError(provider="custom-process", error_msg="not logged\nin"),
            ['of profile "old"', "not logged in", "Run its credential_process by hand"],
        ),
        (UnauthorizedSSOTokenError(), ["Sign in again", "aws sso login --profile old"]),
        (SSOTokenLoadError(error_msg="x"), ["Sign in again"]),
        (ProfileNotFound(profile="old"), ["(old)", "Check --source-profile", "aws configure list-profiles"]),
        (MissingDependencyException(msg="pip install x"), ["pip install x", "--source-profile"]),
        # Clocks
        (
            client_error("InvalidSignatureException", EXPIRED),
            ["this machine's clock is 15 minutes behind", "Synchronize the clock"],
        ),
        (client_error("SignatureDoesNotMatch", EARLY), ["clock is 120 minutes ahead", "Synchronize"]),
        (client_error("RequestTimeTooSkewed", "too far"), ["clock is wrong", "Synchronize"]),
        (client_error("InvalidSignatureException", "does not match"), ["rejects the credentials"]),
        # Permissions
        (
            client_error("AccessDenied", operation="AssumeRole"),
            ["cannot assume role arn:aws:iam::1:role/r", "some reason", "--source-external-id"],
        ),
        (
            client_error("AccessDenied", "MultiFactorAuthentication failed with invalid code", "AssumeRole"),
            ["rejected the MFA code", "Wait for the next code"],
        ),
        (
            client_error("AccessDeniedException"),
            ["Scan is not allowed (AccessDeniedException: some reason)", "--source-role-arn"],
        ),
        (
            client_error("AccessDeniedException", "not authorized to perform: kms:Decrypt on x"),
            ["the KMS key", "its key policy"],
        ),
        (client_error("KMSDisabledException", operation="Invoke"), ["the KMS key", "key is enabled"]),
        # What was named
        (client_error("ResourceNotFoundException"), ["no table orders in eu-west-1", "--source-region"]),
        (client_error("ValidationException", FILTER), ["Syntax error", "Correct --filter-expression"]),
        (
            client_error("ValidationException", "ExpressionAttributeValues contains invalid value"),
            ["--expression-attribute-values"],
        ),
        (client_error("ValidationException", CONSTRAINT, "DescribeTable"), ["'a b'", "Check --source."]),
        (ParamValidationError(report=LENGTH.format("TableName")), ["valid min length", "Check --source."]),
        (ParamValidationError(report=LENGTH.format("ExternalId")), ["Check --source-external-id."]),
        # The configuration
        (NoRegionError(), ["no AWS Region", "--source-region", "set AWS_DEFAULT_REGION"]),
        (
            ConfigParseError(path="/home/me/.aws/config", error="x"),
            ["Unable to parse config file: /home/me/.aws/config. Correct it", "--source-profile"],
        ),
        (InvalidConfigError(error_msg="no such source"), ["configuration is invalid", "no such source."]),
        (
            EndpointProviderError(msg="AccountIdEndpointMode is required but no AccountID was provided"),
            ["aws_account_id", "account_id_endpoint_mode"],
        ),
        # The network
        (
            EndpointConnectionError(endpoint_url="https://x"),
            ["https://x", "Check the network", "--source-endpoint-url"],
        ),
        (
            EndpointConnectionError(endpoint_url=HOST.format("eu-wset-1")),
            ['"eu-wset-1" is not a known Region', 'Did you mean "eu-west-1"?', "--source-region"],
        ),
        (EndpointConnectionError(endpoint_url=HOST.format("EU-WEST-1")), ['Did you mean "eu-west-1"?']),
        (EndpointConnectionError(endpoint_url=HOST.format("xx")), ["Is it spelled correctly?"]),
        (EndpointConnectionError(endpoint_url=HOST.format("eu-west-1")), ["Check the network"]),
        (EndpointConnectionError(endpoint_url="https://sts.amazonaws.com/"), ["Check the network"]),
        (ConnectTimeoutError(endpoint_url="https://x"), ["https://x", "--source-region"]),
        (ReadTimeoutError(endpoint_url="https://x"), ["https://x", "even after retries"]),
        (
            SSLError(endpoint_url="https://x", error="CERTIFICATE_VERIFY_FAILED"),
            ["CERTIFICATE_VERIFY_FAILED", "AWS_CA_BUNDLE", "ca_bundle"],
        ),
        (ProxyConnectionError(proxy_url="http://p"), ["http://p", "HTTPS_PROXY", "NO_PROXY"]),
        (
            ProxyConnectionError(proxy_url="http://p", error="Tunnel connection failed: 407 x"),
            ["requires a sign-in (407)", "user and password into HTTPS_PROXY"],
        ),
        (html("407"), ["requires a sign-in", "HTTPS_PROXY"]),
        (HTTPClientError(error="Failed to parse: http://p:99999"), ["http://p:99999", "HTTPS_PROXY"]),
        (html("403"), ["HTTP status 403", "something other than AWS", "--source-endpoint-url"]),
        # Others
        (
            client_error("ProvisionedThroughputExceededException"),
            ["Scan is throttled, also after retries", "Raise the capacity"],
        ),
        (client_error("InternalServerError"), ["Scan failed (InternalServerError: some reason)"]),
        (BotoCoreError(), ["source: An unspecified error occurred"]),
    ],
)
def test_one_line_that_helps(error: Any, parts: list[str]) -> None:
    text = explain(error, SIDE)
    assert text.startswith("source: ")
    assert "\n" not in text
    for part in parts:
        assert part in text


def test_without_a_side_both_flags_are_named() -> None:
    assert explain(NoRegionError()) == (
        "no AWS Region. Pass --source-region or --destination-region (for example eu-west-1) "
        "or set AWS_DEFAULT_REGION."
    )


def test_a_missing_function_is_no_missing_table() -> None:
    error = client_error("ResourceNotFoundException", "Function not found: x", "Invoke")
    assert explain(error, SIDE) == (
        "source: Invoke failed (ResourceNotFoundException: Function not found: x)"
    )


def test_explained_keeps_the_cause_and_the_side() -> None:
    error = client_error("AccessDeniedException")
    with pytest.raises(UserError) as caught, user_errors(SIDE):
        raise error
    assert caught.value.__cause__ is error
    assert caught.value.side == "source"


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (client_error("ThrottlingException"), True),
        (client_error("TooManyRequestsException"), True),
        (client_error("ExpiredTokenException"), True),
        (client_error("ResourceConflictException"), True),
        (ClientError({"Error": {"Code": "X"}, "ResponseMetadata": {"HTTPStatusCode": 503}}, "Invoke"), True),
        (ReadTimeoutError(endpoint_url="https://x"), True),
        (EndpointConnectionError(endpoint_url="https://x"), True),
        (UnauthorizedSSOTokenError(), True),
        (client_error("AccessDeniedException"), False),
        (client_error("ResourceNotFoundException"), False),
        (client_error("UnrecognizedClientException"), False),
        (NoCredentialsError(), False),
        (NoRegionError(), False),
        (SSLError(endpoint_url="https://x", error="y"), False),
    ],
)
def test_what_may_pass_by_itself(error: Any, transient: bool) -> None:
    with pytest.raises(UserError) as caught, user_errors(SIDE):
        raise error
    assert caught.value.transient is transient


def test_the_variable_that_is_recommended_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    [variable] = re.findall(r"set (AWS_\w+)\.", explain(NoRegionError()))
    monkeypatch.setenv(variable, "eu-north-1")
    assert Side("source").client("dynamodb").meta.region_name == "eu-north-1"


def test_only_a_wrong_filter_makes_what_was_read_useless() -> None:
    for error, resumable in (
        (client_error("ValidationException", FILTER), False),
        (client_error("ValidationException", FILTER, "PutItem"), True),
        (client_error("ExpiredTokenException"), True),
    ):
        with pytest.raises(UserError) as caught, user_errors(SIDE):
            raise error
        assert caught.value.resumable is resumable
        # Also in the process that started this one.
        assert pickle.loads(pickle.dumps(caught.value)).resumable is resumable


def test_files_that_cannot_be_read_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path))
    assert f"({tmp_path} cannot be read)" in explain(ProfileNotFound(profile="x"), SIDE)
    assert f"({tmp_path} cannot be read)" in explain(NoCredentialsError(), SIDE)


def test_the_variable_that_names_a_missing_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Check AWS_PROFILE." in explain(ProfileNotFound(profile="x"), Side("source"))


def test_other_errors_pass() -> None:
    with pytest.raises(ZeroDivisionError), user_errors(SIDE):
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("error", "parts"),
    [
        (
            SSLError(endpoint_url="https://db", error=OSError("CERTIFICATE_VERIFY_FAILED: self-signed")),
            ["https://db", "self-signed", "AWS_CA_BUNDLE"],
        ),
        (
            EndpointConnectionError(endpoint_url="https://db", error=OSError("Connection refused")),
            ["https://db", "Connection refused", "--source-endpoint-url"],
        ),
        (
            ProxyConnectionError(proxy_url="http://proxy:8080", error=OSError("407 Authentication Required")),
            ["http://proxy:8080", "407 Authentication Required", "HTTPS_PROXY"],
        ),
    ],
)
def test_why_there_was_no_connection_is_kept(error: BotoCoreError, parts: list[str]) -> None:
    text = explain(error, Side("source"))
    assert [part for part in parts if part not in text] == []
