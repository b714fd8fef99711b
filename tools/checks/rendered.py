"""The documents in a Terraform plan: policies and state machines, as AWS would get them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tools.checks import asl, policies


@dataclass(frozen=True)
class Document:
    """A policy or a state machine's definition, and where it is in the plan."""

    place: str
    is_machine: bool
    content: dict[str, Any]

    def problems(self) -> list[str]:
        """One line for each rule that the document breaks."""
        if self.is_machine:
            found = asl.problems(self.content) + (asl.by_validator(self.content) or [])
        else:
            found = policies.problems(self.content)
        return [f"{self.place}: {what}" for what in found]


def documents(plan: dict[str, Any]) -> Iterator[Document]:
    """Those of what ``terraform show -json`` writes of a plan, as far as they are known before the apply."""
    for change in plan.get("resource_changes", []):
        values = change["change"].get("after") or {}
        if change["mode"] != "managed":
            continue
        for name, value in values.items():
            is_machine = change["type"] == "aws_sfn_state_machine" and name == "definition"
            if isinstance(value, str) and value and (is_machine or name.endswith("policy")):
                yield Document(f"{change['address']}.{name}", is_machine, json.loads(value))
