"""The functions' entry points, imported with the environment that Terraform gives them."""

from __future__ import annotations

import pytest

ENVIRONMENT = {
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_EC2_METADATA_DISABLED": "true",
    "JOURNAL_TABLE": "journal",
    "SOURCE_TABLE": "source",
    "DESTINATION_TABLE": "copy",
    "DESTINATION_REGION": "eu-west-1",
    "DESTINATION_ROLE_ARN": "arn:aws:iam::222222222222:role/copy",
    "DESTINATION_EXTERNAL_ID": "external",
    "COPY_NAME": "move",
    "STREAM_ARN": "arn:aws:dynamodb:eu-west-1:111111111111:table/source/stream/1",
    "MAPPING_UUID": "mine",
    "STATE_MACHINE_ARN": "arn:aws:states:eu-west-1:111111111111:stateMachine:copy",
    "FAILURE_QUEUE_URL": "https://sqs/queue",
    "START_ON_APPLY": "true",
    "TOTAL_SEGMENTS": "4",
    "SLICE_SECONDS": "600",
    "DRAINED_AFTER_SECONDS": "60",
    "ALLOW_NONEMPTY_DESTINATION": "false",
    "RECONCILER_FUNCTION": "move-reconciler",
}
COMMON = list(ENVIRONMENT)[: list(ENVIRONMENT).index("STREAM_ARN")]

# What Terraform gives each function beside that.
OWN = {
    "replicator": [],
    "backfill": [],
    "control": ["STREAM_ARN", "TOTAL_SEGMENTS", "DRAINED_AFTER_SECONDS", "RECONCILER_FUNCTION"],
    "verifier": [],
    "reconciler": [name for name in ENVIRONMENT if name not in {*COMMON, "RECONCILER_FUNCTION"}],
}

# An entry point builds its handler when it is imported.
with pytest.MonkeyPatch.context() as _patched:
    for _name, _value in ENVIRONMENT.items():
        _patched.setenv(_name, _value)
    from tablecopy.handlers import backfill as backfill
    from tablecopy.handlers import control as control
    from tablecopy.handlers import reconciler as reconciler
    from tablecopy.handlers import replicator as replicator
    from tablecopy.handlers import tracker as tracker
    from tablecopy.handlers import verifier as verifier


class Context:
    """Lambda's context object."""

    aws_request_id = "r1"

    def get_remaining_time_in_millis(self) -> int:
        return 900_000
