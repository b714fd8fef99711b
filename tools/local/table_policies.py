"""The resource policies of tables, which ministack keeps and does not enforce.

Only what a policy denies is enforced, for the root of an account also, as a resource's policy may deny it.
What a policy allows is not: nothing in this project gets its access that way.

After a change of a table's policy, another one is refused for 15 s (Amazon DynamoDB developer guide,
"Resource-based policy considerations"). The guide does not name the error.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

PAUSE_SECONDS = 15.0
PAUSED = "ResourceInUseException"

_CHANGES = ("_put_resource_policy", "_delete_resource_policy")


def enforce_table_policies(evaluator: ModuleType, dynamodb: ModuleType) -> None:
    """Have ministack refuse a call of DynamoDB that the policy of its table denies."""
    of_identity = evaluator.enforce

    def enforce(
        access_key_id: str,
        iam_action: str,
        service: str,
        region: str,
        resource_arn: str = "*",
        service_context: dict[str, Any] | None = None,
    ) -> Any:
        refused = of_identity(access_key_id, iam_action, service, region, resource_arn, service_context)
        if refused is not None or service != "dynamodb":
            return refused
        # An index is denied by the policy of its table.
        arn = resource_arn.partition("/index/")[0]
        policy = _policy_of(arn, dynamodb)
        if policy is None:
            return None
        principal = evaluator.resolve_principal(access_key_id, arn.split(":")[4])
        context = evaluator.EvalContext(
            principal_arn=principal.arn,
            principal_type=principal.type,
            principal_account=principal.account,
            action=iam_action,
            resource_arn=resource_arn,
            region=region,
            service_context=service_context or {},
            principal_keys=principal.keys,
        )
        found = evaluator.evaluate_resource_policy(policy, context)
        if found.decision != "Deny":
            return None
        found.principal_arn, found.resource_policy_arn = principal.arn, arn
        return found

    evaluator.enforce = enforce  # type: ignore[attr-defined]


def pause_between_changes(
    dynamodb: ModuleType, error: Callable[[str, str], Any], now: Callable[[], float] = time.monotonic
) -> None:
    """Have ministack refuse a change of a policy that follows another one too soon.

    Parameters
    ----------
    error
        Makes an answer of a code and a message.
    now
        Returns seconds.
    """
    latest: dict[str, float] = {}

    def paused(change: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
        def change_or_refuse(data: dict[str, Any]) -> Any:
            arn = str(data.get("ResourceArn"))
            left = latest.get(arn, now() - PAUSE_SECONDS) + PAUSE_SECONDS - now()
            if left > 0:
                return error(PAUSED, f"the policy of {arn} was changed less than {PAUSE_SECONDS:g} s ago")
            answer = change(data)
            if answer[0] == 200:
                latest[arn] = now()
            return answer

        return change_or_refuse

    for name in _CHANGES:
        setattr(dynamodb, name, paused(getattr(dynamodb, name)))


def _policy_of(table_arn: str, dynamodb: ModuleType) -> str | None:
    if not table_arn.startswith("arn:"):
        return None
    _, _, _, region, account, _ = table_arn.split(":", 5)
    found = dynamodb._resource_policies.get_scoped(account, region, table_arn)
    return found["Policy"] if found else None
