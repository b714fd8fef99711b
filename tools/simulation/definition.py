"""The definitions of both state machines, as Terraform renders them.

`state_machine.json` and `verification.json` were rendered with the module's defaults, so that a simulation
needs no Terraform. A test renders them again and compares. To write them anew, run
``python -m tools.simulation.definition``.
"""

from __future__ import annotations

import copy
import functools
import json
import math
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

Json = dict[str, Any]

MODULES = Path(__file__).parents[2] / "modules"

RENDERED = {
    "backfill": Path(__file__).with_name("state_machine.json"),
    "verification": Path(__file__).with_name("verification.json"),
}
"""The file of each module's definition."""

DEFAULTS = {
    "backfill": {"concurrency": 16, "slice_seconds": 3600, "timeout_seconds": 300},
    "verification": {"concurrency": 16, "timeout_seconds": 300},
}
"""The settings of each module with which its file was rendered."""

_LOCALS = re.compile(r"^locals \{\n.*?^\}\n", re.MULTILINE | re.DOTALL)
_VARIABLES = "".join(f'variable "{name}" {{ type = any }}\n' for name in ("function", "names", "settings"))
_RETRIES = 'module "retries" { source = "./retries" }\n'


def definition(function_arn: str, concurrency: int, slice_seconds: int, timeout_seconds: int) -> Json:
    """Return the backfill's definition for these settings (see modules/copy, ``backfill``).

    The calculations repeat those of modules/backfill/state_machine.tf.
    """
    machine: Json = copy.deepcopy(_rendered("backfill"))
    machine["TimeoutSeconds"] = slice_seconds + timeout_seconds + 300
    segments = machine["States"]["Segments"]
    segments["MaxConcurrency"] = concurrency
    scan = segments["ItemProcessor"]["States"]["Scan"]
    scan["Parameters"]["FunctionName"] = function_arn
    scan["TimeoutSeconds"] = timeout_seconds + 60
    scan["Retry"][0]["MaxAttempts"] = math.ceil(slice_seconds / 15) + 20
    return machine


def verification_definition(function_arn: str, concurrency: int, timeout_seconds: int) -> Json:
    """Return the verification's definition for these settings (see modules/copy, ``verification``)."""
    machine: Json = copy.deepcopy(_rendered("verification"))
    tasks = [machine["States"]["Advance"]]
    for state in machine["States"].values():
        if state["Type"] == "Map":
            state["MaxConcurrency"] = concurrency
            tasks += [each for each in state["ItemProcessor"]["States"].values() if each["Type"] == "Task"]
    for task in tasks:
        task["Parameters"]["FunctionName"] = function_arn
        task["TimeoutSeconds"] = timeout_seconds + 60
    return machine


def render(module: str, function: str, **settings: int) -> Json:
    """Return the definition that Terraform calculates in a module for the function of this name.

    Raises
    ------
    subprocess.CalledProcessError
        Terraform cannot evaluate the module's locals on their own.
    """
    source = MODULES / module / "state_machine.tf"
    found = _LOCALS.search(source.read_text())
    if found is None:
        raise ValueError(f"{source} has no block of locals")
    variables = {
        "function": {
            "location": {"partition": "aws", "region": "eu-west-1", "account_id": "111111111111"},
        },
        "names": {"backfill": function, "verifier": function},
        "settings": settings,
    }
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    with tempfile.TemporaryDirectory() as directory:
        # Without the module's resources no provider is needed.
        Path(directory, "main.tf").write_text(found[0] + _VARIABLES + _RETRIES)
        Path(directory, "terraform.tfvars.json").write_text(json.dumps(variables))
        shutil.copytree(MODULES / "retries", Path(directory, "retries"))
        for command in (["init", "-backend=false"], ["console"]):
            done = subprocess.run(
                ["terraform", *command],
                cwd=directory,
                env={**environment, "CHECKPOINT_DISABLE": "1"},
                input="jsonencode(local.definition)\n",
                capture_output=True,
                text=True,
                check=True,
            )
    rendered: Json = json.loads(json.loads(done.stdout))
    return rendered


@functools.cache
def _rendered(module: str) -> Json:
    rendered: Json = json.loads(RENDERED[module].read_text())
    return rendered


if __name__ == "__main__":
    for name, path in RENDERED.items():
        path.write_text(json.dumps(render(name, "worker", **DEFAULTS[name]), indent=2) + "\n")
