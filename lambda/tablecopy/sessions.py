"""Sessions: the function's own, and the destination account's role."""

from __future__ import annotations

from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)
from botocore.session import Session

# A role assumed from a role lasts at most one hour (AWS: role chaining); botocore renews it before that.
_SESSION_SECONDS = 3600


def own_session() -> Session:
    """A session with the function's own role."""
    return Session()


def assumed_session(role_arn: str, external_id: str, session_name: str) -> Session:
    """A session with ``role_arn``, assumed at the first call and renewed for as long as it is used.

    ``session_name`` shows up in the destination account's CloudTrail; it is cut to the 64 characters
    that STS allows.
    """
    base = own_session()
    fetcher = AssumeRoleCredentialFetcher(
        client_creator=base.create_client,
        source_credentials=base.get_credentials(),
        role_arn=role_arn,
        extra_args={
            "ExternalId": external_id,
            "RoleSessionName": session_name[:64],
            "DurationSeconds": _SESSION_SECONDS,
        },
    )
    session = Session()
    session.register_component("credential_provider", CredentialResolver([_AssumedRole(fetcher)]))
    return session


class _AssumedRole(CredentialProvider):
    METHOD = "assume-role"

    def __init__(self, fetcher: AssumeRoleCredentialFetcher) -> None:
        super().__init__()
        self._fetcher = fetcher

    def load(self) -> DeferredRefreshableCredentials:
        return DeferredRefreshableCredentials(
            method=self.METHOD, refresh_using=self._fetcher.fetch_credentials
        )
