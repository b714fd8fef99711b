"""The repair plan: what is written, and what is not taken for a plan."""

from __future__ import annotations

import json
import os
import stat
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tablecopy_cli.common.errors import UserError
from verify.comparison.options import PLAN_LIMIT
from verify.comparison.results import Comparison, Difference, InAccount, Sample, SideResult
from verify.repair.plan import Action, default_plan, read_plan, write_plan

SOURCE = "arn:aws:dynamodb:eu-west-1:111111111111:table/cities"
DESTINATION = "arn:aws:dynamodb:eu-west-1:222222222222:table/cities"
A, B = "a" * 32, "b" * 32


def key(number: int) -> dict[str, Any]:
    return {"pk": {"S": "\u202ekey\n"}, "sk": {"N": str(number)}}


DIFFERENCES = [
    Difference("missing", key(1), source_digest=A),
    Difference("changed", key(2), source_digest=A, destination_digest=B),
    Difference("extra", {"pk": {"B": "AP8="}, "sk": {"N": "3"}}, destination_digest=B),
    Difference("missing", key(4), standing=False, source_digest=A),
    Difference("expired", key(5), expires=1, source_digest=A),
    Difference("expired", key(6), expires=1, standing=False, destination_digest=A),
]


def comparison_of(differences: Sequence[Difference], **changes: Any) -> Comparison:
    counts: dict[Any, int] = {}
    for difference in differences:
        counts[difference.kind] = counts.get(difference.kind, 0) + 1
    result = Comparison(
        source=SideResult(SOURCE, 10, 1.0),
        destination=SideResult(DESTINATION, 10, 1.0),
        differences=differences,
        counts=counts,
        unsettled=sum(not difference.standing for difference in differences),
        writes_stopped=True,
    )
    return replace(result, **changes)


def written(path: Path, differences: Sequence[Difference] = DIFFERENCES, **changes: Any) -> Path:
    write_plan(
        path,
        comparison_of(differences, **changes),
        source_table_id="id-1",
        destination_table_id="id-2",
        clock=lambda: 1_795_424_400.0,
    )
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "plan.jsonl"


def test_what_a_plan_holds(path: Path) -> None:
    text = written(path).read_text(encoding="ascii")
    assert text.isascii()
    assert text.endswith("\n")
    header, *actions, end = map(json.loads, text.splitlines())
    assert header == {
        "type": "plan",
        "version": 3,
        "source": SOURCE,
        "destination": DESTINATION,
        "source_table_id": "id-1",
        "destination_table_id": "id-2",
        "created": "2026-11-23T09:00:00Z",
        "verdict": "different",
        "writes_stopped": True,
        "started": 0.0,
        "settled": 0,
        "severe": 0,
        "unread": 0,
        "actions": {"put": 1, "replace": 1, "delete": 1},
        "left_out": {"expired": 2, "not_standing": 1, "unlisted": 0},
        "sample": None,
        "filter_expression": None,
    }
    assert actions == [
        {"type": "action", "action": "put", "key": key(1), "source": A, "destination": None},
        {"type": "action", "action": "replace", "key": key(2), "source": A, "destination": B},
        {
            "type": "action",
            "action": "delete",
            "key": {"pk": {"B": "AP8="}, "sk": {"N": "3"}},
            "source": None,
            "destination": B,
        },
    ]
    assert end == {"type": "end", "actions": 3}


def test_what_was_written_is_read(path: Path) -> None:
    with read_plan(written(path)) as plan:
        assert plan.header.total == 3
        assert plan.header.destination_table_id == "id-2"
        expected = [
            Action("put", key(1), A, None),
            Action("replace", key(2), A, B),
            Action("delete", {"pk": {"B": "AP8="}, "sk": {"N": "3"}}, None, B),
        ]
        assert list(plan.actions()) == expected
        assert list(plan.actions()) == expected


def test_a_plan_without_actions_is_a_plan(path: Path) -> None:
    with read_plan(written(path, [])) as plan:
        assert list(plan.actions()) == []


def test_differences_that_are_only_counted_are_not_proven_to_be_equal(path: Path) -> None:
    found: dict[str, Any] = {"writes_stopped": True, "settled": 0}
    written(path, [Difference("missing", key(1), source_digest=A)], **found)
    with read_plan(path) as plan:
        assert plan.header.rest_equal
    unlisted = InAccount("v", 16, unlisted={3: 5})
    written(path, [Difference("missing", key(1), source_digest=A)], in_account=unlisted, **found)
    with read_plan(path) as plan:
        assert plan.header.left_out["unlisted"] == 5
        assert not plan.header.rest_equal


