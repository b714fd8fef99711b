"""The repair plan: what makes the destination equal to the source, as JSON Lines without values.

The first line is the header. The last one is the end, which shows that the plan is complete. Between them is
one line for each action, in the order of the keys. docs/reference.md has its fields.
"""

from __future__ import annotations

import base64
import json
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import IO, Annotated, Any, Literal, TypeAlias, TypeVar, get_args

import msgspec
from msgspec import Meta

from tablecopy.comparison.canonical import DIGEST_BYTES
from tablecopy.text import compact_timestamp, timestamp
from tablecopy_cli.common.errors import UserError
from tablecopy_cli.common.files import replacing
from tablecopy_cli.common.items import Item
from verify.comparison.options import PLAN_LIMIT
from verify.comparison.results import Comparison, Difference, Kind, Verdict

VERSION = 3

_WRITE_AGAIN = "Write the plan again with verify --repair-plan."

_LeftOut: TypeAlias = Literal["expired", "not_standing", "unlisted"]
ActionName: TypeAlias = Literal["put", "replace", "delete"]
ACTIONS: tuple[ActionName, ...] = get_args(ActionName)

_ACTION_OF: Mapping[Kind, ActionName] = {"missing": "put", "changed": "replace", "extra": "delete"}

# A key has up to 2,048 and 1,024 bytes and two names of 255 (DynamoDB constraints), six characters for each
# byte where JSON escapes them. Longer lines are not part of a plan, and are not read into memory.
_LINE_CHARACTERS = 1 << 16

_Digest: TypeAlias = Annotated[str, Meta(pattern=rf"^[0-9a-f]{{{2 * DIGEST_BYTES}}}\Z")]
_Count: TypeAlias = Annotated[int, Meta(ge=0)]

