"""A policy that AWS would refuse, or a statement that allows nothing, is found."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tools.checks.hcl import REPOSITORY
from tools.checks.policies import intersect, problems
from tools.checks.rendered import documents

TABLE = "arn:aws:dynamodb:eu-west-1:111111111111:table/orders"
QUEUE = "arn:aws:sqs:eu-west-1:1:q"
EXECUTION = "arn:aws:states:eu-west-1:1:execution:m"
# In place of what a reader puts into the policies of docs/policies.
NAMES = {
    "CONTROL_FUNCTION_ARN": "arn:aws:lambda:eu-west-1:1:function:c",
    "DESTINATION_ACCOUNT": "222222222222",
    "DESTINATION_TABLE": "orders",
    "KEY_ARN": "arn:aws:kms:eu-west-1:1:key/1",
    "REGION": "eu-west-1",
    "SOURCE_ACCOUNT": "111111111111",
    "SOURCE_TABLE": "orders",
    "TABLE_ARN": TABLE,
}
POLICIES = sorted((REPOSITORY / "docs" / "policies").glob("*.json"))
# A managed policy holds 6,144 characters without white space (IAM and STS quotas).
MOST_CHARACTERS = 6144
SOUND = {
    "Sid": "Count",
    "Effect": "Allow",
    "Action": "dynamodb:Scan",
    "Resource": TABLE,
    "Condition": {"StringEquals": {"dynamodb:Select": "COUNT"}},
}


def policy(**changes: Any) -> dict[str, Any]:
    statement = {key: value for key, value in {**SOUND, **changes}.items() if value is not None}
    return {"Version": "2012-10-17", "Statement": [statement]}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"Action": ["dynamodb:Scan"], "Resource": "*"},
        {"Action": "lambda:ListEventSourceMappings", "Resource": "*", "Condition": None},
        {
            "Action": ["states:DescribeExecution", "states:StopExecution"],
            "Resource": [f"{EXECUTION}:*", f"{EXECUTION}/*"],
            "Condition": None,
        },
        {
            "Action": "sts:AssumeRole",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Resource": None,
            "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:states:eu-west-1:1:stateMachine:m"}},
        },
    ],
)
def test_sound_policies(changes: dict[str, Any]) -> None:
    assert problems(policy(**changes)) == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"Action": "dynamodb:Scna"}, "Count: dynamodb:Scna is not an action"),
        ({"Action": "dynamodb:scan"}, "Count: dynamodb:scan is not an action"),
        ({"Action": "dynamodb:*"}, "Count: dynamodb:* is not an action"),
        ({"Action": "dynamo:Scan"}, "Count: dynamo:Scan is not an action"),
        ({"Resource": QUEUE}, f"Count: dynamodb:Scan is not for {QUEUE}"),
        (
            {"Resource": [TABLE, QUEUE]},
            f"Count: no action is for {QUEUE}",
        ),
        ({"Action": "dynamodb:ListStreams"}, f"Count: dynamodb:ListStreams is not for {TABLE}"),
        ({"Resource": None}, "Count: Resource is missing"),
        (
            {"Condition": {"StringEqual": {"dynamodb:Select": "A"}}},
            "Count: StringEqual is not an operator",
        ),
        (
            {"Condition": {"Bool": {"kms:ViaService": "x"}}},
            "Count: dynamodb:Scan has no key kms:ViaService",
        ),
        ({"Effect": "allow"}, "Count: Effect is neither Allow nor Deny"),
        ({"Sid": "count it"}, "count it: the sid is not made of letters and digits"),
        ({"NotAction": "x"}, "Count: NotAction: not an element that is used here"),
    ],
)
def test_what_is_wrong_is_told(changes: dict[str, Any], problem: str) -> None:
    assert problem in problems(policy(**changes))


def test_a_policy_of_another_version_or_with_a_sid_twice_or_without_statements() -> None:
    assert problems({"Version": "2008-10-17", "Statement": [SOUND, SOUND]}) == [
        "Version is not 2012-10-17",
        "Count: the sid appears twice",
    ]
    assert problems({"Version": "2012-10-17"}) == ["no statement"]


@pytest.mark.parametrize("file", POLICIES, ids=lambda file: file.stem)
def test_a_policy_for_people(file: Path) -> None:
    text = file.read_text()
    filled = re.sub("|".join(NAMES), lambda match: NAMES[match[0]], text)
    assert re.findall(r"\b[A-Z]+_[A-Z_]+\b", filled) == []
    assert problems(json.loads(filled)) == []
    assert len("".join(text.split())) <= MOST_CHARACTERS


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [("a*c", "abc", True), ("a*", "*b", True), ("a", "b", False), ("a*c", "ab", False), ("", "*", True)],
)
def test_two_patterns(one: str, other: str, *, expected: bool) -> None:
    assert intersect(one, other) == intersect(other, one) == expected


def test_the_documents_of_a_plan() -> None:
    values = {"name": "m", "assume_role_policy": json.dumps(policy(Action="dynamodb:Scna"))}
    machine = {"definition": json.dumps({"StartAt": "A", "States": {}})}
    changes = [
        ("r", "aws_iam_role", "managed", values),
        ("m", "aws_sfn_state_machine", "managed", machine),
        ("gone", "aws_iam_role", "managed", None),
        ("read", "aws_iam_role", "data", values),
    ]
    role, definition = documents(
        {
            "resource_changes": [
                {"address": address, "type": type_, "mode": mode, "change": {"after": after}}
                for address, type_, mode, after in changes
            ]
        }
    )
    assert role.problems() == ["r.assume_role_policy: Count: dynamodb:Scna is not an action"]
    assert definition.problems()[0] == "m.definition: the machine: StartAt 'A' is not one of its states"
