"""Errors of AWS and boto3 in one line each: what happened, and which flag or setting to correct."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import botocore.session
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConfigNotFound,
    ConfigParseError,
    ConnectionClosedError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    EndpointProviderError,
    HTTPClientError,
    InvalidConfigError,
    InvalidProxiesConfigError,
    InvalidRegionError,
    InvalidRetryConfigurationError,
    InvalidSTSRegionalEndpointsConfigError,
    MissingDependencyException,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
    SSOError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
    UnknownCredentialError,
)
from botocore.exceptions import (
    ConnectionError as BotoConnectionError,
)

from tablecopy.dynamodb import errors
from tablecopy.dynamodb.errors import Kind
from tablecopy_cli.common.errors import UserError

if TYPE_CHECKING:
    from tablecopy_cli.common.accounts import Side

_SIGN_IN = (UnauthorizedSSOTokenError, SSOError, TokenRetrievalError)
_CONFIGURATION = (
    ConfigNotFound,
    ConfigParseError,
    InvalidConfigError,
    InvalidRetryConfigurationError,
    InvalidSTSRegionalEndpointsConfigError,
    UnknownCredentialError,
)
_CLOCK = ("Signature expired", "Signature not yet current")
# AWS's names for what a flag gives.
_PARAMETERS = {"TableName": "", "ExternalId": "-external-id", "RoleArn": "-role-arn"}


@contextmanager
def user_errors(side: Side | None = None) -> Iterator[None]:
    """Turn errors of boto3 raised inside the block into a `UserError` that names the side.

    The original error stays its cause. Anything that is not a known error passes unchanged.
    """
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise UserError(
            explain(error, side),
            side.name if side else None,
            transient=is_transient(error),
            resumable=not _is_wrong_filter(error),
        ) from error


def is_transient(error: BotoCoreError | ClientError) -> bool:
    """Whether the same call may succeed a while later: throttling, an outage, credentials to be renewed.

    Credentials count that someone or something renews outside of the process: those of an IAM Identity
    Center session, of a process, or in the shared files.
    """
    if isinstance(error, ClientError):
        # A person's credentials are not those of a new session, which AWS may not know yet.
        return errors.is_transient(error) and errors.kind(error) is not Kind.NEW_SESSION
    if isinstance(error, SSLError):
        return False
    return isinstance(error, (BotoConnectionError, HTTPClientError, CredentialRetrievalError, *_SIGN_IN))


def explain(error: BotoCoreError | ClientError, side: Side | None = None) -> str:
    """Say in one line what an error of boto3 means and which flag helps.

    Parameters
    ----------
    error
        The error as botocore raised it.
    side
        The side whose call failed, if the caller knows it; its flags are then named.
    """
    text = (
        _explain_client_error(error, side) if isinstance(error, ClientError) else _explain_core(error, side)
    )
    text = " ".join(text.split())
    return f"{side.name}: {text}" if side else text


def _flag(side: Side | None, name: str) -> str:
    return f"--{side.name}-{name}" if side else f"--source-{name} or --destination-{name}"


def _explain_client_error(error: ClientError, side: Side | None) -> str:
    kind = errors.kind(error)
    code = errors.code(error)
    message = error.response.get("Error", {}).get("Message", "") or code
    operation = error.operation_name
    found = f"({code}: {message})"
    if kind is Kind.CLOCK or message.startswith(_CLOCK):
        return (
            f"AWS rejects the request because this machine's clock is {_skew(message)}. Synchronize the "
            "clock (for example `timedatectl set-ntp true`) and run the command again."
        )
    if _is_expired(error):
        return f"the credentials have expired ({code}). Sign in again{_login_hint(side)}."
    if kind in {Kind.UNRECOGNIZED, Kind.NEW_SESSION}:
        region = f'Region "{side.region}"' if side and side.region else "the Region"
        return (
            f"AWS rejects the credentials {found}. Check {_flag(side, 'profile')} and the AWS_ variables "
            f"of the environment. If they work elsewhere, check that {region} is enabled in the account."
        )
    if operation == "AssumeRole" and "MultiFactorAuthentication failed" in message:
        return (
            f"AWS rejected the MFA code {found}. AWS accepts each code once. Wait for the next code and run "
            "the command again."
        )
    if operation == "AssumeRole" and not code.isdigit():
        role = f" {side.role_arn}" if side and side.role_arn else ""
        return (
            f"cannot assume role{role} {found}. Check that its trust policy allows the caller, and "
            f"{_flag(side, 'external-id')}."
        )
    if _concerns_key(error, message):
        return (
            f"{operation} is not allowed to use the KMS key {found}. Check that the key is enabled and that "
            "its key policy and the caller's policy allow the caller to use it."
        )
    if errors.is_denied(error):
        return f"{operation} is not allowed {found}. Grant the permission to the caller, or {_other(side)}."
    if code == errors.RESOURCE_NOT_FOUND and side and side.table_name and operation != "Invoke":
        where = f" in {side.region}" if side.region else ""
        return (
            f"there is no table {side.table_name}{where} in this account. "
            f"Check --{side.name}, --{side.name}-region and --{side.name}-profile."
        )
    if errors.is_throttled(error):
        return f"{operation} is throttled, also after retries {found}. Raise the capacity or wait."
    if _is_wrong_filter(error):
        return (
            f"DynamoDB rejects the filter {found}. Correct --filter-expression, "
            "--expression-attribute-names or --expression-attribute-values, and run the command again."
        )
    if code == "ValidationException" and (flag := _parameter_flag(message, side)):
        return f"{operation} failed {found}. Check {flag}."
    if code == "407":
        return f"the proxy requires a sign-in {found}. Put a user and password into HTTPS_PROXY."
    if code.isdigit() and int(code) < 500:
        return (
            f"{operation} was answered with HTTP status {code} by something other than AWS. "
            f"Check {_flag(side, 'endpoint-url')}, HTTPS_PROXY and NO_PROXY."
        )
    return f"{operation} failed {found}"


def _explain_core(error: BotoCoreError, side: Side | None) -> str:
    for kinds, text in (
        (NoCredentialsError, _no_credentials),
        (_SIGN_IN, _no_sso),
        ((PartialCredentialsError, CredentialRetrievalError), _bad_credentials),
        (ProfileNotFound, _no_profile),
        (_CONFIGURATION, _bad_configuration),
        (SSLError, _no_trust),
        ((ProxyConnectionError, InvalidProxiesConfigError), _no_proxy),
        ((EndpointConnectionError, ConnectTimeoutError), _no_connection),
    ):
        if isinstance(error, kinds):
            return text(error, side)
    if isinstance(error, NoRegionError):
        # boto3 does not read AWS_REGION.
        return (
            f"no AWS Region. Pass {_flag(side, 'region')} (for example eu-west-1) or set AWS_DEFAULT_REGION."
        )
    if isinstance(error, InvalidRegionError):
        return f"{_sentence(error)} {_flag(side, 'region')} takes a name like eu-west-1."
    if isinstance(error, (ReadTimeoutError, ConnectionClosedError)):
        return f"{_sentence(error)} The network or the endpoint gave up, even after retries. Run it again."
    if isinstance(error, ParamValidationError) and (flag := _parameter_flag(str(error), side)):
        return f"{_sentence(error)} Check {flag}."
    if isinstance(error, EndpointProviderError) and "AccountId" in str(error):
        return (
            f"{_sentence(error)} Set aws_account_id in the profile (or AWS_ACCOUNT_ID), or "
            "account_id_endpoint_mode to preferred."
        )
    if isinstance(error, MissingDependencyException):
        return f"{_sentence(error)} Or choose another {_flag(side, 'profile')}."
    if isinstance(error, HTTPClientError) and "Failed to parse" in str(error):
        return f"{_sentence(error)} Check that HTTPS_PROXY and HTTP_PROXY are like http://proxy.example:8080."
    return str(error)


def _no_credentials(error: BotoCoreError, side: Side | None) -> str:
    return f"no AWS credentials found{_unreadable()}. Pass {_flag(side, 'profile')} or set AWS_PROFILE."


def _no_sso(error: BotoCoreError, side: Side | None) -> str:
    return f"the sign-in of IAM Identity Center is missing or has expired. Sign in again{_login_hint(side)}."


def _bad_credentials(error: BotoCoreError, side: Side | None) -> str:
    profile = f' of profile "{_profile(side)}"'
    text = f"the AWS credentials{profile} cannot be used ({error})."
    if "credential_process" in str(error) or "custom-process" in str(error):
        return f"{text} Run its credential_process by hand and check what it prints."
    return f"{text} Check the profile, or choose another one with {_flag(side, 'profile')}."


def _no_profile(error: BotoCoreError, side: Side | None) -> str:
    given = _flag(side, "profile") if side is None or side.profile else "AWS_PROFILE"
    return f"{error}{_unreadable()}. Check {given}. `aws configure list-profiles` lists the profiles."


def _bad_configuration(error: BotoCoreError, side: Side | None) -> str:
    return (
        f"the AWS configuration is invalid. {_sentence(error)} Correct it, or choose another profile with "
        f"{_flag(side, 'profile')}."
    )


def _no_trust(error: BotoCoreError, side: Side | None) -> str:
    return (
        f"{_sentence(error)} If a proxy of your network inspects TLS, name its certificate in AWS_CA_BUNDLE "
        f"or in ca_bundle of the profile. Else check {_flag(side, 'endpoint-url')}."
    )


def _no_proxy(error: BotoCoreError, side: Side | None) -> str:
    text = _with_reason(error)
    if "407" in str(error.kwargs.get("error", "")):
        return f"{text} The proxy requires a sign-in (407). Put a user and password into HTTPS_PROXY."
    return f"{text} Check HTTPS_PROXY, or list hosts to reach directly in NO_PROXY."


def _no_connection(error: BotoCoreError, side: Side | None) -> str:
    # Not its hostname: that is in lower case.
    host = urlsplit(str(error.kwargs.get("endpoint_url", ""))).netloc
    # Some hosts, such as that of STS where no Region is set, are in none.
    labels = host.partition(".amazonaws.com")[0].split(".")
    is_aws = host.endswith((".amazonaws.com", ".amazonaws.com.cn"))
    region = labels[1] if is_aws and len(labels) > 1 else ""
    if region and region not in (known := _regions()):
        near = difflib.get_close_matches(region.lower(), known, 1)
        meant = f'Did you mean "{near[0]}"?' if near else "Is it spelled correctly?"
        return (
            f'{_with_reason(error)} "{region}" is not a known Region. {meant} Check {_flag(side, "region")}.'
        )
    return (
        f"{_with_reason(error)} Check the network, {_flag(side, 'region')} and {_flag(side, 'endpoint-url')}."
    )


def _regions() -> list[str]:
    session = botocore.session.Session()
    return [
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("dynamodb", partition)
    ]


def _is_wrong_filter(error: BotoCoreError | ClientError) -> bool:
    if not isinstance(error, ClientError) or error.operation_name != "Scan":
        return False
    found = error.response.get("Error", {})
    return found.get("Code") == "ValidationException" and bool(
        re.search(r"FilterExpression|ExpressionAttribute|[Ee]xpression", found.get("Message", ""))
    )


def _is_expired(error: ClientError) -> bool:
    # RequestExpired, which may be sent again as it is, is about the time for which the request was signed.
    return errors.kind(error) is Kind.EXPIRED or errors.code(error) == "RequestExpired"


def _concerns_key(error: ClientError, message: str) -> bool:
    code = errors.code(error)
    denied = errors.is_denied(error) and bool(re.search(r"\bkms:|\bKMS\b", message))
    return denied or code.startswith("KMS") or code == "InaccessibleEncryptionCredentialsException"


def _skew(message: str) -> str:
    """By how much the clock is wrong: the first time in the message is ours, the last one is AWS's."""
    times = [datetime.strptime(each, "%Y%m%dT%H%M%S") for each in re.findall(r"(\d{8}T\d{6})Z", message)]
    if len(times) < 2:
        return "wrong"
    minutes = (times[0] - times[-1]).total_seconds() / 60
    return f"{abs(minutes):,.0f} minutes {'behind' if minutes < 0 else 'ahead'}"


