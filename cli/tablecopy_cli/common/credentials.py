"""Sign-ins: one for each identity and process tree, shared by every client and every worker process.

Signing in has effects: AWS accepts an MFA code once, and a ``credential_process`` may open a browser. So a
profile's credentials are loaded once, all sessions of the process hold the same object, and worker processes
borrow from it (`lend`, `SignIns.borrow`).
"""

from __future__ import annotations

import getpass
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing.connection import Connection, Pipe
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    Credentials,
    DeferredRefreshableCredentials,
    ReadOnlyCredentials,
)
from botocore.exceptions import BotoCoreError, CredentialRetrievalError, NoCredentialsError

from tablecopy_cli.common.aws_errors import user_errors
from tablecopy_cli.common.errors import UserError
from tablecopy_cli.common.terminal import question

if TYPE_CHECKING:
    from tablecopy_cli.common.accounts import Side

ROLE_SESSION_NAME = "dynamodb-account-copy"

_CONNECT_TIMEOUT_SECONDS = 10

# botocore starts to renew credentials 15 minutes before they expire and insists 10 minutes before.
_RENEWAL_SECONDS = 15 * 60

# How long a worker uses what it borrowed before it asks again: one question in that time costs nothing.
_BORROWED_SECONDS = 10


class SharedCredentials(Credentials):
    """The credentials of one sign-in, as every session of the process holds them.

    They are read through to the ones botocore loaded, which renew themselves.

    Parameters
    ----------
    loaded
        What botocore found for the profile, or an assumed role.
    """

    def __init__(self, loaded: Credentials) -> None:
        # Credentials.__init__ would read a value, and that may ask for an MFA code.
        self.method = loaded.method
        self._loaded = loaded

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Return the current credentials; renews them if they are about to expire.

        Raises
        ------
        botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError
            They cannot be renewed.
        """
        with _as_retrieval_error(self.method):
            frozen = self._loaded.get_frozen_credentials()
            if not all(isinstance(each, str) for each in (frozen.access_key, frozen.secret_key)):
                # botocore takes whatever a process prints, and signs with it.
                raise ValueError("AccessKeyId and SecretAccessKey must be strings")
            return frozen

    def __getattr__(self, name: str) -> Any:
        if name in ReadOnlyCredentials._fields:
            return getattr(self.get_frozen_credentials(), name)
        raise AttributeError(name)


class SignIns:
    """The sign-ins of a process. Safe to use from several threads.

    Parameters
    ----------
    now
        The clock by which borrowed credentials expire.
    """

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self.lock = threading.RLock()
        self._environment: dict[str, str] = {}
        self._sessions: dict[Side, boto3.Session] = {}
        self._loaded: dict[object, Credentials | None] = {}
        self._lender: Connection | None = None

    def session(self, side: Side) -> boto3.Session:
        """Return the session of a side: with the settings of its profile and the credentials of its sign-in.

        Raises
        ------
        botocore.exceptions.BotoCoreError
            The profile does not exist, or its credentials cannot be loaded.
        """
        with self.lock:
            self._forget_another_environment()
            key = replace(side, table_name=None)
            if key not in self._sessions:
                self._sessions[key] = _opened(side, self._credentials(side))
            return self._sessions[key]

    def borrow(self, lender: Connection) -> None:
        """Ask the process at the other end of `lender` for credentials from now on, instead of signing in."""
        with self.lock:
            self._lender = lender
            self._sessions.clear()

    def _credentials(self, side: Side) -> Credentials | None:
        if self._lender is not None:
            return DeferredRefreshableCredentials(
                refresh_using=partial(self._ask, self._lender, side),
                method="borrowed",
                time_fetcher=self._now,
            )
        if side.role_arn is None:
            return self._once(side.profile, partial(_loaded, side))
        key = (side.profile, side.region, side.role_arn, side.external_id, side.endpoint_url)
        return self._once(key, partial(self._assumed, side, side.role_arn))

    def _ask(self, lender: Connection, side: Side) -> Mapping[str, str | None]:
        """Ask the parent process; the answer has the shape in which botocore renews credentials."""
        try:
            with self.lock:
                lender.send(side)
                answer = lender.recv()
        except (EOFError, OSError) as error:
            raise UserError(f"{side.name}: the process that signed in has ended", side.name) from error
        if isinstance(answer, UserError):
            raise answer
        expires = self._now() + timedelta(seconds=_RENEWAL_SECONDS + _BORROWED_SECONDS)
        return {**answer._asdict(), "expiry_time": expires.isoformat()}

    def _once(self, key: object, load: Callable[[], Credentials | None]) -> Credentials | None:
        if key not in self._loaded:
            loaded = load()
            self._loaded[key] = loaded and SharedCredentials(loaded)
        return self._loaded[key]

    def _assumed(self, side: Side, role_arn: str) -> Credentials | None:
        base = self.session(replace(side, role_arn=None, external_id=None))
        credentials = base.get_credentials()
        if credentials is None:
            # There is nothing to assume the role with: botocore then reports missing credentials.
            return None
        extra: dict[str, Any] = {"RoleSessionName": ROLE_SESSION_NAME}
        if side.external_id is not None:
            extra["ExternalId"] = side.external_id
        config = Config(connect_timeout=_CONNECT_TIMEOUT_SECONDS, user_agent_extra=ROLE_SESSION_NAME)
        fetcher = AssumeRoleCredentialFetcher(
            client_creator=partial(base.client, endpoint_url=side.endpoint_url, config=config),
            source_credentials=credentials,
            role_arn=role_arn,
            extra_args=extra,
        )
        return DeferredRefreshableCredentials(refresh_using=fetcher.fetch_credentials, method="assume-role")

    def _forget_another_environment(self) -> None:
        # Other variables (AWS_PROFILE, AWS_CONFIG_FILE, keys) may mean another identity.
        environment = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
        if environment != self._environment:
            self._environment = environment
            self._sessions.clear()
            self._loaded.clear()


SIGN_INS = SignIns()
"""Those of this process."""


def lend() -> Connection:
    """Lend this process's credentials to one worker process.

    Returns
    -------
    multiprocessing.connection.Connection
        To give to the worker, which passes it to `SignIns.borrow`. Close it here once the worker has it:
        the loan ends when no process holds it any more.
    """
    mine, theirs = Pipe()
    # A renewal may wait for an MFA code; the process does not wait for it when it ends.
    threading.Thread(target=_serve, args=(mine,), daemon=True).start()
    return theirs


def _serve(connection: Connection) -> None:
    with connection, suppress(EOFError, OSError):
        while True:
            connection.send(_answer(connection.recv()))


def _answer(side: Side) -> ReadOnlyCredentials | UserError:
    try:
        with user_errors(side):
            credentials = SIGN_INS.session(side).get_credentials()
            if credentials is None:
                raise NoCredentialsError
            return credentials.get_frozen_credentials()
    except UserError as error:
        return error
    except Exception as error:
        # The worker waits for an answer whatever happens here.
        return UserError(f"{side.name}: cannot sign in ({type(error).__name__}: {error})", side.name)


def _opened(side: Side, credentials: Credentials | None) -> boto3.Session:
    session = botocore.session.Session(profile=side.profile)
    session.register_component("credential_provider", CredentialResolver([_Given(credentials)]))
    return boto3.Session(botocore_session=session, region_name=side.region)


class _Given(CredentialProvider):
    """Provides credentials that were loaded elsewhere."""

    METHOD = "given"

    def __init__(self, credentials: Credentials | None) -> None:
        super().__init__()
        self._credentials = credentials

    def load(self) -> Credentials | None:
        return self._credentials


def _loaded(side: Side) -> Credentials | None:
    session = botocore.session.Session(profile=side.profile)
    if side.region is not None:
        session.set_config_variable("region", side.region)
    resolver = session.get_component("credential_provider")
    # botocore has no other place for it: its own question may go to stdout, or wait for ever in a pipeline.
    resolver.get_provider("assume-role")._prompter = partial(_ask_code, side)
    with _as_retrieval_error("the configuration"):
        return session.get_credentials()


@contextmanager
def _as_retrieval_error(method: str) -> Iterator[None]:
    """Turn what botocore passes on unchanged, such as unreadable output of a process, into its own error."""
    try:
        yield
    except (BotoCoreError, UserError):
        raise
    except json.JSONDecodeError as error:
        # Not what it printed: that may hold a secret.
        raise CredentialRetrievalError(
            provider=method, error_msg="the output of credential_process is not JSON"
        ) from error
    except AttributeError as error:
        raise CredentialRetrievalError(
            provider=method, error_msg="the output of credential_process is not a JSON object"
        ) from error
    except (OSError, ValueError, RuntimeError) as error:
        # Only a process is run, and only its dates and quotes are read: a role's answer comes from STS.
        what = "" if method == "assume-role" else "credential_process: "
        raise CredentialRetrievalError(provider=method, error_msg=f"{what}{error}") from error


def _ask_code(side: Side, text: str) -> str:
    """Ask for an MFA code on the terminal; ``text`` is botocore's and names the device."""
    profile = (
        side.profile or os.environ.get("AWS_DEFAULT_PROFILE") or os.environ.get("AWS_PROFILE", "default")
    )
    needs = f'{side.name}: profile "{profile}" needs an MFA code'
    with question():
        try:
            os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
        except OSError as error:
            raise UserError(
                f"{needs}, and there is no terminal to ask for it. Run the command in a terminal, or set "
                "temporary credentials in the environment "
                f"(`aws configure export-credentials --profile {profile}`).",
                side.name,
            ) from error
        try:
            # On the terminal itself: neither stdout nor a redirected stderr gets the question.
            return getpass.getpass(text)
        except EOFError as error:
            raise UserError(f"{needs}. None was entered.", side.name) from error
