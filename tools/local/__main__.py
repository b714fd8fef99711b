"""``python -m tools.local``: start, stop and look at the two accounts by hand."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from tools.local.accounts import (
    DEFAULT_REGION,
    DESTINATION_ACCOUNT,
    HOST,
    REPOSITORY,
    SOURCE_ACCOUNT,
    LocalAws,
    clean_up,
    is_ready,
)
from tools.local.process import LocalError, State

DEFAULT_PORT = 4566
DEFAULT_DIRECTORY = REPOSITORY / ".demo" / "accounts"


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Returns
    -------
    int
        0 if it did what was asked (``status``: the accounts answer), 1 if they do not, 2 after a trouble,
        130 if interrupted.
    """
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except LocalError as error:
        print(f"local: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.local", description="Two AWS accounts on one machine."
    )
    parser.add_argument(
        "--directory", type=Path, default=DEFAULT_DIRECTORY, help="where logs and settings are kept"
    )
    commands = parser.add_subparsers(required=True)
    up = commands.add_parser("up", help="start both accounts and stay until Ctrl-C")
    up.add_argument(
        "--port", type=int, default=DEFAULT_PORT, help="port on 127.0.0.1, 0 for any (default 4566)"
    )
    up.add_argument("--source-region", default=DEFAULT_REGION)
    up.add_argument("--destination-region", default=DEFAULT_REGION)
    up.add_argument("--keep", action="store_true", help="leave them running and return")
    up.set_defaults(command=_up)
    commands.add_parser("down", help="stop accounts that were kept").set_defaults(command=_down)
    commands.add_parser("status", help="tell whether the accounts run").set_defaults(command=_status)
    return parser


def _up(options: argparse.Namespace) -> int:
    if State.read(options.directory):
        raise LocalError("the accounts are running already; stop them with: python -m tools.local down")
    aws = LocalAws(
        options.directory, options.port, options.source_region, options.destination_region, keep=options.keep
    )
    # Ends the accounts in order, as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with aws:
        _describe(aws.endpoint_url, options.directory)
        if options.keep:
            print("Stop them with: python -m tools.local down")
            return 0
        while True:
            signal.pause()


def _down(options: argparse.Namespace) -> int:
    state = State.read(options.directory)
    if state:
        state.stop()
    clean_up(options.directory)
    print("The accounts are stopped." if state else "No accounts are running.")
    return 0


def _status(options: argparse.Namespace) -> int:
    state = State.read(options.directory)
    if state is None or not is_ready(endpoint := f"http://{HOST}:{state.port}"):
        print("No accounts are running.")
        return 1
    _describe(endpoint, options.directory)
    return 0


def _describe(endpoint_url: str, directory: Path) -> None:
    print(f"Accounts {SOURCE_ACCOUNT} (profile source) and {DESTINATION_ACCOUNT} (profile destination).")
    print("To use them from a shell:")
    print(f"  export AWS_CONFIG_FILE={directory}/aws/config")
    print(f"  export AWS_SHARED_CREDENTIALS_FILE={directory}/aws/credentials")
    print(f"  export AWS_ENDPOINT_URL={endpoint_url} AWS_PROFILE=source")
    print(f"Logs are in {directory}.")


if __name__ == "__main__":
    sys.exit(main())
