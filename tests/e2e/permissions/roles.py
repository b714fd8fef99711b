"""The roles that a copy has made, as IAM tells them, and what they may do with a part of it taken away."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.e2e.faults.stand import MACHINES, Stand
from tools.local.accounts import DESTINATION_ACCOUNT, SOURCE_ACCOUNT

Json = dict[str, Any]

KINDS = (
    "reconciler",
    "control",
    "backfill",
    "replicator",
    "verifier",
    "tracker",
    "destination",
    "reading",
    "state_machine",
    "verification",
    "schedule",
    "tracking",
)

# Kinds of EventBridge Scheduler's roles. The schedules' names end with them.
SCHEDULES = ("schedule", "tracking")


@dataclass(frozen=True)
class Role:
    """A role of the copy.

    Attributes
    ----------
    kind
        One of `KINDS`.
    arn
        Its ARN.
    iam
        Client of its account's IAM.
    """

    kind: str
    arn: str
    iam: Any

    @property
    def name(self) -> str:
        return self.arn.rsplit("/", 1)[-1]

    def policies(self) -> dict[str, Json]:
        """The documents of its inline policies, by name."""
        names = self.iam.list_role_policies(RoleName=self.name)["PolicyNames"]
        return {
            name: self.iam.get_role_policy(RoleName=self.name, PolicyName=name)["PolicyDocument"]
            for name in names
        }

    def statements(self) -> list[Json]:
        """The statements of all its policies."""
        return [statement for document in self.policies().values() for statement in document["Statement"]]

    def trust(self) -> Json:
        """Who may assume it."""
        document = self.iam.get_role(RoleName=self.name)["Role"]["AssumeRolePolicyDocument"]
        trust: Json = json.loads(document) if isinstance(document, str) else document
        return trust

    def allowed(self, actions: Sequence[str], resource: str) -> list[str]:
        """Those of the actions that its policies allow on a resource as they are now."""
        documents = [json.dumps(document) for document in self.policies().values()]
        if not documents:
            return []
        answer = self.iam.simulate_custom_policy(
            PolicyInputList=documents, ActionNames=list(actions), ResourceArns=[resource]
        )
        results = answer["EvaluationResults"]
        return [result["EvalActionName"] for result in results if result["EvalDecision"] == "allowed"]

    def denied(self, needs: Sequence[tuple[str, str]]) -> list[str]:
        """Those of the actions, each on its resource, that its policies do not allow as they are now."""
        return [
            f"{action} on {resource} is denied"
            for action, resource in needs
            if not self.allowed([action], resource)
        ]

    @contextmanager
    def without(self, sid: str, action: str) -> Iterator[None]:
        """Take an action out of a statement while the block runs; with its last one the statement goes."""
        before = self.policies()
        try:
            for name, document in before.items():
                left = {**document, "Statement": _without(document["Statement"], sid, action)}
                self._put(name, left)
            yield
        finally:
            for name, document in before.items():
                self._put(name, document)

    def _put(self, name: str, document: Json) -> None:
        if not document["Statement"]:
            # IAM takes no policy without one.
            self.iam.delete_role_policy(RoleName=self.name, PolicyName=name)
            return
        self.iam.put_role_policy(RoleName=self.name, PolicyName=name, PolicyDocument=json.dumps(document))


def roles_of(stand: Stand) -> dict[str, Role]:
    """The roles of the copy by kind. Nothing else is in the stand's accounts, so these are all there are."""
    outputs = stand.copy.outputs
    states = stand.client("stepfunctions")
    machine, verification = (
        states.describe_state_machine(stateMachineArn=outputs[name])["roleArn"] for name in MACHINES
    )
    kinds = {
        **{arn: kind for kind, arn in outputs["function_role_arns"].items()},
        outputs["destination_role_arn"]: "destination",
        outputs["reading_role_arn"]: "reading",
        machine: "state_machine",
        verification: "verification",
        **{target_of(stand, kind)["RoleArn"]: kind for kind in SCHEDULES},
    }
    found = {}
    for account in (SOURCE_ACCOUNT, DESTINATION_ACCOUNT):
        iam = stand.copy.aws.session(account).client("iam")
        for page in iam.get_paginator("list_roles").paginate():
            for role in page["Roles"]:
                assert role["Arn"] in kinds, (
                    f"nothing is known of the role {role['Arn']}: say in roles.py whose it is"
                )
                found[kinds[role["Arn"]]] = Role(kinds[role["Arn"]], role["Arn"], iam)
    return found


def target_of(stand: Stand, kind: str) -> Json:
    """The target of a schedule of the copy, by the kind of its role."""
    scheduler = stand.client("scheduler")
    [name] = [
        each["Name"] for each in scheduler.list_schedules()["Schedules"] if each["Name"].endswith(f"-{kind}")
    ]
    target: Json = scheduler.get_schedule(Name=name)["Target"]
    return target


def as_list(value: str | list[str]) -> list[str]:
    """A policy's ``Action`` or ``Resource``, which is one text where there is one only."""
    return [value] if isinstance(value, str) else list(value)


def _without(statements: Sequence[Json], sid: str, action: str) -> list[Json]:
    left = []
    for statement in statements:
        if statement["Sid"] == sid:
            actions = [each for each in as_list(statement["Action"]) if each != action]
            statement = {**statement, "Action": actions}
        if statement["Action"]:
            left.append(statement)
    return left
