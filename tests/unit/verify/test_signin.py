"""A comparison over two processes signs in once: real processes, a terminal, and STS on the loopback."""

from __future__ import annotations

import fcntl
import os
import select
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.unit.cli.common.sts import CredentialProcess, Sts, mfa_profile, serving_sts
from tests.unit.verify.world import ROOT, World, environment

_LIMIT_SECONDS = 60


@pytest.fixture
def sts() -> Iterator[Sts]:
    with serving_sts() as found:
        yield found


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The file of profiles, empty."""
    return tmp_path / "aws-config"


@pytest.fixture
def equal(world: World) -> World:
    world.fill(same=200)
    return world


def flags(source: str, destination: str) -> list[str]:
    return [
        *("--writes-stopped", "--processes", "2", "--segments", "4"),
        *("--source-profile", source, "--destination-profile", destination),
    ]


class Terminal:
    """A process on a terminal of its own, and someone who answers its questions.

    Parameters
    ----------
    start
        Starts the process, as a session leader, with these options of `subprocess.Popen`.
    codes
        One for each question.
    thinking_seconds
        How long each answer takes. Nothing may be asked in that time.
    """

    def __init__(
        self, start: Callable[..., subprocess.Popen[str]], codes: list[str], thinking_seconds: float = 0
    ) -> None:
        self._ours, theirs = os.openpty()
        self._process = start(
            stdin=theirs,
            env=environment(TERM="dumb"),
            preexec_fn=lambda: fcntl.ioctl(theirs, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)
        self.seen = ""
        for number, code in enumerate(codes, 1):
            self._read_until(lambda number=number: self.questions >= number)  # type: ignore[misc]
            while select.select([self._ours], [], [], thinking_seconds)[0] and self._read():
                pass
            assert self.questions == number
            os.write(self._ours, f"{code}\n".encode())

    @property
    def questions(self) -> int:
        return self.seen.count("Enter MFA code for")

    def end(self) -> tuple[int, str, str]:
        """Wait for its end; returns exit code, stdout and stderr."""
        out, err = self._process.communicate(timeout=_LIMIT_SECONDS)
        while select.select([self._ours], [], [], 0)[0] and self._read():
            pass
        os.close(self._ours)
        return self._process.returncode, out, err

    def _read_until(self, condition: object) -> None:
        give_up = time.monotonic() + _LIMIT_SECONDS
        while not condition():  # type: ignore[operator]
            assert select.select([self._ours], [], [], give_up - time.monotonic())[0], self.seen
            assert self._read(), (self.seen, self._process.communicate())

    def _read(self) -> bool:
        try:
            found = os.read(self._ours, 4096)
        except OSError:
            # Linux's way to say that nothing holds the terminal any more.
            return False
        self.seen += found.decode()
        return bool(found)


def test_both_sides_and_all_processes_share_one_run_of_a_credential_process(
    equal: World, tmp_path: Path, config: Path
) -> None:
    process = CredentialProcess(tmp_path)
    config.write_text(f"[profile one]\ncredential_process = {process.command}\n")
    started = equal.start(*flags("one", "one"))
    out, err = started.communicate(timeout=_LIMIT_SECONDS)
    assert (started.returncode, err) == (0, "")
    assert out.startswith("Equal: all 200 items")
    assert process.runs == 1


def test_each_profile_runs_its_credential_process_once(equal: World, tmp_path: Path, config: Path) -> None:
    one, other = CredentialProcess(tmp_path, "one"), CredentialProcess(tmp_path, "other", minutes=None)
    config.write_text(
        f"[profile one]\ncredential_process = {one.command}\n"
        f"[profile other]\ncredential_process = {other.command}\n"
    )
    started = equal.start(*flags("one", "other"))
    _, err = started.communicate(timeout=_LIMIT_SECONDS)
    assert (started.returncode, err) == (0, "")
    assert (one.runs, other.runs) == (1, 1)


def test_a_code_is_asked_for_once(equal: World, sts: Sts, config: Path) -> None:
    config.write_text(mfa_profile("one", sts.url))
    terminal = Terminal(partial(equal.start, *flags("one", "one")), ["123456"])
    code, out, err = terminal.end()
    assert (code, err) == (0, "")
    assert out.startswith("Equal: all 200 items")
    assert terminal.questions == 1
    assert [request["TokenCode"] for request in sts.requests] == ["123456"]


def test_two_profiles_ask_one_after_the_other(equal: World, sts: Sts, config: Path) -> None:
    config.write_text(mfa_profile("one", sts.url) + mfa_profile("other", sts.url))
    terminal = Terminal(partial(equal.start, *flags("one", "other")), ["123456", "654321"])
    code, _, err = terminal.end()
    assert (code, err) == (0, "")
    assert terminal.seen.index("mfa/one") < terminal.seen.index("mfa/other")
    assert {request["TokenCode"] for request in sts.requests} == {"123456", "654321"}


AT_ONCE = """
import threading
from tablecopy_cli.common.accounts import Side

def sign_in(profile):
    together.wait()
    print(Side("source", profile=profile).session().get_credentials().get_frozen_credentials().access_key)

together = threading.Barrier(2)
threads = [threading.Thread(target=sign_in, args=(profile,)) for profile in ("one", "other")]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_threads_that_sign_in_at_once_ask_one_after_the_other(sts: Sts, config: Path) -> None:
    config.write_text(mfa_profile("one", sts.url) + mfa_profile("other", sts.url))
    start = partial(
        subprocess.Popen[str],
        [sys.executable, "-c", AT_ONCE],
        cwd=ROOT,
        text=True,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    code, out, err = Terminal(start, ["123456", "654321"], thinking_seconds=2).end()
    assert (code, sorted(out.split()), err) == (0, ["KEY1", "KEY2"], "")
    assert len(sts.requests) == 2


def test_a_wrong_code_is_named(equal: World, sts: Sts, config: Path) -> None:
    sts.refuse("111111")
    config.write_text(mfa_profile("one", sts.url))
    code, out, err = Terminal(partial(equal.start, *flags("one", "one")), ["111111"]).end()
    assert (code, out) == (2, "")
    assert err.startswith("verify: error: source: AWS rejected the MFA code")
    assert err.count("\n") == 1


def test_without_a_terminal_no_question_waits(equal: World, sts: Sts, config: Path) -> None:
    config.write_text(mfa_profile("one", sts.url))
    # An open pipe, as in a pipeline: whoever read from it would wait for ever.
    started = equal.start(*flags("one", "one"), stdin=subprocess.PIPE)
    out, err = started.communicate(timeout=_LIMIT_SECONDS)
    assert (started.returncode, out) == (2, "")
    assert err == (
        'verify: error: source: profile "one" needs an MFA code, and there is no terminal to ask for it. '
        "Run the command in a terminal, or set temporary credentials in the environment "
        "(`aws configure export-credentials --profile one`).\n"
    )
    assert sts.requests == []
