"""What the functions need of Lambda's context object, and of each other's set-up."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from typing import Protocol

from tablecopy.clock import Clock
from tablecopy.journal.store import Store
from tablecopy.sessions import assumed_session, own_session
from tablecopy.settings import Settings
from tablecopy.wire import Wire
from tablecopy.writer import WRITE_TIMEOUT_SECONDS, BatchWriter, WriterFactory


class Context(Protocol):
    """Lambda's context object."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the function."""
        ...


def deadline(context: Context, clock: Clock) -> float:
    """The moment at which Lambda ends the function, seconds since the epoch."""
    return clock.now() + context.get_remaining_time_in_millis() / 1000


def settings() -> Settings:
    """The function's settings."""
    return Settings.from_environment(os.environ)


def journal(its: Settings) -> Store:
    """The journal, with the function's own role."""
    return Store(Wire(own_session()), its.journal_table)


def writer_factory(its: Settings, clock: Clock, function: str) -> WriterFactory:
    """Makes writers to the destination that share one client, with the destination account's role."""
    session = assumed_session(its.destination_role_arn, its.destination_external_id, f"tablecopy-{function}")
    wire = Wire(
        session, its.destination_region, attempts=1, connect_timeout=3, read_timeout=WRITE_TIMEOUT_SECONDS - 3
    )

    def make(key_names: Sequence[str], until: float) -> BatchWriter:
        return BatchWriter(wire, its.destination_table, key_names, clock, until, random.Random())

    return make
