"""The judge of the comparison in the account: what must hold in every run, whatever happens to it.

It knows what both tables have held at each moment, and which changes were on their way. Its rules:

missed      Each key that differs from the beginning of a comparison to its end is listed, with its kind.
invented    Each listed difference was one, and at a moment at which no change of its key was on its way.
counts      Each key is counted once; with another order, one that is changed twice at most. The counts are
            those of the keys, and the lists are as long as they say.
undecided   Only keys that were changed are undecided, or all if the copy was far behind.
consistent  The workers read consistently, and read by key only what may differ.
capacity    A provisioned table is read with at most half of its units, and with no more than the budget.
reading     Nothing is written to either table, and no value is kept in the journal.
once        At most one execution of a comparison runs.
progress    A comparison ends in time once nothing hinders it, and one that nothing hinders does not fail.
reason      A comparison that has failed says why.
exception   A handler raises only errors of AWS, and that its time was too short for anything.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from tablecopy.dynamodb import errors
from tablecopy.verifier.part import NoProgress
from tools.simulation.attributes import Key, same_item
from tools.simulation.findings import Findings, Tell
from tools.simulation.functions import Answer
from tools.simulation.table import Table
from tools.simulation.verification.replication import EXPIRES, PRIVATE, Change

Json = dict[str, Any]

KINDS = ("missing", "changed", "extra", "expired")

_LISTED = 1_000
"""A segment lists at most so many differences."""

# Clocks differ, and dates of changes are whole seconds.
_CLOCK_SECONDS = 3.0

_WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"})


@dataclass(frozen=True)
class Window:
    """When a comparison was requested, and when it ended."""

    began: float
    ended: float


@dataclass(frozen=True)
class _Moment:
    """What both tables hold of a key from a moment on, and whether a change of it is on its way."""

    at: float
    source: bytes | None
    destination: bytes | None
    is_pending: bool

    @property
    def kind(self) -> str:
        """Kind of the difference; "equal" if there is none, and "" if there is no item."""
        if self.source is None and self.destination is None:
            return ""
        if self.source is not None and self.destination is not None:
            return "equal" if same_item(self.source, self.destination) else "changed"
        expires = json.loads(self.source or self.destination or b"").get(EXPIRES)
        # The planned times are far from any moment of a run, or a change makes them.
        if expires is not None and float(expires["N"]) < self.at:
            return "expired"
        return "extra" if self.source is None else "missing"


class Histories:
    """What happened to each key of both tables."""

    def __init__(self, source: Table, destination: Table, changes: Mapping[Key, list[Change]]) -> None:
        self._tables = source, destination
        self._changes = changes

    def all_keys(self) -> list[Key]:
        """Return every key that was ever written."""
        return list(dict.fromkeys(key for table in self._tables for key in table.written_keys()))

    def moments(self, key: Key, window: Window) -> list[_Moment]:
        """Return what both tables held at the beginning of a window, and after each change in it."""
        changes = self._changes.get(key, ())
        times = {window.began}
        for table in self._tables:
            times.update(at for at, _ in table.history(key))
        # A change that deletes what is not there leaves no trace in the table.
        times.update(moment for each in changes for moment in (each.made, each.applied))
        return [
            _Moment(
                at,
                self._tables[0].values_since(key, at)[0],
                self._tables[1].values_since(key, at)[0],
                any(each.made <= at < each.applied and not each.dropped for each in changes),
            )
            for at in sorted(times)
            if window.began <= at <= window.ended
        ]


class Judge(Findings):
    """Judges the comparisons of a run.

    Parameters
    ----------
    is_hindered
        Whether anything may go wrong.
    is_small
        There may be too few read units for an invocation.
    same_order
        Both tables have the same keys in each segment.
    lags
        The copy may be so far behind that nothing is decided.
    """

    def __init__(
        self,
        now: Callable[[], float],
        tell: Tell | None,
        histories: Histories,
        journal: Table,
        *,
        is_hindered: bool,
        is_small: bool,
        same_order: bool,
        lags: bool,
    ) -> None:
        super().__init__(now, tell)
        self.state = ""
        self.verification = ""
        self.reason = ""
        self.on_scanned: Callable[[float], None] = lambda seconds: None
        self._histories = histories
        self._is_hindered = is_hindered
        self._is_small = is_small
        self._same_order = same_order
        self._lags = lags
        self._began: dict[str, float] = {}
        self._ended: dict[str, float] = {}
        journal.on_write(self._noted)

    @property
    def has_ended(self) -> bool:
        """Whether the latest comparison has ended."""
        return self.state in {"done", "failed"}

    def _noted(self, key: Key, before: bytes | None, after: bytes | None) -> None:
        """See what is written to the journal."""
        if after is None:
            return
        if PRIVATE.encode() in after:
            self.violate("reading", f"the journal holds a value of an item in {key}")
        if key != ("verification", "latest"):
            return
        item = json.loads(after)
        self.verification, self.state = item["verification_id"]["S"], item["state"]["S"]
        self.reason = item["reason"]["S"]
        self._began.setdefault(self.verification, self.now())
        if self.state not in {"requested", "scanning"}:
            self.on_scanned(self.now() - self._began[self.verification])
        if self.has_ended:
            self._ended.setdefault(self.verification, self.now())
        if self.state == "failed":
            self._failed()

    def _failed(self) -> None:
        if not self.reason:
            self.violate("reason", "the comparison has failed and does not say why")
        if not self._is_hindered:
            self.violate("progress", f"the comparison has failed although nothing hinders it: {self.reason}")

    def ended(self, function: str, answer: Answer) -> None:
        """An invocation has ended."""
        error = answer.raised
        if error is None or isinstance(error, errors.NO_ANSWER):
            return
        if isinstance(error, ClientError) and errors.is_transient(error):
            return
        if isinstance(error, NoProgress) and (self._is_hindered or self._is_small):
            return
        self.violate("exception", f"{function} raised {type(error).__name__}: {error}")

    def two_run(self, names: Sequence[str]) -> None:
        """Several executions of one comparison run."""
        self.violate("once", f"executions {', '.join(names)} run at the same time")

    def late(self, seconds: float) -> None:
        """A comparison has not ended in time."""
        self.violate(
            "progress", f"the comparison is {self.state or 'not begun'} {seconds:.0f} s after the calm"
        )

    def read_inconsistently(self, operation: str) -> None:
        """A worker read a table with an eventually consistent read."""
        self.violate("consistent", f"{operation} was eventually consistent")

    def read_without_need(self, keys: int) -> None:
        """Keys were read although both tables are equal, in the same order, and nothing writes."""
        self.violate("consistent", f"{keys} keys were read by key although nothing differs")

    def wrote(self, table: str, operation: str) -> None:
        """The verifier wrote to a table."""
        if operation in _WRITES:
            self.violate("reading", f"{operation} was called on {table}")

    def used(self, table: str, units: float, most: float) -> None:
        """A table with few units, or a small budget, was read."""
        if units > most:
            self.violate("capacity", f"{units:.0f} units of {table} were used, of at most {most:.0f}")

    def reported(self, status: Json, listed: Sequence[Json], key_of: Callable[[Json], Key]) -> None:
        """A comparison has ended, and operators were shown its result."""
        window = Window(self._began[status["id"]], self._ended[status["id"]])
        standing = [(key_of(each["key"]), each["kind"]) for each in listed if not each.get("undecided")]
        undecided = [key_of(each["key"]) for each in listed if each.get("undecided")]
        moments = {key: self._histories.moments(key, window) for key in self._histories.all_keys()}
        touched = {key for key, seen in moments.items() if len(seen) > 1 or seen[0].is_pending}
        still = {key: seen[0].kind for key, seen in moments.items() if key not in touched}
        exist = {key for key in touched if any(seen.kind for seen in moments[key])}
        self._judge_lists(status, standing, undecided, moments, still)
        self._judge_counts(status, standing, undecided, still, len(exist))
        self._judge_items(status, moments, touched)

    def _judge_lists(
        self,
        status: Json,
        standing: Sequence[tuple[Key, str]],
        undecided: Sequence[Key],
        moments: Mapping[Key, list[_Moment]],
        still: Mapping[Key, str],
    ) -> None:
        times = Counter([*(key for key, _ in standing), *undecided])
        # With another order, the segments that hold a key of both tables may see it at two times.
        twice = [key for key, count in times.items() if count > 1 and (key in still or self._same_order)]
        if twice:
            self.violate("counts", "keys are listed twice", *map(_name, twice))
        found = dict(standing)
        for key, kind in found.items():
            if key not in moments:
                self.violate("invented", f"{key} was never in a table", _name(key))
            elif kind not in set(_true_kinds(moments[key], self._ended[status["id"]])):
                self.violate(
                    "invented", f"{key} is {kind} and was not while no change was pending", _name(key)
                )
        is_listed = status["listed"] == sum(status[kind] for kind in KINDS)
        for key, kind in still.items():
            if kind not in KINDS or found.get(key) == kind or not is_listed:
                continue
            if key not in undecided or not self._lags:
                self.violate("missed", f"{key} is {kind}, and listed as {found.get(key)}", _name(key))
        for key in undecided:
            if key in still and not self._lags:
                self.violate("undecided", f"{key} has not changed and is undecided", _name(key))
        if undecided and status["writes_stopped"]:
            self.violate("undecided", "keys are undecided although nothing writes", *map(_name, undecided))

    def _judge_counts(
        self,
        status: Json,
        standing: Sequence[tuple[Key, str]],
        undecided: Sequence[Key],
        still: Mapping[Key, str],
        touched: int,
    ) -> None:
        kinds = Counter(kind for _, kind in standing)
        if status["listed"] != len(standing):
            self.violate(
                "counts", f"{len(standing)} differences are listed, and said to be {status['listed']}"
            )
        if status["listed"] < _LISTED:
            for kind in KINDS:
                if status[kind] != kinds[kind]:
                    self.violate("counts", f"{status[kind]} keys are {kind}, and {kinds[kind]} are listed")
        if status["undecided"] != len(undecided):
            self.violate("counts", f"{status['undecided']} undecided keys, and {len(undecided)} are listed")
        if not self._same_order:
            # Two segments may see a key that is written again: one as extra, the other as it is then.
            touched *= 2
        equal = sum(kind == "equal" for kind in still.values())
        if not equal <= status["equal"] <= equal + touched:
            self.violate("counts", f"{status['equal']} keys are equal, of {equal} and {touched} changed ones")
        known = sum(1 for kind in still.values() if kind)
        counted = status["equal"] + sum(status[kind] for kind in KINDS) + status["undecided"]
        if not known <= counted <= known + touched:
            self.violate("counts", f"{counted} keys are counted, of {known} and {touched} changed ones")

    def _judge_items(self, status: Json, moments: Mapping[Key, list[_Moment]], touched: set[Key]) -> None:
        for side in ("source", "destination"):
            held = [key for key, seen in moments.items() if any(getattr(each, side) for each in seen)]
            known = sum(key not in touched for key in held)
            if not known <= status[f"{side}_items"] <= len(held):
                self.violate(
                    "counts",
                    f"{status[f'{side}_items']} items of the {side} are counted, of {known} to {len(held)}",
                )


def _true_kinds(moments: Sequence[_Moment], ended: float) -> Iterator[str]:
    """Yield the kinds of the difference at the moments at which no change was on its way.

    A change that was applied may have been read from the other table a moment before.
    """
    for number, seen in enumerate(moments):
        if not seen.is_pending:
            yield seen.kind
            # Its time to live may have passed since.
            until = moments[number + 1].at if number + 1 < len(moments) else ended
            yield _Moment(until + _CLOCK_SECONDS, seen.source, seen.destination, is_pending=False).kind


def _name(key: Key) -> str:
    return "/".join(str(part) for part in key)
