"""``python -m tools.local.mapping``: the poller as a process of its own."""

from __future__ import annotations

import argparse
import logging
import signal
import sys

from tablecopy.clock import Clock
from tools.local.mapping.clients import Clients
from tools.local.mapping.mapping import DEFAULT_CAP_SECONDS, Backoff
from tools.local.mapping.poller import Poller, ThreadWorkers
from tools.local.process import FLAG, die_with_parent


def main(arguments: list[str] | None = None) -> None:
    """Serve the mappings of some accounts until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m tools.local.mapping", description=__doc__)
    parser.add_argument("--endpoint-url", required=True, help="where the accounts are")
    parser.add_argument("--accounts", nargs="+", required=True, help="account ids, twelve digits each")
    parser.add_argument("--regions", nargs="+", required=True, help="regions to look for mappings in")
    parser.add_argument(
        "--retry-cap-seconds", type=float, default=DEFAULT_CAP_SECONDS, help="longest wait before a retry"
    )
    parser.add_argument(FLAG, action="store_true", help="end when the pipe on standard input closes")
    options = parser.parse_args(arguments)
    if options.die_with_parent:
        die_with_parent()

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_number, lambda *_: sys.exit(0))
    clients = [
        Clients(options.endpoint_url, account, region)
        for account in options.accounts
        for region in options.regions
    ]
    Poller(clients, Clock(), ThreadWorkers(), Backoff(options.retry_cap_seconds)).run()


if __name__ == "__main__":
    main()
