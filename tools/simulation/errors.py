"""What a simulated service answers instead of a result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError


class ServiceError(Exception):
    """An error answer of a service.

    Parameters
    ----------
    code, message
        As in the service's API reference.
    status
        HTTP status.
    reasons
        ``ThrottlingReasons``, each ``{"reason": ..., "resource": ARN}``.
    """

    def __init__(
        self, code: str, message: str, status: int = 400, reasons: Sequence[Mapping[str, str]] = ()
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.reasons = tuple(reasons)

    def as_client_error(self, operation: str) -> ClientError:
        """Return the error as a client of botocore raises it."""
        response: Any = {
            "Error": {"Code": self.code, "Message": self.message},
            "ResponseMetadata": {"HTTPStatusCode": self.status},
        }
        if self.reasons:
            response["ThrottlingReasons"] = [dict(reason) for reason in self.reasons]
        return ClientError(response, operation)
