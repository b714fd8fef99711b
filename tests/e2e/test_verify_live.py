"""The verify command on tables that are written to while it runs, with a replicator that the test can spoil.

One pair of tables; the tests look at it in the order they stand in.
"""

from __future__ import annotations

import json
import queue
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tools.local.accounts import DESTINATION_ACCOUNT, SOURCE_ACCOUNT, LocalAws

TABLE = "live"
SEED = 11
ITEMS = 2_000
HOT = [f"hot-{number}" for number in range(3)]
RATE = 25.0
DELAY_SECONDS = 0.7
LAG_SECONDS = 3
PATIENCE_SECONDS = 60.0

Item = dict[str, Any]


def key_of(name: str) -> Item:
    return {"pk": {"S": name}}


def item_of(name: str, value: int) -> Item:
    return {**key_of(name), "v": {"N": str(value)}}


class Replicator:
    """Applies what it is told of, in order and some time later, in a thread of its own.

    Attributes
    ----------
    held
        What the destination holds once all is applied.
    stopped
        Changes it is told of are lost.
    drop_every
        It loses each delete with a number that can be divided by this; 0 for none.
    dropped
        The keys of these deletes.
    """

    def __init__(self, client: Any, held: dict[str, Item]) -> None:
        self.held = dict(held)
        self.stopped = False
        self.drop_every = 0
        self.dropped: set[str] = set()
        self._client = client
        self._deletes = 0
        self._changes: queue.SimpleQueue[tuple[float, str, Item | None] | None] = queue.SimpleQueue()
        self._pool = ThreadPoolExecutor(1)
        self._work = self._pool.submit(self._run)

    def tell(self, name: str, item: Item | None) -> None:
        """A change was made."""
        if self.stopped:
            return
        if item is None:
            self._deletes += 1
            if self.drop_every and self._deletes % self.drop_every == 0:
                self.dropped.add(name)
                return
            self.held.pop(name, None)
        else:
            self.held[name] = item
        self._changes.put((time.monotonic() + DELAY_SECONDS, name, item))

    def finish(self) -> None:
        """Return when all is applied; raises what went wrong."""
        self._changes.put(None)
        self._work.result()
        self._work = self._pool.submit(self._run)

    def close(self) -> None:
        self._changes.put(None)
        self._pool.shutdown()

    def _run(self) -> None:
        while (change := self._changes.get()) is not None:
            due, name, item = change
            threading.Event().wait(max(0.0, due - time.monotonic()))
            write(self._client, name, item)


