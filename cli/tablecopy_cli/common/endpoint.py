"""Endpoints that cannot work, and answers that are not from AWS."""

from __future__ import annotations

import json
import os
import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3

from tablecopy_cli.common.errors import UserError

if TYPE_CHECKING:
    from botocore.model import OperationModel

    from tablecopy_cli.common.accounts import Side


# What AWS answers always, and what every caller of the operation reads.
_ALWAYS = {
    "AssumeRole": "Credentials",
    "DescribeContinuousBackups": "ContinuousBackupsDescription",
    "DescribeKey": "KeyMetadata",
    "DescribeScalableTargets": "ScalableTargets",
    "DescribeStream": "StreamDescription",
    "DescribeTable": "Table",
    "DescribeTimeToLive": "TimeToLiveDescription",
    "GetCallerIdentity": "Account",
    "GetResourcePolicy": "Policy",
    "ListPipes": "Pipes",
}


def check_endpoint(url: str) -> None:
    """Refuse an endpoint that botocore accepts and then cannot call.

    Raises
    ------
    ValueError
        Its scheme is not HTTP, it has no host, or its port is not one.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"Invalid endpoint: {url}")
    try:
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"Invalid endpoint: {url} ({error})") from error


def check_certificates(session: boto3.Session, side: Side) -> None:
    """Refuse a bundle of certificates that cannot be read, whichever setting names it.

    Raises
    ------
    UserError
        There is no such file, or it holds no certificate.
    """
    # boto3 hides the session that has the settings.
    bundle = session._session.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE")
    if not bundle:
        return
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(**{"capath" if os.path.isdir(bundle) else "cafile": bundle})
    except OSError as error:
        raise UserError(
            f'{side.name}: the certificates in "{bundle}" cannot be read ({error.strerror or error}). Check '
            "AWS_CA_BUNDLE, REQUESTS_CA_BUNDLE and ca_bundle in the profile.",
            side.name,
        ) from error


def check_answer(
    side: Side, url: str, response_dict: dict[str, Any], operation_model: OperationModel, **_: object
) -> None:
    """Refuse an answer that something between here and AWS gave, such as a proxy's sign-in page.

    botocore would take it for an answer without content. Made for its event ``before-parse``.

    Raises
    ------
    UserError
        The answer is a web page, or it is a success and not the JSON it says it is, or lacks what AWS always
        sends.
    """
    status, headers, body = (response_dict[name] for name in ("status_code", "headers", "body"))
    kind = headers.get("Content-Type", "")
    if status >= 500:
        # It is tried again.
        return
    if kind.startswith("text/html"):
        what = "a web page"
    elif kind.startswith("application/x-amz-json") and status < 300 and not _is_object(body):
        what = "something else than JSON"
    else:
        if status < 300:
            check_members(side, url, operation_model.name, body)
        return
    raise _not_aws(side, url, f"answered with {what} (HTTP status {status})")


def check_members(side: Side, url: str, operation: str, body: Any) -> None:
    """Refuse the body of a success that lacks what AWS always sends.

    Raises
    ------
    UserError
        It does, so it is not an answer to ``operation``.
    """
    member = _ALWAYS.get(operation)
    # The body of a streaming operation is not bytes: it is read by the caller.
    if member and isinstance(body, bytes) and not _has(body, member):
        raise _not_aws(side, url, f"answered {operation} without {member}")


def _not_aws(side: Side, url: str, what: str) -> UserError:
    return UserError(
        f"{side.name}: {url} {what}, so it was not AWS. A proxy or its sign-in page may be in between. "
        f"Check HTTPS_PROXY, NO_PROXY and --{side.name}-endpoint-url.",
        side.name,
    )


def _has(body: bytes, member: str) -> bool:
    try:
        answer = json.loads(body)
    except ValueError:
        # STS answers in XML.
        return f"<{member}>".encode() in body
    return isinstance(answer, dict) and answer.get(member) is not None


def _is_object(body: Any) -> bool:
    # The body of a streaming operation is not bytes: it is read by the caller.
    if not isinstance(body, bytes):
        return True
    try:
        return isinstance(json.loads(body), dict)
    except ValueError:
        return False
