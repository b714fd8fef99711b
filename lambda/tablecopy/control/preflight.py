"""Preflight: what has to hold before anything is paused or read."""

from __future__ import annotations

from collections.abc import Callable

from botocore.exceptions import ClientError

_DENIED = frozenset({"AccessDeniedException", "AccessDenied"})


def problems(checks: list[Callable[[], list[str]]]) -> list[str]:
    """The problems that all checks find. One that is denied finds that, and the others still run."""
    found: list[str] = []
    for check in checks:
        try:
            found += check()
        except ClientError as error:
            if error.response["Error"]["Code"] not in _DENIED:
                raise
            found.append(
                f"{error.operation_name} is denied: {error.response['Error'].get('Message', '')} "
                "(a role just created is denied for up to two minutes; this is tried again every minute)"
            )
    return found
