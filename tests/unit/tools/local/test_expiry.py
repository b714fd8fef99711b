from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from tools.local.expiry import TOO_LONG_AGO_SECONDS, Expiry

NOW = 1_700_000_000.0


class FakeDynamodb(SimpleNamespace):
    """Tables of one account, as ministack keeps them."""

    def __init__(
        self, items: dict[str, dict[str, Any]], status: str = "ENABLED", stream: bool = True
    ) -> None:
        setting = {"TimeToLiveStatus": status, "AttributeName": "expires"}
        self.table = {"items": {key: {"": item} for key, item in items.items()}}
        tables = SimpleNamespace(get_scoped=lambda account, region, name: self.table)
        settings = SimpleNamespace(all_items=lambda: [(("1", "eu-west-1", "music"), setting)])
        super().__init__(_tables=tables, _ttl_settings=settings, _stream_records={}, stream=stream, scopes=[])

    def _remove_item(self, table: dict[str, Any], partition: str, sort: str) -> Any:
        return table["items"].pop(partition)[sort]

    def _emit_stream_event(self, name: str, event: str, old: Any, new: Any) -> None:
        assert self.scopes == [("1", "eu-west-1")]
        if self.stream:
            self._stream_records.setdefault(name, []).append({"eventName": event, "old": old, "new": new})

    @contextmanager
    def request_scope(self, account: str, region: str) -> Iterator[None]:
        self.scopes.append((account, region))
        yield
        self.scopes.pop()


def expire(dynamodb: FakeDynamodb) -> int:
    return Expiry(dynamodb, dynamodb.request_scope).delete_expired(NOW)


def at(seconds: float) -> dict[str, Any]:
    return {"expires": {"N": str(NOW + seconds)}}


def test_what_has_expired_is_deleted_by_the_service() -> None:
    dynamodb = FakeDynamodb({"past": at(-1), "now": at(0), "future": at(1)})
    assert expire(dynamodb) == 2
    assert set(dynamodb.table["items"]) == {"future"}
    [record, _] = dynamodb._stream_records["music"]
    assert record == {
        "eventName": "REMOVE",
        "old": at(-1),
        "new": None,
        "userIdentity": {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"},
    }


def test_what_dynamodb_leaves_alone() -> None:
    items = {
        "none": {},
        "text": {"expires": {"S": str(NOW - 60)}},
        "long ago": at(-TOO_LONG_AGO_SECONDS - 1),
    }
    assert expire(FakeDynamodb(items)) == 0


def test_a_table_without_time_to_live() -> None:
    assert expire(FakeDynamodb({"past": at(-1)}, status="DISABLED")) == 0


def test_without_a_stream_no_other_record_is_touched() -> None:
    dynamodb = FakeDynamodb({"past": at(-1)}, stream=False)
    dynamodb._stream_records["music"] = [{"eventName": "INSERT"}]
    assert expire(dynamodb) == 1
    assert dynamodb._stream_records["music"] == [{"eventName": "INSERT"}]
