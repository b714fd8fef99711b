"""The demo's steps, one after the other."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tablecopy.control.proof import QUIET_SECONDS
from tablecopy.control.status import Status
from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.control_function import ControlFunction
from tools.local.accounts import DESTINATION_ACCOUNT, REPOSITORY, SOURCE_ACCOUNT, LocalAws
from tools.local.demo.cities import STREAM, TABLE, TABLE_NAME, Item, cities, key_of, token_of
from tools.local.demo.narrator import Narrator
from tools.local.demo.stack import root_module
from tools.local.demo.tamper import tamper
from tools.local.demo.traffic import Writer, fill
from tools.local.process import LocalError

_VARIABLES: dict[str, Any] = {
    "source_table": {"name": TABLE_NAME, "profile": "source"},
    "destination_table": {"profile": "destination"},
    # The demo starts the run itself. The schedule would do it up to a minute later.
    "start_on_apply": False,
    # Slices far shorter than for a real table, so that there is more than one to be seen.
    "backfill": {"segments": 16, "concurrency": 4, "slice_seconds": 10, "timeout_seconds": 60},
    "verification": {"enabled": True, "segments": 4, "concurrency": 4},
}
_CHANGES_PER_SECOND = 40
_RESERVE = 2000
_IN_ACCOUNT = "--in-account"
# The difference that each action of a plan is for.
_KINDS = {"put": "missing", "replace": "changed", "delete": "extra"}
_SEED = 20_240_229

# The schedule calls the reconciler every minute. A run in which nothing moves for three of them is stuck; how
# long a step takes in all depends on how busy the machine is.
PATIENCE_SECONDS = 180.0

# How long the demo looks for a change that must not arrive.
_LATE_WRITE_SECONDS = 5.0


class DemoFailed(LocalError):
    """The demo did not show what it should show."""


class Movement:
    """Watches whether a run still gets anywhere. ``now`` returns seconds, as ``time.monotonic`` does."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._since = now()
        self._latest: tuple[object, ...] = ()

    def check(self, status: Status, waiting_for: str) -> None:
        """Compare ``status`` with the one before.

        Raises
        ------
        DemoFailed
            The run has stopped, or nothing has moved for too long.
        """
        if status["phase"] == "stopped":
            raise DemoFailed(f"the run has stopped: {status['reason']}")
        counters = ("phase", "slice", "segments_done", "items", "changes")
        counted = tuple(status.get(counter) for counter in counters)
        if counted != self._latest:
            self._latest, self._since = counted, self._now()
        elif self._now() - self._since > PATIENCE_SECONDS:
            raise DemoFailed(
                f"nothing has moved for {PATIENCE_SECONDS:.0f} s while waiting for {waiting_for}: "
                f"{_told(status)}, {_counted(status)}. Run `make demo KEEP=1` to look around afterwards"
            )


@dataclass
class Stage:
    """What the steps share."""

    aws: LocalAws
    directory: Path
    narrator: Narrator
    function: ControlFunction
    terraform_directory: Path

    @property
    def source(self) -> Any:
        return self.aws.session(SOURCE_ACCOUNT).client("dynamodb")

    @property
    def destination(self) -> Any:
        return self.aws.session(DESTINATION_ACCOUNT).client("dynamodb")


def tell(aws: LocalAws, directory: Path) -> None:
    """Run the whole demo on accounts that are up.

    Raises
    ------
    DemoFailed
        Something did not end as it must.
    """
    narrator = Narrator()
    items = cities()
    present, reserve = items[:-_RESERVE], items[-_RESERVE:]
    source = aws.session(SOURCE_ACCOUNT).client("dynamodb")
    with narrator.step("Create and fill the source table"):
        _create_source(source, present, narrator)
    writer = Writer(source, present, reserve, _CHANGES_PER_SECOND, _SEED)
    narrator.say(f"a writer begins: {_CHANGES_PER_SECOND} changes a second, seed {_SEED}")
    writer.start()
    with narrator.step("Preflight: what is in the way, before anything is applied"):
        _preflight(aws, narrator)
    with narrator.step("terraform apply of this repository's root module"):
        stage = _apply(aws, directory, narrator)
    with narrator.step("Copy the items while the source takes writes"):
        if (
            _command(
                stage.narrator, "tablecopy_cli", "start", "--from-terraform", str(stage.terraform_directory)
            )
            != 0
        ):
            raise DemoFailed("tablecopy start did not start the run")
        _wait(stage, writer, "the end of the backfill", _is_backfilled)
    with narrator.step("Compare both tables in the source account while it takes writes"):
        _expect_equal_under_writes(stage)
    with narrator.step("Cut over: stop the writer, prove that both tables are equal, and seal"):
        stop, grade = _cut_over(stage, writer)
        narrator.say(f"the writer stood still for {stop:.1f} s, and {grade}")
        status = stage.function.status()
        _expect_late_write_ignored(stage)
    with narrator.step("Tamper with the destination; verify names exactly what was done"):
        plan, page = _expect_tampering_found(stage)
    with narrator.step("Repair the destination from the plan that verify has written"):
        _expect_repaired(stage, plan)
    narrator.summary(
        {
            "items copied": f"{status['items']:,} in {status['slice']} slices",
            "changes replayed": (
                f"{status['changes']:,} as {status['puts']:,} puts and {status['deletes']:,} deletes"
            ),
            "writer": _traffic(writer),
            "stop": f"{stop:.1f} s from the writer's last change until the copy was sealed as {grade}",
            "verdict": "equal; then exactly the three planted differences, and repaired",
            "report": f"{page.relative_to(Path.cwd()) if page.is_relative_to(Path.cwd()) else page}",
        }
    )


