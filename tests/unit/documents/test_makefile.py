"""`make test` leaves no test out, and its lanes are of tests that exist."""

from __future__ import annotations

from tests.conftest import LANES, lane, place, waits
from tools.docs_tables.__main__ import REPOSITORY


def test_every_test_is_run() -> None:
    text = (REPOSITORY / "Makefile").read_text()
    assert "$(or $(ONLY),--numprocesses 4 --no-loadscope-reorder tests)" in text


def test_lanes() -> None:
    assert [path for path in LANES if not (REPOSITORY / path).exists()] == []
    assert lane("tests/e2e/faults/test_calls.py::a") == lane("tests/e2e/faults/test_letters.py::b")
    assert lane("tests/model/test_protocol.py::test_a[1]") == lane("tests/model/test_protocol.py::test_a[2]")
    assert lane("tests/unit/cli/test_app.py::test_a") == "tests/unit/cli/test_app.py"


def test_what_waits_comes_before_what_computes() -> None:
    files = [str(path.relative_to(REPOSITORY)) for path in REPOSITORY.glob("tests/**/test_*.py")]
    waiting = [path for path in files if waits(lane(path))]
    assert set(waiting) >= {path for path in files if path.startswith("tests/e2e/")}
    assert max(map(place, waiting)) < min(place(path) for path in files if path not in waiting)
