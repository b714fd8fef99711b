"""Starts and stops the two accounts: ministack and the event source mapping poller."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3
from botocore.config import Config

from tools.local.process import ChildProcess, LocalError, State

SOURCE_ACCOUNT = "111111111111"
DESTINATION_ACCOUNT = "222222222222"
DEFAULT_REGION = "eu-west-1"
HOST = "127.0.0.1"
# Twelve digits as an access key are that account's root; any secret goes with it.
SECRET = "local"
REPOSITORY = Path(__file__).resolve().parents[2]
READY_SECONDS = 60.0


class LocalSession:
    """Makes clients that act as the root of one local account.

    Parameters
    ----------
    endpoint_url : str
        Where the accounts are.
    account : str
        Twelve digits.
    region : str
        Region of the clients.
    """

    def __init__(self, endpoint_url: str, account: str, region: str) -> None:
        self.account = account
        self.region_name = region
        self._endpoint_url = endpoint_url
        self._session = boto3.Session(
            aws_access_key_id=account, aws_secret_access_key=SECRET, region_name=region
        )

    def client(self, service: str, config: Config | None = None) -> Any:
        """A boto3 client of that service, ``"dynamodb"`` for one."""
        return self._session.client(service, endpoint_url=self._endpoint_url, config=config)  # type: ignore[call-overload]

    def resource(self, service: str) -> Any:
        """A boto3 resource of that service."""
        return self._session.resource(service, endpoint_url=self._endpoint_url)  # type: ignore[call-overload]


class LocalAws:
    """Two accounts with identity policies enforced, as a context manager.

    Parameters
    ----------
    directory : Path
        Takes logs, AWS configuration and temporary files; made if missing.
    port : int, optional
        Port on the loopback interface; without one, any that is free.
    source_region, destination_region : str
        Regions of the two profiles. Mappings are served in both.
    python : Path, optional
        Interpreter of ministack's virtual environment; by default the environment variable
        ``LOCAL_PYTHON``, and without it ``.venv-local`` in the repository.
    keep : bool
        Whether the accounts outlive the `with` block and this process; `stop` and
        ``python -m tools.local down`` end them.

    Raises
    ------
    LocalError
        From `start`, if the port is taken or the accounts do not come up.
    """

    def __init__(
        self,
        directory: Path,
        port: int | None = None,
        source_region: str = DEFAULT_REGION,
        destination_region: str = DEFAULT_REGION,
        python: Path | None = None,
        keep: bool = False,
    ) -> None:
        self.directory = Path(directory).resolve()
        self.port = port or 0
        self.regions = {SOURCE_ACCOUNT: source_region, DESTINATION_ACCOUNT: destination_region}
        self._python = python or Path(
            os.environ.get("LOCAL_PYTHON") or REPOSITORY / ".venv-local" / "bin" / "python"
        )
        self._keep = keep
        self._children: list[ChildProcess] = []

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._keep:
            self.stop()

    @property
    def endpoint_url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def pids(self) -> list[int]:
        """Process ids, each the leader of its group."""
        return [child.pid for child in self._children]

    def start(self) -> Self:
        """Start both accounts and wait until they answer."""
        if not self._python.exists():
            raise LocalError(
                f"{self._python} does not exist; make the environment of ministack, or set LOCAL_PYTHON"
            )
        self.port = _usable_port(self.port)
        (self.directory / "tmp").mkdir(parents=True, exist_ok=True)
        self._write_aws_configuration()
        # For ways out of this process that pass no `with` block; a second stop does nothing.
        if not self._keep:
            atexit.register(self.stop)
        try:
            ministack = self._start_ministack()
            self._wait_until_ready(ministack)
            self._children.append(self._start_poller())
            State(self.port, self.pids).write(self.directory)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End every process of the accounts; may be called again."""
        for child in reversed(self._children):
            child.stop()
        self._children.clear()
        clean_up(self.directory)
        atexit.unregister(self.stop)

    def session(self, account: str = SOURCE_ACCOUNT, region: str | None = None) -> LocalSession:
        """Clients of one account, by default in the region of its profile."""
        return LocalSession(self.endpoint_url, account, region or self.regions.get(account, DEFAULT_REGION))

    def environment(self, base: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment for terraform, the commands and anything else that is to see these accounts.

        Nothing of the caller's own AWS settings is left in it. It has two profiles, ``source`` and
        ``destination``, and acts for nobody without one.

        Parameters
        ----------
        base : mapping, optional
            Environment to build on, by default this process's own.
        """
        base = os.environ if base is None else base
        environment = {name: value for name, value in base.items() if not name.startswith("AWS_")}
        environment["AWS_CONFIG_FILE"] = str(self.directory / "aws" / "config")
        environment["AWS_SHARED_CREDENTIALS_FILE"] = str(self.directory / "aws" / "credentials")
        environment["AWS_ENDPOINT_URL"] = self.endpoint_url
        environment["AWS_EC2_METADATA_DISABLED"] = "true"
        _reach_directly(environment)
        return environment

    def _write_aws_configuration(self) -> None:
        config, credentials = "", ""
        for profile, account in (("source", SOURCE_ACCOUNT), ("destination", DESTINATION_ACCOUNT)):
            config += f"[profile {profile}]\nregion = {self.regions[account]}\n"
            config += f"endpoint_url = {self.endpoint_url}\n\n"
            credentials += f"[{profile}]\naws_access_key_id = {account}\naws_secret_access_key = {SECRET}\n\n"
        (self.directory / "aws").mkdir(exist_ok=True)
        (self.directory / "aws" / "config").write_text(config)
        (self.directory / "aws" / "credentials").write_text(credentials)

    def _start_ministack(self) -> ChildProcess:
        # A clean environment: ministack hands its own to the functions it runs.
        environment = {
            name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LC_ALL", "TZ") if name in os.environ
        }
        environment.update(
            AUTH="true",
            BIND_HOST=HOST,
            GATEWAY_PORT=str(self.port),
            MINISTACK_REGION=self.regions[SOURCE_ACCOUNT],
            LOG_LEVEL=os.environ.get("LOCAL_LOG_LEVEL", "WARNING"),
            SFTP_ENABLED="0",
            IOT_MTLS_ENABLED="0",
            # Everything here runs without Docker; a daemon of the user's stays untouched.
            DOCKER_HOST=f"unix://{self.directory}/no-docker.sock",
            TMPDIR=str(self.directory / "tmp"),
            PYTHONUNBUFFERED="1",
            AWS_EC2_METADATA_DISABLED="true",
        )
        _reach_directly(environment)
        launcher = REPOSITORY / "tools" / "local" / "launcher.py"
        child = ChildProcess(
            "ministack",
            [str(self._python), str(launcher)],
            environment,
            self.directory / "ministack.log",
            self._keep,
        )
        self._children.append(child)
        return child

    def _start_poller(self) -> ChildProcess:
        environment = self.environment()
        environment["PYTHONPATH"] = str(REPOSITORY)
        environment["PYTHONUNBUFFERED"] = "1"
        command = [sys.executable, "-m", "tools.local.mapping", "--endpoint-url", self.endpoint_url]
        command += ["--accounts", SOURCE_ACCOUNT, DESTINATION_ACCOUNT]
        command += ["--regions", *sorted(set(self.regions.values()))]
        return ChildProcess("poller", command, environment, self.directory / "poller.log", self._keep)

    def _wait_until_ready(self, ministack: ChildProcess) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not is_ready(self.endpoint_url):
            if not ministack.is_running():
                raise LocalError(f"the accounts did not start: {ministack.last_line()} (see {ministack.log})")
            if time.monotonic() > deadline:
                raise LocalError(
                    f"the accounts are not ready after {READY_SECONDS:.0f} s (see {ministack.log})"
                )
            time.sleep(0.05)


def clean_up(directory: Path) -> None:
    """Remove what stopped accounts have no more use for; logs and AWS configuration stay."""
    shutil.rmtree(directory / "tmp", ignore_errors=True)
    State.forget(directory)


def is_ready(endpoint_url: str) -> bool:
    """Whether ministack answers there."""
    # No proxy of the environment stands between this machine and itself.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{endpoint_url}/_ministack/ready", timeout=2) as response:
            return bool(json.load(response).get("status") == "completed")
    except (OSError, ValueError, urllib.error.URLError):
        return False


def _usable_port(port: int) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do, so that connections of an earlier run that still linger do not count as a taken port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise LocalError(
                f"port {port} on {HOST} is taken; choose another with --port, or 0 for any"
            ) from error
        return int(probe.getsockname()[1])


def _reach_directly(environment: dict[str, str]) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        hosts = [host for host in environment.get(name, "").split(",") if host]
        environment[name] = ",".join(dict.fromkeys([*hosts, HOST, "localhost"]))
