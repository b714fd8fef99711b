"""What Terraform tells control, and what holds where it says nothing."""

from __future__ import annotations

import pytest

from tablecopy.settings import BackfillSettings, CommandSettings, Prices, ReconcilerSettings, Settings
from tests.unit.tablecopy.functions import ENVIRONMENT


def test_what_is_not_set_has_its_default() -> None:
    settings = ReconcilerSettings.from_environment(ENVIRONMENT)
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
    empty = ReconcilerSettings.from_environment({**ENVIRONMENT, **dict.fromkeys(names, "")})
    assert empty == ReconcilerSettings.from_environment(ENVIRONMENT)


def test_everything_is_taken_over() -> None:
    settings = ReconcilerSettings.from_environment(
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
        ReconcilerSettings.from_environment({**ENVIRONMENT, name: "many"})


def test_a_function_needs_nothing_that_it_does_not_use() -> None:
    names = ("JOURNAL_TABLE", "STREAM_ARN", "TOTAL_SEGMENTS", "DRAINED_AFTER_SECONDS", "RECONCILER_FUNCTION")
    settings = CommandSettings.from_environment({name: ENVIRONMENT[name] for name in names})
    assert (settings.journal_table, settings.stream_arn) == ("journal", ENVIRONMENT["STREAM_ARN"])
    assert (settings.total_segments, settings.drained_after_seconds) == (4, 60)
    assert settings.reconciler_function == "move-reconciler"


@pytest.mark.parametrize("settings", [CommandSettings, BackfillSettings, ReconcilerSettings])
def test_a_missing_setting_is_named(settings: type[Settings]) -> None:
    rest = {name: value for name, value in ENVIRONMENT.items() if name != "JOURNAL_TABLE"}
    with pytest.raises(KeyError, match="JOURNAL_TABLE"):
        settings.from_environment(rest)


@pytest.mark.parametrize(
    ("environment", "read", "write"),
    [
        ({}, None, None),
        ({"READ_CAPACITY": "", "WRITE_CAPACITY": ""}, None, None),
        ({"READ_CAPACITY": "100"}, 100.0, None),
        ({"READ_CAPACITY": "0.5", "WRITE_CAPACITY": "2000"}, 0.5, 2000.0),
    ],
)
def test_capacities_are_limited_where_the_environment_says_so(
    environment: dict[str, str], read: float | None, write: float | None
) -> None:
    settings = BackfillSettings.from_environment({**ENVIRONMENT, **environment})
    assert (settings.read_capacity, settings.write_capacity) == (read, write)
