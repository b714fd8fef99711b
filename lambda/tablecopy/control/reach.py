"""Services that cannot be reached from the subnets that the functions run in."""

from __future__ import annotations

from urllib.parse import urlsplit

from botocore.exceptions import ConnectionError as BotoConnectionError
from botocore.exceptions import HTTPClientError

from tablecopy.control.preflight import Check

OUT_OF_REACH = (BotoConnectionError, HTTPClientError)
"""What botocore raises when no connection comes about, or no whole answer."""

# How a service's host begins, after the id of an interface endpoint, and what people call it.
_NAMES = {
    "streams.dynamodb": "DynamoDB Streams",
    "dynamodb": "DynamoDB",
    # Account-based endpoints, which botocore prefers where it knows the account, as that of an assumed role.
    "ddb": "DynamoDB",
    "lambda": "Lambda",
    "sqs": "SQS",
    "states": "Step Functions",
    "sts": "STS",
}


def reached(check: Check) -> Check:
    """``check``, with a service out of reach as a problem that it finds."""

    def checked() -> list[str]:
        try:
            return check()
        except OUT_OF_REACH as error:
            return [out_of_reach(error)]

    return checked


def out_of_reach(error: BotoConnectionError | HTTPClientError) -> str:
    """Which service does not answer, and what lets the function reach it, in one sentence or two."""
    parts = urlsplit(str(error.kwargs.get("endpoint_url", "")))
    host = parts.hostname or ""
    names = [name for begin, name in _NAMES.items() if host.startswith(f"{begin}.") or f".{begin}." in host]
    name = names[0] if names else "an AWS service"
    at = f" at {parts.scheme}://{parts.netloc}" if host else ""
    advice = "Route the subnets through a NAT gateway, or create a VPC endpoint for the service"
    if name == "DynamoDB Streams":
        advice += " and set vpc.dynamodb_streams_endpoint_url"
    return f"cannot reach {name}{at} from the function's subnets. {advice}; this is tried again every minute"
