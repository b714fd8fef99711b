"""There and back again: a cutover, the copy in the other direction that it prints, and the cutover back.

The writers never wait for more than the cutovers: they move to the destination as soon as the copy is sealed,
and the copy back is applied while they work there.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer
from botocore.exceptions import ClientError

from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.control_function import ControlFunction
from tablecopy_cli.common.errors import UserError
from tests.e2e.copying import PATIENCE_SECONDS, Copy
from tools.local.accounts import DESTINATION_ACCOUNT, REPOSITORY
from tools.local.demo.cities import Item, token_of
from tools.local.demo.traffic import Writer
from tools.local.terraform import Terraform, terraform_environment

RATE = 20
WRITERS = 2


@dataclass
class Journey:
    """What happened on the way.

    Attributes
    ----------
    there, back
        The copies.
    denial
        The error that a writer got from the fence.
    status_after_the_kill
        What ``tablecopy status`` printed after the command was killed.
    sealed
        What the command printed when it was run again.
    ledger
        The latest acknowledged write of each key that was written.
    """

    there: Copy
    back: Copy
    denial: str
    status_after_the_kill: str
    sealed: str
    ledger: dict[str, Item | None]
    written_at_the_destination: int


def travel(there: Copy, directory: Path, items: list[Item], reserve: list[Item], seed: int) -> Journey:
    """Cut over, move the writers, apply the copy back, and cut over once more.

    Parameters
    ----------
    directory
        Takes the configuration of the copy back.
    items, reserve
        What the source holds, and what it does not hold.
    """
    writers = _Writers(there.source, items, reserve, seed)
    _compare(there)
    _kill_with_its_fence(there)
    denial = writers.wait_for_a_denial()
    status = _command(there, "status").stdout
    sealed = _command(there, "cutover", "--yes", "--fence", "--max-stop", "5m").stdout
    lifted = subprocess.Popen(_arguments(there, "cutover", "--lift-fence"), env=there.aws.environment())
    ledger = dict(writers.ledger)
    held = {token_of(item): item for item in items} | ledger

    # No one waits for the copy back: the stream of the new table has what the writers write until then.
    writers = _Writers(there.destination, [item for item in held.values() if item], [], seed + 1)
    back = _apply_printed(there, sealed, directory)
    assert lifted.wait(timeout=PATIENCE_SECONDS) == 0
    # The schedule starts it up to a minute later, and may be the first.
    with suppress(UserError):
        back.function.start()
    back.wait_for("the copy back", lambda status: status["phase"] == "draining" and status["changes"] > 0)
    _compare(back)
    writers.stop()
    _command(back, "cutover", "--yes", "--max-stop", "5m")
    return Journey(there, back, denial, status, sealed, ledger | writers.ledger, len(writers.ledger))


def value_of(item: Item) -> dict[str, Any]:
    """Return an item as a value: DynamoDB keeps neither the order of a set nor how a number is written."""
    value: dict[str, Any] = TypeDeserializer().deserialize({"M": item})
    return value


class _Writers:
    """Clients that write to keys of their own until they are stopped, or denied."""

    def __init__(self, client: Any, items: list[Item], reserve: list[Item], seed: int) -> None:
        print(f"seed of the writers: {seed}")
        self._writers = [
            Writer(client, items[start::WRITERS], reserve[start::WRITERS], RATE / WRITERS, seed + start)
            for start in range(WRITERS)
        ]
        for writer in self._writers:
            writer.start()

    @property
    def ledger(self) -> dict[str, Item | None]:
        return {token: item for writer in self._writers for token, item in writer.ledger.items()}

    def stop(self) -> None:
        for writer in self._writers:
            writer.stop()

    def wait_for_a_denial(self) -> str:
        _wait_until("the fence", lambda: not any(writer.is_writing for writer in self._writers))
        with pytest.raises(ClientError) as denied:
            self.stop()
        return str(denied.value)


def _compare(copy: Copy) -> None:
    """Compare in the account; from then on the keys of all changes are noted."""
    done = copy.verify("--in-account")
    assert done.returncode == 0, done.stdout + done.stderr


def _kill_with_its_fence(copy: Copy) -> None:
    """End the command as a crash would, as soon as the source table denies writes."""
    client, table = copy.source, copy.outputs["tables"]["source"]["table_name"]
    arn = client.describe_table(TableName=table)["Table"]["TableArn"]

    def is_denied() -> bool:
        try:
            client.get_resource_policy(ResourceArn=arn)
        except client.exceptions.PolicyNotFoundException:
            return False
        return True

    arguments = _arguments(copy, "cutover", "--yes", "--fence", "--max-stop", "5m")
    with subprocess.Popen(arguments, env=copy.aws.environment()) as command:
        try:
            _wait_until("the fence", lambda: is_denied() or command.poll() is not None)
        finally:
            command.send_signal(signal.SIGKILL)
    assert command.returncode == -signal.SIGKILL, "the command has ended by itself"


def _apply_printed(there: Copy, printed: str, directory: Path) -> Copy:
    """Apply the configuration that the cutover has printed, with the times of a test."""
    lines = printed.partition('    module "rollback"')
    block = "\n".join(line.removeprefix("    ") for line in (lines[1] + lines[2]).splitlines())
    block = block[: block.rindex("}") + 1]
    assert "begin_at_seal" in block
    for setting, value in (
        ('source = "..."', f'source = "{REPOSITORY}"'),
        (r"control      = \{ (.*) \}", r"control = { \1, drained_after_seconds = 5 }"),
        (r"enabled = true \}", "enabled = true, segments = 3, concurrency = 3 }"),
    ):
        block, changed = re.subn(setting, value, block)
        assert changed == 1, setting
    extra = "".join(
        f'output "{name}" {{\n  value = module.rollback.{name}\n}}\n'
        for name in ("journal_table_name", "event_source_mapping_uuid")
    )
    directory.mkdir(exist_ok=True)
    (directory / "main.tf").write_text(f"{block}\n{extra}")
    terraform = Terraform(directory, terraform_environment(there.aws.environment(), directory), {})
    terraform.init()
    terraform.apply()
    outputs = terraform.output()
    account = DESTINATION_ACCOUNT
    side = Side("source", region=there.aws.regions[account], profile="destination")
    function = ControlFunction(side, outputs["control_function_name"])
    return Copy(there.aws, terraform, outputs, function, account=account)


def _command(copy: Copy, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        _arguments(copy, *arguments), env=copy.aws.environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def _arguments(copy: Copy, *arguments: str) -> list[str]:
    command, *flags = arguments
    place = ["--from-terraform", str(copy.terraform.directory)]
    return [sys.executable, "-m", "tablecopy_cli", command, *place, *flags]


def _wait_until(what: str, is_reached: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not is_reached():
        assert time.monotonic() < give_up, f"{what} was not reached"
        time.sleep(0.1)
