"""The settings of a copy: what the flags give, else what Terraform has applied, else the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from tablecopy.control.cost import Circumstances
from tablecopy.control.verification_estimate import VerificationPlan
from tablecopy.settings import CONTROL_FUNCTIONS, CopySettings

# Field of CopySettings or Circumstances, by variable of the module and the variable's field.
_FIELDS = {
    "backfill": {
        "segments": "total_segments",
        "concurrency": "concurrency",
        "read_capacity": "read_capacity",
        "write_capacity": "write_capacity",
        "slice_seconds": "slice_seconds",
        "memory_mb": "worker_memory_mb",
        "timeout_seconds": "worker_seconds",
    },
    "replicator": {
        "batching_window_seconds": "batching_window_seconds",
        "memory_mb": "replicator_memory_mb",
    },
    "control": {
        "drained_after_seconds": "drained_after_seconds",
        "memory_mb": "reconciler_memory_mb",
    },
    "destination_table": {"allow_items": "allow_nonempty_destination"},
}


@dataclass(frozen=True)
class Planned:
    """What decides time and cost of a copy, and of a comparison in the account."""

    settings: CopySettings
    circumstances: Circumstances
    verification: VerificationPlan

    @classmethod
    def of(cls, flags: Mapping[str, Any], outputs: Mapping[str, Any]) -> Planned:
        """Return the settings that ``flags`` give, and else those of an applied copy, and else the defaults.

        Parameters
        ----------
        flags
            Fields of CopySettings and Circumstances by name; ``None`` for a flag that is not given.
        outputs
            Terraform outputs of the copy. Those of an earlier version have no ``settings``.
        """
        applied = outputs.get("settings") or {}
        found: dict[str, Any] = {
            field: applied[variable][name]
            for variable, fields in _FIELDS.items()
            for name, field in fields.items()
            if applied.get(variable, {}).get(name) is not None
        }
        found |= {name: value for name, value in flags.items() if value is not None}
        found["replicator_reserved"] = applied.get("replicator", {}).get("reserved_concurrency") is not None
        in_settings = {name: value for name, value in found.items() if name in CopySettings.__annotations__}
        settings = CopySettings(**in_settings, unreserved_concurrency=_unreserved(found, applied))
        return cls(
            settings,
            Circumstances(**{name: value for name, value in found.items() if name not in in_settings}),
            _verification(applied.get("verification") or {}),
        )


def _verification(applied: Mapping[str, Any]) -> VerificationPlan:
    names = (field.name for field in fields(VerificationPlan))
    return VerificationPlan(**{name: applied[name] for name in names if applied.get(name) is not None})


def _unreserved(found: Mapping[str, Any], applied: Mapping[str, Any]) -> int:
    """Return how many unreserved executions the copy needs, as modules/copy calculates it."""
    reserved = {
        name: applied.get(name, {}).get("reserved_concurrency") is not None
        for name in ("backfill", "replicator", "control")
    }
    workers = found.get("concurrency", CopySettings.concurrency)
    return (
        (0 if reserved["backfill"] else int(workers))
        + (0 if reserved["replicator"] else 1)
        + (CONTROL_FUNCTIONS - 1 if reserved["control"] else CONTROL_FUNCTIONS)
    )
