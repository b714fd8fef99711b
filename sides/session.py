"""One side of the copy: a table, and how to reach the account it is in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    Credentials,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import InvalidRegionError

from sides.errors import UserError, explained

ROLE_SESSION_NAME = "dynamodb-account-copy"

# Standard mode backs off with jitter up to 20 s between attempts: ten of them outlast the few minutes a
# provisioned table needs to use up its burst and scale.
MAX_ATTEMPTS = 10
_CONNECT_TIMEOUT_SECONDS = 10
READ_TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Side:
    """Where one table is and how to sign in there. What is ``None`` is left to the ordinary boto3 chain.

    Parameters
    ----------
    name
        ``"source"`` or ``"destination"``; errors and flags are named by it.
    table_name
        Name of the table, where the command needs one.
    region
        AWS region, for example ``"eu-west-1"``.
    profile
        Profile of the shared AWS configuration.
    role_arn
        Role to assume with the credentials of the profile (or of the chain).
    external_id
        External id the role's trust policy asks for.
    endpoint_url
        Endpoint for every service, STS too: for a local AWS. (One service alone is redirected by
        ``AWS_ENDPOINT_URL_<SERVICE>``.)
    """

    name: str
    table_name: str | None = None
    region: str | None = None
    profile: str | None = None
    role_arn: str | None = None
    external_id: str | None = None
    endpoint_url: str | None = None

    def session(self) -> boto3.Session:
        """Open a boto3 session on this side.

        With `role_arn` its credentials are of the assumed role and renew themselves: a chained role
        session ends after an hour at the latest, a large comparison takes longer.

        Raises
        ------
        UserError
            The profile does not exist.
        """
        with explained(self):
            base = boto3.Session(profile_name=self.profile, region_name=self.region)
            if self.role_arn is None:
                return base
            return self._assumed(base, self.role_arn)

    def client(
        self,
        service: str,
        *,
        connections: int = 10,
        attempts: int = MAX_ATTEMPTS,
        read_timeout: float = READ_TIMEOUT_SECONDS,
    ) -> Any:
        """Open a client of `service`.

        Parameters
        ----------
        service
            Name as boto3 spells it, for example ``"dynamodb"``.
        connections
            How many threads will use the client at once.
        attempts
            How often a call is tried; few where a mistake in the flags should show at once.
        read_timeout
            Seconds to wait for a response; longer than the default where a Lambda function is invoked.

        Raises
        ------
        UserError
            No region, an unknown profile or an endpoint that is no URL.
        """
        config = Config(
            retries={"mode": "standard", "total_max_attempts": attempts},
            connect_timeout=_CONNECT_TIMEOUT_SECONDS,
            read_timeout=read_timeout,
            max_pool_connections=connections,
            user_agent_extra=ROLE_SESSION_NAME,
        )
        session = self.session()
        with explained(self):
            try:
                return session.client(service, endpoint_url=self.endpoint_url, config=config)  # type: ignore[call-overload]
            except InvalidRegionError:
                raise
            except ValueError as error:
                # botocore raises a bare ValueError for an endpoint that is no URL.
                raise UserError(
                    f"{self.name}: {error}; check --{self.name}-endpoint-url", self.name
                ) from error

    def _assumed(self, base: boto3.Session, role_arn: str) -> boto3.Session:
        provider = _AssumedRole(base, role_arn, self.external_id, self.endpoint_url)
        assumed = botocore.session.Session()
        assumed.register_component("credential_provider", CredentialResolver([provider]))
        # AWS_PROFILE belongs to the base session; its settings (a region) reach this one below.
        if "AWS_PROFILE" in os.environ or "AWS_DEFAULT_PROFILE" in os.environ:
            assumed.set_config_variable("profile", base.profile_name)
        return boto3.Session(botocore_session=assumed, region_name=base.region_name)


class _AssumedRole(CredentialProvider):
    """Credentials of a role, fetched when first needed and renewed before they expire."""

    METHOD = "assume-role"

    def __init__(
        self, base: boto3.Session, role_arn: str, external_id: str | None, endpoint_url: str | None
    ) -> None:
        super().__init__()
        self._base = base
        self._role_arn = role_arn
        self._external_id = external_id
        self._endpoint_url = endpoint_url

    def load(self) -> Credentials | None:
        credentials = self._base.get_credentials()
        if credentials is None:
            # Nothing to assume the role with: botocore then reports missing credentials.
            return None
        extra: dict[str, Any] = {"RoleSessionName": ROLE_SESSION_NAME}
        if self._external_id is not None:
            extra["ExternalId"] = self._external_id
        fetcher = AssumeRoleCredentialFetcher(
            client_creator=self._sts,
            source_credentials=credentials,
            role_arn=self._role_arn,
            extra_args=extra,
        )
        return DeferredRefreshableCredentials(refresh_using=fetcher.fetch_credentials, method=self.METHOD)

    def _sts(self, service: str, **arguments: Any) -> Any:
        return self._base.client(service, endpoint_url=self._endpoint_url, **arguments)  # type: ignore[call-overload]


def side_of(name: str, values: Mapping[str, str | None]) -> Side:
    """Build a side from a mapping with the fields of `Side`; empty strings count as unset.

    Parameters
    ----------
    name
        ``"source"`` or ``"destination"``.
    values
        Any of ``table_name``, ``region``, ``profile``, ``role_arn``, ``external_id``, ``endpoint_url``.
    """
    return Side(
        name,
        table_name=values.get("table_name") or None,
        region=values.get("region") or None,
        profile=values.get("profile") or None,
        role_arn=values.get("role_arn") or None,
        external_id=values.get("external_id") or None,
        endpoint_url=values.get("endpoint_url") or None,
    )
