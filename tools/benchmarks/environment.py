"""The environment that the functions get from Terraform, with everything at the loopback server."""

from __future__ import annotations

import json

from tools.benchmarks.service import DESTINATION, JOURNAL, SOURCE

STREAM_ARN = "arn:aws:dynamodb:eu-west-1:111111111111:table/source/stream/2026-01-01T00:00:00.000"

# More than any worker reads or writes: the engine is measured, not the rate it is told or feels its way to.
_UNBOUND = "1000000000"


def function_environment(url: str) -> dict[str, str]:
    """Variables for any of the functions, and for the baselines, whose AWS is at ``url``."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "AKIABENCH",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "JOURNAL_TABLE": JOURNAL,
        "SOURCE_TABLE": SOURCE,
        "DESTINATION_TABLE": DESTINATION,
        "DESTINATION_REGION": "eu-west-1",
        "DESTINATION_ROLE_ARN": "arn:aws:iam::222222222222:role/copy",
        "DESTINATION_EXTERNAL_ID": "benchmark",
        "READ_CAPACITY": _UNBOUND,
        "WRITE_CAPACITY": _UNBOUND,
        "COPY_NAME": "benchmark",
        "STREAM_ARN": STREAM_ARN,
        "MAPPING_UUID": "benchmark",
        "STATE_MACHINE_ARN": "arn:aws:states:eu-west-1:111111111111:stateMachine:copy",
        "FAILURE_QUEUE_URL": f"{url}/queue",
        "START_ON_APPLY": "false",
        "TOTAL_SEGMENTS": "1",
        "SLICE_SECONDS": "3600",
        "DRAINED_AFTER_SECONDS": "60",
        "ALLOW_NONEMPTY_DESTINATION": "false",
        "CONCURRENCY": "1",
        "RECORD_AGE_FRACTION": "0.5",
        "PRICES": json.dumps({"currency": "USD", "read_per_million": 0.125, "write_per_million": 0.625}),
    }
