"""The permissions that the code takes and the Terraform code grants, read without running either."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import hcl2
from botocore import xform_name

from tools.checks.hcl import REPOSITORY

# Services that the code calls, with what stands before their operations in a policy.
SERVICES = {
    "dynamodb": "dynamodb",
    "dynamodbstreams": "dynamodb",
    "lambda": "lambda",
    "stepfunctions": "states",
    "sqs": "sqs",
    "sts": "sts",
    "kms": "kms",
    "pipes": "pipes",
    "application-autoscaling": "application-autoscaling",
}
# Operations that a policy names otherwise.
_NAMES = {
    "lambda:Invoke": "lambda:InvokeFunction",
    # Each write of a transaction needs the permission of its own kind, such as this one.
    "dynamodb:TransactWriteItems": "dynamodb:UpdateItem",
}
# What calls an operation without naming it.
_CALLERS = {"AssumeRoleCredentialFetcher": "sts:AssumeRole"}
_MAPPING = "the event source mapping reads the stream with the function's role; the function itself does not"

CALLED_BY_AWS = {
    ("reconciler", "WriteOwnLog"): "Lambda writes the log with the function's role",
    ("control", "WriteOwnLog"): "Lambda writes the log with the function's role",
    ("comparison", "WriteOwnLog"): "Lambda writes the log with the function's role",
    ("backfill", "WriteOwnLog"): "Lambda writes the log with the function's role",
    ("replicator", "WriteOwnLog"): "Lambda writes the log with the function's role",
    ("verifier", "WriteOwnLog"): "Lambda writes the log with the function's role",
    ("tracker", "WriteOwnLog"): "Lambda writes the log with the function's role",
    ("replicator", "ReadTheStream"): _MAPPING,
    ("replicator", "FindTheStream"): _MAPPING,
    ("replicator", "ReportFailedBatches"): "the event source mapping reports with the function's role",
    ("state_machine", "InvokeTheWorker"): "Step Functions calls, not a function",
    ("state_machine", "StartTheMapsChildren"): "Step Functions calls, not a function",
    ("state_machine", "FollowTheMapsChildren"): "Step Functions calls, not a function",
    ("verification", "InvokeTheWorker"): "Step Functions calls, not a function",
    ("verification", "StartTheMapsChildren"): "Step Functions calls, not a function",
    ("verification", "FollowTheMapsChildren"): "Step Functions calls, not a function",
    ("schedule", "InvokeTheFunction"): "EventBridge Scheduler calls, not a function",
    ("tracking", "InvokeTheFunction"): "EventBridge Scheduler calls, not a function",
}
"""Statements, each of a role, that are granted although no code of ours calls their actions."""

# The code's roots. A name of a module begins below one of them.
ROOTS = (REPOSITORY / "lambda", REPOSITORY / "cli", REPOSITORY)


@dataclass(frozen=True, order=True)
class Grant:
    """An action of a statement.

    ``document`` is the folder of the module and the name of its policy document.
    """

    document: str
    sid: str
    action: str


@cache
def grants(paths: tuple[Path, ...] = ()) -> tuple[Grant, ...]:
    """What the policy documents of the modules allow whoever has the policy: without trust and denials."""
    found = []
    for path in paths or sorted(REPOSITORY.glob("modules/*/*.tf")):
        text = path.read_text()
        # Parsing takes long.
        if "aws_iam_policy_document" not in text:
            continue
        for block in hcl2.loads(text).get("data", []):
            for name, body in block.get('"aws_iam_policy_document"', {}).items():
                document = f"{path.parent.name}/{_text(name)}"
                found += [
                    Grant(document, _text(statement["sid"]), _text(action))
                    for statement in _statements(body)
                    if _text(statement.get("effect", "Allow")) == "Allow" and "principals" not in statement
                    for action in statement["actions"]
                ]
    return tuple(found)


def _statements(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from body.get("statement", [])
    for dynamic in body.get("dynamic", []):
        for block in dynamic.values():
            yield from block["content"]


def _text(value: Any) -> str:
    return str(value).strip('"')


@cache
def calls(entry: Path) -> frozenset[str]:
    """The actions that a module, and what it imports, takes.

    A file counts with all of its code, whether or not the entry reaches it. An operation that only a
    variable names is not seen.
    """
    return frozenset(action for path in _reached(entry) for action in _called(path))


def _reached(entry: Path) -> set[Path]:
    reached, waiting = {entry}, [entry]
    while waiting:
        for path in _imported(waiting.pop()) - reached:
            reached.add(path)
            waiting.append(path)
    return reached


def _imported(path: Path) -> set[Path]:
    names = set()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            # What is imported may be a module itself.
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {file for name in names for file in _files(name)}


def _files(name: str) -> Iterator[Path]:
    for root in ROOTS:
        path = root.joinpath(*name.split("."))
        yield from (file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file())


def _called(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(_tree(path)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in _CALLERS:
            found.add(_CALLERS[name])
        # A method of one word may be anything: a list's, or a table's.
        methods = [name] if isinstance(node.func, ast.Attribute) and ("_" in name or name == "invoke") else []
        texts = [each.value for each in node.args[:2] if isinstance(each, ast.Constant)]
        for word in (*methods, *(text for text in texts if isinstance(text, str))):
            action = _actions().get(word, "")
            # A text of one word names an operation of DynamoDB, whose calls carry items, or nothing.
            if action and (word in methods or "_" in word or action.startswith("dynamodb:")):
                found.add(action)
    return found


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def _actions() -> dict[str, str]:
    """Actions by the name of the operation, as the API and as botocore's clients spell it.

    What several services have is taken for the first one's.
    """
    session = botocore.session.Session()
    found: dict[str, str] = {}
    for service, prefix in SERVICES.items():
        for operation in session.get_service_model(service).operation_names:
            action = f"{prefix}:{operation}"
            for name in (operation, xform_name(operation)):
                found.setdefault(name, _NAMES.get(action, action))
    return found
