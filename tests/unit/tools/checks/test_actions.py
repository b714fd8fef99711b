"""What the code calls is granted, and what is granted is called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools.checks.actions import CALLED_BY_AWS, Grant, calls, grants
from tools.checks.hcl import REPOSITORY

# Roles by the policy document of each.
FUNCTIONS = {
    "replicator": "replicator/this",
    "backfill": "backfill/this",
    "reconciler": "control/reconciler",
    "control": "control/control",
    "verifier": "verification/this",
    "comparison": "verify/control",
    "tracker": "tracker/this",
}
# Control without a copy.
HANDLERS = {"comparison": "control"}
# In the destination account, by the functions that assume them.
DESTINATIONS = {
    "destination/this": ("replicator", "backfill", "reconciler"),
    "reader/this": ("verifier", "tracker"),
}
ROLES = {
    **FUNCTIONS,
    "state_machine": "machine/this",
    "verification": "machine/this",
    "schedule": "schedule/this",
    "tracking": "schedule/this",
}
# Of every function, or of both roles in the destination account.
SHARED = {"function/this", "function/vpc", "destination/key", "verify/key"}
ASSUME_ROLE = "sts:AssumeRole"

# In a file that the function's code imports, and called by another function.
NOT_CALLED = {
    ("reconciler", "dynamodb:DeleteItem"): "the journal's deletions are of leases and letters",
    ("control", "dynamodb:DeleteItem"): "the journal's deletions are of leases and letters",
    ("control", "dynamodb:BatchWriteItem"): "control writes nothing to the destination",
    ("control", ASSUME_ROLE): "control touches the journal only",
    **{
        (function, "dynamodb:BatchGetItem"): "the reconciler alone looks for many applied batches"
        for function in ("replicator", "backfill")
    },
    ("comparison", "dynamodb:DeleteItem"): "the journal's deletions are of leases and letters",
    ("comparison", "dynamodb:BatchWriteItem"): "control writes nothing to the destination",
    ("comparison", "dynamodb:UpdateItem"): "there is no run, and verifications are put",
    ("comparison", "lambda:InvokeFunction"): "there is no reconciler",
    ("comparison", ASSUME_ROLE): "control touches the journal only",
    ("verifier", "dynamodb:DeleteItem"): "the journal's deletions are of leases and letters",
    ("verifier", "dynamodb:BatchWriteItem"): "the verifier writes to the journal only",
    ("verifier", "dynamodb:UpdateItem"): "its transactions put items",
    ("tracker", "dynamodb:BatchWriteItem"): "the tracker writes to the journal only",
    ("tracker", "dynamodb:UpdateItem"): "its transactions put items",
}
# There with a key or with a VPC only.
_NAMED_BY_CALLER = "DynamoDB or SQS opens the key in the name of the caller"
_INTERFACES = "Lambda makes the network interfaces with the function's role"
WITH_SETTINGS = {
    "OpenTheTableUnderItsKey": _NAMED_BY_CALLER,
    "OpenTablesUnderTheSourceKey": _NAMED_BY_CALLER,
    "EncryptFailedBatches": _NAMED_BY_CALLER,
    "LambdaMakesNetworkInterfaces": _INTERFACES,
    "LambdaRemovesNetworkInterfaces": _INTERFACES,
    "LambdaFindsNetworkInterfaces": _INTERFACES,
}

# Parts of the code by the policies of docs/policies that say what its user needs.
PEOPLE = {
    "operator": ("cli/tablecopy_cli/run/actions.py",),
    "preflight": ("cli/tablecopy_cli/run/preflight.py",),
    "verify": ("verify/command.py", "verify/repair/command.py"),
}
FILES = {
    "operator": ("operator",),
    "preflight": ("preflight-source", "preflight-destination"),
    "verify": ("verify", "repair-source", "repair-destination"),
}
NOT_NEEDED = {
    ("operator", ASSUME_ROLE): "of --source-role-arn, whose trust policy is the user's",
    ("preflight", ASSUME_ROLE): "of --source-role-arn, whose trust policy is the user's",
    ("verify", ASSUME_ROLE): "of --source-role-arn, whose trust policy is the user's",
    ("preflight", "sts:GetCallerIdentity"): "needs no permission",
    ("preflight", "lambda:InvokeFunction"): "invoke of a click command, not of a function",
    ("operator", "dynamodb:BatchGetItem"): "of the journal, of which the commands know the phases only",
    ("preflight", "dynamodb:BatchGetItem"): "of a comparison; the measured sample is scanned",
    ("verify", "dynamodb:UpdateTable"): "in a command that verify prints",
    ("verify", "lambda:InvokeFunction"): "in the operator's policy",
    **{
        (who, f"dynamodb:{operation}"): "of the journal, of which the commands know the phases only"
        for who in ("operator", "preflight")
        for operation in ("GetItem", "PutItem", "UpdateItem", "Query", "DeleteItem")
    },
    **{
        ("verify", f"dynamodb:{operation}"): "of the journal, of which verify knows the phases only"
        for operation in ("UpdateItem", "Query")
    },
}
OPENED_FOR_THE_CALLER = "kms:Decrypt"


def granted(document: str) -> set[str]:
    return {grant.action for grant in grants() if grant.document == document}


def entry(function: str) -> Path:
    return REPOSITORY / "lambda" / "tablecopy" / "handlers" / f"{HANDLERS.get(function, function)}.py"


def called(function: str) -> set[str]:
    found = set(calls(entry(function)))
    return found - {action for name, action in NOT_CALLED if name == function}


def test_the_code_is_read() -> None:
    assert called("backfill") >= {"dynamodb:Scan", "dynamodb:BatchWriteItem", "dynamodb:Query", ASSUME_ROLE}
    assert called("reconciler") >= {"lambda:UpdateEventSourceMapping", "states:StartExecution"}
    assert called("control") >= {"lambda:InvokeFunction", "dynamodb:PutItem"}
    assert {grant.document for grant in grants()} == {*ROLES.values(), *DESTINATIONS, *SHARED}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_call_is_granted(function: str) -> None:
    allowed = granted(FUNCTIONS[function])
    for document, functions in DESTINATIONS.items():
        if function in functions:
            allowed |= granted(document)
    assert called(function) - allowed == set(), f"called by the {function} and granted to it by no statement"


def test_what_is_not_called_is_named_by_imported_files() -> None:
    for function, action in NOT_CALLED:
        assert action in calls(entry(function))
        assert action not in granted(FUNCTIONS[function])


def test_every_grant_is_used() -> None:
    unused = set()
    for grant in grants():
        for role in [name for name, document in ROLES.items() if document == grant.document]:
            if grant.action not in (called(role) if role in FUNCTIONS else set()):
                unused.add((role, grant.sid))
        at_destination = {action for name in DESTINATIONS.get(grant.document, ()) for action in called(name)}
        if grant.document in DESTINATIONS and grant.action not in at_destination:
            unused.add(("destination", grant.sid))
        if grant.document in SHARED:
            unused |= {(function, grant.sid) for function in FUNCTIONS}
    unexplained = {each for each in unused if each not in CALLED_BY_AWS and each[1] not in WITH_SETTINGS}
    assert unexplained == set(), "granted and called by nothing"
    assert set(CALLED_BY_AWS) <= unused
    assert set(WITH_SETTINGS) <= {sid for _, sid in unused}


@pytest.mark.parametrize("who", PEOPLE)
def test_what_people_need_is_what_their_commands_call(who: str) -> None:
    texts = [(REPOSITORY / f"docs/policies/{name}.json").read_text() for name in FILES[who]]
    statements = [statement for text in texts for statement in json.loads(text)["Statement"]]
    allowed = {action for statement in statements for action in statement["Action"]} - {OPENED_FOR_THE_CALLER}
    found = {action for name in PEOPLE[who] for action in calls(REPOSITORY / name)}
    exempt = {action for name, action in NOT_NEEDED if name == who}
    assert exempt <= found - allowed
    assert found - exempt == allowed


def test_a_call_and_a_grant_that_were_not_there_before(tmp_path: Path) -> None:
    code = tmp_path / "entry.py"
    code.write_text(
        "wire.call('update_item', body)\nclient.get_paginator('list_pipes')\nverify('scan', 'sign')\n"
    )
    policy = tmp_path / "main.tf"
    policy.write_text(
        """
        data "aws_iam_policy_document" "this" {
          statement {
            sid       = "Act"
            actions   = ["sqs:SendMessage", "sqs:DeleteMessage"]
            resources = ["*"]
          }
          statement {
            sid     = "Refuse"
            effect  = "Deny"
            actions = ["sqs:PurgeQueue"]
          }
        }
        """
    )
    assert calls(code) == {"dynamodb:UpdateItem", "pipes:ListPipes", "dynamodb:Scan"}
    document = f"{tmp_path.name}/this"
    assert grants((policy,)) == (
        Grant(document, "Act", "sqs:SendMessage"),
        Grant(document, "Act", "sqs:DeleteMessage"),
    )
