from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tools.local.process import State, is_ours


def test_a_process_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    assert not is_ours(os.getpid())
    state = State(4566, [os.getpid()])
    state.write(tmp_path)
    assert State.read(tmp_path) is None
    state.stop()


def test_one_of_ours_is_remembered_and_stopped(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "import time; print('up', flush=True); time.sleep(60)",
        "tools.local.mapping",
    ]
    with subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE) as process:
        # Only then is it sure to show its command line.
        assert process.stdout is not None
        process.stdout.readline()
        State(4566, [process.pid]).write(tmp_path)
        state = State.read(tmp_path)
        assert state == State(4566, [process.pid])
        process.terminate()
        process.wait()
        assert State.read(tmp_path) is None


def test_nothing_kept(tmp_path: Path) -> None:
    assert State.read(tmp_path) is None
    (tmp_path / "state.json").write_text("not json")
    assert State.read(tmp_path) is None
    State.forget(tmp_path)
    State.forget(tmp_path)
    assert not (tmp_path / "state.json").exists()
