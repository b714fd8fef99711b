from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import tools.local.process
from tools.local.process import ChildProcess

# Ends when asked, unless told to be stubborn; prints once it can be asked.
CHILD = """
import signal, sys, time
if "stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", *sys.argv[1:], flush=True)
while True:
    time.sleep(60)
"""


def start(tmp_path: Path, *arguments: str, keep: bool = False) -> ChildProcess:
    log = tmp_path / "log"
    child = ChildProcess("child", [sys.executable, "-c", CHILD, *arguments], os.environ, log, keep)
    while "ready" not in log.read_text():
        assert child.is_running()
    return child


def test_it_ends_and_may_be_stopped_again(tmp_path: Path) -> None:
    child = start(tmp_path)
    assert child.last_line() == "ready --die-with-parent"
    child.stop()
    assert not child.is_running()
    child.stop()


def test_a_kept_one_is_not_tied_to_this_process(tmp_path: Path) -> None:
    child = start(tmp_path, keep=True)
    assert child.last_line() == "ready"
    child.stop()
    assert not child.is_running()


def test_one_that_does_not_listen_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child = start(tmp_path, "stubborn")
    monkeypatch.setattr(tools.local.process, "TERMINATE_SECONDS", 0.1)
    child.stop()
    assert not child.is_running()


def test_one_that_wrote_nothing(tmp_path: Path) -> None:
    child = ChildProcess("child", [sys.executable, "-c", ""], os.environ, tmp_path / "log")
    child.stop()
    assert child.last_line() == "it wrote nothing"
