"""The entry points, as Lambda starts them: a new interpreter with nothing but the environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

LAMBDA = Path(__file__).parents[3] / "lambda"

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
    "reconciler": [name for name in ENVIRONMENT if name not in {*COMMON, "RECONCILER_FUNCTION"}],
}

# Imports the handler from the committed archive, and tells what came along.
IMPORT = """
import importlib, json, sys, time
began = time.perf_counter()
module = importlib.import_module(sys.argv[1])
print(json.dumps({
    "seconds": time.perf_counter() - began,
    "handler": callable(module.handle),
    "from": module.__file__,
    "boto3": "boto3" in sys.modules,
}))
"""


def start(function: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", IMPORT, f"tablecopy.handlers.{function}"],
        capture_output=True,
        text=True,
        check=False,
        env={**environment, "PYTHONPATH": str(LAMBDA / "dist" / "tablecopy.zip"), "PATH": os.environ["PATH"]},
    )


@pytest.mark.parametrize("function", OWN)
def test_it_starts_from_the_archive(function: str, tmp_path: Path) -> None:
    wanted = {name: ENVIRONMENT[name] for name in [*COMMON, *OWN[function]]}
    done = start(function, {**wanted, "HOME": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    came = json.loads(done.stdout)
    print(f"{function} imports in {came['seconds']:.2f} s")
    assert came["handler"]
    assert "tablecopy.zip" in came["from"]
    # A cold start of the functions on the hot path takes botocore and no more.
    assert came["boto3"] == (function in {"control", "reconciler"})


@pytest.mark.parametrize(
    ("function", "name"),
    [
        *(("reconciler", name) for name in ("JOURNAL_TABLE", "COPY_NAME", "STATE_MACHINE_ARN")),
        ("control", "RECONCILER_FUNCTION"),
    ],
)
def test_a_missing_setting_is_named(function: str, name: str, tmp_path: Path) -> None:
    rest = {key: value for key, value in ENVIRONMENT.items() if key != name}
    done = start(function, {**rest, "HOME": str(tmp_path)})
    assert done.returncode != 0
    assert f"KeyError: '{name}'" in done.stderr
