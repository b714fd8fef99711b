"""The fault proxy, before a server that stands in for the accounts, called by a botocore client."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from tests.e2e.faults.call import Call
from tests.e2e.faults.faults import (
    CutAfter,
    CutBefore,
    Expire,
    FailAfterEffect,
    Fault,
    Freeze,
    Hold,
    Kill,
    Refuse,
    RefuseKey,
    Slow,
    Truncate,
    Unprocessed,
    throttle,
)
from tests.e2e.faults.proxy import Proxy
from tests.e2e.faults.rules import Rule
from tests.loopback import Answer, Request, serving

SEED = 11


class Accounts:
    """Takes every call and remembers it."""

    def __init__(self) -> None:
        self.url = ""
        self.received: list[tuple[str, dict[str, Any]]] = []

    def answer(self, request: Request) -> Answer:
        self.received.append((request.operation, json.loads(request.body)))
        found = {"UnprocessedItems": {}} if request.operation == "BatchWriteItem" else {"Item": {}}
        return Answer(200, json.dumps(found).encode())

    def written(self) -> list[str]:
        return [
            (request.get("PutRequest", {}).get("Item") or request["DeleteRequest"]["Key"])["pk"]["S"]
            for operation, body in self.received
            if operation == "BatchWriteItem"
            for request in body["RequestItems"]["table"]
        ]


@pytest.fixture
def accounts() -> Iterator[Accounts]:
    made = Accounts()
    with serving(made.answer) as made.url:
        yield made


@pytest.fixture
def proxy(accounts: Accounts) -> Iterator[Proxy]:
    with Proxy(accounts.url, "journal", "222222222222", SEED) as made:
        yield made


def client(proxy: Proxy, function: str = "backfill", key: str = "AKIA1") -> Any:
    return boto3.client(
        "dynamodb",
        endpoint_url=proxy.endpoint_url(function),
        region_name="eu-west-1",
        aws_access_key_id=key,
        aws_secret_access_key="secret",
        config=Config(retries={"total_max_attempts": 1}, read_timeout=5),
    )


def write(dynamodb: Any, *keys: str) -> list[str]:
    """Write items with these keys; the keys of those that came back."""
    requests = [{"PutRequest": {"Item": {"pk": {"S": key}, "n": {"N": "1"}}}} for key in keys]
    answer = dynamodb.batch_write_item(RequestItems={"table": requests})
    return [each["PutRequest"]["Item"]["pk"]["S"] for each in answer["UnprocessedItems"].get("table", [])]


def spoil(proxy: Proxy, fault: Fault, **which: Any) -> Rule:
    rule = Rule("the fault", fault, **which)
    proxy.rules.set([rule])
    return rule


def test_a_call_passes_as_it_is(proxy: Proxy, accounts: Accounts) -> None:
    assert write(client(proxy), "a", "ключ") == []
    assert accounts.written() == ["a", "ключ"]
    assert proxy.calls["backfill", "write"] == 1


def test_a_request_that_dynamodb_would_refuse_fails_the_block(accounts: Accounts) -> None:
    made = Proxy(accounts.url, "journal", "222222222222", SEED)
    post = urllib.request.Request(
        made.endpoint_url("backfill"), b"{}", {"X-Amz-Target": "DynamoDB_20120810.Scan"}
    )
    urllib.request.urlopen(post, timeout=5).close()
    with pytest.raises(AssertionError, match=r'backfill: Scan is not valid.*"TableName"'):
        made.__exit__(None, None, None)


def test_calls_are_known_by_function_and_step(proxy: Proxy) -> None:
    dynamodb = client(proxy, "replicator")
    key = {"pk": {"S": "lease#2a"}, "sk": {"S": "replicator#1"}}
    dynamodb.put_item(TableName="journal", Item=key)
    dynamodb.delete_item(TableName="journal", Key=key)
    dynamodb.get_item(TableName="journal", Key={**key, "pk": {"S": "run"}})
    dynamodb.batch_get_item(RequestItems={"journal": {"Keys": [{**key, "pk": {"S": "batch#1"}}]}})
    dynamodb.update_item(TableName="journal", Key={**key, "pk": {"S": "letter"}})
    dynamodb.scan(TableName="table")
    assert set(proxy.calls) == {
        ("replicator", step)
        for step in ("lease put", "lease delete", "run read", "batch read", "letter put", "scan")
    }


def test_what_an_update_assigns_is_known(proxy: Proxy) -> None:
    calls: list[Call] = []
    proxy.listeners.append(calls.append)
    client(proxy).update_item(
        TableName="journal",
        Key={"pk": {"S": "run"}, "sk": {"S": "state"}},
        UpdateExpression="SET #a0 = :a0, #a1 = :a1",
        ExpressionAttributeNames={"#a0": "phase", "#a1": "reason"},
        ExpressionAttributeValues={":a0": {"S": "slice"}, ":a1": {"S": "sealed"}},
    )
    [call] = calls
    assert call.assigns("phase", {"S": "slice"})
    assert not call.assigns("phase", {"S": "sealed"})
    assert not call.assigns("other", {"S": "slice"})


def test_a_listener_is_told_of_each_call_even_if_it_is_spoiled(proxy: Proxy) -> None:
    calls: list[Call] = []
    proxy.listeners.append(calls.append)
    spoil(proxy, Refuse("InternalServerError", 500))
    with pytest.raises(ClientError):
        client(proxy, key="AKIA2").scan(TableName="table")
    [call] = calls
    assert (call.function, call.access_key) == ("backfill", "AKIA2")
    assert (call.service, call.operation, call.table) == ("dynamodb", "Scan", "table")


def test_a_rule_is_for_its_function_and_step(proxy: Proxy, accounts: Accounts) -> None:
    rule = spoil(proxy, Refuse("InternalServerError", 500), function="replicator", step="write")
    write(client(proxy, "backfill"), "a")
    client(proxy, "replicator").scan(TableName="table")
    with pytest.raises(ClientError, match="InternalServerError"):
        write(client(proxy, "replicator"), "b")
    assert rule.injected == proxy.rules.counts["the fault"] == 1
    assert accounts.written() == ["a"]


def test_a_rule_lets_some_pass_and_stops_after_its_times(proxy: Proxy) -> None:
    spoil(proxy, throttle(), skip=1, times=2)
    fates = []
    for key in "abcd":
        try:
            write(client(proxy), key)
            fates.append("written")
        except ClientError as error:
            fates.append(error.response["Error"]["Code"])
    assert fates == ["written", *["ProvisionedThroughputExceededException"] * 2, "written"]


def test_the_same_seed_spoils_the_same_calls(proxy: Proxy) -> None:
    def fates(seed: int) -> list[bool]:
        proxy.rules.seed = seed
        rule = spoil(proxy, throttle(), chance=0.5)
        found = []
        for _ in range(20):
            before = rule.injected
            with suppress(ClientError):
                write(client(proxy), "a")
            found.append(rule.injected > before)
        return found

    assert fates(1) == fates(1) != fates(2)


def test_all_are_unprocessed(proxy: Proxy, accounts: Accounts) -> None:
    spoil(proxy, Unprocessed(1.0))
    assert write(client(proxy), "a", "b") == ["a", "b"]
    assert accounts.written() == []


def test_some_are_unprocessed_and_the_others_written(proxy: Proxy, accounts: Accounts) -> None:
    spoil(proxy, Unprocessed(0.5))
    back = write(client(proxy), *"abcdef")
    assert len(back) == 3
    assert sorted(back + accounts.written()) == list("abcdef")


def test_a_key_is_refused_alone_and_in_company(proxy: Proxy, accounts: Accounts) -> None:
    spoil(proxy, RefuseKey({"pk": {"S": "bad"}}))
    dynamodb = client(proxy)
    for keys in (["bad"], ["a", "bad"]):
        with pytest.raises(ClientError, match="ValidationException"):
            write(dynamodb, *keys)
    with pytest.raises(ClientError, match="ValidationException"):
        dynamodb.batch_write_item(RequestItems={"table": [{"DeleteRequest": {"Key": {"pk": {"S": "bad"}}}}]})
    assert write(dynamodb, "a") == []
    assert accounts.written() == ["a"]
    assert proxy.rules.counts["the fault"] == 3, "a call without the key does not count"


def test_a_cut_before_has_no_effect(proxy: Proxy, accounts: Accounts) -> None:
    spoil(proxy, CutBefore())
    for _ in range(6):
        with pytest.raises((HTTPClientError, BotoCoreError)):
            write(client(proxy), "a")
    assert accounts.written() == []


def test_a_cut_after_has_its_effect(proxy: Proxy, accounts: Accounts) -> None:
    spoil(proxy, CutAfter())
    for _ in range(6):
        with pytest.raises((HTTPClientError, BotoCoreError)):
            write(client(proxy), "a")
    assert accounts.written() == ["a"] * 6


def test_an_answer_cut_short_has_its_effect(proxy: Proxy, accounts: Accounts) -> None:
    spoil(proxy, Truncate())
    for _ in range(6):
        # botocore takes a document that was cut short for an empty one: nothing is in it.
        with pytest.raises((BotoCoreError, KeyError)):
            write(client(proxy), "a")
    assert accounts.written() == ["a"] * 6


def test_an_error_after_the_effect(proxy: Proxy, accounts: Accounts) -> None:
    spoil(proxy, FailAfterEffect())
    with pytest.raises(ClientError, match="InternalServerError"):
        write(client(proxy), "a")
    assert accounts.written() == ["a"]


def test_a_slow_answer_comes(proxy: Proxy, accounts: Accounts) -> None:
    spoil(proxy, Slow(0.01))
    assert write(client(proxy), "a") == []
    assert accounts.written() == ["a"]


def test_an_expired_session_stays_expired(proxy: Proxy, accounts: Accounts) -> None:
    spoil(proxy, Expire(sessions=1))
    for _ in range(2):
        with pytest.raises(ClientError, match="ExpiredTokenException"):
            write(client(proxy, key="ASIA1"), "a")
    write(client(proxy, key="ASIA2"), "b")
    with pytest.raises(ClientError, match="ExpiredTokenException"):
        write(client(proxy, key="ASIA1"), "c")
    assert accounts.written() == ["b"]


def test_a_held_call_waits_for_its_release(proxy: Proxy, accounts: Accounts) -> None:
    hold = Hold()
    spoil(proxy, hold)
    writing = threading.Thread(target=write, args=(client(proxy), "a"))
    writing.start()
    hold.held.wait(5)
    assert accounts.written() == []
    hold.release()
    writing.join(5)
    assert accounts.written() == ["a"]


CALLER = """
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
connection.request("POST", "/", b'{"TableName":"table"}', {"X-Amz-Target": "DynamoDB_20120810.Scan"})
print(connection.getresponse().status, flush=True)
"""

needs_proc = pytest.mark.skipif(
    not Path("/proc/net/tcp").exists(), reason="processes are found in Linux's /proc"
)


@contextmanager
def caller(proxy: Proxy) -> Iterator[subprocess.Popen[str]]:
    port = proxy.endpoint_url("backfill").rpartition(":")[2]
    command = [sys.executable, "-c", CALLER, port]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            # Also one that is stopped, which would be waited for in vain.
            process.kill()


def is_stopped(process: subprocess.Popen[str]) -> bool:
    return "T" in Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]


@needs_proc
@pytest.mark.parametrize("after_effect", [False, True])
def test_the_calling_process_is_killed(proxy: Proxy, accounts: Accounts, after_effect: bool) -> None:
    spoil(proxy, Kill(after_effect=after_effect))
    with caller(proxy) as process:
        assert process.wait(10) == -signal.SIGKILL
    assert len(accounts.received) == after_effect


@needs_proc
@pytest.mark.parametrize("after_effect", [False, True])
def test_the_calling_process_is_frozen_and_woken(
    proxy: Proxy, accounts: Accounts, after_effect: bool
) -> None:
    freeze = Freeze(after_effect=after_effect)
    spoil(proxy, freeze)
    with caller(proxy) as process:
        assert freeze.frozen.wait(10)
        # The signal is sent by then; on a crowded machine it takes a moment to arrive.
        give_up = time.monotonic() + 10
        while not is_stopped(process):
            assert time.monotonic() < give_up
        freeze.wake()
        assert process.wait(10) == (0 if after_effect else 1)
    assert len(accounts.received) == after_effect
