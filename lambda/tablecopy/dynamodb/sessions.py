"""Sessions with the function's own role and with the destination account's role."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from functools import partial
from typing import Any

from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
    ReadOnlyCredentials,
)
from botocore.exceptions import CredentialRetrievalError, HTTPClientError
from botocore.parsers import ResponseParserError
from botocore.session import Session

from tablecopy.clock import Clock

# A session of a role that a role assumes lasts at most one hour (AWS: role chaining). botocore renews it.
_SESSION_SECONDS = 3600

# Credentials this new are not the reason for an error.
_RENEWED_SECONDS = 1.0


# By default, botocore waits a minute for a connection: longer than a function may have left. The caller
# retries the call that needs the role, which assumes the role again, so attempts here would multiply.
_CONFIG = Config(connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 1})


class CredentialsNotRenewed(HTTPClientError):
    """STS gave no usable credentials. Like a call without an answer, a later attempt may succeed."""

    fmt = "The role was not assumed: {error}"


def own_session() -> Session:
    """Return a session with the function's own role."""
    session = Session()
    # An older botocore uses the global STS endpoint, whose credentials are not valid in opt-in Regions.
    session.set_config_variable("sts_regional_endpoints", "regional")
    return session


class RoleSession(Session):
    """A session with a role of another account, assumed at the first call and renewed before it expires.

    Parameters
    ----------
    role_arn, external_id
        Role to assume, and the external ID that its trust policy requires.
    session_name
        Name in the other account's CloudTrail, cut to the 64 characters that STS allows.
    """

    def __init__(
        self, role_arn: str, external_id: str, session_name: str, clock: Clock | None = None
    ) -> None:
        super().__init__()
        self._assumed = _AssumedRole(role_arn, external_id, session_name, clock or Clock())
        self.register_component("credential_provider", CredentialResolver([self._assumed]))

    def renew(self) -> None:
        """Assume the role again at the next call, because its credentials were refused early."""
        self._assumed.renew()


class _AssumedRole(CredentialProvider):
    METHOD = "assume-role"

    def __init__(self, role_arn: str, external_id: str, session_name: str, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._base = own_session()
        self._role_arn = role_arn
        self._arguments = {
            "ExternalId": external_id,
            "RoleSessionName": session_name[:64],
            "DurationSeconds": _SESSION_SECONDS,
        }
        self._assumed_at = -math.inf
        self._refused = False

    def load(self) -> DeferredRefreshableCredentials:
        return _AssumedCredentials(method=self.METHOD, refresh_using=self._assume, time_fetcher=self._now)

    def renew(self) -> None:
        # Calls that were under way with the old credentials also come here when there are new ones already.
        if self._clock.now() - self._assumed_at > _RENEWED_SECONDS:
            self._refused = True

    def _assume(self) -> Any:
        # A new fetcher each time, because a fetcher keeps its credentials until they expire.
        fetcher = AssumeRoleCredentialFetcher(
            client_creator=partial(self._base.create_client, config=_CONFIG),
            source_credentials=self._base.get_credentials(),
            role_arn=self._role_arn,
            extra_args=self._arguments,
        )
        try:
            credentials = fetcher.fetch_credentials()
        except (ResponseParserError, KeyError) as error:
            raise CredentialsNotRenewed(
                error=f"STS's answer is not whole ({type(error).__name__})"
            ) from error
        # Calls that were refused while STS was answering had the old credentials.
        self._assumed_at = self._clock.now()
        self._refused = False
        return credentials

    def _now(self) -> datetime:
        """Return the time by which botocore decides whether credentials have expired."""
        if self._refused:
            return datetime.max.replace(tzinfo=UTC)
        return datetime.fromtimestamp(self._clock.now(), UTC)


class _AssumedCredentials(DeferredRefreshableCredentials):
    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        try:
            frozen: ReadOnlyCredentials = super().get_frozen_credentials()
        except (RuntimeError, CredentialRetrievalError) as error:
            # What botocore raises for an answer without credentials, or with credentials that have expired.
            raise CredentialsNotRenewed(error=error) from error
        return frozen
