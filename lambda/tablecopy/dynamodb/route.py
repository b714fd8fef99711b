"""Where botocore's own client would send a call, and under which name it would sign it.

The endpoint depends on more than a URL: a path in ``endpoint_url``, FIPS and dual-stack settings,
account-based endpoints, the ARN of a table, endpoint discovery. None of these rules is repeated here.
botocore prepares a call without items, and the request is taken from it just before the signature.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore import xform_name
from botocore.client import BaseClient

# botocore searches these operations' RequestItems for table ARNs, and fails where the member is missing.
_BATCH_OPERATIONS = frozenset({"BatchWriteItem", "BatchGetItem"})


@dataclass(frozen=True)
class Route:
    """Destination of a call.

    Attributes
    ----------
    url
        Full URL, with the endpoint's path.
    signing_name, signing_region
        Scope of the signature.
    user_agent
        User agent of botocore's client.
    """

    url: str
    signing_name: str
    signing_region: str
    user_agent: str


class Routes:
    """Resolves routes with a botocore client. Safe to use from several threads.

    Parameters
    ----------
    client
        A DynamoDB client without parameter validation. It must not be used for anything else: none of its
        calls is sent.
    table
        Name or ARN by which the calls name their table, where it may be an ARN: an account-based endpoint
        follows the ARN.
    """

    def __init__(self, client: BaseClient, table: str | None = None) -> None:
        self._client = client
        self._table = table
        self._known: dict[tuple[str, str | None], Route] = {}
        client.meta.events.register_last("before-sign.dynamodb", _stop)

    def of(self, operation: str, account_id: str | None) -> Route:
        """Return the route of ``operation`` (spelled as the API does, for example ``Scan``).

        Parameters
        ----------
        account_id
            Account of the credentials if it is known; an account-based endpoint depends on it.

        Raises
        ------
        botocore.exceptions.BotoCoreError
            The settings do not lead to an endpoint.
        """
        # Two threads may resolve the same route; they get equal ones.
        route = self._known.get((operation, account_id))
        if route is None:
            route = self._known[operation, account_id] = self._resolve(operation)
        return route

    def _resolve(self, operation: str) -> Route:
        request: dict[str, Any] = {}
        if operation in _BATCH_OPERATIONS:
            # A table's value is a structure in one operation and a list in the other.
            nothing: Any = {} if operation == "BatchGetItem" else []
            request = {"RequestItems": {self._table: nothing} if self._table else {}}
        elif self._table:
            request = {"TableName": self._table}
        try:
            getattr(self._client, xform_name(operation))(**request)
        except _Prepared as prepared:
            return prepared.route
        raise AssertionError(f"botocore did not sign {operation}")


class _Prepared(Exception):
    def __init__(self, route: Route) -> None:
        super().__init__(route)
        self.route = route


def _stop(request: Any, signing_name: str, region_name: str, **_: object) -> None:
    # The endpoint's rules may name another scope than the client's.
    scope = request.context.get("signing", {})
    user_agent = request.headers["User-Agent"]
    raise _Prepared(
        Route(
            request.url,
            scope.get("signing_name") or signing_name,
            scope.get("region") or region_name,
            user_agent.decode() if isinstance(user_agent, bytes) else user_agent,
        )
    )
