"""The survey: what a run notes of the two tables before it touches them."""

from __future__ import annotations

import json

from tablecopy.control.estimate import estimate, read_ceiling
from tablecopy.control.tables import key_definition
from tablecopy.dynamodb.client import DynamoDBClient, Json
from tablecopy.metrics import log
from tablecopy.settings import CopySettings


def survey(
    source: DynamoDBClient,
    source_table: str,
    destination: DynamoDBClient,
    destination_table: str,
    settings: CopySettings,
) -> Json:
    """Fields of the run that follow from the tables, which preflight has found to be there.

    Returns
    -------
    dict
        ``key_names``, ``read_ceiling``, ``destination_id`` and ``estimate`` (JSON text): see journal.run.Run.
    """
    read = source.call("describe_table", {"TableName": source_table})["Table"]
    written = destination.call("describe_table", {"TableName": destination_table})["Table"]
    expected = estimate(read, written, settings).as_json()
    log.event("estimate", **expected)
    return {
        "key_names": tuple(name for name, _, _ in key_definition(read)),
        "read_ceiling": read_ceiling(read, settings),
        "destination_id": written.get("TableId", ""),
        "estimate": json.dumps(expected),
    }