class Writer:
    """Changes the source in a thread of its own: hot keys in turn and any others, or one of these.

    Attributes
    ----------
    held
        What the source holds.
    writing
        ``"hot"``, ``"cold"``, both or none.
    written
        How many changes were made of keys that are not hot.
    """

    def __init__(self, client: Any, replicator: Replicator, held: dict[str, Item]) -> None:
        self.held = dict(held)
        self.writing: set[str] = set()
        self.written = 0
        self._client = client
        self._replicator = replicator
        self._random = random.Random(SEED)
        self._cold = [name for name in held if name not in HOT]
        self._values = count(1_000_000)
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._pool = ThreadPoolExecutor(1)
        self._work = self._pool.submit(self._run)

    def write_to(self, *kinds: str) -> None:
        """Write to these keys from now on. No other change is underway when this returns."""
        with self._lock:
            self.writing = set(kinds)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Return when ``condition`` holds; raises what went wrong with the writing."""
        give_up = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < give_up, "waited in vain"
            if self._work.done():
                self._work.result()
            time.sleep(0.02)

    def differences(self) -> dict[str, str]:
        """What differs once all is applied: key to kind."""
        with self._lock:
            source, destination = self.held, self._replicator.held
            return {
                name: "extra" if name not in source else "missing" if name not in destination else "changed"
                for name in source.keys() | destination.keys()
                if source.get(name) != destination.get(name)
            }

    def close(self) -> None:
        self._end.set()
        self._pool.shutdown()

    def _run(self) -> None:
        hot = count()
        while not self._end.wait(1 / RATE):
            with self._lock:
                turn = next(hot)
                if "hot" in self.writing and (turn % 2 or "cold" not in self.writing):
                    self._change(HOT[turn // 2 % len(HOT)], deletes=False)
                elif "cold" in self.writing:
                    self._change(self._random.choice(self._cold), deletes=True)
                    self.written += 1

    def _change(self, name: str, *, deletes: bool) -> None:
        if name in self._replicator.dropped:
            # It stays as it is, to be found.
            return
        item = None
        if name not in self.held or not deletes or self._random.random() < 0.5:
            item = self.held[name] = item_of(name, next(self._values))
        else:
            del self.held[name]
        write(self._client, name, item)
        self._replicator.tell(name, item)


def write(client: Any, name: str, item: Item | None) -> None:
    if item is None:
        client.delete_item(TableName=TABLE, Key=key_of(name))
    else:
        client.put_item(TableName=TABLE, Item=item)


class Scene:
    """Both tables, what happens to them, and the commands."""

    def __init__(self, accounts: LocalAws, directory: Path) -> None:
        self._accounts = accounts
        self._directory = directory
        held = {name: item_of(name, at) for at, name in enumerate([*HOT, *map(str, range(ITEMS))])}
        clients = [
            accounts.session(account).client("dynamodb") for account in (SOURCE_ACCOUNT, DESTINATION_ACCOUNT)
        ]
        for client in clients:
            client.create_table(
                TableName=TABLE,
                KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
            )
            items = list(held.values())
            for first in range(0, len(items), 25):
                puts = [{"PutRequest": {"Item": item}} for item in items[first : first + 25]]
                assert not client.batch_write_item(RequestItems={TABLE: puts})["UnprocessedItems"]
        self.replicator = Replicator(clients[1], held)
        self.writer = Writer(clients[0], self.replicator, held)

    def command(self, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
        """Run ``python -m verify``: its exit code, and the records it has printed."""
        command = [sys.executable, "-m", "verify", *arguments, "--format", "jsonl"]
        for side in ("source", "destination"):
            command += [f"--{side}", TABLE, f"--{side}-profile", side]
        done = subprocess.run(
            command, env=self._accounts.environment(), capture_output=True, text=True, check=False
        )
        print(done.stderr)
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]

    def verify(self, *arguments: str) -> tuple[int, dict[str, Any], dict[str, str], set[str]]:
        """Exit code, summary, what is standing (key to kind), and which keys are not."""
        code, records = self.command("--work-dir", str(self._directory), *arguments)
        found = [record for record in records if record["type"] == "difference"]
        standing = {record["key"]["pk"]["S"]: record["kind"] for record in found if record["standing"]}
        return code, records[-1], standing, {r["key"]["pk"]["S"] for r in found if not r["standing"]}

    def verify_live(self) -> tuple[int, dict[str, Any], dict[str, str], set[str]]:
        before = self.writer.written
        answer = self.verify("--lag", str(LAG_SECONDS))
        assert self.writer.written > before or self.writer.writing == {"hot"}
        return answer

    def settle(self) -> None:
        """Nothing writes any more, and what was written has arrived."""
        self.writer.write_to()
        self.replicator.finish()


@pytest.fixture(scope="module")
def scene(local_aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    print(f"writer's seed: {SEED}")
    scene = Scene(local_aws, tmp_path_factory.mktemp("work"))
    try:
        yield scene
    finally:
        scene.writer.close()
        scene.replicator.close()


def test_a_lagging_replicator_leaves_nothing_but_hot_keys_open(scene: Scene) -> None:
    scene.writer.write_to("hot", "cold")
    scene.writer.wait_for(lambda: scene.writer.written > 20)
    code, summary, standing, unsettled = scene.verify_live()
    assert standing == {}
    assert unsettled
    assert unsettled <= set(HOT)
    assert (code, summary["verdict"]) == (3, "unsettled")
    assert summary["settled"] > 0
    assert summary["generations"] == 4


def test_without_hot_keys_it_is_equal_while_writes_go_on(scene: Scene) -> None:
    scene.writer.write_to("cold")
    code, summary, standing, unsettled = scene.verify_live()
    assert (standing, unsettled) == ({}, set())
    assert (code, summary["verdict"]) == (0, "equal")


def test_exactly_the_dropped_deletes_are_extra(scene: Scene) -> None:
    scene.replicator.drop_every = 10
    scene.writer.wait_for(lambda: len(scene.replicator.dropped) >= 4)
    scene.replicator.drop_every = 0
    code, summary, standing, unsettled = scene.verify_live()
    assert standing == dict.fromkeys(scene.replicator.dropped, "extra")
    assert unsettled == set()
    assert (code, summary["verdict"]) == (1, "different")


def test_a_repair_mends_them_once_writes_have_stopped(scene: Scene, tmp_path: Path) -> None:
    scene.settle()
    dropped = scene.replicator.dropped
    plan = tmp_path / "plan.jsonl"
    code, summary, standing, _ = scene.verify("--writes-stopped", "--repair-plan", str(plan))
    assert standing == dict.fromkeys(dropped, "extra")
    assert (code, summary["verdict"]) == (1, "different")
    code, records = scene.command("repair", str(plan), "--writes-stopped", "--apply")
    assert code == 0
    assert {(r["action"], r["key"]["pk"]["S"], r["result"]) for r in records[:-1]} == {
        ("delete", name, "done") for name in dropped
    }
    for name in dropped:
        del scene.replicator.held[name]
    dropped.clear()
    assert scene.writer.differences() == {}
    code, summary, standing, _ = scene.verify("--writes-stopped")
    assert (code, summary["verdict"], standing) == (0, "equal", {})
    assert summary["source_items"] == len(scene.writer.held)


def test_a_stopped_replicator_is_told_by_every_key_that_stays(scene: Scene) -> None:
    scene.replicator.stopped = True
    before = scene.writer.written
    scene.writer.write_to("hot", "cold")
    scene.writer.wait_for(lambda: scene.writer.written > before + 30)
    scene.writer.write_to("hot")
    expected = {name: kind for name, kind in scene.writer.differences().items() if name not in HOT}
    assert set(expected.values()) >= {"changed", "extra"}
    code, summary, standing, unsettled = scene.verify_live()
    assert standing == expected
    assert unsettled == set(HOT)
    assert (code, summary["verdict"]) == (1, "different")
