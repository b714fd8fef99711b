"""The simulation interprets the definitions that Terraform renders today."""

from __future__ import annotations

import json

import pytest

from tools.simulation.definition import (
    DEFAULTS,
    RENDERED,
    definition,
    render,
    verification_definition,
)

ARN = "arn:aws:lambda:eu-west-1:111111111111:function:worker"


@pytest.mark.terraform
@pytest.mark.parametrize(("concurrency", "slice_seconds", "timeout_seconds"), [(16, 3600, 300), (3, 100, 60)])
def test_rendered(concurrency: int, slice_seconds: int, timeout_seconds: int) -> None:
    rendered = render(
        "backfill",
        "worker",
        concurrency=concurrency,
        slice_seconds=slice_seconds,
        timeout_seconds=timeout_seconds,
    )
    assert definition(ARN, concurrency, slice_seconds, timeout_seconds) == rendered


@pytest.mark.terraform
@pytest.mark.parametrize(("concurrency", "timeout_seconds"), [(16, 300), (1000, 60)])
def test_rendered_verification(concurrency: int, timeout_seconds: int) -> None:
    rendered = render("verification", "worker", concurrency=concurrency, timeout_seconds=timeout_seconds)
    assert verification_definition(ARN, concurrency, timeout_seconds) == rendered


@pytest.mark.terraform
@pytest.mark.parametrize("module", RENDERED)
def test_defaults(module: str) -> None:
    """If this fails, run ``python -m tools.simulation.definition``."""
    assert json.loads(RENDERED[module].read_text()) == render(module, "worker", **DEFAULTS[module])