def _create_source(source: Any, present: list[Item], narrator: Narrator) -> None:
    source.create_table(**TABLE)
    source.get_waiter("table_exists").wait(TableName=TABLE_NAME)
    fill(source, present, lambda done: narrator.progress.update(f"   {done:,} of {len(present):,} cities"))
    source.update_table(TableName=TABLE_NAME, StreamSpecification=STREAM)
    narrator.say(f"{len(present):,} cities in table {TABLE_NAME} of account {SOURCE_ACCOUNT}, stream on")


def _preflight(aws: LocalAws, narrator: Narrator) -> None:
    arguments = ["preflight", "--source", TABLE_NAME]
    for side, account in (("source", SOURCE_ACCOUNT), ("destination", DESTINATION_ACCOUNT)):
        arguments += [f"--{side}-profile", side, f"--{side}-region", aws.regions[account]]
    if _command(narrator, "tablecopy_cli", *arguments) != 0:
        raise DemoFailed("tablecopy preflight has found something in the way")


def _apply(aws: LocalAws, directory: Path, narrator: Narrator) -> Stage:
    regions = {"source": aws.regions[SOURCE_ACCOUNT], "destination": aws.regions[DESTINATION_ACCOUNT]}
    variables = {
        **_VARIABLES,
        "source_table": {**_VARIABLES["source_table"], "region": regions["source"]},
        "destination_table": {**_VARIABLES["destination_table"], "region": regions["destination"]},
    }
    terraform = root_module(
        aws, directory / "terraform", variables, lambda line: narrator.progress.update(f"   {line.strip()}")
    )
    terraform.init()
    applied = terraform.apply()
    narrator.say(next(line for line in applied.splitlines() if line.startswith("Apply complete!")))
    outputs = terraform.output()
    side = Side("source", region=regions["source"], profile="source")
    function = ControlFunction(side, outputs["control_function_name"])
    return Stage(aws, directory, narrator, function, terraform.directory)


def _wait(stage: Stage, writer: Writer, what: str, is_reached: Callable[[Status], bool]) -> None:
    """Follow the run until ``is_reached``, and say each new phase."""
    narrator, movement = stage.narrator, Movement()
    told = ""
    while True:
        status = stage.function.status()
        if _told(status) != told:
            told = _told(status)
            narrator.say(told)
        moving = f"{_counted(status)}; writer: {writer.changes:,} changes"
        narrator.progress.update(f"   {moving}")
        if is_reached(status):
            narrator.say(moving)
            return
        movement.check(status, what)
        time.sleep(0.5)


def _expect_equal_under_writes(stage: Stage) -> None:
    place = ["--from-terraform", str(stage.terraform_directory), _IN_ACCOUNT]
    code = _command(stage.narrator, "verify", *place)
    if code != 0:
        raise DemoFailed(f"verify --in-account ended with {code} instead of 0: the tables are not equal")
    # Until the tracker has listed what the comparison left open, a cutover is refused.
    give_up = time.monotonic() + PATIENCE_SECONDS
    while refused := stage.function.cutover(QUIET_SECONDS)[1]["refused"]:
        if time.monotonic() > give_up:
            raise DemoFailed(f"a cutover is not possible: {refused}")
        time.sleep(0.5)


