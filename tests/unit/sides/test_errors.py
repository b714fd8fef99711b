"""Errors of AWS in one line that names the side and the flag."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
    SSOTokenLoadError,
    UnauthorizedSSOTokenError,
)

from sides import Side, UserError
from sides.errors import explain, explained

SIDE = Side(
    "source", table_name="orders", region="eu-west-1", profile="old", role_arn="arn:aws:iam::1:role/r"
)


def client_error(code: str, message: str = "some\n reason", operation: str = "Scan") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


@pytest.mark.parametrize(
    ("error", "parts"),
    [
        (client_error("ExpiredTokenException"), ["have expired", "aws sso login --profile old"]),
        (client_error("UnrecognizedClientException"), ["refuses the credentials", "--source-profile"]),
        (
            client_error("AccessDenied", operation="AssumeRole"),
            ["cannot assume role arn:aws:iam::1:role/r", "some reason", "--source-external-id"],
        ),
        (client_error("AccessDeniedException"), ["Scan is not allowed (AccessDeniedException: some reason)"]),
        (client_error("ResourceNotFoundException"), ["no table orders in eu-west-1", "--source-region"]),
        (client_error("ProvisionedThroughputExceededException"), ["Scan is throttled, also after retries"]),
        (client_error("InternalServerError"), ["Scan failed (InternalServerError: some reason)"]),
        (NoCredentialsError(), ["no AWS credentials found", "--source-profile"]),
        (PartialCredentialsError(provider="env", cred_var="x"), ["cannot be used", "--source-profile"]),
        (UnauthorizedSSOTokenError(), ["sign in again", "aws sso login --profile old"]),
        (SSOTokenLoadError(error_msg="x"), ["sign in again"]),
        (NoRegionError(), ["no AWS region", "--source-region"]),
        (EndpointConnectionError(endpoint_url="https://x"), ["https://x", "--source-endpoint-url"]),
        (ConnectTimeoutError(endpoint_url="https://x"), ["https://x", "--source-region"]),
        (ReadTimeoutError(endpoint_url="https://x"), ["https://x", "even after retries"]),
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
        "no AWS region; give --source-region or --destination-region (for example eu-west-1) "
        "or set AWS_REGION"
    )


def test_a_missing_function_is_no_missing_table() -> None:
    error = client_error("ResourceNotFoundException", "Function not found: x", "Invoke")
    assert explain(error, SIDE) == (
        "source: Invoke failed (ResourceNotFoundException: Function not found: x)"
    )


def test_explained_keeps_the_cause_and_the_side() -> None:
    error = client_error("AccessDeniedException")
    with pytest.raises(UserError) as caught, explained(SIDE):
        raise error
    assert caught.value.__cause__ is error
    assert caught.value.side == "source"


@pytest.mark.parametrize(
    ("error", "passing"),
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
    ],
)
def test_what_may_pass_by_itself(error: Any, passing: bool) -> None:
    with pytest.raises(UserError) as caught, explained(SIDE):
        raise error
    assert caught.value.passing is passing


def test_other_errors_pass() -> None:
    with pytest.raises(ZeroDivisionError), explained(SIDE):
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
