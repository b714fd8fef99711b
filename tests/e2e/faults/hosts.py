"""Invocations in processes of the test's own, see `tests.e2e.faults.host`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Self

from tests.e2e.faults.stand import Stand
from tools.local.accounts import REPOSITORY

_PATIENCE_SECONDS = 60.0


class Host:
    """Runs one function's handler with that function's role and environment.

    Parameters
    ----------
    stand
        Whose function it is.
    kind
        ``backfill`` or ``replicator``.
    caller
        Name under which the proxy knows its calls.
    """

    def __init__(self, stand: Stand, kind: str, caller: str) -> None:
        functions = stand.client("lambda")
        configuration = functions.get_function_configuration(FunctionName=stand.function_name(kind))
        environment = _environment(stand, configuration)
        environment["AWS_ENDPOINT_URL"] = stand.proxy.endpoint_url(caller)
        environment["HOST_HANDLER"] = configuration["Handler"].rpartition(".")[0].replace("/", ".")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.faults.host"],
            cwd=REPOSITORY,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self._is_ready = threading.Event()
        self._ended: set[str] = set()
        threading.Thread(target=self._read, daemon=True).start()
        self._invocations = 0
        assert self._is_ready.wait(_PATIENCE_SECONDS), f"{caller} does not start"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def invoke(self, event: Mapping[str, Any], seconds: float) -> str:
        """Begin an invocation with that much time until its deadline; its request id."""
        self._invocations += 1
        name = f"{self._process.pid}-{self._invocations}"
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"id": name, "event": event, "seconds": seconds}) + "\n")
        self._process.stdin.flush()
        return name

    def has_ended(self, name: str) -> bool:
        """Whether the invocation with this request id has ended by itself."""
        return name in self._ended

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            name = json.loads(line)["id"]
            if name:
                self._ended.add(name)
            else:
                self._is_ready.set()


def _environment(stand: Stand, configuration: Mapping[str, Any]) -> dict[str, str]:
    """The function's variables and a session of its role, which trusts this account for that moment."""
    role_arn = configuration["Role"]
    account = role_arn.split(":")[4]
    iam = stand.client("iam")
    name = role_arn.rpartition("/")[2]
    trust = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    root = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
        "Action": "sts:AssumeRole",
    }
    widened = {**trust, "Statement": [*trust["Statement"], root]}
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(widened))
    try:
        session = stand.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="host")["Credentials"]
    finally:
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "NO_PROXY", "no_proxy") if name in os.environ}
    region = stand.copy.aws.regions[account]
    return {
        **kept,
        **configuration["Environment"]["Variables"],
        "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'lambda'}",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ACCESS_KEY_ID": session["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"],
        "AWS_SESSION_TOKEN": session["SessionToken"],
    }
