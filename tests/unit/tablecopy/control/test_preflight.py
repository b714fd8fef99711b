"""Preflight asks every check, also past one that is denied."""

from __future__ import annotations

from threading import Barrier

import pytest
from botocore.exceptions import ClientError

from tablecopy.control.preflight import problems
from tests.unit.tablecopy.fakes import client_error


def broken() -> list[str]:
    raise client_error("InternalServerError", 500)


def test_all_problems_are_found() -> None:
    assert problems([lambda: ["one"], list, lambda: ["two", "three"]]) == ["one", "two", "three"]


def test_checks_do_not_wait_for_one_another() -> None:
    together = Barrier(2, timeout=10)

    def meet() -> list[str]:
        together.wait()
        return ["met"]

    assert problems([meet, meet]) == ["met", "met"]


@pytest.mark.parametrize("code", ["AccessDeniedException", "AccessDenied", "UnrecognizedClientException"])
def test_a_denied_check_is_a_problem_among_others(code: str) -> None:
    def denied() -> list[str]:
        raise client_error(code, operation="DescribeTable")

    first, second = problems([denied, lambda: ["two"]])
    assert first.startswith("DescribeTable is denied")
    assert second == "two"


def test_another_error_is_not_taken_for_an_answer() -> None:
    with pytest.raises(ClientError, match="InternalServerError"):
        problems([broken])