def _cut_over(stage: Stage, writer: Writer) -> tuple[float, str]:
    """Return for how many seconds the writer stood still, and the grade of the proof."""
    writer.stop()
    began = time.monotonic()
    stage.narrator.say(_traffic(writer))
    arguments = ["cutover", "--yes", "--max-stop", "2m", "--from-terraform", str(stage.terraform_directory)]
    code = _command(stage.narrator, "tablecopy_cli", *arguments)
    took = time.monotonic() - began
    status = stage.function.status()
    if code != 0 or status["phase"] != "sealed":
        raise DemoFailed(f"tablecopy cutover ended with {code} instead of 0, in phase {status['phase']}")
    return took, f"equal ({status['seal_grade']})"


def _is_backfilled(status: Status) -> bool:
    return bool(status["phase"] == "draining" and status["segments_done"] == status["segments"])


def _told(status: Status) -> str:
    slice_ = f" {status['slice']}" if status["phase"] == "slice" else ""
    problems = "".join(f"; waits for: {problem}" for problem in status.get("problems", []))
    return f"phase {status['phase']}{slice_}{problems}"


def _counted(status: Status) -> str:
    if status["phase"] == "none":
        return "no run yet"
    return (
        f"{status['segments_done']}/{status['segments']} segments, {status['items']:,} items copied, "
        f"{status['changes']:,} changes applied, oldest unapplied {status['oldest_unapplied_age']:.0f} s"
    )


def _traffic(writer: Writer) -> str:
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(writer.counts.items()))
    return f"{writer.changes:,} changes ({kinds})"


def _compared(stage: Stage) -> list[str]:
    return ["--from-terraform", str(stage.terraform_directory), "--writes-stopped"]


def _expect_equal(stage: Stage) -> None:
    code = _command(stage.narrator, "verify", *_compared(stage))
    if code != 0:
        raise DemoFailed(f"verify ended with {code} instead of 0: the tables are not equal")


def _expect_late_write_ignored(stage: Stage) -> None:
    original = _any_items(stage.destination, 1)[0]
    late = {**original, "name": {"S": "written after the seal"}}
    stage.source.put_item(TableName=TABLE_NAME, Item=late)
    time.sleep(_LATE_WRITE_SECONDS)
    found = stage.destination.get_item(TableName=TABLE_NAME, Key=key_of(original), ConsistentRead=True)[
        "Item"
    ]
    stage.source.put_item(TableName=TABLE_NAME, Item=original)
    if found != original:
        raise DemoFailed("a write to the source reached the destination after the seal")
    stage.narrator.say(f"written to the source, not at the destination {_LATE_WRITE_SECONDS:.0f} s later")


def _expect_tampering_found(stage: Stage) -> tuple[Path, Path]:
    """Return the repair plan and the report."""
    planted = tamper(stage.destination, _any_items(stage.destination, 2))
    folder = stage.terraform_directory.parent
    plan, page = folder / "plan.jsonl", folder / "report.html"
    here = _differences(stage, plan, "--html", str(page))
    found = {_KINDS[line["action"]]: token_of(line["key"]) for line in here}
    if found != planted or len(here) != len(planted):
        raise DemoFailed(f"verify has found {found} instead of {planted}")
    stage.narrator.say("verify exits 1 and names these three and nothing else")
    return plan, page


def _differences(stage: Stage, plan: Path, *flags: str) -> list[dict[str, Any]]:
    """Return the actions of the plan that ``verify`` writes: keys, and digests of the items that differ."""
    code = _command(stage.narrator, "verify", *_compared(stage), "--repair-plan", str(plan), *flags)
    if code != 1:
        raise DemoFailed(f"verify {' '.join(flags)} ended with {code} instead of 1")
    _, *actions, _ = map(json.loads, plan.read_text().splitlines())
    return actions


def _expect_repaired(stage: Stage, plan: Path) -> None:
    for more in ([], ["--apply"]):
        code = _command(stage.narrator, "verify", "repair", str(plan), *_compared(stage), *more)
        if code != 0:
            raise DemoFailed(f"verify repair ended with {code} instead of 0")
    _expect_equal(stage)


def _any_items(client: Any, count: int) -> list[Item]:
    items: list[Item] = client.scan(TableName=TABLE_NAME, Limit=count, ConsistentRead=True)["Items"]
    return items


def _command(narrator: Narrator, module: str, *arguments: str) -> int:
    """Run one of the project's commands as a user does, and show what it prints."""
    narrator.say(_shown(module, *arguments))
    process = subprocess.run(_python(module, *arguments), stdout=subprocess.PIPE, text=True, check=False)
    narrator.say(process.stdout.rstrip())
    return process.returncode


def _shown(module: str, *arguments: str) -> str:
    name = {"tablecopy_cli": "tablecopy"}.get(module, module)
    return f"$ {name} {' '.join(arguments)}".replace(f"{REPOSITORY}/", "")


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]
