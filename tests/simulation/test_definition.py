"""The simulation interprets the definition that Terraform renders today."""

from __future__ import annotations

import json

import pytest

from tools.simulation.definition import RENDERED, definition, render

ARN = "arn:aws:lambda:eu-west-1:111111111111:function:worker"


@pytest.mark.terraform
@pytest.mark.parametrize(("concurrency", "slice_seconds", "timeout_seconds"), [(16, 3600, 300), (3, 100, 60)])
def test_rendered(concurrency: int, slice_seconds: int, timeout_seconds: int) -> None:
    rendered = render("worker", concurrency, slice_seconds, timeout_seconds)
    assert definition(ARN, concurrency, slice_seconds, timeout_seconds) == rendered


@pytest.mark.terraform
def test_defaults() -> None:
    """If this fails, run ``python -m tools.simulation.definition``."""
    assert json.loads(RENDERED.read_text()) == render("backfill", 16, 3600, 300)