_Record = TypeVar("_Record", "Header", "Action")


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do at the destination.

    Parameters
    ----------
    action
        ``"put"`` an item that is missing, ``"replace"`` one that differs, ``"delete"`` one that is extra.
    key
        Primary key in DynamoDB JSON; binary values are base64 text.
    source, destination
        `canonical.digest` in hexadecimal of what the comparison saw last; ``None``: no item.
    """

    action: ActionName
    key: Item
    source: _Digest | None
    destination: _Digest | None

    def record(self) -> dict[str, Any]:
        """Return the line of the plan."""
        return {
            "type": "action",
            "action": self.action,
            "key": self.key,
            "source": self.source,
            "destination": self.destination,
        }


@dataclass(frozen=True)
class Header:
    """The tables of a plan, and the comparison that it is from.

    Parameters
    ----------
    source, destination
        ARNs of the tables.
    source_table_id, destination_table_id
        ``TableId`` of DescribeTable, which changes if a table is deleted and created again; ``None`` if the
        endpoint does not return one.
    created
        When the plan was written, ISO 8601.
    started
        When the comparison began, in seconds since the epoch.
    verdict
        Of the comparison.
    writes_stopped
        Whether the comparison ran with ``--writes-stopped``.
    settled
        Keys that changed while the comparison ran: see `Comparison.settled`.
    severe, unread
        Findings on the tables' settings: those that can lose data, and those that could not be read.
    actions
        How many there are of each.
    left_out
        Differences without an action: ``"expired"`` (DynamoDB is about to delete them),
        ``"not_standing"`` (they may be changes in progress) and ``"unlisted"`` (a comparison in the account
        has only counted them).
    sample, filter_expression
        Restrictions of the comparison. The rest of the tables is not in the plan.
    """

    source: str
    destination: str
    source_table_id: str | None
    destination_table_id: str | None
    created: str
    started: float
    verdict: Verdict
    writes_stopped: bool
    settled: _Count
    severe: _Count
    unread: _Count
    actions: Annotated[dict[ActionName, _Count], Meta(min_length=3)]
    left_out: Annotated[dict[_LeftOut, _Count], Meta(min_length=3)]
    sample: dict[str, Any] | None = None
    filter_expression: str | None = None

    @property
    def total(self) -> int:
        """How many actions there are."""
        return sum(self.actions.values())

    @property
    def rest_equal(self) -> bool:
        """Whether the comparison shows that every key without an action is equal on both sides.

        It read everything consistently, and saw no write. Expired items do not count.
        """
        return (
            self.writes_stopped
            and not self.settled
            and not self.left_out["not_standing"]
            and not self.left_out["unlisted"]
            and self.sample is None
            and self.filter_expression is None
        )

    def record(self) -> dict[str, Any]:
        """Return the first line of the plan."""
        return {"type": "plan", "version": VERSION, **asdict(self)}


def write_plan(
    path: str | Path,
    comparison: Comparison,
    *,
    source_table_id: str | None,
    destination_table_id: str | None,
    clock: Callable[[], float] = time.time,
) -> Header:
    """Write the plan of a comparison. An existing file is replaced at the end.

    The differences are read twice and never held. The file is for its owner alone, as it holds keys.

    Parameters
    ----------
    path
        The plan.
    comparison
        The comparison. It may be of a sample: what it found is real.
    source_table_id, destination_table_id
        ``TableId`` of the tables; see `Header`.
    clock
        Seconds since the epoch.

    Returns
    -------
    Header
        As it was written.

    Raises
    ------
    UserError
        The file cannot be written, or attributes were ignored.
    """
    if comparison.ignored:
        raise UserError(
            "Cannot write a repair plan: the comparison ignored attributes "
            f"({', '.join(comparison.ignored)}), and a repair writes whole items. Compare again without "
            "--ignore-attribute."
        )
    header = _header_of(comparison, source_table_id, destination_table_id, timestamp(clock()))
    path = Path(path)
    try:
        with replacing(path, encoding="ascii", private=True) as stream:
            _write_lines(stream, header, comparison)
    except OSError as error:
        raise UserError(f"cannot write the plan {path}: {error.strerror}") from error
    return header


class Plan:
    """A plan that was read and is complete. A context manager: the file stays open even if it is replaced.

    Parameters
    ----------
    stream
        The file.
    path
        Its name, for errors.

    Raises
    ------
    UserError
        The file is not a complete plan. The text names the line.
    """

    def __init__(self, stream: IO[bytes], path: str | Path) -> None:
        self._stream = stream
        self._path = path
        self.header = self._whole()

    def __enter__(self) -> Plan:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()

    def actions(self) -> Iterator[Action]:
        """Read the actions from the beginning. One reader at a time: they share the file."""
        for _, record in self._records():
            if isinstance(record, Action):
                yield record

    def _whole(self) -> Header:
        header: Header | None = None
        counts = dict.fromkeys(ACTIONS, 0)
        for number, record in self._records():
            if isinstance(record, Header):
                header = record
            elif isinstance(record, Action):
                counts[record.action] += 1
            elif record != sum(counts.values()):
                raise self._bad(number, f"the end counts {record:,} actions, and the file has others")
        if header is None:
            raise UserError(f"{self._path} is empty. Write a plan with verify --repair-plan.")
        if counts != header.actions:
            raise self._bad(1, "the header counts other actions than the file has")
        return header

    def _records(self) -> Iterator[tuple[int, Header | Action | int]]:
        """Yield each line's number and what it is: the header, an action, or the end's count."""
        self._stream.seek(0)
        number, ended = 0, False
        while line := self._stream.readline(_LINE_CHARACTERS):
            number += 1
            if ended:
                raise self._bad(number, "there are lines after the end")
            try:
                record = _parsed(line)
                if number == 1:
                    yield number, _read_header(record)
                elif record.get("type") == "end":
                    ended = True
                    yield number, _read_end(record)
                else:
                    yield number, _read_action(record)
            except ValueError as error:
                raise self._bad(number, str(error)) from None
        if number and not ended:
            raise UserError(f"{self._path} is truncated after line {number}. {_WRITE_AGAIN}")

    def _bad(self, number: int, reason: str) -> UserError:
        return UserError(f"{self._path}, line {number}: {reason}. {_WRITE_AGAIN}")


def default_plan(directory: Path, comparison: Comparison) -> Path | None:
    """Return the default path of a comparison's plan; ``None`` if it gets no plan.

    A plan is written only for up to `PLAN_LIMIT` differences, and if each was read again. The plan of a
    half-copied table would fill the disk.

    Parameters
    ----------
    directory
        Directory of all comparisons; the plan goes into its folder ``plans``.
    comparison
        What was found.
    """
    if comparison.ignored or not 0 < comparison.differing <= PLAN_LIMIT:
        return None
    differences = [each for each in comparison.differences if each.kind != "expired"]
    if not all(each.checks for each in differences) or not any(each.standing for each in differences):
        return None
    table = comparison.source.arn.rpartition("/")[2]
    return directory / "plans" / f"{table}-{compact_timestamp(comparison.started)}.jsonl"


def read_plan(path: str | Path) -> Plan:
    """Open a plan and check every line of it.

    Raises
    ------
    UserError
        The file does not exist, is not a complete plan, or has another version.
    """
    try:
        # A pipe without a writer would not even open.
        if stat.S_ISFIFO(os.stat(path).st_mode):
            raise UserError(f"{path} is a pipe, and a plan is read several times. Save it in a file.")
        stream = open(path, "rb")  # noqa: SIM115 - the plan closes it
    except OSError as error:
        raise UserError(f"cannot read the plan {path}: {error.strerror}") from error
    try:
        return Plan(stream, path)
    except BaseException:
        stream.close()
        raise


def _header_of(
    comparison: Comparison, source_table_id: str | None, destination_table_id: str | None, created: str
) -> Header:
    actions = dict.fromkeys(ACTIONS, 0)
    left_out: dict[_LeftOut, int] = {"expired": 0, "not_standing": 0, "unlisted": comparison.unlisted}
    for difference in comparison.differences:
        action = _action_of(difference)
        if action is not None:
            actions[action.action] += 1
        elif difference.kind == "expired":
            left_out["expired"] += 1
        else:
            left_out["not_standing"] += 1
    compared = comparison.compared()
    return Header(
        source=comparison.source.arn,
        destination=comparison.destination.arn,
        source_table_id=source_table_id,
        destination_table_id=destination_table_id,
        created=created,
        started=comparison.started,
        verdict=comparison.verdict,
        writes_stopped=comparison.writes_stopped,
        settled=comparison.settled,
        severe=compared.severe,
        unread=compared.unread,
        actions=actions,
        left_out=left_out,
        sample=comparison.summary()["sample"],
        filter_expression=comparison.filter_expression,
    )


def _action_of(difference: Difference) -> Action | None:
    name = _ACTION_OF.get(difference.kind)
    if name is None or not difference.standing:
        return None
    return Action(name, difference.key, difference.source_digest, difference.destination_digest)


def _write_lines(stream: IO[str], header: Header, comparison: Comparison) -> None:
    _write_line(stream, header.record())
    for difference in comparison.differences:
        action = _action_of(difference)
        if action is not None:
            _write_line(stream, action.record())
    _write_line(stream, {"type": "end", "actions": header.total})


def _write_line(stream: IO[str], record: Mapping[str, Any]) -> None:
    stream.write(json.dumps(record, separators=(",", ":")) + "\n")


# The shape of a key, apart from base64.
_Key: TypeAlias = Annotated[
    dict[str, Annotated[dict[Literal["S", "N", "B"], str], Meta(min_length=1, max_length=1)]],
    Meta(min_length=1, max_length=2),
]


def _read_header(record: Mapping[str, Any]) -> Header:
    if record.get("type") != "plan":
        raise ValueError("the first line is not the header of a plan")
    if record.get("version") != VERSION:
        raise ValueError(
            f"the plan has version {json.dumps(record.get('version'))}, and this verify reads {VERSION}"
        )
    return _converted(record, Header, "type", "version")


def _read_action(record: Mapping[str, Any]) -> Action:
    if record.get("type") != "action":
        raise ValueError("not an action and not the end")
    action = _converted(record, Action, "type")
    try:
        key = msgspec.convert(action.key, _Key)
        for value in key.values():
            base64.b64decode(value.get("B", ""), validate=True)
    except (msgspec.ValidationError, ValueError):
        raise ValueError("the key is not a primary key in DynamoDB JSON") from None
    present = action.source is not None, action.destination is not None
    if present != (action.action != "delete", action.action != "put"):
        raise ValueError(f"the digests do not match {action.action}")
    return action


def _read_end(record: Mapping[str, Any]) -> int:
    count = record.get("actions")
    if type(count) is not int:
        raise ValueError("actions is not a number")
    return count


def _converted(record: Mapping[str, Any], to: type[_Record], *more: str) -> _Record:
    names = {*more, *(each.name for each in fields(to))}
    if record.keys() != names:
        raise ValueError(f"the fields are not {', '.join(sorted(names))}")
    try:
        return msgspec.convert(record, to)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None


def _parsed(line: bytes) -> Mapping[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("not a complete line of JSON") from None
    if not isinstance(record, dict):
        raise ValueError("not a JSON object")
    return record
