"""Names, ARNs and the environment of each function, as the Terraform module makes them."""

from __future__ import annotations

from collections.abc import Mapping

SOURCE_ACCOUNT = "111111111111"
DESTINATION_ACCOUNT = "222222222222"
REGION = "eu-west-1"

COPY = "orders"
SOURCE_TABLE = "orders"
DESTINATION_TABLE = "orders-copy"
JOURNAL_TABLE = "orders-journal"

STREAM_ARN = f"arn:aws:dynamodb:{REGION}:{SOURCE_ACCOUNT}:table/{SOURCE_TABLE}/stream/2027-01-15T07:00:00.000"
STATE_MACHINE_ARN = f"arn:aws:states:{REGION}:{SOURCE_ACCOUNT}:stateMachine:orders-backfill"
VERIFICATION_ARN = f"arn:aws:states:{REGION}:{SOURCE_ACCOUNT}:stateMachine:orders-verification"
MAPPING_UUID = "0a1b2c3d-0000-4000-8000-000000000001"
QUEUE_URL = f"https://sqs.{REGION}.amazonaws.com/{SOURCE_ACCOUNT}/orders-failed"
DESTINATION_ROLE = f"arn:aws:iam::{DESTINATION_ACCOUNT}:role/orders-writer"

REPLICATOR = "orders-replicator"
BACKFILL = "orders-backfill"
RECONCILER = "orders-reconciler"
CONTROL = "orders-control"
VERIFIER = "orders-verifier"
TRACKER = "orders-tracker"


def table_arn(account: str, table: str) -> str:
    """Return the ARN of a table."""
    return f"arn:aws:dynamodb:{REGION}:{account}:table/{table}"


def function_arn(name: str) -> str:
    """Return the ARN of a function of the source account."""
    return f"arn:aws:lambda:{REGION}:{SOURCE_ACCOUNT}:function:{name}"


def environ(function: str, settings: Mapping[str, object] = {}) -> dict[str, str]:
    """Return the environment of a function. ``settings`` overrides variables, in lower or upper case."""
    common: dict[str, object] = {
        "JOURNAL_TABLE": JOURNAL_TABLE,
        "COPY_NAME": COPY,
        "DESTINATION_TABLE": DESTINATION_TABLE,
        "DESTINATION_REGION": REGION,
        "DESTINATION_ROLE_ARN": DESTINATION_ROLE,
        "DESTINATION_EXTERNAL_ID": "external",
        "SOURCE_TABLE": SOURCE_TABLE,
        "STREAM_ARN": STREAM_ARN,
        "TOTAL_SEGMENTS": 4,
        "CONCURRENCY": 4,
        "DRAINED_AFTER_SECONDS": 60,
        "SLICE_SECONDS": 3600,
        "RECONCILER_FUNCTION": RECONCILER,
        "MAPPING_UUID": MAPPING_UUID,
        "STATE_MACHINE_ARN": STATE_MACHINE_ARN,
        "FAILURE_QUEUE_URL": QUEUE_URL,
        "START_ON_APPLY": "true",
    }
    common.update({name.upper(): value for name, value in settings.items()})
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in common.items()
    }
