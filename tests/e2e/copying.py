"""A copy on the local accounts, as the end-to-end tests drive and watch it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tablecopy.control.status import Status
from tablecopy_cli.common.control_function import ControlFunction
from tests.e2e.processes import kill_function
from tools.local.accounts import DESTINATION_ACCOUNT, SOURCE_ACCOUNT, LocalAws
from tools.local.terraform import Terraform

PATIENCE_SECONDS = 240.0


@dataclass
class Copy:
    """One applied stack and its run. ``account`` is that of its source."""

    aws: LocalAws
    terraform: Terraform
    outputs: dict[str, Any]
    function: ControlFunction
    account: str = SOURCE_ACCOUNT

    def client(self, service: str) -> Any:
        """A client of a service where the copy's functions are."""
        return self.aws.session(self.account).client(service)

    @cached_property
    def source(self) -> Any:
        return self.aws.session(SOURCE_ACCOUNT).client("dynamodb")

    @cached_property
    def destination(self) -> Any:
        return self.aws.session(DESTINATION_ACCOUNT).client("dynamodb")

    def wait_for(self, what: str, is_reached: Callable[[Status], bool]) -> Status:
        """Look at the run until ``is_reached``; fails with the last status when that takes too long."""
        give_up = time.monotonic() + PATIENCE_SECONDS
        while not is_reached(status := self.function.status()):
            assert status["phase"] != "stopped", f"the run has stopped: {status['reason']}"
            assert time.monotonic() < give_up, f"{what} was not reached: {status}"
            time.sleep(0.5)
        return status

    def kill_while_writing(self, kind: str) -> set[str]:
        """End the ``kind`` function (backfill or replicator) while it holds a lease.

        Returns the request ids of the invocations that were ended: their leases are still there, and only
        a holder itself takes its lease away.
        """
        name = self.outputs[f"{kind}_function_name"]
        give_up = time.monotonic() + PATIENCE_SECONDS
        while True:
            before = self._lease_owners(kind)
            if before:
                kill_function(self.aws, name)
                if left := before & self._lease_owners(kind):
                    return left
            assert time.monotonic() < give_up, f"no {kind} was caught at work: {self.function.status()}"
            time.sleep(0.05)

    def verify(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the verify command on both tables, in an environment of the local accounts."""
        return subprocess.run(
            [sys.executable, "-m", "verify", "--from-terraform", str(self.terraform.directory), *arguments],
            env=self.aws.environment(),
            capture_output=True,
            text=True,
            check=False,
        )

    def mapping_state(self) -> str:
        client = self.client("lambda")
        state: str = client.get_event_source_mapping(UUID=self.outputs["event_source_mapping_uuid"])["State"]
        return state

    def _lease_owners(self, kind: str) -> set[str]:
        pages = self.source.get_paginator("scan").paginate(
            TableName=self.outputs["journal_table_name"],
            FilterExpression="begins_with(pk, :lease) AND begins_with(sk, :kind)",
            ExpressionAttributeValues={":lease": {"S": "lease"}, ":kind": {"S": f"{kind}#"}},
            ConsistentRead=True,
        )
        return {item["lease_owner"]["S"] for page in pages for item in page["Items"]}
