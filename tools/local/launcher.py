"""Runs ministack with the few of its parts replaced that AWS does differently.

This file is started with the interpreter of ministack's own virtual environment, so it imports nothing
but the standard library, ministack and its neighbours in this package that do the same.

Replaced, each checked to be what was replaced before anything starts:

* the built-in poller for DynamoDB streams: ``tools.local.mapping`` does that work;
* the reaper of expired items: it leaves no stream record and looks only once a minute;
* ``DescribeAlarms`` of the query protocol: it leaves out most fields, which Terraform takes for changes;
* the resource that a call of DynamoDB or its streams is authorized against: it knows tables by name only;
* two condition keys of policies: it has other values for them than AWS;
* the action that a call about event source mappings or the account's settings is authorized as;
* the resource policies of tables: it keeps them, and does not enforce what they deny;
* the way an answer is sent: its head on its own, before its body;
* the pause between two looks at the schedules: 10 s is too coarse for a schedule of one minute.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import importlib.metadata
import inspect
import os
import signal
import sys
import threading
from pathlib import Path
from types import ModuleType

if __name__ == "__main__":
    # Started as a file, so that the repository stays off the path of the Lambda functions' processes.
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from tools.local.alarms import complete_describe_alarms
from tools.local.answers import send_whole_answers
from tools.local.authorization import (
    answer_conditions_as_aws,
    authorize_dynamodb_by_arn,
    authorize_lambda_by_operation,
)
from tools.local.expiry import Expiry
from tools.local.process import FLAG, die_with_parent
from tools.local.table_policies import enforce_table_policies, pause_between_changes

PINNED = "1.5.33"
REAPER_THREAD = "dynamodb-ttl-reaper"
SCHEDULE_TICK_SECONDS = 1


class UnexpectedMinistackError(Exception):
    """A part of ministack that is to be replaced is not there, or not what it was."""


def main(arguments: list[str] | None = None) -> int:
    """Serve until told to stop.

    Returns
    -------
    int
        0 after an orderly stop, 2 if this ministack is not the one the replacements were written for.
    """
    parser = argparse.ArgumentParser(description="Two AWS accounts on one machine.")
    parser.add_argument(FLAG, action="store_true", help="end when the pipe on standard input closes")
    options = parser.parse_args(arguments)
    if options.die_with_parent:
        die_with_parent()
    try:
        dynamodb = _import_dynamodb_without_its_reaper()
        _replace_parts(dynamodb)
        _replace_sending()
    except UnexpectedMinistackError as error:
        found = importlib.metadata.version("ministack")
        print(
            f"local: error: ministack {found} is not as expected: {error}; install ministack=={PINNED}",
            file=sys.stderr,
        )
        return 2
    responses = importlib.import_module("ministack.core.responses")
    asyncio.run(_serve(Expiry(dynamodb, responses.request_scope)))
    return 0


def _import_dynamodb_without_its_reaper() -> ModuleType:
    """Import the DynamoDB service, holding back the one thread it starts while being imported."""
    held_back: list[threading.Thread] = []
    start = threading.Thread.start

    def start_unless_reaper(thread: threading.Thread) -> None:
        if thread.name == REAPER_THREAD:
            held_back.append(thread)
        else:
            start(thread)

    threading.Thread.start = start_unless_reaper  # type: ignore[method-assign, assignment]
    try:
        dynamodb = importlib.import_module("ministack.services.dynamodb")
    finally:
        threading.Thread.start = start  # type: ignore[method-assign]
    if len(held_back) != 1:
        raise UnexpectedMinistackError(f"services.dynamodb starts no thread {REAPER_THREAD}")
    return dynamodb


def _replace_parts(dynamodb: ModuleType) -> None:
    functions = importlib.import_module("ministack.services.lambda_svc")
    cloudwatch = importlib.import_module("ministack.services.cloudwatch")
    iam_actions = importlib.import_module("ministack.core.iam_actions")
    iam_evaluator = importlib.import_module("ministack.core.iam_evaluator")
    iam = importlib.import_module("ministack.services.iam")
    scheduler = importlib.import_module("ministack.services.scheduler")
    streams = importlib.import_module("ministack.services.dynamodb_streams")
    responses = importlib.import_module("ministack.core.responses")

    _expect_function(dynamodb, "_remove_item", "table", "pk_val", "sk_val")
    _expect_function(
        dynamodb, "_emit_stream_event", "table_name", "event_name", "old_item", "new_item", "replicate"
    )
    for name in ("_tables", "_ttl_settings", "_stream_records", "_resource_policies"):
        _expect_attribute(dynamodb, name)
    _expect_function(dynamodb, "_put_resource_policy", "data")
    _expect_function(dynamodb, "_delete_resource_policy", "data")
    _expect_function(functions, "_poll_dynamodb_streams")
    _expect_function(cloudwatch, "_describe_alarms", "params", "cbor_data", "is_cbor", "is_json")
    _expect_function(cloudwatch, "_put_metric_alarm", "params", "cbor_data", "is_cbor", "is_json")
    _expect_function(cloudwatch, "_xml", "status", "root_tag", "inner")
    _expect_attribute(cloudwatch, "_alarms")
    _expect_function(
        iam_actions,
        "extract_resource_arn",
        *("service", "method", "path", "headers", "body", "query_params", "region", "account_id"),
    )
    _expect_function(iam_evaluator, "_resolve_condition_key", "key", "ctx")
    _expect_function(
        iam_evaluator,
        "enforce",
        *("access_key_id", "iam_action", "service", "region", "resource_arn", "service_context"),
    )
    for name in ("evaluate_resource_policy", "resolve_principal", "EvalContext"):
        _expect_attribute(iam_evaluator, name)
    _expect_attribute(iam, "_roles")
    _expect_function(iam_actions, "_lambda_action", "method", "path")
    _expect_attribute(scheduler, "_SCHEDULE_TICK_INTERVAL")
    _expect_function(streams, "_decode_iterator", "token")
    _expect_function(responses, "request_scope", "account_id", "region")
    _expect_attribute(responses, "error_response_json")

    functions._poll_dynamodb_streams = _nothing_was_processed  # type: ignore[attr-defined]
    complete_describe_alarms(cloudwatch)
    authorize_dynamodb_by_arn(iam_actions, streams)
    answer_conditions_as_aws(iam_evaluator, iam)
    authorize_lambda_by_operation(iam_actions)
    enforce_table_policies(iam_evaluator, dynamodb)
    pause_between_changes(dynamodb, responses.error_response_json)
    scheduler._SCHEDULE_TICK_INTERVAL = SCHEDULE_TICK_SECONDS  # type: ignore[attr-defined]


def _replace_sending() -> None:
    protocol = importlib.import_module("hypercorn.protocol.h11")
    _expect_function(protocol.H11Protocol, "_send_h11_event", "self", "event")
    send_whole_answers(protocol)


def _nothing_was_processed() -> bool:
    return False


def _expect_attribute(module: ModuleType | type, name: str) -> None:
    if not hasattr(module, name):
        raise UnexpectedMinistackError(f"{module.__name__} has no {name}")


def _expect_function(module: ModuleType | type, name: str, *parameters: str) -> None:
    _expect_attribute(module, name)
    found = tuple(inspect.signature(getattr(module, name)).parameters)
    if found != parameters:
        raise UnexpectedMinistackError(
            f"{module.__name__}.{name} takes ({', '.join(found)}) instead of ({', '.join(parameters)})"
        )


async def _serve(expiry: Expiry) -> None:
    # Not before the checks: what this imports starts threads of its own.
    hypercorn = importlib.import_module("hypercorn.asyncio")
    config = importlib.import_module("hypercorn.config").Config()
    app = importlib.import_module("ministack.app").app

    config.bind = [f"{os.environ.get('BIND_HOST', '127.0.0.1')}:{os.environ['GATEWAY_PORT']}"]
    config.keep_alive_timeout = 75
    config.loglevel = os.environ.get("LOG_LEVEL", "INFO").upper()
    config.graceful_timeout = 1

    stop = asyncio.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_number, stop.set)
    # In the loop that serves the requests, so that it never runs between two steps of one of them.
    expiring = asyncio.create_task(expiry.run())
    try:
        await hypercorn.serve(app, config, shutdown_trigger=stop.wait)
    finally:
        expiring.cancel()


if __name__ == "__main__":
    sys.exit(main())
