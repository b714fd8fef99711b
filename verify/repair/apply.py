"""Applying a repair plan, item by item, and only where nothing has changed since.

Each action reads its item on both sides again. It is applied only if both are what the plan saw, with a
condition that holds only if the destination's item is what was just read; so it never overwrites what came in
between, and a plan can be applied again, or for the rest after it was ended anywhere, without harm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, TypeAlias, TypeVar, get_args

from tablecopy_cli.common.errors import UserError
from tablecopy_cli.common.items import Item
from verify.repair.live_table import (
    LiveTable,
    Overtaken,
    Refused,
    TooWide,
    digest_of,
    is_absent,
    is_unchanged,
)
from verify.repair.plan import Action

THREADS = 8
"""Each action is a chain of three calls, often across regions; a few at a time hide the waiting."""

_CHUNK = 8 * THREADS

Result: TypeAlias = Literal[
    "would", "done", "already", "changed_at_source", "changed_at_destination", "failed"
]
RESULTS: tuple[Result, ...] = get_args(Result)

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an action.

    Parameters
    ----------
    action
        As the plan has it.
    result
        ``"would"`` (be applied, in a dry run), ``"done"``, ``"already"`` (the destination holds what the
        source holds), ``"changed_at_source"`` or ``"changed_at_destination"`` (it is not what the plan
        saw, and was left alone) or ``"failed"``.
    reason
        One line where there is something to say. Never a value, except in what DynamoDB says of an item
        that it refuses.
    """

    action: Action
    result: Result
    reason: str = ""

    def record(self) -> dict[str, Any]:
        """Return the JSON Lines record; see docs/reference.md."""
        return {
            "type": "repair",
            "action": self.action.action,
            "key": self.action.key,
            "result": self.result,
            "reason": self.reason,
        }


class Repair:
    """Applies actions, or says what they would do.

    Parameters
    ----------
    source, destination
        The plan's tables.
    write
        Whether to apply the actions; without, nothing is written.
    threads
        How many actions are under way at once.
    """

    def __init__(
        self, source: LiveTable, destination: LiveTable, *, write: bool, threads: int = THREADS
    ) -> None:
        self._source = source
        self._destination = destination
        self._write = write
        self._threads = threads

    def outcomes(self, actions: Iterable[Action]) -> Iterator[Outcome]:
        """Go through the actions and yield what came of each, in their order.

        Raises
        ------
        UserError
            A table cannot be used any more. What was done by then has been yielded.
        """
        return self._each(self.one, actions)

    def changed_at_source(self, actions: Iterable[Action]) -> Iterator[bool]:
        """Read the source's items and yield, for each, whether it is another than in the plan."""
        return self._each(lambda action: digest_of(self._source.read(action.key)) != action.source, actions)

    def unequal(self, actions: Iterable[Action]) -> Iterator[bool]:
        """Read both sides of each action again and yield whether they differ."""
        return self._each(
            lambda action: (
                digest_of(self._source.read(action.key)) != digest_of(self._destination.read(action.key))
            ),
            actions,
        )

    def one(self, action: Action) -> Outcome:
        """Do one action, or say what it would do."""
        try:
            return self._one(action)
        except (Refused, TooWide) as error:
            return Outcome(action, "failed", str(error))

    def _one(self, action: Action) -> Outcome:
        new = self._source.read(action.key)
        if digest_of(new) != action.source:
            return Outcome(action, "changed_at_source", _what(new, action.source))
        old = self._destination.read(action.key)
        if digest_of(old) == action.source:
            return Outcome(action, "already")
        if digest_of(old) != action.destination:
            return Outcome(action, "changed_at_destination", _what(old, action.destination))
        condition = self._condition(old, new)
        if not self._write:
            return Outcome(action, "would")
        try:
            replaced = self._replace(action.key, new, condition)
        except Overtaken:
            # A write that is repeated because its answer was lost meets its own first attempt.
            if digest_of(self._destination.read(action.key)) == action.source:
                return Outcome(action, "already")
            return Outcome(action, "changed_at_destination", "it was written to at this moment")
        if replaced is None or digest_of(replaced) == digest_of(old):
            return Outcome(action, "done")
        return self._put_back(action, replaced, new)

    def _condition(self, old: Item | None, new: Item | None) -> dict[str, Any]:
        keys = self._destination.key_names
        return is_absent(keys[0]) if old is None else is_unchanged(old, keys, new)

    def _replace(self, key: Item, new: Item | None, condition: dict[str, Any]) -> dict[str, Any] | None:
        if new is None:
            return self._destination.delete(key, condition)
        return self._destination.put(new, condition)

    def _put_back(self, action: Action, replaced: Item, written: Item | None) -> Outcome:
        """Undo a write that met an item with one more attribute, which no condition can rule out."""
        try:
            self._destination.put(replaced, self._condition(written, replaced))
        except (Overtaken, Refused, TooWide):
            return Outcome(
                action,
                "failed",
                "an attribute that was added at this moment was overwritten, and could not be put back",
            )
        return Outcome(
            action, "changed_at_destination", "an attribute was added at this moment; the item was put back"
        )

    def _each(self, work: Callable[[Action], _T], actions: Iterable[Action]) -> Iterator[_T]:
        actions = iter(actions)
        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="repair")
        try:
            while chunk := list(islice(actions, _CHUNK)):
                futures = [pool.submit(work, action) for action in chunk]
                trouble: UserError | None = None
                for future in futures:
                    try:
                        result = future.result()
                    except CancelledError:
                        continue
                    except UserError as error:
                        # What is under way may still write, and has to be told.
                        trouble = trouble or error
                        for later in futures:
                            later.cancel()
                        continue
                    yield result
                if trouble:
                    raise trouble
        finally:
            pool.shutdown(cancel_futures=True)


def _what(item: Item | None, seen: str | None) -> str:
    if item is None:
        return "the item is gone"
    return "there is an item now" if seen is None else "the item is another now"
