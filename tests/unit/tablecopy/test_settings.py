"""What Terraform tells control, and what holds where it says nothing."""

from __future__ import annotations

import pytest

from tablecopy.settings import CommandSettings, ControlSettings, Prices
from tests.unit.tablecopy.test_handlers import ENVIRONMENT


def test_what_is_not_set_has_its_default() -> None:
    settings = ControlSettings.from_environment(ENVIRONMENT)
    assert (settings.concurrency, settings.unreserved_concurrency) == (16, 19)
    assert not settings.replicator_reserved
    assert settings.record_age_fraction == 0.5
    assert (settings.read_capacity, settings.write_capacity) == (None, None)
    assert settings.prices == Prices("USD", 0.125, 0.625)


def test_empty_is_not_set() -> None:
    numbers = (
        "CONCURRENCY",
        "UNRESERVED_CONCURRENCY",
        "RECORD_AGE_FRACTION",
        "READ_CAPACITY",
        "WRITE_CAPACITY",
    )
    names = (*numbers, "PRICES")
    empty = ControlSettings.from_environment({**ENVIRONMENT, **dict.fromkeys(names, "")})
    assert empty == ControlSettings.from_environment(ENVIRONMENT)


def test_everything_is_taken_over() -> None:
    settings = ControlSettings.from_environment(
        {
            **ENVIRONMENT,
            "CONCURRENCY": "4",
            "UNRESERVED_CONCURRENCY": "0",
            "REPLICATOR_RESERVED": "true",
            "RECORD_AGE_FRACTION": "0.25",
            "PRICES": '{"currency": "EUR", "read_per_million": 0.2, "write_per_million": 0.7}',
            "READ_CAPACITY": "100",
            "WRITE_CAPACITY": "250.5",
        }
    )
    assert (settings.concurrency, settings.unreserved_concurrency) == (4, 0)
    assert settings.replicator_reserved
    assert settings.record_age_fraction == 0.25
    assert (settings.read_capacity, settings.write_capacity) == (100.0, 250.5)
    assert settings.prices == Prices("EUR", 0.2, 0.7)


@pytest.mark.parametrize("name", ["CONCURRENCY", "READ_CAPACITY"])
def test_what_is_no_number_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="many"):
        ControlSettings.from_environment({**ENVIRONMENT, name: "many"})


def test_control_is_told_what_a_run_begins_with() -> None:
    settings = CommandSettings.from_environment(ENVIRONMENT)
    assert settings == CommandSettings(ENVIRONMENT["STREAM_ARN"], 4, 60, "move-reconciler")
