"""A comparison over two processes signs in once: real processes, a terminal, and STS on the loopback."""

from __future__ import annotations

import fcntl
import os
import select
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.sides.sts import CredentialProcess, Sts, mfa_profile, serving_sts
from tests.unit.verify.world import World, environment

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
    world, arguments
        What to start.
    codes
        One for each question.
    """

    def __init__(self, world: World, arguments: list[str], codes: list[str]) -> None:
        self._ours, theirs = os.openpty()
        self._process = world.start(
            *arguments,
            stdin=theirs,
            env=environment(TERM="dumb"),
            preexec_fn=lambda: fcntl.ioctl(theirs, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)
        self.seen = ""
        for number, code in enumerate(codes, 1):
            self._read_until(lambda number=number: self.questions == number)  # type: ignore[misc]
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
    assert out.startswith("Equal: 200 items")
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
    terminal = Terminal(equal, flags("one", "one"), ["123456"])
    code, out, err = terminal.end()
    assert (code, err) == (0, "")
    assert out.startswith("Equal: 200 items")
    assert terminal.questions == 1
    assert [request["TokenCode"] for request in sts.requests] == ["123456"]


def test_two_profiles_ask_one_after_the_other(equal: World, sts: Sts, config: Path) -> None:
    config.write_text(mfa_profile("one", sts.url) + mfa_profile("other", sts.url))
    terminal = Terminal(equal, flags("one", "other"), ["123456", "654321"])
    code, _, err = terminal.end()
    assert (code, err) == (0, "")
    assert terminal.seen.index("mfa/one") < terminal.seen.index("mfa/other")
    assert {request["TokenCode"] for request in sts.requests} == {"123456", "654321"}


def test_a_wrong_code_is_named(equal: World, sts: Sts, config: Path) -> None:
    sts.refuse("111111")
    config.write_text(mfa_profile("one", sts.url))
    code, out, err = Terminal(equal, flags("one", "one"), ["111111"]).end()
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
