"""Subjects in processes of their own: they must do the work that they are measured with."""

import os
import select
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tools.benchmarks import handlers
from tools.benchmarks.copying import ARTICLE, CLIENT, RESOURCE, TABLECOPY, copy
from tools.benchmarks.items import Batches
from tools.benchmarks.server import ServerOptions
from tools.benchmarks.subject import ROOT, Subject, SubjectFailed, copy_dynamodb_table, diff_tables, run

MEDIUM = ServerOptions("medium", 60, seed=7)


@pytest.mark.parametrize("subject", [TABLECOPY, CLIENT, RESOURCE, ARTICLE], ids=lambda one: one.name)
def test_a_copy_is_measured(subject: Subject) -> None:
    measured = copy(subject, MEDIUM)
    assert measured.items == 60
    assert measured.cpu_s > 0
    assert measured.wall_s > 0
    assert measured.peak_rss_mb > 10


@pytest.mark.parametrize("subject", [handlers.TABLECOPY, handlers.ARTICLE], ids=lambda one: one.name)
def test_a_replicator_is_measured(subject: Subject) -> None:
    assert handlers.apply(subject, Batches("small", seed=7, records=40), 2).items == 80


def test_a_hot_key_is_watched() -> None:
    measured = handlers.apply(handlers.TABLECOPY, Batches("small", seed=7, records=40, hot=20), 1)
    assert measured.stats is not None
    assert measured.stats["watched_writes"] == 1


@pytest.mark.parametrize("function", handlers.FUNCTIONS)
def test_a_start_is_measured(function: str) -> None:
    environment = {"PYTHONPATH": f"{ROOT / 'lambda'}:{ROOT}"}
    command = [sys.executable, str(ROOT / "tools" / "benchmarks" / "subjects.py"), "cold_start"]
    result = handlers.start(Subject("cold start", command, environment), function, 7).result
    assert f"tablecopy.handlers.{function}" in result["modules"]
    assert result["import_s"] > 0


def script(*lines: str) -> Sequence[str]:
    return [sys.executable, "-c", "\n".join(lines)]


def test_a_figure_of_work_not_done_is_refused() -> None:
    idle = script(
        "from tools.benchmarks.meter import measure",
        "measure([lambda: 60])",
    )
    with pytest.raises(SubjectFailed, match="did not copy each item once: 0 of 60"):
        copy(Subject("idle", idle), MEDIUM)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["raise SystemExit('no module')"], "broken did not start: no module"),
        (["print('ready', flush=True)", "raise SystemExit('no table')"], "broken failed: no table"),
    ],
)
def test_a_subject_that_fails_says_why(lines: list[str], message: str) -> None:
    with pytest.raises(SubjectFailed, match=message):
        copy(Subject("broken", script(*lines)), MEDIUM)


def test_a_subject_that_takes_too_long_is_ended_with_all_it_has_started(tmp_path: Path) -> None:
    fifo = tmp_path / "held"
    os.mkfifo(fifo)
    stuck = script(
        "import subprocess, sys, time",
        f"held = open({str(fifo)!r}, 'w')",
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], pass_fds=[held.fileno()])",
        "print('ready', flush=True)",
        "time.sleep(60)",
    )
    with open(os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)) as reader:
        with pytest.raises(SubjectFailed, match="stuck was not done"):
            run(Subject("stuck", stuck), None, {}, timeout_s=0.1)
        # Its end is that of the last process which has it open.
        assert select.select([reader], [], [], 10)[0]
        assert reader.read() == ""


def test_the_parts_are_added_up_and_what_they_print_goes_nowhere() -> None:
    noisy = script(
        "from tools.benchmarks.meter import measure",
        "from tools.benchmarks.subjects import copy_with_client",
        "import boto3",
        "def parts():",
        "    client = boto3.client('dynamodb')",
        "    print('between the parts')",
        "    yield lambda: print('within a part') or 10",
        "    yield lambda: copy_with_client(client)",
        "measure(parts())",
    )
    assert copy(Subject("noisy", noisy), MEDIUM).items == 70


@pytest.fixture
def on_disk() -> Iterator[Path]:
    """A directory that is on a disk, which a system's temporary directory may not be."""
    with tempfile.TemporaryDirectory(dir=Path(__file__).parent) as directory:
        yield Path(directory)


def test_what_a_subject_writes_to_disk_is_measured(on_disk: Path) -> None:
    writer = script(
        "import os",
        "from tools.benchmarks.meter import measure",
        "def write(size):",
        f"    with open({str(on_disk / 'file')!r}, 'wb') as file:",
        "        file.write(bytes(size))",
        "        file.flush()",
        "        os.fsync(file.fileno())",
        "    return 1",
        "measure([lambda: write(3_000_000), lambda: write(3_000_000)])",
    )
    idle = script("from tools.benchmarks.meter import measure", "measure([lambda: 1])")
    assert run(Subject("writer", writer), None, {}).result["disk_bytes"] > 5_000_000
    assert run(Subject("idle", idle), None, {}).result["disk_bytes"] == 0


def test_without_node_there_are_no_baselines_from_npm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    for subject in (copy_dynamodb_table(), diff_tables()):
        assert "node and npm are not installed" in str(subject)
