"""Another implementation of DynamoDB, as a server on the loopback interface."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from botocore.session import Session
from moto import mock_aws

from tablecopy.dynamodb.client import DynamoDBClient
from tests.loopback import Answer, Request, serving
from tests.unit.tablecopy.front import Front
from tests.unit.verify.pairs import Item

DYNALITE = Path(__file__).parent / "node" / "node_modules" / "dynalite" / "cli.js"
REGION = "eu-west-1"

_LISTENING = "listening at:"


def names() -> list[str]:
    """The engines that are installed. moto is a dependency of the tests, dynalite needs node."""
    return ["moto", *(["dynalite"] if DYNALITE.exists() and shutil.which("node") else [])]


@contextmanager
def running(name: str) -> Iterator[str]:
    """Run an engine while the body runs, and yield its URL."""
    with _dynalite() if name == "dynalite" else _moto() as url:
        yield url


@contextmanager
def _moto() -> Iterator[str]:
    with mock_aws(), serving(_Moto().answer) as url:
        yield url


class _Moto(Front):
    def answer(self, request: Request) -> Answer:
        try:
            return super().answer(request)
        except NotImplementedError:
            # As DynamoDB says it. verify asks for settings that moto does not know.
            return Answer(400, b'{"__type":"UnknownOperationException","message":"not implemented"}')


@contextmanager
def _dynalite() -> Iterator[str]:
    command = ["node", str(DYNALITE), "--host", "127.0.0.1", "--port", "0"]
    no_wait = ["--createTableMs", "0", "--deleteTableMs", "0"]
    with subprocess.Popen([*command, *no_wait], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert _LISTENING in line, f"dynalite did not start: {line}"
            yield line.partition(_LISTENING)[2].strip()
        finally:
            process.terminate()


class Elsewhere:
    """Tables in another engine, with the key ``pk`` and ``sk``.

    Attributes
    ----------
    name
        Of the latest table.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = DynamoDBClient(Session(), REGION, endpoint_url=url)
        self.name = ""
        self._numbers = count(1)

    def fill(self, items: list[Item]) -> None:
        """Make a table that holds these items."""
        self.name = f"elsewhere-{next(self._numbers)}"
        self.client.call(
            "create_table",
            {
                "TableName": self.name,
                "BillingMode": "PAY_PER_REQUEST",
                "KeySchema": [
                    {"AttributeName": "pk", "KeyType": "HASH"},
                    {"AttributeName": "sk", "KeyType": "RANGE"},
                ],
                "AttributeDefinitions": [
                    {"AttributeName": "pk", "AttributeType": "S"},
                    {"AttributeName": "sk", "AttributeType": "N"},
                ],
            },
        )
        while self._status() != "ACTIVE":
            time.sleep(0.01)
        for start in range(0, len(items), 25):
            requests = [{"PutRequest": {"Item": item}} for item in items[start : start + 25]]
            answer = self.client.call("batch_write_item", {"RequestItems": {self.name: requests}})
            assert not answer.get("UnprocessedItems")

    def _status(self) -> str:
        status: str = self.client.call("describe_table", {"TableName": self.name})["Table"]["TableStatus"]
        return status
