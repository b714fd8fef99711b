"""Ctrl-C on a real process whose threads hang in a scan: it ends at once, with 130."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]


class HangingServer(ThreadingHTTPServer):
    """Describes a table, and answers no scan."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.scanning = threading.Semaphore(0)
        self.closing = threading.Event()


class Handler(BaseHTTPRequestHandler):
    server: HangingServer

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["X-Amz-Target"].endswith(".Scan"):
            self.server.scanning.release()
            self.server.closing.wait()
            return
        table = {
            "TableArn": f"arn:aws:dynamodb:eu-west-1:111111111111:table/{request['TableName']}",
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        }
        body = json.dumps({"Table": table}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[HangingServer]:
    with HangingServer() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.closing.set()
        server.shutdown()


def test_ctrl_c_ends_at_once(server: HangingServer) -> None:
    url = f"http://127.0.0.1:{server.server_port}"
    command = [sys.executable, "-m", "verify", "--source", "a", "--destination", "b"]
    for side in ("source", "destination"):
        command += [f"--{side}-region", "eu-west-1", f"--{side}-endpoint-url", url]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        for _ in range(8):
            assert server.scanning.acquire(timeout=30)
        process.send_signal(signal.SIGINT)
        # Far below the minute after which a hanging read would give up.
        out, err = process.communicate(timeout=15)
    finally:
        process.kill()
    assert (process.returncode, out, err) == (130, "", "verify: interrupted\n")
