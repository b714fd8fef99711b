"""Conditions of policies, as AWS evaluates them."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest

from tools.local.authorization import answer_conditions_as_aws

ROLE = "arn:aws:iam::111111111111:role/with/a/path/replicator"
USER = "arn:aws:iam::111111111111:user/somebody"


class FakeRoles:
    def get_scoped(self, account: str, region: str | None, name: str) -> dict[str, str] | None:
        assert region is None
        return {"Arn": ROLE} if (account, name) == ("111111111111", "replicator") else None


def resolved(key: str, principal: str) -> Any:
    evaluator = SimpleNamespace(_resolve_condition_key=lambda key, ctx: f"ministack's {ctx.principal_arn}")
    answer_conditions_as_aws(
        cast(ModuleType, evaluator), cast(ModuleType, SimpleNamespace(_roles=FakeRoles()))
    )
    return evaluator._resolve_condition_key(key, SimpleNamespace(principal_arn=principal))


@pytest.mark.parametrize("key", ["aws:PrincipalArn", "AWS:principalarn"])
def test_a_session_is_its_role(key: str) -> None:
    assert resolved(key, "arn:aws:sts::111111111111:assumed-role/replicator/session") == ROLE


@pytest.mark.parametrize("principal", [USER, "arn:aws:sts::111111111111:assumed-role/gone/session"])
def test_everybody_else_is_who_ministack_says(principal: str) -> None:
    assert resolved("aws:PrincipalArn", principal) == f"ministack's {principal}"


def test_the_root_of_an_account_stands_for_its_services() -> None:
    root = "arn:aws:iam::111111111111:root"
    assert resolved("aws:SourceAccount", root) == "111111111111"
    assert resolved("aws:SourceAccount", USER) == f"ministack's {USER}"


def test_transport_counts_as_encrypted() -> None:
    assert resolved("aws:SecureTransport", USER) == "true"


def test_other_keys_are_ministacks() -> None:
    assert resolved("aws:PrincipalAccount", USER) == f"ministack's {USER}"