def test_a_plan_of_a_sample_says_so(path: Path) -> None:
    written(path, sample=Sample(0.1, 2, 20, 7), filter_expression="pk = :x")
    with read_plan(path) as plan:
        assert plan.header.sample == {
            "fraction": 0.1,
            "segments": 2,
            "of": 20,
            "seed": 7,
            "chosen": [],
        }
        assert plan.header.filter_expression == "pk = :x"


def test_a_plan_needs_whole_items(path: Path) -> None:
    with pytest.raises(UserError, match=r"ignored attributes \(seen, touched\), and a repair writes whole"):
        written(path, ignored=("seen", "touched"))
    assert not path.exists()


def test_a_plan_is_for_its_owner_and_replaces_an_older_one(path: Path) -> None:
    path.write_text("older")
    os.chmod(path, 0o644)
    before = os.umask(0)
    try:
        written(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().startswith('{"type":"plan"')
    assert os.listdir(path.parent) == ["plan.jsonl"]


def test_nothing_is_left_of_a_plan_that_cannot_be_written(path: Path) -> None:
    class Broken(list[Difference]):
        reads = 0

        def __iter__(self) -> Any:
            self.reads += 1
            yield from DIFFERENCES[:2]
            if self.reads > 1:
                raise ZeroDivisionError

    path.write_text("older")
    comparison = replace(comparison_of(DIFFERENCES), differences=Broken())
    with pytest.raises(ZeroDivisionError):
        write_plan(path, comparison, source_table_id=None, destination_table_id=None)
    assert os.listdir(path.parent) == ["plan.jsonl"]
    assert path.read_text() == "older"


def test_a_plan_for_nowhere(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot write the plan .*/nowhere/plan: No such file"):
        written(tmp_path / "nowhere" / "plan")
    with pytest.raises(UserError, match=r"cannot read the plan .*/nowhere: No such file"):
        read_plan(tmp_path / "nowhere")


def test_a_pipe_is_no_plan(tmp_path: Path) -> None:
    """Without a writer it would not even open, and nothing can be read from it twice."""
    os.mkfifo(tmp_path / "pipe")
    both_ends = os.open(tmp_path / "pipe", os.O_RDWR)
    try:
        with pytest.raises(UserError, match=r"/pipe is a pipe, and a plan is read several times\. Save it"):
            read_plan(tmp_path / "pipe")
    finally:
        os.close(both_ends)


def test_a_plan_that_is_replaced_while_it_is_read_stays_what_it_was(path: Path) -> None:
    with read_plan(written(path)) as plan:
        written(path, [])
        assert len(list(plan.actions())) == 3


def test_every_cut_is_noticed(path: Path) -> None:
    whole = written(path).read_bytes()
    # The last line's break alone carries nothing.
    for length in range(len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError):
            read_plan(path)


def test_lines_that_are_missing_or_too_many_are_noticed(path: Path) -> None:
    lines = written(path).read_text().splitlines(keepends=True)
    for at in range(len(lines)):
        path.write_text("".join(lines[:at] + lines[at + 1 :]))
        with pytest.raises(UserError):
            read_plan(path)
        path.write_text("".join(lines[: at + 1] + lines[at:]))
        with pytest.raises(UserError):
            read_plan(path)


def edited(path: Path, line: int, edit: Callable[[dict[str, Any]], None]) -> Path:
    lines = [json.loads(text) for text in written(path).read_text().splitlines()]
    edit(lines[line - 1])
    path.write_text("".join(json.dumps(record) + "\n" for record in lines))
    return path


@pytest.mark.parametrize(
    ("line", "changes", "reason"),
    [
        (1, {"version": 1}, "line 1: the plan has version 1, and this verify reads 3"),
        (1, {"version": None}, "line 1: the plan has version null"),
        (1, {"type": "summary"}, "line 1: the first line is not the header of a plan"),
        (1, {"source": None}, "$.source"),
        (1, {"source_table_id": 7}, "$.source_table_id"),
        (1, {"verdict": "fine"}, "$.verdict"),
        (1, {"writes_stopped": 1}, "$.writes_stopped"),
        (1, {"actions": {"put": 1}}, "$.actions"),
        (
            1,
            {"actions": {"put": 1, "replace": 1, "delete": True}},
            "$.actions",
        ),
        (1, {"actions": {"put": 2, "replace": 1, "delete": 0}}, "line 1: the header counts other actions"),
        (1, {"more": 1}, "line 1: the fields are not"),
        (1, {"started": "now"}, "$.started"),
        (1, {"settled": -1}, "$.settled"),
        (1, {"severe": None}, "$.severe"),
        (1, {"unread": True}, "$.unread"),
        (2, {"type": "difference"}, "line 2: not an action and not the end"),
        (2, {"action": "drop"}, "$.action"),
        (2, {"action": "replace"}, "line 2: the digests do not match replace"),
        (2, {"action": "delete"}, "line 2: the digests do not match delete"),
        (3, {"action": "put"}, "line 3: the digests do not match put"),
        (2, {"source": "A" * 32}, "$.source"),
        (2, {"source": "a" * 31}, "$.source"),
        (2, {"source": "a" * 32 + "\n"}, "$.source"),
        (2, {"destination": 1}, "$.destination"),
        (2, {"key": {}}, "line 2: the key is not a primary key"),
        (2, {"key": {"a": {"S": "a"}, "b": {"S": "a"}, "c": {"S": "a"}}}, "line 2: the key is not"),
        (2, {"key": {"a": {"M": {}}}}, "line 2: the key is not a primary key"),
        (2, {"key": {"a": {"S": 1}}}, "line 2: the key is not a primary key"),
        (2, {"key": {"a": {"B": "?"}}}, "line 2: the key is not a primary key"),
        (2, {"key": {"a": {"S": "a", "N": "1"}}}, "line 2: the key is not a primary key"),
        (2, {"more": 1}, "line 2: the fields are not action, destination, key, source, type"),
        (5, {"actions": 4}, "line 5: the end counts 4 actions"),
        (5, {"actions": "3"}, "line 5: actions is not a number"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(
    path: Path, line: int, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(UserError) as error:
        read_plan(edited(path, line, lambda record: record.update(changes)))
    assert reason in str(error.value)
    assert f"{path}, line {line}: " in str(error.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty."),
        (b"\xff\xfe\n", "line 1: not a complete line of JSON"),
        (b"[]\n", "line 1: not a JSON object"),
        (b"[" * 60_000, "line 1: not a complete line of JSON"),
        (b'{"type":"plan",' + b" " * 200_000 + b'"version":1}\n', "line 1: not a complete line of JSON"),
        (b'{"type":"difference"}\n', "line 1: the first line is not the header"),
    ],
)
def test_what_is_no_plan_at_all(path: Path, content: bytes, reason: str) -> None:
    path.write_bytes(content)
    with pytest.raises(UserError) as error:
        read_plan(path)
    assert reason in str(error.value)


def test_a_plan_of_many_actions_is_streamed(path: Path) -> None:
    class Many:
        """Differences that are made as they are asked for."""

        def __iter__(self) -> Any:
            return (Difference("missing", key(n), source_digest=A) for n in range(20_000))

        def __len__(self) -> int:
            return 20_000

        def __contains__(self, _: object) -> bool:
            return False

    comparison = replace(comparison_of([]), differences=Many(), counts={"missing": 20_000})
    tracemalloc.start()
    try:
        write_plan(path, comparison, source_table_id=None, destination_table_id=None)
        with read_plan(path) as plan:
            assert plan.header.total == 20_000 == sum(1 for _ in plan.actions())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


CHECKED = [replace(each, checks=1) for each in DIFFERENCES]


@pytest.mark.parametrize(
    ("differences", "changes", "is_written"),
    [
        (CHECKED, {}, True),
        (CHECKED, {"writes_stopped": False}, True),
        # A plan writes whole items.
        (CHECKED, {"ignored": ("seen",)}, False),
        # The scan's word was taken for some, so that their digests are not known.
        (DIFFERENCES, {}, False),
        ([], {}, False),
        (CHECKED[4:], {}, False),
        # Nothing of it stands.
        (CHECKED[3:4], {}, False),
        (CHECKED, {"counts": {"missing": PLAN_LIMIT}}, True),
        (CHECKED, {"counts": {"missing": PLAN_LIMIT + 1}}, False),
    ],
)
def test_a_plan_is_written_unasked_where_it_is_of_use(
    tmp_path: Path, differences: list[Difference], changes: dict[str, Any], is_written: bool
) -> None:
    found = default_plan(tmp_path, comparison_of(differences, started=1_795_424_400.0, **changes))
    assert found == (tmp_path / "plans" / "cities-20261123T090000Z.jsonl" if is_written else None)


@pytest.mark.parametrize(
    ("differences", "changes", "is_rest_equal"),
    [
        (CHECKED[:3], {}, True),
        (CHECKED[:3] + CHECKED[4:], {}, True),
        (CHECKED, {}, False),
        (CHECKED[:3], {"writes_stopped": False}, False),
        (CHECKED[:3], {"settled": 1}, False),
        (CHECKED[:3], {"filter_expression": "a = :a"}, False),
        (CHECKED[:3], {"sample": Sample(0.1, 2, 20, 7)}, False),
    ],
)
def test_a_plan_says_whether_all_other_keys_are_equal(
    path: Path, differences: list[Difference], changes: dict[str, Any], is_rest_equal: bool
) -> None:
    with read_plan(written(path, differences, **changes)) as plan:
        assert plan.header.rest_equal is is_rest_equal
