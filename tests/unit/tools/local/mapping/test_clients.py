from __future__ import annotations

import json
from typing import Any

from tools.local.mapping.clients import _keep_records_as_they_came


def test_records_pass_the_parser_unchanged() -> None:
    record = {"dynamodb": {"Keys": {"pk": {"B": "eHk="}}, "ApproximateCreationDateTime": 1700000000}}
    response: dict[str, Any] = {
        "status_code": 200,
        "body": json.dumps({"Records": [record], "NextShardIterator": "next"}).encode(),
    }
    answer: dict[str, object] = {}
    _keep_records_as_they_came(response, answer)
    assert answer == {"Records": [record]}
    assert json.loads(response["body"]) == {"NextShardIterator": "next"}


def test_errors_are_left_to_the_parser() -> None:
    response: dict[str, Any] = {"status_code": 400, "body": b"not json"}
    answer: dict[str, object] = {}
    _keep_records_as_they_came(response, answer)
    assert answer == {}
    assert response["body"] == b"not json"
