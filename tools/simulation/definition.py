"""The definition of the state machine, as Terraform renders it.

`state_machine.json` was rendered with the module's defaults, so that a simulation needs no Terraform. A test
renders it again and compares. To write it anew, run ``python -m tools.simulation.definition``.
"""

from __future__ import annotations

import copy
import functools
import json
import math
import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

Json = dict[str, Any]

RENDERED = Path(__file__).with_name("state_machine.json")
_SOURCE = Path(__file__).parents[2] / "modules" / "backfill" / "state_machine.tf"

_LOCALS = re.compile(r"^locals \{\n.*?^\}\n", re.MULTILINE | re.DOTALL)
_VARIABLES = "".join(f'variable "{name}" {{ type = any }}\n' for name in ("function", "names", "settings"))

_DEFAULTS = {"concurrency": 16, "slice_seconds": 3600, "timeout_seconds": 300}


def definition(function_arn: str, concurrency: int, slice_seconds: int, timeout_seconds: int) -> Json:
    """Return the definition for these settings of the backfill (see modules/copy, ``backfill``).

    The calculations repeat those of modules/backfill/state_machine.tf.
    """
    machine: Json = copy.deepcopy(_rendered())
    machine["TimeoutSeconds"] = slice_seconds + timeout_seconds + 300
    segments = machine["States"]["Segments"]
    segments["MaxConcurrency"] = concurrency
    scan = segments["ItemProcessor"]["States"]["Scan"]
    scan["Parameters"]["FunctionName"] = function_arn
    scan["TimeoutSeconds"] = timeout_seconds + 60
    scan["Retry"][0]["MaxAttempts"] = math.ceil(slice_seconds / 15) + 20
    return machine


def render(function: str, concurrency: int, slice_seconds: int, timeout_seconds: int) -> Json:
    """Return the definition that Terraform calculates for the function of this name.

    Raises
    ------
    subprocess.CalledProcessError
        Terraform cannot evaluate the module's locals on their own.
    """
    found = _LOCALS.search(_SOURCE.read_text())
    if found is None:
        raise ValueError(f"{_SOURCE} has no block of locals")
    settings = {
        "function": {
            "location": {"partition": "aws", "region": "eu-west-1", "account_id": "111111111111"},
        },
        "names": {"backfill": function, "state_machine": "machine"},
        "settings": {
            "concurrency": concurrency,
            "slice_seconds": slice_seconds,
            "timeout_seconds": timeout_seconds,
        },
    }
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    with tempfile.TemporaryDirectory() as directory:
        # Without the module's resources no provider is needed.
        Path(directory, "main.tf").write_text(found[0] + _VARIABLES)
        Path(directory, "terraform.tfvars.json").write_text(json.dumps(settings))
        done = subprocess.run(
            ["terraform", "console"],
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
def _rendered() -> Json:
    rendered: Json = json.loads(RENDERED.read_text())
    return rendered


if __name__ == "__main__":
    RENDERED.write_text(json.dumps(render("backfill", **_DEFAULTS), indent=2) + "\n")
