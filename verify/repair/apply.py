"""Applies a repair plan, item by item, and only where nothing has changed since the comparison.

Each action reads its item on both sides again. It is applied only if both are as the plan has them, with a
condition that holds only if the destination's item is the one that was just read. So it never overwrites a
newer write. A plan can be applied again, also after it was interrupted.
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
    Rejected,
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
    """The outcome of an action.

    Parameters
    ----------
    action
        As the plan has it.
    result
        ``"would"`` (a dry run would apply it), ``"done"``, ``"already"`` (both sides are already equal),
        ``"changed_at_source"`` or ``"changed_at_destination"`` (the item is not as in the plan, and was not
        changed) or ``"failed"``.
    reason
        One line, or an empty text. Contains no value, except in DynamoDB's message about a rejected item.
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
    """Applies actions, or returns what they would do.

    Parameters
    ----------
    source, destination
        The plan's tables.
    write
        Whether to apply the actions; without, nothing is written.
    threads
        Number of actions at the same time.
    """

    def __init__(
        self, source: LiveTable, destination: LiveTable, *, write: bool, threads: int = THREADS
    ) -> None:
        self._source = source
        self._destination = destination
        self._write = write
        self._threads = threads

    def outcomes(self, actions: Iterable[Action]) -> Iterator[Outcome]:
        """Process the actions and yield the outcome of each, in their order.

        Raises
        ------
        UserError
            A table can no longer be used. Outcomes so far have been yielded.
        """
        return self._each(self.one, actions)

    def changed_at_source(self, actions: Iterable[Action]) -> Iterator[bool]:
        """Read the source's items and yield, for each, whether it differs from the plan."""
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
        """Do one action, or return what it would do."""
        try:
            return self._one(action)
        except (Rejected, TooWide) as error:
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
            return Outcome(action, "changed_at_destination", "the item was written at the same time")
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
        except (Overtaken, Rejected, TooWide):
            return Outcome(
                action,
                "failed",
                "an attribute that was added at the same time was overwritten and could not be restored",
            )
        return Outcome(
            action, "changed_at_destination", "an attribute was added at the same time; the item was restored"
        )

    def _each(self, work: Callable[[Action], _T], actions: Iterable[Action]) -> Iterator[_T]:
        actions = iter(actions)
        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="repair")
        try:
            while chunk := list(islice(actions, _CHUNK)):
                futures = [pool.submit(work, action) for action in chunk]
                failure: UserError | None = None
                for future in futures:
                    try:
                        result = future.result()
                    except CancelledError:
                        continue
                    except UserError as error:
                        # Actions in progress may still write, and must be reported.
                        failure = failure or error
                        for later in futures:
                            later.cancel()
                        continue
                    yield result
                if failure:
                    raise failure
        finally:
            pool.shutdown(cancel_futures=True)


def _what(item: Item | None, seen: str | None) -> str:
    if item is None:
        return "the item was deleted"
    return "the item was created" if seen is None else "the item was changed"