def _parameter_flag(message: str, side: Side | None) -> str | None:
    for name, suffix in _PARAMETERS.items():
        if name.lower() in message.lower():
            return f"--{side.name}{suffix}" if side else f"--source{suffix} or --destination{suffix}"
    return None


def _unreadable() -> str:
    """Name configuration files that are there and cannot be read: botocore passes over them silently."""
    names = {"AWS_CONFIG_FILE": "~/.aws/config", "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials"}
    paths = [os.path.expanduser(os.environ.get(name) or usual) for name, usual in names.items()]
    bad = [path for path in paths if os.path.exists(path) and not _is_readable(path)]
    return f" ({' and '.join(bad)} cannot be read)" if bad else ""


def _is_readable(path: str) -> bool:
    try:
        with open(path, "rb"):
            return True
    except OSError:
        return False


def _profile(side: Side | None) -> str:
    environment = os.environ.get("AWS_DEFAULT_PROFILE") or os.environ.get("AWS_PROFILE")
    return (side.profile if side else None) or environment or "default"


def _other(side: Side | None) -> str:
    return f"choose others with {_flag(side, 'profile')} or {_flag(side, 'role-arn')}"


def _sentence(error: BotoCoreError) -> str:
    return f"{str(error).rstrip('. ')}."


def _with_reason(error: BotoCoreError) -> str:
    """Return botocore's sentence, which leaves out why a connection failed, with the reason behind it."""
    # urllib3 begins with the object whose connection it is.
    reason = re.sub(r"<[^>]*>:? *", "", str(error.kwargs.get("error") or ""))
    return f"{str(error).rstrip('. ')} ({reason})." if reason else _sentence(error)


def _login_hint(side: Side | None) -> str:
    return f" (aws sso login --profile {side.profile})" if side and side.profile else ""
