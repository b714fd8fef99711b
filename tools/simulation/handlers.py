"""The product's entry points. Each builds a handler when it is imported, which needs an environment."""

from __future__ import annotations

import os
from unittest.mock import patch

from tools.simulation import names

_ENVIRONMENT = {
    **names.environ(""),
    "AWS_REGION": names.REGION,
    "AWS_DEFAULT_REGION": names.REGION,
    "AWS_ACCESS_KEY_ID": "simulated",
    "AWS_SECRET_ACCESS_KEY": "simulated",
    "AWS_EC2_METADATA_DISABLED": "true",
}

with patch.dict(os.environ, _ENVIRONMENT):
    from tablecopy.handlers import backfill, control, reconciler, replicator, tracker, verifier

__all__ = ["backfill", "control", "reconciler", "replicator", "tracker", "verifier"]
