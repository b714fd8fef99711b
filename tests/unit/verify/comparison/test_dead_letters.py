"""Dead letters by key, and what becomes of a comparison that cannot have them."""

from __future__ import annotations

from typing import Any

import pytest

from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.errors import UserError
from verify.comparison import dead_letters as module
from verify.comparison.dead_letters import DeadLetters, read_dead_letters

SOURCE = Side("source", region="eu-west-1")


def letter(key: dict[str, Any], code: str = "ValidationException") -> dict[str, Any]:
    return {"key": key, "code": code, "message": "refused", "origin": "stream", "action": "put"}


class FakeFunction:
    """Stands in for the control function; `answer` is what it tells or raises."""

    answer: Any = (0, [])

    def __init__(self, side: Side, name: str) -> None:
        assert side is SOURCE
        assert name == "control"

    def letters(self, *, values: bool) -> Any:
        assert values is False
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch) -> type[FakeFunction]:
    class Function(FakeFunction):
        pass

    monkeypatch.setattr(module, "ControlFunction", Function)
    return Function


def test_a_letter_is_found_by_its_key() -> None:
    a, b = letter({"pk": {"S": "a"}, "sk": {"N": "1"}}), letter({"pk": {"S": "b"}, "sk": {"N": "1"}})
    letters = DeadLetters([a, b])
    assert letters.of({"sk": {"N": "1"}, "pk": {"S": "a"}}) is a
    assert letters.of({"pk": {"S": "c"}, "sk": {"N": "1"}}) is None
    assert letters.others() == [b]
    assert letters.note is None


@pytest.mark.parametrize(
    ("told", "asked"),
    [
        ({"N": "1.0"}, {"N": "1"}),
        ({"N": "-0"}, {"N": "0"}),
        ({"N": "1E2"}, {"N": "100"}),
        ({"B": "AP8="}, {"B": "AP8="}),
        ({"S": "Z\u00fcrich"}, {"S": "Z\u00fcrich"}),
    ],
)
def test_keys_count_by_value(told: dict[str, str], asked: dict[str, str]) -> None:
    assert DeadLetters([letter({"id": told})]).of({"id": asked}) is not None


@pytest.mark.parametrize(
    ("told", "asked"), [({"N": "1"}, {"S": "1"}), ({"S": "1"}, {"S": "1.0"}), ({"S": "AP8="}, {"B": "AP8="})]
)
def test_types_count(told: dict[str, str], asked: dict[str, str]) -> None:
    assert DeadLetters([letter({"id": told})]).of({"id": asked}) is None


def test_no_parts_of_two_keys_are_mixed_up() -> None:
    letters = DeadLetters([letter({"pk": {"S": "a"}, "sk": {"S": "b"}})])
    assert letters.of({"pk": {"S": "b"}, "sk": {"S": "a"}}) is None


def test_letters_of_a_control_function(function: Any) -> None:
    function.answer = (1, [letter({"id": {"S": "a"}})])
    letters = read_dead_letters(SOURCE, "control")
    assert letters.of({"id": {"S": "a"}}) == letter({"id": {"S": "a"}})
    assert letters.others() == []
    assert letters.note is None


def test_more_letters_than_control_tells(function: Any) -> None:
    function.answer = (1500, [letter({"id": {"N": str(n)}}) for n in range(1000)])
    note = read_dead_letters(SOURCE, "control").note
    assert note is not None
    assert "1,500 dead letters" in note
    assert "first 1,000" in note


def test_letters_that_cannot_be_had_are_no_error(function: Any) -> None:
    function.answer = UserError("source: Invoke is not allowed")
    letters = read_dead_letters(SOURCE, "control")
    assert letters.others() == []
    assert letters.count is None
    assert letters.note is not None
    assert "source: Invoke is not allowed" in letters.note


@pytest.mark.usefixtures("aws")
def test_a_function_that_does_not_exist_is_no_error() -> None:
    letters = read_dead_letters(SOURCE, "nowhere")
    assert letters.note is not None
    assert "source: Invoke failed" in letters.note
    assert "\n" not in letters.note


def test_without_a_control_function_nothing_is_asked() -> None:
    letters = read_dead_letters(SOURCE, None)
    assert letters.of({"id": {"S": "a"}}) is None
    assert letters.note is None
