"""One side of the copy: a table, and how to reach its account. boto3 is imported when a side connects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import boto3

# Standard mode backs off with jitter up to 20 s between attempts: ten of them outlast the few minutes a
# provisioned table needs to use up its burst and scale.
MAX_ATTEMPTS = 10
_CONNECT_TIMEOUT_SECONDS = 10
READ_TIMEOUT_SECONDS = 60


def is_arn(table_name: str | None) -> bool:
    """Return whether a table is named by its ARN."""
    return bool(table_name) and str(table_name).startswith("arn:")


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
        """Return the boto3 session of this side: the same one at each call, with one sign-in.

        It has the settings of the profile, also with `role_arn`. Its credentials renew themselves: a chained
        role session ends after an hour at the latest, a large comparison takes longer. Sides with one
        profile share its sign-in.

        Raises
        ------
        UserError
            The profile does not exist, or its credentials cannot be loaded.
        """
        from tablecopy_cli.common.aws_errors import user_errors
        from tablecopy_cli.common.credentials import SIGN_INS

        with user_errors(self):
            return SIGN_INS.session(self)

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
            How many threads will use the client in parallel.
        attempts
            How often a call is tried; few where a mistake in the flags should show soon.
        read_timeout
            Seconds to wait for a response; longer than the default where a Lambda function is invoked.

        Raises
        ------
        UserError
            There is no Region, the profile is unknown, the endpoint is not a URL or the certificates cannot
            be read.
        """
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        from tablecopy_cli.common.aws_errors import user_errors
        from tablecopy_cli.common.credentials import ROLE_SESSION_NAME, SIGN_INS
        from tablecopy_cli.common.endpoint import check_answer, check_certificates, check_endpoint
        from tablecopy_cli.common.errors import UserError

        config = Config(
            retries={"mode": "standard", "total_max_attempts": attempts},
            connect_timeout=_CONNECT_TIMEOUT_SECONDS,
            read_timeout=read_timeout,
            max_pool_connections=connections,
            user_agent_extra=ROLE_SESSION_NAME,
        )
        session = self.session()
        # boto3's sessions are not made for several threads; its clients are.
        with user_errors(self), SIGN_INS.lock:
            try:
                made = session.client(service, endpoint_url=self.endpoint_url, config=config)  # type: ignore[call-overload]
                check_endpoint(made.meta.endpoint_url)
            except (BotoCoreError, UserError):
                raise
            except ValueError as error:
                # botocore raises a bare ValueError for an endpoint that is not a URL.
                raise UserError(
                    f"{self.name}: {str(error).rstrip('.')}. Check --{self.name}-endpoint-url, "
                    "AWS_ENDPOINT_URL and endpoint_url in the profile: an endpoint is like https://host:443.",
                    self.name,
                ) from error
        if made.meta.endpoint_url.startswith("https:"):
            check_certificates(session, self)
        made.meta.events.register("before-parse", partial(check_answer, self, made.meta.endpoint_url))
        return made


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
