"""A function's code in processes that nobody ends at their deadline.

Lambda ends an invocation at its timeout, and so does the local AWS. To see what an invocation would do that
wakes after that, it has to live on: this program imports the handler once and forks a process for each
invocation that it is told of on its standard input.

In: ``{"id": text, "event": {...}, "seconds": n}``, one a line; ``seconds`` are left until its deadline.
Out: ``{"id": text, "answer": {...}}`` or ``{"id": text, "error": text}`` when an invocation has ended.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import sys
import time
from dataclasses import dataclass
from typing import Any

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Context:
    """Lambda's context object, as much of it as the handlers use."""

    aws_request_id: str
    deadline: float

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self.deadline - time.time()) * 1000))


def main() -> None:
    """Serve until standard input closes."""
    answers = os.dup(1)
    os.dup2(2, 1)
    handle = importlib.import_module(os.environ["HOST_HANDLER"]).handle
    os.write(answers, b'{"id": "", "answer": "ready"}\n')
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        invocation = json.loads(line)
        if os.fork() == 0:
            # A frozen invocation must not outlive its test, however that ends.
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            _invoke(handle, invocation, answers)
            os._exit(0)


def _invoke(handle: Any, invocation: dict[str, Any], answers: int) -> None:
    context = Context(invocation["id"], time.time() + invocation["seconds"])
    try:
        answer = {"answer": handle(invocation["event"], context)}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    os.write(answers, json.dumps({"id": invocation["id"], **answer}).encode() + b"\n")


if __name__ == "__main__":
    main()
