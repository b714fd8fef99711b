"""Finds the mappings of every account and keeps them at work, with a thread for each invocation."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from tablecopy.clock import Clock
from tools.local.mapping.clients import Clients
from tools.local.mapping.mapping import Backoff, Mapping, Settings, Workers, is_dynamodb_stream

logger = logging.getLogger(__name__)

# How soon a mapping that was enabled or disabled is noticed.
WATCH_SECONDS = 0.25
# How soon the first mapping of an account and region is found.
DISCOVER_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 1.0

Result = TypeVar("Result")


class Poller:
    """All mappings of some accounts and regions.

    Parameters
    ----------
    clients : sequence of Clients
        One for each account and region.
    clock : Clock
        Tells the time.
    workers : Workers
        Do what takes a while.
    backoff : Backoff
        Waits between attempts.
    """

    def __init__(self, clients: Sequence[Clients], clock: Clock, workers: Workers, backoff: Backoff) -> None:
        self._clients = clients
        self._clock = clock
        self._workers = workers
        self._backoff = backoff
        self._mappings: dict[Clients, dict[str, Mapping]] = {each: {} for each in clients}
        self._next_listing = dict.fromkeys(clients, 0.0)

    def run(self) -> None:
        """Work for as long as the process lives."""
        while True:
            self.step()
            self._workers.collect(max(0.0, self._due() - self._clock.now()))

    def step(self) -> None:
        """One round: look at the mappings where it is time to, and let each do what it can."""
        for clients in self._clients:
            if self._clock.now() >= self._next_listing[clients]:
                self._list(clients)
        for mappings in self._mappings.values():
            for mapping in mappings.values():
                mapping.step()

    def _due(self) -> float:
        times = [*self._next_listing.values(), self._clock.now() + LONGEST_WAIT_SECONDS]
        for mappings in self._mappings.values():
            for mapping in mappings.values():
                due = mapping.due()
                if due is not None:
                    times.append(due)
        return min(times)

    def _list(self, clients: Clients) -> None:
        known = self._mappings[clients]
        try:
            pages = clients.mappings.get_paginator("list_event_source_mappings").paginate()
            listed = [
                Settings.from_api(mapping)
                for page in pages
                for mapping in page["EventSourceMappings"]
                if is_dynamodb_stream(mapping)
            ]
        except (ClientError, BotoCoreError, OSError) as error:
            # Nothing is known to have changed, so everything continues as it was.
            logger.warning("cannot list the mappings of %s in %s: %s", clients.account, clients.region, error)
            self._next_listing[clients] = self._clock.now() + DISCOVER_SECONDS
            return
        for settings in listed:
            if settings.uuid in known:
                known[settings.uuid].update(settings)
            else:
                logger.info("%s: found, for %s", settings.uuid, settings.function_arn)
                known[settings.uuid] = Mapping(settings, clients, self._clock, self._workers, self._backoff)
        for uuid in known.keys() - {settings.uuid for settings in listed}:
            logger.info("%s: deleted", uuid)
            del known[uuid]
        wait = WATCH_SECONDS if known else DISCOVER_SECONDS
        self._next_listing[clients] = self._clock.now() + wait


class ThreadWorkers:
    """A thread for each piece of work: however many shards wait for a function, another can start."""

    def __init__(self) -> None:
        self._finished: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def submit(self, work: Callable[[], Result], done: Callable[[Result], None]) -> None:
        def run() -> None:
            try:
                result = work()
            except Exception as error:
                # Nothing is expected to get here. It ends the poller: a shard left waiting would hide it.
                self._finished.put(lambda error=error: _raise(error))  # type: ignore[misc]
            else:
                self._finished.put(lambda: done(result))

        # Daemons: a function that takes its time must not keep a stopped poller alive.
        threading.Thread(target=run, daemon=True).start()

    def collect(self, timeout: float) -> None:
        try:
            hand_back = self._finished.get(timeout=timeout)
            while True:
                hand_back()
                hand_back = self._finished.get_nowait()
        except queue.Empty:
            return


def _raise(error: Exception) -> None:
    raise error
