"""What the functions have called, as the permissions it took."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache

import botocore.session

from tests.e2e.faults.call import Call
from tests.e2e.faults.stand import Stand
from tests.e2e.permissions.roles import Json, Role, as_list
from tools.local.accounts import DESTINATION_ACCOUNT, SOURCE_ACCOUNT

# What stands before an operation's name in a policy, where it is not what requests are signed for.
_PREFIX = {"monitoring": "cloudwatch"}

# The only operation called here whose action has another name.
_ACTIONS = {"lambda:Invoke": "lambda:InvokeFunction"}

# Their operations are told by method and path.
_REST = ("lambda", "scheduler")


@dataclass(frozen=True)
class Use:
    """An action that a role was needed for, and its resource; empty where the request does not tell."""

    kind: str
    action: str
    resource: str = ""


@dataclass
class Recording:
    """The calls of a run. A function has a role of its own, with which it assumes the destination's."""

    regions: dict[str, str]
    calls: list[Call] = field(default_factory=list)

    def uses(self) -> set[Use]:
        """The calls as uses of the roles."""
        # Control assumes no other role. The functions that do are known by that call.
        own = {call.access_key for call in self.calls if call.service == "sts" or call.function == "control"}
        return {self._use(call, is_own=call.access_key in own) for call in self.calls}

    def _use(self, call: Call, *, is_own: bool) -> Use:
        account = SOURCE_ACCOUNT if is_own else DESTINATION_ACCOUNT
        resource = ""
        if call.table:
            resource = f"arn:aws:dynamodb:{self.regions[account]}:{account}:table/{call.table}"
        for name in ("StreamArn", "stateMachineArn", "executionArn"):
            resource = str(call.body.get(name, resource))
        assumed = "reading" if call.function in {"verifier", "tracker"} else "destination"
        return Use(call.function if is_own else assumed, action_of(call), resource)


@contextmanager
def recording(stand: Stand) -> Iterator[Recording]:
    """Record what the functions call while the block runs."""
    made = Recording(stand.copy.aws.regions)
    listener = made.calls.append
    stand.proxy.listeners.append(listener)
    try:
        yield made
    finally:
        stand.proxy.listeners.remove(listener)


def action_of(call: Call) -> str:
    """The action as a policy names it: ``lambda:GetEventSourceMapping``."""
    operation = call.operation
    if call.service in _REST:
        method, _, path = operation.partition(" ")
        operation = next(
            name
            for verb, pattern, name in _routes(call.service)
            if verb == method and re.fullmatch(pattern, path)
        )
    action = f"{_PREFIX.get(call.service, call.service)}:{operation}"
    return _ACTIONS.get(action, action)


def is_used(role: Role, statement: Json, action: str, uses: set[Use]) -> bool:
    """Whether one of the uses took this action of a statement."""
    resources = as_list(statement["Resource"])
    return any(
        use.kind == role.kind
        and use.action == action
        and (not use.resource or any(fnmatchcase(use.resource, pattern) for pattern in resources))
        for use in uses
    )


@cache
def _routes(service: str) -> list[tuple[str, str, str]]:
    model = botocore.session.get_session().get_service_model(service)
    routes = []
    for name in model.operation_names:
        http = model.operation_model(name).http
        path = re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(http["requestUri"].partition("?")[0].rstrip("/")))
        routes.append((http["method"], f"{path}/?", name))
    return routes
