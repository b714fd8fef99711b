"""Deletes expired items the way DynamoDB's Time to Live does."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

logger = logging.getLogger("tools.local.expiry")

INTERVAL_SECONDS = 1.0
# A pass reads every item of every table with a time to live. It may take this share of the server's time.
LARGEST_SHARE = 0.05
# DynamoDB leaves alone what expired longer ago than this.
TOO_LONG_AGO_SECONDS = 5 * 365 * 24 * 60 * 60

# As DescribeStream's sibling GetRecords spells it; a Lambda event has both names in lower case.
TIME_TO_LIVE = {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}


class Expiry:
    """Time to Live over the tables of every account and region.

    Parameters
    ----------
    dynamodb
        ministack's module of that service, whose tables are read and whose items are removed.
    request_scope : callable
        ministack's context manager that acts for an account in a region.
    """

    def __init__(
        self, dynamodb: Any, request_scope: Callable[[str, str], AbstractContextManager[None]]
    ) -> None:
        self._dynamodb = dynamodb
        self._request_scope = request_scope

    async def run(self) -> None:
        """Delete expired items for as long as the server runs."""
        while True:
            started = time.perf_counter()
            try:
                self.delete_expired(time.time())
            except Exception:
                # One odd table must not end expiry for all the others.
                logger.exception("deleting expired items")
            spent = time.perf_counter() - started
            await asyncio.sleep(max(INTERVAL_SECONDS, spent / LARGEST_SHARE))

    def delete_expired(self, now: float) -> int:
        """Delete what has expired, each deletion with its record in the stream.

        Parameters
        ----------
        now : float
            Seconds since the epoch.

        Returns
        -------
        int
            Number of items deleted.
        """
        deleted = 0
        for (account_id, region, table_name), setting in list(self._dynamodb._ttl_settings.all_items()):
            attribute = setting.get("AttributeName")
            table = self._dynamodb._tables.get_scoped(account_id, region, table_name)
            if setting.get("TimeToLiveStatus") != "ENABLED" or not attribute or not table:
                continue
            with self._request_scope(account_id, region):
                for partition, sort in list(_expired_keys(table["items"], attribute, now)):
                    self._delete(table, table_name, partition, sort)
                    deleted += 1
        return deleted

    def _delete(self, table: dict[str, Any], table_name: str, partition: Any, sort: Any) -> None:
        old_item = self._dynamodb._remove_item(table, partition, sort)
        before = len(self._dynamodb._stream_records.get(table_name) or ())
        self._dynamodb._emit_stream_event(table_name, "REMOVE", old_item, None)
        records = self._dynamodb._stream_records.get(table_name) or []
        if len(records) > before:
            records[-1]["userIdentity"] = dict(TIME_TO_LIVE)


def _expired_keys(items: dict[Any, dict[Any, Any]], attribute: str, now: float) -> Iterator[tuple[Any, Any]]:
    for partition, by_sort_key in items.items():
        for sort, item in by_sort_key.items():
            # Only a number is a time; DynamoDB ignores the attribute in any other type.
            expires = item.get(attribute, {}).get("N")
            if expires is not None and now - TOO_LONG_AGO_SECONDS < float(expires) <= now:
                yield partition, sort
