"""``python -m tools.local.demo``: what ``make demo`` runs."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
from pathlib import Path

from tools.local.accounts import REPOSITORY, LocalAws
from tools.local.demo.steps import tell
from tools.local.process import LocalError, State
from tools.local.terraform import TerraformError, find_terraform

_OLDEST_PYTHON = (3, 11)
_DIRECTORY = REPOSITORY / ".demo"


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; returns 0 when it showed everything, 2 after a trouble, 130 when interrupted."""
    parser = argparse.ArgumentParser(prog="make demo", description="Copy a table between two local accounts.")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: any that is free)")
    parser.add_argument("--keep", action="store_true", help="leave the accounts running")
    options = parser.parse_args(arguments)
    # What ends the demo from outside ends the accounts too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return _run(options.port, options.keep)
    except KeyboardInterrupt:
        print("\ndemo: interrupted; the accounts are stopped", file=sys.stderr)
        return 130
    except LocalError as error:
        if isinstance(error, TerraformError) and error.output:
            print(error.output, file=sys.stderr)
        print(f"demo: error: {error}", file=sys.stderr)
        return 2


def _run(port: int, keep: bool) -> int:
    if sys.version_info < _OLDEST_PYTHON:
        raise LocalError(f"Python {sys.version.split()[0]} is too old; 3.11 or later is needed")
    find_terraform(os.environ)
    accounts = _DIRECTORY / "accounts"
    if State.read(accounts):
        raise LocalError(
            "an earlier demo was kept running; stop it with: .venv/bin/python -m tools.local down"
        )
    shutil.rmtree(_DIRECTORY, ignore_errors=True)
    aws = LocalAws(accounts, port, keep=keep)
    try:
        aws.start()
        # The commands that the demo calls, and the demo itself, act in these accounts and no others.
        environment = aws.environment()
        os.environ.clear()
        os.environ.update(environment)
        tell(aws, _DIRECTORY)
    except LocalError:
        if keep:
            _show_around(aws, _DIRECTORY)
        else:
            aws.stop()
            print(f"demo: the logs are in {accounts}", file=sys.stderr)
        raise
    except BaseException:
        _tear_down(aws)
        raise
    if keep:
        _show_around(aws, _DIRECTORY)
    else:
        _tear_down(aws)
    return 0


def _tear_down(aws: LocalAws) -> None:
    """Leave nothing but the report."""
    aws.stop()
    for name in ("accounts", "terraform"):
        shutil.rmtree(_DIRECTORY / name, ignore_errors=True)
    if not any(_DIRECTORY.iterdir()):
        _DIRECTORY.rmdir()


def _show_around(aws: LocalAws, directory: Path) -> None:
    here = Path.cwd()
    relative = directory.relative_to(here) if directory.is_relative_to(here) else directory
    print("\nThe accounts are still up. To look around:\n")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_ENDPOINT_URL"):
        print(f"  export {name}={os.environ[name]}")
    print(f"  .venv/bin/tablecopy status --from-terraform {relative}/terraform")
    print(f"  .venv/bin/verify --from-terraform {relative}/terraform")
    print("  aws dynamodb scan --profile destination --table-name cities --max-items 3")
    print(f"\nLogs are in {relative}/accounts. Stop everything with: .venv/bin/python -m tools.local down")


if __name__ == "__main__":
    sys.exit(main())
