"""What can go wrong for reasons the user can mend, in one line each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    InvalidRegionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
    SSOError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)
from botocore.exceptions import (
    ConnectionError as BotoConnectionError,
)

if TYPE_CHECKING:
    from sides.session import Side

_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized"}
_BAD_CREDENTIALS = {
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "InvalidAccessKeyId",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "IncompleteSignature",
}
_THROTTLED = {
    "ProvisionedThroughputExceededException",
    "ThrottlingException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
}
# Lambda's answers while a function is updated.
_BEING_CHANGED = {"ResourceConflictException", "ResourceNotReadyException"}
_SIGN_IN = (UnauthorizedSSOTokenError, SSOError, TokenRetrievalError)


class UserError(Exception):
    """An error the user can mend; its text is one line that says what to do.

    Parameters
    ----------
    message
        One line without a full stop's worth of jargon: what is wrong, and what helps.
    side
        ``"source"`` or ``"destination"`` where the error belongs to one side.
    passing
        Whether the same may succeed a while later although nobody changes a flag: see `may_pass`.
    """

    def __init__(self, message: str, side: str | None = None, *, passing: bool = False) -> None:
        super().__init__(message)
        self.side = side
        self.passing = passing


@contextmanager
def explained(side: Side | None = None) -> Iterator[None]:
    """Turn errors of boto3 raised inside the block into a `UserError` that names the side.

    The original error stays its cause. Anything that is not a known error passes unchanged.
    """
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise UserError(explain(error, side), side.name if side else None, passing=may_pass(error)) from error


def may_pass(error: BotoCoreError | ClientError) -> bool:
    """Whether the same call may succeed a while later: throttling, an outage, credentials to be renewed.

    Credentials count that someone or something renews outside of the process: those of an IAM Identity
    Center session, of a process, or in the shared files.
    """
    if isinstance(error, ClientError):
        code = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= 500 or code in _THROTTLED | _EXPIRED | _BEING_CHANGED
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
    code = error.response.get("Error", {}).get("Code", "Unknown")
    message = error.response.get("Error", {}).get("Message", "") or code
    operation = error.operation_name
    if code in _EXPIRED:
        return f"the credentials have expired ({code}); sign in again{_login_hint(side)}"
    if code in _BAD_CREDENTIALS:
        return f"AWS refuses the credentials ({code}); check {_flag(side, 'profile')} and the environment"
    if operation == "AssumeRole" and "MultiFactorAuthentication failed" in message:
        return (
            f"AWS rejected the MFA code ({message}). AWS accepts each code once. Wait for the next code and "
            "run the command again."
        )
    if operation == "AssumeRole":
        role = f" {side.role_arn}" if side and side.role_arn else ""
        return (
            f"cannot assume role{role} ({code}: {message}); check that it trusts the caller, "
            f"and {_flag(side, 'external-id')}"
        )
    if code in _DENIED:
        return f"{operation} is not allowed ({code}: {message})"
    if code == "ResourceNotFoundException" and side and side.table_name and operation != "Invoke":
        where = f" in {side.region}" if side.region else ""
        return (
            f"there is no table {side.table_name}{where} in this account; "
            f"check --{side.name}, --{side.name}-region and --{side.name}-profile"
        )
    if code in _THROTTLED:
        return f"{operation} is throttled, also after retries ({code}: {message}); raise the capacity or wait"
    return f"{operation} failed ({code}: {message})"


def _explain_core(error: BotoCoreError, side: Side | None) -> str:
    if isinstance(error, NoCredentialsError):
        return f"no AWS credentials found; give {_flag(side, 'profile')} or set AWS_PROFILE"
    if isinstance(error, _SIGN_IN):
        return (
            f"the sign-in of IAM Identity Center is missing or has expired; sign in again{_login_hint(side)}"
        )
    if isinstance(error, (PartialCredentialsError, CredentialRetrievalError)):
        return f"the AWS credentials cannot be used ({error}); check {_flag(side, 'profile')}"
    if isinstance(error, ProfileNotFound):
        return f"{error}; `aws configure list-profiles` lists those there are ({_flag(side, 'profile')})"
    if isinstance(error, NoRegionError):
        return f"no AWS region; give {_flag(side, 'region')} (for example eu-west-1) or set AWS_REGION"
    if isinstance(error, InvalidRegionError):
        return f"{error}; {_flag(side, 'region')} takes a name like eu-west-1"
    if isinstance(error, ProxyConnectionError):
        return f"{_with_reason(error)}; check HTTPS_PROXY, HTTP_PROXY and NO_PROXY"
    if isinstance(error, SSLError):
        return f"{error}; if a proxy signs certificates here, set AWS_CA_BUNDLE to the path of its CA bundle"
    if isinstance(error, (EndpointConnectionError, ConnectTimeoutError)):
        reason = _with_reason(error)
        return f"{reason}; check the network, {_flag(side, 'region')} and {_flag(side, 'endpoint-url')}"
    if isinstance(error, (ReadTimeoutError, ConnectionClosedError)):
        return f"{error} The network or the endpoint gave up, even after retries"
    return str(error)


def _with_reason(error: BotoCoreError) -> str:
    """Return botocore's text, which leaves out why a connection failed, with the reason behind it."""
    reason = error.kwargs.get("error")
    return f"{str(error).rstrip('.')} ({reason})" if reason else str(error)


def _login_hint(side: Side | None) -> str:
    return f" (aws sso login --profile {side.profile})" if side and side.profile else ""
