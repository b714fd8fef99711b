"""Which settings an estimate calculates with: flags, what is applied, or the module's defaults."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tablecopy.control.cost import Circumstances
from tablecopy.control.verification_estimate import VerificationPlan
from tablecopy.settings import CopySettings
from tablecopy_cli.run.planned import Planned
from tools.docs_tables.__main__ import REPOSITORY
from tools.docs_tables.module import read_module

APPLIED: dict[str, Any] = {
    "settings": {
        "backfill": {
            "segments": 80,
            "concurrency": 40,
            "read_capacity": None,
            "write_capacity": 4_000,
            "slice_seconds": 1_800,
            "timeout_seconds": 600,
            "memory_mb": 1_024,
            "reserved_concurrency": None,
        },
        "replicator": {"batching_window_seconds": 5, "memory_mb": 256, "reserved_concurrency": None},
        "control": {"drained_after_seconds": 30, "memory_mb": 1_769, "reserved_concurrency": None},
        "destination_table": {"allow_items": True},
    }
}


@pytest.mark.parametrize("outputs", [{}, {"settings": None}, {"tables": {}}], ids=str)
def test_without_flags_and_outputs_the_defaults_count(outputs: dict[str, Any]) -> None:
    assert Planned.of({}, outputs) == Planned(CopySettings(), Circumstances(), VerificationPlan())


def test_the_defaults_are_those_of_the_module() -> None:
    """What an apply with the module's defaults leaves in the outputs changes nothing."""
    defaults = {row.path: row.default for row in read_module(REPOSITORY / "modules/copy").inputs}

    def number(path: str) -> int | None:
        value = defaults[path]
        return None if value in {None, "null"} else int(str(value))

    outputs = {
        variable: {name: number(f"{variable}.{name}") for name in fields}
        for variable, fields in APPLIED["settings"].items()
        if variable != "destination_table"
    }
    applied = {**outputs, "destination_table": {"allow_items": False}}
    assert Planned.of({}, {"settings": applied}) == Planned(
        CopySettings(), Circumstances(), VerificationPlan()
    )


def test_what_is_applied_counts() -> None:
    planned = Planned.of({"total_segments": None}, APPLIED)
    assert planned.settings == CopySettings(
        total_segments=80,
        concurrency=40,
        unreserved_concurrency=43,
        write_capacity=4_000,
        slice_seconds=1_800,
        drained_after_seconds=30,
        allow_nonempty_destination=True,
    )
    assert planned.circumstances == Circumstances(
        batching_window_seconds=5,
        worker_memory_mb=1_024,
        replicator_memory_mb=256,
        reconciler_memory_mb=1_769,
        worker_seconds=600,
    )


def test_flags_come_first() -> None:
    flags = {"total_segments": 500, "batching_window_seconds": 0.0, "shards": 9, "nat": None}
    planned = Planned.of(flags, APPLIED)
    assert (planned.settings.total_segments, planned.settings.concurrency) == (500, 40)
    assert (planned.circumstances.batching_window_seconds, planned.circumstances.shards) == (0, 9)
    assert planned.circumstances.nat is False


@pytest.mark.parametrize(
    ("reserved", "needed"),
    [("backfill", 3), ("replicator", 42), ("control", 42)],
    ids=lambda value: str(value),
)
def test_reserved_executions_are_not_needed_of_the_others(reserved: str, needed: int) -> None:
    """As modules/copy calculates it for the reconciler."""
    changed = {**APPLIED["settings"][reserved], "reserved_concurrency": 41}
    planned = Planned.of({}, {"settings": {**APPLIED["settings"], reserved: changed}})
    assert planned.settings.unreserved_concurrency == needed
    assert planned.settings.replicator_reserved == (reserved == "replicator")


def test_the_output_has_what_is_read_here() -> None:
    text = (REPOSITORY / "modules/copy/outputs.tf").read_text()
    block = re.search(r'output "settings" \{\n.*?\n\}', text, re.DOTALL)
    assert block is not None
    for variable in APPLIED["settings"]:
        assert re.search(rf"^    {variable} += (var\.{variable}$|\{{)", block[0], re.MULTILINE), variable
