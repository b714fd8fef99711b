"""Sessions: the function's own, and the destination account's role."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)
from botocore.session import Session

# A role assumed from a role lasts at most one hour (AWS: role chaining); botocore renews it before that.
_SESSION_SECONDS = 3600

# A session this young is not to blame for a refusal.
_RENEWED_SECONDS = 1.0


# botocore waits a minute for a connection by default: longer than a function may have left. The call that
# needs the role is made again by its caller, and the role is then asked for again: tries would multiply.
_CONFIG = Config(connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 1})


def own_session() -> Session:
    """A session with the function's own role."""
    session = Session()
    # An older botocore asks the global STS endpoint, whose credentials are no good in Regions to opt in to.
    session.set_config_variable("sts_regional_endpoints", "regional")
    return session


class RoleSession(Session):
    """A session with a role of another account, assumed at the first call and renewed before it expires.

    Parameters
    ----------
    role_arn, external_id
        The role, and what it asks for.
    session_name
        Shows up in the other account's CloudTrail; it is cut to the 64 characters that STS allows.
    """

    def __init__(self, role_arn: str, external_id: str, session_name: str) -> None:
        super().__init__()
        self._assumed = _AssumedRole(role_arn, external_id, session_name)
        self.register_component("credential_provider", CredentialResolver([self._assumed]))

    def renew(self) -> None:
        """Assume the role anew at the next call: its credentials were refused before they were due."""
        self._assumed.renew()


class _AssumedRole(CredentialProvider):
    METHOD = "assume-role"

    def __init__(self, role_arn: str, external_id: str, session_name: str) -> None:
        super().__init__()
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
        return DeferredRefreshableCredentials(
            method=self.METHOD, refresh_using=self._assume, time_fetcher=self._now
        )

    def renew(self) -> None:
        # Calls that were under way with the old credentials come here, too, when there are new ones already.
        if time.monotonic() - self._assumed_at > _RENEWED_SECONDS:
            self._refused = True

    def _assume(self) -> Any:
        self._assumed_at = time.monotonic()
        self._refused = False
        # A fetcher of its own each time: one that has fetched remembers it until it expires.
        return AssumeRoleCredentialFetcher(
            client_creator=partial(self._base.create_client, config=_CONFIG),
            source_credentials=self._base.get_credentials(),
            role_arn=self._role_arn,
            extra_args=self._arguments,
        ).fetch_credentials()

    def _now(self) -> datetime:
        """The time by which botocore tells whether credentials have expired."""
        return datetime.now(UTC) + (timedelta(days=1) if self._refused else timedelta())
