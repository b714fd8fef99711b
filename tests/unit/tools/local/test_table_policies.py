"""Tables' resource policies, by what they deny."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest

from tools.local.table_policies import PAUSE_SECONDS, PAUSED, enforce_table_policies, pause_between_changes

ACCOUNT, REGION = "111111111111", "eu-west-1"
ARN = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/orders"
POLICY = "the policy"


class FakePolicies:
    def get_scoped(self, account: str, region: str, arn: str) -> dict[str, str] | None:
        return {"Policy": POLICY} if (account, region, arn) == (ACCOUNT, REGION, ARN) else None


def enforced(*, allowed: bool = True, decision: str = "Deny") -> tuple[Any, list[Any]]:
    asked: list[Any] = []

    def evaluate(policy: str, context: Any) -> Any:
        asked.append((policy, context.action, context.principal_arn, context.resource_arn))
        return SimpleNamespace(decision=decision, principal_arn="", resource_policy_arn="")

    evaluator = SimpleNamespace(
        enforce=lambda *request: None if allowed else "refused by an identity policy",
        resolve_principal=lambda key, account: SimpleNamespace(
            arn=f"arn:aws:iam::{account}:root", type="Root", account=account, keys={}
        ),
        EvalContext=SimpleNamespace,
        evaluate_resource_policy=evaluate,
    )
    enforce_table_policies(
        cast(ModuleType, evaluator), cast(ModuleType, SimpleNamespace(_resource_policies=FakePolicies()))
    )
    return evaluator.enforce, asked


@pytest.mark.parametrize("arn", [ARN, f"{ARN}/index/by-name"])
def test_what_the_policy_denies_is_refused_to_the_root_also(arn: str) -> None:
    enforce, asked = enforced()
    refused = enforce("key", "dynamodb:PutItem", "dynamodb", REGION, arn)
    root = f"arn:aws:iam::{ACCOUNT}:root"
    assert (refused.principal_arn, refused.resource_policy_arn) == (root, ARN)
    assert asked == [(POLICY, "dynamodb:PutItem", root, arn)]


@pytest.mark.parametrize("decision", ["Allow", "ImplicitDeny"])
def test_what_it_does_not_deny_is_up_to_the_identity(decision: str) -> None:
    assert enforced(decision=decision)[0]("key", "dynamodb:PutItem", "dynamodb", REGION, ARN) is None
    refused = enforced(allowed=False, decision=decision)[0](
        "key", "dynamodb:PutItem", "dynamodb", REGION, ARN
    )
    assert refused == "refused by an identity policy"


@pytest.mark.parametrize(
    ("service", "arn"), [("dynamodb", "*"), ("dynamodb", f"{ARN}s"), ("sqs", ARN)], ids=str
)
def test_nothing_else_is_asked(service: str, arn: str) -> None:
    enforce, asked = enforced()
    assert enforce("key", "dynamodb:PutItem", service, REGION, arn) is None
    assert asked == []


def test_a_change_is_followed_by_a_pause_for_its_table_alone() -> None:
    time = [100.0]
    calls: list[str] = []

    def change(data: dict[str, Any]) -> tuple[int, str]:
        calls.append(data["ResourceArn"])
        return (400, "refused") if data.get("wrong") else (200, "done")

    dynamodb = SimpleNamespace(_put_resource_policy=change, _delete_resource_policy=change)
    pause_between_changes(cast(ModuleType, dynamodb), lambda code, message: (400, code), now=lambda: time[0])
    assert dynamodb._put_resource_policy({"ResourceArn": ARN, "wrong": True}) == (400, "refused")
    assert dynamodb._put_resource_policy({"ResourceArn": ARN}) == (200, "done")
    assert dynamodb._delete_resource_policy({"ResourceArn": ARN}) == (400, PAUSED)
    assert dynamodb._put_resource_policy({"ResourceArn": "other"}) == (200, "done")
    time[0] += PAUSE_SECONDS
    assert dynamodb._delete_resource_policy({"ResourceArn": ARN}) == (200, "done")
    assert calls == [ARN, ARN, "other", ARN]
